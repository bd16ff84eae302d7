/* form_start.c - where a form comes from, the check of what it holds, and the run that comes out of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "persistence/config/run_config.h"
#include "persistence/runs/run_queue.h"
#include "tui/app/views.h"
#include "tui/client/cli_request.h"
#include "tui/client/train_request.h"
#include "tui/client/worker_client.h"
#include "tui/form/form_view.h"

static const double CHECK_AFTER_S = 0.3;

/* ---- opening ---- */

static bool open_config(struct form_view *v, const char *path, struct err *err)
{
    json_t *config = train_read_config(path, &v->folder, err);
    if (!config)
        return false;
    snprintf(v->path, sizeof v->path, "%s", path);
    v->where = xstrdup(path);
    form_init(&v->form, config);
    return true;
}

static bool open_run(struct app *app, struct form_view *v, const char *id, struct err *err)
{
    const struct run_summary *run = app_find_run(app, id);
    if (!run)
        return err_set(err, ERR_NOT_FOUND, "the run '%s' is gone", id);
    char *folder = app_run_folder(app, run);
    json_t *config = run->watched ? json_pack("{s:s}", "name", run->name) : run_read_config(folder, err);
    if (config) {
        snprintf(v->run, sizeof v->run, "%s", id);
        v->watched = run->watched;
        snprintf(v->path, sizeof v->path, "%s/config.json", folder);
        v->folder = xstrdup(js_string(config, "folder", folder));
        v->where = xprintf("the config of %s", id);
        form_init(&v->form, config);
    }
    free(folder);
    return config != NULL;
}

/* A parent that has reached its planned epochs leaves nothing to do: as many again. */
static bool give_epochs(struct form_view *v, struct err *err)
{
    int64_t planned = js_int(json_object_get(v->form.config, "fit"), "epochs", 1);
    return v->epoch < planned || form_put(&v->form, "fit.epochs", json_integer(v->epoch + planned), err);
}

/* As it was recorded, or ordered, when the checkpoint was written. */
static double rate_at(struct app *app, const char *id, int64_t step)
{
    const struct run_summary *run = app_find_run(app, id);
    struct err ignored;
    const struct history *history = run ? histories_take(&app->histories, app->index, run, &ignored) : NULL;
    double rate = NAN;
    for (size_t m = 0; history && m < history->n; m++)
        for (size_t i = 0; !strcmp(history->series[m].name, HISTORY_RATE) && i < history->series[m].n; i++)
            if (history->series[m].step[i] <= step)
                rate = history->series[m].value[i];
    history_drop(history);
    return rate;
}

static bool find_checkpoint(struct app *app, struct form_view *v, struct err *err)
{
    struct arena arena = {0};
    const struct checkpoint_summary *all;
    size_t n, i = 0;
    bool ok = index_checkpoints(app->index, v->run, &arena, &all, &n, err);
    for (i = 0; ok && i < n; i++)
        if (!strcmp(all[i].name, path_name(v->path)))
            break;
    if (ok && i == n)
        ok = err_set(err, ERR_NOT_FOUND, "the checkpoint '%s' is gone", v->path);
    if (ok) {
        v->epoch = all[i].epoch;
        v->step = all[i].step;
        v->weights_only = all[i].weights_only;
        v->rate = rate_at(app, v->run, v->step);
    }
    arena_release(&arena);
    return ok;
}

static bool open_checkpoint(struct app *app, struct form_view *v, const char *argument, struct err *err)
{
    const char *colon = strchr(argument, ':');
    char *id = xstrndup(argument, colon ? (size_t)(colon - argument) : 0);
    bool ok = colon && open_run(app, v, id, err);
    free(id);
    if (!ok)
        return false;
    char *path = cli_absolute(colon + 1), *real = v->watched ? realpath(path, NULL) : NULL;
    snprintf(v->path, sizeof v->path, "%s", path);
    ok = !real || form_put(&v->form, "model.file", json_string(real), err);
    free(real);
    free(path);
    if (!ok || !find_checkpoint(app, v, err) || !give_epochs(v, err))
        return false;
    form_view_suggest(app, v);
    v->n_given = form_changes(&v->form);
    return true;
}

