/* optimizers.h - keras.optimizers as rows: the slots each keeps per variable, and two programs of text. `scalars` is
 * computed once per step from the iteration (bias corrections); `update` becomes one expression with several results
 * that one `map` per variable computes in a single pass: gradient clipping, decay, slots, weight, accumulation and
 * averages together.
 *
 * Variables in h5 order: iteration, learning_rate (absent with a schedule), averages (use_ema), gradient accumulators,
 * slots.
 */
#ifndef ENGINE_COMPILE_OPTIMIZERS_H
#define ENGINE_COMPILE_OPTIMIZERS_H

#include "engine/compile/named.h"
#include "engine/layers/model.h"

enum { OPTIMIZER_MAX_SLOTS = 3, OPTIMIZER_MAX_SCALARS = 4 };

struct optimizer {
    const struct optimizer_class *class;
    const json_t *config;
    const char *name, *where;
    const struct model *model;
    const struct expr *schedule; /* of the raw iteration; NULL = the learning_rate variable */
    struct variable *iteration, *learning_rate;
    struct variable **averages, **accumulators; /* per trainable variable; NULL when not used */
    /* per slot of the row, per trainable variable; NULL when this config has no such slot */
    struct variable **slots[OPTIMIZER_MAX_SLOTS];
    struct variable *scalar_slot; /* Nadam's product; else NULL */
    struct variable **variables;  /* all, h5 order */
    int n_variables;
    const struct expr *scalars, *update; /* built once */
    int accumulate;                      /* gradient_accumulation_steps, 1 = none */
};

extern const struct named_table optimizer_table;

/* json: "adam", an envelope or short form. NULL and ERR_USAGE. Everything is in the arena. */
struct optimizer *optimizer_build(struct arena *arena, const struct model *model, const json_t *json, const char *where,
                                  struct err *err);
/* Appends the update of every trainable variable; gradients[i] belongs to model->trainable[i]. */
void optimizer_lower(const struct optimizer *optimizer, struct graph *g, struct value *const *gradients);
/* The learning rate of a step from its schedule; NaN without one. */
double optimizer_schedule_at(const struct optimizer *optimizer, int64_t iteration);
/* Keras' envelope with this learning rate (ignored with a schedule). New reference. */
json_t *optimizer_to_keras(const struct optimizer *optimizer, double learning_rate);

#endif
