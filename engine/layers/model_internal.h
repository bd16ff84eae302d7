/* model_internal.h - how a built model is wired: its spec's layers, each a row's layer or a model of its own. */
#ifndef ENGINE_LAYERS_MODEL_INTERNAL_H
#define ENGINE_LAYERS_MODEL_INTERNAL_H

#include "engine/layers/layer_support.h"

/* Where a layer stands: with the names of the models and layers around it. */
struct place {
    const char *path, *h5_group; /* of what is around, ending in '/' or empty */
    bool trainable;
    const struct layer *inside; /* the wrapper around it, or NULL */
};

struct layer_use {
    struct layer *layer;     /* a leaf, or */
    struct submodel *nested; /* a model used as a layer */
    int port;                /* InputLayer: which input of its model */
    struct shape **shapes;   /* [call][output], without batch */
    bool built;              /* its first call in order was seen: with these shapes */
    struct shape *first_inputs, *first_outputs;
    int n_first;
};

/* A layer inside a layer: the cell of an RNN, what a wrapper wraps. */
struct layer_part {
    const json_t *given;           /* the envelope or short form */
    struct layer_use use;          /* a model is built by part_build */
    const struct model_spec *spec; /* of a model, else NULL; the model around it owns it */
    struct place place;            /* of a model */
    struct layer_part *next;
};

struct submodel {
    const struct model_spec *spec;
    struct layer_use *uses; /* spec's order */
    struct place place;     /* "" and "" for the root; "encoder/" and "layers/functional/" */
};

struct masked { /* values side by side with their masks, NULL where there is none */
    struct value **values, **masks;
};

enum { LOWERED_MAX = 16 };
struct lowered { /* a graph this model was lowered into last, newest overwrite oldest */
    const struct graph *graph;
    struct masked outputs;
};

/* One call of a layer or nested model. inputs and outputs with batch. */
void lower_use(struct lowering *l, const struct layer_use *use, const struct call_spec *call, struct masked inputs,
               int n, struct masked outputs);
/* How many inputs build and lower see: without masks that are given by keyword, unless the row names its arguments. */
int call_inputs(const struct layer_use *use, const struct layer_spec *spec, const struct call_spec *call);
/* Room for outputs of a call. */
int most_outputs(const struct layer_use *use, const struct layer_spec *spec);
/* Inputs that are no keyword's. */
int call_positional(const struct call_spec *call);
/* Keyword arguments must be null, training, a mask, or an argument that the row names; everything else is refused. */
bool check_call(const struct layer *layer, const struct call_spec *call, struct err *err);
/* A leaf with its arguments checked, not yet built. NULL and err. */
struct layer *layer_new(struct model *model, struct place around, const struct layer_spec *spec, struct err *err);
bool leaf_build(struct model *model, struct layer *layer, const struct call_spec *call, const struct shape *inputs,
                int n, struct shape *outputs, struct err *err);
/* The layers of a spec, built for these inputs. NULL and err. */
struct submodel *submodel_build(struct model *model, const struct model_spec *spec, struct place place,
                                const struct shape *inputs, struct shape *outputs, struct err *err);
/* The layer itself, or the wrapper around it that is no part of another one. */
const struct layer *layer_outermost(const struct layer *layer);
/* Fills layers, variables, trainable, groups and the counts of a built model (model_collect.c). */
void model_collect(struct model *model);
/* "float32", "int32", ... of a layer's config; NULL when it has none. */
const char *config_dtype(const json_t *config);

#endif
