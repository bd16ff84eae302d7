/* A name keeps its number until it is cut off. */
#include "base/name_table.h"
#include "tests/check.h"

static void test_names_are_found_again(void)
{
    struct name_table table = {0};
    char name[32];
    for (int round = 0; round < 2; round++)
        for (int k = 0; k < 5000; k++) {
            int n = snprintf(name, sizeof name, "metric_%d", k);
            CHECK_EQ(name_table_id(&table, name, (size_t)n), k);
        }
    name_table_cut(&table, 10);
    CHECK_EQ(name_table_find(&table, "metric_10", 9), (long long)SIZE_MAX);
    CHECK_EQ(name_table_find(&table, "metric_9", 8), 9);
    CHECK_EQ(name_table_id(&table, "new", 3), 10);
    name_table_release(&table);
}

int main(void)
{
    RUN(test_names_are_found_again);
    return check_done();
}
