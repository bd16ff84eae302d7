/* matmul.c - the op `matmul`: its products cut into slices, with the fused epilogue behind each part. */
#include "engine/cpu/gemm_bfloat16.h"
#include "engine/cpu/kernels.h"

#include <string.h>

enum {
    MATMUL_SLICES = 4,
    STREAM_ELEMENTS = 1 << 16,
    SLICE_PRODUCTS = 1 << 20,
    NARROW_SLICE_PRODUCTS = 1 << 18,
    SHORT_K = 16,
    LONG_K = 8
};

/* What all slices share is packed first, in slices too. */
enum shared { SHARED_NOTHING, SHARED_A, SHARED_B };

/* A product of matrices, `batch` of them; rows or columns of each are cut into slices, or k where that is the long
 * side. */
struct matmul {
    struct gemm shape;
    bool bfloat16;
    int64_t batch;
    int n_slices;
    bool by_columns, by_k;
    int n_joins; /* by_k: slices of the product in which the sums are added up */
    enum shared shared;
    size_t packed_floats;         /* at the start of the workspace */
    bool streamed, product_apart; /* apart: in the workspace behind the panels, see epilogue_may_overwrite */
    const struct map_program *epilogue;
    int beside[GEMM_BESIDE_MAX], n_beside; /* operands of the epilogue that have the product's shape */
};

struct matmul_call {
    const struct kernel *kernel;
    const struct matmul *m;
    const struct rows *rows; /* of a product cut along k */
    float *product;
    int64_t row, column; /* of the slice, in all matrices one below the other */
};

/* Element offset of matrix number `index` of an operand whose leading dims are broadcast to those of the output. */
static int64_t matrix_offset(struct shape in, struct shape out, int64_t index)
{
    int64_t offset = 0, stride = in.rank < 2 ? 0 : in.dim[in.rank - 1] * in.dim[in.rank - 2];
    for (int d = out.rank - 3, e = in.rank - 3; d >= 0 && e >= 0; d--, e--) {
        offset += in.dim[e] == 1 ? 0 : index % out.dim[d] * stride;
        index /= out.dim[d];
        stride *= in.dim[e];
    }
    return offset;
}

/* First of the n columns (rows where A is packed) of part `part`: a whole number of panels. */
static int64_t panel_begin(const struct matmul *m, int64_t n, int n_parts, int part)
{
    int64_t panel = m->bfloat16 ? GEMM_BFLOAT16_LINES : gemm_panel();
    int64_t begin = slice_begin((n + panel - 1) / panel, n_parts, part) * panel;
    return begin < n ? begin : n;
}

/* Rows are cut anywhere, but for bfloat16, whose strips are high. */
static int64_t row_begin(const struct matmul *m, int part)
{
    return m->bfloat16 ? panel_begin(m, m->shape.m, m->n_slices, part) : slice_begin(m->shape.m, m->n_slices, part);
}

static void pack_slice(void *context, int slice)
{
    const struct matmul_call *call = context;
    const struct gemm *g = &call->m->shape;
    bool packs_a = call->m->shared == SHARED_A;
    int64_t n = packs_a ? g->m : g->n, first = panel_begin(call->m, n, call->m->n_slices, slice);
    int64_t count = panel_begin(call->m, n, call->m->n_slices, slice + 1) - first;
    float *panels = call->kernel->workspace;
    if (packs_a)
        gemm_pack_b_columns(panels, call->kernel->in[0], g->lda, !g->transpose_a, g->k, n, first, count);
    else
        gemm_pack_b_columns(panels, call->kernel->in[1], g->ldb, g->transpose_b, g->k, n, first, count);
}

static void pack_bfloat16_slice(void *context, int slice)
{
    const struct matmul_call *call = context;
    const struct matmul *m = call->m;
    struct gemm g = m->shape;
    bool left = m->shared == SHARED_A;
    int64_t n = left ? g.m : g.n, first = panel_begin(m, n, m->n_slices, slice);
    g.a = call->kernel->in[0];
    g.b = call->kernel->in[1];
    (left ? gemm_bfloat16_pack_left : gemm_bfloat16_pack_right)(call->kernel->workspace, &g, first,
                                                                panel_begin(m, n, m->n_slices, slice + 1) - first);
}

