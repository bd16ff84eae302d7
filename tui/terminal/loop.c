/* loop.c - see loop.h */
#include "tui/terminal/loop.h"

#include "base/arena.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int caught[] = {SIGWINCH, SIGTSTP, SIGCONT, SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGCHLD, SIGPIPE};
enum { N_CAUGHT = sizeof caught / sizeof *caught };
static int signal_pipe[2] = {-1, -1};

struct loop {
    struct term *term;
    const struct loop_ops *ops;
    void *self;
    struct input input;
    struct grid grid;
    int files[LOOP_MAX_FILES];
    int n_files;
    double tick_s, next_tick;
    double last_frame;
    double escape_at; /* when a lone ESC becomes a key */
    bool soon, now;   /* draw with the next frame; draw at once */
    bool quit, suspend;
    int signal_number;
    struct sigaction old[N_CAUGHT];
};

static void on_signal(int number)
{
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    ssize_t ignored = write(signal_pipe[1], &byte, 1);
    (void)ignored; /* a full pipe: the loop will wake anyway */
    errno = saved;
}

struct loop *loop_new(struct term *term, const struct loop_ops *ops, void *self)
{
    struct loop *loop = xcalloc(1, sizeof *loop);
    loop->term = term;
    loop->ops = ops;
    loop->self = self;
    BUG_ON(signal_pipe[0] >= 0 || pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0);
    for (int k = 0; k < N_CAUGHT; k++)
        sigaction(caught[k], &(struct sigaction){.sa_handler = on_signal, .sa_flags = SA_RESTART}, &loop->old[k]);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    for (int k = 0; k < N_CAUGHT; k++)
        sigaction(caught[k], &loop->old[k], NULL);
    close(signal_pipe[0]);
    close(signal_pipe[1]);
    signal_pipe[0] = signal_pipe[1] = -1;
    input_release(&loop->input);
    grid_release(&loop->grid);
    free(loop);
}

bool loop_watch(struct loop *loop, int fd)
{
    if (fd < 0 || loop->n_files == LOOP_MAX_FILES)
        return false;
    loop->files[loop->n_files++] = fd;
    return true;
}

void loop_unwatch(struct loop *loop, int fd)
{
    for (int k = 0; k < loop->n_files; k++)
        if (loop->files[k] == fd)
            loop->files[k--] = loop->files[--loop->n_files];
}

void loop_tick(struct loop *loop, double interval_s)
{
    loop->tick_s = interval_s;
    loop->next_tick = io_monotonic_seconds() + interval_s;
}

/* Hands an event over and takes in what the handler wants. by_hand: the person waits for the answer. */
static void deliver(struct loop *loop, struct event event, bool by_hand)
{
    event.now = io_monotonic_seconds();
    int flags = loop->ops->event(loop->self, &event);
    if (flags & (LOOP_DRAW | LOOP_REPAINT))
        *(by_hand || flags & LOOP_NOW ? &loop->now : &loop->soon) = true;
    if (flags & LOOP_REPAINT)
        term_repaint(loop->term);
    loop->quit |= (flags & LOOP_QUIT) != 0;
    loop->suspend |= (flags & LOOP_SUSPEND) != 0;
}

static void end(struct loop *loop, enum event_kind kind, int signal_number)
{
    if (loop->signal_number)
        return;
    loop->signal_number = signal_number;
    loop->quit = true;
    deliver(loop, (struct event){.kind = kind}, true);
}

static void on_input(void *context, const struct event *event)
{
    struct loop *loop = context;
    if (event->kind == EVENT_REPLY) {
        term_reply(loop->term, event);
        loop->now |= event->reply == REPLY_BACKGROUND;
        return;
    }
    if (!loop->quit)
        deliver(loop, *event, true);
}

static void read_keys(struct loop *loop)
{
    enum { AT_MOST = 64 }; /* pieces: a pasted megabyte does not starve the rest */
    char bytes[4096];
    for (int k = 0; k < AT_MOST; k++) {
        long n = term_read(loop->term, bytes, sizeof bytes);
        if (n < 0)
            end(loop, EVENT_HANGUP, SIGHUP);
        if (n <= 0)
            break;
        input_feed(&loop->input, bytes, (size_t)n, on_input, loop);
    }
    loop->escape_at = io_monotonic_seconds() + INPUT_ESCAPE_MS / 1000.0;
}

