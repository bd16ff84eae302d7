/* attention.c - the ops attention and attention_dx: per head, blocks of queries against all keys, in memory that stays
 * in the L2 cache.
 *
 * A slice owns a range of (sample, group) pairs: with the heads of a group it alone writes dk and dv, so results do not
 * depend on the number of threads. Keys and values are laid out once per pair, in rows of whole vectors.
 */
#include "engine/cpu/attention_kernels.h"
#include "engine/cpu/kernels.h"
#include "engine/plan/attention.h"

#include <math.h>
#include <string.h>

extern const struct attention_kernels attention_kernels_baseline;
#if defined(__x86_64__)
extern const struct attention_kernels attention_kernels_avx2, attention_kernels_avx512;
#endif

const struct attention_kernels *attention_kernels_for(const char *level)
{
#if defined(__x86_64__)
    const struct attention_kernels *const all[] = {&attention_kernels_avx2, &attention_kernels_avx512};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (!strcmp(all[i]->name, level))
            return all[i];
#endif
    (void)level;
    return &attention_kernels_baseline;
}

enum { BLOCK = 16, MOST_SLICES = 16, SLICE_WORK = 1 << 18 };

struct attention_work {
    struct attention_layout l;
    const struct attention_kernels *kernels;
    int64_t keys, depth, width; /* padded to whole vectors */
    bool triangular;            /* keys behind the queries of a block need not be looked at */
    int n_slices;
    size_t scratch; /* floats of a slice */
};

struct attention_call {
    const struct kernel *kernel;
    const struct rows *rows;
    const struct attention_work *w;
};

/* What a slice has for itself, rows of whole vectors. */
struct scratch {
    float *turned;          /* keys (forward) or values (backward), transposed: [depth or width][keys] */
    float *k, *v;           /* copies, used where a row is no whole number of vectors */
    float *scores, *kept;   /* [BLOCK][keys] */
    float *q, *dy, *result; /* [BLOCK][depth or width] */
    float *dk, *dv;         /* sums over the heads of a group */
    float *uniform;         /* [keys + 8] */
};

struct matrix {
    const float *data;
    int64_t stride;
};

static int64_t wider(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Fills the pointers from base; returns the floats used. base NULL counts only. */
static size_t lay_out(const struct attention_work *w, bool backward, float *base, struct scratch *s)
{
    size_t used = 0, both = (size_t)(backward ? 1 : 0);
    const struct {
        float **at;
        size_t size;
    } parts[] = {
        {&s->turned, (size_t)((backward ? w->l.width : w->l.depth) * w->keys)},
        {&s->k, (size_t)(w->l.keys * w->depth) * both},
        {&s->v, (size_t)(w->l.keys * w->width) * (1 - both)},
        {&s->scores, (size_t)(BLOCK * w->keys)},
        {&s->kept, (size_t)(BLOCK * w->keys)},
        {&s->q, (size_t)(BLOCK * w->depth) * both},
        {&s->dy, (size_t)(BLOCK * w->width) * both},
        {&s->result, (size_t)(BLOCK * wider(w->depth, w->width))},
        {&s->dk, (size_t)(w->l.keys * w->depth) * both},
        {&s->dv, (size_t)(w->l.keys * w->width) * both},
        {&s->uniform, (size_t)(w->keys + 16)},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i].at = base ? base + used : NULL;
        used += (parts[i].size + 15) & ~(size_t)15;
    }
    return used;
}

static struct attention_work *work_new(struct device *device, struct kernel *kernel, struct arena *arena)
{
    struct attention_work *w = arena_alloc(arena, sizeof *w);
    struct scratch none;
    bool backward = kernel->node->op == OP_ATTENTION_DX;
    w->l = attention_layout(kernel);
    w->kernels = attention_kernels_for(device->rows->name);
    int64_t lanes = w->kernels->lanes, pairs = w->l.n * w->l.groups;
    w->keys = (w->l.keys + lanes - 1) / lanes * lanes;
    w->depth = (w->l.depth + lanes - 1) / lanes * lanes;
    w->width = (w->l.width + lanes - 1) / lanes * lanes;
    w->triangular = w->l.how->causal && !w->l.how->masked && !w->l.how->window;
    w->scratch = lay_out(w, backward, NULL, &none);
    int64_t each = w->l.queries * w->l.keys * (w->l.depth + w->l.width) * (w->l.heads / w->l.groups);
    w->n_slices = slices_for(pairs * each, SLICE_WORK, (int)(pairs < MOST_SLICES ? pairs : MOST_SLICES));
    kernel->workspace_bytes = w->scratch * sizeof(float) * (size_t)w->n_slices;
    kernel->prepared = w;
    return w;
}

