/* run_actions.c - what can be done with a run from any view: the capitals that change it, the menu of all actions,
 * copying its path. */
#include "base/io.h"
#include "persistence/runs/run_commands.h"
#include "persistence/runs/run_queue.h"
#include "tui/app/app.h"
#include "tui/client/cli_request.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool run_lives(const struct run_summary *run)
{
    return !run->watched && (run->state == RUN_RUNNING || run->state == RUN_PAUSED || run->state == RUN_QUEUED);
}

bool any_run_lives(const struct app *app)
{
    for (size_t i = 0; i < app->n_runs; i++)
        if (run_lives(&app->runs[i]))
            return true;
    return false;
}

static int refuse(struct app *app, const struct run_summary *run, const char *what)
{
    app_say(app, STYLE_WARNING, "%s is %s: %s works on a running one", run->name, run_state_name(run->state), what);
    return LOOP_DRAW;
}

/* A run in the queue has no worker that could be asked. */
static int steer_waiting(struct app *app, const struct run_summary *run, const char *name)
{
    struct err err = {0};
    char what[160];
    snprintf(what, sizeof what, "%.150s", run->name);
    if (strcmp(name, "stop") != 0) {
        app_say(app, STYLE_WARNING, "%s waits in the queue: S takes it out, in the jobs (5) t changes its settings",
                what);
        return LOOP_DRAW;
    }
    if (!queue_remove(app->home, run->id, &err))
        return app_fail(app, &err);
    app_refresh(app, true);
    app_say(app, STYLE_GOOD, "%s: taken out of the queue", what);
    return LOOP_DRAW;
}

static int refuse_watched(struct app *app, const struct run_summary *run)
{
    app_say(app, STYLE_WARNING, "%s is watched (%s): it can be looked at, not changed; antler import makes a run of it",
            run->name, run->source);
    return LOOP_DRAW;
}

static int command(struct app *app, const struct run_summary *run, const char *name, double value, const char *said)
{
    struct err err = {0};
    int64_t number;
    if (!run_lives(run))
        return refuse(app, run, name);
    char *folder = app_run_folder(app, run);
    if (run->state == RUN_QUEUED && !run_lock_is_held(folder)) {
        free(folder);
        return steer_waiting(app, run, name);
    }
    bool ok = run_command_add(folder, name, value, &number, &err);
    free(folder);
    if (!ok)
        return app_fail(app, &err);
    app_say(app, STYLE_GOOD, "%s: %s", run->name, said);
    return LOOP_DRAW;
}

static bool number_answer(struct app *app, const char *id, const char *text, const char *name, double least,
                          struct err *err)
{
    const struct run_summary *run = app_find_run(app, id);
    double value;
    if (!run)
        return err_set(err, ERR_NOT_FOUND, "the run is gone");
    if (!str_to_double(text, &value) || !(value >= least) || !isfinite(value))
        return err_set(err, ERR_USAGE, "found '%.40s', expected a number of at least %g", text, least);
    command(app, run, name, value, "asked, the answer comes with its next step");
    return true;
}

static bool answer_learning_rate(struct app *app, const char *id, const char *text, struct err *err)
{
    return number_answer(app, id, text, "learning_rate", 0, err);
}

static bool answer_epochs(struct app *app, const char *id, const char *text, struct err *err)
{
    int64_t epochs;
    if (!str_to_int64(text, &epochs))
        return err_set(err, ERR_USAGE, "found '%.40s', expected a whole number of epochs in all", text);
    return number_answer(app, id, text, "epochs", 1, err);
}

static int ask_learning_rate(struct app *app, const struct run_summary *run)
{
    char text[96] = "From the next step on.";
    bool recorded = false; /* at the end of an epoch: a callback may have changed it then */
    for (size_t i = 0; i < run->n_metrics; i++)
        recorded |= !strcmp(run->metrics[i].name, "learning_rate");
    if (!isnan(run->learning_rate))
        snprintf(text, sizeof text, "From the next step on. %s %.6g.",
                 recorded ? "After the last epoch it was" : "Now it is", run->learning_rate);
    return app_ask(app, DIALOG_TEXT, "learning rate", text, "", run->id, answer_learning_rate);
}

