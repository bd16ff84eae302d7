/* compile.h - what `model.compile` sets: losses, metrics, optimizer, learning-rate schedule; lowered to ops like layers
 * are.
 *
 * Every metric and loss keeps its totals in variables that the step updates, so evaluating costs nothing on the host
 * and works the same on every device. Optimizers are rows: slots, and an expression with several results that `map`
 * computes in one pass. Names of history keys follow Keras.
 */
#ifndef ENGINE_COMPILE_COMPILE_H
#define ENGINE_COMPILE_COMPILE_H

#include "engine/layers/model.h"

struct compile {
    struct arena arena;
    const struct model *model;
    const json_t *config; /* the compile object as given or as in compile_config */
    struct variable **
        optimizer_variables; /* h5 order: iteration, learning_rate (absent with a schedule), EMA, accumulators, slots */
    int n_optimizer_variables;
    struct variable *iteration;         /* int32 () */
    struct variable *learning_rate;     /* float () ; NULL with a schedule */
    struct variable **metric_variables; /* totals of loss, losses and metrics: zeroed at the start of an epoch */
    int n_metric_variables;
    const char **metric_names; /* history keys without "val_": "loss" first, then Keras' order */
    int n_metrics;
    struct compile_parts *parts; /* compile.c's own */
};

/* config: our compile object or Keras' compile_config; lent, must outlive the compile, as must the model. No optimizer
 * key = rmsprop as in Keras, null = inference only. ERR_USAGE naming the place, what was found and the nearest known
 * name. */
struct compile *compile_new(struct model *model, const json_t *config, const char *where, struct err *err);
void compile_free(struct compile *compile);

struct batch_values {              /* inputs of a step's graph, as ops */
    struct value **inputs;         /* model->n_inputs: (batch, ...) */
    struct value **targets;        /* model->n_outputs: (batch, ...), float or int32 as compile_target_dtype says */
    struct value **sample_weights; /* model->n_outputs, (batch) each or NULL; class weights are already in them */
    struct value **loss; /* set to the loss of the batch, a scalar with regularization in it; NULL = not wanted */
};
/* int32 for sparse losses and metrics, else float. */
enum dtype compile_target_dtype(const struct compile *compile, int output);

/* How many classes a sparse loss tells apart at this output: its targets are numbers from 0 to one less, or *ignored
 * (ignore_class; INT64_MIN when there is none). 0 for any other loss. */
int64_t compile_target_classes(const struct compile *compile, int output, int64_t *ignored);

/* Between how many classes the loss of an output decides: one of its numbers each, or one for two of
 * them; 0: it is no such loss. */
int64_t compile_output_classes(const struct compile *compile, int output);
/* Forward, loss, gradient, clipping, decay, optimizer, constraints, metric totals: the whole training step. */
bool compile_lower_train(struct compile *compile, struct graph *g, int64_t batch, const struct batch_values *values);
/* Forward, loss and metric totals without training. Uses the same totals. */
bool compile_lower_evaluate(struct compile *compile, struct graph *g, int64_t batch, const struct batch_values *values);
/* Reads the totals (host memory of each metric variable) and computes the results, compile->n_metrics of them. A metric
 * that yields a vector (F1Score average None) is reported as its mean. */
void compile_results(const struct compile *compile, const void *const *totals, double *results);
/* The learning rate that the step number `iteration` uses: the schedule's value, or NaN when there is none (use the
 * variable). */
double compile_schedule_at(const struct compile *compile, int64_t iteration);
/* "up", "down" or NULL when Keras could not tell: for mode auto of callbacks. name without "val_". */
const char *compile_metric_direction(const struct compile *compile, const char *name);
/* use_ema: at the end of fit Keras replaces each weights[i] by averages[i]. Returns how many pairs there are, 0 without
 * use_ema. */
int compile_averages(const struct compile *compile, struct variable *const **weights,
                     struct variable *const **averages);
/* The compile_config to be stored in a .keras file, with the given current learning rate. What Keras has no class for
 * (expressions) is left out; NULL when the loss is such: then Keras opens the file uncompiled. New reference. The
 * config itself, with expressions, belongs into the file's own metadata. */
json_t *compile_to_keras(const struct compile *compile, double learning_rate);
/* Losses, metrics, optimizers, schedules: classes with arguments and help. New reference. */
json_t *compile_describe(void);

#endif
