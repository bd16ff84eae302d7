/* model_internal.h - how a built model is wired: its spec's layers, each a row's layer or a model of its own. */
#ifndef ENGINE_LAYERS_MODEL_INTERNAL_H
#define ENGINE_LAYERS_MODEL_INTERNAL_H

#include "engine/layers/layer_support.h"

struct layer_use {
    struct layer *layer;     /* a leaf, or */
    struct submodel *nested; /* a model used as a layer */
    int port;                /* InputLayer: which input of its model */
    struct shape **shapes;   /* [call][output], without batch */
    bool built;              /* its first call in order was seen: with these shapes */
    struct shape *first_inputs, *first_outputs;
    int n_first;
};

struct submodel {
    const struct model_spec *spec;
    struct layer_use *uses;      /* spec's order */
    const char *path, *h5_group; /* "" and "" for the root; "encoder/" and "layers/functional/" */
    bool trainable;
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
/* Recomputes which variables train, and the counts. */
void model_collect_trainable(struct model *model);
/* "float32", "int32", ... of a layer's config; NULL when it has none. */
const char *config_dtype(const json_t *config);

#endif