bool form_view_open(struct app *app, struct form_view *v, const char *argument, struct err *err)
{
    bool ok = err_set(err, ERR_USAGE, "nothing to open in the form");
    if (str_starts(argument, "config:")) {
        ok = open_config(v, argument + 7, err);
    } else if (str_starts(argument, "run:")) {
        v->source = FORM_OF_RUN;
        ok = open_run(app, v, argument + 4, err);
    } else if (str_starts(argument, "waiting:")) {
        v->source = FORM_OF_WAITING;
        ok = open_run(app, v, argument + 8, err);
    } else if (str_starts(argument, "checkpoint:")) {
        v->source = FORM_OF_CHECKPOINT;
        ok = open_checkpoint(app, v, argument + 11, err);
    }
    if (!ok) {
        form_release(&v->form);
        free(v->folder);
        free(v->where);
        return false;
    }
    v->changed_at = -1; /* long ago: the first check starts at once */
    return true;
}

/* ---- checking ---- */

static struct form_view *form_on_stack(struct app *app)
{
    for (int i = 0; i < app->depth; i++)
        if (app->stack[i].ops == &view_form)
            return app->stack[i].state;
    return NULL;
}

static json_t *take_result(struct app_job *job)
{
    json_t *result = job->result;
    job->result = NULL;
    job->number = 0; /* not one that a person has asked for: it leaves the list of jobs */
    return result;
}

static void select_path(struct form_view *v, const char *path)
{
    int at = form_find(&v->form, path);
    v->list.count = (int)v->form.n_rows;
    v->list.selected = at >= 0 ? at : v->list.selected < v->list.count ? v->list.selected : v->list.count - 1;
}

static void rebuild(struct app *app, struct form_view *v)
{
    char selected[256] = "";
    if (v->form.n_rows)
        snprintf(selected, sizeof selected, "%s", v->form.rows[v->list.selected].path);
    form_build(&v->form, app->classes);
    select_path(v, selected);
}

static void described(struct app *app, struct app_job *job)
{
    bool done = job->state == JOB_DONE;
    json_t *result = take_result(job);
    struct form_view *v = form_on_stack(app);
    if (!done || app->classes) {
        json_decref(result);
        return;
    }
    app->classes = result;
    if (v)
        rebuild(app, v);
}

/* "digits.json: model.layers[0].units: ..." is about a field. */
static void show_error(struct app *app, struct form_view *v, const struct err *error)
{
    const char *text = error->text;
    size_t n = strlen(v->where);
    char selected[256];
    snprintf(selected, sizeof selected, "%s", v->form.rows[v->list.selected].path);
    if (!strncmp(text, v->where, n) && str_starts(text + n, ": "))
        text += n + 2;
    int at = form_place(&v->form, text);
    snprintf(v->error_at, sizeof v->error_at, "%s", at >= 0 ? v->form.rows[at].path : "");
    size_t place = strlen(v->error_at);
    if (place && !strncmp(text, v->error_at, place) && str_starts(text + place, ": "))
        text += place + 2;
    snprintf(v->error, sizeof v->error, "%s", text);
    form_build(&v->form, app->classes);
    select_path(v, selected);
}

static void checked(struct app *app, struct app_job *job)
{
    int number = job->number;
    enum job_state state = job->state;
    struct err error = job->error;
    json_t *result = take_result(job);
    struct form_view *v = form_on_stack(app);
    if (!v || v->check_job != number) {
        json_decref(result);
        return;
    }
    v->check_job = 0;
    v->error[0] = v->error_at[0] = 0;
    if (state == JOB_DONE) {
        json_decref(v->check);
        v->check = result;
    } else if (state == JOB_FAILED) {
        show_error(app, v, &error);
    }
}