static void finish_part(void *context, const float *product, int64_t ld, int64_t row, int64_t column, int64_t m,
                        int64_t n)
{
    const struct matmul_call *call = context;
    struct map_part part = {
        .width = call->m->shape.n, .row = call->row + row, .column = call->column + column, .m = m, .n = n, .ld = ld};
    part.first = product;
    epilogue_run_part(call->m->epilogue, call->kernel, &part);
}

/* Sets the slice's part of op(A), op(B) and C. Returns its first column. */
static int64_t cut(const struct matmul *m, int part, struct gemm *g, int64_t *row)
{
    int64_t column = 0;
    if (m->by_columns) {
        column = panel_begin(m, m->shape.n, m->n_slices, part);
        g->n = panel_begin(m, m->shape.n, m->n_slices, part + 1) - column;
        g->b += m->shared == SHARED_B ? 0 : g->transpose_b ? column * g->ldb : column;
    } else {
        *row = row_begin(m, part);
        g->m = row_begin(m, part + 1) - *row;
        g->a += g->transpose_a ? *row : *row * g->lda;
    }
    return column;
}

static void matmul_slice(void *context, int slice)
{
    struct matmul_call call = *(const struct matmul_call *)context;
    const struct matmul *m = call.m;
    const struct kernel *k = call.kernel;
    int64_t matrix = slice / m->n_slices;
    struct gemm g = m->shape;
    g.a = m->shared == SHARED_A
              ? k->workspace
              : (const float *)k->in[0] + matrix_offset(input_of(k, 0)->shape, output_shape(k), matrix);
    g.b = m->shared == SHARED_B
              ? k->workspace
              : (const float *)k->in[1] + matrix_offset(input_of(k, 1)->shape, output_shape(k), matrix);
    call.row = 0;
    call.column = cut(m, slice % m->n_slices, &g, &call.row);
    call.row += matrix * m->shape.m;
    int64_t first = call.row * g.ldc + call.column;
    g.c = m->streamed ? NULL : call.product + first;
    g.finish = m->epilogue ? finish_part : NULL;
    g.context = &call;
    g.n_beside = m->streamed ? m->n_beside : 0;
    for (int i = 0; i < g.n_beside; i++)
        g.beside[i] = (const float *)k->in[m->beside[i]] + first;
    if (m->bfloat16) {
        gemm_bfloat16_run(&g, m->shared == SHARED_A ? k->workspace : NULL, m->shared == SHARED_B ? k->workspace : NULL,
                          true);
    } else if (m->shared == SHARED_A) {
        gemm_run_packed_a(&g);
    } else if (m->shared == SHARED_B) {
        g.ldb = m->shape.n;
        gemm_run_packed(&g, call.column);
    } else {
        gemm_run(&g);
    }
}

/* Where slice `slice` of a product cut along k puts its sums: the first one to the product itself. */
static float *sums_of_slice(const struct matmul_call *call, int slice)
{
    const struct matmul *m = call->m;
    int64_t size = m->shape.m * m->shape.n;
    return slice ? (float *)call->kernel->workspace + (m->product_apart ? size : 0) + (slice - 1) * size
                 : call->product;
}

static void sum_slice(void *context, int slice)
{
    const struct matmul_call *call = context;
    struct gemm g = call->m->shape;
    int64_t block = gemm_k_block(g.k), blocks = (g.k + block - 1) / block;
    int64_t first = slice_begin(blocks, call->m->n_slices, slice) * block;
    int64_t end = slice_begin(blocks, call->m->n_slices, slice + 1) * block;
    g.a = (const float *)call->kernel->in[0] + first * (g.transpose_a ? g.lda : 1);
    g.b = (const float *)call->kernel->in[1] + first * (g.transpose_b ? 1 : g.ldb);
    g.k = (end < g.k ? end : g.k) - first;
    g.c = sums_of_slice(call, slice);
    gemm_run(&g);
}

static void join_slice(void *context, int slice)
{
    const struct matmul_call *call = context;
    const struct matmul *m = call->m;
    int64_t size = m->shape.m * m->shape.n, first = slice_begin(size, m->n_joins, slice);
    int64_t n = slice_begin(size, m->n_joins, slice + 1) - first;
    for (int i = 1; i < m->n_slices; i++)
        call->rows->add_into(call->product + first, sums_of_slice(call, i) + first, n);
    if (m->epilogue)
        epilogue_run(m->epilogue, call->kernel, call->product, first, n);
}