static int ask_epochs(struct app *app, const struct run_summary *run)
{
    char text[96];
    snprintf(text, sizeof text, "How many epochs in all, counted from the first. Now it is %lld.",
             (long long)run->epochs);
    return app_ask(app, DIALOG_TEXT, "epochs", text, "", run->id, answer_epochs);
}

static bool annotate(struct app *app, const char *id, const char *key, json_t *value, struct err *err)
{
    const struct run_summary *run = app_find_run(app, id);
    json_t *changes = json_pack("{s:o}", key, value);
    char *folder = run ? app_run_folder(app, run) : NULL;
    bool ok = folder ? run_annotate(folder, changes, err) : err_set(err, ERR_NOT_FOUND, "the run is gone");
    free(folder);
    json_decref(changes);
    if (ok)
        app_refresh(app, true);
    return ok;
}

static bool answer_tags(struct app *app, const char *id, const char *text, struct err *err)
{
    json_t *tags = json_array();
    char words[1024], *rest = NULL;
    snprintf(words, sizeof words, "%s", text);
    for (char *word = strtok_r(words, " ,", &rest); word; word = strtok_r(NULL, " ,", &rest))
        json_array_append_new(tags, json_string(word));
    return annotate(app, id, "tags", tags, err);
}

static bool answer_note(struct app *app, const char *id, const char *text, struct err *err)
{
    return annotate(app, id, "note", json_string(text), err);
}

static bool answer_delete(struct app *app, const char *id, const char *text, struct err *err)
{
    (void)text;
    if (!run_delete(app->home, id, err))
        return false;
    free(app->last_deleted);
    app->last_deleted = xstrdup(id);
    app_mark(app, id, false);
    app_refresh(app, true);
    app_say(app, STYLE_GOOD, "%s is in the trash, U brings it back", id);
    return true;
}

static int ask_tags(struct app *app, const struct run_summary *run)
{
    struct str tags = {0};
    for (size_t i = 0; i < run->n_tags; i++)
        str_addf(&tags, i ? " %s" : "%s", run->tags[i]);
    int flags = app_ask(app, DIALOG_TEXT, "tags", "Words separated by blanks; they replace the ones there are.",
                        str_text(&tags), run->id, answer_tags);
    str_release(&tags);
    return flags;
}

static int ask_delete(struct app *app, const struct run_summary *run)
{
    if (run_lives(run)) {
        app_say(app, STYLE_WARNING, "%s is %s: stop it first (S)", run->name, run_state_name(run->state));
        return LOOP_DRAW;
    }
    char text[400];
    snprintf(text, sizeof text, "%.120s with its %lld checkpoints goes to the trash. Type its name to confirm.",
             run->id, (long long)run->n_checkpoints);
    return app_ask(app, DIALOG_BY_NAME, "delete", text, run->name, run->id, answer_delete);
}

const char *app_run_word(const struct app *app, const char *id)
{
    const struct run_summary *run = app_find_run(app, id);
    if (!run || !*run->name || *run->name == '-')
        return id;
    for (size_t i = 0; i < app->n_runs; i++)
        if (&app->runs[i] != run && (!strcmp(app->runs[i].name, run->name) || str_starts(app->runs[i].id, run->name)))
            return id;
    return run->name;
}

const char *app_home_word(const struct app *app)
{
    char *found = home_path(NULL);
    bool same = !strcmp(found, app->home);
    free(found);
    return same ? NULL : app->home;
}

int app_copy(struct app *app, char *text)
{
    free(app->copy);
    app->copy = text;
    app_say(app, STYLE_TEXT, "%s", app->copy);
    return LOOP_DRAW;
}

