/* run_filter.h - the language of `antler list FILTER` and of `/` on the screen.
 *
 *   digits                     a word: in the name, id, a tag or the note; case does not matter; * and ? match any text
 *   "two words"  'two words'   quotes keep spaces and operators together
 *   state:running  tag:x       FIELD:TEXT    the field contains (state, tag: is) the text
 *   best.val_loss<0.2          FIELD OP VALUE with = != < <= > >=
 *   a b   a AND b   a OR b   a | b   NOT a   -a   !a   ( ... )      AND binds tighter than OR
 *
 * Fields: id name state tag note device parent source error epoch epochs step created duration learning_rate,
 * last.METRIC, best.METRIC, config.PATH (any parameter of the config, as in `compare`). duration takes 90, 90s, 5m, 2h,
 * 1d; created a date such as 2026-11-23. What a run does not have matches no comparison. Errors (ERR_USAGE) name the
 * column, counted from 1.
 */
#ifndef PERSISTENCE_INDEX_RUN_FILTER_H
#define PERSISTENCE_INDEX_RUN_FILTER_H

#include "persistence/index/index.h"

/* A run's config parameter as JSON text, NULL when it has none; lent until the next call. */
typedef const char *run_param_lookup(void *context, const char *run_id, const char *path);

struct run_filter;
/* NULL and err. "" matches all. */
struct run_filter *run_filter_parse(const char *text, struct err *err);
void run_filter_free(struct run_filter *filter);
bool run_filter_matches(const struct run_filter *filter, const struct run_summary *run, run_param_lookup *param,
                        void *context);

/* A field of a run: a number, a text, or nothing. */
struct run_value {
    enum { RUN_VALUE_NONE, RUN_VALUE_NUMBER, RUN_VALUE_TEXT } kind;
    double number;
    char text[256]; /* longer texts are cut */
};
/* False and ERR_USAGE (with the nearest known one) when there is no such field. tag and note have their own rules and
 * no single value. */
bool run_field_check(const char *field, struct err *err) MUST_USE;
struct run_value run_field(const char *field, const struct run_summary *run, run_param_lookup *param, void *context);

#endif
