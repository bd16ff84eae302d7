/* A real program on a real pseudo-terminal: keys in, screen out; resize, suspend, hang-up, crash; the terminal is left
 * as it was. */
#include "../check.h"

#include <errno.h>
#include <stdbool.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <utmp.h>
#include <vterm.h>

struct session {
    int master;
    pid_t pid; /* the program */
    VTerm *vterm;
    VTermScreen *screen;
    struct termios before;
    char tail[4096]; /* the last bytes that came */
    size_t n_tail, total;
};

static bool ask_for_ground, no_color; /* of the next session */

static void run_host(const char *term, const char *locale)
{
    setenv("TERM", term, 1);
    setenv("LC_ALL", locale, 1);
    unsetenv("NO_COLOR");
    unsetenv("COLORFGBG");
    if (no_color)
        setenv("NO_COLOR", "1", 1);
    unsetenv("COLORTERM");
    if (!ask_for_ground)
        setenv("COLORFGBG", "15;0", 1);
    execl(BINARY_DIR "/tests/terminal_host", "terminal_host", (char *)NULL);
    _exit(127);
}

/* The part of a shell that matters: a job in its own process group in the foreground; when it stops, the terminal comes
 * back to us and, a moment later, the job is continued. Exits with the job's status. */
static void play_shell(const char *term, const char *locale)
{
    int status;
    signal(SIGTTOU, SIG_IGN);
    pid_t job = fork();
    if (job == 0) {
        setpgid(0, 0);
        tcsetpgrp(0, getpid());
        signal(SIGTTOU, SIG_DFL);
        run_host(term, locale);
    }
    setpgid(job, job);
    for (;;) {
        waitpid(job, &status, WUNTRACED);
        tcsetpgrp(0, getpgrp());
        if (!WIFSTOPPED(status))
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
        struct termios modes;
        tcgetattr(0, &modes);
        dprintf(1, "shell %s\r\n", modes.c_lflag & ICANON && modes.c_lflag & ECHO ? "cooked" : "raw");
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        tcsetpgrp(0, job);
        kill(-job, SIGCONT);
    }
}

static void start(struct session *s, const char *term, const char *locale, bool with_shell)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    int slave;
    memset(s, 0, sizeof *s);
    if (openpty(&s->master, &slave, NULL, NULL, &size) < 0)
        SKIP("no pseudo-terminals: %s", strerror(errno));
    tcgetattr(slave, &s->before);
    s->pid = fork();
    if (s->pid == 0) {
        close(s->master);
        login_tty(slave);
        if (with_shell)
            play_shell(term, locale);
        run_host(term, locale);
    }
    close(slave);
    fcntl(s->master, F_SETFL, O_NONBLOCK);
    s->vterm = vterm_new(24, 80);
    vterm_set_utf8(s->vterm, 1);
    s->screen = vterm_obtain_screen(s->vterm);
    vterm_screen_enable_altscreen(s->screen, 1);
    vterm_screen_reset(s->screen, 1);
}

/* Reads what comes, waiting so many milliseconds for the first of it. */
static void pump(struct session *s, int ms)
{
    char bytes[4096];
    struct pollfd p = {.fd = s->master, .events = POLLIN};
    for (; poll(&p, 1, ms) > 0; ms = 10) {
        ssize_t n = read(s->master, bytes, sizeof bytes);
        if (n <= 0) {
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
            return;
        }
        vterm_input_write(s->vterm, bytes, (size_t)n);
        s->total += (size_t)n;
        for (ssize_t i = 0; i < n; i++) {
            if (s->n_tail == sizeof s->tail - 1)
                memmove(s->tail, s->tail + 1, --s->n_tail);
            s->tail[s->n_tail++] = bytes[i] ? bytes[i] : ' ';
            s->tail[s->n_tail] = 0;
        }
    }
}

static const char *line(struct session *s, int row)
{
    static char text[256];
    int rows, cols, n = 0;
    vterm_get_size(s->vterm, &rows, &cols);
    for (; row < rows && n < cols && n < 255; n++) {
        VTermScreenCell cell;
        vterm_screen_get_cell(s->screen, (VTermPos){row, n}, &cell);
        text[n] = cell.chars[0] == 0 ? ' ' : cell.chars[0] < 128 ? (char)cell.chars[0] : '#';
    }
    text[n] = 0;
    return text;
}

static void wait_for(struct session *s, const char *text)
{
    for (int tries = 0; tries < 400; tries++) {
        for (int row = 0; row < 40; row++)
            if (strstr(line(s, row), text))
                return;
        pump(s, 20);
    }
    CHECK_FAIL("'%s' never came; the screen says '%s'", text, line(s, 1));
}

