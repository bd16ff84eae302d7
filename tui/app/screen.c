/* screen.c - see screen.h: the app on a terminal, and the effects it asks for. */
#include "tui/app/screen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "tui/app/views.h"
#include "tui/client/cli_request.h"
#include "tui/client/worker_client.h"

const struct screen_view_ops *const screen_views[] = {&view_runs,    &view_run,    &view_new,     &view_form,
                                                      &view_compare, &view_result, &view_predict, &view_inspect,
                                                      &view_diff,    &view_jobs,   &view_log,     NULL};

/* The index is asked twice a second; where nothing lives and nobody presses a key, once. */
static const double TICK_S = 0.5, CALM_TICK_S = 1, CALM_AFTER_S = 3;

/* While histories of other tools are read: a slice of reading between two looks at the keys, what was read is shown ten
 * times a second. The first slice comes before the first frame. */
static const double SLICE_S = 0.02, FIRST_SLICE_S = 0.015, SHOW_EVERY_S = 0.15;
/* Before reading keeps all cores busy the first frame reaches the terminal. */
static const double FIRST_TICK_S = 0.006;

struct screen {
    struct app *app;
    struct term *term;
    enum theme_name theme; /* in use */
    bool themed;
    struct loop *loop;
    double pressed;            /* when a key came last */
    bool calm;                 /* ticks come seldom */
    int watched[APP_MAX_JOBS]; /* descriptor of the job in that place, -1 */
    struct watch *watch;       /* NULL: only our own runs */
    bool reading;              /* there was more than a slice */
    double shown;              /* when it was shown how far that is */
};

static enum tile_depth tiles_of(enum color_depth depth, const struct term_facts *facts)
{
    return facts->ascii           ? TILE_ASCII
           : depth == COLORS_NONE ? TILE_BLOCKS
           : depth == COLORS_16   ? TILE_16
           : facts->true_color    ? TILE_TRUE
                                  : TILE_256;
}

/* The app says how it is to look; the terminal has the colours for it or not. */
static void follow_theme(struct screen *s)
{
    struct theme theme;
    if (s->themed && s->theme == s->app->theme)
        return;
    s->theme = s->app->theme;
    s->themed = true;
    term_set_theme(s->term, s->theme);
    theme = term_theme(s->term);
    s->app->markers = theme_wants_markers(theme);
    s->app->tiles = tiles_of(theme.depth, term_facts(s->term));
}

/* Jobs come and go inside the app: the loop watches exactly those that run. */
static void watch_jobs(struct screen *s)
{
    for (int i = 0; i < APP_MAX_JOBS; i++) {
        struct worker_job *worker = s->app->jobs[i].worker;
        int fd = worker ? worker_fd(worker) : -1;
        if (fd == s->watched[i])
            continue;
        if (s->watched[i] >= 0)
            loop_unwatch(s->loop, s->watched[i]);
        s->watched[i] = fd >= 0 && loop_watch(s->loop, fd) ? fd : -1;
    }
}

/* Reads on. False: nothing is to be shown yet. */
static bool read_on(struct screen *s, double now, int *flags)
{
    struct err err = {0};
    bool was_reading = s->reading;
    int more = watch_poll(s->watch, SLICE_S, &err);
    if (more == -1)
        *flags |= app_fail(s->app, &err);
    s->reading = more == 1;
    loop_tick(s->loop, s->reading ? 1e-4 : TICK_S);
    if (s->reading && now - s->shown < SHOW_EVERY_S)
        return false;
    s->shown = now;
    *flags |= was_reading && !s->reading ? LOOP_DRAW | LOOP_NOW : LOOP_NOTHING;
    return true;
}

/* Outside of the screen: the title of the window, and what happened. */
static void tell(struct screen *s, bool ticked)
{
    struct str title = {0};
    if (ticked && term_facts(s->term)->titled) {
        app_title(s->app, &title);
        term_title(s->term, str_text(&title));
        str_release(&title);
    }
    if (!s->app->told)
        return;
    term_tell(s->term, js_string(s->app->settings, "notify.terminal", "off"),
              js_bool(s->app->settings, "notify.bell", false), s->app->told);
    free(s->app->told);
    s->app->told = NULL;
}

static void choose_tick(struct screen *s, const struct event *event)
{
    bool awake = event->kind != EVENT_TICK;
    if (awake)
        s->pressed = event->now;
    else if (s->watch || event->now - s->pressed < CALM_AFTER_S)
        return;
    bool calm = !awake && !any_run_lives(s->app);
    if (calm != s->calm)
        loop_tick(s->loop, calm ? CALM_TICK_S : TICK_S);
    s->calm = calm;
}

