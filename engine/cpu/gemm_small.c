/* gemm_small.c - see gemm_loops.h: products whose operands stay in the nearest caches. Nothing is copied but a right
 * operand that is transposed, nothing is fetched ahead, and strips are as even as their number allows.
 */
#include "engine/cpu/gemm_loops.h"

enum { FINISH_FLOATS = 16384 /* of C are finished together, while they are near */ };

bool gemm_is_small(const struct gemm_product *p)
{
    int64_t most = p->right_floats / 2; /* a quarter of the L2 cache */
    return p->c && p->m <= most && p->n <= GEMM_N_BLOCK && p->k <= GEMM_K_BLOCK && p->left_stride < GEMM_CONFLICT &&
           (p->kind == RIGHT_DIRECT || p->kind == RIGHT_PACK_TRANSPOSED) &&
           p->m * p->k + p->k * p->n + p->m * p->n <= most;
}

/* Rows of one panel. */
static void run_panel(gemm_tile_function *const *tiles, struct gemm_tile *t, int64_t rows, int64_t most, int64_t down)
{
    int64_t strips = divide_up(rows, most), low = rows / strips, higher = rows % strips;
    for (int64_t i = 0; i < strips; i++) {
        int64_t height = low + (i < higher);
        tiles[height](t);
        t->a += height * down;
        t->c += height * t->ldc;
    }
}

static void run_rows(const struct gemm_product *p, const float *panels, int64_t row, int64_t rows)
{
    const struct gemm_kernels *kernels = p->kernels;
    const int64_t panel = gemm_panel_columns(kernels), down = p->left_by_rows ? p->left_stride : 1;
    struct gemm_tile t = {.a_stride = p->left_stride,
                          .b_stride = p->right_stride,
                          .k = p->k,
                          .ldc = p->ldc,
                          .alpha = p->alpha,
                          .beta = p->beta};
    for (int64_t column = 0; column < p->n; column += panel) {
        int64_t columns = p->n - column < panel ? p->n - column : panel;
        t.a = p->left + row * down;
        t.b = panels ? panels + column * p->k : p->right + column;
        if (panels)
            t.b_stride = gemm_panel_width(kernels, column, p->n);
        t.c = p->c + row * p->ldc + column;
        t.columns = (int)columns;
        run_panel(kernels->near_tiles[p->left_by_rows ? LEFT_BY_ROWS : LEFT_ALONG_K][columns > kernels->lanes], &t,
                  rows, kernels->rows, down);
    }
}

void gemm_run_small(const struct gemm_product *p)
{
    const struct gemm *g = p->g;
    const int64_t parts = g->finish ? divide_up(p->m * p->n, FINISH_FLOATS) : 1;
    float *panels = p->kind == RIGHT_PACK_TRANSPOSED ? p->buffers->right_block : NULL;
    if (panels)
        gemm_pack_panels(p->kernels, panels, p->right, p->right_stride, true, p->k, p->n);
    for (int64_t i = 0; i < parts; i++) {
        int64_t row = p->m * i / parts, rows = p->m * (i + 1) / parts - row;
        run_rows(p, panels, row, rows);
        if (g->finish)
            g->finish(g->context, p->c + row * p->ldc, p->ldc, row, 0, rows, p->n);
    }
}
