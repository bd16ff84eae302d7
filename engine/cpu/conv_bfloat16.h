/* conv_bfloat16.h - exact convolutions of bfloat16 numbers, for conv_direct.c and conv_direct_dw.c: the passes of
 * conv_pass.h with the tiles of gemm_bfloat16_kernel.h in place of float32 loops.
 *
 * Forward and dx: 32 positions are a left operand, their patches gathered run by run (a run is what one tap, or the
 * merged taps of a line, read in one piece). dw: the channels of a run are the left operand, the positions of a unit
 * are summed over. Sums are float32.
 */
#ifndef ENGINE_CPU_CONV_BFLOAT16_H
#define ENGINE_CPU_CONV_BFLOAT16_H

#include "engine/cpu/conv_pass.h"

/* Whether the operands of a unit fit into the buffers of a thread. `dw`: as the sum over positions. */
bool conv_bfloat16_fits(const struct pass *p, bool dw);

/* Forward and dx: the panels of packed weights become those of bfloat16 (p->panel, p->panel_floats). */
void conv_bfloat16_panels(struct pass *p);
/* Columns [first, first + n) of a group's weights, n <= p->panel. */
void conv_bfloat16_pack(float *panel, const struct pass *p, const struct conv *v, const float *w, int64_t group,
                        int64_t first, int64_t n);
/* One group of a unit: x and y at its first position, in the group's first channel. */
void conv_bfloat16_product(const struct pass *p, const float *x, float *y, int64_t lines, const float *panels);

/* dw: adds a unit's share to the sum of one group, [tap][c][width]; x as above, dy is dense, dy_row floats a
 * position. */
void conv_bfloat16_outer(const struct pass *p, const float *x, const float *dy, int64_t dy_row, int64_t lines,
                         float *sum, int64_t width);

#endif
