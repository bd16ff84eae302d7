# the bench's own: --profile and --trace
antler_script(cli_profile unit 120 python3 ${CMAKE_SOURCE_DIR}/tests/cli/test_profile.py)

# programs of ./dev bench (tests/bench/bench.py)
foreach(part keras_file_speed make_home)
  add_executable(${part} bench/${part}.c)
  target_link_libraries(${part} PRIVATE antler_persistence antler_base antler_flags m)
endforeach()
add_executable(process_cost bench/process_cost.c)
target_link_libraries(process_cost PRIVATE antler_flags)
foreach(part checkpoint_gap model_speed)
  add_executable(${part} bench/${part}.c)
  target_link_libraries(${part} PRIVATE antler_engine antler_base antler_flags m)
endforeach()