void form_view_changed(struct app *app, struct form_view *v)
{
    form_view_suggest(app, v);
    rebuild(app, v);
    v->changed_at = app->now;
}

int form_view_tick(struct app *app, struct form_view *v)
{
    struct err err = {0};
    if (!app->classes && !v->form.n_rows)
        app_start_job(app, "describe", json_object(), "what layers and optimizers take", "", described, &err);
    if (!v->form.n_rows)
        rebuild(app, v);
    if (isnan(v->changed_at) || app->now - v->changed_at < CHECK_AFTER_S)
        return LOOP_NOTHING;
    struct app_job *old = app_find_job(app, v->check_job);
    v->check_job = 0;
    v->changed_at = NAN;
    if (old)
        app_cancel_job(app, old);
    json_t *request = json_pack("{s:O,s:s,s:s}", "config", v->form.config, "folder", v->folder, "where", v->where);
    struct app_job *job = app_start_job(app, "check", request, "check", v->path, checked, &err);
    if (job)
        v->check_job = job->number;
    else
        snprintf(v->error, sizeof v->error, "%s", err.text);
    return LOOP_DRAW;
}

/* ---- starting ---- */

void form_view_command(const struct app *app, const struct form_view *v, struct str *out)
{
    const char *usual = getenv("ANTLER_HOME");
    str_add(out, "antler ");
    if (strcmp(app->home, usual && *usual ? usual : "./runs") != 0) {
        str_add(out, "--home ");
        add_shell_word(out, app->home);
        str_add_char(out, ' ');
    }
    str_add(out, v->source == FORM_OF_CHECKPOINT ? "resume " : v->source == FORM_OF_WAITING ? "queue edit " : "train ");
    if (v->source == FORM_OF_WAITING) {
        add_shell_word(out, v->run);
    } else if (v->source == FORM_OF_CHECKPOINT) {
        char *text = xprintf("%s:%lld", app_run_word(app, v->run), (long long)v->epoch);
        add_shell_word(out, text);
        free(text);
    } else {
        add_shell_word(out, v->path);
    }
}

static json_t *start_request(const struct app *app, const struct form_view *v)
{
    json_t *request = train_request(app->home, v->form.config, v->folder, v->where);
    if (v->source == FORM_OF_CHECKPOINT && v->watched) { /* a file of its own: its run is not one of the home */
        char *real = realpath(v->path, NULL);
        json_object_set_new(request, "checkpoint", json_string(real ? real : v->path));
        free(real);
    } else if (v->source == FORM_OF_CHECKPOINT) {
        char *checkpoints = path_folder(v->path), *run = path_folder(checkpoints);
        json_object_set_new(request, "run", json_string(run));
        json_object_set_new(request, "checkpoint", json_string(path_name(v->path)));
        free(checkpoints);
        free(run);
    }
    return request;
}

/* The form is closed first: what is shown next may lie below it. */
static int save_waiting(struct app *app, struct form_view *v)
{
    struct err err = {0};
    if (!config_check(v->form.config, v->where, &err) || !queue_edit(app->home, v->run, v->form.config, &err))
        return app_fail(app, &err);
    app_back(app);
    app_refresh(app, true);
    app_say(app, STYLE_GOOD, "changed: it waits on");
    return LOOP_DRAW;
}

int form_view_enqueue(struct app *app, struct form_view *v)
{
    if (v->source == FORM_OF_WAITING)
        return save_waiting(app, v);
    json_t *request = start_request(app, v);
    int flags = app_enqueue(app, v->source == FORM_OF_CHECKPOINT ? "resume" : "train", request);
    json_decref(request);
    return flags;
}

int form_view_start(struct app *app, struct form_view *v)
{
    if (v->source == FORM_OF_WAITING)
        return save_waiting(app, v);
    json_t *request = start_request(app, v);
    int flags = app_launch(app, v->source == FORM_OF_CHECKPOINT ? "resume" : "train", request);
    json_decref(request);
    return flags;
}
