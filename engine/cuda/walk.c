/* walk.c - see walk.h */
#include "engine/cuda/walk.h"

/* Exact for indexes n < 2^31: with p = 31 + shift and 2^shift >= by, magic = ceil(2^p / by) = 2^p / by + e, e < 1, and
 * n * e / 2^p < 1 / by, so n * magic / 2^p has the same integer part as n / by. */
struct divisor divisor_of(int64_t by, int64_t below)
{
    struct divisor d = {.by = by};
    if (below > (int64_t)1 << 31 || by > (int64_t)1 << 31)
        return d;
    while ((int64_t)1 << d.shift < by)
        d.shift++;
    uint64_t power = (uint64_t)1 << (31 + d.shift);
    d.magic = (uint32_t)((power + (uint64_t)by - 1) / (uint64_t)by);
    return d;
}

/* Appends an axis, or makes the last one longer. */
static void add_axis(struct walk *w, int64_t dim, int64_t stride)
{
    int last = w->rank - 1;
    if (last >= 0 && w->stride[last] == stride * dim) {
        w->dim[last].by *= dim;
        w->stride[last] = stride;
        return;
    }
    w->dim[w->rank].by = dim;
    w->stride[w->rank++] = stride;
}

static void finish(struct walk *w)
{
    w->n = 1;
    for (int i = 0; i < w->rank; i++)
        w->n *= w->dim[i].by;
    for (int i = 0; i < w->rank; i++)
        w->dim[i] = divisor_of(w->dim[i].by, w->n);
}

struct walk walk_of(const int64_t *dims, const int64_t *strides, int rank, int64_t begin)
{
    struct walk w = {.begin = begin};
    for (int i = 0; i < rank; i++)
        if (dims[i] != 1)
            add_axis(&w, dims[i], strides[i]);
    if (!w.rank)
        add_axis(&w, 1, 1);
    finish(&w);
    return w;
}

bool walk_in_quads(const struct walk *walk, struct walk *quads)
{
    int last = walk->rank - 1;
    if (walk->stride[last] != 1 || walk->dim[last].by % 4 || walk->begin % 4)
        return false;
    *quads = *walk;
    quads->begin /= 4;
    quads->dim[last].by /= 4;
    for (int i = 0; i < last; i++) {
        if (walk->stride[i] % 4)
            return false;
        quads->stride[i] /= 4;
    }
    finish(quads);
    return true;
}
