/* predict_rival.c - two checkpoints on the same samples: what the second one, the rival, says of each, and what became
 * right or wrong between them.
 */
#include "base/arena.h"
#include "tui/client/prediction.h"
#include "tui/results/predict_view.h"

#include <stdio.h>
#include <string.h>

static void take_rivals(struct predict_view *v, const json_t *result)
{
    for (size_t i = 0; i < json_array_size(json_object_get(result, "details")); i++) {
        if (v->n_rivals == v->n_samples)
            break;
        struct sample *mine = &v->samples[v->n_rivals], *theirs = arena_alloc(&v->arena, sizeof *theirs);
        predict_read_sample(v, theirs, result, i);
        if (theirs->label != mine->label || theirs->index != mine->index) {
            snprintf(v->rival_error, sizeof v->rival_error,
                     "the marked checkpoint has other data: sample %lld is of class %lld there, %lld here",
                     (long long)mine->index, (long long)theirs->label, (long long)mine->label);
            return;
        }
        mine->rival = theirs;
        v->n_rivals++;
    }
    predict_find_shown(v);
}

static void predicted(struct app *app, struct app_job *job)
{
    struct predict_view *v = predict_view_of_job(app, job);
    json_t *result = job->result;
    job->result = NULL;
    if (result)
        prediction_keep(job->subject, result);
    if (v) {
        v->rival_job = 0;
        if (job->state == JOB_FAILED)
            snprintf(v->rival_error, sizeof v->rival_error, "the marked checkpoint: %.250s", job->error.text);
        if (result)
            take_rivals(v, result);
        if (result)
            rival_ask(app, v);
    }
    json_decref(result);
}

/* Those that are kept need no job. */
static void take_kept(struct predict_view *v)
{
    double made;
    json_t *kept = prediction_kept(v->rival.path, v->part, (int64_t)v->n_rivals, (int64_t)v->n_samples, &made);
    if (kept)
        take_rivals(v, kept);
    json_decref(kept);
}

static bool wants_rivals(const struct predict_view *v)
{
    return v->rival.path && !v->rival_job && !v->rival_error[0] && v->n_rivals < v->n_samples;
}

void rival_ask(struct app *app, struct predict_view *v)
{
    struct err err = {0};
    char name[120], title[160], input[64];
    if (wants_rivals(v))
        take_kept(v);
    if (!wants_rivals(v))
        return;
    snprintf(input, sizeof input, "%s[%zu:%zu]", v->part, v->n_rivals, v->n_samples);
    snprintf(title, sizeof title, "predict %s %s", subject_name(&v->rival, app, name, sizeof name), input);
    json_t *request = subject_request(&v->rival);
    json_object_set_new(request, "details", json_true());
    json_object_set_new(request, "input", json_string(input));
    struct app_job *job = app_start_job(app, "predict", request, title, v->rival.path, predicted, &err);
    v->rival_job = job ? job->number : 0;
    if (!job)
        snprintf(v->rival_error, sizeof v->rival_error, "%.290s", err.text);
}

void rival_cancel(struct app *app, struct predict_view *v)
{
    struct app_job *job = app_find_job(app, v->rival_job);
    if (job)
        app_cancel_job(app, job);
    v->rival_job = 0;
    v->n_rivals = 0;
    v->rival_error[0] = 0;
}

void rival_open(struct app *app, struct predict_view *v, const char *path)
{
    rival_cancel(app, v);
    for (size_t i = 0; i < v->n_samples; i++)
        v->samples[i].rival = NULL;
    if (path)
        subject_open(&v->rival, app, path);
    else
        subject_close(&v->rival);
    predict_find_shown(v);
    rival_ask(app, v);
}

struct rival_counts rival_count(const struct predict_view *v)
{
    struct rival_counts n = {0};
    for (size_t i = 0; i < v->n_rivals; i++) {
        const struct sample *s = &v->samples[i];
        bool known = s->label >= 0 && s->predicted >= 0 && s->rival->predicted >= 0, now = sample_is_right(s),
             then = sample_is_right(s->rival);
        n.other += !known;
        n.fixed += known && now && !then;
        n.broken += known && !now && then;
        n.both_right += known && now && then;
        n.both_wrong += known && !now && !then;
    }
    return n;
}
