/* strides.c - loops over broadcast and strided tensors, see strides.h */
#include "engine/plan/strides.h"

#include <string.h>

void shape_strides(struct shape shape, int64_t *strides)
{
    int64_t step = 1;
    for (int i = shape.rank; i-- > 0; step *= shape.dim[i])
        strides[i] = step;
}

static bool joins(const struct strides *s, int axis)
{
    for (int k = 0; k < s->n_operands; k++)
        if (s->stride[k][axis] != s->stride[k][axis + 1] * s->dim[axis + 1])
            return false;
    return true;
}

/* Joins axis with axis + 1. */
static void join(struct strides *s, int axis)
{
    s->dim[axis] *= s->dim[axis + 1];
    for (int k = 0; k < s->n_operands; k++)
        s->stride[k][axis] = s->stride[k][axis + 1];
    s->rank--;
    for (int i = axis + 1; i < s->rank; i++) {
        s->dim[i] = s->dim[i + 1];
        for (int k = 0; k < s->n_operands; k++)
            s->stride[k][i] = s->stride[k][i + 1];
    }
}

void strides_broadcast(struct strides *s, struct shape out, const struct shape *operands, int n_operands)
{
    BUG_ON(n_operands > KERNEL_MAX_INPUTS);
    *s = (struct strides){.n_operands = n_operands};
    int64_t dense[KERNEL_MAX_INPUTS][RANK_MAX];
    for (int k = 0; k < n_operands; k++)
        shape_strides(operands[k], dense[k]);
    for (int i = 0; i < out.rank; i++) {
        if (out.dim[i] == 1)
            continue;
        for (int k = 0; k < n_operands; k++) {
            int axis = i - (out.rank - operands[k].rank);
            s->stride[k][s->rank] = axis < 0 || operands[k].dim[axis] == 1 ? 0 : dense[k][axis];
        }
        s->dim[s->rank++] = out.dim[i];
    }
    if (s->rank == 0)
        s->dim[s->rank++] = 1;
    for (int i = s->rank - 2; i >= 0; i--)
        if (joins(s, i))
            join(s, i);
    for (int k = 0; k < n_operands; k++)
        s->inner[k] = s->stride[k][s->rank - 1];
    s->row = s->dim[s->rank - 1];
}

void strides_of_values(struct strides *s, struct shape out, const struct value *const *operands, int n_operands)
{
    struct shape shapes[KERNEL_MAX_INPUTS];
    for (int k = 0; k < n_operands; k++)
        shapes[k] = operands[k]->shape;
    strides_broadcast(s, out, shapes, n_operands);
}

int64_t strides_rows(const struct strides *s)
{
    int64_t rows = 1;
    for (int i = 0; i + 1 < s->rank; i++)
        rows *= s->dim[i];
    return rows;
}

int64_t strides_row_offset(const struct strides *s, int operand, int64_t row)
{
    int64_t offset = 0;
    for (int i = s->rank - 1; i-- > 0; row /= s->dim[i])
        offset += row % s->dim[i] * s->stride[operand][i];
    return offset;
}

void strided_copy(struct shape dims, void *to, const int64_t *to_stride, const void *from, const int64_t *from_stride)
{
    uint32_t *out = to;
    const uint32_t *in = from;
    int last = dims.rank - 1;
    int64_t row = dims.rank ? dims.dim[last] : 1, rows = shape_elements(dims) / row;
    int64_t out_step = dims.rank ? to_stride[last] : 1, in_step = dims.rank ? from_stride[last] : 1;
    for (int64_t r = 0; r < rows; r++) {
        int64_t rest = r, to_offset = 0, from_offset = 0;
        for (int i = last; i-- > 0; rest /= dims.dim[i]) {
            to_offset += rest % dims.dim[i] * to_stride[i];
            from_offset += rest % dims.dim[i] * from_stride[i];
        }
        if (out_step == 1 && in_step == 1)
            memcpy(out + to_offset, in + from_offset, (size_t)row * sizeof *out);
        else
            for (int64_t c = 0; c < row; c++)
                out[to_offset + c * out_step] = in[from_offset + c * in_step];
    }
}
