/* term.c - see term.h */
#include "tui/terminal/term.h"

#include "base/arena.h"
#include "base/io.h"
#include "tui/terminal/pace.h"
#include "tui/terminal/painter.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static const char modes_on[] = "\033[?1002h\033[?1006h\033[?2004h\033[?1004h";
static const char modes_off[] = "\033[?2026l\033[?1004l\033[?2004l\033[?1006l\033[?1002l";
static const char crash_leave[] = "\033[?2026l\033[?1004l\033[?2004l\033[?1006l\033[?1002l\033[?1l\033>\033[?1049l";
static const char ask_ground[] =
    "\033]11;?\033\\\033[c"; /* every terminal answers the second: that ends the wait for the first */
static const char ask_status[] = "\033[5n";
static const char sync_on[] = "\033[?2026h", sync_off[] = "\033[?2026l";
static const char title_push[] = "\033[22;0t", title_pop[] = "\033[23;0t";
enum { SYNC_FROM_BYTES = 1000, COPY_MAX_BYTES = 74994 / 4 * 3 };

struct term {
    struct term_facts facts;
    struct painter *painter;
    enum theme_name theme;
    int fd;
    bool own_fd; /* a file description of our own, so O_NONBLOCK is not shared with the shell */
    int old_flags;
    struct termios cooked, raw;
    bool entered, asked;
    struct pace pace;
    char *title; /* as set last, NULL: the person's */
    int passes;  /* tmux lets notifications through: 1 yes, -1 no, 0 not asked yet */
    char *rest;  /* bytes of a frame the terminal has not taken yet */
    size_t rest_size, rest_sent, rest_capacity;
};

/* What a crash needs: plain data, async-signal-safe to use. */
static struct {
    volatile sig_atomic_t armed;
    int fd;
    struct termios cooked;
    char restore[256];
    size_t restore_size;
    void *stack;
} crash;
static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { N_CRASH_SIGNALS = sizeof crash_signals / sizeof *crash_signals };

bool color_choice_parse(const char *text, enum color_choice *choice)
{
    static const char *const names[] = {"auto", "always", "never", "16", "256"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (!strcmp(text, names[k])) {
            *choice = (enum color_choice)k;
            return true;
        }
    return false;
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

static bool starts_with_any(const char *text, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (str_starts(text, *prefixes))
            return true;
    return false;
}

static void look_at_colors(enum color_choice color, struct term_facts *facts)
{
    facts->depth = COLORS_256;
    if (color == COLOR_NEVER || (color == COLOR_AUTO && *environment("NO_COLOR")))
        facts->depth = COLORS_NONE;
    else if (color == COLOR_16)
        facts->depth = COLORS_16;
    bool direct = !strcmp(environment("COLORTERM"), "truecolor") || !strcmp(environment("COLORTERM"), "24bit");
    facts->true_color = direct && facts->depth == COLORS_256 && color != COLOR_256;
    const char *ground = strrchr(environment("COLORFGBG"), ';');
    if (ground && ground[1]) {
        int k = atoi(ground + 1);
        facts->light_known = true;
        facts->light = k == 7 || k == 15;
    }
}

static void measure(int fd, int *width, int *height)
{
    struct winsize size = {0};
    *width = 80;
    *height = 24;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
        *width = size.ws_col;
        *height = size.ws_row;
    }
}

void term_look(enum color_choice color, bool ascii, struct term_facts *facts)
{
    static const char *const rich[] = {"xterm", "screen",  "tmux",    "rxvt", "alacritty", "foot",
                                       "kitty", "wezterm", "ghostty", "st-",  "vte",       NULL};
    static bool localized;
    if (!localized)
        setlocale(LC_ALL, "");
    localized = true;
    setlocale(LC_NUMERIC, "C"); /* numbers in files and on the screen have a point */
    *facts = (struct term_facts){0};
    snprintf(facts->type, sizeof facts->type, "%s", environment("TERM"));
    facts->usable = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && facts->type[0] && strcmp(facts->type, "dumb") != 0;
    facts->ascii = ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    const char *modern = *environment("COLORTERM") || color == COLOR_256 ? "-256color" : "";
    if (*modern && (!strcmp(facts->type, "xterm") || !strcmp(facts->type, "screen")))
        strncat(facts->type, modern, sizeof facts->type - strlen(facts->type) - 1);
    facts->rich = starts_with_any(facts->type, rich) || *environment("COLORTERM");
    bool gnu_screen = str_starts(facts->type, "screen") && !*environment("TMUX");
    facts->titled = starts_with_any(facts->type, rich) && !gnu_screen;
    look_at_colors(color, facts);
    measure(STDOUT_FILENO, &facts->width, &facts->height);
}

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

static void restore_after_crash(void)
{
    if (!crash.armed)
        return;
    crash.armed = 0;
    fcntl(crash.fd, F_SETFL, fcntl(crash.fd, F_GETFL) & ~O_NONBLOCK);
    ssize_t ignored = write(crash.fd, crash.restore, crash.restore_size);
    (void)ignored;
    tcsetattr(crash.fd, TCSANOW, &crash.cooked);
}

static void on_crash(int signal_number)
{
    restore_after_crash();
    raise(signal_number); /* SA_RESETHAND: the default action, with its exit status */
}

static void arm_crash(struct term *term)
{
    crash.fd = term->fd;
    crash.cooked = term->cooked;
    crash.restore_size = (size_t)snprintf(crash.restore, sizeof crash.restore, "%s%s\033[0m\033[?25h\r\n",
                                          term->facts.rich ? crash_leave : "", term->facts.titled ? title_pop : "");
    if (!crash.stack)
        crash.stack = xmalloc((size_t)SIGSTKSZ + 65536);
    stack_t stack = {.ss_sp = crash.stack, .ss_size = (size_t)SIGSTKSZ + 65536};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)(SA_ONSTACK | SA_RESETHAND)};
    sigaltstack(&stack, NULL);
    for (int k = 0; k < N_CRASH_SIGNALS; k++)
        sigaction(crash_signals[k], &action, NULL);
    err_bug_hook = restore_after_crash;
    crash.armed = 1;
}

