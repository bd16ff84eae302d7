/* gemm.c - see gemm.h: which kernels and which order of loops (gemm_loops.h) a product gets.
 */
#include "engine/cpu/gemm_loops.h"
#include "engine/cpu/scratch.h"

#include <cblas.h>
#undef I
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    DIRECT_STRIPS = 3,      /* so few passes over a right operand do not pay for packing it, */
    DIRECT_FLOATS = 8192,   /* nor does one that fits into L1 */
    TURN_FLOATS = 3072,     /* of a small operand are packed sooner than a product is turned */
    TURNED_MOST_ROWS = 192, /* more of them pay for packing the weights instead */
    REST_COLUMNS = 4,
};

static const struct gemm_kernels *kernels;           /* NULL: OpenBLAS */
static int64_t right_floats = GEMM_RIGHT_FLOATS / 2; /* half of this machine's L2 cache */

int64_t gemm_k_block(int64_t k)
{
    return divide_up(divide_up(k, divide_up(k, GEMM_K_BLOCK)), 8) * 8;
}

static int panel_columns(void)
{
    return gemm_panel_columns(kernels);
}

/* C^T = op(B)^T op(A)^T: the weights of a data gradient are read where they lie and the smaller operand is packed. */
static bool better_transposed(const struct gemm *g)
{
    if (g->k * panel_columns() > right_floats || (g->transpose_b && g->m > TURNED_MOST_ROWS))
        return false;
    if (!g->transpose_b)
        return g->transpose_a && g->n <= kernels->rows && g->m >= 2 * g->n;
    int64_t packed = g->n * g->k, turned = g->m * (g->k + g->n);
    if (g->transpose_a || turned >= packed || packed > DIRECT_FLOATS)
        return g->transpose_a || turned < packed;
    int64_t rows = clamp(g->m, kernels->lanes, INT64_MAX); /* as many are computed */
    return 2 * g->m > kernels->lanes && rows * (g->k + g->n) / 2 + TURN_FLOATS < packed;
}

static bool copies_left(const struct gemm_product *p)
{
    if (p->left_by_rows)
        return p->left_stride % GEMM_CONFLICT == 0 && p->n > 2 * panel_columns();
    return p->n > panel_columns();
}

/* What does not depend on which operand is the left one. */
static struct gemm_product start_product(const struct gemm *g)
{
    return (struct gemm_product){.kernels = kernels,
                                 .k = g->k,
                                 .c = g->c,
                                 .ldc = g->ldc,
                                 .alpha = g->alpha,
                                 .beta = g->beta,
                                 .g = g,
                                 .right_floats = right_floats,
                                 .buffers = thread_scratch(SCRATCH_GEMM, sizeof(struct gemm_buffers))};
}

static const struct narrow_loops {
    const char *name;
    void (*run)(const struct gemm_product *p);
} narrow_loops[] = {
    [NARROW_ALONG_K] = {"narrow-k", gemm_run_along_k},
    [NARROW_ALONG_M] = {"narrow-m", gemm_run_along_m},
    [NARROW_SHORT_K] = {"short-k", gemm_run_short_k},
    [NARROW_ROW] = {"row", gemm_run_row},
};

static bool is_turned(const struct gemm *g)
{
    return g->c && better_transposed(g);
}

/* Whether the right operand is read where it lies. */
static bool is_direct(const struct gemm_product *p)
{
    return p->m <= DIRECT_STRIPS * kernels->rows || p->right_stride <= panel_columns() || p->k * p->n <= DIRECT_FLOATS;
}

