/* queue_plan.c - see queue_plan.h */
#include "base/io.h"
#include "persistence/config/settings.h"
#include "persistence/runs/run_queue.h"
#include "tui/client/cli_text.h"
#include "tui/client/queue_plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double queue_item_share(const struct queue_item *item)
{
    const struct run_live *live = &item->live;
    if (!item->has_live || live->epochs < 1 || live->steps_per_epoch < 1)
        return NAN;
    double inside = (double)live->step_in_epoch / live->steps_per_epoch;
    return ((double)(live->epoch - 1) + (inside < 1 ? inside : 1)) / (double)live->epochs;
}

static double time_left(const struct queue_item *item)
{
    double share = queue_item_share(item), total = (double)item->live.epochs * item->live.steps_per_epoch;
    return item->live.steps_per_second > 0 && isfinite(share) ? (1 - share) * total / item->live.steps_per_second : NAN;
}

/* The worker writes what it will be; "auto" is the CPU where there is nothing else. */
static const char *device_of(const struct run_summary *run)
{
    const char *device = run->device ? run->device : "cpu";
    return str_starts(device, "cuda") ? (strchr(device, ':') ? device : "cuda:0") : "cpu";
}

static double seconds_of_an_epoch(const struct run_summary *run)
{
    int64_t epochs = run->epoch - run->parent_epoch;
    return epochs > 0 && run->duration_s > 0 && !run->source ? run->duration_s / (double)epochs : NAN;
}

/* How much another run tells about what an epoch of this one takes: its own epochs most, then those of one with the
 * same work on the same device, on another one, at last those of one that only has its name. */
static int likeness(const struct run_summary *run, const struct run_summary *other)
{
    if (other == run)
        return 4;
    if (run->work && other->work == run->work)
        return strcmp(device_of(run), device_of(other)) ? 2 : 3;
    return !strcmp(other->name, run->name);
}

/* Seconds that an epoch will take, by the newest of the runs that are most like it; NAN. */
static double epoch_seconds(const struct run_summary *run, const struct run_summary *runs, size_t n)
{
    double seconds = NAN;
    int best = 0;
    for (size_t i = 0; i < n; i++) {
        double found = likeness(run, &runs[i]) > best ? seconds_of_an_epoch(&runs[i]) : NAN;
        if (isnan(found))
            continue;
        best = likeness(run, &runs[i]);
        seconds = found;
    }
    return seconds;
}

static const struct run_summary *find(const struct run_summary *runs, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(runs[i].id, id))
            return &runs[i];
    return NULL;
}

/* A queued run with a worker is being started. */
static bool is_starting(const char *home, const struct run_summary *run)
{
    char *folder = path_join(home, run->folder);
    bool held = run->state == RUN_QUEUED && run_lock_is_held(folder);
    free(folder);
    return held;
}

static void add_running(struct queue_plan *plan, const char *home, const struct run_summary *runs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct run_summary *run = &runs[i];
        bool lives = run->state == RUN_RUNNING || run->state == RUN_PAUSED || is_starting(home, run);
        if (!lives)
            continue;
        struct queue_item *item = &plan->items[plan->n++];
        *item = (struct queue_item){.run = run, .device = arena_strdup(&plan->arena, device_of(run)), .starts_s = NAN};
        char *folder = path_join(home, run->folder);
        item->has_live = run->state != RUN_QUEUED && run_live_read(folder, &item->live);
        item->left_s = item->has_live && run->state == RUN_RUNNING ? time_left(item) : NAN;
        free(folder);
    }
}

static void add_waiting(struct queue_plan *plan, const char *home, const struct queue *queue,
                        const struct run_summary *runs, size_t n)
{
    for (size_t k = 0; k < queue->n; k++) {
        const struct run_summary *run = find(runs, n, queue->waiting[k]);
        if (!run || run->state != RUN_QUEUED || is_starting(home, run))
            continue;
        double epoch_s = epoch_seconds(run, runs, n);
        plan->items[plan->n++] = (struct queue_item){.run = run,
                                                     .waits = true,
                                                     .place = (int)++plan->n_waiting,
                                                     .device = arena_strdup(&plan->arena, queue->device[k]),
                                                     .left_s = epoch_s * (double)(run->epochs - run->epoch),
                                                     .starts_s = NAN};
    }
}

