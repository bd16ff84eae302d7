/* softmax.c - softmax over the last axis and the cross-entropies of logits, with their gradients: one pass a row. */
#include "engine/cpu/kernels.h"

#include <math.h>
#include <string.h>

typedef void row_function(const struct kernel *kernel, const struct rows *rows, int64_t n, int64_t row);
typedef void narrow_function(const struct kernel *kernel, const struct rows *rows, int64_t n, int64_t first, int count);

struct row_work { /* rows of n numbers; a slice has a range of rows */
    int64_t rows, n;
    int n_slices;
    row_function *row;
    narrow_function *narrow; /* several rows at once, when they are short; NULL for none */
};

struct row_call {
    const struct kernel *kernel;
    const struct rows *rows;
};

static void row_slice(void *context, int slice)
{
    const struct row_call *call = context;
    const struct row_work *w = call->kernel->prepared;
    int64_t end = slice_begin(w->rows, w->n_slices, slice + 1), i = slice_begin(w->rows, w->n_slices, slice);
    for (; w->narrow && i < end; i += ROWS_TOGETHER)
        w->narrow(call->kernel, call->rows, w->n, i, end - i < ROWS_TOGETHER ? (int)(end - i) : ROWS_TOGETHER);
    for (; i < end; i++)
        w->row(call->kernel, call->rows, w->n, i);
}

static void run_rows(const struct kernel *kernel, struct device *device)
{
    struct row_call call = {kernel, device->rows};
    threads_run(device->threads, row_slice, &call, ((const struct row_work *)kernel->prepared)->n_slices);
}

static bool prepare_rows(struct kernel *kernel, struct arena *arena, struct shape s, row_function *row,
                         narrow_function *narrow)
{
    int64_t n = s.rank ? s.dim[s.rank - 1] : 0, total = shape_elements(s);
    if (!n || !total)
        return false;
    struct row_work *w = arena_alloc(arena, sizeof *w);
    *w = (struct row_work){.rows = total / n, .n = n, .row = row, .narrow = n <= NARROW_MAX ? narrow : NULL};
    w->n_slices = slices_for(total, SLICE_ELEMENTS / 4, 16);
    w->n_slices = w->n_slices > w->rows ? (int)w->rows : w->n_slices;
    kernel->prepared = w;
    kernel->run = run_rows;
    return true;
}

static void softmax_row(float *out, const float *x, const struct rows *rows, int64_t n)
{
    float total = rows->exp_sum(out, x, rows->max(x, n), n);
    rows->scale(out, 1 / total, n);
}

static void softmax(const struct kernel *k, const struct rows *rows, int64_t n, int64_t row)
{
    softmax_row((float *)k->out[0] + row * n, (const float *)k->in[0] + row * n, rows, n);
}

static void softmax_narrow(const struct kernel *k, const struct rows *rows, int64_t n, int64_t first, int count)
{
    rows->softmax_narrow((float *)k->out[0] + first * n, NULL, (const float *)k->in[0] + first * n, n, count);
}

/* inputs: y = softmax(x), dy. dx = y * (dy - sum(y * dy)) */
static void softmax_dx(const struct kernel *k, const struct rows *rows, int64_t n, int64_t row)
{
    const float *y = (const float *)k->in[0] + row * n, *dy = (const float *)k->in[1] + row * n;
    float *dx = (float *)k->out[0] + row * n, inner = rows->dot(y, dy, n);
    for (int64_t i = 0; i < n; i++)
        dx[i] = y[i] * (dy[i] - inner);
}

static float log_sum_exp(const float *x, const struct rows *rows, int64_t n)
{
    float shift = rows->max(x, n), total = 0, part[256];
    for (int64_t i = 0; i < n; i += 256) {
        int64_t width = n - i < 256 ? n - i : 256;
        total += rows->exp_sum(part, x + i, shift, width);
    }
    return shift + logf(total);
}

/* inputs: logits, target. loss = sum(target) * lse - sum(target * x): a zero target takes no infinite logit along */
static void xent(const struct kernel *k, const struct rows *rows, int64_t n, int64_t row)
{
    const float *x = (const float *)k->in[0] + row * n, *t = (const float *)k->in[1] + row * n;
    float lse = log_sum_exp(x, rows, n), loss = 0;
    for (int64_t i = 0; i < n; i++)
        loss += t[i] != 0 ? t[i] * (lse - x[i]) : 0;
    ((float *)k->out[0])[row] = loss;
}

