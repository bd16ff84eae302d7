/* Runs a fuzz target without libFuzzer for a bounded while: pieces that mean something to terminals and logs, put
 * together and damaged at random, the same ones every time. Linked with a target. */
#include "base/rng.h"
#include "tests/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const pieces[] = {"\033[A",    "\033[1;5C",    "\033[<0;12;7M",
                                     "\033[M !!", "\033[200~",    "\033[201~",
                                     "\033OP",    "\033[[A",      "\033]11;rgb:f",
                                     "\a",        "\033\\",       "\033[?62;22c",
                                     "\033[0n",   "\xe6\x97\xa5", "\xf0\x9f\x98\x80",
                                     "\xcc\x81",  "\xc0\x80",     "\xed\xa0\x80",
                                     "plain ",    "words\n",      "10 %\r",
                                     "\b\b",      "\t",           "\033[31m",
                                     "\033]0;t",  "\033P1",       "\x7f",
                                     "\x9b"};
enum { PIECES = sizeof pieces / sizeof *pieces, ROUNDS = 20000, MOST = 300 };

static size_t make_input(uint32_t round, uint8_t *out)
{
    size_t n = 0;
    uint32_t at = 0, count = rng_u32(3, RNG_STREAM_DATA, round, at++) % 12;
    for (uint32_t k = 0; k < count; k++) {
        const char *piece = pieces[rng_u32(3, RNG_STREAM_DATA, round, at++) % PIECES];
        size_t length = strlen(piece);
        memcpy(out + n, piece, length);
        n += length;
    }
    for (uint32_t damage = rng_u32(3, RNG_STREAM_DATA, round, at++) % 4; n && damage; damage--) {
        uint32_t bits = rng_u32(3, RNG_STREAM_DATA, round, at++);
        out[bits % n] = (uint8_t)(bits >> 16);
    }
    return n;
}

static void test_no_input_breaks_it(void)
{
    uint8_t input[MOST];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        size_t n = make_input(round, input);
        CHECK_EQ(LLVMFuzzerTestOneInput(input, n), 0);
    }
}

int main(void)
{
    RUN(test_no_input_breaks_it);
    return check_done();
}
