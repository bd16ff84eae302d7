/* checkpoint_actions.c - what can be done with a checkpoint from any view: evaluate, predict, resume, branch, inspect,
 * diff.
 *
 * Resume: an interrupted or stopped run can go on in place; from any checkpoint a new run can go on as its child. Which
 * of the two happens is always said before it happens.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "tui/app/app.h"
#include "tui/client/cli_request.h"
#include "tui/client/train_request.h"

/* "RUN-ID:PATH" of the app's subject, taken apart. free() both. */
static void split_subject(const char *subject, char **id, char **path)
{
    const char *colon = strchr(subject, ':');
    *id = xstrndup(subject, colon ? (size_t)(colon - subject) : strlen(subject));
    *path = xstrdup(colon ? colon + 1 : "");
}

static int64_t planned_epochs(const struct app *app, const struct run_summary *run)
{
    struct err ignored;
    char *folder = app_run_folder(app, run);
    json_t *config = run_read_config(folder, &ignored);
    int64_t epochs = js_int(json_object_get(config, "fit"), "epochs", run->epochs);
    json_decref(config);
    free(folder);
    return epochs;
}

/* ---- as a child ---- */

static json_t *child_request(struct app *app, const struct run_summary *run, const char *path, int64_t epochs,
                             struct err *err)
{
    char *folder = app_run_folder(app, run);
    json_t *config = run_read_config(folder, err), *request = NULL;
    if (config) {
        char *where = xprintf("the config of %s", run->id);
        request = train_request(app->home, config, js_string(config, "folder", folder), where);
        json_object_set_new(request, "run", json_string(folder));
        json_object_set_new(request, "checkpoint", json_string(path_name(path)));
        json_object_set_new(request, "epochs", json_integer((json_int_t)epochs));
        free(where);
    }
    json_decref(config);
    free(folder);
    return request;
}

static bool answer_child(struct app *app, const char *subject, const char *text, struct err *err)
{
    int64_t epochs;
    if (!str_to_int64(text, &epochs) || epochs < 1)
        return err_set(err, ERR_USAGE,
                       "found '%.40s', expected a whole number of epochs in all, counted from the very first", text);
    char *id, *path;
    split_subject(subject, &id, &path);
    const struct run_summary *run = app_find_run(app, id);
    json_t *request = run ? child_request(app, run, path, epochs, err) : NULL;
    bool ok = request || (!run && err_set(err, ERR_NOT_FOUND, "the run '%s' is gone", id));
    if (request)
        app_launch(app, "resume", request);
    json_decref(request);
    free(id);
    free(path);
    return ok;
}

static int ask_child(struct app *app, const struct run_summary *run, const char *path, int64_t epoch)
{
    char text[400], initial[32], subject[sizeof app->subject];
    int64_t planned = planned_epochs(app, run), epochs = epoch < planned ? planned : epoch + planned;
    snprintf(text, sizeof text,
             "A new run goes on from epoch %lld of %.120s with everything it had; %.120s itself stays as it is. Until "
             "which epoch, counted from the very first?",
             (long long)epoch, run->name, run->name);
    snprintf(initial, sizeof initial, "%lld", (long long)epochs);
    snprintf(subject, sizeof subject, "%s:%s", run->id, path);
    return app_ask(app, DIALOG_TEXT, "resume as a child run", text, initial, subject, answer_child);
}

/* ---- in place ---- */

static int resume_in_place(struct app *app, const char *id, bool waits)
{
    const struct run_summary *run = app_find_run(app, id);
    if (!run)
        return LOOP_DRAW;
    char *folder = app_run_folder(app, run), *home = cli_absolute(app->home);
    json_t *request = json_pack("{s:s,s:s}", "home", home, "run", folder);
    int flags = waits ? app_enqueue(app, "resume", request) : app_launch(app, "resume", request);
    json_decref(request);
    free(folder);
    free(home);
    return flags;
}

