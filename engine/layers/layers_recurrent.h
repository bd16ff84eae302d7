/* layers_recurrent.h - what the rows of recurrent layers share among themselves: the cells that a layer runs. */
#ifndef ENGINE_LAYERS_LAYERS_RECURRENT_H
#define ENGINE_LAYERS_LAYERS_RECURRENT_H

#include "engine/layers/recurrent_cell.h"

enum { CELLS_MAX = 32 };

struct stack { /* state of every recurrent layer and cell: cells one upon the other */
    int n_cells;
    struct cell *cells[CELLS_MAX];
};

/* LSTM, GRU, SimpleRNN, RNN. NULL is none. */
bool layer_is_sequence(const struct layer_class *class);
bool build_stacked_cells(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                         struct shape *output, struct err *err);

#endif
