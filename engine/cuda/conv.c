/* conv.c - the ops conv, conv_dx, conv_dw, as one of
 *
 *   depthwise   each filter reads one channel: kernels of its own
 *   product     the input is its own patches (1x1 without stride, or a window that is the whole image)
 *   im2col      patches of a chunk of the batch are gathered into the workspace and multiplied with the weights; dx
 *               sums the gradients of patches, each element in a fixed order; dw adds up chunk after chunk
 *
 * A chunk is some whole images; where the patches of one image are too many already, positions of it. Operands that
 * are bfloat16 numbers are multiplied as such, packed on the way; sums are float32.
 */
#include "engine/cuda/blas.h"
#include "engine/cuda/launches.h"

#if !defined(ANTLER_CUDA_PATCH_BYTES)
#define ANTLER_CUDA_PATCH_BYTES (64 << 20)
#endif

enum use { FORWARD, DX, DW };
enum {
    MOST_ELEMENTS = 1 << 30,
    PITCH = 8,
    FOUR = 4,
    SLICE_POSITIONS = 512,
    MOST_SLICES = 64,
    MOST_FILTERS_A_CHANNEL = 8
};

struct conv {
    enum use use;
    struct conv_geometry g;
    int64_t batch, groups;
    int64_t images;    /* of a chunk */
    int64_t positions; /* of a chunk: those of its images, or fewer of one */
    int64_t n_chunks;
    const struct blas_plan *plans[2][2]; /* of the last chunk or another; that adds (not the first of dw) or not */
    bool bfloat16, is_own_patches;
    int64_t filter_row;                       /* elements from row to row of w and dy, as multiplied */
    size_t patches_at, weights_at, output_at; /* bytes into the workspace */
    int64_t slices;                           /* depthwise dw */
};

struct chunk { /* positions counted from the first position of its first image */
    int64_t image, images, first, positions;
    bool last;
};

static struct chunk chunk_of(const struct conv *v, int64_t number)
{
    struct chunk c = {.last = number == v->n_chunks - 1};
    if (v->positions < v->g.n_out) {
        int64_t of_image = (v->g.n_out + v->positions - 1) / v->positions;
        c.image = number / of_image;
        c.images = 1;
        c.first = number % of_image * v->positions;
        c.last = number % of_image == of_image - 1;
        c.positions = c.last ? v->g.n_out - c.first : v->positions;
        return c;
    }
    c.image = number * v->images;
    c.images = c.last ? v->batch - c.image : v->images;
    c.positions = c.images * v->g.n_out;
    return c;
}

/* Running */

static const float *image_of(const struct conv *v, const void *x, const struct chunk *c)
{
    return (const float *)x + c->image * v->g.n_in * v->g.channels;
}

static int64_t output_row(const struct conv *v, const struct chunk *c)
{
    return c->image * v->g.n_out + c->first;
}

static const void *packed(const struct kernel *k, struct device *device, size_t at, const float *x, int64_t rows,
                          int64_t n)
{
    uint16_t *to = (uint16_t *)((char *)k->workspace + at);
    launch_pack_bfloat16(device->stream, to, (n + PITCH - 1) / PITCH * PITCH, x, rows, n);
    return to;
}

static const void *weights_of(const struct kernel *k, struct device *device, const struct conv *v, const void *w)
{
    return v->bfloat16 ? packed(k, device, v->weights_at, w, (int64_t)v->g.taps * v->g.per_group, v->g.filters) : w;
}

static const void *gradient_of(const struct kernel *k, struct device *device, const struct conv *v, const void *dy,
                               const struct chunk *c)
{
    const float *first = (const float *)dy + output_row(v, c) * v->g.filters;
    return v->bfloat16 ? packed(k, device, v->output_at, first, c->positions, v->g.filters) : first;
}

static const void *patches_of(const struct kernel *k, struct device *device, const struct conv *v, const void *x,
                              const struct chunk *c)
{
    void *patches = (char *)k->workspace + v->patches_at;
    if (v->is_own_patches)
        return v->bfloat16 ? packed(k, device, v->patches_at, x, c->positions, v->g.taps * v->g.channels) : x;
    if (v->bfloat16)
        launch_patches_bfloat16(device->stream, patches, image_of(v, x, c), v->g, c->first, c->positions);
    else
        launch_patches(device->stream, patches, image_of(v, x, c), v->g, c->first, c->positions);
    return patches;
}

static void run_forward(const struct kernel *k, struct device *device)
{
    const struct conv *v = k->prepared;
    const void *w = weights_of(k, device, v, k->in[1]);
    for (int64_t i = 0; i < v->n_chunks; i++) {
        struct chunk c = chunk_of(v, i);
        blas_multiply(device, v->plans[c.last][0], patches_of(k, device, v, k->in[0], &c), w,
                      (float *)k->out[0] + output_row(v, &c) * v->g.filters);
    }
}

