/* evaluate.h - Keras' evaluate and predict: one pass over a part of the data, without training.
 *
 * The results of evaluate are those of the validation during training: same graph, same totals, same names. Predictions
 * are float32, sample by sample, in the order of the data.
 */
#ifndef ENGINE_TRAIN_EVALUATE_H
#define ENGINE_TRAIN_EVALUATE_H

#include "engine/train/step.h"

/* Told now and then how far it is; may be NULL. */
struct watcher {
    void (*report)(void *context, double share, double left_s);
    void *context;
};

/* results: session->compile->n_metrics of them. The session's device is started. */
bool evaluate_split(struct session *session, const struct dataset *data, enum split split, int64_t batch,
                    const struct watcher *watcher, double *results, struct err *err) MUST_USE;

struct predictions {
    int64_t n_samples;
    int n_outputs;
    struct prediction {
        const char *name;   /* of the output; lent by the session */
        struct shape shape; /* of one sample */
        float *values;      /* n_samples of them, dense */
    } * outputs;
};
/* Samples first .. first + n of the split. */
bool predict_split(struct session *session, const struct dataset *data, enum split split, int64_t first, int64_t n,
                   int64_t batch, const struct watcher *watcher, struct predictions *predictions,
                   struct err *err) MUST_USE;
void predictions_release(struct predictions *predictions);

#endif
