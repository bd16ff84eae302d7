# tests of the plots part
antler_test(plots_data unit/test_plots_data.c unit antler_plots)
antler_test(plots_raster unit/test_plots_raster.c unit antler_plots)
antler_test(plots_chart unit/test_plots_chart.c unit antler_plots)
antler_test(plots_tile unit/test_plots_tile.c unit antler_plots)