static void keys(struct session *s, const char *bytes)
{
    CHECK_EQ(write(s->master, bytes, strlen(bytes)), strlen(bytes));
}

/* The wait status, after at most ten seconds. */
static int finish(struct session *s)
{
    int status = 0;
    for (int tries = 0; tries < 500; tries++) {
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            if (s->master >= 0)
                pump(s, 0);
            return status;
        }
        if (s->master >= 0)
            pump(s, 20);
        else
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    CHECK_FAIL("the program does not end");
    kill(s->pid, SIGKILL);
    waitpid(s->pid, &status, 0);
    return status;
}

static void check_sane(struct session *s)
{
    struct termios after;
    CHECK_EQ(tcgetattr(s->master, &after), 0);
    CHECK_EQ(after.c_lflag, s->before.c_lflag);
    CHECK_EQ(after.c_iflag, s->before.c_iflag);
    CHECK_EQ(after.c_oflag, s->before.c_oflag);
    CHECK_HAS(s->tail, "\033[?1049l");
    CHECK_HAS(s->tail, "\033[?1002l");
    CHECK_HAS(s->tail, "\033[?2004l");
}

static void end(struct session *s)
{
    if (s->master >= 0)
        close(s->master);
    vterm_free(s->vterm);
}

static void test_keys_are_answered_and_q_leaves_the_terminal_as_it_was(void)
{
    struct session s;
    start(&s, "xterm-256color", "C.UTF-8", false);
    wait_for(&s, "size 80x24");
    keys(&s, "a");
    wait_for(&s, "key a n 1");
    keys(&s, "\033[1;5C");
    wait_for(&s, "key Ctrl-Right n 2");
    keys(&s, "\033");
    wait_for(&s, "key Esc n 3");
    keys(&s, "q");
    int status = finish(&s);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check_sane(&s);
    end(&s);
}

static void test_nothing_is_written_while_nothing_changes(void)
{
    struct session s;
    start(&s, "xterm-256color", "C.UTF-8", false);
    wait_for(&s, "size 80x24");
    pump(&s, 100);
    size_t before = s.total;
    pump(&s, 300);
    CHECK_EQ(s.total, before);
    keys(&s, "t"); /* ticks that change nothing after the fourth */
    wait_for(&s, "ticks many");
    pump(&s, 100);
    before = s.total;
    pump(&s, 300);
    CHECK_EQ(s.total, before);
    keys(&s, "q");
    finish(&s);
    end(&s);
}

static void test_a_resize_is_followed(void)
{
    struct session s;
    struct winsize size = {.ws_row = 40, .ws_col = 120};
    start(&s, "xterm-256color", "C.UTF-8", false);
    wait_for(&s, "size 80x24");
    vterm_set_size(s.vterm, 40, 120);
    ioctl(s.master, TIOCSWINSZ, &size);
    wait_for(&s, "size 120x40");
    CHECK_EQ(line(&s, 39)[119], '#'); /* the corner of the box */
    keys(&s, "q");
    finish(&s);
    end(&s);
}

static void test_suspending_gives_the_shell_its_terminal_and_comes_back(void)
{
    struct session s;
    start(&s, "xterm-256color", "C.UTF-8", true);
    wait_for(&s, "size 80x24");
    keys(&s, "\032");
    wait_for(&s, "resumed 1");
    CHECK_HAS(s.tail, "shell cooked");
    keys(&s, "a");
    wait_for(&s, "key a n 2");
    keys(&s, "q");
    int status = finish(&s);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check_sane(&s);
    end(&s);
}

static void test_a_program_stopped_by_others_comes_back_with_its_screen(void)
{
    struct session s;
    start(&s, "xterm-256color", "C.UTF-8", false);
    wait_for(&s, "size 80x24");
    kill(s.pid, SIGSTOP);
    tcsetattr(s.master, TCSANOW, &s.before); /* what a shell does */
    vterm_screen_reset(s.screen, 1);
    kill(s.pid, SIGCONT);
    wait_for(&s, "size 80x24");
    keys(&s, "a");
    wait_for(&s, "key a n 1");
    keys(&s, "q");
    finish(&s);
    check_sane(&s);
    end(&s);
}

static void test_a_hang_up_ends_the_program_at_once(void)
{
    struct session s;
    start(&s, "xterm-256color", "C.UTF-8", false);
    wait_for(&s, "size 80x24");
    close(s.master);
    s.master = -1;
    int status = finish(&s);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGHUP);
    end(&s);
}

