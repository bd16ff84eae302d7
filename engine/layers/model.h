/* model.h - a model built from its spec: layers with known shapes, and the variables they own, in Keras' order.
 *
 * A layer only describes: variables and the ops it lowers to. No layer has a kernel. Lowering happens once per batch
 * size and mode. The tables (layers, initializers, regularizers, constraints, activations) carry the arguments,
 * defaults and help from which `describe`, the form, completion and docs are printed.
 */
#ifndef ENGINE_LAYERS_MODEL_H
#define ENGINE_LAYERS_MODEL_H

#include "base/arena.h"
#include "engine/graph/graph.h"
#include "persistence/keras/keras_file.h"
#include "persistence/keras/model_spec.h"

enum model_mode { MODE_TRAIN, MODE_INFER };

struct model_port { /* an input or an output of the model */
    const char *name;
    enum dtype dtype;
    struct shape shape; /* of one sample: without the batch */
};

struct model {
    struct arena arena;
    const struct model_spec *spec; /* lent, must outlive the model */
    struct layer **layers;         /* spec's order, nested models flattened in place; see layer.h */
    int n_layers;
    struct variable **variables; /* Keras' saving order: layer by layer, trainable-created first */
    int n_variables;
    struct variable **trainable; /* model.trainable_variables: the order of optimizer slots */
    int n_trainable;
    struct model_port *inputs, *outputs;
    int n_inputs, n_outputs;
    const char **groups; /* h5 groups that Keras writes though they are empty */
    int n_groups;
    uint64_t seed;
    int64_t n_params, n_trainable_params;
    struct submodel *root;   /* how layers are wired: model_internal.h */
    struct lowered *lowered; /* what model_logits needs of the last graphs */
    json_t **kept;           /* JSON that lives as long as the model */
    int n_kept;
    struct model_spec **kept_specs; /* of models inside wrappers */
    int n_kept_specs;
};

/* ERR_USAGE (config) or ERR_FORMAT (file) naming the place, the layer, found, expected and the nearest known name:
 * unknown class, unknown or wrong argument, shapes that do not fit. input_shape: one sample's shape where the spec has
 * no InputLayer (NULL = none known: then that is an error). */
struct model *model_new(const struct model_spec *spec, uint64_t seed, const struct shape *input_shape, struct err *err);
void model_free(struct model *model);

/* Appends the forward graph for `batch` samples. inputs: model->n_inputs values of shape (batch, sample shape...), as
 * the caller fed them. step: int32 scalar that counts training steps (dropout), NULL in MODE_INFER. outputs: filled,
 * model->n_outputs. *regularization: sum of the terms to add to the loss (NULL when none), in both modes. Assignments
 * (moving averages) are added to the graph in MODE_TRAIN. */
bool model_lower(const struct model *model, struct graph *g, int64_t batch, enum model_mode mode,
                 struct value *const *inputs, struct value *step, struct value **outputs,
                 struct value **regularization);
/* Layers whose name or path ("encoder/conv_1") matches the pattern ('*', '?') stop being trainable, like
 * layer.trainable = False in Keras: their weights keep their values, BatchNormalization stops moving. A nested model's
 * name freezes all of it. Before compile_new. Returns how many layers matched. */
int model_freeze(struct model *model, const char *pattern);
/* The logits behind an output that ends in softmax or sigmoid, in the last model_lower of this graph; NULL when it does
 * not. Losses use them for exact gradients, as Keras on TensorFlow does. */
struct value *model_logits(const struct model *model, const struct graph *g, int output);
/* The mask that the output carries in the last model_lower of this graph: float (batch, steps...), 1 = the step counts
 * in losses and metrics; NULL when it has none. */
struct value *model_mask(const struct model *model, const struct graph *g, int output);
/* The value after the optimizer's update under the variable's constraint (MaxNorm, ...); returns `updated` when it has
 * none. */
struct value *model_constrain(const struct model *model, struct graph *g, const struct variable *variable,
                              struct value *updated);

/* Weights from a file: by position of class (h5 paths), as Keras. Every failure of all layers is collected into one
 * error (ERR_FORMAT): layer, file's shape, model's shape. skip_mismatch: a layer with any failure is left as it is,
 * whole, and named in *skipped (NULL allowed) instead. */
bool model_check_weights(const struct model *model, const struct keras_file *file, bool skip_mismatch,
                         struct str *skipped, struct err *err);
/* The same check, then the weight of each variable: found has room for model->n_variables; NULL where it is skipped. */
bool model_find_weights(const struct model *model, const struct keras_file *file, bool skip_mismatch,
                        const struct weight **found, struct str *skipped, struct err *err) MUST_USE;
/* What keras_file_load wants for a variable; `to` is dense host memory. The shape is lent by the variable. */
struct weight_target variable_target(const struct variable *variable, const struct weight *weight, void *to);
/* A variable, of a layer or of the optimizer, as keras_file_write wants it: host is its
 * dense copy, the path is lent. */
struct weight variable_weight(const struct variable *variable, const void *host);
/* Whether the weight of a file has the variable's shape. */
bool variable_fits(const struct variable *variable, const struct weight *weight);
/* The envelope for config.json: model_spec_to_keras with the shapes that only the data knew. New reference, without
 * compile_config. */
json_t *model_to_keras(const struct model *model);

/* The dims, [2, 3]; and of one sample's shape with the batch in front as Keras writes it,
 * [null, 2, 3]. New references. */
json_t *shape_json(struct shape shape);
json_t *batched_shape_json(struct shape sample);
/* For `check` and `inspect`: an array with, per layer, name (its path), class, output_shape, params, trainable,
 * dtype_policy and its weights (name, h5 path, shape, trainable). New reference. */
json_t *model_describe(const struct model *model);
/* All layer classes, activations, initializers, regularizers, constraints with arguments, defaults, help. New
 * reference. */
json_t *layers_describe(void);

#endif
