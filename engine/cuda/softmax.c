/* softmax.c - see launches.h */
#include "engine/cuda/device.h"

struct cuda_rows cuda_rows_of(struct shape s, int n_axes)
{
    struct cuda_rows rows = {1, 1};
    for (int i = 0; i < s.rank; i++)
        *(i < s.rank - n_axes ? &rows.n : &rows.width) *= s.dim[i];
    return rows;
}

void cuda_softmax(const struct kernel *k, struct device *device)
{
    struct cuda_rows rows = cuda_rows_of(k->in_value[0]->shape, 1);
    launch_softmax(device->stream, k->out[0], k->in[0], rows.n, rows.width);
}

void cuda_softmax_dx(const struct kernel *k, struct device *device)
{
    struct cuda_rows rows = cuda_rows_of(k->in_value[0]->shape, 1);
    launch_softmax_dx(device->stream, k->out[0], k->in[0], k->in[1], rows.n, rows.width);
}
