/* evaluate.c - see evaluate.h */
#include "engine/train/evaluate.h"
#include "base/io.h"
#include "base/size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct progress {
    const struct watcher *watcher;
    int64_t start_ns;
};

static void report(const struct progress *p, int64_t done, int64_t total)
{
    if (!p->watcher || !p->watcher->report)
        return;
    double elapsed = (double)(io->monotonic_ns() - p->start_ns) / 1e9, share = (double)done / (double)total;
    p->watcher->report(p->watcher->context, share, done ? elapsed / share - elapsed : NAN);
}

/* Positions first, first + 1, ... */
static void count_up(int64_t *positions, int64_t first, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        positions[i] = first + i;
}

static bool zero_totals(struct session *s, struct err *err)
{
    for (int i = 0; i < s->compile->n_metric_variables; i++) {
        const struct variable *v = s->compile->metric_variables[i];
        void *zeros = io_allocate(variable_bytes(v), "metrics", err);
        if (!zeros)
            return false;
        memset(zeros, 0, variable_bytes(v));
        session_upload(s, v, zeros);
        free(zeros);
    }
    return true;
}

static void read_results(struct session *s, double *results)
{
    const struct compile *c = s->compile;
    void **totals = xcalloc((size_t)c->n_metric_variables + 1, sizeof *totals);
    for (int i = 0; i < c->n_metric_variables; i++) {
        totals[i] = xmalloc(variable_bytes(c->metric_variables[i]));
        session_download(s, c->metric_variables[i], totals[i]);
    }
    compile_results(c, (const void *const *)totals, results);
    for (int i = 0; i < c->n_metric_variables; i++)
        free(totals[i]);
    free(totals);
}

/* Runs the steps of a pair over samples first .. first + n; after each batch `take` may look at it. */
static bool run_over(const struct session *session, struct step_pair *pair, enum split split, int64_t first, int64_t n,
                     const struct watcher *watcher, void (*take)(void *context, struct step *step, int64_t done),
                     void *context, struct err *err)
{
    struct progress progress = {.watcher = watcher, .start_ns = io->monotonic_ns()};
    int64_t batch = pair->full ? step_batch(pair->full) : step_batch(pair->rest);
    int64_t *positions = io_allocate((size_t)batch * sizeof *positions, "a batch", err);
    bool ok = positions != NULL;
    for (int64_t done = 0; ok && done < n;) {
        struct step *step = n - done >= batch && pair->full ? pair->full : pair->rest;
        count_up(positions, first + done, step_batch(step));
        step_feed(step, split, positions);
        step_run(step);
        if (take)
            take(context, step, done);
        done += step_batch(step);
        report(&progress, done, n);
        ok = session_works(session, err);
    }
    free(positions);
    return ok;
}

bool evaluate_split(struct session *session, const struct dataset *data, enum split split, int64_t batch,
                    const struct watcher *watcher, double *results, struct err *err)
{
    int64_t n = data->n_samples[split];
    struct step_pair pair = {0};
    const struct step_options options = {.kind = STEP_EVALUATE, .batch = batch, .data = data};
    bool ok = (n > 0 || err_set(err, ERR_USAGE, "the %s part of the data has no samples", split_names[split])) &&
              step_pair_new(&pair, session, &options, n, err) && zero_totals(session, err) &&
              run_over(session, &pair, split, 0, n, watcher, NULL, NULL, err);
    if (ok)
        read_results(session, results);
    ok = ok && session_works(session, err);
    step_pair_release(&pair);
    return ok;
}

static void take_outputs(void *context, struct step *step, int64_t done)
{
    struct predictions *p = context;
    for (int i = 0; i < p->n_outputs; i++) {
        size_t elements = (size_t)shape_elements(p->outputs[i].shape);
        memcpy(p->outputs[i].values + (size_t)done * elements, step_output(step, i),
               (size_t)step_batch(step) * elements * sizeof(float));
    }
}

static bool name_is_taken(const struct predictions *p, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(p->outputs[i].name, name))
            return true;
    return false;
}

/* The name of its layer; of a layer whose results are several outputs: name, name_1, name_2. */
static const char *output_name(struct session *s, const struct predictions *p, int i)
{
    const char *layer =
        s->spec->output_names && i < s->spec->n_outputs ? s->spec->output_names[i] : s->model->outputs[i].name;
    const char *name = layer;
    for (int k = 1; name_is_taken(p, i, name); k++)
        name = arena_printf(&s->model->arena, "%s_%d", layer, k);
    return name;
}

static bool make_outputs(struct session *s, struct predictions *p, struct err *err)
{
    p->n_outputs = s->model->n_outputs;
    p->outputs = xcalloc((size_t)p->n_outputs + 1, sizeof *p->outputs);
    for (int i = 0; i < p->n_outputs; i++) {
        struct prediction *o = &p->outputs[i];
        o->name = output_name(s, p, i);
        o->shape = s->model->outputs[i].shape;
        size_t bytes;
        if (!size_mul((size_t)shape_elements(o->shape), (size_t)p->n_samples, &bytes) ||
            !size_mul(bytes, sizeof(float), &bytes))
            return err_set(err, ERR_NOMEM, "the predictions of %lld samples do not fit into memory",
                           (long long)p->n_samples);
        o->values = io_allocate(bytes, "the predictions", err);
        if (!o->values)
            return false;
    }
    return true;
}

bool predict_split(struct session *session, const struct dataset *data, enum split split, int64_t first, int64_t n,
                   int64_t batch, const struct watcher *watcher, struct predictions *predictions, struct err *err)
{
    *predictions = (struct predictions){.n_samples = n};
    struct step_pair pair = {0};
    const struct step_options options = {.kind = STEP_PREDICT, .batch = batch < n ? batch : n, .data = data};
    bool ok = (n > 0 || err_set(err, ERR_USAGE, "there are no samples to predict")) &&
              make_outputs(session, predictions, err) && step_pair_new(&pair, session, &options, n, err) &&
              run_over(session, &pair, split, first, n, watcher, take_outputs, predictions, err);
    step_pair_release(&pair);
    if (!ok)
        predictions_release(predictions);
    return ok;
}

void predictions_release(struct predictions *predictions)
{
    for (int i = 0; predictions->outputs && i < predictions->n_outputs; i++)
        free(predictions->outputs[i].values);
    free(predictions->outputs);
    *predictions = (struct predictions){0};
}
