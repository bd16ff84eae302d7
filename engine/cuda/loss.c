/* loss.c - see launches.h */
#include "engine/cuda/device.h"

void cuda_xent(const struct kernel *k, struct device *device)
{
    struct cuda_rows rows = cuda_rows_of(k->in_value[0]->shape, 1);
    launch_xent(device->stream, k->out[0], k->in[0], k->in[1], rows.n, rows.width);
}

void cuda_xent_dx(const struct kernel *k, struct device *device)
{
    struct cuda_rows rows = cuda_rows_of(k->in_value[0]->shape, 1);
    launch_xent_dx(device->stream, k->out[0], k->in[0], k->in[1], k->in[2], rows.n, rows.width);
}

void cuda_sparse_xent(const struct kernel *k, struct device *device)
{
    struct cuda_rows rows = cuda_rows_of(k->in_value[0]->shape, 1);
    launch_sparse_xent(device->stream, k->out[0], k->in[0], k->in[1], rows.n, rows.width, k->node->attrs.ignore);
}

void cuda_sparse_xent_dx(const struct kernel *k, struct device *device)
{
    struct cuda_rows rows = cuda_rows_of(k->in_value[0]->shape, 1);
    launch_sparse_xent_dx(device->stream, k->out[0], k->in[0], k->in[1], k->in[2], rows.n, rows.width,
                          k->node->attrs.ignore);
}
