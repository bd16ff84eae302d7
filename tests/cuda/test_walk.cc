/* test_walk.cc - indexes taken apart in kernels, against plain divisions */
#include "engine/cuda/grid.h"
#include "tests/check.h"

static uint64_t state = 1;

/* Of any number of bits. */
static int64_t some_number(int most_bits)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(state >> (64 - (state >> 20) % (uint64_t)most_bits - 1));
}

static void check_division(int64_t n, int64_t by, int64_t below)
{
    if (divide(n, divisor_of(by, below)) != n / by)
        CHECK_FAIL("%lld / %lld below %lld: %lld", (long long)n, (long long)by, (long long)below,
                   (long long)divide(n, divisor_of(by, below)));
}

static void test_divisions_are_exact(void)
{
    const int64_t narrow = (int64_t)1 << 31, wide = (int64_t)1 << 40;
    for (int i = 0; i < 200000; i++) {
        int64_t by = some_number(31) + 1, n = some_number(31);
        check_division(n, by, narrow);
        int64_t multiple = (narrow - 1) / by * by; /* where a quotient that is too small or too large shows */
        check_division(multiple, by, narrow);
        check_division(multiple - 1, by, narrow);
        check_division(some_number(40), some_number(40) + 1, wide);
    }
    check_division(narrow - 1, 1, narrow);
    check_division(narrow - 1, narrow - 1, narrow);
    check_division(narrow - 1, narrow, narrow);
    check_division(wide - 1, 1, wide);
    CHECK(divisor_of(3, narrow).magic && !divisor_of(3, narrow + 1).magic);
}

/* Where element i of dims is, one axis after another. */
static int64_t plain_walk(const int64_t *dims, const int64_t *strides, int rank, int64_t begin, int64_t i)
{
    for (int axis = rank - 1; axis >= 0; axis--) {
        begin += i % dims[axis] * strides[axis];
        i /= dims[axis];
    }
    return begin;
}

static void check_walk(const int64_t *dims, const int64_t *strides, int rank, int64_t begin, int joined)
{
    struct walk w = walk_of(dims, strides, rank, begin), quads;
    CHECK_EQ(w.rank, joined);
    for (int64_t i = 0; i < w.n; i++)
        CHECK_EQ(walk_at(&w, i), plain_walk(dims, strides, rank, begin, i));
    if (walk_in_quads(&w, &quads))
        for (int64_t i = 0; i < w.n; i++)
            CHECK_EQ(walk_at(&quads, i / 4) * 4 + i % 4, walk_at(&w, i));
}

static void test_walks_join_axes(void)
{
    const int64_t dims[] = {2, 1, 3, 4}, dense[] = {12, 12, 4, 1}, row[] = {0, 0, 0, 1}, column[] = {3, 3, 1, 0},
                  turned[] = {1, 2, 8, 2}, back[] = {12, 12, -4, 1};
    check_walk(dims, dense, 4, 8, 1);
    check_walk(dims, row, 4, 0, 2);
    check_walk(dims, column, 4, 0, 2);
    check_walk(dims, turned, 4, 5, 2);
    check_walk(dims, back, 4, 8, 3);
    check_walk(dims, dense, 0, 7, 1);
    check_walk(dims + 1, dense, 1, 7, 1);
}

/* Beyond 31 bits; nothing of that size is allocated. */
static void test_walks_of_large_tensors(void)
{
    const int64_t dims[] = {70000, 3, 50000}, turned[] = {1, 70000 * (int64_t)50000, 70000};
    struct walk w = walk_of(dims, turned, 3, 0);
    for (int i = 0; i < 1000; i++) {
        int64_t at = some_number(40) % w.n;
        CHECK_EQ(walk_at(&w, at), plain_walk(dims, turned, 3, 0, at));
    }
}

int main(void)
{
    RUN(test_divisions_are_exact);
    RUN(test_walks_join_axes);
    RUN(test_walks_of_large_tensors);
    return check_done();
}
