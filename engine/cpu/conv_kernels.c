/* conv_kernels.c - see conv_kernels.h. Compiled once per instruction set; CONV_KERNELS_TABLE names the table.
 *
 * A tile of sums (R rows x NV vectors) stays in registers while its products are added up. R and NV are constants of
 * the inlined bodies: a switch picks the body.
 */
#include "engine/cpu/conv_kernels.h"
#include "engine/cpu/vectors.h"

enum { MOST_ROWS = ACCUMULATORS / 2, MOST_VECTORS = 4 };

INLINE void store_tile(int rows, int vectors, vec sums[][MOST_VECTORS], float *y, int64_t y_row)
{
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            vec_store(y + r * y_row + v * LANES, sums[r][v]);
}

/* y NULL: zeros */
INLINE void load_tile(int rows, int vectors, vec sums[][MOST_VECTORS], const float *y, int64_t y_row)
{
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sums[r][v] = y ? vec_load(y + r * y_row + v * LANES) : (vec){0};
}

/* Rows are addressed from every third one: few pointers, and steps that an address can hold. */
INLINE void product_tile(int rows, int vectors, const struct product *p, const float *a, const float *b, float *y)
{
    vec sums[MOST_ROWS][MOST_VECTORS];
    int64_t step = p->a_row;
    load_tile(rows, vectors, sums, p->add ? y : NULL, p->y_row);
    for (int64_t t = 0; t < p->n_taps; t++) {
        const float *at[(MOST_ROWS + 2) / 3];
#pragma GCC unroll 5
        for (int k = 0; k < (rows + 2) / 3; k++)
            at[k] = a + p->taps[t] + 3 * k * step;
#pragma GCC unroll 1
        for (int64_t d = 0; d < p->depth; d++, b += vectors * LANES) {
            vec w[MOST_VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                w[v] = vec_load(b + v * LANES);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                vec x = vec_all(at[r / 3][r % 3 * step]);
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++)
                    sums[r][v] += x * w[v];
            }
#pragma GCC unroll 5
            for (int k = 0; k < (rows + 2) / 3; k++)
                at[k]++;
        }
    }
    store_tile(rows, vectors, sums, y, p->y_row);
}

INLINE void outer_tile(int rows, int vectors, const struct outer *p, const float *a, const float *b, float *y)
{
    vec sums[MOST_ROWS][MOST_VECTORS];
    load_tile(rows, vectors, sums, y, p->y_row);
    for (int64_t line = 0; line < p->lines; line++) {
        const float *x = a + line * p->a_line, *z = b + line * p->b_line;
#pragma GCC unroll 1
        for (int64_t s = 0; s < p->steps; s++, x += p->a_step, z += p->b_step) {
            vec w[MOST_VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                w[v] = vec_load(z + v * LANES);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                vec one = vec_all(x[r]);
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++)
                    sums[r][v] += one * w[v];
            }
        }
    }
    store_tile(rows, vectors, sums, y, p->y_row);
}

/* Calls tile(R, NV, ...) for the R at hand: the bodies that a tile may have. */
#define ROWS_CASE(R, NV, tile, ...)                                                                                    \
    case R:                                                                                                            \
        if (R * NV <= ACCUMULATORS && R <= MOST_ROWS)                                                                  \
            tile(R <= MOST_ROWS ? R : 1, NV, __VA_ARGS__);                                                             \
        break
#define ROWS_SWITCH(NV, tile, ...)                                                                                     \
    ROWS_CASE(1, NV, tile, __VA_ARGS__);                                                                               \
    ROWS_CASE(2, NV, tile, __VA_ARGS__);                                                                               \
    ROWS_CASE(3, NV, tile, __VA_ARGS__);                                                                               \
    ROWS_CASE(4, NV, tile, __VA_ARGS__);                                                                               \
    ROWS_CASE(5, NV, tile, __VA_ARGS__);                                                                               \
    ROWS_CASE(6, NV, tile, __VA_ARGS__);                                                                               \
    ROWS_CASE(7, NV, tile, __VA_ARGS__);                                                                               \
    ROWS_CASE(8, NV, tile, __VA_ARGS__);                                                                               \
    ROWS_CASE(9, NV, tile, __VA_ARGS__);                                                                               \
    ROWS_CASE(10, NV, tile, __VA_ARGS__);                                                                              \
    ROWS_CASE(11, NV, tile, __VA_ARGS__);                                                                              \
    ROWS_CASE(12, NV, tile, __VA_ARGS__);                                                                              \
    ROWS_CASE(13, NV, tile, __VA_ARGS__);                                                                              \
    ROWS_CASE(14, NV, tile, __VA_ARGS__)

