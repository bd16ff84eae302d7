/* test_plugin.c - is there a driver of NVIDIA? Looked for without opening anything, see plugin.h. */
#include "base/io.h"
#include "engine/plan/plugin.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

static void put(const char *root, const char *name)
{
    char *path = xprintf("%s%s", root, name), *folder = path_folder(path);
    struct err err = {0};
    CHECK_OK(io_make_folders(folder, &err), err);
    FILE *file = fopen(path, "w");
    CHECK(file && !fclose(file));
    free(folder);
    free(path);
}

static void test_a_machine_without_a_driver(void)
{
    char *root = xprintf("%s/none", check_tmp());
    put(root, "/dev/null");
    CHECK(!plugin_has_driver(root));
    free(root);
}

static void test_each_trace_of_a_driver_is_enough(void)
{
    static const char *const names[] = {"/dev/nvidiactl", "/proc/driver/nvidia/version",
                                        "/usr/lib/wsl/lib/libcuda.so.1"};
    for (int i = 0; i < 3; i++) {
        char *root = xprintf("%s/%d", check_tmp(), i);
        put(root, names[i]);
        CHECK(plugin_has_driver(root));
        free(root);
    }
}

static void test_auto_is_a_device_that_works(void)
{
    struct device_choice choice;
    struct err err = {0};
    CHECK_OK(backend_find("auto", &choice, &err), err);
    CHECK(choice.backend == &backend_cpu || !choice.passed_over.code);
    if (!plugin_has_driver(""))
        CHECK(choice.backend == &backend_cpu && !choice.passed_over.code);
}

int main(void)
{
    RUN(test_a_machine_without_a_driver);
    RUN(test_each_trace_of_a_driver_is_enough);
    RUN(test_auto_is_a_device_that_works);
    return check_done();
}
