/* screen_driver.h - the app without a terminal: keys in, screen out. A test opens it on a home, types, and reads the
 * grid as text. */
#ifndef TESTS_SCREEN_DRIVER_H
#define TESTS_SCREEN_DRIVER_H

#include "base/io.h"
#include "tests/check.h"
#include "tui/app/views.h"

struct driver {
    struct index *index;
    struct app *app;
    struct grid grid;
    struct str text;
    double now;
};

static inline void driver_open(struct driver *d, const char *home, int width, int height)
{
    struct err err = {0};
    *d = (struct driver){.index = index_open(home, &err), .now = 1};
    if (!d->index || !(d->app = app_new(home, d->index, screen_views, &err)) || !app_open(d->app, "runs", NULL, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    d->app->now = d->now;
    d->app->rung = RUNG_BRAILLE;
    d->app->tiles = TILE_BLOCKS;
    grid_resize(&d->grid, width, height);
}

static inline void driver_close(struct driver *d)
{
    app_free(d->app);
    index_close(d->index);
    grid_release(&d->grid);
    str_release(&d->text);
}

/* The screen as text, lent until the next call. */
static inline const char *driver_screen(struct driver *d)
{
    grid_clear(&d->grid);
    app_view(d->app, &d->grid);
    str_clear(&d->text);
    grid_dump(&d->grid, &d->text);
    return str_text(&d->text);
}

static inline void driver_send(struct driver *d, struct event event)
{
    event.now = d->now += 0.01;
    app_event(d->app, &event);
}

/* Keys by their names, separated by blanks: "n Enter Down 2 0 0 Ctrl-U". What each of them leaves is
 * drawn, as on a terminal. */
static inline void driver_keys(struct driver *d, const char *keys)
{
    char copy[512], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", keys);
    for (char *key = strtok_r(copy, " ", &rest); key; key = strtok_r(NULL, " ", &rest)) {
        int code = keys_parse(key);
        if (!code)
            CHECK_FAIL("'%s' is no key", key);
        driver_send(d, (struct event){.kind = EVENT_KEY, .key = code});
        driver_screen(d);
    }
}

/* Lets time pass until the screen shows text. False after about 20 seconds. */
static inline bool driver_wait(struct driver *d, const char *text)
{
    for (int i = 0; i < 2000; i++) {
        d->now += 0.5;
        driver_send(d, (struct event){.kind = EVENT_TICK});
        if (strstr(driver_screen(d), text))
            return true;
        usleep(10000);
    }
    return false;
}

/* Waits for text and says what was there instead. */
#define DRIVER_WAIT(driver, text)                                                                                      \
    do {                                                                                                               \
        if (!driver_wait(driver, text))                                                                                \
            CHECK_HAS(driver_screen(driver), text);                                                                    \
    } while (0)

#endif
