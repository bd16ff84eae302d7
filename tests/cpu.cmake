# tests of engine/cpu
foreach(part threads crowd rows gemm bfloat16 parity)
  antler_test(cpu_${part} unit/test_cpu_${part}.c unit antler_engine)
endforeach()
set_tests_properties(cpu_parity PROPERTIES LABELS parity)

# The same where the processor has less: what these instruction sets compute is compared with the plain loops too.
foreach(level avx2 baseline)
  add_test(NAME cpu_parity_${level} COMMAND cpu_parity)
  set_tests_properties(cpu_parity_${level} PROPERTIES LABELS parity SKIP_RETURN_CODE 77 TIMEOUT 240 ENVIRONMENT ANTLER_CPU=${level})
endforeach()
