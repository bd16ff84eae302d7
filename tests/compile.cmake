# tests of losses, metrics, optimizers, schedules and callbacks
antler_test(python_format unit/test_python_format.c unit antler_engine)
antler_test(losses unit/test_losses.c unit antler_engine)
antler_test(schedules unit/test_schedules.c unit antler_engine)
antler_test(callbacks unit/test_callbacks.c unit antler_engine)

# real Keras decides: the driver trains what the script trains with Keras
add_executable(drive_train keras/drive_train.c)
target_link_libraries(drive_train PRIVATE antler_engine antler_base antler_flags m)
antler_script(keras_compile keras 600 ${CMAKE_SOURCE_DIR}/tests/keras/python.sh -W ignore
  ${CMAKE_SOURCE_DIR}/tests/keras/test_compile.py $<TARGET_FILE:drive_train>)
