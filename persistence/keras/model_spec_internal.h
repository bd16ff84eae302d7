/* model_spec_internal.h - what the readers of model_spec share: names, growing layers, and the step that orders them.
 *
 * A reader makes a builder, adds layers in the order the config lists them, adds their calls, sets inputs and outputs
 * and calls spec_finish, which checks every reference, computes Keras' order and the h5 groups. On failure spec_abandon
 * frees it all.
 */
#ifndef PERSISTENCE_KERAS_MODEL_SPEC_INTERNAL_H
#define PERSISTENCE_KERAS_MODEL_SPEC_INTERNAL_H

#include "base/arena.h"
#include "base/name_table.h"
#include "persistence/keras/model_spec.h"

enum { SPEC_MAX_LAYERS = 100000, SPEC_MAX_DEPTH = 16, SPEC_MAX_CALLS = 1000000, SPEC_MAX_OUTPUTS = 16 };

struct name_map { /* text -> int */
    struct name_table names;
    int *values;
    size_t capacity;
};
/* The value's slot, created with -1 when the key is new. Valid until the next call. */
int *name_map_at(struct name_map *map, const char *key);
/* The value, or -1. */
int name_map_find(const struct name_map *map, const char *key);
void name_map_release(struct name_map *map);

struct spec_builder {
    struct model_spec *spec;
    const char *where;
    enum err_code code;            /* ERR_FORMAT or ERR_USAGE */
    int depth;                     /* of nesting, 0 = outermost */
    struct name_map names;         /* layer name -> index in spec->layers */
    struct name_map given, counts; /* short form: names that entries carry; how often a class was named automatically */
    int unlisted;                  /* layers added in front that the config does not list */
    size_t capacity;
    long n_calls;
};

void spec_begin(struct spec_builder *b, const char *where, enum err_code code, int depth);
/* Appends a layer; its name is copied and must be new. NULL and err. */
struct layer_spec *spec_add_layer(struct spec_builder *b, const char *name, const char *class_name, struct err *err);
/* Appends an InputLayer without a shape. config is taken. */
struct layer_spec *spec_add_open_input(struct spec_builder *b, const char *name, json_t *config, struct err *err);
/* Room for one more call of a layer with n inputs. NULL and err. */
struct call_spec *spec_add_call(struct spec_builder *b, struct layer_spec *layer, int n_inputs, struct err *err);
/* Layers 1.. each called once on the layer before, the first is the input, the last the output. */
bool spec_link_sequential(struct spec_builder *b, struct err *err);
/* Checks, orders, names groups and outputs. The spec is handed over (b is released), or everything is freed. */
struct model_spec *spec_finish(struct spec_builder *b, struct err *err);
/* Frees the builder and what was built; returns NULL. */
struct model_spec *spec_abandon(struct spec_builder *b);
/* Keras' order (model_spec_order.c): fills spec->order and reorders spec->layers, dropping what no output needs. */
bool spec_sort(struct spec_builder *b, struct err *err);
void layer_spec_release(struct layer_spec *layer);

struct model_spec *spec_read_keras(const json_t *envelope, const char *where, int depth, struct err *err);
struct model_spec *spec_read_short(const json_t *model, const char *where, int depth, struct err *err);

/* An InputLayer: called once (node 0) though it has no calls. */
bool spec_is_input(const struct layer_spec *layer);

#endif