static void disarm_crash(void)
{
    crash.armed = 0;
    err_bug_hook = NULL;
    for (int k = 0; k < N_CRASH_SIGNALS; k++)
        signal(crash_signals[k], SIG_DFL);
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    free(crash.stack);
    crash.stack = NULL;
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
    crash.armed = 1;
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
    crash.armed = 0;
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
    measure(term->fd, &term->facts.width, &term->facts.height);
    term->painter = open_painter(&term->facts, err);
    if (!term->painter) {
        term_close(term);
        return NULL;
    }
    term->facts.depth = painter_depth(term->painter);
    arm_crash(term);
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
        disarm_crash();
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
    measure(term->fd, &width, &height);
    bool differs = width != term->facts.width || height != term->facts.height;
    term->facts.width = width;
    term->facts.height = height;
    return differs;
}

static void queue(struct term *term, const char *bytes, size_t n)
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
        queue(term, sync_on, sizeof sync_on - 1);
    queue(term, bytes, n);
    if (bracket)
        queue(term, sync_off, sizeof sync_off - 1);
    if (term->facts.rich && pace_frame(&term->pace, term->rest_size, io_monotonic_seconds()))
        queue(term, ask_status, sizeof ask_status - 1);
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

static void add_base64(struct str *out, const char *text, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = (uint32_t)s[i] << 16 | (i + 1 < n ? (uint32_t)s[i + 1] << 8 : 0) | (i + 2 < n ? s[i + 2] : 0u);
        str_add_char(out, digits[bits >> 18]);
        str_add_char(out, digits[bits >> 12 & 63]);
        str_add_char(out, i + 1 < n ? digits[bits >> 6 & 63] : '=');
        str_add_char(out, i + 2 < n ? digits[bits & 63] : '=');
    }
}

bool term_copy(struct term *term, const char *text)
{
    size_t n = strlen(text);
    if (n > COPY_MAX_BYTES)
        return false;
    struct str out = {0};
    str_add(&out, "\033]52;c;");
    add_base64(&out, text, n);
    str_add(&out, "\033\\");
    if (term->facts.rich)
        queue(term, str_text(&out), out.length);
    str_release(&out);
    term_flush(term);
    return true;
}

void term_title(struct term *term, const char *text)
{
    if (!term->facts.titled || !term->entered || (term->title && !strcmp(term->title, text)))
        return;
    free(term->title);
    term->title = xstrdup(text);
    queue(term, "\033]2;", 4);
    queue(term, text, strlen(text));
    queue(term, "\033\\", 2);
    term_flush(term);
}

/* tmux drops what it does not know unless it was told to let it through. */
static bool tmux_lets_through(struct term *term)
{
    char answer[16] = "";
    if (!term->passes) {
        FILE *tmux = popen("tmux show-options -Apqv allow-passthrough 2>/dev/null", "re");
        if (tmux && !fgets(answer, sizeof answer, tmux))
            answer[0] = 0;
        if (tmux)
            pclose(tmux);
        term->passes = str_starts(answer, "on") || str_starts(answer, "all") ? 1 : -1;
    }
    return term->passes > 0;
}

void term_tell(struct term *term, const char *form, bool bell, const char *text)
{
    struct str safe = {0}, out = {0};
    bool tmux = *environment("TMUX"), wanted = term->facts.rich && strcmp(form, "off") != 0;
    bool sent = wanted && (!tmux || tmux_lets_through(term));
    str_add_visible(&safe, text);
    if (sent) {
        const char *escape = tmux ? "\033\033" : "\033"; /* inside tmux's envelope an escape is written twice */
        str_addf(&out, "%s%s]%s%s%s\\%s", tmux ? "\033Ptmux;" : "", escape,
                 !strcmp(form, "osc9") ? "9;" : "777;notify;antler;", str_text(&safe), escape, tmux ? "\033\\" : "");
    }
    if (bell || (wanted && !sent))
        str_add_char(&out, '\a');
    if (out.length && term->entered)
        queue(term, str_text(&out), out.length);
    term_flush(term);
    str_release(&out);
    str_release(&safe);
}
