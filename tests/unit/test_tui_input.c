/* Bytes become events: every known sequence, split at every byte; garbage and a million random bytes. */
#include "../check.h"

#include "base/rng.h"
#include "tui/terminal/keys.h"

static struct str seen;

static void note(void *context, const struct event *event)
{
    char key[KEY_TEXT];
    (void)context;
    if (seen.length)
        str_add_char(&seen, ' ');
    if (event->kind == EVENT_KEY)
        str_add(&seen, keys_print(event->key, key));
    else if (event->kind == EVENT_PASTE)
        str_addf(&seen, "paste(%s)", event->text);
    else if (event->kind == EVENT_FOCUS)
        str_addf(&seen, "focus(%d)", event->x);
    else if (event->kind == EVENT_REPLY)
        str_addf(&seen, "reply(%d,%d)", (int)event->reply, event->x);
    else if (event->kind == EVENT_MOUSE)
        str_addf(&seen, "mouse(%d,%d,%d,%d,%s)", (int)event->action, event->button, event->x, event->y,
                 event->modifiers & K_CTRL    ? "ctrl"
                 : event->modifiers & K_SHIFT ? "shift"
                                              : "");
}

static const struct {
    const char *bytes, *events;
} table[] = {
    {"a", "a"},
    {"Z", "Z"},
    {" ", "Space"},
    {"\r", "Enter"},
    {"\n", "Enter"},
    {"\t", "Tab"},
    {"\x7f", "Backspace"},
    {"\x08", "Backspace"},
    {"\x01", "Ctrl-A"},
    {"\x1a", "Ctrl-Z"},
    {"\x0c", "Ctrl-L"},
    {"\xc3\xa9", "é"},
    {"\xe4\xb8\xad", "中"},
    {"\xf0\x9f\x98\x80", "😀"},
    {"\033[A", "Up"},
    {"\033OA", "Up"},
    {"\033[B", "Down"},
    {"\033[C", "Right"},
    {"\033[D", "Left"},
    {"\033[H", "Home"},
    {"\033[F", "End"},
    {"\033OH", "Home"},
    {"\033[1~", "Home"},
    {"\033[4~", "End"},
    {"\033[7~", "Home"},
    {"\033[5~", "PgUp"},
    {"\033[6~", "PgDn"},
    {"\033[2~", "Insert"},
    {"\033[3~", "Delete"},
    {"\033[Z", "Shift-Tab"},
    {"\033OP", "F1"},
    {"\033[11~", "F1"},
    {"\033[[A", "F1"},
    {"\033[[E", "F5"},
    {"\033[15~", "F5"},
    {"\033[24~", "F12"},
    {"\033[1;5A", "Ctrl-Up"},
    {"\033[1;2D", "Shift-Left"},
    {"\033[1;3C", "Alt-Right"},
    {"\033[1;8F", "Ctrl-Alt-Shift-End"},
    {"\033[5;5~", "Ctrl-PgUp"},
    {"\033O5C", "Ctrl-Right"},
    {"\033[1;5P", "Ctrl-F1"},
    {"\033[27;5;9~", "Ctrl-Tab"},
    {"\033[97;5u", "Ctrl-A"},
    {"\033[27u", "Esc"},
    {"\033OM", "Enter"},
    {"\033x", "Alt-x"},
    {"\033\r", "Alt-Enter"},
    {"\033]x", "Alt-] x"},
    {"\033\033[A", "Esc Up"},
    {"\033P", "Alt-P"},
    {"\033[I", "focus(1)"},
    {"\033[O", "focus(0)"},
    {"\033[0n", "reply(2,0)"},
    {"\033[2;4R", "reply(3,3)"},
    {"\033[?62;22c", "reply(0,0)"},
    {"\033]11;rgb:ffff/ffff/ffff\033\\", "reply(1,1)"},
    {"\033]11;rgb:1e1e/1e1e/2e2e\a", "reply(1,0)"},
    {"\033]11;rgb:ff/ff/ff\a", "reply(1,1)"},
    {"\033]52;c;aGVsbG8=\a", ""},
    {"\033[<0;1;1M", "mouse(0,0,0,0,)"},
    {"\033[<2;200;50M", "mouse(0,2,199,49,)"},
    {"\033[<0;5;6m", "mouse(1,0,4,5,)"},
    {"\033[<32;5;6M", "mouse(2,0,4,5,)"},
    {"\033[<64;5;6M", "mouse(4,0,4,5,)"},
    {"\033[<65;5;6M", "mouse(5,1,4,5,)"},
    {"\033[<66;5;6M", ""},
    {"\033[<16;5;6M", "mouse(0,0,4,5,ctrl)"},
    {"\033[<0;0;6M", ""},
    {"\033[M !!", "mouse(0,0,0,0,)"},
    {"\033[M#!!", "mouse(1,0,0,0,)"},
    {"\033[200~hello\rw\xc3\xb6rld\033[201~", "paste(hello\nwörld)"},
    {"\033[200~\033[31mx\033[201~", "paste([31mx)"},
    {"\033[200~na\xefve \xc3\xa9\xff\033[201~", "paste(na?ve é?)"},
    {"\033[200~\033[201~q", "paste() q"},
    {"\033[200~\033[20\033[201~", "paste([20)"},
    {"\033[200~a\033\033[201~", "paste(a)"},
    {"\033[?1;2$y", ""},
    {"\033[999;999z", ""},
    {"\xff\xfe", ""},
    {"\xc3(", "("},
    {"\xe0\x80\x80", ""},
    {"\xed\xa0\x80", ""},
    {"\xc0\xafq", "q"},
    {"\033[12\033[A", "Up"},
    {"\033[1;5\003", "Ctrl-C"},
    {"\033[99999999999999999999A", ""},
    {"\033[24;80R", "reply(3,79)"},
};