/* Which operand is the left one, and where the right one's panels come from. */
static void find_operands(struct gemm_product *p, bool turned)
{
    const struct gemm *g = p->g;
    bool right_transposed = turned ? !g->transpose_a : g->transpose_b;
    if (turned) {
        p->m = g->n, p->n = g->m;
        p->left = g->b, p->left_stride = g->ldb, p->left_by_rows = g->transpose_b;
        p->right = g->a, p->right_stride = g->lda;
    } else {
        p->m = g->m, p->n = g->n;
        p->left = g->a, p->left_stride = g->lda, p->left_by_rows = !g->transpose_a;
        p->right = g->b, p->right_stride = g->ldb;
    }
    bool before = turned || p->right_stride % GEMM_CONFLICT == 0;
    p->kind = right_transposed                               ? RIGHT_PACK_TRANSPOSED
              : is_direct(p) || (!before && gemm_is_near(p)) ? RIGHT_DIRECT
              : before                                       ? RIGHT_PACK
                                                             : RIGHT_PACK_ALONG;
}

static void run_product(const struct gemm *g)
{
    struct gemm_product p = start_product(g);
    enum gemm_narrow_kind kind = gemm_narrow_kind(kernels, g);
    if (kind != NOT_NARROW) {
        narrow_loops[kind].run(&p);
        return;
    }
    bool turned = is_turned(g);
    find_operands(&p, turned);
    if (!turned && gemm_is_small(&p)) {
        gemm_run_small(&p);
        return;
    }
    p.left_copied = copies_left(&p);
    (turned ? gemm_run_turned : gemm_run_loops)(&p);
}

static void finish_rest(void *context, const float *product, int64_t ld, int64_t row, int64_t column, int64_t m,
                        int64_t n)
{
    const struct gemm *g = context;
    int64_t first = g->n - g->n % kernels->lanes;
    g->finish(g->context, product, ld, row, first + column, m, n);
}

/* Columns behind the last whole vector of them, so few that vectors along m are faster. */
static bool has_rest(const struct gemm *g)
{
    int64_t rest = g->n % kernels->lanes;
    return g->c && g->transpose_a && !g->transpose_b && g->n > kernels->lanes && rest > 0 && rest <= REST_COLUMNS &&
           g->m >= 2 * kernels->lanes;
}

static void run_columns(const struct gemm *g)
{
    if (!has_rest(g)) {
        run_product(g);
        return;
    }
    struct gemm whole = *g, rest = *g;
    rest.n = g->n % kernels->lanes;
    whole.n = g->n - rest.n;
    rest.b += whole.n;
    rest.c += whole.n;
    if (g->finish) {
        rest.finish = finish_rest;
        rest.context = (void *)g;
    }
    run_product(&whole);
    run_product(&rest);
}

const char *gemm_kind(const struct gemm *g)
{
    if (!kernels)
        return "openblas";
    enum gemm_narrow_kind kind = gemm_narrow_kind(kernels, g);
    if (kind != NOT_NARROW || is_turned(g))
        return kind != NOT_NARROW ? narrow_loops[kind].name : "turned";
    struct gemm_product p = {.k = g->k, .c = g->c, .g = g, .right_floats = right_floats};
    find_operands(&p, false);
    return p.kind == RIGHT_DIRECT ? "direct" : "packed";
}

static void run_openblas(const struct gemm *g)
{
    cblas_sgemm(CblasRowMajor, g->transpose_a ? CblasTrans : CblasNoTrans, g->transpose_b ? CblasTrans : CblasNoTrans,
                (blasint)g->m, (blasint)g->n, (blasint)g->k, g->alpha, g->a, (blasint)g->lda, g->b, (blasint)g->ldb,
                g->beta, g->c, (blasint)g->ldc);
    if (g->finish)
        g->finish(g->context, g->c, g->ldc, 0, 0, g->m, g->n);
}

/* C = beta * C */
static void run_empty(const struct gemm *g)
{
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++)
            g->c[i * g->ldc + j] = g->beta == 0 ? 0 : g->beta * g->c[i * g->ldc + j];
    if (g->finish)
        g->finish(g->context, g->c, g->ldc, 0, 0, g->m, g->n);
}

bool gemm_can_stream(const struct gemm *g, bool packed_a)
{
    return kernels && g->k > 0 && (packed_a || g->k <= GEMM_K_BLOCK);
}

