/* recurrent.h - the operands of OP_RECURRENT and OP_RECURRENT_DX by name: for the builders, the gradient rule and the
 * kernels.
 *
 * Places depend on kind and flags; -1 = there is no such operand.
 */
#ifndef ENGINE_GRAPH_RECURRENT_H
#define ENGINE_GRAPH_RECURRENT_H

#include "engine/graph/graph.h"

struct recurrent_places { /* of OP_RECURRENT */
    int x, kernel, recurrent_kernel, bias, h, c, mask, factors, n_inputs;
    int y, last_h, last_c, saved, n_outputs;
};
struct recurrent_dx_places { /* of OP_RECURRENT_DX */
    int recurrent_kernel, bias, h, c, y, saved, mask, factors, dy, dh, dc, n_inputs;
    int dz, dh0, dc0, dz_recurrent, dbias, n_outputs;
};
struct recurrent_places recurrent_places(const struct recurrent *r);
struct recurrent_dx_places recurrent_dx_places(const struct recurrent *r);
/* Whether the recurrent kernel meets other states for each gate: the columns of gate k then
 * have a product of their own. */
bool recurrent_by_gates(const struct recurrent *r);
/* G and S. */
int recurrent_gates(enum recurrent_kind kind);
int recurrent_saved(enum recurrent_kind kind);

#endif
