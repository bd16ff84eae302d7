/* attention.h - the operands of the ops attention and attention_dx as kernels read them: sizes, which input is which,
 * and where a query may look. Heads lie side by side: element (n, t, h, d) of q is at ((n T + t) H + h) D + d.
 */
#ifndef ENGINE_PLAN_ATTENTION_H
#define ENGINE_PLAN_ATTENTION_H

#include "engine/plan/backend.h"

struct attention_layout {
    int64_t n, queries, keys, heads, groups, depth, width; /* N, T, S, H, G, D, E */
    int mask, step, dprobabilities;                        /* numbers of inputs, -1 = there is none */
    int64_t mask_stride[4];                                /* along N, H, T, S; 0 where the mask is broadcast */
    const struct attention *how;
};

/* Of a node of one of the two ops. */
struct attention_layout attention_layout(const struct kernel *kernel);
/* The keys [first, *end) that query i may look at as far as causal and window go; the mask says the rest. */
int64_t attention_keys(const struct attention_layout *l, int64_t i, int64_t *end);
/* The mask's row for sample n, head h, query i; NULL without a mask. Key j is at row[j * mask_stride[3]]. */
const float *attention_mask_row(const struct attention_layout *l, const struct kernel *kernel, int64_t n, int64_t h,
                                int64_t i);

#endif