static void run_cut_along_k(const struct kernel *kernel, struct device *device)
{
    const struct matmul *m = kernel->prepared;
    struct matmul_call call = {.kernel = kernel, .m = m, .rows = device->rows};
    call.product = m->product_apart ? kernel->workspace : kernel->out[0];
    threads_run(device->threads, sum_slice, &call, m->n_slices);
    threads_run(device->threads, join_slice, &call, m->n_joins);
}

static void run_matmul(const struct kernel *kernel, struct device *device)
{
    const struct matmul *m = kernel->prepared;
    struct matmul_call call = {.kernel = kernel, .m = m};
    call.product = m->product_apart ? (float *)kernel->workspace + m->packed_floats : kernel->out[0];
    if (m->shared != SHARED_NOTHING)
        threads_run(device->threads, m->bfloat16 ? pack_bfloat16_slice : pack_slice, &call, m->n_slices);
    threads_run(device->threads, matmul_slice, &call, (int)(m->batch * m->n_slices));
}

/* Leading dims of A become rows when B is one matrix and A is not transposed. */
static void fold_batch_into_rows(struct matmul *m, const struct kernel *kernel)
{
    struct shape b = input_of(kernel, 1)->shape;
    if (m->batch > 1 && dims_between(b, 0, b.rank - 2) == 1 && !kernel->node->attrs.transpose_a &&
        dims_between(input_of(kernel, 0)->shape, 0, input_of(kernel, 0)->shape.rank - 2) == m->batch) {
        m->shape.m *= m->batch;
        m->batch = 1;
    }
}

