/* attention_kernels.c - see attention_kernels.h. Compiled once per instruction set; ATTENTION_KERNELS_TABLE and
 * ATTENTION_KERNELS_NAME name the table. */
#include "engine/cpu/attention_kernels.h"
#include "engine/cpu/vectors.h"

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

static void transpose(float *restrict to, int64_t to_stride, const float *restrict from, int64_t from_stride,
                      int64_t rows, int64_t n, float factor)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < rows; i++)
            to[j * to_stride + i] = from[i * from_stride + j] * factor;
}

static void score_gradient(float *ds, const float *p, const float *dp, float factor, int64_t n)
{
    vec part = {0};
    float total = 0;
    for (int64_t i = 0; i < n; i += LANES)
        part += vec_load_part(p + i, n - i) * vec_load_part(dp + i, n - i);
    for (int lane = 0; lane < LANES; lane++)
        total += part[lane];
    for (int64_t i = 0; i < n; i += LANES)
        vec_store_part(ds + i, vec_load_part(p + i, n - i) * (vec_load_part(dp + i, n - i) - total) * factor, n - i);
}

const struct attention_kernels ATTENTION_KERNELS_TABLE = {ATTENTION_KERNELS_NAME, LANES, multiply, transpose,
                                                          score_gradient};
