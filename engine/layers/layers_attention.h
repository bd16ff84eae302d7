/* layers_attention.h - MultiHeadAttention and GroupQueryAttention: built by layers_attention.c, lowered by
 * layers_attention_lower.c.
 */
#ifndef ENGINE_LAYERS_LAYERS_ATTENTION_H
#define ENGINE_LAYERS_LAYERS_ATTENTION_H

#include "engine/layers/layer_support.h"

enum role { QUERY, VALUE, KEY, N_ROLES };

struct attention_layer {
    int64_t heads, groups, depth, width;
    int n_axes, axes[RANK_MAX]; /* attention runs over these, counted with the batch, rising */
    int n_out;
    int64_t out[RANK_MAX]; /* shape of one position's result */
    bool bias;
    const struct regularizer *activity;  /* of each projection; GroupQueryAttention itself has it too, as in Keras */
    int query, key, gate, value, output; /* numbers of the kernels, the bias follows; gate -1 = none */
};

/* The number of the input that plays the role; a missing key is the value. -1: not given. */
int attention_input(const struct layer *layer, const struct call_spec *call, enum role role);
/* Whether attention runs over an axis. */
bool attention_attends(const struct attention_layer *a, int axis);
struct value *attention_lower(struct layer *layer, struct lowering *lowering, struct value *const *inputs, int n);

#endif
