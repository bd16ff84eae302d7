/* app_runs.c - the runs of the home as the screen knows them: read from the index, found by id, marked. See app.h. */
#include "base/io.h"
#include "tui/app/app_parts.h"
#include "tui/app/notices.h"
#include "tui/client/cli_request.h"
#include "tui/client/queue_plan.h"
#include "tui/client/worker_client.h"

#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    return strcmp((*(const struct run_summary *const *)a)->id, (*(const struct run_summary *const *)b)->id);
}

void app_sort_runs(struct app *app)
{
    app->by_id = arena_array(&app->arena, app->n_runs + 1, sizeof(const struct run_summary *));
    for (size_t i = 0; i < app->n_runs; i++) /* ids begin with a date: oldest first they are all but sorted */
        app->by_id[i] = &app->runs[app->n_runs - 1 - i];
    qsort(app->by_id, app->n_runs, sizeof(const struct run_summary *), compare_ids);
}

const struct run_summary *app_find_run(const struct app *app, const char *id)
{
    size_t lo = 0, hi = id ? app->n_runs : 0;
    while (lo < hi) {
        size_t middle = (lo + hi) / 2;
        int order = strcmp(app->by_id[middle]->id, id);
        if (!order)
            return app->by_id[middle];
        if (order < 0)
            lo = middle + 1;
        else
            hi = middle;
    }
    return NULL;
}

char *app_run_folder(const struct app *app, const struct run_summary *run)
{
    if (run->watched)
        return xstrdup(run->folder);
    char *folder = path_join(app->home, run->folder), *absolute = cli_absolute(folder);
    free(folder);
    return absolute;
}

bool app_is_marked(const struct app *app, const char *id)
{
    for (int i = 0; i < app->n_marks; i++)
        if (!strcmp(app->marks[i], id))
            return true;
    return false;
}

void app_mark(struct app *app, const char *id, bool marked)
{
    for (int i = 0; i < app->n_marks; i++)
        if (!strcmp(app->marks[i], id)) {
            if (marked)
                return;
            free(app->marks[i]);
            memmove(&app->marks[i], &app->marks[i + 1], (size_t)(--app->n_marks - i) * sizeof *app->marks);
            return;
        }
    if (marked && app->n_marks < APP_MAX_MARKS)
        app->marks[app->n_marks++] = xstrdup(id);
}

/* What waits and has a place starts: by whoever looks. True where something was said. */
static bool start_waiting(struct app *app)
{
    static const double INTERVAL_S = 0.4;
    struct err hindrance = {0};
    if (app->now < app->looked_at + INTERVAL_S)
        return false;
    app->looked_at = app->now;
    const char **queued = xcalloc(app->n_runs + 1, sizeof *queued);
    size_t n = 0;
    for (size_t i = 0; i < app->n_runs; i++)
        if (app->runs[i].state == RUN_QUEUED)
            queued[n++] = app->runs[i].id;
    worker_start_waiting(app->home, queued, n, &hindrance);
    free(queued);
    bool says = hindrance.code && !app->queue_is_hindered;
    if (says)
        app_say(app, STYLE_WARNING, "the queue: %s", hindrance.text);
    app->queue_is_hindered = hindrance.code != ERR_NONE;
    return says;
}

/* The new list in place of the old one; what differs may be worth telling. */
static void take_runs(struct app *app, struct arena fresh, const struct run_summary *runs, size_t n)
{
    struct arena old = app->arena;
    const struct run_summary *const *before = app->by_id;
    size_t n_before = app->n_runs;
    struct str told = {0};
    app->arena = fresh;
    app->runs = runs;
    app->n_runs = n;
    app_sort_runs(app);
    if (notices_compare(before, n_before, app->by_id, n, js_bool(app->settings, "notify.best", false), &told)) {
        free(app->told);
        app->told = str_take(&told);
    }
    str_release(&told);
    arena_release(&old);
}

/* The run that the top view is about, else the newest that trains. */
static const struct run_summary *watched_run(const struct app *app)
{
    const struct run_summary *run = app_run(app);
    for (size_t i = 0; i < app->n_runs && !(run && run->state == RUN_RUNNING); i++)
        run = &app->runs[i];
    return run && run->state == RUN_RUNNING ? run : NULL;
}

void app_title(const struct app *app, struct str *out)
{
    const struct run_summary *run = watched_run(app);
    struct queue_item item = {0};
    int n = 0;
    for (size_t i = 0; i < app->n_runs; i++)
        n += app->runs[i].state == RUN_RUNNING;
    if (run) {
        char *folder = app_run_folder(app, run);
        item.has_live = run_live_read(folder, &item.live);
        free(folder);
    }
    notices_title(run, queue_item_share(&item), n > 1 ? n - 1 : 0, out);
}

/* A worker that was killed leaves no trace but its lock. */
static bool somebody_died(const struct app *app)
{
    bool died = false;
    for (size_t i = 0; i < app->n_runs && !died; i++) {
        const struct run_summary *run = &app->runs[i];
        if (run->watched || (run->state != RUN_RUNNING && run->state != RUN_PAUSED))
            continue;
        char *folder = app_run_folder(app, run);
        died = !run_lock_is_held(folder);
        free(folder);
    }
    return died;
}

int app_refresh(struct app *app, bool force)
{
    struct err err = {0};
    bool changed = false, said = start_waiting(app);
    index_set_hurried(app->index, !force); /* with the next tick it comes again */
    if (!index_refresh(app->index, &changed, &err))
        return app_fail(app, &err);
    /* A run whose worker lives moves on without a change of the index: its page is read while drawing. */
    if (!changed && !force && !somebody_died(app))
        return said || any_run_lives(app) ? LOOP_DRAW : LOOP_NOTHING;
    struct arena fresh = {0};
    const struct run_summary *runs;
    size_t n;
    if (!index_list(app->index, "", NULL, &fresh, &runs, &n, &err)) {
        arena_release(&fresh);
        return app_fail(app, &err);
    }
    take_runs(app, fresh, runs, n);
    for (int i = 0; i < app->depth; i++)
        app->stack[i].old = true;
    if (app->depth)
        app_refresh_top(app);
    return LOOP_DRAW;
}