static void test_a_crash_dies_of_its_signal_and_leaves_the_terminal_sane(void)
{
    static const struct {
        const char *key;
        int signal_number;
    } crashes[] = {{"x", SIGSEGV}, {"b", SIGABRT}};
    for (int k = 0; k < 2; k++) {
        struct session s;
        start(&s, "xterm-256color", "C.UTF-8", false);
        wait_for(&s, "size 80x24");
        keys(&s, crashes[k].key);
        int status = finish(&s);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == crashes[k].signal_number);
        check_sane(&s);
        end(&s);
    }
}

static void test_termination_is_clean(void)
{
    struct session s;
    start(&s, "xterm-256color", "C.UTF-8", false);
    wait_for(&s, "size 80x24");
    kill(s.pid, SIGTERM);
    int status = finish(&s);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM);
    check_sane(&s);
    end(&s);
}

static void test_a_slow_terminal_gets_fewer_frames_and_keys_stay_alive(void)
{
    struct session s;
    start(&s, "xterm-256color", "C.UTF-8", false);
    wait_for(&s, "size 80x24");
    for (int k = 0; k < 3000; k++) /* nobody reads what comes back: 3000 frames would block a writer */
        if (write(s.master, "a", 1) < 0)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    keys(&s, "\033[H");
    wait_for(&s, "key Home");
    CHECK(s.total < 200000);
    keys(&s, "q");
    int status = finish(&s);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    end(&s);
}

static void test_a_light_ground_is_asked_for_and_believed(void)
{
    struct session s;
    ask_for_ground = true;
    start(&s, "xterm-256color", "C.UTF-8", false);
    ask_for_ground = false;
    wait_for(&s, "size 80x24");
    CHECK_HAS(s.tail, "\033]11;?\033\\\033[c");
    CHECK_HAS(s.tail, "38;5;240m"); /* borders on a dark ground */
    s.n_tail = 0;
    keys(&s, "\033]11;rgb:ffff/ffff/f0f0\033\\\033[?62;22c");
    for (int tries = 0; tries < 200 && !strstr(s.tail, "38;5;248m"); tries++)
        pump(&s, 20);
    CHECK_HAS(s.tail, "38;5;248m");
    wait_for(&s, "key  n 0"); /* the answers are no keys */
    keys(&s, "q");
    finish(&s);
    check_sane(&s);
    end(&s);
}

static void test_no_color_means_no_colors(void)
{
    struct session s;
    no_color = true;
    start(&s, "xterm-256color", "C.UTF-8", false);
    no_color = false;
    wait_for(&s, "size 80x24");
    CHECK(!strstr(s.tail, "38;5;"));
    keys(&s, "q");
    finish(&s);
    end(&s);
}

static void test_other_terminals_work_too(void)
{
    static const char *const kinds[] = {"vt100", "linux", "tomorrow-256color"};
    for (int k = 0; k < 3; k++) {
        struct session s;
        start(&s, kinds[k], k == 0 ? "C" : "C.UTF-8", false);
        wait_for(&s, "size 80x24");
        CHECK_EQ(line(&s, 0)[0], k == 0 ? '+' : '#');
        keys(&s, "q");
        int status = finish(&s);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        end(&s);
    }
}

static void test_a_dumb_terminal_is_refused_in_words(void)
{
    struct session s;
    start(&s, "dumb", "C.UTF-8", false);
    int status = finish(&s);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    CHECK_HAS(s.tail, "TERM is 'dumb'");
    end(&s);
}

int main(void)
{
    RUN(test_keys_are_answered_and_q_leaves_the_terminal_as_it_was);
    RUN(test_nothing_is_written_while_nothing_changes);
    RUN(test_a_resize_is_followed);
    RUN(test_suspending_gives_the_shell_its_terminal_and_comes_back);
    RUN(test_a_program_stopped_by_others_comes_back_with_its_screen);
    RUN(test_a_hang_up_ends_the_program_at_once);
    RUN(test_a_crash_dies_of_its_signal_and_leaves_the_terminal_sane);
    RUN(test_termination_is_clean);
    RUN(test_a_slow_terminal_gets_fewer_frames_and_keys_stay_alive);
    RUN(test_a_light_ground_is_asked_for_and_believed);
    RUN(test_no_color_means_no_colors);
    RUN(test_other_terminals_work_too);
    RUN(test_a_dumb_terminal_is_refused_in_words);
    return check_done();
}
