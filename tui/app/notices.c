/* notices.c - see notices.h */
#include "tui/app/notices.h"
#include "tui/client/cli_text.h"

#include <math.h>
#include <string.h>

static bool lives(const struct run_summary *run)
{
    return run->state == RUN_QUEUED || run->state == RUN_RUNNING || run->state == RUN_PAUSED;
}

static const struct metric_summary *metric(const struct run_summary *run, const char *name)
{
    for (size_t m = 0; name && m < run->n_metrics; m++)
        if (!strcmp(run->metrics[m].name, name))
            return &run->metrics[m];
    return NULL;
}

static void say_monitored(const struct run_summary *run, struct str *out)
{
    const struct metric_summary *m = metric(run, run->monitor);
    if (m && isfinite(m->best))
        str_addf(out, ": %s %s at epoch %lld", m->name, text_number(m->best).text, (long long)m->best_epoch);
}

static bool say_end(const struct run_summary *old, const struct run_summary *run, struct str *out)
{
    static const char *const words[] = {[RUN_FINISHED] = "has finished",
                                        [RUN_STOPPED] = "was stopped",
                                        [RUN_FAILED] = "failed",
                                        [RUN_INTERRUPTED] = "was interrupted"};
    if (!lives(old) || lives(run))
        return false;
    str_addf(out, "%s%s %s", out->length ? "; " : "", run->name, words[run->state]);
    if (run->error)
        str_addf(out, ": %s", run->error);
    else
        say_monitored(run, out);
    return true;
}

static bool say_nan(const struct run_summary *old, const struct run_summary *run, struct str *out)
{
    const struct metric_summary *before = metric(old, "loss"), *now = metric(run, "loss");
    if (!now || !isnan(now->last) || (before && isnan(before->last)))
        return false;
    str_addf(out, "%s%s: loss became NaN in epoch %lld", out->length ? "; " : "", run->name, (long long)run->epoch);
    return true;
}

static bool say_best(const struct run_summary *old, const struct run_summary *run, struct str *out)
{
    const struct metric_summary *before = metric(old, run->monitor), *now = metric(run, run->monitor);
    if (!before || !now || !isfinite(before->best) || !isfinite(now->best) || now->best_epoch <= before->best_epoch)
        return false;
    str_addf(out, "%s%s has a new best value", out->length ? "; " : "", run->name);
    say_monitored(run, out);
    return true;
}

int notices_compare(const struct run_summary *const *before, size_t n_before, const struct run_summary *const *after,
                    size_t n_after, bool best, struct str *out)
{
    int told = 0;
    for (size_t i = 0, k = 0; k < n_after; k++) {
        while (i < n_before && strcmp(before[i]->id, after[k]->id) < 0)
            i++;
        if (i == n_before || strcmp(before[i]->id, after[k]->id) != 0)
            continue;
        bool ended = say_end(before[i], after[k], out);
        told += ended + say_nan(before[i], after[k], out) + (best && !ended && say_best(before[i], after[k], out));
    }
    return told;
}

void notices_title(const struct run_summary *run, double share, int n_others, struct str *out)
{
    if (run && isfinite(share))
        str_addf(out, "%.0f%% ", floor(share * 100));
    if (run)
        str_add_visible(out, run->name);
    if (run && n_others)
        str_addf(out, " +%d", n_others);
    str_add(out, run ? " - antler" : "antler");
}
