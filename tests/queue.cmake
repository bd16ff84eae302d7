# tests of settings, the queue of a home, notifications and the system series
antler_test(settings unit/test_settings.c unit antler_persistence)
antler_script(queue crash 180 python3 ${CMAKE_SOURCE_DIR}/tests/crash/test_queue.py)
antler_test(screen_queue screen/test_screen_queue.c screen antler_tui)
add_dependencies(screen_queue antler-worker)
antler_test(system_log unit/test_system_log.c unit antler_persistence)
antler_script(notify unit 120 python3 ${CMAKE_SOURCE_DIR}/tests/cli/test_notify.py)
antler_test(notices unit/test_notices.c unit antler_tui)
antler_test(queue_plan unit/test_queue_plan.c unit antler_tui)
