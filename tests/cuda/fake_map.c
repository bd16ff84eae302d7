/* fake_map.c - maps without a compiler for GPUs: the reference's loops at the place of engine/cuda/map.c */
#include "engine/cuda/device.h"
#include "engine/reference/reference.h"
#include "fake_cuda.h"

static void evaluate(const void *kernel)
{
    const struct kernel *k = kernel;
    reference_evaluate(k->node->attrs.expr, k->node->outputs[0]->shape, k->in_value, k->in, k->out);
}

void cuda_map(const struct kernel *kernel, struct device *device)
{
    fake_enqueue_call(device->stream, evaluate, kernel);
}

bool cuda_prepare_map(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    (void)device, (void)kernel, (void)arena, (void)err;
    return true;
}

bool cuda_maps_ready(struct device *device, const struct kernel *kernels, int n_kernels, struct err *err)
{
    (void)device, (void)kernels, (void)n_kernels, (void)err;
    return true;
}

void cuda_maps_close(struct device *device)
{
    (void)device;
}
