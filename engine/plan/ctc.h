/* ctc.h - connectionist temporal classification of one sample, what the ops ctc and ctc_dx of every host backend
 * compute.
 *
 * The loss is -log of the probability that the steps, each one class of softmax(logits), spell the labels once repeated
 * classes are merged and blanks (class 0) left out. Sums over all such ways go forwards and backwards through the
 * 2 n + 1 places "blank label blank label ... blank", in double; in logarithms where probabilities would underflow.
 * What cannot be (too few steps) has the logarithm -1e5, as in Keras. Labels: the first n of `labels`, n = how many are
 * not 0; one out of range gives NaN.
 */
#ifndef ENGINE_PLAN_CTC_H
#define ENGINE_PLAN_CTC_H

#include "engine/graph/graph.h"

struct ctc {
    int64_t samples, steps, classes, labels; /* logits [samples, steps, classes], labels [samples, labels] */
};

struct ctc ctc_of(const struct node *node);
/* Of one sample at a time. */
size_t ctc_workspace_bytes(const struct ctc *c);
float ctc_loss(const struct ctc *c, const float *logits, const int32_t *labels, void *workspace);
/* dlogits [steps, classes] = dy times the gradient. */
void ctc_gradient(const struct ctc *c, const float *logits, const int32_t *labels, float dy, float *dlogits,
                  void *workspace);

#endif
