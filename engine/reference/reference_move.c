/* reference_move.c - ops that move elements, and reductions */
#include <math.h>
#include <string.h>

#include "engine/graph/expr_internal.h"
#include "engine/plan/strides.h"
#include "engine/reference/reference.h"

static struct shape in_shape(const struct kernel *k, int input)
{
    return k->in_value[input]->shape;
}

static struct shape out_shape(const struct kernel *k)
{
    return k->node->outputs[0]->shape;
}

void reference_evaluate(const struct expr *e, struct shape shape, const struct value *const *values,
                        const void *const *operands, void *const *results)
{
    struct strides s;
    strides_of_values(&s, shape, values, e->n_inputs);
    float in[EXPR_MAX_INPUTS], out[EXPR_MAX_RESULTS];
    for (int64_t row = 0; row < strides_rows(&s); row++) {
        int64_t offset[KERNEL_MAX_INPUTS];
        for (int k = 0; k < e->n_inputs; k++)
            offset[k] = strides_row_offset(&s, k, row);
        for (int64_t c = 0; c < s.row; c++) {
            for (int k = 0; k < e->n_inputs; k++) {
                int64_t at = offset[k] + c * s.inner[k];
                in[k] = values[k]->dtype == DTYPE_I32 ? (float)((const int32_t *)operands[k])[at]
                                                      : ((const float *)operands[k])[at];
            }
            expr_eval(e, in, out);
            for (int r = 0; r < e->n_results; r++)
                ((float *)results[r])[row * s.row + c] = out[r];
        }
    }
}

void reference_map(const struct kernel *k, struct device *device)
{
    (void)device;
    reference_evaluate(k->node->attrs.expr, out_shape(k), k->in_value, k->in, k->out);
}

void reference_cast_i32(const struct kernel *k, struct device *device)
{
    (void)device;
    const float *x = k->in[0];
    int32_t *y = k->out[0];
    int64_t n = shape_elements(out_shape(k));
    for (int64_t i = 0; i < n; i++) /* out of range, and NaN, give the nearest end and 0 */
        y[i] = isnan(x[i]) ? 0 : x[i] >= 0x1p31f ? INT32_MAX : x[i] < -0x1p31f ? INT32_MIN : (int32_t)x[i];
}

void reference_add_i32(const struct kernel *k, struct device *device)
{
    (void)device;
    const int32_t *x = k->in[0];
    int32_t *y = k->out[0];
    for (int64_t i = 0; i < shape_elements(out_shape(k)); i++)
        y[i] = (int32_t)((uint32_t)x[i] + (uint32_t)k->node->attrs.k);
}

void reference_copy(const struct kernel *k, struct device *device)
{
    (void)device;
    memcpy(k->out[0], k->in[0], (size_t)shape_elements(out_shape(k)) * 4);
}

void reference_transpose(const struct kernel *k, struct device *device)
{
    (void)device;
    int64_t dense[RANK_MAX], from[RANK_MAX], to[RANK_MAX];
    shape_strides(in_shape(k, 0), dense);
    shape_strides(out_shape(k), to);
    for (int i = 0; i < k->node->attrs.n_axes; i++)
        from[i] = dense[k->node->attrs.axes[i]];
    strided_copy(out_shape(k), k->out[0], to, k->in[0], from);
}

void reference_broadcast(const struct kernel *k, struct device *device)
{
    (void)device;
    struct strides s;
    struct shape shape = in_shape(k, 0);
    strides_broadcast(&s, out_shape(k), &shape, 1);
    struct shape joined = shape_make(s.dim, s.rank);
    int64_t to[RANK_MAX];
    shape_strides(joined, to);
    strided_copy(joined, k->out[0], to, k->in[0], s.stride[0]);
}

