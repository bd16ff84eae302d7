/* screen_home.h - for tests of views: a home made of runs with known histories, a clock that stands still, and one
 * screen_driver.h on it.
 *
 *     screen_clock(1.7e9);
 *     char *id = screen_run("digits", NULL, 0, "{\"fit\": {\"epochs\": 5}}");
 *     screen_epochs(id, 1, 5, 1.0);                  loss scale / e, val_loss scale / e + 0.1, a checkpoint each
 *     screen_state(id, RUN_FINISHED, 5);
 *     screen_show("run", id, 80, 24);
 *     screen_press("] ] s");
 *     CHECK_HAS(screen_text(), "epoch 3");
 *     screen_close();
 */
#ifndef TESTS_SCREEN_HOME_H
#define TESTS_SCREEN_HOME_H

#include "tests/screen/screen_driver.h"

#include "base/arena.h"
#include "persistence/runs/history_log.h"

#include <locale.h>

static struct err screen_err;
static struct io_table screen_io;
static int64_t screen_ns;

static inline int64_t screen_now_ns(void)
{
    return screen_ns;
}

/* From here on it is this moment, until it is set again. */
static inline void screen_clock(double seconds)
{
    screen_io = io_system;
    screen_io.wall_ns = screen_now_ns;
    screen_ns = (int64_t)(seconds * 1e9);
    io = &screen_io;
    setenv("TZ", "UTC", 1);
    setlocale(LC_ALL, "C.UTF-8");
}

static inline const char *screen_home(void)
{
    static char home[300];
    snprintf(home, sizeof home, "%s/runs", check_tmp());
    return home;
}

static inline void screen_state(const char *id, enum run_state state, int64_t epoch)
{
    char *folder = path_join(screen_home(), id);
    struct run_writer *writer = run_open_writer(folder, &screen_err);
    CHECK(writer);
    CHECK_OK(
        run_set_state(writer, state, epoch, epoch * 10, state == RUN_FAILED ? "loss became NaN" : NULL, &screen_err),
        screen_err);
    run_close_writer(writer);
    free(folder);
}

/* A run that has started, without a worker: interrupted until screen_state says how it ended. The id is free()d by the
 * caller. */
static inline char *screen_run(const char *name, const char *parent, int64_t parent_epoch, const char *config_text)
{
    json_t *config = js_parse(config_text, strlen(config_text), "config", JS_STRICT, &screen_err);
    char checkpoint[40], *id = NULL;
    snprintf(checkpoint, sizeof checkpoint, "epoch-%04d.keras", (int)parent_epoch);
    struct run_identity identity = {.name = name,
                                    .device = "cpu",
                                    .parent_run = parent,
                                    .parent_checkpoint = parent ? checkpoint : NULL,
                                    .parent_epoch = parent_epoch,
                                    .parent_step = parent_epoch * 10};
    CHECK_OK(run_create(screen_home(), &identity, config, &id, &screen_err), screen_err);
    json_decref(config);
    screen_state(id, RUN_RUNNING, 0);
    return id;
}

static inline void screen_checkpoint(struct history_writer *writer, const char *folder, int64_t epoch, double loss,
                                     bool best)
{
    json_t *json =
        json_pack("{s:o, s:i, s:b, s:{s:f, s:f}}", "checkpoint", json_sprintf("epoch-%04d.keras", (int)epoch),
                  "size_bytes", 293888, "best", best, "metrics", "loss", loss, "val_loss", loss + 0.1);
    CHECK_OK(history_add_checkpoint(writer, epoch, epoch * 10, json, &screen_err), screen_err);
    char *path = xprintf("%s/checkpoints/epoch-%04d.keras", folder, (int)epoch);
    FILE *file = fopen(path, "w");
    CHECK(file && !fclose(file));
    json_decref(json);
    free(path);
}

/* Ten steps and ten seconds an epoch. */
static inline void screen_epochs(const char *id, int64_t from, int64_t to, double scale)
{
    char *folder = path_join(screen_home(), id);
    struct history_writer *writer = history_open_writer(folder, &screen_err);
    CHECK(writer);
    for (int64_t e = from; e <= to; e++) {
        const char *names[] = {"loss", "accuracy", "val_loss", "learning_rate"};
        double loss = scale / (double)e, values[] = {loss, 1 - loss / 10, loss + 0.1, 0.001};
        screen_ns += 10000000000;
        CHECK_OK(history_add_metrics(writer, e, e * 10, names, values, 4, &screen_err), screen_err);
        screen_checkpoint(writer, folder, e, loss, e == to);
    }
    history_close_writer(writer);
    free(folder);
}

/* What the screen shows now, with size and mouse. */
static struct driver screen;

static inline void screen_open(int width, int height)
{
    driver_open(&screen, screen_home(), width, height);
    driver_screen(&screen);
}

static inline void screen_size(int width, int height)
{
    grid_resize(&screen.grid, width, height);
    driver_send(&screen, (struct event){.kind = EVENT_RESIZE, .x = width, .y = height});
}

static inline void screen_mouse(enum mouse_action action, int x, int y)
{
    driver_send(&screen, (struct event){.kind = EVENT_MOUSE, .action = action, .x = x, .y = y});
}

/* Over the list of runs, a view of one. */
static inline void screen_show(const char *view, const char *argument, int width, int height)
{
    screen_open(width, height);
    CHECK_OK(app_open(screen.app, view, argument, &screen_err), screen_err);
    driver_screen(&screen);
}

static inline void screen_close(void)
{
    driver_close(&screen);
}

static inline const char *screen_text(void)
{
    return driver_screen(&screen);
}

static inline void screen_press(const char *keys)
{
    driver_keys(&screen, keys);
}

static inline void screen_tick(void)
{
    driver_send(&screen, (struct event){.kind = EVENT_TICK});
}

/* The row of the screen that contains a text, from 0; -1. */
static inline int screen_row_of(const char *wanted)
{
    const char *text = screen_text(), *found = strstr(text, wanted);
    int row = 0;
    for (const char *c = text; found && c < found; c++)
        row += *c == '\n';
    return found ? row : -1;
}

#endif
