/* The screen over a line of 9,600 bit/s with 300 ms each way: frames are left out, not queued, and the last one is
 * right. Bytes are counted, not seconds. */
#include "tests/screen/screen_home.h"
#include "tui/terminal/pace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <utmp.h>
#include <vterm.h>

enum {
    WIDTH = 80,
    HEIGHT = 24,
    RUNS = 40,
    PRESSES = 30,
    TICK_MS = 20,
    BYTES_A_TICK = 19, /* 9,600 bit/s */
    DELAY_TICKS = 15,
};

struct line { /* what is under way, in ticks */
    char bytes[65536];
    long due[65536];
    size_t head, tail;
};

struct terminal {
    int master;
    pid_t pid;
    VTerm *vterm;
    VTermScreen *screen;
    bool slow;
    long tick;
    struct line there, back; /* to the person; to the program */
    size_t total;            /* bytes that have left the program */
};

static void send_later(struct line *line, const void *bytes, size_t n, long due)
{
    for (size_t i = 0; i < n && line->tail < sizeof line->bytes; i++) {
        line->due[line->tail] = due;
        line->bytes[line->tail++] = ((const char *)bytes)[i];
    }
}

static void answer(const char *bytes, size_t n, void *context)
{
    struct terminal *t = context;
    send_later(&t->back, bytes, n, t->tick + (t->slow ? DELAY_TICKS : 0));
}

static void start(struct terminal *t, bool slow)
{
    struct winsize size = {.ws_row = HEIGHT, .ws_col = WIDTH};
    int slave;
    memset(t, 0, sizeof *t);
    t->slow = slow;
    if (openpty(&t->master, &slave, NULL, NULL, &size) < 0)
        SKIP("no pseudo-terminals: %s", strerror(errno));
    t->pid = fork();
    if (t->pid == 0) {
        close(t->master);
        login_tty(slave);
        setenv("TERM", "xterm-256color", 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        setenv("COLORFGBG", "15;0", 1);
        execl(BINARY_DIR "/antler", "antler", "--home", screen_home(), (char *)NULL);
        _exit(127);
    }
    close(slave);
    fcntl(t->master, F_SETFL, O_NONBLOCK);
    t->vterm = vterm_new(HEIGHT, WIDTH);
    vterm_set_utf8(t->vterm, 1);
    vterm_output_set_callback(t->vterm, answer, t);
    t->screen = vterm_obtain_screen(t->vterm);
    vterm_screen_enable_altscreen(t->screen, 1);
    vterm_screen_reset(t->screen, 1);
}

/* One tick of the line: so many bytes out of the program's terminal, what is due to the person and to the program. */
static bool tick(struct terminal *t)
{
    char bytes[4096];
    struct pollfd p = {.fd = t->master, .events = POLLIN};
    poll(&p, 1, t->slow ? 0 : TICK_MS);
    ssize_t n = read(t->master, bytes, t->slow ? BYTES_A_TICK : sizeof bytes);
    t->tick++;
    if (n > 0) {
        t->total += (size_t)n;
        send_later(&t->there, bytes, (size_t)n, t->tick + (t->slow ? DELAY_TICKS : 0));
    }
    for (; t->there.head < t->there.tail && t->there.due[t->there.head] <= t->tick; t->there.head++)
        vterm_input_write(t->vterm, &t->there.bytes[t->there.head], 1);
    for (; t->back.head < t->back.tail && t->back.due[t->back.head] <= t->tick; t->back.head++)
        if (write(t->master, &t->back.bytes[t->back.head], 1) != 1)
            return false;
    if (t->slow)
        usleep(TICK_MS * 1000);
    return n > 0 || t->there.head < t->there.tail || t->back.head < t->back.tail;
}

/* Until nothing has been under way for half a second. */
static void settle(struct terminal *t)
{
    for (int quiet = 0, most = 0; quiet < 25 && most < 3000; most++)
        quiet = tick(t) ? 0 : quiet + 1;
}

static void press(struct terminal *t, const char *bytes)
{
    answer(bytes, strlen(bytes), t);
}

static void text_of(struct terminal *t, struct str *out)
{
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            VTermScreenCell cell;
            vterm_screen_get_cell(t->screen, (VTermPos){y, x}, &cell);
            str_addf(out, cell.chars[0] < 128 ? "%c" : "#", cell.chars[0] ? (char)cell.chars[0] : ' ');
        }
        str_add_char(out, '\n');
    }
}

