/* spatial.h - the spatial side of convolutions and pooling: always three dims, aligned to the right (a 1-D window runs
 * along the last of three; the others have size 1). */
#ifndef ENGINE_CPU_SPATIAL_H
#define ENGINE_CPU_SPATIAL_H

#include "engine/graph/graph.h"

enum { SPATIAL_DIMS = 3 };

struct spatial {
    int64_t in[SPATIAL_DIMS], out[SPATIAL_DIMS]; /* x and y of the forward op */
    int64_t size[SPATIAL_DIMS], stride[SPATIAL_DIMS], dilation[SPATIAL_DIMS], before[SPATIAL_DIMS]; /* padding before */
};

/* x and y: shapes [N, spatial..., C] of the forward op. */
struct spatial spatial_of(const struct window *window, struct shape x, struct shape y);
/* out[0] * out[1] * out[2]; in likewise */
int64_t spatial_out(const struct spatial *s);
int64_t spatial_in(const struct spatial *s);

#endif