static int64_t rounded_up(int64_t n, int64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* A weight gradient over many samples, or a dense layer of many inputs: operands by rows of k, or sums that are long
 * beside the result. */
static bool is_long(const struct gemm *g)
{
    return g->transpose_a || (g->n > gemm_panel() && g->k >= LONG_K * (g->m + g->n));
}

/* A small product whose operands are read once when each slice has its own k. */
static bool cut_along_k(struct matmul *m)
{
    const struct gemm *g = &m->shape;
    int64_t block = gemm_k_block(g->k), blocks = (g->k + block - 1) / block;
    int n = slices_for(g->m * g->n * g->k, SLICE_PRODUCTS, blocks < MATMUL_SLICES ? (int)blocks : MATMUL_SLICES);
    m->by_k = m->batch == 1 && is_long(g) && n > 1 && 2 * n * g->m * g->n <= g->k * (g->m + g->n);
    m->n_slices = n;
    m->n_joins = slices_for(g->m * g->n, SLICE_ELEMENTS / 4, 16);
    return m->by_k;
}

/* Slices of at least a million multiply-adds, or a quarter of it where nothing is shared and each takes longer. The
 * smaller operand is packed once for all when there are as many as may be: panels that another core wrote take longer
 * to fetch than to pack, which a short slice would feel. */
static void choose_slices(struct matmul *m)
{
    struct gemm *g = &m->shape;
    int64_t grain = g->n <= gemm_panel() || g->k <= SHORT_K ? NARROW_SLICE_PRODUCTS : SLICE_PRODUCTS;
    if (cut_along_k(m))
        return;
    m->by_columns = g->transpose_a ? g->n > 4 * g->m : g->n > g->m; /* a gradient's epilogue wants whole rows */
    int64_t wide = m->by_columns ? g->n / gemm_panel() : g->m / 16;
    m->n_slices = m->batch > 4 || wide < 2
                      ? 1
                      : slices_for(g->m * g->n * g->k, grain, (int)(wide < MATMUL_SLICES ? wide : MATMUL_SLICES));
    if (m->n_slices < MATMUL_SLICES || m->batch > 1)
        return;
    if (!m->by_columns && g->n > gemm_panel()) {
        m->shared = SHARED_B;
        m->packed_floats = gemm_packed_b_floats(g->k, g->n);
    } else if (m->by_columns && g->transpose_b && 2 * g->m <= g->n && g->m <= g->k) {
        m->shared = SHARED_A;
        m->packed_floats = gemm_packed_b_floats(g->k, g->m);
    }
    m->packed_floats = (size_t)rounded_up((int64_t)m->packed_floats, 16);
}

/* The same for bfloat16: slices take from the larger operand, which is packed on the way, a piece at a time. */
static void choose_bfloat16_slices(struct matmul *m)
{
    struct gemm *g = &m->shape;
    m->by_columns = g->transpose_a ? g->n > 4 * g->m : g->n > g->m;
    int64_t wide = (m->by_columns ? g->n : g->m) / GEMM_BFLOAT16_LINES;
    m->n_slices = m->batch > 1 || wide < 2
                      ? 1
                      : slices_for(g->m * g->n * g->k, 1 << 22, (int)(wide < MATMUL_SLICES ? wide : MATMUL_SLICES));
    if (m->batch > 1)
        return;
    m->shared = m->by_columns ? SHARED_A : SHARED_B;
    m->packed_floats = gemm_bfloat16_packed_bytes(m->by_columns ? g->m : g->n, g->k) / sizeof(float);
}

/* Where the product goes before its epilogue: nowhere when strips of it can be taken as they come. */
static void choose_product(struct matmul *m, struct kernel *kernel)
{
    m->product_apart = epilogue_may_overwrite(kernel);
    bool can_stream =
        m->bfloat16 ? gemm_bfloat16_can_stream(&m->shape) : gemm_can_stream(&m->shape, m->shared == SHARED_A);
    m->streamed = m->epilogue && !m->by_k && m->shape.m * m->shape.n >= STREAM_ELEMENTS && can_stream &&
                  (m->product_apart || kernel->n_outputs > 1);
    m->product_apart = m->product_apart && !m->streamed;
    for (int i = kernel->node->n_inputs; i < kernel->n_inputs && m->n_beside < GEMM_BESIDE_MAX; i++)
        if (m->streamed && shape_equal(kernel->in_value[i]->shape, output_shape(kernel)) &&
            kernel->in_value[i]->dtype == DTYPE_F32)
            m->beside[m->n_beside++] = i;
    size_t products = (m->product_apart ? 1 : 0) + (m->by_k ? (size_t)m->n_slices - 1 : 0);
    kernel->workspace_bytes =
        (m->packed_floats + products * (size_t)shape_elements(output_shape(kernel))) * sizeof(float);
}

/* Says how the product is computed. */
static const char *variant_of(const struct matmul *m)
{
    struct gemm g = m->shape;
    int64_t row;
    float c;
    if (m->bfloat16)
        return "bfloat16";
    if (m->by_k)
        return "cut-k";
    if (m->shared == SHARED_A)
        return "packed-left";
    cut(m, 0, &g, &row);
    g.c = m->streamed ? NULL : &c;
    const char *kind = gemm_kind(&g);
    return m->shared == SHARED_B && strcmp(kind, "short-k") != 0 ? "packed" : kind;
}

bool prepare_matmul(struct device *device, struct kernel *kernel, struct arena *arena)
{
    struct shape a = input_of(kernel, 0)->shape, b = input_of(kernel, 1)->shape, c = output_shape(kernel);
    const struct op_attrs *attrs = &kernel->node->attrs;
    if (a.rank < 2 || b.rank < 2 || shape_elements(c) == 0)
        return false;
    if (prepare_row_product(device, kernel, arena))
        return true;
    struct matmul *m = arena_alloc(arena, sizeof *m);
    int64_t k = a.dim[attrs->transpose_a ? a.rank - 2 : a.rank - 1];
    m->shape = (struct gemm){.transpose_a = attrs->transpose_a, .transpose_b = attrs->transpose_b, .alpha = 1};
    m->shape.m = c.dim[c.rank - 2];
    m->shape.n = c.dim[c.rank - 1];
    m->shape.k = k;
    m->shape.lda = a.dim[a.rank - 1];
    m->shape.ldb = b.dim[b.rank - 1];
    m->shape.ldc = m->shape.n;
    m->batch = dims_between(c, 0, c.rank - 2);
    fold_batch_into_rows(m, kernel);
    if (k == 0 || m->shape.m > INT32_MAX || m->shape.n > INT32_MAX || k > INT32_MAX || m->batch > 1 << 20)
        return false;
    m->bfloat16 = attrs->bfloat16;
    (m->bfloat16 ? choose_bfloat16_slices : choose_slices)(m);
    m->epilogue = epilogue_prepare(device, kernel, arena);
    choose_product(m, kernel);
    kernel->prepared = m;
    kernel->run = m->by_k ? run_cut_along_k : run_matmul;
    kernel->variant = variant_of(m);
    return !kernel->epilogue || m->epilogue;
}
