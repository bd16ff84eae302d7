# tests of what a checkpoint does: evaluate, predict, text that models write; and of the screen's manners
antler_script(keras_generate keras 200 ${CMAKE_SOURCE_DIR}/tests/keras/python.sh ${CMAKE_SOURCE_DIR}/tests/keras/test_generate.py)
antler_script(cli_details unit 120 python3 ${CMAKE_SOURCE_DIR}/tests/cli/test_details.py)
antler_test(screen_form_items screen/test_form_items.c screen antler_tui)
antler_test(screen_every_view screen/test_every_view.c screen antler_tui)
if(VTERM_FOUND)
  antler_test(screen_slow_line screen/test_slow_line.c screen antler_tui PkgConfig::VTERM util)
  add_dependencies(screen_slow_line antler)
endif()
