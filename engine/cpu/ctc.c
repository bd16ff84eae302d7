/* ctc.c - connectionist temporal classification: the samples in slices; see engine/plan/ctc.h */
#include "engine/plan/ctc.h"
#include "engine/cpu/kernels.h"

struct samples {
    struct ctc c;
    int n_slices;
    size_t slice_bytes; /* of workspace */
};

static void run_slice(void *context, int slice)
{
    const struct kernel *k = context;
    const struct samples *s = k->prepared;
    void *workspace = (char *)k->workspace + (size_t)slice * s->slice_bytes;
    int64_t end = slice_begin(s->c.samples, s->n_slices, slice + 1);
    for (int64_t i = slice_begin(s->c.samples, s->n_slices, slice); i < end; i++) {
        int64_t at = i * s->c.steps * s->c.classes;
        const float *logits = (const float *)k->in[0] + at;
        const int32_t *labels = (const int32_t *)k->in[1] + i * s->c.labels;
        if (k->node->op == OP_CTC)
            ((float *)k->out[0])[i] = ctc_loss(&s->c, logits, labels, workspace);
        else
            ctc_gradient(&s->c, logits, labels, ((const float *)k->in[2])[i], (float *)k->out[0] + at, workspace);
    }
}

static void run(const struct kernel *kernel, struct device *device)
{
    const struct samples *s = kernel->prepared;
    threads_run(device->threads, run_slice, (void *)kernel, s->n_slices);
}

bool prepare_ctc(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    struct samples *s = arena_alloc(arena, sizeof *s);
    s->c = ctc_of(kernel->node);
    s->n_slices = slices_for(s->c.samples, 1, 32);
    s->slice_bytes = (ctc_workspace_bytes(&s->c) + 63) & ~(size_t)63;
    kernel->workspace_bytes = (size_t)s->n_slices * s->slice_bytes;
    kernel->prepared = s;
    kernel->run = run;
    return true;
}