static void end(struct terminal *t)
{
    int status;
    kill(t->pid, SIGKILL);
    waitpid(t->pid, &status, 0);
    close(t->master);
    vterm_free(t->vterm);
}

/* Every press is seen by itself: what all frames take. */
static size_t patient(struct str *screen_text)
{
    static struct terminal t;
    start(&t, false);
    settle(&t);
    size_t before = t.total;
    for (int k = 0; k < PRESSES; k++) {
        press(&t, "j");
        for (int i = 0; i < 4; i++)
            tick(&t);
    }
    settle(&t);
    size_t used = t.total - before;
    text_of(&t, screen_text);
    end(&t);
    return used;
}

static void test_frames_are_left_out_and_the_last_one_is_right(void)
{
    static struct terminal t;
    struct str expected = {0}, got = {0};
    size_t all = patient(&expected);
    start(&t, true);
    settle(&t);
    size_t before = t.total;
    for (int k = 0; k < PRESSES; k++) { /* ten a second */
        press(&t, "j");
        for (int i = 0; i < 5; i++)
            tick(&t);
    }
    size_t behind = t.total; /* the last key reaches the program 300 ms later */
    settle(&t);
    text_of(&t, &got);
    CHECK_STR(str_text(&got), str_text(&expected));
    if (t.total - before > all * 3 / 4)
        CHECK_FAIL("%zu bytes were sent, of the %zu that all frames take", t.total - before, all);
    if (t.total - behind > PACE_BYTES + 3000)
        CHECK_FAIL("%zu bytes came after the last key", t.total - behind);
    str_release(&expected);
    str_release(&got);
    end(&t);
}

static void test_the_pace_is_pure(void)
{
    struct pace p = {0};
    CHECK(pace_frame(&p, 4000, 0));
    CHECK(!pace_frame(&p, 10, 0.1));
    CHECK_NEAR(pace_wait_s(&p, 0.05), PACE_FIRST_S - 0.05, 1e-9);
    pace_answered(&p, 0.3);
    CHECK_EQ(p.state, PACE_PACED);
    CHECK(pace_frame(&p, 1000, 1) && pace_wait_s(&p, 1) == 0);
    CHECK(pace_frame(&p, 1000, 1) && pace_wait_s(&p, 1) > 0);
    pace_answered(&p, 1.5);
    CHECK(pace_wait_s(&p, 1.5) == 0);
    CHECK_NEAR(p.round_trip_s, 0.5, 1e-9);
    CHECK(pace_frame(&p, 9000, 2) && pace_wait_s(&p, 2) > 10);
    CHECK(pace_wait_s(&p, 2 + 2 * PACE_PATIENCE_S) == 0); /* it does not answer any more */
    CHECK(!pace_frame(&p, 10, 50));
    struct pace mute = {0};
    CHECK(pace_frame(&mute, 100, 0) && pace_wait_s(&mute, 2 * PACE_FIRST_S) == 0);
    CHECK(!pace_frame(&mute, 100, 3) && pace_wait_s(&mute, 3) == 0);
    pace_answered(&mute, 5);
    CHECK(pace_frame(&mute, 100, 6));
}

int main(void)
{
    char name[40];
    screen_clock(1700000000);
    for (int i = 0; i < RUNS; i++) {
        snprintf(name, sizeof name, "run-%02d", i);
        char *id = screen_run(name, NULL, 0, "{\"fit\": {\"epochs\": 5}}");
        screen_epochs(id, 1, 3 + i % 5, 1 + i);
        screen_state(id, RUN_FINISHED, 3);
        free(id);
    }
    RUN(test_the_pace_is_pure);
    RUN(test_frames_are_left_out_and_the_last_one_is_right);
    return check_done();
}
