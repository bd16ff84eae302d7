/* Python's str.format and repr of numbers: expectations were printed by Python 3.11. */
#include "engine/train/python_format.h"
#include "tests/check.h"

static const struct format_value values[] = {
    {"epoch", 7, true}, {"val_loss", 0.123456789, false}, {"loss", -2.5, false}};

static void formats_as(const char *format, const char *expected)
{
    struct str out = {0};
    struct err err = {0};
    CHECK_OK(python_format(&out, format, values, 3, &err), err);
    CHECK_STR(str_text(&out), expected);
    str_release(&out);
}

static void is_refused(const char *format, const char *because)
{
    struct str out = {0};
    struct err err = {0};
    CHECK(!python_format(&out, format, values, 3, &err));
    CHECK_EQ(err.code, ERR_USAGE);
    CHECK_HAS(err.text, because);
    str_release(&out);
}

static void test_names_of_checkpoints_are_formatted_as_python_does(void)
{
    formats_as("epoch-{epoch:04d}.keras", "epoch-0007.keras");
    formats_as("{epoch}-{val_loss:.3f}.keras", "7-0.123.keras");
    formats_as("{val_loss}", "0.123456789");
    formats_as("{{{epoch}}}", "{7}");
    formats_as("{epoch:.2f}", "7.00");
    formats_as("{loss:08.3f}", "-002.500");
    formats_as("{loss:+.1e}", "-2.5e+00");
    formats_as("{epoch:+d}", "+7");
    formats_as("{epoch:>4}", "   7");
    formats_as("{epoch:*^5d}", "**7**");
    formats_as("{val_loss:.1%}", "12.3%");
    formats_as("{val_loss:.3}", "0.123");
    formats_as("{loss:<8.2f}|", "-2.50   |");
    formats_as("{val_loss:g}", "0.123457");
}

static void test_what_python_refuses_is_refused_with_a_reason(void)
{
    is_refused("{val_los:.3f}", "did you mean 'val_loss'?");
    is_refused("{batch}", "there is no 'batch'");
    is_refused("{val_loss:d}", "whole numbers");
    is_refused("{epoch:.2d}", "no precision");
    is_refused("{epoch:999999999d}", "width must be at most 32");
    is_refused("{epoch", "without '}'");
    is_refused("epoch}", "without '{'");
    is_refused("{}", "expected the name of a value");
    is_refused("{epoch!r}", "expected the name of a value");
    is_refused("{epoch.real}", "expected the name of a value");
    is_refused("{epoch:{loss}}", "not understood");
    is_refused("{epoch:x}", "'x' is not understood");
}

static void repr_is(double value, const char *expected)
{
    struct str out = {0};
    python_repr(&out, value);
    CHECK_STR(str_text(&out), expected);
    str_release(&out);
}

static void test_repr_is_the_shortest_text_that_reads_back(void)
{
    repr_is(0.1, "0.1");
    repr_is(2, "2.0");
    repr_is(0, "0.0");
    repr_is(-0.0, "-0.0");
    repr_is((double)0.1f, "0.10000000149011612");
    repr_is(1e-5, "1e-05");
    repr_is(0.0001, "0.0001");
    repr_is(1e16, "1e+16");
    repr_is(123456789012345680.0, "1.2345678901234568e+17");
    repr_is(1e15, "1000000000000000.0");
    repr_is(1e22, "1e+22");
    repr_is(5e-324, "5e-324");
    repr_is(NAN, "nan");
    repr_is(-INFINITY, "-inf");
}

int main(void)
{
    RUN(test_names_of_checkpoints_are_formatted_as_python_does);
    RUN(test_what_python_refuses_is_refused_with_a_reason);
    RUN(test_repr_is_the_shortest_text_that_reads_back);
    return check_done();
}
