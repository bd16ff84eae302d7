/* matmul.c - the op `matmul`: one strided-batched product where the leading dims are one regular axis, else a product
 * along the longest of them for every place of the others. bfloat16: the operands are packed into the workspace first,
 * rows padded to 16 bytes, and the float32 result is rounded in place. */
#include "engine/cuda/blas.h"
#include "engine/cuda/launches.h"
#include "engine/plan/strides.h"

enum { PITCH = 8 }; /* numbers of bfloat16 in 16 bytes */

struct operand {
    int64_t matrices, rows, columns; /* as it lies in memory */
    int64_t size;                    /* elements from matrix to matrix, as the product sees it */
    size_t packed_at;                /* bytes into the workspace: bfloat16 */
};

struct matmul {
    const struct blas_plan *plan;
    struct strides leading; /* in matrices, of a and b */
    int axis;               /* of the leading dims: the batch of one call */
    struct operand a, b;
    int64_t result_size;
    bool bfloat16;
};

static int64_t pitch_of(const struct operand *o)
{
    return (o->columns + PITCH - 1) / PITCH * PITCH;
}

static const void *pack(const struct kernel *k, struct device *device, const struct operand *o, const void *in)
{
    uint16_t *packed = (uint16_t *)((char *)k->workspace + o->packed_at);
    launch_pack_bfloat16(device->stream, packed, pitch_of(o), in, o->matrices * o->rows, o->columns);
    return packed;
}

static const void *matrix(const struct matmul *m, const struct operand *o, const void *first, int64_t number)
{
    return (const char *)first + number * o->size * (m->bfloat16 ? 2 : 4);
}

/* Counts up the leading dims but the one along which a call goes. Returns whether they have begun anew. */
static bool next_place(const struct matmul *m, int64_t *place)
{
    for (int d = m->leading.rank - 1; d >= 0; d--) {
        if (d == m->axis)
            continue;
        if (++place[d] < m->leading.dim[d])
            return false;
        place[d] = 0;
    }
    return true;
}

static void run_matmul(const struct kernel *k, struct device *device)
{
    const struct matmul *m = k->prepared;
    const void *a = m->bfloat16 ? pack(k, device, &m->a, k->in[0]) : k->in[0];
    const void *b = m->bfloat16 ? pack(k, device, &m->b, k->in[1]) : k->in[1];
    int64_t place[RANK_MAX] = {0};
    do {
        int64_t of_a = 0, of_b = 0, of_c = 0;
        for (int d = 0; d < m->leading.rank; d++) {
            of_a += place[d] * m->leading.stride[0][d];
            of_b += place[d] * m->leading.stride[1][d];
            of_c = of_c * m->leading.dim[d] + place[d];
        }
        blas_multiply(device, m->plan, matrix(m, &m->a, a, of_a), matrix(m, &m->b, b, of_b),
                      (float *)k->out[0] + of_c * m->result_size);
    } while (!next_place(m, place));
    if (m->bfloat16)
        launch_round_bfloat16(device->stream, k->out[0], shape_elements(k->node->outputs[0]->shape));
}

static struct operand operand_of(struct shape s, bool bfloat16)
{
    struct operand o = {.rows = s.dim[s.rank - 2], .columns = s.dim[s.rank - 1]};
    o.matrices = shape_elements(shape_make(s.dim, s.rank - 2));
    o.size = o.rows * (bfloat16 ? pitch_of(&o) : o.columns);
    return o;
}

static size_t packed_bytes(const struct operand *o)
{
    return ((size_t)(o->matrices * o->size) * 2 + 63) / 64 * 64;
}

static int longest(const struct strides *s)
{
    int axis = s->rank - 1;
    for (int d = 0; d < s->rank; d++)
        axis = s->dim[d] > s->dim[axis] ? d : axis;
    return axis;
}

/* The product of one call; rows of all its matrices are one matrix where b is the same for all. */
static struct blas_product product_of(const struct matmul *m, const struct op_attrs *attrs, struct shape y)
{
    const struct strides *s = &m->leading;
    struct blas_product p = {.transpose_a = attrs->transpose_a, .transpose_b = attrs->transpose_b};
    p.m = y.dim[y.rank - 2];
    p.n = y.dim[y.rank - 1];
    p.k = attrs->transpose_a ? m->a.rows : m->a.columns;
    p.bfloat16 = m->bfloat16;
    p.lda = m->bfloat16 ? pitch_of(&m->a) : m->a.columns;
    p.ldb = m->bfloat16 ? pitch_of(&m->b) : m->b.columns;
    p.batch = s->dim[m->axis];
    p.stride_a = s->stride[0][m->axis] * m->a.size;
    p.stride_b = s->stride[1][m->axis] * m->b.size;
    p.stride_c = p.m * p.n;
    for (int d = m->axis + 1; d < s->rank; d++)
        p.stride_c *= s->dim[d];
    if (p.stride_b == 0 && !p.transpose_a && p.stride_a == m->a.size && p.stride_c == p.m * p.n) {
        p.m *= p.batch;
        p.batch = 1;
    }
    return p;
}

/* Where the calls of an irregular batch begin. */
static int alignment_of(const struct matmul *m)
{
    int64_t a = m->a.size * (m->bfloat16 ? 2 : 4), b = m->b.size * (m->bfloat16 ? 2 : 4), c = m->result_size * 4;
    int64_t all = m->leading.rank == 1 ? 64 : 64 | a | b | c;
    return (int)(all & -all);
}

bool cuda_prepare_matmul(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    const struct op_attrs *attrs = &kernel->node->attrs;
    struct shape a = kernel->in_value[0]->shape, b = kernel->in_value[1]->shape, y = kernel->node->outputs[0]->shape;
    struct shape leading[2] = {shape_make(a.dim, a.rank - 2), shape_make(b.dim, b.rank - 2)};
    struct matmul *m = arena_alloc(arena, sizeof *m);
    m->bfloat16 = attrs->bfloat16;
    m->a = operand_of(a, m->bfloat16);
    m->b = operand_of(b, m->bfloat16);
    m->result_size = y.dim[y.rank - 2] * y.dim[y.rank - 1];
    m->b.packed_at = packed_bytes(&m->a);
    strides_broadcast(&m->leading, shape_make(y.dim, y.rank - 2), leading, 2);
    m->axis = longest(&m->leading);
    struct blas_product product = product_of(m, attrs, y);
    product.alignment = alignment_of(m);
    m->plan = blas_prepare(device, &product, arena, err);
    kernel->workspace_bytes = m->bfloat16 ? m->b.packed_at + packed_bytes(&m->b) : 0;
    kernel->prepared = m;
    kernel->run = run_matmul;
    return m->plan != NULL;
}
