/* gemm_small.c - see gemm_loops.h: products whose operands stay in the nearest caches. Nothing is copied but a right
 * operand that is transposed, nothing is fetched but by the first strip of a large one, and strips are as even as their
 * number allows.
 */
#include "engine/cpu/gemm_loops.h"

enum {
    FINISH_FLOATS = 16384, /* of C are finished together, while they are near */
    FETCH_FLOATS = 8192,   /* more of a right operand than this come from L2 or farther away */
};

bool gemm_is_near(const struct gemm_product *p)
{
    int64_t most = p->right_floats / 2; /* a quarter of the L2 cache */
    return p->c && p->m <= most && p->n <= GEMM_N_BLOCK && p->k <= GEMM_K_BLOCK && p->left_stride < GEMM_CONFLICT &&
           p->right_stride < GEMM_CONFLICT && p->m * p->k + p->k * p->n + p->m * p->n <= most;
}

bool gemm_is_small(const struct gemm_product *p)
{
    return (p->kind == RIGHT_DIRECT || p->kind == RIGHT_PACK_TRANSPOSED) && gemm_is_near(p);
}

/* The tiles of one panel, by their rows. */
struct small_tiles {
    gemm_tile_function *const *first, *const *others;
};

static struct small_tiles choose_tiles(const struct gemm_product *p, bool fetches, bool two_vectors)
{
    enum gemm_left left = p->left_by_rows ? LEFT_BY_ROWS : LEFT_ALONG_K;
    gemm_tile_function *const *near = p->kernels->near_tiles[left][two_vectors];
    return (struct small_tiles){fetches ? p->kernels->tiles[0][left][two_vectors] : near, near};
}

/* Rows of one panel. */
static void run_panel(const struct gemm_product *p, const struct small_tiles *tiles, int64_t rows, struct gemm_tile *t)
{
    int64_t down = p->left_by_rows ? p->left_stride : 1;
    int64_t strips = divide_up(rows, p->kernels->rows), low = rows / strips, higher = rows % strips;
    for (int64_t i = 0; i < strips; i++) {
        int64_t height = low + (i < higher);
        (i ? tiles->others : tiles->first)[height](t);
        t->a += height * down;
        t->c += height * t->ldc;
    }
}

/* panels: NULL where the right operand is read in place. */
static void run_rows(const struct gemm_product *p, const float *panels, int64_t row, int64_t rows)
{
    const struct gemm_kernels *kernels = p->kernels;
    const int64_t panel = gemm_panel_columns(kernels);
    const bool fetches = !panels && row == 0 && p->k * p->n > FETCH_FLOATS;
    struct gemm_tile t = {.a_stride = p->left_stride,
                          .b_stride = p->right_stride,
                          .k = p->k,
                          .ldc = p->ldc,
                          .alpha = p->alpha,
                          .beta = p->beta};
    for (int64_t column = 0; column < p->n; column += panel) {
        int64_t columns = p->n - column < panel ? p->n - column : panel;
        t.a = p->left + row * (p->left_by_rows ? p->left_stride : 1);
        t.b = panels ? panels + column * p->k : p->right + column;
        if (panels)
            t.b_stride = gemm_panel_width(kernels, column, p->n);
        t.c = p->c + row * p->ldc + column;
        t.columns = (int)columns;
        struct small_tiles tiles = choose_tiles(p, fetches, columns > kernels->lanes);
        run_panel(p, &tiles, rows, &t);
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
