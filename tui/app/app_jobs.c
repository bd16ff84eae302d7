/* app_jobs.c - questions to the worker that take their time: started, polled between frames, cancelled. */
#include "base/arena.h"
#include "base/io.h"
#include "tui/app/app_parts.h"
#include "tui/client/worker_client.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* A free place, or that of the oldest job that has ended. */
static struct app_job *place_for_job(struct app *app)
{
    struct app_job *best = NULL;
    for (int i = 0; i < APP_MAX_JOBS; i++) {
        struct app_job *job = &app->jobs[i];
        if (!job->number)
            return job;
        if (job->state != JOB_RUNNING && (!best || job->number < best->number))
            best = job;
    }
    return best;
}

typedef struct worker_job *start_function(const char *job, const json_t *request, struct err *err);

static struct app_job *start_job(struct app *app, start_function *start, const char *job, const json_t *request,
                                 const char *title, const char *subject, void (*done)(struct app *, struct app_job *),
                                 struct err *err)
{
    struct app_job *place = place_for_job(app);
    if (!place)
        return err_null(err, ERR_FAILED, "%d jobs run already: wait for one to end, or cancel one (5)", APP_MAX_JOBS);
    struct worker_job *worker = start(job, request, err);
    if (!worker)
        return NULL;
    json_decref(place->result);
    json_decref(place->progress);
    *place = (struct app_job){
        .number = ++app->last_job, .worker = worker, .started = app->now, .share = NAN, .left_s = NAN, .done = done};
    snprintf(place->job, sizeof place->job, "%s", job);
    snprintf(place->title, sizeof place->title, "%s", title);
    snprintf(place->subject, sizeof place->subject, "%s", subject);
    return place;
}

struct app_job *app_start_job(struct app *app, const char *job, json_t *request, const char *title, const char *subject,
                              void (*done)(struct app *, struct app_job *), struct err *err)
{
    struct app_job *started = start_job(app, worker_start, job, request, title, subject, done, err);
    json_decref(request);
    return started;
}

struct app_job *app_start_detached(struct app *app, const char *job, const json_t *request,
                                   void (*done)(struct app *, struct app_job *), struct err *err)
{
    return start_job(app, worker_start_detached, job, request, "starting a run", "", done, err);
}

struct app_job *app_find_job(struct app *app, int number)
{
    for (int i = 0; number && i < APP_MAX_JOBS; i++)
        if (app->jobs[i].number == number)
            return &app->jobs[i];
    return NULL;
}

static void end_job(struct app *app, struct app_job *job, enum job_state state)
{
    worker_end(job->worker);
    job->worker = NULL;
    job->state = state;
    job->ended = app->now;
    if (job->done)
        job->done(app, job);
}

void app_cancel_job(struct app *app, struct app_job *job)
{
    if (job->state == JOB_RUNNING)
        end_job(app, job, JOB_CANCELLED);
}

void app_forget_job(struct app_job *job)
{
    if (job->worker)
        return;
    json_decref(job->result);
    json_decref(job->progress);
    *job = (struct app_job){.state = JOB_DONE};
}

bool app_busy(const struct app *app)
{
    for (int i = 0; i < APP_MAX_JOBS; i++)
        if (app->jobs[i].number && app->jobs[i].state == JOB_RUNNING)
            return true;
    return false;
}

static bool poll_job(struct app *app, struct app_job *job)
{
    const json_t *progress = NULL;
    json_t *result = NULL;
    int got = worker_poll(job->worker, &result, &progress, &job->error);
    if (got == 0) {
        if (!progress)
            return false;
        json_t *last = job->progress;
        job->progress = json_incref((json_t *)progress);
        json_decref(last);
        job->share = js_double(progress, "progress", NAN);
        job->left_s = js_double(progress, "left_s", NAN);
        snprintf(job->text, sizeof job->text, "%s", js_string(progress, "text", ""));
        return true;
    }
    job->result = result;
    end_job(app, job, got > 0 ? JOB_DONE : JOB_FAILED);
    return true;
}

void app_wait_job(struct app *app, struct app_job *job, int wait_ms)
{
    double end = io_monotonic_seconds() + wait_ms / 1000.0;
    while (job->state == JOB_RUNNING) {
        struct pollfd ready = {.fd = worker_fd(job->worker), .events = POLLIN};
        int left_ms = (int)((end - io_monotonic_seconds()) * 1000);
        if (left_ms <= 0 || poll(&ready, 1, left_ms) <= 0)
            return;
        poll_job(app, job);
    }
}

bool app_poll_jobs(struct app *app)
{
    bool changed = false;
    for (int i = 0; i < APP_MAX_JOBS; i++)
        if (app->jobs[i].number && app->jobs[i].state == JOB_RUNNING)
            changed = poll_job(app, &app->jobs[i]) || changed;
    return changed;
}
