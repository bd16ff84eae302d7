/* layers_recurrent.h - what the rows of recurrent layers share among themselves: the cells that a layer runs. */
#ifndef ENGINE_LAYERS_LAYERS_RECURRENT_H
#define ENGINE_LAYERS_LAYERS_RECURRENT_H

#include "engine/layers/recurrent_cell.h"

enum { CELLS_MAX = 32 };

struct stack { /* state of every recurrent layer and cell: cells one upon the other */
    int n_cells;
    struct cell *cells[CELLS_MAX];
};

/* Where the arguments of a call over a sequence stand among its inputs. A layer inside another one is called with x and
 * its states. */
struct sequence_inputs {
    int x, state, n_states, mask; /* mask -1: none is given as a tensor */
};
struct sequence_inputs sequence_inputs_of(const struct layer *layer, const struct call_spec *call, int n);
/* False and err when x is not one tensor of shape (steps, features). */
bool sequence_fits(const struct layer *layer, const struct call_spec *call, const struct sequence_inputs *s,
                   const struct shape *inputs, struct err *err);
/* The mask given as a tensor, or the one that came with x. */
struct value *sequence_mask(struct lowering *l, const struct sequence_inputs *s, struct value *const *inputs);
/* LSTM, GRU, SimpleRNN, RNN. NULL is none. */
bool layer_is_sequence(const struct layer_class *class);
bool build_stacked_cells(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                         struct shape *output, struct err *err);

#endif