void gemm_run(const struct gemm *g)
{
    if (g->m == 0 || g->n == 0)
        return;
    if (g->k == 0) {
        run_empty(g);
    } else {
        (kernels ? run_columns : run_openblas)(g);
    }
}

int gemm_panel(void)
{
    return kernels ? panel_columns() : 16;
}

size_t gemm_packed_b_floats(int64_t k, int64_t n)
{
    return (size_t)k * (size_t)(kernels ? divide_up(n, kernels->lanes) * kernels->lanes : n);
}

void gemm_pack_b(float *panels, const float *b, int64_t ldb, bool transpose_b, int64_t k, int64_t n)
{
    gemm_pack_b_columns(panels, b, ldb, transpose_b, k, n, 0, n);
}

/* For OpenBLAS: the plain matrix [k][n]. */
static void copy_columns(float *panels, const float *b, int64_t ldb, bool transpose_b, int64_t k, int64_t n,
                         int64_t first, int64_t count)
{
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = first; j < first + count; j++)
            panels[i * n + j] = transpose_b ? b[j * ldb + i] : b[i * ldb + j];
}

void gemm_pack_b_columns(float *panels, const float *b, int64_t ldb, bool transpose_b, int64_t k, int64_t n,
                         int64_t first, int64_t count)
{
    if (!kernels) {
        copy_columns(panels, b, ldb, transpose_b, k, n, first, count);
        return;
    }
    gemm_pack_panels(kernels, panels + first * k, transpose_b ? b + first * ldb : b + first, ldb, transpose_b, k,
                     count);
}

void gemm_run_packed(const struct gemm *g, int64_t first)
{
    if (g->m == 0 || g->n == 0)
        return;
    if (!kernels || g->k == 0) {
        struct gemm plain = *g;
        plain.b += first;
        plain.transpose_b = false;
        if (g->k)
            run_openblas(&plain);
        else
            run_empty(&plain);
        return;
    }
    struct gemm_product p = start_product(g);
    p.m = g->m, p.n = g->n;
    p.left = g->a, p.left_stride = g->lda, p.left_by_rows = !g->transpose_a;
    p.right = g->b + first * g->k;
    p.kind = RIGHT_PACKED;
    if (gemm_narrow_kind(kernels, g) == NARROW_SHORT_K) {
        gemm_run_short_k(&p);
        return;
    }
    p.left_copied = copies_left(&p);
    gemm_run_loops(&p);
}

void gemm_run_packed_a(const struct gemm *g)
{
    if (g->m == 0 || g->n == 0)
        return;
    if (!kernels || g->k == 0) {
        struct gemm plain = *g;
        plain.transpose_a = true;
        plain.lda = g->m;
        gemm_run(&plain);
        return;
    }
    struct gemm_product p = start_product(g);
    p.m = g->n, p.n = g->m;
    p.left = g->b, p.left_stride = g->ldb, p.left_by_rows = g->transpose_b;
    p.right = g->a;
    p.kind = RIGHT_PACKED;
    p.left_copied = copies_left(&p);
    gemm_run_turned(&p);
}

void gemm_choose(const char *level)
{
    kernels = NULL;
    (void)level; /* of no use on other machines */
    long l2_bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    right_floats = clamp(l2_bytes / (2 * (long)sizeof(float)), GEMM_RIGHT_FLOATS / 4, GEMM_RIGHT_FLOATS);
#if defined(__x86_64__)
    if (!strcmp(level, gemm_kernel_avx512.name))
        kernels = &gemm_kernel_avx512;
    if (!strcmp(level, gemm_kernel_avx2.name))
        kernels = &gemm_kernel_avx2;
#endif
}

const char *gemm_description(void)
{
    static char text[64];
    if (kernels)
        return kernels->name;
    snprintf(text, sizeof text, "OpenBLAS %s", openblas_get_corename());
    return text;
}

void gemm_hold_to_one_thread(void)
{
    openblas_set_num_threads(1);
}