static int screen_event(void *self, const struct event *event)
{
    struct screen *s = self;
    int flags = LOOP_NOTHING;
    choose_tick(s, event);
    if (event->kind == EVENT_TICK && s->watch && !read_on(s, event->now, &flags))
        return flags;
    flags |= app_event(s->app, event);
    watch_jobs(s);
    follow_theme(s);
    if (s->app->copy) {
        term_copy(s->term, s->app->copy);
        free(s->app->copy);
        s->app->copy = NULL;
    }
    tell(s, event->kind == EVENT_TICK);
    s->app->suspend = s->app->repaint = false;
    return flags;
}

static void screen_view(void *self, struct grid *grid)
{
    struct screen *s = self;
    s->app->light = term_theme(s->term).light; /* it may have said so meanwhile */
    app_view(s->app, grid);
}

/* Whoever watches one history wants to see its curve. */
static bool open_only_one(struct app *app, const struct watch *watch, struct err *err)
{
    const char *path, *id = NULL;
    bool alive;
    if (watch_count(watch) == 1)
        id = watch_run(watch, 0, &path, &alive);
    return !id || app_open(app, "run", id, err);
}

static struct app *open_app(const struct screen_options *options, struct index **index, struct err *err)
{
    char *home = cli_absolute(options->home); /* paths of checkpoints go to the worker, which may stand elsewhere */
    *index = index_open(home, err);
    free(home);
    if (*index && options->watch)
        index_join(*index, watch_index(options->watch));
    struct app *app = *index ? app_new(options->home, *index, screen_views, err) : NULL;
    bool ok = app && app_open(app, "runs", NULL, err) && (!options->watch || open_only_one(app, options->watch, err));
    if (ok)
        return app;
    app_free(app);
    return NULL;
}

static bool load_keys(struct app *app, struct err *err)
{
    const char *path = getenv("ANTLER_KEYS");
    char *text;
    size_t size;
    if (!path || !*path)
        return true;
    if (!io_read_file(path, 1 << 16, &text, &size, err))
        return false;
    bool ok = keys_load(&app->map, text, path, err);
    free(text);
    return ok;
}

static bool print_once(struct app *app, const struct screen_options *options, const struct term_facts *facts,
                       struct err *err)
{
    if (*options->once) {
        struct arena arena = {0};
        const struct run_summary *run = index_find(app->index, options->once, &arena, err);
        bool ok = run && app_open(app, "run", run->id, err);
        arena_release(&arena);
        if (!ok)
            return false;
    }
    struct grid grid = {.ascii = facts->ascii};
    int width = options->width  ? options->width
                : facts->usable ? facts->width
                                : 80,
        height = options->height ? options->height
                 : facts->usable ? facts->height
                                 : 24;
    grid_resize(&grid, width, height);
    app_view(app, &grid);
    struct str text = {0};
    grid_dump(&grid, &text);
    fputs(str_text(&text), stdout);
    str_release(&text);
    grid_release(&grid);
    return true;
}

static bool run_on_terminal(struct app *app, const struct screen_options *options, const struct term_facts *facts,
                            int *exit_signal, struct err *err)
{
    static const struct loop_ops ops = {.event = screen_event, .view = screen_view};
    struct screen s = {.app = app, .term = term_open(facts, err)};
    s.watch = options->watch;
    s.reading = s.watch != NULL;
    s.shown = io_monotonic_seconds();
    if (!s.term)
        return false;
    memset(s.watched, -1, sizeof s.watched);
    follow_theme(&s);
    s.loop = loop_new(s.term, &ops, &s);
    loop_tick(s.loop, s.reading ? FIRST_TICK_S : TICK_S);
    *exit_signal = loop_run(s.loop);
    loop_free(s.loop);
    term_close(s.term);
    return true;
}

/* What can be shown at once; for a single frame all there is. */
static bool read_first(const struct screen_options *options, struct err *err)
{
    int more = options->watch ? watch_poll(options->watch, FIRST_SLICE_S, err) : 0;
    while (options->once && more == 1)
        more = watch_poll(options->watch, 1, err);
    return more != -1;
}

bool screen_run(const struct screen_options *options, int *exit_signal, struct err *err)
{
    struct term_facts facts;
    struct index *index = NULL;
    *exit_signal = 0;
    term_look(options->color, options->ascii, &facts);
    struct app *app = read_first(options, err) ? open_app(options, &index, err) : NULL;
    bool ok = app && load_keys(app, err);
    if (ok) {
        facts.titled = facts.titled && js_bool(app->settings, "notify.title", true);
        app->theme = app->theme_kept = theme_parse(js_string(app->settings, "screen.theme", "auto"));
        app->markers = theme_wants_markers(theme_make(app->theme, facts.depth, facts.light));
        app->rung = facts.ascii ? RUNG_ASCII : RUNG_BRAILLE;
        app->tiles = tiles_of(options->once ? COLORS_NONE : facts.depth, &facts);
        ok = options->once ? print_once(app, options, &facts, err)
                           : run_on_terminal(app, options, &facts, exit_signal, err);
    }
    app_free(app);
    if (index)
        index_close(index);
    return ok;
}
