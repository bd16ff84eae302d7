# tests of settings, the queue of a home, notifications and the system series
antler_test(settings unit/test_settings.c unit antler_persistence)