static void run_dx(const struct kernel *k, struct device *device)
{
    const struct conv *v = k->prepared;
    const void *w = weights_of(k, device, v, k->in[1]);
    float *patches = v->is_own_patches ? k->out[0] : (void *)((char *)k->workspace + v->patches_at);
    for (int64_t i = 0; i < v->n_chunks; i++) {
        struct chunk c = chunk_of(v, i);
        blas_multiply(device, v->plans[c.last][0], gradient_of(k, device, v, k->in[0], &c), w, patches);
        if (!v->is_own_patches)
            launch_sum_patches(device->stream, (float *)k->out[0] + c.image * v->g.n_in * v->g.channels, patches, v->g,
                               c.images, c.first, c.positions, c.first > 0);
    }
}

static void run_dw(const struct kernel *k, struct device *device)
{
    const struct conv *v = k->prepared;
    for (int64_t i = 0; i < v->n_chunks; i++) {
        struct chunk c = chunk_of(v, i);
        const void *dy = gradient_of(k, device, v, k->in[1], &c);
        blas_multiply(device, v->plans[c.last][i > 0], patches_of(k, device, v, k->in[0], &c), dy, k->out[0]);
    }
}

static void run_depthwise(const struct kernel *k, struct device *device)
{
    const struct conv *v = k->prepared;
    for (int64_t i = 0; i < v->n_chunks; i++) {
        struct chunk c = chunk_of(v, i);
        int64_t x = c.image * v->g.n_in * v->g.channels, y = c.image * v->g.n_out * v->g.filters;
        if (v->use == FORWARD)
            launch_depthwise(device->stream, (float *)k->out[0] + y, (const float *)k->in[0] + x, k->in[1], v->g,
                             c.images);
        else
            launch_depthwise_dx(device->stream, (float *)k->out[0] + x, (const float *)k->in[0] + y, k->in[1], v->g,
                                c.images);
    }
}

static void run_depthwise_dw(const struct kernel *k, struct device *device)
{
    const struct conv *v = k->prepared;
    launch_depthwise_dw(device->stream, k->out[0], k->workspace, v->slices, k->in[0], k->in[1], v->g, v->batch);
}

/* Preparing */

static int64_t rounded_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

/* False: sizes that 32 bits do not hold. */
static bool describe(struct conv *v, const struct window *w, struct shape x, struct shape y)
{
    struct conv_geometry *g = &v->g;
    int64_t n_in = 1, n_out = 1, taps = 1;
    for (int d = 0; d < SPATIAL_MAX; d++) {
        bool used = d < w->n_spatial;
        int64_t sizes[] = {used ? x.dim[d + 1] : 1, used ? y.dim[d + 1] : 1,   used ? w->size[d] : 1,
                           used ? w->stride[d] : 1, used ? w->dilation[d] : 1, used ? w->pad_before[d] : 0};
        for (int i = 0; i < 6; i++)
            if (sizes[i] > INT32_MAX / 4)
                return false;
        g->in[d] = (int32_t)sizes[0], g->out[d] = (int32_t)sizes[1], g->size[d] = (int32_t)sizes[2];
        g->stride[d] = (int32_t)sizes[3], g->dilation[d] = (int32_t)sizes[4], g->pad[d] = (int32_t)sizes[5];
        n_in *= sizes[0], n_out *= sizes[1], taps *= sizes[2];
        if (n_in > MOST_ELEMENTS || n_out > MOST_ELEMENTS || taps > MOST_ELEMENTS)
            return false;
    }
    int64_t channels = x.dim[x.rank - 1], filters = y.dim[y.rank - 1];
    v->batch = x.dim[0];
    v->groups = w->groups;
    g->n_in = (int32_t)n_in, g->n_out = (int32_t)n_out, g->taps = (int32_t)taps;
    g->channels = (int32_t)channels, g->filters = (int32_t)filters, g->per_group = (int32_t)(channels / w->groups);
    return channels <= MOST_ELEMENTS / n_in && filters <= MOST_ELEMENTS / n_out && channels <= MOST_ELEMENTS / taps &&
           filters <= MOST_ELEMENTS / taps && v->batch <= MOST_ELEMENTS / n_out;
}

static struct divisor by(int64_t n)
{
    return divisor_of(n, (int64_t)2 * MOST_ELEMENTS);
}

