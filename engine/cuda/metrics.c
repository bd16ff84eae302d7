/* metrics.c - see launches.h */
#include "engine/cuda/device.h"

#include <string.h>

#include "base/arena.h"

void cuda_argmax(const struct kernel *k, struct device *device)
{
    struct cuda_rows rows = cuda_rows_of(k->in_value[0]->shape, 1);
    launch_argmax(device->stream, k->out[0], k->in[0], rows.n, rows.width);
}

void cuda_top_k_hit(const struct kernel *k, struct device *device)
{
    struct cuda_rows rows = cuda_rows_of(k->in_value[0]->shape, 1);
    launch_top_k_hit(device->stream, k->out[0], k->in[0], k->in[1], rows.n, rows.width, k->node->attrs.k);
}

/* The workspace: thresholds, then parts where there are several. */

static size_t threshold_bytes(const struct histogram *h)
{
    return ((size_t)h->n_thresholds * sizeof(float) + 63) & ~(size_t)63;
}

bool cuda_prepare_histogram(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device, (void)err;
    enum { LEAST = 4 * BLOCK, MOST_SHARES = 256 };
    struct histogram h = {.n = shape_elements(k->in_value[0]->shape), .n_thresholds = k->node->attrs.n_thresholds};
    int64_t wanted = (h.n + LEAST - 1) / LEAST, n_parts = wanted < MOST_SHARES ? wanted : MOST_SHARES;
    h.part = ((h.n + n_parts - 1) / n_parts + BLOCK - 1) / BLOCK * BLOCK;
    h.n_parts = (h.n + h.part - 1) / h.part;
    k->workspace_bytes = threshold_bytes(&h);
    if (h.n_parts > 1)
        k->workspace_bytes += (size_t)h.n_parts * (size_t)(h.n_thresholds + 1) * sizeof(float);
    k->prepared = arena_copy(arena, &h, 1, sizeof h);
    return true;
}

static void store_thresholds(const struct kernel *k, struct device *device, int n)
{
    struct thresholds some;
    for (int first = 0; first < n; first += some.n) {
        some.n = n - first < SOME_THRESHOLDS ? n - first : SOME_THRESHOLDS;
        memcpy(some.at, k->node->attrs.thresholds + first, (size_t)some.n * sizeof *some.at);
        launch_store_thresholds(device->stream, (float *)k->workspace + first, &some);
    }
}

void cuda_histogram(const struct kernel *k, struct device *device)
{
    const struct histogram *h = k->prepared;
    float *parts = h->n_parts > 1 ? (float *)((char *)k->workspace + threshold_bytes(h)) : k->out[0];
    store_thresholds(k, device, h->n_thresholds);
    launch_histogram(device->stream, parts, k->in[0], k->in[1], k->workspace, h);
    if (h->n_parts > 1)
        cuda_sum_parts(device, k->out[0], parts, h->n_parts, h->n_thresholds + 1);
}
