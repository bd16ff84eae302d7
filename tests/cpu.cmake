# tests of engine/cpu
foreach(part threads crowd rows gemm bfloat16 parity)
  antler_test(cpu_${part} unit/test_cpu_${part}.c unit antler_engine)
endforeach()
set_tests_properties(cpu_parity PROPERTIES LABELS parity)