/* What kernels divide by, once all else is known. */
static void divide_by(struct conv_geometry *g)
{
    bool in_fours = g->per_group % FOUR == 0 && g->patch_row % FOUR == 0;
    g->width = in_fours ? FOUR : 1;
    g->by_run = by(g->per_group / g->width);
    g->by_n_in = by(g->n_in);
    g->by_n_out = by(g->n_out);
    g->by_taps = by(g->taps);
    g->by_groups = by(g->channels / g->per_group);
    g->by_channels = by(g->channels);
    g->by_per_group = by(g->per_group);
    g->by_filters = by(g->filters);
    g->by_each = by(g->filters < g->channels ? 1 : g->filters / g->channels);
    for (int d = 0; d < SPATIAL_MAX; d++) {
        g->by_in[d] = by(g->in[d]);
        g->by_out[d] = by(g->out[d]);
        g->by_size[d] = by(g->size[d]);
        g->by_stride[d] = by(g->stride[d]);
    }
}

static bool is_depthwise(const struct conv *v)
{
    return v->groups > 1 && v->g.per_group == 1 && v->g.filters <= MOST_FILTERS_A_CHANNEL * v->groups;
}

static bool is_own_patches(const struct conv *v)
{
    const struct conv_geometry *g = &v->g;
    bool pointwise = g->taps == 1, whole = g->n_out == 1 && v->groups == 1;
    for (int d = 0; d < SPATIAL_MAX; d++) {
        pointwise = pointwise && g->stride[d] == 1 && g->pad[d] == 0 && g->in[d] == g->out[d];
        whole = whole && g->pad[d] == 0 && g->size[d] == g->in[d] && (g->dilation[d] == 1 || g->size[d] == 1);
    }
    return pointwise || whole;
}

/* So many images that neither their patches nor their elements are too many; one, or a piece of it, at least. */
static void cut(struct conv *v, int64_t bytes_a_position)
{
    const struct conv_geometry *g = &v->g;
    int64_t by_elements = MOST_ELEMENTS / (int64_t)(g->n_in > g->n_out ? g->n_in : g->n_out) /
                          (g->channels > g->filters ? g->channels : g->filters);
    int64_t positions = bytes_a_position ? ANTLER_CUDA_PATCH_BYTES / bytes_a_position : MOST_ELEMENTS;
    int64_t images = positions / g->n_out < by_elements ? positions / g->n_out : by_elements;
    images = images < 1 ? 1 : images;
    v->n_chunks = (v->batch + images - 1) / images;
    v->images = (v->batch + v->n_chunks - 1) / v->n_chunks;
    v->n_chunks = (v->batch + v->images - 1) / v->images;
    v->positions = v->images * g->n_out;
    if (positions >= g->n_out)
        return;
    int64_t pieces = positions < 1 ? g->n_out : (g->n_out + positions - 1) / positions;
    v->positions = (g->n_out + pieces - 1) / pieces;
    v->n_chunks = v->batch * ((g->n_out + v->positions - 1) / v->positions);
}

static struct blas_product product_of(const struct conv *v, int64_t positions)
{
    int64_t patch = (int64_t)v->g.taps * v->g.per_group, of_group = v->g.filters / v->groups;
    struct blas_product p = {.batch = v->groups, .bfloat16 = v->bfloat16};
    int64_t patch_stride = v->groups > 1 ? patch : 0, filter_stride = v->groups > 1 ? of_group : 0;
    switch (v->use) {
    case FORWARD:
        p.m = positions, p.n = of_group, p.k = patch;
        p.lda = v->g.patch_row, p.ldb = v->filter_row, p.ldc = v->g.filters;
        p.stride_a = patch_stride, p.stride_b = filter_stride, p.stride_c = filter_stride;
        break;
    case DX:
        p.m = positions, p.n = patch, p.k = of_group, p.transpose_b = true;
        p.lda = v->filter_row, p.ldb = v->filter_row, p.ldc = v->g.patch_row;
        p.stride_a = filter_stride, p.stride_b = filter_stride, p.stride_c = patch_stride;
        break;
    case DW:
        p.m = patch, p.n = of_group, p.k = positions, p.transpose_a = true;
        p.lda = v->g.patch_row, p.ldb = v->filter_row, p.ldc = v->g.filters;
        p.stride_a = patch_stride, p.stride_b = filter_stride, p.stride_c = filter_stride;
        break;
    }
    return p;
}

/* Chunks begin at some row of y: an odd number of filters is aligned to 4 bytes only. */
static int alignment_of(const struct conv *v)
{
    uint64_t row_bytes = (uint64_t)v->g.filters * 4, all = 64;
    bool reads_in_place = v->use == FORWARD || !v->bfloat16;
    if (v->n_chunks > 1 && reads_in_place)
        all |= row_bytes * (uint64_t)v->positions | (v->positions < v->g.n_out ? row_bytes * (uint64_t)v->g.n_out : 0);
    return (int)(all & -all);
}

