/* layer_support.h - what the rows of layers share: their arguments, shape messages, padding, and the tables of all
 * families. */
#ifndef ENGINE_LAYERS_LAYER_SUPPORT_H
#define ENGINE_LAYERS_LAYER_SUPPORT_H

#include "engine/layers/layer.h"
#include "engine/layers/parts.h"

/* No weight and no layer's output (per sample) is larger: products of sizes from files stay far from overflow. */
#define MODEL_MAX_ELEMENTS ((int64_t)1 << 40)

/* One table per family, ended by a row without a name. */
extern const struct layer_class layers_core[], layers_activation[], layers_conv[], layers_pool[], layers_norm[],
    layers_merge[], layers_shape[], layers_random[], layers_recurrent[], layers_wrapper[], layers_attention[],
    layers_attention_scores[], layers_einsum[], layers_preprocessing[], layers_custom[];

const json_t *layer_arg(const struct layer *layer, const char *name);
int64_t layer_int(const struct layer *layer, const char *name);
double layer_double(const struct layer *layer, const char *name);
bool layer_bool(const struct layer *layer, const char *name);
const char *layer_string(const struct layer *layer, const char *name);
/* An int for all n, or a list of exactly n; false and err otherwise. null leaves `out` as it is. */
bool layer_ints(const struct layer *layer, const char *name, int n, int64_t *out, struct err *err);
/* An axis of the tensor with batch, normalized to 1..rank (batch excluded); false and err when it is outside. */
bool layer_axis(const struct layer *layer, const char *name, int64_t axis, int sample_rank, int *out, struct err *err);
/* "layer 'x' (Dense) ...: <text>" with ERR_USAGE. */
bool layer_fail(const struct layer *layer, struct err *err, const char *format, ...) PRINTF(3, 4);
/* The sample must have this rank. */
bool layer_want_rank(const struct layer *layer, struct shape sample, int rank, const char *axes, struct err *err);
/* The 1, 2 or 3 in the name of its class: "Conv2D". */
int layer_n_spatial(const struct layer *layer);
/* data_format other than channels_last is refused. */
bool layer_channels_last(const struct layer *layer, struct err *err);
/* The activation argument, parsed into the model's arena. NULL and err. */
const struct activation *layer_activation(const struct layer *layer, struct model *model, struct err *err);

/* The shape of a tensor without its batch, and with one in front. */
struct shape shape_sample(struct shape with_batch);
struct shape shape_batched(int64_t batch, struct shape sample);
/* Fills pads and checks that the window fits the spatial dims: padding "valid", "same" or "causal". */
bool window_pad(const struct layer *layer, struct window *window, const char *padding, struct shape sample,
                struct err *err);

/* A variable of the layer inside a lowering, rounded to bfloat16 where the layer's policy and class say so. */
struct value *layer_value(struct lowering *l, const struct layer *layer, int variable);
/* x rounded where the layer computes in bfloat16: Keras rounds every intermediate result, here those are rounded that
 * go into a product or a softmax. What leaves the layer is rounded by itself. */
struct value *layer_cast(struct lowering *l, const struct layer *layer, struct value *x);
/* Where a variable already got a new value in this graph (a shared layer), that value, else the variable's. */
struct value *layer_current(struct lowering *l, struct variable *variable);
void layer_assign(struct lowering *l, struct variable *variable, struct value *value);
/* Adds the activity regularization (NULL = none) of a value inside a layer to the penalty. */
void penalize_activity(struct lowering *l, const struct regularizer *regularizer, struct value *value);
/* The random stream of this call. */
uint32_t layer_stream(const struct lowering *l, const struct layer *layer);
/* The seed: the layer's own "seed" or the model's. */
uint64_t layer_seed(const struct lowering *l, const struct layer *layer);

/* A layer inside this one: the cell of an RNN, what a wrapper wraps (a whole model too). layer: its envelope or short
 * form; extra: keys that replace its own (NULL = none). Keras saves it in `group` below this layer, after the variables
 * of this one. NULL and err. */
struct layer_part *layer_add_part(struct layer *layer, struct model *model, const char *group, const json_t *given,
                                  const json_t *extra, struct err *err);
/* Builds it for its first call: outputs has room for part_outputs shapes. */
bool part_build(struct layer_part *part, struct model *model, const struct shape *inputs, int n, struct shape *outputs,
                struct err *err);
/* Room for its outputs; once built, a layer's own n_outputs says how many there are. */
int part_outputs(const struct layer_part *part);
/* The layer; NULL when it is a model. */
struct layer *part_layer(const struct layer_part *part);
/* A call of it: inputs and outputs with batch, masks NULL where there is none; output_masks and outputs have room for
 * part_outputs. */
void part_lower(struct lowering *l, const struct layer_part *part, struct value **inputs, struct value **masks, int n,
                struct value **outputs, struct value **output_masks);
/* Whether it or a layer inside it is of this class. */
bool part_has(const struct layer_part *part, const char *class_name);

/* Keeps a JSON value alive as long as the model (takes the reference). */
void model_keep_json(struct model *model, json_t *json);

/* build of layers whose output has the input's shape and that have no variables. */
bool build_same_shape(struct layer *layer, struct model *model, const struct shape *inputs, int n, struct shape *output,
                      struct err *err);

/* mask of rows whose output has the steps of their first input. */
struct value *mask_pass(struct layer *layer, struct lowering *l, struct value *const *inputs, int n_inputs);
/* A mask with axes of size 1 behind, so that it broadcasts over a value of this rank. */
struct value *mask_like(struct graph *g, struct value *mask, int rank);

#define ARG_DATA_FORMAT                                                                                                \
    {                                                                                                                  \
        "data_format", ARG_CHOICE, "null", "channels_last|channels_first", 0, 0, "channels_last only"                  \
    }
#define ARG_WEIGHT(name, initial)                                                                                      \
    {name "_initializer", ARG_INITIALIZER, initial, NULL, 0, 0, "starting values of the " name},                       \
        {name "_regularizer", ARG_REGULARIZER, "null", NULL, 0, 0, "penalty on the " name},                            \
    {                                                                                                                  \
        name "_constraint", ARG_CONSTRAINT, "null", NULL, 0, 0, "what the " name " is held to after each update"       \
    }
#define ARG_LAYER_SEED                                                                                                 \
    {                                                                                                                  \
        "seed", ARG_ANY, "null", NULL, 0, 0, "seed of the random numbers; null follows the run's"                      \
    }

#endif
