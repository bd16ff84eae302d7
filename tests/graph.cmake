# tests of the graph part
antler_test(graph_expr unit/test_expr.c unit antler_engine)
antler_test(graph_gradient unit/test_graph_gradient.c gradient antler_engine)
antler_test(plan unit/test_plan.c unit antler_engine PkgConfig::JANSSON)
antler_test(reference unit/test_reference.c unit antler_engine)
antler_test(bfloat16 unit/test_bfloat16.c unit antler_engine)
