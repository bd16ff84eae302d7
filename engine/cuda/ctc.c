/* ctc.c - the ops ctc and ctc_dx: what engine/plan/ctc.h describes, always in logarithms. Logits become logarithms of
 * probabilities, a block for each sample goes over its steps forwards (another one, for the gradient, backwards at the
 * same time), and rows of the gradient are put together from both. Kernels: ctc.cu.
 */
#include "engine/cuda/device.h"
#include "engine/cuda/launches.h"
#include "engine/plan/ctc.h"

/* The workspace: returns its bytes. */
static size_t lay_out(const struct node *node, char *base, struct ctc_walks *w)
{
    const struct ctc c = ctc_of(node);
    bool backward = node->op == OP_CTC_DX;
    *w = (struct ctc_walks){.samples = c.samples,
                            .steps = c.steps,
                            .classes = c.classes,
                            .labels = c.labels,
                            .places = 2 * c.labels + 1,
                            .rows = backward || c.steps < 2 ? c.steps : 2};
    size_t used = 0, row = (size_t)(c.samples * w->places), ints = row * sizeof(int32_t);
    const struct {
        void **at;
        size_t bytes;
    } parts[] = {{(void **)&w->total, (size_t)(c.samples * c.steps) * sizeof(double)},
                 {(void **)&w->loss, (size_t)c.samples * sizeof(double)},
                 {(void **)&w->ways, row * (size_t)w->rows * sizeof(double)},
                 {(void **)&w->onward, backward ? row * (size_t)w->rows * sizeof(double) : 0},
                 {(void **)&w->n_places, (size_t)c.samples * sizeof(int32_t)},
                 {(void **)&w->class_of, ints},
                 {(void **)&w->next, ints},
                 {(void **)&w->first, ints}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i].at = base ? base + used : NULL;
        used += (parts[i].bytes + 63) & ~(size_t)63;
    }
    return used;
}

bool cuda_prepare_ctc(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    struct ctc_walks w;
    (void)device, (void)arena, (void)err;
    kernel->workspace_bytes = lay_out(kernel->node, NULL, &w);
    return true;
}

void cuda_ctc(const struct kernel *k, struct device *device)
{
    struct ctc_walks w;
    lay_out(k->node, k->workspace, &w);
    w.logits = k->in[0];
    w.label = k->in[1];
    launch_ctc(device->stream, w, k->out[0]);
}

void cuda_ctc_dx(const struct kernel *k, struct device *device)
{
    struct ctc_walks w;
    lay_out(k->node, k->workspace, &w);
    w.logits = k->in[0];
    w.label = k->in[1];
    launch_ctc_dx(device->stream, w, k->in[2], k->out[0]);
}
