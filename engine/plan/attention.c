/* attention.c - see attention.h */
#include "engine/plan/attention.h"

struct attention_layout attention_layout(const struct kernel *kernel)
{
    const struct node *node = kernel->node;
    struct shape q = node->inputs[0]->shape, k = node->inputs[1]->shape, v = node->inputs[2]->shape;
    struct attention_layout l = {.n = q.dim[0],
                                 .queries = q.dim[1],
                                 .keys = k.dim[1],
                                 .heads = q.dim[2],
                                 .groups = k.dim[2],
                                 .depth = q.dim[3],
                                 .width = v.dim[3],
                                 .mask = -1,
                                 .step = -1,
                                 .dprobabilities = -1,
                                 .how = &node->attrs.attention};
    int next = node->op == OP_ATTENTION ? 3 : 5;
    l.mask = l.how->masked ? next++ : -1;
    l.step = l.how->rate > 0 ? next++ : -1;
    l.dprobabilities = next < node->n_inputs ? next : -1;
    int64_t stride = 1;
    for (int d = 3; l.mask >= 0 && d >= 0; d--) {
        int64_t size = node->inputs[l.mask]->shape.dim[d];
        l.mask_stride[d] = size == 1 ? 0 : stride;
        stride *= size;
    }
    return l;
}

int64_t attention_keys(const struct attention_layout *l, int64_t i, int64_t *end)
{
    int64_t window = l->how->window, first = window && i >= window ? i - window + 1 : 0;
    *end = window && i + window < l->keys ? i + window : l->keys;
    *end = l->how->causal && i + 1 < *end ? i + 1 : *end;
    return first < *end ? first : *end;
}

const float *attention_mask_row(const struct attention_layout *l, const struct kernel *kernel, int64_t n, int64_t h,
                                int64_t i)
{
    return l->mask < 0 ? NULL
                       : (const float *)kernel->in[l->mask] + n * l->mask_stride[0] + h * l->mask_stride[1] +
                             i * l->mask_stride[2];
}
