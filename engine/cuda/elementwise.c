/* elementwise.c - casts and counters; see launches.h */
#include "engine/cuda/device.h"
#include "engine/cuda/launches.h"

static int64_t elements(const struct kernel *k)
{
    return shape_elements(k->node->outputs[0]->shape);
}

void cuda_cast_i32(const struct kernel *k, struct device *device)
{
    launch_cast_i32(device->stream, k->out[0], k->in[0], elements(k));
}

void cuda_add_i32(const struct kernel *k, struct device *device)
{
    launch_add_i32(device->stream, k->out[0], k->in[0], elements(k), (int32_t)k->node->attrs.k);
}
