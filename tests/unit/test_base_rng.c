/* Philox4x32-10 against the known answers that Random123 publishes (kat_vectors), and the derived functions. */
#include "base/rng.h"
#include "tests/check.h"

static void check_vector(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1,
                         const uint32_t *expected)
{
    uint32_t counter[4] = {c0, c1, c2, c3}, key[2] = {k0, k1}, out[4];
    rng_philox(counter, key, out);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(out[i], expected[i]);
}

static void test_philox_gives_the_published_answers(void)
{
    check_vector(0, 0, 0, 0, 0, 0, (const uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    check_vector(~0u, ~0u, ~0u, ~0u, ~0u, ~0u, (const uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    check_vector(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
                 (const uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

static void test_a_permutation_holds_every_number_once(void)
{
    enum { N = 1000 };
    int64_t order[N], again[N];
    char seen[N] = {0};
    rng_permutation(7, RNG_STREAM_SHUFFLE + 3, order, N);
    rng_permutation(7, RNG_STREAM_SHUFFLE + 3, again, N);
    CHECK(!memcmp(order, again, sizeof order));
    for (int i = 0; i < N; i++) {
        CHECK(order[i] >= 0 && order[i] < N && !seen[order[i]]);
        seen[order[i]] = 1;
    }
    rng_permutation(7, RNG_STREAM_SHUFFLE + 4, again, N);
    CHECK(memcmp(order, again, sizeof order));
}

static void test_uniforms_and_normals_have_their_moments(void)
{
    enum { N = 100000 };
    static float x[N];
    double sum = 0, squares = 0;
    rng_fill_uniform(1, RNG_STREAM_DATA, 0, x, N);
    for (int i = 0; i < N; i++) {
        CHECK(x[i] >= 0 && x[i] < 1);
        sum += x[i];
    }
    CHECK_NEAR(sum / N, 0.5, 0.005);
    rng_fill_normal(1, RNG_STREAM_DATA, 0, x, N);
    sum = 0;
    for (int i = 0; i < N; i++) {
        sum += x[i];
        squares += x[i] * x[i];
    }
    CHECK_NEAR(sum / N, 0, 0.015);
    CHECK_NEAR(squares / N, 1, 0.02);
}

int main(void)
{
    RUN(test_philox_gives_the_published_answers);
    RUN(test_a_permutation_holds_every_number_once);
    RUN(test_uniforms_and_normals_have_their_moments);
    return check_done();
}
