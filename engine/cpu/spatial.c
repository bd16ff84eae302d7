/* spatial.c - see spatial.h */
#include "engine/cpu/spatial.h"

struct spatial spatial_of(const struct window *w, struct shape x, struct shape y)
{
    struct spatial v;
    for (int d = 0; d < SPATIAL_DIMS; d++) {
        int s = d - (SPATIAL_DIMS - w->n_spatial);
        bool real = s >= 0;
        v.in[d] = real ? x.dim[1 + s] : 1;
        v.out[d] = real ? y.dim[1 + s] : 1;
        v.size[d] = real ? w->size[s] : 1;
        v.stride[d] = real && w->stride[s] ? w->stride[s] : 1;
        v.dilation[d] = real && w->dilation[s] ? w->dilation[s] : 1;
        v.before[d] = real ? w->pad_before[s] : 0;
    }
    return v;
}

int64_t spatial_out(const struct spatial *s)
{
    return s->out[0] * s->out[1] * s->out[2];
}

int64_t spatial_in(const struct spatial *s)
{
    return s->in[0] * s->in[1] * s->in[2];
}
