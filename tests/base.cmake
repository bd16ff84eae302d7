# tests of base/ and of the house itself
antler_script(layers_arrows unit 20 ${CMAKE_SOURCE_DIR}/tests/unit/check_layers.sh)
foreach(part rng str json io decimal name_table)
  antler_test(base_${part} unit/test_base_${part}.c unit)
endforeach()
