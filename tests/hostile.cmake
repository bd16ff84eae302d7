# hostile files, configs and homes through the built programs
foreach(part files configs homes)
  antler_script(hostile_${part} crash 400 python3 ${CMAKE_SOURCE_DIR}/tests/cli/test_hostile_${part}.py)
endforeach()
