/* initializers.h - the starting values of a variable: Keras' initializers, seeded by counter-based numbers.
 *
 * The formulas and distributions are Keras' own; the numbers differ from Keras' because its generators differ per
 * backend. The same (seed, number, shape) gives the same values on every machine. `number` is the variable's place in
 * the model. An initializer with its own "seed" gives the same values wherever it is used, as in Keras.
 */
#ifndef ENGINE_LAYERS_INITIALIZERS_H
#define ENGINE_LAYERS_INITIALIZERS_H

#include "base/json.h"
#include "engine/graph/graph.h"

struct initializer; /* checked and ready; owned by the arena it was parsed into */

/* json: a name, our short form, a Keras envelope; NULL or null means `fallback` (a class name). NULL and ERR_USAGE
 * naming `where`, the unknown class or argument and the nearest known one. */
const struct initializer *initializer_parse(struct arena *arena, const json_t *json, const char *fallback,
                                            const char *where, struct err *err);
/* Writes shape_elements(shape) floats. Fails when the shape does not suit (Identity of rank 3) or memory is short. */
bool initializer_fill(const struct initializer *initializer, uint64_t seed, int64_t number, struct shape shape,
                      float *out, struct err *err) MUST_USE;
/* The `fill` of a struct variable whose `initializer` is one of these and whose seed_number is its place. */
bool initializer_fill_variable(const struct variable *variable, uint64_t seed, float *out, struct err *err);
/* All classes with arguments and help. New reference. */
json_t *initializers_describe(void);

#endif