static bool plan_products(struct device *device, struct conv *v, struct arena *arena, struct err *err)
{
    for (int64_t i = 0; i < v->n_chunks; i++) {
        struct chunk c = chunk_of(v, i);
        bool adds = v->use == DW && i > 0;
        struct blas_product p = product_of(v, c.positions);
        p.adds = adds;
        p.alignment = alignment_of(v);
        if (!v->plans[c.last][adds] && !(v->plans[c.last][adds] = blas_prepare(device, &p, arena, err)))
            return false;
    }
    return true;
}

/* Where everything goes in the workspace: patches, packed weights, packed gradients. */
static size_t lay_out(struct conv *v)
{
    int64_t patch_bytes = (int64_t)v->g.patch_row * (v->bfloat16 && v->use != DX ? 2 : 4);
    bool gathers = !v->is_own_patches || (v->bfloat16 && v->use != DX);
    int64_t patches = gathers ? rounded_up(v->positions * patch_bytes, 64) : 0;
    int64_t weights = v->bfloat16 && v->use != DW ? (int64_t)v->g.taps * v->g.per_group * v->filter_row * 2 : 0;
    int64_t gradients = v->bfloat16 && v->use != FORWARD ? v->positions * v->filter_row * 2 : 0;
    v->weights_at = (size_t)patches;
    v->output_at = v->weights_at + (size_t)rounded_up(weights, 64);
    return v->output_at + (size_t)rounded_up(gradients, 64);
}

static void prepare_depthwise(struct kernel *kernel, struct conv *v)
{
    int64_t positions = v->batch * v->g.n_out, slices = (positions + SLICE_POSITIONS - 1) / SLICE_POSITIONS;
    cut(v, 0);
    divide_by(&v->g);
    v->slices = slices < MOST_SLICES ? slices : MOST_SLICES;
    kernel->run = v->use == DW ? run_depthwise_dw : run_depthwise;
    kernel->variant = "depthwise";
    if (v->use == DW)
        kernel->workspace_bytes = (size_t)(v->slices * v->g.taps * v->g.filters) * sizeof(float);
}

static bool prepare_products(struct device *device, struct kernel *kernel, struct conv *v, struct arena *arena,
                             struct err *err)
{
    static cuda_run_op *const runs[] = {run_forward, run_dx, run_dw};
    int64_t patch = (int64_t)v->g.taps * v->g.channels;
    v->bfloat16 = kernel->node->attrs.bfloat16 && device->major >= 8;
    v->is_own_patches = is_own_patches(v);
    bool exact_rows = v->is_own_patches && (!v->bfloat16 || v->use == DX);
    v->g.patch_row = (int32_t)(exact_rows ? patch : rounded_up(patch, PITCH));
    v->filter_row = v->bfloat16 ? rounded_up(v->g.filters, PITCH) : v->g.filters;
    v->images = v->batch;
    v->positions = v->batch * v->g.n_out;
    v->n_chunks = 1;
    if (!v->is_own_patches)
        cut(v, (int64_t)v->g.patch_row * (v->bfloat16 && v->use != DX ? 2 : 4));
    divide_by(&v->g);
    kernel->workspace_bytes = lay_out(v);
    kernel->run = runs[v->use];
    kernel->variant = v->is_own_patches ? "product" : "im2col";
    return plan_products(device, v, arena, err);
}

static bool prepare(struct device *device, struct kernel *kernel, enum use use, struct shape x, struct shape y,
                    struct arena *arena, struct err *err)
{
    struct conv *v = arena_alloc(arena, sizeof *v);
    v->use = use;
    kernel->prepared = v;
    if (!describe(v, &kernel->node->attrs.window, x, y))
        return err_set(err, ERR_USAGE, "cuda: a convolution of more than %d elements an image, or positions of all",
                       MOST_ELEMENTS);
    if (!is_depthwise(v))
        return prepare_products(device, kernel, v, arena, err);
    prepare_depthwise(kernel, v);
    return true;
}

bool cuda_prepare_conv(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    return prepare(device, kernel, FORWARD, kernel->in_value[0]->shape, kernel->node->outputs[0]->shape, arena, err);
}

bool cuda_prepare_conv_dx(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    return prepare(device, kernel, DX, kernel->node->outputs[0]->shape, kernel->in_value[0]->shape, arena, err);
}

bool cuda_prepare_conv_dw(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    return prepare(device, kernel, DW, kernel->in_value[0]->shape, kernel->in_value[1]->shape, arena, err);
}
