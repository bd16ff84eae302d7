/* histories.c - see histories.h */
#include "base/io.h"
#include "persistence/index/system_log.h"
#include "tui/client/histories.h"

#include "persistence/runs/history_log.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT_BYTES = 48 << 20, BYTES_A_POINT = 5 * 8 };

struct kept_history {
    struct history history; /* first: the public part */
    struct arena arena;
    char *run;
    int64_t log_bytes, system; /* what was read: another length or stamp, and it is read again */
    size_t bytes;
    int holders;
};

void history_drop(const struct history *history)
{
    struct kept_history *kept = (struct kept_history *)history;
    if (!kept || --kept->holders > 0)
        return;
    arena_release(&kept->arena);
    free(kept->run);
    free(kept);
}

const struct history *history_hold(const struct history *history)
{
    ((struct kept_history *)history)->holders++;
    return history;
}

/* How long each epoch, or each step, took, from the times of the records. Not known of the first one and across a fork.
 */
static bool make_pace(struct arena *arena, const struct metric_series *from, bool of_steps, struct metric_series *pace)
{
    int64_t *epoch = arena_array(arena, from->n, sizeof *epoch), *step = arena_array(arena, from->n, sizeof *step);
    double *time = arena_array(arena, from->n, sizeof *time), *value = arena_array(arena, from->n, sizeof *value);
    size_t n = 0, inherited = 0;
    for (size_t i = 1; i < from->n; i++) {
        double took = from->time[i] - from->time[i - 1];
        int64_t steps = from->step[i] - from->step[i - 1];
        bool next = of_steps ? steps > 0 : from->epoch[i] == from->epoch[i - 1] + 1;
        if (!next || i == from->n_inherited || !(took > 0))
            continue;
        epoch[n] = from->epoch[i];
        step[n] = from->step[i];
        time[n] = from->time[i];
        value[n++] = of_steps ? 1000 * took / (double)steps : took;
        inherited += i < from->n_inherited;
    }
    *pace = (struct metric_series){of_steps ? HISTORY_STEP_TIME : HISTORY_PACE, n, epoch, step, time, value, inherited};
    return n > 1;
}

static void add_pace(struct kept_history *kept)
{
    struct history *h = &kept->history;
    const struct metric_series *loss = NULL, *batches = NULL;
    struct metric_series *all = arena_array(&kept->arena, h->n + 2, sizeof *all);
    for (size_t i = 0; i < h->n; i++) {
        all[i] = h->series[i];
        if (!strcmp(all[i].name, "loss"))
            loss = &all[i];
        if (!strcmp(all[i].name, HISTORY_BATCH_LOSS))
            batches = &all[i];
    }
    h->series = all;
    if (loss && make_pace(&kept->arena, loss, false, &all[h->n]))
        h->n++;
    bool dense = batches && batches->n > 2; /* between epochs lie validation and checkpoints too */
    if ((dense || loss) && make_pace(&kept->arena, dense ? batches : loss, true, &all[h->n]))
        h->n++;
}

static int64_t batch_size_of(struct index *index, const char *run, struct arena *arena)
{
    const struct run_param *params;
    size_t n;
    int64_t size = 0;
    struct err ignored = {0};
    if (index_params(index, run, arena, &params, &n, &ignored))
        for (size_t i = 0; i < n; i++)
            if (!strcmp(params[i].key, "fit.batch_size") && !str_to_int64(params[i].json, &size))
                size = 0;
    return size > 0 ? size : 0;
}

/* As its worker said when it began; 0: a run of before that was said, or of another tool. */
static int64_t samples_of_pass(struct index *index, const char *run, struct arena *arena)
{
    const struct run_event *events;
    size_t n;
    int64_t samples = 0;
    struct err ignored = {0};
    if (!index_events(index, run, arena, &events, &n, &ignored))
        return 0;
    for (size_t i = 0; i < n && samples <= 0; i++) {
        json_t *event = strstr(events[i].json, "\"samples\"")
                            ? js_parse(events[i].json, strlen(events[i].json), "an event", JS_STRICT, &ignored)
                            : NULL;
        samples = js_int(event, "samples", 0);
        json_decref(event);
    }
    return samples > 0 ? samples : 0;
}

/* The step at which an epoch ended, by the longest series. */
static int64_t step_of_epoch(const struct history *h, int64_t epoch)
{
    int64_t step = 0;
    for (size_t m = 0; m < h->n; m++)
        for (size_t i = 0; i < h->series[m].n && h->series[m].epoch[i] <= epoch; i++)
            step = h->series[m].step[i] > step ? h->series[m].step[i] : step;
    return step;
}

