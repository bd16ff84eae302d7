/* step.h - one training, evaluation or prediction step of a session for one batch size: lowered, planned, and fed from
 * a data set.
 *
 * A run needs at most two of a kind: the batch size, and the smaller last batch. After step_new a step allocates
 * nothing, locks nothing and calls no system (the device's threads aside).
 */
#ifndef ENGINE_TRAIN_STEP_H
#define ENGINE_TRAIN_STEP_H

#include "engine/train/session.h"

enum step_kind { STEP_TRAIN, STEP_EVALUATE, STEP_PREDICT };

struct step;

struct step_options {
    enum step_kind kind;
    int64_t batch;
    const struct dataset *data;  /* whose samples it is fed with; NULL (STEP_PREDICT): step_input */
    const double *class_weights; /* by class of the only target, n_class_weights of them; NULL = none. Lent */
    int64_t n_class_weights;
    /* a step of the same session that outlives it and lends it memory: what one was fed with and gave is gone when the
     * other has run. NULL = none */
    const struct step *beside;
};

/* The session's device must be started. NULL and err. */
struct step *step_new(struct session *session, const struct step_options *options, struct err *err);
void step_free(struct step *step);
int64_t step_batch(const struct step *step);
/* Where to write the input of a step without data: dense, of the model's dtype. */
void *step_input(struct step *step, int input);
/* Copies the samples at `positions` (step_batch of them) of a split into the step's inputs, targets and weights. */
void step_feed(struct step *step, enum split split, const int64_t *positions);
void step_run(struct step *step);
/* The class of sample i of a target of labels or of one-hot rows of this width: what class_weights goes by. */
int64_t step_class_of(const void *target, enum dtype dtype, int64_t i, int64_t width);
/* STEP_PREDICT: the output of the last run, (batch, shape of one sample...), float32. */
const float *step_output(struct step *step, int output);
/* STEP_TRAIN: loss of the last batch, regularization included. */
double step_loss(struct step *step);
const struct plan *step_plan(const struct step *step);

/* The steps of one kind that a pass over n samples needs: full ones, and the rest. They share their memory. */
struct step_pair {
    struct step *full, *rest; /* full NULL when n < batch; rest NULL when batch divides n */
};
bool step_pair_new(struct step_pair *pair, struct session *session, const struct step_options *options,
                   int64_t n_samples, struct err *err) MUST_USE;
void step_pair_release(struct step_pair *pair);

#endif