#define TILE_FUNCTIONS(NV)                                                                                             \
    static void product_##NV(const struct product *p, int rows, const float *a, const float *b, float *y)              \
    {                                                                                                                  \
        switch (rows) {                                                                                                \
            ROWS_SWITCH(NV, product_tile, p, a, b, y);                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    static void outer_##NV(const struct outer *p, int rows, const float *a, const float *b, float *y)                  \
    {                                                                                                                  \
        switch (rows) {                                                                                                \
            ROWS_SWITCH(NV, outer_tile, p, a, b, y);                                                                   \
        }                                                                                                              \
    }
TILE_FUNCTIONS(1)
TILE_FUNCTIONS(2)
TILE_FUNCTIONS(4)

static int most_rows(int vectors)
{
    int rows = ACCUMULATORS / vectors;
    return rows < MOST_ROWS ? rows : MOST_ROWS;
}

/* The next group of rows when `left` are to do: equal groups rather than full ones and a rest. */
static int next_rows(int64_t left, int most)
{
    int64_t groups = (left + most - 1) / most;
    return (int)((left + groups - 1) / groups);
}

static void product_rows(const struct product *p, int rows, const float *a, const float *b, float *y)
{
    if (p->panel == LANES)
        product_1(p, rows, a, b, y);
    else if (p->panel == 2 * LANES)
        product_2(p, rows, a, b, y);
    else
        product_4(p, rows, a, b, y);
}

/* A panel that is wider than what is left of y is computed apart. */
static void product_rows_part(const struct product *p, int rows, const float *a, const float *b, float *y,
                              int64_t columns)
{
    float tile[ACCUMULATORS * LANES];
    struct product apart = *p;
    apart.y_row = p->panel;
    for (int r = 0; r < rows && p->add; r++)
        memcpy(tile + r * p->panel, y + r * p->y_row, (size_t)columns * sizeof *y);
    product_rows(&apart, rows, a, b, tile);
    for (int r = 0; r < rows; r++)
        memcpy(y + r * p->y_row, tile + r * p->panel, (size_t)columns * sizeof *y);
}

static void product_panel(const struct product *p, const float *b, float *y, int64_t columns)
{
    int most = most_rows(p->panel / LANES);
    for (int64_t line = 0; line < p->lines; line++) {
        const float *a = p->a + line * p->a_line;
        float *out = y + line * p->y_line;
        for (int64_t left = p->rows; left > 0;) {
            int rows = next_rows(left, most);
            if (columns >= p->panel)
                product_rows(p, rows, a, b, out);
            else
                product_rows_part(p, rows, a, b, out, columns);
            a += rows * p->a_row;
            out += rows * p->y_row;
            left -= rows;
        }
    }
}

static void product(const struct product *p)
{
    const float *b = p->b;
    for (int64_t j = 0; j < p->columns; j += p->panel, b += p->n_taps * p->depth * p->panel)
        product_panel(p, b, p->y + j, p->columns - j);
}

static void outer(const struct outer *p)
{
    for (int64_t j = 0; j < p->columns;) {
        int64_t vectors = (p->columns - j) / LANES;
        vectors = vectors >= 2 ? (vectors == 4 && p->rows % 7 == 0 ? 4 : 2) : 1;
        int most = most_rows((int)vectors);
        for (int64_t left = p->rows, i = 0; left > 0;) {
            int rows = next_rows(left, most);
            float *y = p->y + i * p->y_row + j;
            if (vectors == 1)
                outer_1(p, rows, p->a + i, p->b + j, y);
            else if (vectors == 2)
                outer_2(p, rows, p->a + i, p->b + j, y);
            else
                outer_4(p, rows, p->a + i, p->b + j, y);
            i += rows;
            left -= rows;
        }
        j += vectors * LANES;
    }
}

static void depthwise(float *y, int64_t y_row, const float *x, int64_t x_row, const float *w, int64_t rows,
                      int64_t channels)
{
    for (int64_t c = 0; c < channels; c += LANES) {
        int64_t n = channels - c;
        vec factor = vec_load_part(w + c, n);
        for (int64_t i = 0; i < rows; i++)
            vec_store_part(y + i * y_row + c,
                           vec_load_part(y + i * y_row + c, n) + vec_load_part(x + i * x_row + c, n) * factor, n);
    }
}

static void depthwise_dw(float *w, const float *x, int64_t x_row, const float *y, int64_t y_row, int64_t rows,
                         int64_t channels)
{
    for (int64_t c = 0; c < channels; c += LANES) {
        int64_t n = channels - c;
        vec total = vec_load_part(w + c, n);
        for (int64_t i = 0; i < rows; i++)
            total += vec_load_part(x + i * x_row + c, n) * vec_load_part(y + i * y_row + c, n);
        vec_store_part(w + c, total, n);
    }
}

extern const struct conv_kernels CONV_KERNELS_TABLE;
const struct conv_kernels CONV_KERNELS_TABLE = {
    .lanes = LANES,
    .accumulators = ACCUMULATORS,
    .product = product,
    .outer = outer,
    .depthwise = depthwise,
    .depthwise_dw = depthwise_dw,
};