void reference_concat(const struct kernel *k, struct device *device)
{
    (void)device;
    int64_t to[RANK_MAX], from[RANK_MAX];
    shape_strides(out_shape(k), to);
    uint32_t *out = k->out[0];
    int axis = k->node->attrs.axes[0];
    for (int p = 0; p < k->n_inputs; p++) {
        shape_strides(in_shape(k, p), from);
        strided_copy(in_shape(k, p), out, to, k->in[p], from);
        out += in_shape(k, p).dim[axis] * to[axis];
    }
}

void reference_slice(const struct kernel *k, struct device *device)
{
    (void)device;
    const struct op_attrs *a = &k->node->attrs;
    int64_t to[RANK_MAX], from[RANK_MAX];
    shape_strides(out_shape(k), to);
    shape_strides(in_shape(k, 0), from);
    const uint32_t *in = k->in[0];
    for (int i = 0; i < in_shape(k, 0).rank; i++) {
        in += a->begin[i] * from[i];
        from[i] *= a->stride[i];
    }
    strided_copy(out_shape(k), k->out[0], to, in, from);
}

void reference_pad(const struct kernel *k, struct device *device)
{
    (void)device;
    const struct op_attrs *a = &k->node->attrs;
    int64_t to[RANK_MAX], from[RANK_MAX], n = shape_elements(out_shape(k));
    float *out = k->out[0];
    for (int64_t i = 0; i < n; i++)
        out[i] = a->value;
    shape_strides(out_shape(k), to);
    shape_strides(in_shape(k, 0), from);
    for (int i = 0; i < in_shape(k, 0).rank; i++) {
        out += a->begin[i] * to[i];
        to[i] *= a->stride[i];
    }
    strided_copy(in_shape(k, 0), out, to, k->in[0], from);
}

void reference_reverse(const struct kernel *k, struct device *device)
{
    (void)device;
    int64_t to[RANK_MAX], from[RANK_MAX];
    int axis = k->node->attrs.axes[0];
    shape_strides(out_shape(k), to);
    shape_strides(out_shape(k), from);
    const uint32_t *last = (const uint32_t *)k->in[0] + (out_shape(k).dim[axis] - 1) * from[axis];
    from[axis] = -from[axis];
    strided_copy(out_shape(k), k->out[0], to, last, from);
}

static double combine(enum reduce_kind kind, double total, double x)
{
    switch (kind) {
    case REDUCE_SUM:
    case REDUCE_MEAN:
        return total + x;
    case REDUCE_PROD:
        return total * x;
    case REDUCE_MAX:
        return expr_op_eval(EXPR_MAX, total, x, 0);
    case REDUCE_MIN:
        return expr_op_eval(EXPR_MIN, total, x, 0);
    }
    return 0;
}

void reference_reduce(const struct kernel *k, struct device *device)
{
    (void)device;
    static const double start[] = {[REDUCE_SUM] = 0,
                                   [REDUCE_MEAN] = 0,
                                   [REDUCE_MAX] = -(double)INFINITY,
                                   [REDUCE_MIN] = (double)INFINITY,
                                   [REDUCE_PROD] = 1};
    const struct op_attrs *a = &k->node->attrs;
    struct shape kept = in_shape(k, 0);
    for (int i = 0; i < a->n_axes; i++)
        kept.dim[a->axes[i]] = 1;
    int64_t n_out = shape_elements(kept), n_in = shape_elements(in_shape(k, 0));
    double *total = k->workspace;
    for (int64_t i = 0; i < n_out; i++)
        total[i] = start[a->reduce];
    struct strides s;
    strides_broadcast(&s, in_shape(k, 0), &kept, 1);
    const float *x = k->in[0];
    for (int64_t row = 0; row < strides_rows(&s); row++) {
        double *to = total + strides_row_offset(&s, 0, row);
        for (int64_t c = 0; c < s.row; c++)
            to[c * s.inner[0]] = combine(a->reduce, to[c * s.inner[0]], (double)*x++);
    }
    for (int64_t i = 0; i < n_out; i++)
        ((float *)k->out[0])[i] =
            (float)(a->reduce == REDUCE_MEAN ? total[i] * (double)n_out / (double)n_in : total[i]);
}