static void read_signals(struct loop *loop)
{
    unsigned char bytes[64];
    ssize_t n = read(signal_pipe[0], bytes, sizeof bytes);
    bool resized = false, child = false;
    for (ssize_t i = 0; i < n; i++) {
        resized |= bytes[i] == SIGWINCH || bytes[i] == SIGCONT;
        child |= bytes[i] == SIGCHLD;
        loop->suspend |= bytes[i] == SIGTSTP;
        if (bytes[i] == SIGCONT)
            term_regain(loop->term), loop->now = true;
        if (bytes[i] == SIGHUP || bytes[i] == SIGTERM || bytes[i] == SIGINT || bytes[i] == SIGQUIT)
            end(loop, bytes[i] == SIGHUP ? EVENT_HANGUP : EVENT_TERMINATE, bytes[i]);
    }
    if (resized && term_measure(loop->term)) {
        const struct term_facts *facts = term_facts(loop->term);
        deliver(loop, (struct event){.kind = EVENT_RESIZE, .x = facts->width, .y = facts->height}, true);
        loop->now = true;
    } else if (resized) { /* there and back again between two frames: the terminal has moved what it showed */
        term_repaint(loop->term);
        loop->now = true;
    }
    if (child)
        deliver(loop, (struct event){.kind = EVENT_CHILD}, false);
}

static void draw(struct loop *loop)
{
    const struct term_facts *facts = term_facts(loop->term);
    grid_resize(&loop->grid, facts->width, facts->height);
    loop->grid.ascii = facts->ascii;
    loop->ops->view(loop->self, &loop->grid);
    if (!term_draw(loop->term, &loop->grid))
        return; /* the terminal is slow: later, with what is true then */
    loop->soon = loop->now = false;
    loop->last_frame = io_monotonic_seconds();
}

static void suspend(struct loop *loop)
{
    loop->suspend = false;
    term_suspend(loop->term);
    deliver(loop, (struct event){.kind = EVENT_RESUMED}, true);
    loop->now = true;
}

/* Milliseconds until something is due, -1: nothing is. */
static int wait_ms(const struct loop *loop, bool blocked)
{
    double now = io_monotonic_seconds(), due = INFINITY;
    if (loop->tick_s > 0)
        due = fmin(due, loop->next_tick);
    if (input_waiting(&loop->input))
        due = fmin(due, loop->escape_at);
    double frame = now + term_wait_s(loop->term);
    if (loop->now && !blocked)
        due = fmin(due, frame);
    else if (loop->soon && !blocked)
        due = fmin(due, fmax(frame, loop->last_frame + 1.0 / LOOP_FRAMES_PER_SECOND));
    if (!isfinite(due))
        return -1;
    double ms = (due - now) * 1000;
    return ms <= 0 ? 0 : ms > 1e6 ? 1000000 : (int)ms + 1;
}

static bool is_watched(const struct loop *loop, int fd)
{
    for (int k = 0; k < loop->n_files; k++)
        if (loop->files[k] == fd)
            return true;
    return false; /* a handler before it has closed it */
}

static void wait_once(struct loop *loop)
{
    struct pollfd p[LOOP_MAX_FILES + 2];
    int n = loop->n_files;
    bool blocked = !term_flush(loop->term);
    p[0] = (struct pollfd){.fd = term_fd(loop->term), .events = (short)(POLLIN | (blocked ? POLLOUT : 0))};
    p[1] = (struct pollfd){.fd = signal_pipe[0], .events = POLLIN};
    for (int k = 0; k < n; k++)
        p[2 + k] = (struct pollfd){.fd = loop->files[k], .events = POLLIN};
    if (poll(p, (nfds_t)(2 + n), wait_ms(loop, blocked)) < 0)
        memset(p, 0, sizeof p[0] * 2); /* interrupted: the pipe tells by what, next time */
    else {
        for (int k = 0; k < n; k++)
            if (p[2 + k].revents && is_watched(loop, p[2 + k].fd))
                deliver(loop, (struct event){.kind = EVENT_READY, .x = p[2 + k].fd}, false);
        if (p[1].revents)
            read_signals(loop);
        if (p[0].revents & POLLIN)
            read_keys(loop);
        if (p[0].revents & (POLLHUP | POLLERR | POLLNVAL))
            end(loop, EVENT_HANGUP, SIGHUP);
    }
    double now = io_monotonic_seconds();
    if (input_waiting(&loop->input) && now >= loop->escape_at)
        input_timeout(&loop->input, on_input, loop);
    if (loop->tick_s > 0 && now >= loop->next_tick) {
        loop->next_tick = now + loop->tick_s;
        deliver(loop, (struct event){.kind = EVENT_TICK}, false);
    }
}

int loop_run(struct loop *loop)
{
    loop->now = true;
    while (!loop->quit) {
        double frame_due = loop->last_frame + 1.0 / LOOP_FRAMES_PER_SECOND;
        if (loop->suspend)
            suspend(loop);
        bool due = loop->now || (loop->soon && io_monotonic_seconds() >= frame_due);
        if (due && term_wait_s(loop->term) <= 0)
            draw(loop);
        wait_once(loop);
    }
    return loop->signal_number;
}
