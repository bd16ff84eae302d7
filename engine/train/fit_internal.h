/* fit_internal.h - the parts of the training loop that live in files of their own. See fit.h. */
#ifndef ENGINE_TRAIN_FIT_INTERNAL_H
#define ENGINE_TRAIN_FIT_INTERNAL_H

#include "engine/train/fit.h"

/* fit_save.c */
/* The moment the callbacks see: epoch is the 0-based one they are told of. */
struct callback_moment fit_moment(const struct fit *fit, int64_t epoch);
void fit_set_learning_rate(struct fit *fit, double learning_rate);
/* Does what the callbacks asked for after a call, in the order of callbacks.h. record_epoch: 1-based, of records. */
bool fit_carry_out(struct fit *fit, const struct callback_moment *moment, int64_t record_epoch,
                   struct err *err) MUST_USE;
/* One full checkpoint of the state at hand, with fit->logs as its metrics. */
bool fit_save(struct fit *fit, const char *file, bool automatic, bool best, int64_t record_epoch,
              struct err *err) MUST_USE;
/* Sets the clock of the next backup; every full checkpoint does. */
void fit_backup_later(struct fit *fit);
/* Inside an epoch, when that clock has come: saves this very moment, unless it is saved already. */
bool fit_back_up(struct fit *fit, struct err *err) MUST_USE;
/* Whether the logs of the epoch just ended are the best so far, by val_loss (loss without validation). Remembers the
 * value. */
bool fit_is_best(struct fit *fit);
void fit_event(struct fit *fit, json_t *event);

/* fit_results.c: metric totals and results */
void fit_zero_totals(struct fit *fit);
void fit_download_totals(struct fit *fit, void **to);
void fit_upload_totals(struct fit *fit, void *const *from);
/* Puts the results of the totals on the device into fit->logs, as "name" or "val_name". False: it has failed, they are
 * none. */
bool fit_log_results(struct fit *fit, bool validation, struct err *err) MUST_USE;
/* fit->logs for a checkpoint of this moment: results of the part of the epoch that was done, or of the epoch just
 * ended. */
void fit_log_moment(struct fit *fit);
double fit_running_loss(struct fit *fit);
/* Moving averages become the weights (use_ema), as at the end of Keras' fit. False when the optimizer keeps none. */
bool fit_finalize_optimizer(struct fit *fit);

/* fit_orders.c: carries out what people asked for; a pause lasts in here. Between two steps only. */
bool fit_obey(struct fit *fit, struct err *err) MUST_USE;

/* fit_page.c: the live page */
void fit_page_begin(struct fit *fit);
void fit_page_epoch(struct fit *fit);
/* The pace is counted from here on: what lies before (a pause, the validation of a long
 * epoch) says nothing about it. */
void fit_page_new_pace(struct fit *fit);
void fit_page(struct fit *fit, enum live_phase phase);
/* At most twenty times a second. */
static inline bool fit_page_due(const struct fit *fit, int64_t now_ns)
{
    return now_ns >= fit->next_page_ns;
}
void fit_page_step(struct fit *fit, int64_t now_ns);

#endif
