/* recurrent_cell.h - the cells of recurrent layers and how they run over a sequence.
 *
 * LSTM, GRU, SimpleRNN and the cell classes carry the same arguments, so a cell is read from any of their layers. Usual
 * cells run as one op over the whole sequence (OP_RECURRENT); all others (recurrent dropout, GRU with
 * reset_after=false, other activations) as a graph of one step after the other.
 */
#ifndef ENGINE_LAYERS_RECURRENT_CELL_H
#define ENGINE_LAYERS_RECURRENT_CELL_H

#include "engine/graph/recurrent.h"
#include "engine/layers/layer_support.h"

enum { CELL_STATES_MAX = 2 };

struct cell {
    enum recurrent_kind kind;
    struct layer *layer; /* whose variables it uses */
    int64_t units;
    const struct activation *activation, *gate;
    bool use_bias, reset_after;
    bool mask_per_gate; /* Keras' implementation 1: every gate has its own dropout mask */
    double dropout, recurrent_dropout;
    int kernel, recurrent_kernel, bias; /* numbers of variables; bias -1 = none */
};

/* States of a cell: h, and c for LSTM. */
int cell_states(const struct cell *cell);
/* Reads the cell from the layer's arguments and declares its variables for this many features; NULL and err. */
struct cell *cell_build(struct layer *layer, struct model *model, enum recurrent_kind kind, int64_t features,
                        struct err *err);
/* Runs over x (batch, steps, features), from the last step to the first if backwards. states: before, then after; a
 * step that mask (batch, steps; NULL = none) marks 0 keeps them. Returns h after each step, (batch, steps, units), at
 * the place of its step. */
struct value *cell_run(struct lowering *l, const struct cell *cell, struct value *x, struct value *mask, bool backwards,
                       struct value **states);
/* One step: x (batch, features). states: before, then after. */
void cell_step(struct lowering *l, const struct cell *cell, struct value *x, struct value **states);

#endif
