/* Maps on a GPU: compiled by NVRTC, run, compared with the reference. A program for tests/gpu: needs a GPU, else 77. */
#include "tests/unit/map_suites.h"

int main(void)
{
    struct err err = {0};
    struct device *device = backend_cuda.open(&(struct device_options){0}, &err);
    if (!device)
        SKIP("%s", err.text);
    backend_cuda.close(device);
    setenv("XDG_CACHE_HOME", check_path("cache"), 1);
    RUN(test_every_kind_of_map_is_what_the_reference_computes);
    RUN(test_maps_of_real_steps_are_what_the_reference_computes);
    return check_done();
}
