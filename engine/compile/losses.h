/* losses.h - keras.losses as rows: an expression over y_true and y_pred, or a short lowering; and the reduction to one
 * number.
 *
 * Metrics that are named like a loss use the same rows. Formulas: keras/src/losses/losses.py. Shapes: y_true and y_pred
 * (batch, ...); the values of a loss are (batch, ...) without the last axis. Where the output ends in softmax or
 * sigmoid its logits are used, which is exact where Keras on JAX clips probabilities at 1e-7.
 */
#ifndef ENGINE_COMPILE_LOSSES_H
#define ENGINE_COMPILE_LOSSES_H

#include "engine/compile/named.h"
#include "engine/graph/graph.h"

enum loss_reduction { REDUCTION_MEAN, REDUCTION_SUM, REDUCTION_MEAN_WITH_SAMPLE_WEIGHT };

struct loss {
    const struct loss_class *class; /* NULL: custom, or (automatic) chosen by the shapes when it is lowered */
    bool automatic;                 /* 'crossentropy', 'ce' */
    const json_t *config;           /* its arguments; lent */
    const char *name, *where;
    const struct expr *expr; /* elementwise part over y_true, y_pred (and of a custom loss); else NULL */
    enum loss_reduction reduction;
    double weight; /* of loss_weights */
};

struct loss_call {
    struct graph *graph;
    struct value *y_true, *y_pred; /* ranks are made to fit by loss_values */
    struct value *logits;          /* behind y_pred when it ends in softmax or sigmoid, else NULL */
    struct value *mask; /* which values count: the output's mask (batch, steps...) or NULL; the lowering of a loss that
                           leaves values out (ignore_class) joins its own */
};

extern const struct named_table loss_table;

/* json: "mse", an envelope, {"class": ..., args} or {"expression": "...", "name": ...}. NULL and ERR_USAGE naming the
 * place. config must stay alive with json; everything else is in the arena. as_metric: reduction is not allowed, dtype
 * is. */
struct loss *loss_build(struct arena *arena, const json_t *json, const char *where, bool as_metric, struct err *err);
/* The loss of a class with default arguments: for metrics whose values are a loss's. */
struct loss *loss_of_class(struct arena *arena, const char *class_name, const json_t *config, const char *where,
                           struct err *err);
/* True when the targets are whole numbers. */
bool loss_has_labels(const struct loss *loss);
/* True when they must be below the width of the output. */
bool loss_labels_are_below_width(const struct loss *loss);
/* True when they are class numbers, one a value. */
bool loss_is_sparse(const struct loss *loss);
/* Between how many classes it decides where the output has so many numbers; 0: it is no such loss. */
int64_t loss_classes(const struct loss *loss, int64_t width);
/* The values per sample (and position). NULL after graph_fail, which names the loss and both shapes. */
struct value *loss_values(const struct loss *loss, struct loss_call *call);
/* One number; weights (batch) or NULL. */
struct value *loss_reduce(const struct loss *loss, struct loss_call *call, struct value *values, struct value *weights);

/* Keras' squeeze_or_expand_to_same_rank. */
void match_ranks(struct graph *g, struct value **y_true, struct value **y_pred);
/* y_true without a last axis of 1 when it has the rank of y_pred: class numbers. int32. */
struct value *class_numbers(struct graph *g, struct value *y_true, struct value *y_pred, const char *where);
/* (batch) weights in a shape that broadcasts over values of this rank. */
struct value *weights_like(struct graph *g, struct value *weights, struct value *values);
/* The mask of an output times the sample weights (batch) or NULL, for values of the mask's shape. */
struct value *mask_weights(struct graph *g, struct value *mask, struct value *weights, struct value *values,
                           const char *where);
/* What 'accuracy' and 'crossentropy' mean for these shapes. */
enum label_kind { LABEL_BINARY, LABEL_SPARSE, LABEL_ONE_HOT };
enum label_kind label_kind(const struct value *y_true, const struct value *y_pred);

#endif
