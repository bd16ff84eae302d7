/* comparison.h - what several runs differ in, and what came of it: for `antler compare` and for the screen. */
#ifndef TUI_CLIENT_COMPARISON_H
#define TUI_CLIENT_COMPARISON_H

#include "base/str.h"
#include "persistence/index/index.h"

struct compared { /* one run */
    const struct run_summary *run;
    const struct run_param *params; /* as index_params gives them */
    size_t n_params;
};

/* The value of a key as compact JSON, NULL when the run has none. */
const char *compared_param(const struct compared *one, const char *key);
/* The same for a person: a text without its quotes; "" for NULL. */
void compared_words(char *words, size_t size, const char *json);
/* All keys of all runs, sorted, each once; without `all` only those whose values differ and that are settings, not
 * names. In arena. */
const char **compared_keys(const struct compared *list, size_t n, bool all, struct arena *arena, size_t *n_keys);
/* Whether two values mean the same: equal texts, or equal numbers. NULL: there is none. */
bool compared_same(const char *a, const char *b);
const struct metric_summary *compared_metric(const struct run_summary *run, const char *name); /* NULL */
/* Names of all metrics in order of first appearance. In arena. */
const char **compared_metrics(const struct compared *list, size_t n, struct arena *arena, size_t *n_names);
/* Names of runs, told apart: those that share one carry their number too: "digits (2)". In arena. */
const char *const *compared_labels(const struct run_summary *const *runs, size_t n, struct arena *arena);
/* "learning_rate 0.0001  batch_size 64  +2": what a run says otherwise than its parent, the last parts of the keys,
 * `most` of them. Nothing where they are equal. */
void compared_add_changes(const struct compared *child, const struct compared *parent, size_t most, struct str *out);
/* A line a run: id, name, state, epoch; last, best and its epoch of every metric; every key. labels: names. */
void compared_add_csv(const struct compared *list, size_t n, const char *const *labels, const char *const *keys,
                      size_t n_keys, const char *const *metrics, size_t n_metrics, struct str *out);
/* The run with the best value of a metric, n when none has one. */
size_t compared_champion(const struct compared *list, size_t n, const char *name);

#endif
