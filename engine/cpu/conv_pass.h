/* conv_pass.h - the geometry of exact convolutions.
 *
 * A pass computes a grid of destination positions from a source image: position i reads the source at i * step + first
 * + tap and writes the destination at i * out_step + out_first. Forward is one pass over x; dx is one pass over dy for
 * each residue of the stride, with the taps that meet it. Where taps reach over the border, a band of lines is copied
 * with zeros around it. A unit is a band of lines of one image.
 */
#ifndef ENGINE_CPU_CONV_PASS_H
#define ENGINE_CPU_CONV_PASS_H

#include "engine/cpu/conv.h"

struct pass {
    int64_t grid[SPATIAL_DIMS];
    int64_t in[SPATIAL_DIMS], step[SPATIAL_DIMS], first[SPATIAL_DIMS],
        reach[SPATIAL_DIMS]; /* reach: from the first tap to behind the last */
    int64_t out[SPATIAL_DIMS], out_step[SPATIAL_DIMS], out_first[SPATIAL_DIMS];
    int64_t channels, out_channels, group_in, group_out;
    int64_t n_taps, merged, depth; /* `merged` neighbouring taps of a line are one of merged * group_in numbers */
    int64_t *taps;                 /* in floats, from the position's first */
    int64_t *kernel_of;            /* n_taps * merged: which tap of the kernel */
    bool copies, transposed;       /* transposed: the product is with W^T */
    int64_t line, plane;           /* floats of the source as it is read */
    int64_t band, bands, units;    /* lines of a unit; units per image; units of the batch */
    int panel;
    int64_t packed, panel_floats; /* where the packed weights lie in the workspace */
};

struct pass pass_forward(struct arena *arena, const struct device *device, const struct conv *v);
/* dx of the positions that leave this residue of the stride in each dim. One without positions has no units. */
struct pass pass_gradient(struct arena *arena, const struct device *device, const struct conv *v,
                          const int64_t *residue);
/* Panels of one group's packed weights. */
int64_t pass_panels(const struct pass *p);
/* Floats of scratch memory for the copy of a unit; 0 when none is made. */
int64_t pass_copy_floats(const struct pass *p);

struct place { /* of a unit: its image, its first line (d, h), how many lines */
    int64_t image, d, h, lines;
};

struct place pass_place(const struct pass *p, int64_t unit);
/* Where the first position of a unit reads: in the source, or in the copy that is made in scratch. */
const float *pass_source(const struct pass *p, const float *source, const struct place *at, float *scratch);
/* Where the first position of a unit writes, in floats. */
int64_t pass_destination(const struct pass *p, const struct place *at);

#endif
