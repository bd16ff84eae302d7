/* job_evaluate.c - metrics of a checkpoint on a part of the data, in Keras' names. */
#include "base/io.h"
#include "engine/train/report.h"
#include "engine/worker/checkpoint_session.h"
#include "engine/worker/jobs.h"

#include <stdlib.h>

/* With details the data are passed over twice: one share and one time for both. */
struct passes {
    struct answer *answer;
    int done, n;
    int64_t start_ns;
};

static void send_progress(void *context, double share, double left_s)
{
    const struct passes *p = context;
    double all = (p->done + share) / p->n, elapsed = (double)(io->monotonic_ns() - p->start_ns) / 1e9;
    answer_progress(p->answer, all, p->n == 1 ? left_s : elapsed / all - elapsed, "evaluating");
}

static bool add_details(struct checkpoint_session *cs, enum split split, const struct watcher *watcher, json_t *result,
                        struct err *err)
{
    struct predictions predictions = {0};
    const struct dataset *data = cs->session->data;
    bool ok =
        predict_split(cs->session, data, split, 0, data->n_samples[split], cs->batch, watcher, &predictions, err) &&
        report_details(cs->session, data, split, &predictions, result, err);
    json_object_set_new(result, "data", report_data(data, split));
    predictions_release(&predictions);
    return ok;
}

bool job_evaluate(const json_t *request, struct answer *answer, struct err *err)
{
    struct checkpoint_session cs;
    if (!checkpoint_session_open(&cs, request, false, err))
        return false;
    bool details = js_bool(request, "details", false);
    struct passes passes = {.answer = answer, .n = 1 + details, .start_ns = io->monotonic_ns()};
    struct watcher watcher = {.report = send_progress, .context = &passes};
    enum split split;
    double *results = NULL;
    json_t *result = NULL;
    bool ok = checkpoint_session_split(&cs, js_string(request, "split", NULL), &split, err) &&
              session_needs_compile(cs.session, cs.checkpoint, err);
    if (ok) {
        const struct compile *compile = cs.session->compile;
        results = xcalloc((size_t)compile->n_metrics + 1, sizeof *results);
        ok = evaluate_split(cs.session, cs.session->data, split, cs.batch, &watcher, results, err);
        result = json_pack("{s:s,s:s,s:I}", "checkpoint", cs.checkpoint, "split", split_names[split], "samples",
                           (json_int_t)cs.session->data->n_samples[split]);
        json_t *metrics = json_object();
        for (int i = 0; ok && i < compile->n_metrics; i++)
            json_object_set_new(metrics, compile->metric_names[i], js_number(results[i]));
        json_object_set_new(result, "metrics", metrics);
    }
    passes.done = 1;
    if (ok && details)
        ok = add_details(&cs, split, &watcher, result, err);
    if (ok)
        answer_result(answer, json_incref(result));
    json_decref(result);
    free(results);
    checkpoint_session_close(&cs);
    return ok;
}
