/* attention_kernels.c - see attention_kernels.h. Compiled once per instruction set; ATTENTION_KERNELS_TABLE and
 * ATTENTION_KERNELS_NAME name the table. */
#include "engine/cpu/attention_kernels.h"
#include "engine/cpu/vector_functions.h"

extern const struct attention_kernels ATTENTION_KERNELS_TABLE;

enum { ROWS = LANES == 16 ? 8 : 4, VECS = 2 };

/* rows x vecs of C in registers while k runs; both are constants where this is inlined. */
INLINE void tile(const int rows, const int vecs, const struct small_product *p, int64_t row, int64_t column)
{
    vec sum[ROWS][VECS];
    const float *a = p->a + row * p->a_row, *b = p->b + column;
    float *c = p->c + row * p->ldc + column;
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vecs; v++)
            sum[i][v] = p->accumulate ? vec_load(c + i * p->ldc + v * LANES) : (vec){0};
    for (int64_t k = 0; k < p->k; k++, a += p->a_k, b += p->ldb) {
        vec right[VECS];
        for (int v = 0; v < vecs; v++)
            right[v] = vec_load(b + v * LANES);
        for (int i = 0; i < rows; i++) {
            vec left = vec_all(a[i * p->a_row]);
            for (int v = 0; v < vecs; v++)
                sum[i][v] += left * right[v];
        }
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vecs; v++)
            vec_store(c + i * p->ldc + v * LANES, sum[i][v]);
}

INLINE void columns(const int vecs, const struct small_product *p, int64_t column)
{
    int64_t row = 0;
    for (; row + ROWS <= p->m; row += ROWS)
        tile(ROWS, vecs, p, row, column);
    for (; row + 2 <= p->m; row += 2)
        tile(2, vecs, p, row, column);
    if (row < p->m)
        tile(1, vecs, p, row, column);
}

static void multiply(const struct small_product *p)
{
    int64_t column = 0;
    for (; column + VECS * LANES <= p->n; column += VECS * LANES)
        columns(VECS, p, column);
    if (column < p->n)
        columns(1, p, column);
}

/* A square of LANES x LANES, or its first rows and columns; the counts are constants where this is inlined for a whole
 * one. */
INLINE void turn_square(float *to, int64_t to_stride, const float *from, int64_t from_stride, int64_t rows,
                        int64_t columns, float factor)
{
    vec r[LANES];
    for (int k = 0; k < LANES; k++)
        r[k] = k < rows ? vec_load_part(from + k * from_stride, columns) * factor : (vec){0};
    vec_transpose(r);
    for (int k = 0; k < LANES; k++)
        if (k < columns)
            vec_store_part(to + k * to_stride, r[k], rows);
}

static void transpose(float *restrict to, int64_t to_stride, const float *restrict from, int64_t from_stride,
                      int64_t rows, int64_t columns, float factor)
{
    for (int64_t i = 0; i < rows; i += LANES)
        for (int64_t j = 0; j < columns; j += LANES) {
            float *corner = to + j * to_stride + i;
            const float *square = from + i * from_stride + j;
            if (rows - i >= LANES && columns - j >= LANES)
                turn_square(corner, to_stride, square, from_stride, LANES, LANES, factor);
            else
                turn_square(corner, to_stride, square, from_stride, rows - i, columns - j, factor);
        }
}

/* The key at `at` is one of [first, end), lane by lane. */
INLINE vec_where where_between(int64_t first, int64_t end, int64_t at)
{
    return first > at ? where_first(end - at) & ~where_first(first - at) : where_first(end - at);
}

static void softmax(float *scores, float *p, int64_t first, int64_t end, int64_t n, int64_t padded)
{
    const int64_t begin = first / LANES * LANES, stop = (end + LANES - 1) / LANES * LANES;
    const vec lowest = vec_all(-INFINITY), none = {0};
    vec top = lowest, total = none;
    for (int64_t i = begin; i < stop; i += LANES)
        top = vec_max(vec_choose(where_between(first, end, i), vec_load(scores + i), lowest), top);
    const vec shift = vec_all(vec_largest(top));
    for (int64_t i = begin; i < stop; i += LANES) {
        vec e = vec_choose(where_between(first, end, i), vec_exp(vec_load(scores + i) - shift), none);
        vec_store(scores + i, e);
        total += e;
    }
    const vec factor = vec_all(1.0f / vec_total(total));
    for (int64_t i = 0; i < padded; i += LANES) {
        vec y = i >= begin && i < stop ? vec_load(scores + i) * factor : none;
        vec_store(scores + i, y);
        vec_store_part(p + i, y, n - i);
    }
}

static void score_gradient(float *ds, const float *p, const float *dp, float factor, int64_t n)
{
    vec part = {0};
    for (int64_t i = 0; i < n; i += LANES)
        part += vec_load_part(p + i, n - i) * vec_load_part(dp + i, n - i);
    const vec total = vec_all(vec_total(part));
    for (int64_t i = 0; i < n; i += LANES)
        vec_store_part(ds + i, vec_load_part(p + i, n - i) * (vec_load_part(dp + i, n - i) - total) * factor, n - i);
}

const struct attention_kernels ATTENTION_KERNELS_TABLE = {.name = ATTENTION_KERNELS_NAME,
                                                          .lanes = LANES,
                                                          .multiply = multiply,
                                                          .transpose = transpose,
                                                          .softmax = softmax,
                                                          .score_gradient = score_gradient};
