/* app_launch.c - a run is started: its curve is shown, and what was kept and what starts anew is said. */
#include "tui/app/app_parts.h"

#include <string.h>

/* Small data are read in so much time: the curve is there at once. Larger ones are waited for between frames. */
enum { AT_ONCE_MS = 200 };

/* The worker's notes of one kind ("kept", "anew", "warning"), joined. */
static void add_notes(struct str *out, const json_t *notes, const char *kind)
{
    const json_t *note;
    size_t i, n = 0;
    json_array_foreach((json_t *)notes, i, note) {
        const char *text = js_string(note, kind, NULL);
        if (text && !n++)
            str_addf(out, "%s%s: %s", out->length ? "   " : "", kind, text);
        else if (text)
            str_addf(out, ", %s", text);
    }
}

static void say_notes(struct app *app, const json_t *notes)
{
    struct str text = {0};
    add_notes(&text, notes, "warning");
    bool warned = text.length > 0;
    add_notes(&text, notes, "anew");
    add_notes(&text, notes, "kept");
    if (text.length)
        app_say(app, warned ? STYLE_WARNING : STYLE_GOOD, "%s", str_text(&text));
    str_release(&text);
}

static bool is_on_top(const struct app *app, const char *view)
{
    return app->depth > 1 && !strcmp(app->stack[app->depth - 1].ops->name, view);
}

static void show_run(struct app *app, const json_t *launched)
{
    while (is_on_top(app, "form") || is_on_top(app, "new"))
        app_back(app);
    app_refresh(app, true);
    app_go(app, "run", js_string(launched, "run", ""));
    say_notes(app, json_object_get(launched, "notes"));
}

static int not_started(struct app *app, const struct err *err)
{
    return app_ask(app, DIALOG_MESSAGE, "the run was not started", err->text, NULL, NULL, NULL);
}

static void launched(struct app *app, struct app_job *job)
{
    json_t *result = job->result;
    struct err error = job->error;
    bool done = job->state == JOB_DONE, failed = job->state == JOB_FAILED;
    job->result = NULL;
    job->number = 0; /* it has become a run, or a message: it leaves the list of jobs */
    app->message[0] = 0;
    if (done)
        show_run(app, result);
    else if (failed)
        not_started(app, &error);
    json_decref(result);
}

static void enqueued(struct app *app, struct app_job *job)
{
    json_t *result = job->result;
    struct err error = job->error;
    bool done = job->state == JOB_DONE, failed = job->state == JOB_FAILED;
    job->result = NULL;
    job->number = 0;
    app->message[0] = 0;
    if (failed)
        not_started(app, &error);
    if (done) {
        while (is_on_top(app, "form") || is_on_top(app, "new"))
            app_back(app);
        app_refresh(app, true);
        app_go(app, "jobs", NULL);
        say_notes(app, json_object_get(result, "notes"));
    }
    json_decref(result);
}

static bool is_starting(const struct app *app)
{
    for (int i = 0; i < APP_MAX_JOBS; i++)
        if (app->jobs[i].number && app->jobs[i].state == JOB_RUNNING &&
            (app->jobs[i].done == launched || app->jobs[i].done == enqueued))
            return true;
    return false;
}

int app_launch(struct app *app, const char *job, const json_t *request)
{
    struct err err = {0};
    if (is_starting(app)) {
        app_say(app, STYLE_WARNING, "a run is being started: its worker still reads the data");
        return LOOP_DRAW;
    }
    struct app_job *started = app_start_detached(app, job, request, launched, &err);
    if (!started)
        return not_started(app, &err);
    app_wait_job(app, started, AT_ONCE_MS);
    if (is_starting(app))
        app_say(app, STYLE_TEXT, "starting: the worker reads the data first");
    return LOOP_DRAW;
}

int app_enqueue(struct app *app, const char *job, const json_t *request)
{
    struct err err = {0};
    if (is_starting(app)) {
        app_say(app, STYLE_WARNING, "a run is being checked or started: its worker still reads the data");
        return LOOP_DRAW;
    }
    json_t *queued = json_copy((json_t *)request);
    json_object_set_new(queued, "queue", json_true());
    struct app_job *started = app_start_job(app, job, queued, "into the queue", "", enqueued, &err);
    if (!started)
        return not_started(app, &err);
    app_wait_job(app, started, AT_ONCE_MS);
    if (is_starting(app))
        app_say(app, STYLE_TEXT, "checking: the worker reads the data first");
    return LOOP_DRAW;
}
