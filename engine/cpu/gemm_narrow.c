/* gemm_narrow.c - see gemm_loops.h: products with so few columns that vectors along k waste less than vectors along a
 * row. The right operand is turned first; groups of rows pass over it, a few columns at a time.
 */
#include "engine/cpu/gemm_loops.h"

enum {
    LEAST_ROWS = 48, /* pay for turning the right operand, */
    LEAST_K = 192,   /* and so long sums for adding up the vectors */
};

bool gemm_is_narrow(const struct gemm_kernels *kernels, const struct gemm *g)
{
    return g->c && !g->transpose_a && !g->transpose_b && g->n <= GEMM_SUMS_STRIDE && g->m >= LEAST_ROWS &&
           g->k >= LEAST_K && divide_up(g->k, kernels->lanes) * kernels->lanes * g->n <= GEMM_RIGHT_FLOATS;
}

/* Blocks of `lanes` k, in each of them `lanes` numbers of every column. */
static void turn_right(const struct gemm_product *p, float *to)
{
    int lanes = p->kernels->lanes;
    for (int64_t k = 0; k < p->k; k += lanes, to += lanes * p->n)
        p->kernels->pack_transposed(to, p->right + k * p->right_stride, p->right_stride, p->n,
                                    (int)clamp(p->k - k, 0, lanes));
}

/* C = alpha * sums + beta * C for rows [row, row + rows). Single floats: a vector would wait for the parts it was
 * written in. */
static void store_rows(const struct gemm_product *p, const float *sums, int64_t row, int rows)
{
    for (int i = 0; i < rows; i++) {
        float *c = p->c + (row + i) * p->ldc;
        for (int64_t j = 0; j < p->n; j++)
            c[j] = p->alpha * sums[i * GEMM_SUMS_STRIDE + j] + (p->beta == 0 ? 0 : p->beta * c[j]);
    }
}

void gemm_run_narrow(const struct gemm_product *p)
{
    const struct gemm_kernels *kernels = p->kernels;
    int64_t strips = divide_up(p->m, kernels->narrow_rows), parts = divide_up(p->n, kernels->narrow_columns);
    float sums[GEMM_NARROW_MAX * GEMM_SUMS_STRIDE];
    struct gemm_narrow t = {.a_stride = p->left_stride, .b_stride = kernels->lanes * p->n, .k = p->k};
    turn_right(p, p->buffers->right_block);
    for (int64_t i = 0; i < strips; i++) {
        int64_t row = p->m * i / strips;
        int rows = (int)(p->m * (i + 1) / strips - row);
        t.a = p->left + row * p->left_stride;
        for (int64_t part = 0; part < parts; part++) {
            int64_t column = p->n * part / parts, columns = p->n * (part + 1) / parts - column;
            t.b = p->buffers->right_block + column * kernels->lanes;
            t.sums = sums + column;
            kernels->narrow[rows][columns](&t);
        }
        store_rows(p, sums, row, rows);
    }
    if (p->g->finish)
        p->g->finish(p->g->context, p->c, p->ldc, 0, 0, p->m, p->n);
}
