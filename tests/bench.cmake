# the bench's own: --profile and --trace
antler_script(cli_profile unit 120 python3 ${CMAKE_SOURCE_DIR}/tests/cli/test_profile.py)

# programs of ./dev bench (tests/bench/bench.py)
foreach(part keras_file_speed make_home)
  add_executable(${part} bench/${part}.c)
  target_link_libraries(${part} PRIVATE antler_persistence antler_base antler_flags m)
endforeach()
add_executable(chart_speed bench/chart_speed.c)
target_link_libraries(chart_speed PRIVATE antler_plots antler_base antler_flags m)
add_executable(process_cost bench/process_cost.c)
target_link_libraries(process_cost PRIVATE antler_flags)
foreach(part checkpoint_gap model_speed)
  add_executable(${part} bench/${part}.c)
  target_link_libraries(${part} PRIVATE antler_engine antler_base antler_flags m)
endforeach()
target_link_options(model_speed PRIVATE -Wl,--dynamic-list=${CMAKE_SOURCE_DIR}/engine/cuda/imports.list -Wl,--undefined=log_line -Wl,--undefined=atomic_file_save_for_now) # it opens antler-cuda.so, as the worker does
add_executable(gemm_speed bench/gemm_speed.c)
target_link_libraries(gemm_speed PRIVATE antler_engine antler_base PkgConfig::OPENBLAS antler_flags m)