/* inputs: logits, target, dloss. dx = (softmax(x) * sum(target) - target) * dloss */
static void xent_dx(const struct kernel *k, const struct rows *rows, int64_t n, int64_t row)
{
    const float *x = (const float *)k->in[0] + row * n, *t = (const float *)k->in[1] + row * n;
    float *dx = (float *)k->out[0] + row * n, dloss = ((const float *)k->in[2])[row];
    softmax_row(dx, x, rows, n);
    float total = rows->sum(t, n);
    for (int64_t i = 0; i < n; i++)
        dx[i] = (dx[i] * total - t[i]) * dloss;
}

/* inputs: logits, labels. A label outside [0, n) gives NaN, as in Keras on TensorFlow's CPU it is an error. */
static void sparse_xent(const struct kernel *k, const struct rows *rows, int64_t n, int64_t row)
{
    const float *x = (const float *)k->in[0] + row * n;
    int32_t label = ((const int32_t *)k->in[1])[row];
    float *loss = (float *)k->out[0] + row;
    if (label == k->node->attrs.ignore)
        *loss = 0;
    else if (label < 0 || label >= n)
        *loss = NAN;
    else
        *loss = log_sum_exp(x, rows, n) - x[label];
}

static void sparse_xent_narrow(const struct kernel *k, const struct rows *rows, int64_t n, int64_t first, int count)
{
    const float *x = (const float *)k->in[0] + first * n;
    const int32_t *labels = (const int32_t *)k->in[1] + first;
    float *loss = (float *)k->out[0] + first, log_sum[ROWS_TOGETHER];
    rows->softmax_narrow(NULL, log_sum, x, n, count);
    for (int r = 0; r < count; r++)
        loss[r] = labels[r] == k->node->attrs.ignore ? 0
                  : labels[r] < 0 || labels[r] >= n  ? NAN
                                                     : log_sum[r] - x[r * n + labels[r]];
}

/* inputs: logits, labels, dloss */
static void sparse_xent_dx(const struct kernel *k, const struct rows *rows, int64_t n, int64_t row)
{
    const float *x = (const float *)k->in[0] + row * n;
    int32_t label = ((const int32_t *)k->in[1])[row];
    float *dx = (float *)k->out[0] + row * n, dloss = ((const float *)k->in[2])[row];
    if (label == k->node->attrs.ignore || label < 0 || label >= n) {
        rows->fill(dx, label == k->node->attrs.ignore ? 0 : NAN, (int)n);
        return;
    }
    softmax_row(dx, x, rows, n);
    dx[label] -= 1;
    rows->scale(dx, dloss, n);
}

static void sparse_xent_dx_narrow(const struct kernel *k, const struct rows *rows, int64_t n, int64_t first, int count)
{
    const int32_t *labels = (const int32_t *)k->in[1] + first;
    const float *dloss = (const float *)k->in[2] + first;
    float *dx = (float *)k->out[0] + first * n;
    rows->softmax_narrow(dx, NULL, (const float *)k->in[0] + first * n, n, count);
    for (int r = 0; r < count; r++, dx += n) {
        bool ignored = labels[r] == k->node->attrs.ignore, known = labels[r] >= 0 && labels[r] < n;
        if (ignored || !known) {
            rows->fill(dx, ignored ? 0 : NAN, (int)n);
            continue;
        }
        dx[labels[r]] -= 1;
        rows->scale(dx, dloss[r], n);
    }
}

bool prepare_softmax(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    return prepare_rows(kernel, arena, output_shape(kernel), softmax, softmax_narrow);
}

bool prepare_softmax_dx(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    return prepare_rows(kernel, arena, output_shape(kernel), softmax_dx, NULL);
}

bool prepare_xent(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    return prepare_rows(kernel, arena, input_of(kernel, 0)->shape, xent, NULL);
}

bool prepare_xent_dx(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    return prepare_rows(kernel, arena, output_shape(kernel), xent_dx, NULL);
}

bool prepare_sparse_xent(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    return prepare_rows(kernel, arena, input_of(kernel, 0)->shape, sparse_xent, sparse_xent_narrow);
}

bool prepare_sparse_xent_dx(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    return prepare_rows(kernel, arena, output_shape(kernel), sparse_xent_dx, sparse_xent_dx_narrow);
}
