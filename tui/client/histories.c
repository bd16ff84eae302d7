/* histories.c - see histories.h */
#include "base/io.h"
#include "persistence/index/system_log.h"
#include "tui/client/histories.h"
#include "tui/client/run_course.h"

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

/* How long each epoch, or each step, took, from the times of the records, without what nobody trained in between. Not
 * known of the first one and across a fork. */
static bool make_pace(struct arena *arena, const struct metric_series *from, const struct curve_origin *origin,
                      bool of_steps, struct metric_series *pace)
{
    int64_t *epoch = arena_array(arena, from->n, sizeof *epoch), *step = arena_array(arena, from->n, sizeof *step);
    double *time = arena_array(arena, from->n, sizeof *time), *value = arena_array(arena, from->n, sizeof *value);
    size_t n = 0, inherited = 0;
    for (size_t i = 1; i < from->n; i++) {
        double took = curve_since(origin, from->time[i]) - curve_since(origin, from->time[i - 1]);
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
    if (loss && make_pace(&kept->arena, loss, &h->origin, false, &all[h->n]))
        h->n++;
    bool dense = batches && batches->n > 2; /* between epochs lie validation and checkpoints too */
    if ((dense || loss) && make_pace(&kept->arena, dense ? batches : loss, &h->origin, true, &all[h->n]))
        h->n++;
}

/* What it was trained with, an epoch a value, where the worker recorded none because nothing
 * but a person changes it. */
static void add_rate(struct kept_history *kept, const struct course *course)
{
    struct history *h = &kept->history;
    const struct metric_series *loss = NULL;
    for (size_t i = 0; i < h->n; i++) {
        if (!strcmp(h->series[i].name, HISTORY_RATE))
            return;
        if (!strcmp(h->series[i].name, "loss"))
            loss = &h->series[i];
    }
    if (!loss || !course->n_rates)
        return;
    struct metric_series *all = arena_array(&kept->arena, h->n + 1, sizeof *all);
    double *value = arena_array(&kept->arena, loss->n + 1, sizeof *value);
    for (size_t i = 0; i < loss->n; i++)
        value[i] = course_rate_at(course, loss->step[i]);
    memcpy(all, h->series, h->n * sizeof *all);
    all[h->n] = *loss;
    all[h->n].name = HISTORY_RATE;
    all[h->n++].value = value;
    h->series = all;
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
    struct history *h = &kept->history;
    struct course course = course_of(index, run, h->series, h->n, &kept->arena);
    h->origin = curve_origin(h->series, h->n);
    if (course.begun < h->origin.time)
        h->origin.time = course.begun;
    h->origin.legs = course.legs;
    h->origin.n_legs = course.n_legs;
    h->origin.rests = course.rests;
    h->origin.n_rests = course.n_rests;
    add_rate(kept, &course);
    add_pace(kept);
    add_system(kept, folder);
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
