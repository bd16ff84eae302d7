/* evaluation.h - the result of `evaluate` as people read it, the same on the command line and on the screen; and where
 * it is kept (persistence/runs/kept_results.h).
 */
#ifndef TUI_CLIENT_EVALUATION_H
#define TUI_CLIENT_EVALUATION_H

#include "base/json.h"
#include "tui/client/cli_text.h"

/* The i-th metric of a result: its name, lent, and its value as text; NULL behind the last. */
const char *evaluation_metric(const json_t *result, size_t i, struct text *value);
/* "180 samples of test". */
struct text evaluation_samples(const json_t *result);

/* A class as a word: blanks and line ends, the classes of texts, have none of their own. Lent. */
const char *evaluation_class_word(const char *name);

/* A home that cannot be written keeps nothing, which is no error. */
void evaluation_keep(const char *checkpoint, const json_t *result);
/* The part of the data behind `part` that has samples, going round test, validation, train; NULL: that which is taken
 * when none is asked for. */
const char *evaluation_next_part(const json_t *result, const char *part);
/* What is kept of a part, or (NULL) of the one that is taken when none is asked for. *made: Unix seconds. New
 * reference; NULL: none. */
json_t *evaluation_kept(const char *checkpoint, const char *part, double *made);

#endif
