/* loop.h - waiting: for keys, signals, time and files; and drawing when there is something new to see.
 *
 * The loop reads everything there is before it draws once. A key is answered at once; what comes by itself (ticks,
 * files, children) is drawn at most LOOP_FRAMES_PER_SECOND times a second. When a handler reports nothing, nothing is
 * drawn; when nothing differs, nothing is written.
 *
 *     struct loop *loop = loop_new(term, &ops, app);
 *     loop_watch(loop, fd);                      every readable moment is an EVENT_READY
 *     loop_tick(loop, 1.0);                      and every second an EVENT_TICK
 *     int signal_number = loop_run(loop);        until a handler returns LOOP_QUIT
 */
#ifndef TUI_TERMINAL_LOOP_H
#define TUI_TERMINAL_LOOP_H

#include "tui/terminal/term.h"

enum { LOOP_FRAMES_PER_SECOND = 10 };
/* Flags that a handler returns. */
enum {
    LOOP_NOTHING = 0,
    LOOP_DRAW = 1,
    LOOP_QUIT = 2,
    LOOP_SUSPEND = 4,
    LOOP_REPAINT = 8,
    LOOP_NOW = 16 /* with LOOP_DRAW: drawn at once, also what came by itself */
};

struct loop_ops {
    /* Changes state; returns flags. EVENT_HANGUP and EVENT_TERMINATE end the loop after it. */
    int (*event)(void *self, const struct event *event);
    /* State -> grid (cleared, right size); must not change what the next event does. */
    void (*view)(void *self, struct grid *grid);
};

struct loop;
struct loop *loop_new(struct term *term, const struct loop_ops *ops, void *self);
void loop_free(struct loop *loop);
/* At most LOOP_MAX_FILES. The handler reads what is there (else the event comes again at once) and unwatches before it
 * closes. */
enum { LOOP_MAX_FILES = 64 };
bool loop_watch(struct loop *loop, int fd);
void loop_unwatch(struct loop *loop, int fd);
/* Seconds between EVENT_TICKs, 0: none. */
void loop_tick(struct loop *loop, double interval_s);
/* Runs until the end; 0, or the signal that ended it (SIGHUP, SIGTERM). */
int loop_run(struct loop *loop);

#endif
