/* reference_ctc.c - connectionist temporal classification, one sample after the other; see engine/plan/ctc.h */
#include "engine/plan/ctc.h"
#include "engine/reference/reference.h"

void reference_ctc(const struct kernel *k, struct device *device)
{
    (void)device;
    const struct ctc c = ctc_of(k->node);
    for (int64_t i = 0; i < c.samples; i++)
        ((float *)k->out[0])[i] = ctc_loss(&c, (const float *)k->in[0] + i * c.steps * c.classes,
                                           (const int32_t *)k->in[1] + i * c.labels, k->workspace);
}

void reference_ctc_dx(const struct kernel *k, struct device *device)
{
    (void)device;
    const struct ctc c = ctc_of(k->node);
    for (int64_t i = 0; i < c.samples; i++) {
        int64_t at = i * c.steps * c.classes;
        ctc_gradient(&c, (const float *)k->in[0] + at, (const int32_t *)k->in[1] + i * c.labels,
                     ((const float *)k->in[2])[i], (float *)k->out[0] + at, k->workspace);
    }
}