/* Rows of a tensor [n, rows, heads, size] as a matrix of whole vectors: in place where it is one, else copied. */
static struct matrix whole(const float *data, int64_t stride, int64_t rows, int64_t size, int64_t padded, float *copy)
{
    if (size == padded)
        return (struct matrix){data, stride};
    for (int64_t i = 0; i < rows; i++) {
        memcpy(copy + i * padded, data + i * stride, (size_t)size * sizeof *copy);
        memset(copy + i * padded + size, 0, (size_t)(padded - size) * sizeof *copy);
    }
    return (struct matrix){copy, padded};
}

static void turn(const struct attention_work *w, float *to, const float *from, int64_t stride, int64_t columns,
                 float factor)
{
    w->kernels->transpose(to, w->keys, from, stride, w->l.keys, columns, factor);
    for (int64_t j = 0; w->keys > w->l.keys && j < columns; j++)
        memset(to + j * w->keys + w->l.keys, 0, (size_t)(w->keys - w->l.keys) * sizeof *to);
}

/* A product whose rows may be no whole number of vectors: then by way of `result`. */
static void multiply_into(const struct attention_work *w, struct small_product p, float *to, int64_t stride,
                          int64_t size, float *result)
{
    bool direct = size == p.n;
    p.c = direct ? to : result;
    p.ldc = direct ? stride : p.n;
    w->kernels->multiply(&p);
    for (int64_t i = 0; !direct && i < p.m; i++)
        memcpy(to + i * stride, result + i * p.n, (size_t)size * sizeof *to);
}

/* The keys that a block of queries looks at, as whole vectors. */
static int64_t block_keys(const struct attention_work *w, int64_t first, int64_t rows)
{
    int64_t lanes = w->kernels->lanes, end = first + rows;
    return !w->triangular || end >= w->l.keys ? w->keys : (end + lanes - 1) / lanes * lanes;
}

struct place { /* of a block of queries */
    int64_t n, h, first, rows, keys;
};

static bool looks_nowhere(const struct attention_layout *l, const struct kernel *k, struct place at, int64_t row)
{
    int64_t end, first = attention_keys(l, at.first + row, &end);
    const float *mask = attention_mask_row(l, k, at.n, at.h, at.first + row);
    bool any = !mask && first < end;
    for (int64_t j = first; mask && !any && j < end; j++)
        any = mask[j * l->mask_stride[3]] != 0;
    return !any;
}

/* scores -> probabilities of one query, in place and to p. */
static void softmax_row(const struct attention_call *call, struct place at, int64_t row, float *s, float *p)
{
    const struct attention_layout *l = &call->w->l;
    int64_t end, first = attention_keys(l, at.first + row, &end);
    const float *mask = attention_mask_row(l, call->kernel, at.n, at.h, at.first + row);
    if ((mask || l->how->window) && looks_nowhere(l, call->kernel, at, row)) {
        call->rows->fill(s, l->how->zero_empty ? 0 : 1 / (float)l->keys, (int)l->keys);
        memcpy(p, s, (size_t)l->keys * sizeof *p);
        return;
    }
    for (int64_t j = first; mask && j < end; j++)
        if (mask[j * l->mask_stride[3]] == 0)
            s[j] = -INFINITY;
    call->w->kernels->softmax(s, p, first, end, l->keys, call->w->keys);
}

/* keep[j] = what dropout multiplies probability j of a query with. */
static void dropout_row(const struct attention_call *call, struct place at, int64_t row, float *keep)
{
    const struct attention_layout *l = &call->w->l;
    const struct op_attrs *attrs = &call->kernel->node->attrs;
    uint32_t step = (uint32_t) * (const int32_t *)call->kernel->in[l->step];
    uint64_t start = (uint64_t)(((at.n * l->heads + at.h) * l->queries + at.first + row) * l->keys);
    int64_t offset = (int64_t)(start & 3);
    call->rows->uniform(keep, attrs->seed, attrs->stream, step, start / 4, (int)((offset + l->keys + 3) / 4));
    float rate = l->how->rate, factor = 1 / (1 - rate);
    for (int64_t j = 0; j < l->keys; j++)
        keep[j] = keep[j + offset] >= rate ? factor : 0;
}

static const float *rows_of(const float *x, int64_t heads, int64_t rows, int64_t size, struct place at, int64_t row)
{
    return x + ((at.n * rows + row) * heads + at.h) * size;
}

