/* model_spec.h - a Keras architecture as a plain tree: layers, their configs and how they are called. No tensors, no
 * classes: which classes exist and what their arguments mean is the engine's business.
 *
 * Read from a Keras config (Sequential, Functional or Model envelope of a .keras file or of to_json) or from the short
 * form of our own config ("layers": [{"class": "Dense", "units": 10, "inputs": [...]}]). Layers are held in Keras' own
 * order (map_graph: facts in keras/src/ops/function.py), computed, never believed: weights are addressed by position of
 * class, so a wrong order swaps weights silently. Unknown keys stay in the JSON word for word and are written back.
 */
#ifndef PERSISTENCE_KERAS_MODEL_SPEC_H
#define PERSISTENCE_KERAS_MODEL_SPEC_H

#include "base/json.h"

struct tensor_ref { /* output `tensor` of call `node` of layer `layer` */
    int layer, node, tensor;
};

struct call_ref { /* call `node` of layer `layer` */
    int layer, node;
};

struct call_spec {
    struct tensor_ref *inputs; /* tensors of args in order, then of kwargs */
    const char **input_keys;   /* NULL for positional ones, else the keyword ("mask", "value", ...) */
    int n_inputs;
    /* as in inbound_nodes, with __keras_tensor__ objects: kept for re-save and scalar arguments */
    json_t *args, *kwargs;
};

struct layer_spec {
    const char *name;       /* unique in its model */
    const char *class_name; /* "Dense"; an alias is kept as written */
    const char *where;      /* its place for messages: "model.layers[2]", counted as the config lists it */
    /* "dense", "dense_1": snake of the class, counted in Keras' order; ops that are no layers have NULL */
    const char *h5_group;
    json_t *config;          /* its own config: never NULL, an object */
    json_t *envelope;        /* whole entry as read, or NULL when it came from the short form */
    struct call_spec *calls; /* none for an InputLayer, which still counts as called once (node 0) */
    int n_calls;
    struct model_spec *nested; /* for Sequential and Functional layers, else NULL */
};

struct model_spec {
    struct arena *arena; /* owns everything but the JSON references, which model_spec_free drops */
    bool sequential;
    const char *name;
    /* Keras' order, without layers that no output needs. An InputLayer stands first even where the config names none;
     * its shape is then open (no "batch_shape" in its config) */
    struct layer_spec *layers;
    int n_layers;
    /* every call in an order that computes inputs before they are used, input layers included */
    struct call_ref *order;
    int n_order;
    struct tensor_ref *inputs, *outputs;
    const char **output_names; /* names of the output layers, as history and predict use them */
    int n_inputs, n_outputs;
    json_t *envelope; /* what it was read from (unknown parts are kept on re-save), or NULL */
};

/* `where` is the place for messages ("config.json", "model"). ERR_FORMAT for a damaged Keras config, ERR_USAGE for our
 * own. The short form: "inputs": ["a"] is one call, [["a"], ["b"]] are several, {"query": "a", "value": "b"} is one by
 * argument; "a:1" means call 1 of a; no inputs = the layer before; "call" = keyword arguments; "outputs" of the model
 * default to the calls nobody consumes. Without any of these it is Sequential. Cycles, missing producers, duplicate
 * names, loops, more than 100,000 layers, nesting deeper than 16 are refused. */
struct model_spec *model_spec_from_keras(const json_t *envelope, const char *where, struct err *err);
struct model_spec *model_spec_from_layers(const json_t *model, const char *where, struct err *err);
void model_spec_free(struct model_spec *spec);

/* A tensor in args or kwargs: {"class_name": "__keras_tensor__", ...}. */
bool model_spec_is_tensor(const json_t *json);
/* "MaxPool2D" -> "MaxPooling2D": the class an alias stands for, else the name itself. Lent. */
const char *keras_canonical_class(const char *class_name);

/* The Keras 3.0-compatible envelope (minimal keys, keras.Model/Functional with list-of-triples I/O) of the whole model;
 * what was read from a file keeps its unknown parts. New reference. */
json_t *model_spec_to_keras(const struct model_spec *spec);

/* The snake-case name Keras gives a class ("MaxPooling2D" -> "max_pooling2d"); free() it. */
char *keras_snake_name(const char *class_name);

#endif
