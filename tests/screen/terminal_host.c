/* terminal_host.c - the smallest program on the ground of the screen, for test_terminal.c: shows its size, the last key
 * and how many came; 'x' crashes, 'b' trips an invariant, 't' turns ticks on, Ctrl-Z suspends, q quits. */
#include "tui/terminal/keys.h"
#include "tui/terminal/loop.h"

#include <signal.h>
#include <stdio.h>

/* ncurses keeps a block of its own when it does not know a terminal; read by the leak checker, where there is one. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:new_prescr";
}

struct host {
    struct loop *loop;
    char last[KEY_TEXT];
    int keys, ticks, resumed;
};

static int on_event(void *self, const struct event *event)
{
    struct host *host = self;
    if (event->kind == EVENT_TICK) {
        host->ticks++;
        return LOOP_DRAW;
    }
    if (event->kind == EVENT_RESUMED)
        host->resumed++;
    if (event->kind != EVENT_KEY)
        return event->kind == EVENT_RESIZE || event->kind == EVENT_RESUMED ? LOOP_DRAW : LOOP_NOTHING;
    host->keys++;
    keys_print(event->key, host->last);
    if (event->key == 'x')
        raise(SIGSEGV);
    BUG_ON(event->key == 'b');
    if (event->key == 't')
        loop_tick(host->loop, 0.02);
    return event->key == 'q' ? LOOP_QUIT : event->key == (K_CTRL | 'z') ? LOOP_SUSPEND : LOOP_DRAW;
}

static void view(void *self, struct grid *grid)
{
    const struct host *host = self;
    grid_box(grid, grid_all(grid), STYLE_BORDER);
    grid_textf(grid, grid_all(grid), 2, 1, STYLE_TITLE, "size %dx%d", grid->width, grid->height);
    grid_textf(grid, grid_all(grid), 2, 2, STYLE_TEXT, "key %s n %d resumed %d ticks %s", host->last, host->keys,
               host->resumed, host->ticks > 3 ? "many" : "few");
}

int main(void)
{
    static const struct loop_ops ops = {on_event, view};
    struct term_facts facts;
    struct err err = {0};
    struct host host = {0};
    term_look(COLOR_AUTO, false, &facts);
    struct term *term = term_open(&facts, &err);
    if (!term) {
        fprintf(stderr, "%s\n", err.text);
        return err_exit_status(err.code);
    }
    host.loop = loop_new(term, &ops, &host);
    int ended_by = loop_run(host.loop);
    loop_free(host.loop);
    term_close(term);
    return ended_by ? 128 + ended_by : 0;
}
