/* run_course.c - see run_course.h */
#include "tui/client/run_course.h"

#include "persistence/runs/run_commands.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ANCESTORS = 32 };

struct ancestor { /* the run itself first, then its parent, ... */
    int64_t from; /* the step behind which the records are its own */
    double until; /* its events from then on are not part of the course */
    int64_t upto; /* nor are those behind this step */
    bool whole;   /* it has no parent */
    const struct run_param *params;
    const struct run_event *events;
    size_t n_params, n_events;
};

struct teller {
    struct ancestor list[MOST_ANCESTORS];
    size_t n;
    const struct metric_series *series;
    size_t n_series;
    struct arena *arena;
};

/* The step at which an epoch ended, by the longest series. */
static int64_t step_of_epoch(const struct teller *t, int64_t epoch)
{
    int64_t step = 0;
    for (size_t m = 0; m < t->n_series; m++)
        for (size_t i = 0; i < t->series[m].n && t->series[m].epoch[i] <= epoch; i++)
            step = t->series[m].step[i] > step ? t->series[m].step[i] : step;
    return step;
}

static void find_ancestors(struct teller *t, struct index *index, const struct run_summary *run)
{
    double until = INFINITY;
    int64_t upto = INT64_MAX;
    struct err ignored = {0};
    for (const struct run_summary *r = run; r && t->n < MOST_ANCESTORS;) {
        struct ancestor *a = &t->list[t->n++];
        *a = (struct ancestor){.from = r->parent_run ? step_of_epoch(t, r->parent_epoch) : 0,
                               .until = until,
                               .upto = upto,
                               .whole = !r->parent_run};
        if (!index_params(index, r->id, t->arena, &a->params, &a->n_params, &ignored))
            a->n_params = 0;
        if (!index_events(index, r->id, t->arena, &a->events, &a->n_events, &ignored))
            a->n_events = 0;
        until = a->n_events ? a->events[0].time : r->created;
        upto = a->from;
        r = r->parent_run ? index_find(index, r->parent_run, t->arena, &ignored) : NULL;
    }
}

static const char *param(const struct ancestor *a, const char *key)
{
    for (size_t i = 0; i < a->n_params; i++)
        if (!strcmp(a->params[i].key, key))
            return a->params[i].json;
    return NULL;
}

static json_t *parse(const struct run_event *event)
{
    return js_parse(event->json, strlen(event->json), "an event", JS_STRICT, NULL);
}

/* ---- samples ---- */

static int64_t batch_size_of(const struct ancestor *a)
{
    int64_t size = 0;
    const char *json = param(a, "fit.batch_size");
    return json && str_to_int64(json, &size) && size > 0 ? size : 0;
}

/* As its worker said when it began; 0: a run of before that was said, or of another tool. */
static int64_t samples_of_pass(const struct ancestor *a)
{
    int64_t samples = 0;
    for (size_t i = 0; i < a->n_events && samples <= 0; i++) {
        json_t *event = strstr(a->events[i].json, "\"samples\"") ? parse(&a->events[i]) : NULL;
        samples = js_int(event, "samples", 0);
        json_decref(event);
    }
    return samples > 0 ? samples : 0;
}

/* A batch size that is not known leaves the axis of samples to the others. */
static void find_legs(const struct teller *t, struct course *course)
{
    struct curve_leg *legs = arena_array(t->arena, t->n, sizeof *legs);
    for (size_t k = 0; k < t->n; k++) {
        const struct ancestor *a = &t->list[t->n - 1 - k];
        legs[k] = (struct curve_leg){
            .step = k ? a->from : 0, .batch_size = batch_size_of(a), .samples_of_pass = samples_of_pass(a)};
        if (!legs[k].batch_size)
            return;
        legs[k].samples = k ? curve_leg_samples(&legs[k - 1], legs[k].step) : 0;
    }
    course->legs = legs;
    course->n_legs = t->n;
}

/* ---- rests ---- */

static double begun(const struct teller *t)
{
    const struct ancestor *first = &t->list[t->n - 1];
    json_t *json = first->whole && first->n_events ? parse(&first->events[0]) : NULL;
    bool started = !strcmp(js_string(json, "event", ""), "started");
    json_decref(json);
    return started ? first->events[0].time : NAN;
}

/* The time of the last record before a moment; NAN: there is none. */
static double last_record(const struct teller *t, double before)
{
    double last = NAN;
    for (size_t m = 0; m < t->n_series; m++) {
        size_t lo = 0, hi = t->series[m].n;
        while (lo < hi) {
            size_t middle = (lo + hi) / 2;
            if (t->series[m].time[middle] < before)
                lo = middle + 1;
            else
                hi = middle;
        }
        if (lo && !(t->series[m].time[lo - 1] <= last))
            last = t->series[m].time[lo - 1];
    }
    return last;
}