static void forward_block(const struct attention_call *call, struct scratch *s, struct matrix v, struct place at)
{
    const struct attention_work *w = call->w;
    const struct attention_layout *l = &w->l;
    float *p = (float *)call->kernel->out[1] + ((at.n * l->heads + at.h) * l->queries + at.first) * l->keys;
    w->kernels->multiply(
        &(struct small_product){.m = at.rows,
                                .n = at.keys,
                                .k = l->depth,
                                .a = rows_of(call->kernel->in[0], l->heads, l->queries, l->depth, at, at.first),
                                .a_row = l->heads * l->depth,
                                .a_k = 1,
                                .b = s->turned,
                                .ldb = w->keys,
                                .c = s->scores,
                                .ldc = w->keys});
    for (int64_t i = 0; i < at.rows; i++) {
        float *row = s->scores + i * w->keys;
        softmax_row(call, at, i, row, p + i * l->keys);
        if (l->step < 0)
            continue;
        dropout_row(call, at, i, s->uniform);
        call->rows->step[EXPR_MUL](row, row, s->uniform, NULL, (int)l->keys);
    }
    struct small_product product = {.m = at.rows,
                                    .n = w->width,
                                    .k = at.keys < l->keys ? at.keys : l->keys,
                                    .a = s->scores,
                                    .a_row = w->keys,
                                    .a_k = 1,
                                    .b = v.data,
                                    .ldb = v.stride};
    float *y = (float *)call->kernel->out[0] + ((at.n * l->queries + at.first) * l->heads + at.h) * l->width;
    multiply_into(w, product, y, l->heads * l->width, l->width, s->result);
}

static void forward_slice(void *context, int slice)
{
    const struct attention_call *call = context;
    const struct attention_work *w = call->w;
    const struct attention_layout *l = &w->l;
    struct scratch s;
    lay_out(w, false, (float *)call->kernel->workspace + (size_t)slice * w->scratch, &s);
    int64_t pairs = l->n * l->groups, share = l->heads / l->groups, end = slice_begin(pairs, w->n_slices, slice + 1);
    for (int64_t pair = slice_begin(pairs, w->n_slices, slice); pair < end; pair++) {
        struct place at = {.n = pair / l->groups, .h = pair % l->groups};
        turn(w, s.turned, rows_of(call->kernel->in[1], l->groups, l->keys, l->depth, at, 0), l->groups * l->depth,
             l->depth, l->how->scale);
        struct matrix v = whole(rows_of(call->kernel->in[2], l->groups, l->keys, l->width, at, 0), l->groups * l->width,
                                l->keys, l->width, w->width, s.v);
        int64_t group = at.h;
        for (at.h = group * share; at.h < (group + 1) * share; at.h++)
            for (at.first = 0; at.first < l->queries; at.first += BLOCK) {
                at.rows = l->queries - at.first < BLOCK ? l->queries - at.first : BLOCK;
                at.keys = block_keys(w, at.first, at.rows);
                forward_block(call, &s, v, at);
            }
    }
}

static void run_attention(const struct kernel *kernel, struct device *device)
{
    struct attention_call call = {kernel, device->rows, kernel->prepared};
    threads_run(device->threads, forward_slice, &call, call.w->n_slices);
}

bool prepare_attention(struct device *device, struct kernel *kernel, struct arena *arena)
{
    work_new(device, kernel, arena);
    kernel->run = run_attention;
    return true;
}

/* s->scores = gradient of the block's scores times scale, s->kept = what the values were multiplied with. */
static void score_gradients(const struct attention_call *call, struct scratch *s, struct place at)
{
    const struct attention_work *w = call->w;
    const struct attention_layout *l = &w->l;
    int64_t first = ((at.n * l->heads + at.h) * l->queries + at.first) * l->keys;
    bool may_be_empty = l->how->masked || l->how->window;
    for (int64_t i = 0; i < at.rows; i++) {
        const float *p = (const float *)call->kernel->in[3] + first + i * l->keys;
        float *ds = s->scores + i * w->keys, *kept = s->kept + i * w->keys;
        int64_t n = at.keys < l->keys ? at.keys : l->keys;
        memcpy(kept, p, (size_t)n * sizeof *kept);
        if (l->step >= 0) {
            dropout_row(call, at, i, s->uniform);
            call->rows->step[EXPR_MUL](kept, kept, s->uniform, NULL, (int)n);
            call->rows->step[EXPR_MUL](ds, ds, s->uniform, NULL, (int)n);
        }
        if (l->dprobabilities >= 0)
            call->rows->add_into(ds, (const float *)call->kernel->in[l->dprobabilities] + first + i * l->keys, n);
        w->kernels->score_gradient(ds, p, ds, l->how->scale, n);
        if (may_be_empty && looks_nowhere(l, call->kernel, at, i))
            memset(ds, 0, (size_t)n * sizeof *ds);
    }
}