/* Where a watched history really lies. free() it. */
static char *watched_path(struct app *app, const struct run_summary *run)
{
    char *folder = app_run_folder(app, run);
    json_t *config = run_read_config(folder, NULL);
    char *path = xstrdup(js_string(json_object_get(config, "imported"), "file", folder));
    json_decref(config);
    free(folder);
    return path;
}

/* A checkpoint of a watched history is a link. free() it. */
static char *real_path(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : cli_absolute(path);
}

static int copy_path(struct app *app, const struct run_summary *run)
{
    const struct checkpoint_summary *checkpoint = app_checkpoint(app);
    return app_copy(app, checkpoint     ? real_path(checkpoint->path)
                         : run->watched ? watched_path(app, run)
                                        : app_run_folder(app, run));
}

/* The menu holds what works on the selected run and checkpoint, in the order of the key table. */
static enum action menu_actions[APP_MAX_MENU];

static int choose_action(struct app *app, int line)
{
    return app_action(app, menu_actions[line]);
}

static bool steers(enum action action)
{
    return action >= ACTION_STOP && action <= ACTION_EPOCHS;
}

static bool notes(enum action action)
{
    return action == ACTION_TAG || action == ACTION_NOTE || action == ACTION_DELETE;
}

static int open_menu(struct app *app, const struct run_summary *run)
{
    static const char changes[] = "CHANGES THE RUN: "; /* the capital says so */
    unsigned places = IN_RUN | (app_checkpoint(app) ? IN_CHECKPOINT : 0) | (run_lives(run) ? IN_LIVE : 0);
    int n = 0;
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT && n < APP_MAX_MENU; a++) {
        const struct key_row *row = keys_row((enum action)a);
        if (!(row->places & places) || a == ACTION_ACTIONS || (run->watched && notes((enum action)a)))
            continue;
        menu_actions[n] = (enum action)a;
        const char *help = row->help + (str_starts(row->help, changes) ? sizeof changes - 1 : 0);
        snprintf(app->menu_lines[n], sizeof app->menu_lines[n], "%.*s", (int)strcspn(help, ";"), help);
        keys_of(&app->map, (enum action)a, app->menu_hints[n], sizeof app->menu_hints[n]);
        n++;
    }
    app_menu(app, run->name, n, choose_action);
    app->menu_by_key = true;
    return LOOP_DRAW;
}

int run_action(struct app *app, const struct run_summary *run, enum action action)
{
    if (run->watched && (steers(action) || notes(action)))
        return refuse_watched(app, run);
    if (run->source && steers(action))
        return refuse(app, run, "that");
    switch (action) {
    case ACTION_STOP:
        return command(app, run, "stop", NAN, "stops after this step, with a checkpoint");
    case ACTION_PAUSE:
        return run->state == RUN_PAUSED ? command(app, run, "continue", NAN, "goes on")
                                        : command(app, run, "pause", NAN, "pauses after this step");
    case ACTION_KEEP:
        return command(app, run, "checkpoint", NAN, "writes a checkpoint");
    case ACTION_LEARNING_RATE:
        return run_lives(run) ? ask_learning_rate(app, run) : refuse(app, run, "another learning rate");
    case ACTION_EPOCHS:
        return run_lives(run) ? ask_epochs(app, run) : refuse(app, run, "another number of epochs");
    case ACTION_TAG:
        return ask_tags(app, run);
    case ACTION_NOTE:
        return app_ask(app, DIALOG_TEXT, "note", "A line to remember this run by.", run->note ? run->note : "", run->id,
                       answer_note);
    case ACTION_DELETE:
        return ask_delete(app, run);
    case ACTION_COPY:
        return copy_path(app, run);
    case ACTION_ACTIONS:
        return open_menu(app, run);
    default:
        return LOOP_NOTHING;
    }
}
