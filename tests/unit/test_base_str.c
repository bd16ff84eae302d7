/* Growable text, shortest numbers, visible escapes, globs, nearest names. */
#include "base/arena.h"
#include "base/str.h"
#include "tests/check.h"

static void check_double(double value, const char *expected)
{
    struct str s = {0};
    str_add_double(&s, value);
    CHECK_STR(str_text(&s), expected);
    str_release(&s);
}

static void check_visible(const char *text, const char *expected)
{
    struct str s = {0};
    str_add_visible(&s, text);
    CHECK_STR(str_text(&s), expected);
    str_release(&s);
}

static void test_numbers_are_written_as_short_as_they_read_back(void)
{
    check_double(0.1, "0.1");
    check_double(1.0 / 3, "0.3333333333333333");
    check_double(1e-7, "1e-07");
    check_double(-0.0, "-0");
    check_double(NAN, "NaN");
    check_double(-INFINITY, "-Infinity");
    check_double(5e-324, "5e-324");
    struct str s = {0};
    str_add_float(&s, 0.001f);
    CHECK_STR(str_text(&s), "0.001");
    str_release(&s);
}

static void test_text_from_outside_cannot_reach_the_terminal_raw(void)
{
    check_visible("plain \xC3\xA9 \xE4\xB8\xAD", "plain \xC3\xA9 \xE4\xB8\xAD");
    check_visible("\x1B]52;c\x07", "\\x1B]52;c\\x07");
    check_visible("a\x80z\xFF", "a\\x80z\\xFF");
    check_visible("\xC0\xAF", "\\xC0\\xAF");
    check_visible("\xED\xA0\x80", "\\xED\\xA0\\x80");
    check_visible("\xE2\x80\xAE", "\\u{202E}");
    check_visible("\xC2\x9B", "\\x9B");
    check_visible("cut \xE4\xB8", "cut \\xE4\\xB8");
}

static void test_the_nearest_name_is_found_and_nonsense_is_not(void)
{
    static const char *const names[] = {"units", "activation", "use_bias", "kernel_initializer"};
    CHECK_STR(str_nearest("unit", names, 4), "units");
    CHECK_STR(str_nearest("activatoin", names, 4), "activation");
    CHECK_STR(str_nearest("UNITS", names, 4), "units");
    CHECK(!str_nearest("zzzzzz", names, 4));
    CHECK_EQ(str_distance("abcd", "acbd"), 1);
    CHECK_EQ(str_distance("", "abc"), 3);
}

static void test_globs_match_whole_names(void)
{
    CHECK(str_glob("conv*", "conv2d_1"));
    CHECK(str_glob("*_1", "conv2d_1"));
    CHECK(str_glob("c?n*d*", "conv2d"));
    CHECK(!str_glob("conv", "conv2d"));
    CHECK(!str_glob("a?", "a"));
    CHECK(str_glob("*", ""));
}

static void test_numbers_are_read_whole_or_not_at_all(void)
{
    double d;
    int64_t i;
    CHECK(str_to_double("1e-3", &d) && d == 1e-3);
    CHECK(!str_to_double("1x", &d));
    CHECK(!str_to_double("", &d));
    CHECK(!str_to_double(" 1", &d));
    CHECK(!str_to_double("1e999", &d));
    CHECK(str_to_int64("-42", &i) && i == -42);
    CHECK(!str_to_int64("9223372036854775808", &i));
    CHECK(!str_to_int64("4.5", &i));
}

static void test_appending_grows_and_take_hands_over(void)
{
    struct str s = {0};
    for (int i = 0; i < 1000; i++)
        str_addf(&s, "%d,", i);
    CHECK_EQ(s.length, 3890);
    char *text = str_take(&s);
    CHECK_HAS(text, ",998,999,");
    CHECK_STR(str_text(&s), "");
    free(text);
}

static void test_what_is_utf8_is_told_apart(void)
{
    CHECK(str_is_utf8("") && str_is_utf8("plain") && str_is_utf8("\xC3\xA9 \xF0\x9F\xA6\x8C"));
    CHECK(!str_is_utf8("\xFF") && !str_is_utf8("cut \xC3") && !str_is_utf8("overlong \xC0\x80") &&
          !str_is_utf8("surrogate \xED\xA0\x80"));
}

int main(void)
{
    RUN(test_what_is_utf8_is_told_apart);
    RUN(test_numbers_are_written_as_short_as_they_read_back);
    RUN(test_text_from_outside_cannot_reach_the_terminal_raw);
    RUN(test_the_nearest_name_is_found_and_nonsense_is_not);
    RUN(test_globs_match_whole_names);
    RUN(test_numbers_are_read_whole_or_not_at_all);
    RUN(test_appending_grows_and_take_hands_over);
    return check_done();
}
