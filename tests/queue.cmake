# tests of settings, the queue of a home, notifications and the system series
antler_test(settings unit/test_settings.c unit antler_persistence)
antler_script(queue crash 180 python3 ${CMAKE_SOURCE_DIR}/tests/crash/test_queue.py)
