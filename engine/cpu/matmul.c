/* matmul.c - the op `matmul`: its products cut into slices, with the fused epilogue behind each part. */
#include "engine/cpu/gemm.h"
#include "engine/cpu/kernels.h"

/* A product of matrices, `batch` of them; rows or columns of each are cut into slices. */
struct matmul {
    struct gemm shape;
    int64_t batch;
    int n_slices;
    bool by_columns, product_apart; /* apart: in the workspace, see epilogue_may_overwrite */
    const struct map_program *epilogue;
};

struct matmul_call {
    const struct kernel *kernel;
    const struct matmul *m;
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

static void matmul_slice(void *context, int slice)
{
    const struct matmul_call *call = context;
    const struct matmul *m = call->m;
    const struct kernel *k = call->kernel;
    int64_t matrix = slice / m->n_slices;
    int part = slice % m->n_slices;
    struct gemm g = m->shape;
    g.a = (const float *)k->in[0] + matrix_offset(input_of(k, 0)->shape, output_shape(k), matrix);
    g.b = (const float *)k->in[1] + matrix_offset(input_of(k, 1)->shape, output_shape(k), matrix);
    float *product = m->product_apart ? k->workspace : k->out[0];
    int64_t row = 0, column = 0, first = matrix * m->shape.m * m->shape.n;
    if (m->by_columns) {
        column = slice_begin(m->shape.n, m->n_slices, part);
        g.n = slice_begin(m->shape.n, m->n_slices, part + 1) - column;
        g.b += g.transpose_b ? column * g.ldb : column;
    } else {
        row = slice_begin(m->shape.m, m->n_slices, part);
        g.m = slice_begin(m->shape.m, m->n_slices, part + 1) - row;
        g.a += g.transpose_a ? row : row * g.lda;
    }
    g.c = product + first + row * g.ldc + column;
    gemm_run(&g);
    if (!m->epilogue)
        return;
    if (m->by_columns)
        for (int64_t i = 0; i < g.m; i++)
            epilogue_run(m->epilogue, k, product, first + i * g.ldc + column, g.n);
    else
        epilogue_run(m->epilogue, k, product, first + row * g.ldc, g.m * g.n);
}

static void run_matmul(const struct kernel *kernel, struct device *device)
{
    const struct matmul *m = kernel->prepared;
    struct matmul_call call = {kernel, m};
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

bool prepare_matmul(struct device *device, struct kernel *kernel, struct arena *arena)
{
    struct shape a = input_of(kernel, 0)->shape, b = input_of(kernel, 1)->shape, c = output_shape(kernel);
    const struct op_attrs *attrs = &kernel->node->attrs;
    if (a.rank < 2 || b.rank < 2 || shape_elements(c) == 0)
        return false;
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
    m->by_columns = m->shape.n > m->shape.m; /* the operand that every slice packs again is the smaller one */
    int64_t wide = m->by_columns ? m->shape.n : m->shape.m;
    m->n_slices = m->batch > 4 ? 1 : slices_for(m->shape.m * m->shape.n * k, 1 << 20, (int)(wide / 16 < 4 ? (wide / 16 < 1 ? 1 : wide / 16) : 4));
    m->epilogue = epilogue_prepare(device, kernel, arena);
    m->product_apart = epilogue_may_overwrite(kernel);
    kernel->workspace_bytes = m->product_apart ? (size_t)shape_elements(c) * sizeof(float) : 0;
    kernel->prepared = m;
    kernel->run = run_matmul;
    return !kernel->epilogue || m->epilogue;
}
