# tests of the train part: training, checkpoints, the worker and its commands
antler_script(crash_exact_resume crash 240 python3 ${CMAKE_SOURCE_DIR}/tests/crash/test_exact_resume.py)
antler_script(thread_counts unit 120 python3 ${CMAKE_SOURCE_DIR}/tests/crash/test_thread_counts.py)
antler_script(cli_worker unit 240 python3 ${CMAKE_SOURCE_DIR}/tests/cli/test_worker_commands.py)
antler_script(keras_train keras 400 ${CMAKE_SOURCE_DIR}/tests/keras/python.sh ${CMAKE_SOURCE_DIR}/tests/keras/test_train.py)
antler_test(train_parts unit/test_train_parts.c unit antler_engine)
antler_test(train_silence unit/test_train_silence.c unit antler_engine)
antler_test(train_faults fault/test_train_faults.c fault antler_engine)
