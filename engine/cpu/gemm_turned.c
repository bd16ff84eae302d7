/* gemm_turned.c - see gemm_loops.h: C^T = left right, for products whose weights are read where they lie while the
 * smaller operand is packed, as in the gradient of a dense layer's input.
 */
#include "engine/cpu/gemm_loops.h"

/* What finish will touch beside columns [first, first + columns) of C, rows of one panel. */
static void fetch_beside(const struct gemm_product *p, int64_t row, int64_t first, int64_t columns)
{
    for (int k = 0; k < p->g->n_beside; k++)
        for (int64_t i = row; i < row + gemm_panel_columns(p->kernels) && i < p->n; i++)
            for (int64_t j = 0; j < columns; j += GEMM_LINE)
                __builtin_prefetch(p->g->beside[k] + i * p->ldc + first + j, 0, 2);
}

/* Rows [first, first + rows) of the left operand, all of k, to turned_rows. `whole` is the block with all of k. While
 * the strips of one block of k are multiplied, those of the next one are fetched, or of the next rows. */
static void add_rows(const struct gemm_product *p, const struct gemm_block *whole, int64_t first, int64_t rows)
{
    int n = (int)divide_up(rows, p->kernels->rows);
    struct gemm_product part = *p;
    struct gemm_block b = *whole;
    struct gemm_tile t = {.ldc = GEMM_N_BLOCK, .alpha = 1};
    part.m = rows;
    part.left += first * (p->left_by_rows ? p->left_stride : 1);
    for (b.k_first = 0; b.k_first < p->k; b.k_first += b.k) {
        struct gemm_strip s[GEMM_LEFT_STRIPS];
        b.k = clamp(p->k - b.k_first, 0, gemm_k_block(p->k));
        gemm_load_strips(&part, &b, 0, n, n, 0, s);
        t.k = b.k;
        t.beta = b.k_first ? 1 : 0;
        bool last = b.k_first + b.k == p->k, more = !last || first + 2 * rows <= p->m;
        const float *next = last ? part.left + rows * p->left_stride : part.left + b.k_first + b.k;
        if (more && p->left_by_rows)
            t.ahead = gemm_rows_ahead(next, p->left_stride, rows, b.k);
        for (int64_t column = 0; column < b.columns; column += gemm_panel_columns(p->kernels)) {
            gemm_point_to_panel(p, whole, column, &t);
            t.b += b.k_first * t.b_stride;
            if (last)
                fetch_beside(p, b.column + column, first, rows);
            for (int i = 0; i < n; i++)
                gemm_run_tile(p, &b, &s[i], column, p->buffers->turned_rows + s[i].row * GEMM_N_BLOCK, &t);
        }
    }
}

/* C gets the turned rows as columns [first, first + columns), a few rows at a time. */
static void finish_rows(const struct gemm_product *p, const struct gemm_block *b, int64_t first, int64_t columns)
{
    const struct gemm *g = p->g;
    int panel = gemm_panel_columns(p->kernels), lanes = p->kernels->lanes;
    for (int64_t i = 0; i < b->columns; i += panel) {
        int rows = (int)clamp(b->columns - i, 0, panel);
        float *c = p->c ? p->c + (b->column + i) * p->ldc + first : p->buffers->streamed_strip;
        int64_t ldc = p->c ? p->ldc : GEMM_TURNED_ROWS;
        for (int64_t j = 0; j < columns; j += lanes)
            p->kernels->store_transposed(c + j, ldc, p->buffers->turned_rows + j * GEMM_N_BLOCK + i, GEMM_N_BLOCK,
                                         (int)clamp(columns - j, 0, lanes), rows, p->alpha, p->beta);
        if (g->finish)
            g->finish(g->context, c, ldc, b->column + i, first, rows, columns);
    }
}

void gemm_run_turned(const struct gemm_product *p)
{
    int64_t by_n = p->kind == RIGHT_PACKED ? GEMM_N_BLOCK : gemm_columns_step(p, p->k);
    int64_t by_m = divide_up(divide_up(p->m, divide_up(p->m, GEMM_TURNED_ROWS)), GEMM_LINE) * GEMM_LINE;
    struct gemm_block b = {.k = p->k, .last = true, .panels = p->buffers->right_block};
    for (b.column = 0; b.column < p->n; b.column += by_n) {
        b.columns = clamp(p->n - b.column, 0, by_n);
        gemm_load_block(p, &b);
        for (int64_t first = 0; first < p->m; first += by_m) {
            int64_t rows = clamp(p->m - first, 0, by_m);
            add_rows(p, &b, first, rows);
            finish_rows(p, &b, first, rows);
        }
    }
}
