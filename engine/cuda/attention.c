/* attention.c - the ops attention and attention_dx: products of whole heads, with one kernel for all scores between
 * them (attention.cu).
 *
 * A product takes one head of every sample, or where samples are few every head of one sample: a regular batch either
 * way, although heads lie side by side in every row and several may read one group of keys and values.
 */
#include "engine/plan/attention.h"
#include "base/arena.h"
#include "engine/cuda/blas.h"
#include "engine/cuda/device.h"
#include "engine/cuda/launches.h"

/* One matrix for each sample and head: elements from a row, a sample and a head (or group) to the next one. */
struct heads {
    int64_t row, sample, head;
    bool grouped;
};

struct attention_plan {
    struct attention_layout l;
    bool by_samples;                         /* a product is of one sample; else of one head */
    struct heads q, k, v, p, y;              /* gradients lie as what they are of */
    const struct blas_plan *scores, *values; /* q k, and p v; the gradient: dy v, and dscores k */
    const struct blas_plan *dk, *dk_more;    /* of the first head of a group, and of those that add to it */
    const struct blas_plan *dv, *dv_more;
    int64_t kept_at; /* floats into the workspace */
};

static struct attention_plan layout_of(const struct kernel *kernel)
{
    struct attention_plan w = {.l = attention_layout(kernel)};
    const struct attention_layout *l = &w.l;
    int64_t all_q = l->heads * l->depth, all_k = l->groups * l->depth, all_v = l->groups * l->width,
            all_y = l->heads * l->width, matrix = l->queries * l->keys;
    w.by_samples = l->groups == l->heads && l->n < l->heads;
    w.q = (struct heads){all_q, l->queries * all_q, l->depth, false};
    w.k = (struct heads){all_k, l->keys * all_k, l->depth, true};
    w.v = (struct heads){all_v, l->keys * all_v, l->width, true};
    w.p = (struct heads){l->keys, l->heads * matrix, matrix, false};
    w.y = (struct heads){all_y, l->queries * all_y, l->width, false};
    return w;
}

static int64_t heads_of_group(const struct attention_plan *w)
{
    return w->l.heads / w->l.groups;
}

/* From one product to the next, and from one matrix of a product to the next. */
static int64_t call_step(const struct attention_plan *w, const struct heads *m)
{
    return w->by_samples ? m->sample : m->head;
}

static int64_t batch_step(const struct attention_plan *w, const struct heads *m)
{
    return w->by_samples ? m->head : m->sample;
}

/* Products of a call, and where the matrices of the i-th begin. */
static int64_t n_products(const struct attention_plan *w)
{
    return w->by_samples ? w->l.n : w->l.heads;
}

static int64_t begin_of(const struct attention_plan *w, const struct heads *m, int64_t i)
{
    return (m->grouped ? i / heads_of_group(w) : i) * call_step(w, m);
}

struct shape_of_product {
    int64_t m, n, k;
    bool transpose_a, transpose_b, adds;
};

static const struct blas_plan *product(struct device *device, const struct attention_plan *w, struct shape_of_product s,
                                       const struct heads *a, const struct heads *b, const struct heads *c,
                                       struct arena *arena, struct err *err)
{
    enum { OF_PLAN = 64 };
    const struct heads *const all[] = {a, b, c};
    uint64_t offsets = OF_PLAN;
    for (int i = 0; i < 3 && n_products(w) > 1; i++)
        offsets |= (uint64_t)call_step(w, all[i]) * sizeof(float);
    const struct blas_product p = {.m = s.m,
                                   .n = s.n,
                                   .k = s.k,
                                   .transpose_a = s.transpose_a,
                                   .transpose_b = s.transpose_b,
                                   .lda = a->row,
                                   .ldb = b->row,
                                   .ldc = c->row,
                                   .batch = w->by_samples ? w->l.heads : w->l.n,
                                   .stride_a = batch_step(w, a),
                                   .stride_b = batch_step(w, b),
                                   .stride_c = batch_step(w, c),
                                   .adds = s.adds,
                                   .alignment = (int)(offsets & -offsets)};
    return blas_prepare(device, &p, arena, err);
}

static void multiply(struct device *device, const struct attention_plan *w, const struct blas_plan *plan, int64_t i,
                     const float *a, const struct heads *at_a, const float *b, const struct heads *at_b, float *c,
                     const struct heads *at_c)
{
    blas_multiply(device, plan, a + begin_of(w, at_a, i), b + begin_of(w, at_b, i), c + begin_of(w, at_c, i));
}

