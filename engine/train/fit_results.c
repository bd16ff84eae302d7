/* fit_results.c - metric totals on the device and the results they stand for. See fit_internal.h. */
#include "engine/train/fit_internal.h"

#include <stdlib.h>

void fit_zero_totals(struct fit *fit)
{
    const struct compile *c = fit->session->compile;
    for (int i = 0; i < c->n_metric_variables; i++)
        session_upload(fit->session, c->metric_variables[i], fit->zeros);
}

void fit_download_totals(struct fit *fit, void **to)
{
    const struct compile *c = fit->session->compile;
    for (int i = 0; i < c->n_metric_variables; i++)
        session_download(fit->session, c->metric_variables[i], to[i]);
}

void fit_upload_totals(struct fit *fit, void *const *from)
{
    const struct compile *c = fit->session->compile;
    for (int i = 0; i < c->n_metric_variables; i++)
        session_upload(fit->session, c->metric_variables[i], from[i]);
}

static void compute_results(struct fit *fit)
{
    fit_download_totals(fit, fit->totals);
    compile_results(fit->session->compile, (const void *const *)fit->totals, fit->results);
}

static void log_results(struct fit *fit, bool validation)
{
    compute_results(fit);
    for (int i = 0; i < fit->session->compile->n_metrics; i++)
        logs_set(&fit->logs, validation ? fit->val_names[i] : fit->session->compile->metric_names[i], fit->results[i]);
}

bool fit_log_results(struct fit *fit, bool validation, struct err *err)
{
    log_results(fit, validation);
    return session_works(fit->session, err);
}

void fit_log_moment(struct fit *fit)
{
    logs_clear(&fit->logs);
    if (fit->at.batch)
        log_results(fit, false);
    else
        for (int i = 0; i < fit->last_logs.n; i++)
            logs_set(&fit->logs, fit->last_logs.entries[i].name, fit->last_logs.entries[i].value);
}

double fit_running_loss(struct fit *fit)
{
    compute_results(fit);
    return fit->results[0];
}

bool fit_finalize_optimizer(struct fit *fit)
{
    struct session *s = fit->session;
    struct variable *const *weights, *const *averages;
    int n = compile_averages(s->compile, &weights, &averages);
    for (int i = 0; i < n; i++) {
        void *host = xmalloc(variable_bytes(weights[i]));
        session_download(s, averages[i], host);
        session_upload(s, weights[i], host);
        free(host);
    }
    return n > 0;
}
