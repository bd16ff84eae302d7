/* Decimal numbers are read as strtod reads them, to the last bit. */
#include "base/decimal.h"
#include "tests/check.h"

#include <stdint.h>

static void test_decimals_are_those_of_strtod(void)
{
    static const char *const cases[] = {"0",
                                        "-0",
                                        "1",
                                        "0.1",
                                        "1e22",
                                        "1e23",
                                        "9007199254740993",
                                        "1.7976931348623157e308",
                                        "1e309",
                                        "5e-324",
                                        "2.4703282292062327e-324",
                                        "123456789012345678901234567890",
                                        "0.30000000000000004",
                                        "1.0024945873493252",
                                        "1e-27",
                                        "8.41e21",
                                        "9.5367431640625e-7",
                                        "4503599627370497.5",
                                        "4503599627370496.5",
                                        "9007199254740993e22",
                                        "-0",
                                        "0e5"};
    char text[64];
    double found;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(decimal_parse(cases[i], strlen(cases[i]), &found));
        CHECK(found == strtod(cases[i], NULL));
    }
    srand(7);
    for (int k = 0; k < 200000; k++) {
        uint64_t bits = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
        double value;
        bits = (bits & ~(UINT64_C(0x7FF) << 52)) | (uint64_t)(1023 - 60 + rand() % 120) << 52;
        memcpy(&value, &bits, 8);
        snprintf(text, sizeof text, "%.*g", 1 + rand() % 18, value);
        CHECK(decimal_parse(text, strlen(text), &found) && found == strtod(text, NULL));
    }
    static const char *const none[] = {"", "-", ".", "e5", "1e", "1x", "nan", "0x10", "1 ", " 1", "--1", "1.2.3"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CHECK(!decimal_parse(none[i], strlen(none[i]), &found));
}

int main(void)
{
    RUN(test_decimals_are_those_of_strtod);
    return check_done();
}