/* From the run back to its first ancestor. A batch size that is not known leaves the axis of samples to the others. */
static void find_legs(struct kept_history *kept, struct index *index, const struct run_summary *run)
{
    enum { MOST = 32 };
    struct curve_leg found[MOST];
    size_t n = 0;
    struct history *h = &kept->history;
    struct err ignored = {0};
    for (const struct run_summary *r = run; r && n < MOST;) {
        found[n].batch_size = batch_size_of(index, r->id, &kept->arena);
        found[n].samples_of_pass = samples_of_pass(index, r->id, &kept->arena);
        found[n].step = r->parent_run ? step_of_epoch(h, r->parent_epoch) : 0;
        if (!found[n++].batch_size)
            return;
        r = r->parent_run ? index_find(index, r->parent_run, &kept->arena, &ignored) : NULL;
    }
    struct curve_leg *legs = arena_array(&kept->arena, n, sizeof *legs);
    for (size_t k = 0; k < n; k++) {
        legs[k] = found[n - 1 - k];
        legs[k].samples = k ? curve_leg_samples(&legs[k - 1], legs[k].step) : 0;
    }
    legs[0].step = 0;
    h->origin.legs = legs;
    h->origin.n_legs = n;
}

/* What the machine did meanwhile (system_log.h), behind the metrics. */
static void add_system(struct kept_history *kept, const char *folder)
{
    struct history *h = &kept->history;
    const struct metric_series *system;
    size_t n;
    system_read(folder, &kept->arena, &system, &n);
    struct metric_series *all = arena_array(&kept->arena, h->n + n + 1, sizeof *all);
    for (size_t i = 0; i < h->n; i++)
        all[i] = h->series[i];
    for (size_t i = 0; i < n; i++)
        all[h->n++] = system[i];
    h->series = all;
}

static struct kept_history *read_history(struct index *index, const struct run_summary *run, const char *folder,
                                         struct err *err)
{
    struct kept_history *kept = xcalloc(1, sizeof *kept);
    kept->holders = 1;
    kept->run = xstrdup(run->id);
    kept->log_bytes = run->log_bytes;
    kept->system = system_stamp(folder);
    if (!index_history(index, run->id, NULL, 0, &kept->arena, &kept->history.series, &kept->history.n, err)) {
        history_drop(&kept->history);
        return NULL;
    }
    kept->history.origin = curve_origin(kept->history.series, kept->history.n);
    add_pace(kept);
    add_system(kept, folder);
    find_legs(kept, index, run);
    for (size_t i = 0; i < kept->history.n; i++)
        kept->bytes += kept->history.series[i].n * BYTES_A_POINT;
    return kept;
}

static void forget(struct histories *histories, size_t at)
{
    history_drop(&histories->list[at]->history);
    memmove(&histories->list[at], &histories->list[at + 1], (--histories->n - at) * sizeof *histories->list);
}

static void make_room(struct histories *histories)
{
    size_t bytes = 0;
    for (size_t i = 0; i < histories->n; i++)
        bytes += histories->list[i]->bytes;
    while (histories->n > 1 && bytes > KEPT_BYTES) {
        bytes -= histories->list[0]->bytes;
        forget(histories, 0);
    }
}

const struct history *histories_take(struct histories *histories, struct index *index, const struct run_summary *run,
                                     struct err *err)
{
    struct kept_history *kept = NULL;
    for (size_t i = 0; i < histories->n && !kept; i++)
        if (!strcmp(histories->list[i]->run, run->id)) {
            kept = histories->list[i];
            kept->holders++;
            forget(histories, i);
        }
    char *folder = index_run_folder(index, run);
    if (kept && (kept->log_bytes != run->log_bytes || kept->system != system_stamp(folder))) {
        history_drop(&kept->history);
        kept = NULL;
    }
    if (!kept)
        kept = read_history(index, run, folder, err);
    free(folder);
    if (!kept)
        return NULL;
    histories->list = xgrow(histories->list, &histories->capacity, histories->n + 1, sizeof(struct kept_history *));
    histories->list[histories->n++] = kept;
    make_room(histories);
    kept->holders++;
    return &kept->history;
}

void histories_release(struct histories *histories)
{
    while (histories->n)
        forget(histories, histories->n - 1);
    free(histories->list);
    *histories = (struct histories){0};
}
