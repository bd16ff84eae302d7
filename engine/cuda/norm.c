/* norm.c - see launches.h */
#include "engine/cuda/device.h"

#include "base/arena.h"

static size_t parts_bytes(const struct columns *c)
{
    return c->parts.by > 1 ? (size_t)(c->parts.by * 2 * c->width) * sizeof(float) : 0;
}

static void prepare_columns(struct kernel *k, struct arena *arena, struct cuda_rows rows)
{
    struct columns c = columns_of(rows.n, rows.width);
    k->workspace_bytes = parts_bytes(&c);
    k->prepared = arena_copy(arena, &c, 1, sizeof c);
}

/* Of the gradient, too. */
bool cuda_prepare_batch_norm(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device, (void)err;
    prepare_columns(k, arena, cuda_rows_of(k->in_value[0]->shape, 1));
    k->left_out[0] = k->node->op == OP_BATCH_NORM_DX && k->unread[0];
    return true;
}

void cuda_batch_norm(const struct kernel *k, struct device *device)
{
    launch_batch_norm(device->stream, k->out[0], k->out[1], k->out[2], k->in[0], k->in[1], k->in[2],
                      k->node->attrs.value, k->workspace, k->prepared);
}

static struct norm_gradient gradient_of(const struct kernel *k)
{
    return (struct norm_gradient){.x = k->in[0],
                                  .gamma = k->in[1],
                                  .mean = k->in[2],
                                  .spread = k->in[3],
                                  .dy = k->in[4],
                                  .dx = k->left_out[0] ? NULL : k->out[0],
                                  .dgamma = k->out[1],
                                  .dbeta = k->out[2],
                                  .epsilon = k->node->attrs.value};
}

void cuda_batch_norm_dx(const struct kernel *k, struct device *device)
{
    const struct norm_gradient g = gradient_of(k);
    launch_batch_norm_dx(device->stream, &g, k->workspace, k->prepared);
}

void cuda_layer_norm(const struct kernel *k, struct device *device)
{
    struct cuda_rows rows = cuda_rows_of(k->in_value[0]->shape, k->node->attrs.n_axes);
    launch_layer_norm(device->stream, k->out[0], k->out[1], k->out[2], k->in[0], k->in[1], k->in[2],
                      k->node->attrs.value, rows.n, rows.width);
}

bool cuda_prepare_layer_norm_dx(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device, (void)err;
    prepare_columns(k, arena, cuda_rows_of(k->in_value[0]->shape, k->node->attrs.n_axes));
    k->left_out[0] = k->unread[0];
    k->left_out[1] = k->left_out[2] = k->unread[1] && k->unread[2];
    return true;
}

void cuda_layer_norm_dx(const struct kernel *k, struct device *device)
{
    const struct norm_gradient g = gradient_of(k);
    struct cuda_rows rows = cuda_rows_of(k->in_value[0]->shape, k->node->attrs.n_axes);
    if (g.dx)
        launch_layer_norm_dx(device->stream, &g, rows.n, rows.width);
    if (!k->left_out[1])
        launch_layer_norm_dweights(device->stream, &g, k->workspace, k->prepared);
}
