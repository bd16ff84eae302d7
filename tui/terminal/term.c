/* term.c - see term.h */
#include "tui/terminal/term_internal.h"

#include "base/arena.h"
#include "base/io.h"
#include "tui/terminal/crash.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const char modes_on[] = "\033[?1002h\033[?1006h\033[?2004h\033[?1004h";
static const char modes_off[] = "\033[?2026l\033[?1004l\033[?2004l\033[?1006l\033[?1002l";
/* every terminal answers the second question: that ends the wait for the first */
static const char ask_ground[] = "\033]11;?\033\\\033[c";
static const char ask_status[] = "\033[5n";
static const char sync_on[] = "\033[?2026h", sync_off[] = "\033[?2026l";
static const char title_push[] = "\033[22;0t", title_pop[] = "\033[23;0t";
enum { SYNC_FROM_BYTES = 1000 };

static void write_all_now(int fd, const char *bytes, size_t n)
{
    enum { PATIENCE_MS = 200 };
    while (n > 0) {
        ssize_t sent = write(fd, bytes, n);
        if (sent > 0) {
            bytes += sent;
            n -= (size_t)sent;
        } else if (sent < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            if (poll(&p, 1, PATIENCE_MS) <= 0)
                return;
        } else if (sent < 0 && errno != EINTR) {
            return;
        }
    }
}

void term_enter(struct term *term)
{
    if (term->entered)
        return;
    tcsetattr(term->fd, TCSADRAIN, &term->raw);
    if (term->facts.rich)
        write_all_now(term->fd, modes_on, sizeof modes_on - 1);
    if (term->facts.titled)
        write_all_now(term->fd, title_push, sizeof title_push - 1);
    painter_repaint(term->painter);
    crash_expect(true);
    term->entered = true;
}

/* The answers to our question must not be left for the shell. */
static void await_answer(struct term *term)
{
    enum { PATIENCE_MS = 150, MOST_MS = 3000 };
    char bytes[256];
    bool paced = term->pace.state == PACE_PACED;
    int wait_ms = PATIENCE_MS + (paced ? (int)(2000 * term->pace.round_trip_s) : 0);
    for (int tries = 0; (term->asked || (paced && term->pace.n)) && tries < PACE_FRAMES; tries++) {
        struct pollfd p = {.fd = term->fd, .events = POLLIN};
        if (poll(&p, 1, wait_ms < MOST_MS ? wait_ms : MOST_MS) <= 0)
            return;
        ssize_t n = read(term->fd, bytes, sizeof bytes);
        if (n <= 0)
            return;
        for (ssize_t i = 0; i < n; i++) { /* what else is typed now is for nobody */
            term->asked = term->asked && bytes[i] != 'c';
            if (bytes[i] == 'n')
                pace_answered(&term->pace, io_monotonic_seconds());
        }
    }
}

void term_leave(struct term *term)
{
    size_t n;
    if (!term->entered)
        return;
    await_answer(term);
    write_all_now(term->fd, term->rest + term->rest_sent, term->rest_size - term->rest_sent);
    term->rest_size = term->rest_sent = 0;
    if (term->facts.rich)
        write_all_now(term->fd, modes_off, sizeof modes_off - 1);
    if (term->facts.titled)
        write_all_now(term->fd, title_pop, sizeof title_pop - 1);
    free(term->title);
    term->title = NULL;
    const char *bytes = painter_leave(term->painter, &n);
    write_all_now(term->fd, bytes, n);
    crash_expect(false);
    tcsetattr(term->fd, TCSADRAIN, &term->cooked);
    term->entered = false;
}

void term_regain(struct term *term)
{
    if (!term->entered)
        return;
    term->entered = false;
    term_enter(term);
}

/* Known under its own name, or as what it most probably is. */
static struct painter *open_painter(struct term_facts *facts, struct err *err)
{
    struct painter *painter = painter_open(facts->type, facts->width, facts->height, facts->depth, facts->light, err);
    if (painter || !(facts->rich || strstr(facts->type, "256color")))
        return painter;
    struct err second;
    painter = painter_open("xterm-256color", facts->width, facts->height, facts->depth, facts->light, &second);
    if (painter) {
        snprintf(facts->type, sizeof facts->type, "xterm-256color");
        facts->rich = true;
    }
    return painter;
}

static bool open_tty(struct term *term, struct err *err)
{
    char name[256];
    term->fd =
        ttyname_r(STDOUT_FILENO, name, sizeof name) == 0 ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK) : -1;
    term->own_fd = term->fd >= 0;
    if (!term->own_fd) {
        term->fd = STDIN_FILENO;
        term->old_flags = fcntl(term->fd, F_GETFL);
        fcntl(term->fd, F_SETFL, term->old_flags | O_NONBLOCK);
    }
    if (tcgetattr(term->fd, &term->cooked) < 0)
        return err_errno(err, ERR_FAILED, errno, "cannot read the modes of the terminal");
    term->raw = term->cooked;
    cfmakeraw(&term->raw);
    term->raw.c_oflag |= OPOST & term->cooked.c_oflag;
    term->raw.c_cc[VMIN] = 0;
    term->raw.c_cc[VTIME] = 0;
    return true;
}