static void backward_block(const struct attention_call *call, struct scratch *s, struct matrix k, struct place at)
{
    const struct attention_work *w = call->w;
    const struct attention_layout *l = &w->l;
    int64_t n = at.keys < l->keys ? at.keys : l->keys;
    const float *dy = rows_of(call->kernel->in[4], l->heads, l->queries, l->width, at, at.first);
    struct matrix dys = whole(dy, l->heads * l->width, at.rows, l->width, w->width, s->dy);
    struct matrix qs = whole(rows_of(call->kernel->in[0], l->heads, l->queries, l->depth, at, at.first),
                             l->heads * l->depth, at.rows, l->depth, w->depth, s->q);
    struct small_product product = {
        .m = at.rows, .n = at.keys, .k = l->width, .a = dy, .a_row = l->heads * l->width, .a_k = 1};
    product.b = s->turned;
    product.ldb = product.ldc = w->keys;
    product.c = s->scores;
    w->kernels->multiply(&product);
    score_gradients(call, s, at);
    product = (struct small_product){.m = at.rows, .n = w->depth, .k = n, .a = s->scores, .a_row = w->keys, .a_k = 1};
    product.b = k.data;
    product.ldb = k.stride;
    multiply_into(w, product,
                  (float *)call->kernel->out[0] + ((at.n * l->queries + at.first) * l->heads + at.h) * l->depth,
                  l->heads * l->depth, l->depth, s->result);
    product = (struct small_product){.m = n, .n = w->depth, .k = at.rows, .a = s->scores, .a_row = 1, .a_k = w->keys};
    product.accumulate = true;
    product.b = qs.data;
    product.ldb = qs.stride;
    product.c = s->dk;
    product.ldc = w->depth;
    w->kernels->multiply(&product);
    product.a = s->kept;
    product.n = product.ldc = w->width;
    product.b = dys.data;
    product.ldb = dys.stride;
    product.c = s->dv;
    w->kernels->multiply(&product);
}

static void backward_slice(void *context, int slice)
{
    const struct attention_call *call = context;
    const struct attention_work *w = call->w;
    const struct attention_layout *l = &w->l;
    struct scratch s;
    lay_out(w, true, (float *)call->kernel->workspace + (size_t)slice * w->scratch, &s);
    int64_t pairs = l->n * l->groups, share = l->heads / l->groups, end = slice_begin(pairs, w->n_slices, slice + 1);
    for (int64_t pair = slice_begin(pairs, w->n_slices, slice); pair < end; pair++) {
        struct place at = {.n = pair / l->groups, .h = pair % l->groups};
        int64_t group = at.h;
        turn(w, s.turned, rows_of(call->kernel->in[2], l->groups, l->keys, l->width, at, 0), l->groups * l->width,
             l->width, 1);
        struct matrix k = whole(rows_of(call->kernel->in[1], l->groups, l->keys, l->depth, at, 0), l->groups * l->depth,
                                l->keys, l->depth, w->depth, s.k);
        memset(s.dk, 0, (size_t)(l->keys * w->depth) * sizeof *s.dk);
        memset(s.dv, 0, (size_t)(l->keys * w->width) * sizeof *s.dv);
        for (at.h = group * share; at.h < (group + 1) * share; at.h++)
            for (at.first = 0; at.first < l->queries; at.first += BLOCK) {
                at.rows = l->queries - at.first < BLOCK ? l->queries - at.first : BLOCK;
                at.keys = block_keys(w, at.first, at.rows);
                backward_block(call, &s, k, at);
            }
        for (int64_t j = 0; j < l->keys; j++) {
            int64_t row = (at.n * l->keys + j) * l->groups + group;
            memcpy((float *)call->kernel->out[1] + row * l->depth, s.dk + j * w->depth,
                   (size_t)l->depth * sizeof(float));
            memcpy((float *)call->kernel->out[2] + row * l->width, s.dv + j * w->width,
                   (size_t)l->width * sizeof(float));
        }
    }
}

static void run_attention_dx(const struct kernel *kernel, struct device *device)
{
    struct attention_call call = {kernel, device->rows, kernel->prepared};
    threads_run(device->threads, backward_slice, &call, call.w->n_slices);
}

bool prepare_attention_dx(struct device *device, struct kernel *kernel, struct arena *arena)
{
    work_new(device, kernel, arena);
    kernel->run = run_attention_dx;
    return true;
}
