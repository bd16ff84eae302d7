/* prediction.h - predictions and written texts that are kept beside their checkpoint (persistence/runs/kept_results.h),
 * the same for the command line and the screen. Only what was asked of a run's own data with its own settings is kept.
 */
#ifndef TUI_CLIENT_PREDICTION_H
#define TUI_CLIENT_PREDICTION_H

#include "base/json.h"

/* result: of the job `predict` with details, on a part of the data. What is too large is not kept. */
void prediction_keep(const char *checkpoint, const json_t *result);
/* Samples first .. end of a part ("" or NULL: that which is taken when none is asked for), as many from the first on as
 * are kept without a gap; end -1: all there are of the part. As `predict` answers, with details. *made: of the oldest
 * piece. New reference; NULL: none of them. */
json_t *prediction_kept(const char *checkpoint, const char *part, int64_t first, int64_t end, double *made);
/* They are to be computed anew. */
void prediction_forget(const char *checkpoint, const char *part);

/* Texts: as the worker does where nothing is said. */
enum { WRITTEN_TOKENS = 200 };
static const double WRITTEN_TEMPERATURE = 0.8;
struct text_wishes {
    const char *prompt;
    int64_t tokens, seed;
    double temperature;
};
/* result: of the job `generate`. The newest sixteen are kept. */
void written_keep(const char *checkpoint, const json_t *result);
/* The one that was asked for with just these wishes; NULL wishes: the newest one. New reference; NULL: none. */
json_t *written_kept(const char *checkpoint, const struct text_wishes *wishes, double *made);

#endif
