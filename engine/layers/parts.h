/* parts.h - what layers are made of besides ops: activations, regularizers, constraints. Each is a row in a table.
 *
 * A reference to one is a name ("relu"), our short form ({"class": "L2", "l2": 0.01}), a Keras envelope, or null for
 * none. A custom activation is {"expression": "x * relu(x)"}, saved with the model. Parsed objects live in the given
 * arena; the JSON they were parsed from must outlive them. Lowering appends ops; errors are the graph's.
 */
#ifndef ENGINE_LAYERS_PARTS_H
#define ENGINE_LAYERS_PARTS_H

#include "base/json.h"
#include "engine/graph/graph.h"

struct activation;
struct regularizer;
struct constraint;

/* null and "linear" give the identity. NULL and ERR_USAGE naming `where` and the nearest known name. */
const struct activation *activation_parse(struct arena *arena, const json_t *json, const char *where, struct err *err);
/* ReLU, LeakyReLU, ELU and Softmax are layers and activations: by class name and config. */
const struct activation *activation_of_layer(struct arena *arena, const char *class_name, const json_t *config,
                                             const char *where, struct err *err);
/* Whether it is the elementwise activation of this name, with its default arguments. */
bool activation_is(const struct activation *activation, const char *name);
/* Softmax-like ones need their axis inside the sample. True when the shape (without batch) suits. */
bool activation_fits(const struct activation *activation, struct shape shape, const char *where, struct err *err);
/* The shape changes for glu only, whose last axis is halved. */
struct shape activation_shape(const struct activation *activation, struct shape shape);
struct value *activation_lower(struct graph *g, const struct activation *activation, struct value *x);

/* *out NULL when json is NULL or null. */
bool regularizer_parse(struct arena *arena, const json_t *json, const char *where, const struct regularizer **out,
                       struct err *err);
struct value *regularizer_lower(struct graph *g, const struct regularizer *regularizer, struct value *x); /* scalar */
bool constraint_parse(struct arena *arena, const json_t *json, const char *where, const struct constraint **out,
                      struct err *err);
struct value *constraint_lower(struct graph *g, const struct constraint *constraint, struct value *w);

/* Lists of class_describe rows, new references. */
json_t *activations_describe(void);
json_t *regularizers_describe(void);
json_t *constraints_describe(void);

/* x over the given axes, like numpy's expand-dims sums: sum of squares, kept dims. */
struct value *sum_of_squares(struct graph *g, struct value *x, const int *axes, int n_axes);
/* int32 read as float; float unchanged. */
struct value *as_float(struct graph *g, struct value *x);

#endif