static void feed(struct input *input, const char *bytes, size_t n)
{
    input_feed(input, bytes, n, note, NULL);
}

static void test_every_sequence_is_understood_however_it_is_split(void)
{
    for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
        size_t n = strlen(table[k].bytes);
        for (size_t split = 0; split <= n; split++) {
            struct input input = {0};
            str_clear(&seen);
            if (split < n) {
                feed(&input, table[k].bytes, split);
                feed(&input, table[k].bytes + split, n - split);
            } else
                for (size_t i = 0; i < n; i++)
                    feed(&input, table[k].bytes + i, 1);
            if (strcmp(str_text(&seen), table[k].events))
                CHECK_FAIL("sequence %zu split at %zu: '%s', expected '%s'", k, split, str_text(&seen),
                           table[k].events);
            input_feed(&input, "q", 1, note, NULL);
            CHECK(str_ends(str_text(&seen), "q")); /* it never hangs in a state */
            input_release(&input);
        }
    }
}

static void test_a_lone_escape_is_a_key_after_its_timeout(void)
{
    struct input input = {0};
    str_clear(&seen);
    feed(&input, "\033", 1);
    CHECK(input_waiting(&input));
    CHECK_STR(str_text(&seen), "");
    input_timeout(&input, note, NULL);
    CHECK(!input_waiting(&input));
    feed(&input, "[A", 2);
    CHECK_STR(str_text(&seen), "Esc [ A");
    input_release(&input);
}

static void test_many_reports_in_one_read_stay_many(void)
{
    struct input input = {0};
    str_clear(&seen);
    const char *four = "\033[<0;1;1M\033[<0;1;1m\033[<0;1;1M\033[<0;1;1m";
    feed(&input, four, strlen(four));
    CHECK_STR(str_text(&seen), "mouse(0,0,0,0,) mouse(1,0,0,0,) mouse(0,0,0,0,) mouse(1,0,0,0,)");
    input_release(&input);
}

static void count(void *context, const struct event *event)
{
    long *n = context;
    CHECK(event->kind != EVENT_KEY || (event->key & ~K_MODIFIERS) > 0);
    CHECK(event->kind != EVENT_MOUSE || (event->x >= 0 && event->y >= 0));
    ++*n;
}

static void test_a_million_random_bytes_do_no_harm(void)
{
    static const char spice[] = "\033[<;M~m0123456789O]\a\\200~201~?cRu\xc3\xe4\xf0";
    struct input input = {0};
    long n = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        uint32_t bits = rng_u32(5, RNG_STREAM_DATA, 0, i);
        char byte = (bits >> 16) % 3 ? spice[(bits & 0xFFFF) % (sizeof spice - 1)] : (char)bits;
        input_feed(&input, &byte, 1, count, &n);
        if ((bits >> 24) == 0)
            input_timeout(&input, count, &n);
    }
    CHECK(n > 10000);
    str_clear(&seen);
    feed(&input, "\033[201~\a\033[A\033[A", 13);
    CHECK_HAS(str_text(&seen), "Up");
    input_release(&input);
}

int main(void)
{
    RUN(test_every_sequence_is_understood_however_it_is_split);
    RUN(test_a_lone_escape_is_a_key_after_its_timeout);
    RUN(test_many_reports_in_one_read_stay_many);
    RUN(test_a_million_random_bytes_do_no_harm);
    str_release(&seen);
    return check_done();
}
