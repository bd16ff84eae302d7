/* Lines as dots: column-exact drawing equals a plain Bresenham line through every sample, dot for dot. */
#include "../check.h"

#include "base/arena.h"
#include "base/rng.h"
#include "plots/raster.h"

enum { MAX_SIDE = 400 };
struct field {
    bool dot[MAX_SIDE][MAX_SIDE];
    int width, height;
};

static double uniform(uint32_t *at)
{
    return rng_to_uniform(rng_u32(11, RNG_STREAM_DATA, 0, (*at)++));
}

static void plain_line(struct field *f, int x0, int y0, int x1, int y1)
{
    int dx = abs(x1 - x0), dy = abs(y1 - y0), sx = x0 < x1 ? 1 : -1, sy = y0 < y1 ? 1 : -1, e = dx - dy;
    for (;;) {
        if (x0 >= 0 && y0 >= 0 && x0 < f->width && y0 < f->height)
            f->dot[y0][x0] = true;
        if (x0 == x1 && y0 == y1)
            return;
        int e2 = 2 * e;
        if (e2 >= -dy)
            e -= dy, x0 += sx;
        if (e2 <= dx)
            e += dx, y0 += sy;
    }
}

/* Every sample, every segment. */
static void plain_series(struct field *f, const struct series *s, const struct scale *x, const struct scale *y)
{
    bool down = false;
    int px = 0, py = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (!isfinite(s->y[i])) {
            down = false;
            continue;
        }
        int at_x = scale_dot(x, s->x[i]), at_y = scale_dot(y, s->y[i]);
        plain_line(f, down ? px : at_x, down ? py : at_y, at_x, at_y);
        px = at_x, py = at_y, down = true;
    }
}

static void compare(const struct series *s, enum rung rung, int cols, int rows, double x_lo, double x_hi)
{
    static struct field want;
    struct raster raster;
    memset(&want, 0, sizeof want);
    raster_init(&raster, rung, cols, rows);
    want.width = raster.width;
    want.height = raster.height;
    struct series_stat stat = series_query(s, 0, s->n);
    struct scale x = {x_lo, x_hi, 0, raster.width - 1, false}, y = {stat.min, stat.max, raster.height - 1, 0, false};
    raster_series(&raster, s, &x, &y, false);
    plain_series(&want, s, &x, &y);
    int wrong = 0;
    for (int r = 0; r < raster.height; r++)
        for (int c = 0; c < raster.width; c++)
            wrong += want.dot[r][c] != raster_get(&raster, c, r);
    if (wrong)
        CHECK_FAIL("%d dots differ: n %zu rung %d, %d x %d", wrong, s->n, (int)rung, cols, rows);
    raster_release(&raster);
}

enum shape { WALK, DECAY, SPIKES, GAPS };
static void fill(struct series *s, enum shape shape, size_t n, uint32_t *at)
{
    double walk = 0, x = 0;
    for (size_t i = 0; i < n; i++) {
        walk += uniform(at) - 0.5;
        x += uniform(at) < 0.02 ? 37 : 1;
        double y = shape == WALK ? walk : 2 / (1 + (double)i / 40) + 0.3 * uniform(at);
        if (shape == SPIKES && uniform(at) < 0.003)
            y = 50 * uniform(at);
        if (shape == GAPS && uniform(at) < 0.05)
            y = uniform(at) < 0.5 ? NAN : INFINITY;
        series_append(s, x, y);
    }
}

static void test_dense_and_sparse_series_have_the_dots_of_a_plain_line(void)
{
    static const size_t sizes[] = {1, 2, 3, 50, 300, 1000, 20000, 300000};
    uint32_t at = 0;
    for (int shape = WALK; shape <= GAPS; shape++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            struct series s = {0};
            fill(&s, (enum shape)shape, sizes[k], &at);
            compare(&s, RUNG_BRAILLE, 160, 44, s.x[0], s.n > 1 ? s.x[s.n - 1] : s.x[0] + 1);
            compare(&s, RUNG_ASCII, 70, 20, s.x[0], s.n > 1 ? s.x[s.n - 1] : s.x[0] + 1);
            compare(&s, RUNG_HALF, 31, 9, s.x[0] - 100, s.x[s.n - 1] + 1000);
            series_release(&s);
        }
}

static void test_a_zoomed_line_enters_and_leaves_the_view(void)
{
    struct series s = {0};
    series_append(&s, 0, 0);
    series_append(&s, 1000, 10);
    struct raster raster;
    raster_init(&raster, RUNG_HALF, 11, 10);
    struct scale x = {495, 505, 0, 10, false}, y = {0, 10, 19, 0, false};
    raster_series(&raster, &s, &x, &y, false);
    for (int c = 0; c < 11; c++)
        CHECK(raster_get(&raster, c, 9) || raster_get(&raster, c, 10));
    raster_release(&raster);
    series_release(&s);
}

static void test_values_far_outside_the_view_leave_steep_lines_and_write_nothing_outside(void)
{
    uint32_t at = 77;
    struct raster raster;
    raster_init(&raster, RUNG_BRAILLE, 20, 6);
    for (int i = 0; i < 200000; i++) {
        double v[4];
        for (int k = 0; k < 4; k++)
            v[k] = (uniform(&at) - 0.5) * pow(10, uniform(&at) * 12);
        raster_line(&raster, v[0], v[1], v[2], v[3], i % 2);
    }
    raster_line(&raster, NAN, 0, 1, 1, false);
    raster_line(&raster, 0, -INFINITY, 1, 1, false);
    raster_set(&raster, -1, 0);
    raster_set(&raster, 40, 23);
    CHECK(!raster_get(&raster, -1, 0) && !raster_get(&raster, 40, 0));
    raster_release(&raster);
}

static void test_a_gap_is_a_gap_and_a_lonely_sample_a_dot(void)
{
    struct series s = {0};
    const double y[] = {5, NAN, 5, NAN, NAN, 5, 5};
    for (int i = 0; i < 7; i++)
        series_append(&s, i, y[i]);
    struct raster raster;
    raster_init(&raster, RUNG_HALF, 7, 1);
    struct scale sx = {0, 6, 0, 6, false}, sy = {0, 10, 1, 0, false};
    raster_series(&raster, &s, &sx, &sy, false);
    const char *want = "#.#..##";
    for (int c = 0; c < 7; c++)
        CHECK_EQ(raster_get(&raster, c, 0) || raster_get(&raster, c, 1), want[c] == '#');
    raster_release(&raster);
    series_release(&s);
}

static void test_an_empty_cell_is_a_blank_never_an_empty_braille_pattern(void)
{
    CHECK_EQ(rung_glyph(RUNG_BRAILLE, 0), ' ');
    CHECK_EQ(rung_glyph(RUNG_BRAILLE, 0xFF), 0x28FF);
    CHECK_EQ(rung_glyph(RUNG_HALF, 3), 0x2588);
    CHECK_EQ(rung_glyph(RUNG_ASCII, 2), '-');
}

int main(void)
{
    RUN(test_dense_and_sparse_series_have_the_dots_of_a_plain_line);
    RUN(test_a_zoomed_line_enters_and_leaves_the_view);
    RUN(test_values_far_outside_the_view_leave_steep_lines_and_write_nothing_outside);
    RUN(test_a_gap_is_a_gap_and_a_lonely_sample_a_dot);
    RUN(test_an_empty_cell_is_a_blank_never_an_empty_braille_pattern);
    return check_done();
}