static struct attention_rows rows_of(const struct attention_plan *w, const struct kernel *k)
{
    const struct attention_layout *l = &w->l;
    struct attention_rows r = {.n_rows = l->n * l->heads * l->queries,
                               .heads = l->heads,
                               .queries = l->queries,
                               .keys = l->keys,
                               .window = l->how->window,
                               .scale = l->how->scale,
                               .rate = l->how->rate,
                               .causal = l->how->causal,
                               .zero_empty = l->how->zero_empty,
                               .mask = l->mask < 0 ? NULL : k->in[l->mask],
                               .step = l->step < 0 ? NULL : k->in[l->step],
                               .seed = k->node->attrs.seed,
                               .stream = k->node->attrs.stream};
    for (int d = 0; d < 4; d++)
        r.mask_stride[d] = l->mask_stride[d];
    return r;
}

static size_t scores_bytes(const struct attention_layout *l)
{
    return ((size_t)(l->n * l->heads * l->queries * l->keys) * sizeof(float) + 63) & ~(size_t)63;
}

bool cuda_prepare_attention(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    struct attention_plan plan = layout_of(kernel), *w = arena_copy(arena, &plan, 1, sizeof plan);
    const struct attention_layout *l = &w->l;
    kernel->workspace_bytes = l->step < 0 ? 0 : scores_bytes(l);
    kernel->prepared = w;
    const struct shape_of_product scores = {l->queries, l->keys, l->depth, .transpose_b = true};
    const struct shape_of_product values = {l->queries, l->width, l->keys};
    return (w->scores = product(device, w, scores, &w->q, &w->k, &w->p, arena, err)) &&
           (w->values = product(device, w, values, &w->p, &w->v, &w->y, arena, err));
}

void cuda_attention(const struct kernel *k, struct device *device)
{
    const struct attention_plan *w = k->prepared;
    float *probabilities = k->out[1], *kept = w->l.step < 0 ? NULL : k->workspace;
    for (int64_t i = 0; i < n_products(w); i++)
        multiply(device, w, w->scores, i, k->in[0], &w->q, k->in[1], &w->k, probabilities, &w->p);
    launch_attention_softmax(device->stream, rows_of(w, k), probabilities, kept);
    for (int64_t i = 0; i < n_products(w); i++)
        multiply(device, w, w->values, i, kept ? kept : probabilities, &w->p, k->in[2], &w->v, k->out[0], &w->y);
}

bool cuda_prepare_attention_dx(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    struct attention_plan plan = layout_of(kernel), *w = arena_copy(arena, &plan, 1, sizeof plan);
    const struct attention_layout *l = &w->l;
    w->kept_at = (int64_t)(scores_bytes(l) / sizeof(float));
    kernel->workspace_bytes = (l->step < 0 ? 1 : 2) * scores_bytes(l);
    kernel->prepared = w;
    const struct shape_of_product dprobabilities = {l->queries, l->keys, l->width, .transpose_b = true};
    const struct shape_of_product dq = {l->queries, l->depth, l->keys};
    struct shape_of_product dk = {l->keys, l->depth, l->queries, .transpose_a = true};
    struct shape_of_product dv = {l->keys, l->width, l->queries, .transpose_a = true};
    if (!(w->scores = product(device, w, dprobabilities, &w->y, &w->v, &w->p, arena, err)) ||
        !(w->values = product(device, w, dq, &w->p, &w->k, &w->q, arena, err)) ||
        !(w->dk = product(device, w, dk, &w->p, &w->q, &w->k, arena, err)) ||
        !(w->dv = product(device, w, dv, &w->p, &w->y, &w->v, arena, err)))
        return false;
    dk.adds = dv.adds = true;
    return heads_of_group(w) == 1 || ((w->dk_more = product(device, w, dk, &w->p, &w->q, &w->k, arena, err)) &&
                                      (w->dv_more = product(device, w, dv, &w->p, &w->y, &w->v, arena, err)));
}

void cuda_attention_dx(const struct kernel *k, struct device *device)
{
    const struct attention_plan *w = k->prepared;
    const float *q = k->in[0], *keys = k->in[1], *values = k->in[2], *p = k->in[3], *dy = k->in[4];
    float *dscores = k->workspace, *kept = w->l.step < 0 ? NULL : dscores + w->kept_at;
    for (int64_t i = 0; i < n_products(w); i++)
        multiply(device, w, w->scores, i, dy, &w->y, values, &w->v, dscores, &w->p);
    launch_attention_dscores(device->stream, rows_of(w, k), p,
                             w->l.dprobabilities < 0 ? NULL : k->in[w->l.dprobabilities], dscores, kept);
    for (int64_t i = 0; i < n_products(w); i++) {
        bool more = !w->by_samples && i % heads_of_group(w);
        multiply(device, w, w->values, i, dscores, &w->p, keys, &w->k, k->out[0], &w->q);
        multiply(device, w, more ? w->dk_more : w->dk, i, dscores, &w->p, q, &w->q, k->out[1], &w->k);
        multiply(device, w, more ? w->dv_more : w->dv, i, kept ? kept : p, &w->p, dy, &w->y, k->out[2], &w->v);
    }
}
