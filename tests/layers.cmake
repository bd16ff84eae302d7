# tests of the layers part
antler_test(arguments unit/test_arguments.c unit antler_engine)
antler_test(model_spec unit/test_model_spec.c unit antler_persistence)
antler_test(layers unit/test_layers.c unit antler_engine)
antler_test(layers_random unit/test_layers_random.c unit antler_engine)
antler_test(recurrent unit/test_recurrent.c unit antler_engine)

add_executable(drive_model keras/drive_model.c)
target_link_libraries(drive_model PRIVATE antler_engine antler_persistence antler_base antler_flags m)
antler_script(keras_layers keras 600 python3 ${CMAKE_CURRENT_SOURCE_DIR}/keras/test_layers.py)
antler_test(model_damaged unit/test_model_damaged.c unit antler_engine)
antler_fuzz(fuzz_model antler_engine)
antler_script(keras_mixed_bfloat16 keras 300 ${CMAKE_CURRENT_SOURCE_DIR}/keras/python.sh ${CMAKE_CURRENT_SOURCE_DIR}/keras/test_mixed_bfloat16.py)
antler_script(keras_expressions keras 200 ${CMAKE_CURRENT_SOURCE_DIR}/keras/python.sh ${CMAKE_CURRENT_SOURCE_DIR}/keras/test_expressions.py)
