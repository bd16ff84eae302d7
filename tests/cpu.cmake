# tests of engine/cpu
foreach(part threads crowd rows gemm bfloat16 parity parity_conv parity_movement parity_sequences)
  antler_test(cpu_${part} unit/test_cpu_${part}.c unit antler_engine)
endforeach()
set_tests_properties(cpu_parity cpu_parity_conv cpu_parity_movement cpu_parity_sequences PROPERTIES LABELS parity)

# The same where the processor has less: what these instruction sets compute is compared with the plain loops too.
foreach(level avx2 baseline)
  foreach(part parity parity_conv parity_movement parity_sequences)
    add_test(NAME cpu_${part}_${level} COMMAND cpu_${part})
    set_tests_properties(cpu_${part}_${level} PROPERTIES LABELS parity SKIP_RETURN_CODE 77 TIMEOUT 240 ENVIRONMENT ANTLER_CPU=${level})
  endforeach()
endforeach()