static int choose_resume(struct app *app, int line)
{
    char *id, *path;
    int flags = LOOP_DRAW;
    split_subject(app->subject, &id, &path);
    const struct run_summary *run = app_find_run(app, id);
    const struct checkpoint_summary *checkpoint = app_checkpoint(app);
    if (line == 0 || line == 2)
        flags = resume_in_place(app, id, line == 2);
    else if (run && checkpoint)
        flags = ask_child(app, run, path, checkpoint->epoch);
    free(id);
    free(path);
    return flags;
}

static int resume(struct app *app, const struct run_summary *run, const struct checkpoint_summary *checkpoint)
{
    bool can_go_on = run->state == RUN_INTERRUPTED || run->state == RUN_STOPPED || run->state == RUN_FAILED;
    if (!can_go_on)
        return ask_child(app, run, checkpoint->path, checkpoint->epoch);
    snprintf(app->subject, sizeof app->subject, "%s:%s", run->id, checkpoint->path);
    snprintf(app->menu_lines[0], sizeof app->menu_lines[0], "go on in place, from the last checkpoint to epoch %lld",
             (long long)planned_epochs(app, run));
    snprintf(app->menu_hints[0], sizeof app->menu_hints[0], "this run");
    snprintf(app->menu_lines[1], sizeof app->menu_lines[1], "a new run from epoch %lld", (long long)checkpoint->epoch);
    snprintf(app->menu_hints[1], sizeof app->menu_hints[1], "its child");
    snprintf(app->menu_lines[2], sizeof app->menu_lines[2], "go on in place when a place is free");
    snprintf(app->menu_hints[2], sizeof app->menu_hints[2], "queue");
    char title[96];
    snprintf(title, sizeof title, "%.60s is %s", run->name, run_state_name(run->state));
    return app_menu(app, title, 3, choose_resume);
}

static int branch(struct app *app, const struct run_summary *run, const struct checkpoint_summary *checkpoint)
{
    char argument[1400];
    snprintf(argument, sizeof argument, "checkpoint:%s:%s", run->id, checkpoint->path);
    return app_go(app, "form", argument);
}

/* The first d marks, the next one compares; on the marked one itself it takes the mark back. */
static int diff(struct app *app, const struct run_summary *run, const struct checkpoint_summary *checkpoint)
{
    char *marked = app->marked_checkpoint;
    if (marked && strcmp(marked, checkpoint->path) != 0) {
        char *both = xprintf("%s\n%s", marked, checkpoint->path);
        int flags = app_go(app, "diff", both);
        free(both);
        return flags;
    }
    app->marked_checkpoint = marked ? NULL : xstrdup(checkpoint->path);
    app_say(app, STYLE_TEXT,
            marked ? "%s:%lld is not marked any more"
                   : "%s:%lld is marked: d on another checkpoint shows the difference",
            run ? run->name : "", (long long)checkpoint->epoch);
    free(marked);
    return LOOP_DRAW;
}

static int refuse(struct app *app, const char *why)
{
    app_say(app, STYLE_WARNING, "%s", why);
    return LOOP_DRAW;
}

int checkpoint_action(struct app *app, const struct run_summary *run, const struct checkpoint_summary *checkpoint,
                      enum action action)
{
    bool trains = action == ACTION_RESUME || action == ACTION_BRANCH;
    if (trains && (!run || (run->source && !run->n_checkpoints)))
        return refuse(app, "this history was imported: there is nothing to go on from");
    if (trains && checkpoint->missing)
        return refuse(app, "the file of this checkpoint is gone");
    switch (action) {
    case ACTION_EVALUATE:
        return app_go(app, "result", checkpoint->path);
    case ACTION_PREDICT:
        return app_go(app, "predict", checkpoint->path);
    case ACTION_RESUME:
        return run->source ? branch(app, run, checkpoint)
                           : resume(app, run, checkpoint); /* a model of others needs data */
    case ACTION_BRANCH:
        return branch(app, run, checkpoint);
    case ACTION_INSPECT:
        return app_go(app, "inspect", checkpoint->path);
    case ACTION_DIFF:
        return diff(app, run, checkpoint);
    default:
        return LOOP_NOTHING;
    }
}