struct term *term_open(const struct term_facts *facts, struct err *err)
{
    if (!facts->usable)
        return err_null(err, ERR_USAGE,
                        "the screen needs a terminal (TERM is '%s'); try 'antler --plain' or 'antler --help'",
                        facts->type);
    struct term *term = xcalloc(1, sizeof *term);
    term->facts = *facts;
    term->fd = -1;
    if (!open_tty(term, err)) {
        term_close(term);
        return NULL;
    }
    term_size(term->fd, &term->facts.width, &term->facts.height);
    term->painter = open_painter(&term->facts, err);
    if (!term->painter) {
        term_close(term);
        return NULL;
    }
    term->facts.depth = painter_depth(term->painter);
    char leave[128];
    snprintf(leave, sizeof leave, "%s%s%s", term->facts.rich ? modes_off : "",
             term->facts.rich ? "\033[?1l\033>\033[?1049l" : "", term->facts.titled ? title_pop : "");
    crash_arm(term->fd, &term->cooked, leave);
    term_enter(term);
    if (term->facts.rich && !term->facts.light_known && term->facts.depth == COLORS_256) {
        write_all_now(term->fd, ask_ground, sizeof ask_ground - 1);
        term->asked = true;
    }
    if (term->facts.rich)
        painter_ask_repeat(term->painter);
    return term;
}

void term_close(struct term *term)
{
    if (!term)
        return;
    if (term->painter) {
        term_leave(term);
        crash_disarm();
        painter_close(term->painter);
    }
    if (term->own_fd)
        close(term->fd);
    else if (term->fd >= 0)
        fcntl(term->fd, F_SETFL, term->old_flags);
    free(term->rest);
    free(term->title);
    free(term);
}

int term_fd(const struct term *term)
{
    return term->fd;
}

const struct term_facts *term_facts(const struct term *term)
{
    return &term->facts;
}

bool term_measure(struct term *term)
{
    int width, height;
    term_size(term->fd, &width, &height);
    bool differs = width != term->facts.width || height != term->facts.height;
    term->facts.width = width;
    term->facts.height = height;
    return differs;
}

void term_queue(struct term *term, const char *bytes, size_t n)
{
    term->rest = xgrow(term->rest, &term->rest_capacity, term->rest_size + n + 1, 1);
    memcpy(term->rest + term->rest_size, bytes, n);
    term->rest_size += n;
}

bool term_flush(struct term *term)
{
    while (term->rest_sent < term->rest_size) {
        ssize_t n = write(term->fd, term->rest + term->rest_sent, term->rest_size - term->rest_sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n < 0)
            break; /* the terminal is gone: reading will say so */
        term->rest_sent += (size_t)n;
    }
    term->rest_size = term->rest_sent = 0;
    return true;
}

bool term_draw(struct term *term, const struct grid *grid)
{
    size_t n;
    if (!term->entered || !term_flush(term))
        return false;
    const char *bytes = painter_frame(term->painter, grid, &n);
    if (n == 0)
        return true;
    bool bracket = term->facts.rich && n >= SYNC_FROM_BYTES;
    if (bracket)
        term_queue(term, sync_on, sizeof sync_on - 1);
    term_queue(term, bytes, n);
    if (bracket)
        term_queue(term, sync_off, sizeof sync_off - 1);
    if (term->facts.rich && pace_frame(&term->pace, term->rest_size, io_monotonic_seconds()))
        term_queue(term, ask_status, sizeof ask_status - 1);
    term_flush(term);
    return true;
}

struct theme term_theme(const struct term *term)
{
    return theme_make(term->theme, term->facts.depth, term->facts.light);
}

void term_set_theme(struct term *term, enum theme_name name)
{
    term->theme = name;
    painter_set_theme(term->painter, term_theme(term));
}

double term_wait_s(struct term *term)
{
    return pace_wait_s(&term->pace, io_monotonic_seconds());
}

void term_repaint(struct term *term)
{
    painter_repaint(term->painter);
}

void term_reply(struct term *term, const struct event *event)
{
    if (event->reply == REPLY_DEVICE)
        term->asked = false;
    if (event->reply == REPLY_STATUS)
        pace_answered(&term->pace, io_monotonic_seconds());
    if (event->reply == REPLY_CURSOR)
        painter_answer_repeat(term->painter, event->x, event->y);
    if (event->reply == REPLY_BACKGROUND && !term->facts.light_known) {
        term->facts.light_known = true;
        term->facts.light = event->x;
        painter_set_theme(term->painter, term_theme(term));
    }
}

long term_read(struct term *term, void *bytes, size_t size_bytes)
{
    for (;;) {
        ssize_t n = read(term->fd, bytes, size_bytes);
        if (n > 0)
            return n;
        if (n < 0 && errno == EINTR)
            continue;
        return n < 0 && errno != EAGAIN ? -1 : 0;
    }
}

void term_suspend(struct term *term)
{
    struct sigaction standard = {.sa_handler = SIG_DFL}, old;
    sigset_t stop, mask;
    term_leave(term);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    sigaction(SIGTSTP, &standard, &old);
    sigprocmask(SIG_UNBLOCK, &stop, &mask);
    kill(0, SIGTSTP);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    sigaction(SIGTSTP, &old, NULL);
    term_enter(term);
    term_measure(term);
}