/* Most events are of checkpoints: only those that may tell of a rest are parsed. */
static bool may_tell_of_rest(const struct run_event *event)
{
    static const char *const words[] = {"\"started\"", "\"resumed\"", "\"branched\"", "\"pause\"", "\"continue\""};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(event->json, words[i]))
            return true;
    return false;
}

/* When the rest that this event ends began; NAN: it ends none. paused: since when, NAN: it is not. */
static double rest_before(const struct teller *t, const struct run_event *event, double *paused)
{
    json_t *json = may_tell_of_rest(event) ? parse(event) : NULL;
    const char *kind = js_string(json, "event", ""), *command = js_string(json, "command", "");
    bool begins = !strcmp(kind, "started") || !strcmp(kind, "resumed") || !strcmp(kind, "branched"),
         done = js_bool(json, "ok", false);
    double since = NAN;
    if (begins) {
        since = last_record(t, event->time);
        *paused = NAN;
    } else if (done && !strcmp(command, "pause")) {
        *paused = event->time;
    } else if (done && !strcmp(command, "continue")) {
        since = *paused;
        *paused = NAN;
    }
    json_decref(json);
    return since;
}

static int compare_rests(const void *a, const void *b)
{
    double x = ((const struct curve_rest *)a)->from, y = ((const struct curve_rest *)b)->from;
    return (x > y) - (x < y);
}

static void find_rests(const struct teller *t, struct course *course)
{
    size_t most = 0, n = 0, kept = 0;
    for (size_t k = 0; k < t->n; k++)
        most += t->list[k].n_events;
    struct curve_rest *rests = arena_array(t->arena, most + 1, sizeof *rests);
    for (size_t k = 0; k < t->n; k++) {
        const struct ancestor *a = &t->list[k];
        double paused = NAN;
        for (size_t i = 0; i < a->n_events && a->events[i].time < a->until; i++) {
            double since = rest_before(t, &a->events[i], &paused);
            if (since < a->events[i].time)
                rests[n++] = (struct curve_rest){since, a->events[i].time};
        }
    }
    qsort(rests, n, sizeof *rests, compare_rests);
    for (size_t i = 0; i < n; i++)
        if (kept && rests[i].from <= rests[kept - 1].to)
            rests[kept - 1].to = fmax(rests[kept - 1].to, rests[i].to);
        else
            rests[kept++] = rests[i];
    course->rests = rests;
    course->n_rests = kept;
}

/* ---- learning rate ---- */

static double rate_of_config(const struct ancestor *a)
{
    double rate;
    const char *json = param(a, "compile.optimizer.learning_rate");
    return json && str_to_double(json, &rate) ? rate : NAN;
}

static double rate_of_event(const struct run_event *event)
{
    json_t *json = strstr(event->json, "\"learning_rate\"") ? parse(event) : NULL;
    double rate = run_event_learning_rate(json);
    json_decref(json);
    return rate;
}

/* A branch goes on with the rate its checkpoint had reached, unless its config says another one than the parent's. */
static void find_rates(const struct teller *t, struct course *course)
{
    size_t most = t->n, n = 0;
    bool any = false;
    for (size_t k = 0; k < t->n; k++)
        most += t->list[k].n_events;
    struct course_rate *rates = arena_array(t->arena, most + 1, sizeof *rates);
    for (size_t k = t->n; k-- > 0;) {
        const struct ancestor *a = &t->list[k], *parent = k + 1 < t->n ? &t->list[k + 1] : NULL;
        double rate = rate_of_config(a);
        if (!parent || rate != rate_of_config(parent)) /* also where one of them is a schedule */
            rates[n++] = (struct course_rate){a->from, rate};
        for (size_t i = 0; i < a->n_events && a->events[i].time < a->until; i++) {
            double told = a->events[i].step <= a->upto ? rate_of_event(&a->events[i]) : NAN;
            if (!isnan(told))
                rates[n++] = (struct course_rate){a->events[i].step, told};
        }
    }
    for (size_t i = 0; i < n; i++)
        any |= !isnan(rates[i].rate);
    course->rates = rates;
    course->n_rates = any ? n : 0;
}

double course_rate_at(const struct course *course, int64_t step)
{
    double rate = NAN;
    for (size_t i = 0; i < course->n_rates && course->rates[i].step < step; i++)
        rate = course->rates[i].rate;
    return rate;
}

struct course course_of(struct index *index, const struct run_summary *run, const struct metric_series *series,
                        size_t n, struct arena *arena)
{
    struct course course = {0};
    struct teller teller = {.series = series, .n_series = n, .arena = arena};
    find_ancestors(&teller, index, run);
    course.begun = begun(&teller);
    find_legs(&teller, &course);
    find_rests(&teller, &course);
    find_rates(&teller, &course);
    return course;
}