/* The time at which a place of the device is free next, and which place that is; INFINITY: nobody knows. */
static int next_place(const double *free_at, int64_t slots)
{
    int best = 0;
    for (int k = 1; k < slots; k++)
        if (free_at[k] < free_at[best])
            best = k;
    return best;
}

/* Those that train take a place each; those that wait follow in order. */
static void estimate(struct queue_plan *plan, const char *device)
{
    double free_at[QUEUE_MAX_SLOTS] = {0};
    for (size_t i = 0; i < plan->n; i++) {
        struct queue_item *item = &plan->items[i];
        if (strcmp(item->device, device) != 0)
            continue;
        int place = next_place(free_at, plan->slots);
        double start = free_at[place];
        if (item->waits)
            item->starts_s = isfinite(start) && !plan->held ? start : NAN;
        free_at[place] = start + (isnan(item->left_s) ? INFINITY : item->left_s);
    }
}

void queue_plan_make(struct queue_plan *plan, const char *home, const struct run_summary *runs, size_t n)
{
    struct queue queue;
    json_t *settings = settings_read(home, NULL);
    queue_read(home, &queue);
    *plan = (struct queue_plan){.held = queue.held, .slots = js_int(settings, "queue.slots", 1)};
    plan->items = xcalloc(n + queue.n + 1, sizeof *plan->items);
    add_running(plan, home, runs, n);
    add_waiting(plan, home, &queue, runs, n);
    for (size_t i = 0; i < plan->n; i++) {
        bool first = true;
        for (size_t j = 0; j < i; j++)
            first = first && strcmp(plan->items[j].device, plan->items[i].device) != 0;
        if (first)
            estimate(plan, plan->items[i].device);
    }
    queue_release(&queue);
    json_decref(settings);
}

void queue_plan_release(struct queue_plan *plan)
{
    free(plan->items);
    arena_release(&plan->arena);
    *plan = (struct queue_plan){0};
}

/* "digits-cnn" where one run has the only place, else "2 runs". */
static void say_who_trains(const struct queue_plan *plan, const char *device, char *text, size_t size)
{
    const struct queue_item *one = NULL;
    int n = 0;
    for (size_t i = 0; i < plan->n; i++)
        if (!plan->items[i].waits && !strcmp(plan->items[i].device, device))
            one = &plan->items[i], n++;
    if (n == 1)
        snprintf(text, size, "%.80s", one->run->name);
    else
        snprintf(text, size, n ? "%d runs" : "nothing", n);
}

void queue_plan_words(const struct queue_plan *plan, const char *run_id, char lines[QUEUE_WORDS][160])
{
    const struct queue_item *item = NULL;
    char who[100];
    for (size_t i = 0; i < plan->n; i++)
        if (!strcmp(plan->items[i].run->id, run_id))
            item = &plan->items[i];
    for (int k = 0; k < QUEUE_WORDS; k++)
        lines[k][0] = 0;
    if (!item) {
        snprintf(lines[0], sizeof lines[0], "It waits, but not in the queue of this home.");
        return;
    }
    if (!item->waits) {
        snprintf(lines[0], sizeof lines[0], "It is being started.");
        return;
    }
    say_who_trains(plan, item->device, who, sizeof who);
    snprintf(lines[0], sizeof lines[0], "Waits for a place on %.20s, where %s trains: number %d of %zu in the queue.",
             item->device, who, item->place, plan->n_waiting);
    if (plan->held)
        snprintf(lines[1], sizeof lines[1], "The queue is held: nothing starts by itself.");
    else if (isfinite(item->starts_s))
        snprintf(lines[1], sizeof lines[1], "It starts in about %s.", text_duration(item->starts_s).text);
    if (isfinite(item->left_s))
        snprintf(lines[2], sizeof lines[2], "It will take about %s.", text_duration(item->left_s).text);
}
