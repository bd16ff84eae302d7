/* conv.c - convolutions as products over patches. Patches of a block of output pixels are gathered into a buffer that
 * stays in the L2 cache, then multiplied: y = patches W; dW = patches^T dY; dX = scatter of dY W^T. One to three
 * spatial dims, groups, dilation.
 */
#include "engine/cpu/gemm.h"
#include "engine/cpu/kernels.h"

#include <string.h>

enum { BLOCK_FLOATS = 65536, MOST_SLICES = 8, MOST_PARTIALS = 4 };

struct conv {
    int64_t n, c, o, groups, in[3], out[3], size[3], stride[3], dilation[3], before[3];
    int64_t pixels, patch, block_pixels,
        blocks;           /* per image: output pixels; floats of a patch of one group; pixels a block; blocks */
    int64_t patch_stride; /* floats of workspace per slice for patches */
    int n_slices;
    bool product_apart; /* behind the patches in the workspace, see epilogue_may_overwrite */
    bool pointwise;     /* 1x1, stride 1, no padding, one group: x is its own patch matrix */
    const struct map_program *epilogue;
};

struct conv_call {
    const struct kernel *kernel;
    const struct conv *conv;
    const struct rows *rows;
};

static void set_spatial(struct conv *v, const struct window *w, struct shape x, struct shape y)
{
    for (int d = 0; d < 3; d++) {
        int s = d - (3 - w->n_spatial); /* aligned to the right: a 1-D convolution runs along the last of three */
        bool real = s >= 0;
        v->in[d] = real ? x.dim[1 + s] : 1;
        v->out[d] = real ? y.dim[1 + s] : 1;
        v->size[d] = real ? w->size[s] : 1;
        v->stride[d] = real ? w->stride[s] : 1;
        v->dilation[d] = real ? w->dilation[s] : 1;
        v->before[d] = real ? w->pad_before[s] : 0;
    }
}

static struct conv *conv_new(struct arena *arena, const struct window *w, struct shape x, struct shape y)
{
    struct conv *v = arena_alloc(arena, sizeof *v);
    v->n = x.dim[0];
    v->c = x.dim[x.rank - 1];
    v->o = y.dim[y.rank - 1];
    v->groups = w->groups ? w->groups : 1;
    set_spatial(v, w, x, y);
    v->pixels = v->out[0] * v->out[1] * v->out[2];
    v->patch = v->size[0] * v->size[1] * v->size[2] * (v->c / v->groups);
    v->pointwise = v->patch == v->c && v->groups == 1;
    for (int d = 0; d < 3; d++)
        v->pointwise = v->pointwise && v->stride[d] == 1 && v->before[d] == 0 && v->out[d] == v->in[d];
    v->block_pixels = v->patch ? BLOCK_FLOATS / v->patch : 1;
    v->block_pixels = v->block_pixels < 16 ? 16 : v->block_pixels;
    v->block_pixels = v->block_pixels > v->pixels ? v->pixels : v->block_pixels;
    if (v->block_pixels > 0)
        v->blocks = (v->pixels + v->block_pixels - 1) / v->block_pixels;
    v->patch_stride = (v->block_pixels * v->patch + 15) & ~(int64_t)15;
    return v;
}

static bool usable(const struct conv *v)
{
    return v->n > 0 && v->pixels > 0 && v->c > 0 && v->o > 0 && v->patch > 0 && v->c % v->groups == 0 &&
           v->o % v->groups == 0 && v->patch < INT32_MAX && v->pixels < INT32_MAX;
}

struct pixel { /* of the output */
    int64_t d, h, w;
};

static struct pixel pixel_at(const struct conv *v, int64_t index)
{
    return (struct pixel){index / v->out[2] / v->out[1], index / v->out[2] % v->out[1], index % v->out[2]};
}

static void pixel_next(const struct conv *v, struct pixel *at)
{
    if (++at->w < v->out[2])
        return;
    at->w = 0;
    if (++at->h < v->out[1])
        return;
    at->h = 0;
    at->d++;
}

struct taps { /* of a kernel row, along the last dim: those inside the image */
    int64_t first, n;
    int64_t offset; /* of the first one, in floats from the start of the image's row */
};

static struct taps taps_of(const struct conv *v, int64_t ow)
{
    int64_t w = ow * v->stride[2] - v->before[2], step = v->dilation[2], last = v->size[2];
    int64_t first = w < 0 ? (-w + step - 1) / step : 0;
    if (w + (last - 1) * step >= v->in[2])
        last = w >= v->in[2] ? 0 : (v->in[2] - 1 - w) / step + 1;
    return first < last ? (struct taps){first, last - first, (w + first * step) * v->c} : (struct taps){0};
}

/* Float offset of the row of the image that kernel row (kd, kh) meets; -1 outside. */
static int64_t row_offset(const struct conv *v, const struct pixel *at, int64_t kd, int64_t kh)
{
    int64_t d = at->d * v->stride[0] - v->before[0] + kd * v->dilation[0];
    int64_t h = at->h * v->stride[1] - v->before[1] + kh * v->dilation[1];
    bool inside = d >= 0 && d < v->in[0] && h >= 0 && h < v->in[1];
    return inside ? (d * v->in[1] + h) * v->in[2] * v->c : -1;
}

/* Rows of a patch are short: a call of memcpy would cost as much as the copy. */
static void copy_floats(float *restrict out, const float *restrict in, int64_t n)
{
    if (n > 256) {
        memcpy(out, in, (size_t)n * sizeof *out);
        return;
    }
    for (; n >= 4; n -= 4, out += 4, in += 4)
        memcpy(out, in, 4 * sizeof *out);
    if (n & 2)
        memcpy(out, in, 2 * sizeof *out);
    if (n & 1)
        out[n - 1] = in[n - 1];
}

/* in: the first tap inside the image; NULL when there is none. */
static void gather_row(const struct conv *v, const float *in, const struct taps *taps, float *out)
{
    int64_t cg = v->c / v->groups, row = v->size[2] * cg, n = in ? taps->n : 0;
    if (n * cg < row)
        memset(out, 0, (size_t)row * sizeof *out);
    out += taps->first * cg;
    if (v->dilation[2] == 1 && v->groups == 1)
        copy_floats(out, in, n * cg);
    else
        for (int64_t t = 0; t < n; t++)
            copy_floats(out + t * cg, in + t * v->dilation[2] * v->c, cg);
}

static void gather_block(const struct conv *v, const float *image, int64_t first_pixel, int64_t n, int64_t group,
                         float *patches)
{
    int64_t cg = v->c / v->groups, row = v->size[2] * cg;
    struct pixel at = pixel_at(v, first_pixel);
    for (int64_t p = 0; p < n; p++, pixel_next(v, &at)) {
        struct taps taps = taps_of(v, at.w);
        for (int64_t kd = 0; kd < v->size[0]; kd++)
            for (int64_t kh = 0; kh < v->size[1]; kh++, patches += row) {
                int64_t offset = row_offset(v, &at, kd, kh);
                gather_row(v, offset < 0 ? NULL : image + offset + taps.offset + group * cg, &taps, patches);
            }
    }
}

static void scatter_row(const struct conv *v, const struct rows *rows, const float *in, const struct taps *taps,
                        float *out)
{
    int64_t cg = v->c / v->groups;
    in += taps->first * cg;
    if (v->dilation[2] == 1 && v->groups == 1)
        rows->add_into(out, in, taps->n * cg);
    else
        for (int64_t t = 0; t < taps->n; t++)
            rows->add_into(out + t * v->dilation[2] * v->c, in + t * cg, cg);
}

static void scatter_block(const struct conv *v, const struct rows *rows, float *image, int64_t first_pixel, int64_t n,
                          int64_t group, const float *patches)
{
    int64_t cg = v->c / v->groups, row = v->size[2] * cg;
    struct pixel at = pixel_at(v, first_pixel);
    for (int64_t p = 0; p < n; p++, pixel_next(v, &at)) {
        struct taps taps = taps_of(v, at.w);
        for (int64_t kd = 0; kd < v->size[0]; kd++)
            for (int64_t kh = 0; kh < v->size[1]; kh++, patches += row) {
                int64_t offset = row_offset(v, &at, kd, kh);
                if (offset >= 0)
                    scatter_row(v, rows, patches, &taps, image + offset + taps.offset + group * cg);
            }
    }
}

static int64_t image_floats(const struct conv *v)
{
    return v->in[0] * v->in[1] * v->in[2] * v->c;
}

static int64_t forward_patch_floats(const struct conv *v)
{
    return v->pointwise ? 0 : v->n_slices * v->patch_stride;
}

static void forward_block(const struct conv_call *call, int64_t image, int64_t block, float *patches)
{
    const struct conv *v = call->conv;
    const struct kernel *k = call->kernel;
    int64_t first = block * v->block_pixels,
            n = v->pixels - first < v->block_pixels ? v->pixels - first : v->block_pixels;
    const float *x = (const float *)k->in[0] + image * image_floats(v), *w = k->in[1];
    float *product = v->product_apart ? (float *)k->workspace + forward_patch_floats(v) : k->out[0];
    int64_t out_offset = (image * v->pixels + first) * v->o, og = v->o / v->groups;
    for (int64_t g = 0; g < v->groups; g++) {
        if (!v->pointwise)
            gather_block(v, x, first, n, g, patches);
        gemm_run(&(struct gemm){.m = n,
                                .n = og,
                                .k = v->patch,
                                .a = v->pointwise ? x + first * v->c : patches,
                                .lda = v->patch,
                                .b = w + g * og,
                                .ldb = v->o,
                                .c = product + out_offset + g * og,
                                .ldc = v->o,
                                .alpha = 1});
    }
    if (v->epilogue)
        epilogue_run(v->epilogue, k, product, out_offset, n * v->o);
}

static void forward_slice(void *context, int slice)
{
    const struct conv_call *call = context;
    const struct conv *v = call->conv;
    float *patches = (float *)call->kernel->workspace + slice * v->patch_stride;
    int64_t units = v->n * v->blocks, end = slice_begin(units, v->n_slices, slice + 1);
    for (int64_t unit = slice_begin(units, v->n_slices, slice); unit < end; unit++)
        forward_block(call, unit / v->blocks, unit % v->blocks, patches);
}

static void run_conv(const struct kernel *kernel, struct device *device)
{
    struct conv_call call = {kernel, kernel->prepared, device->rows};
    threads_run(device->threads, forward_slice, &call, call.conv->n_slices);
}

bool prepare_conv(struct device *device, struct kernel *kernel, struct arena *arena)
{
    struct conv *v = conv_new(arena, &kernel->node->attrs.window, input_of(kernel, 0)->shape, output_shape(kernel));
    if (!usable(v))
        return false;
    int most = v->n * v->blocks < MOST_SLICES ? (int)(v->n * v->blocks) : MOST_SLICES;
    v->n_slices = slices_for(v->n * v->pixels * v->patch * v->o, 1 << 19, most);
    v->epilogue = epilogue_prepare(device, kernel, arena);
    v->product_apart = epilogue_may_overwrite(kernel);
    int64_t floats = forward_patch_floats(v) + (v->product_apart ? shape_elements(output_shape(kernel)) : 0);
    kernel->workspace_bytes = (size_t)floats * sizeof(float);
    kernel->prepared = v;
    kernel->run = run_conv;
    return !kernel->epilogue || v->epilogue;
}

/* dX: inputs dY, W */
static void dx_image(const struct conv_call *call, int64_t image, float *patches)
{
    const struct conv *v = call->conv;
    const struct kernel *k = call->kernel;
    float *dx = (float *)k->out[0] + image * image_floats(v);
    const float *dy = (const float *)k->in[0] + image * v->pixels * v->o, *w = k->in[1];
    int64_t og = v->o / v->groups;
    if (!v->pointwise)
        memset(dx, 0, (size_t)image_floats(v) * sizeof *dx);
    for (int64_t first = 0; first < v->pixels; first += v->block_pixels) {
        int64_t n = v->pixels - first < v->block_pixels ? v->pixels - first : v->block_pixels;
        for (int64_t g = 0; g < v->groups; g++) {
            gemm_run(&(struct gemm){.transpose_b = true,
                                    .m = n,
                                    .n = v->patch,
                                    .k = og,
                                    .a = dy + first * v->o + g * og,
                                    .lda = v->o,
                                    .b = w + g * og,
                                    .ldb = v->o,
                                    .c = v->pointwise ? dx + first * v->c : patches,
                                    .ldc = v->patch,
                                    .alpha = 1});
            if (!v->pointwise)
                scatter_block(v, call->rows, dx, first, n, g, patches);
        }
    }
}

static void dx_slice(void *context, int slice)
{
    const struct conv_call *call = context;
    const struct conv *v = call->conv;
    float *patches = (float *)call->kernel->workspace + slice * v->patch_stride;
    int64_t end = slice_begin(v->n, v->n_slices, slice + 1);
    for (int64_t image = slice_begin(v->n, v->n_slices, slice); image < end; image++)
        dx_image(call, image, patches);
}

static void run_conv_dx(const struct kernel *kernel, struct device *device)
{
    struct conv_call call = {kernel, kernel->prepared, device->rows};
    threads_run(device->threads, dx_slice, &call, call.conv->n_slices);
}

bool prepare_conv_dx(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    struct conv *v = conv_new(arena, &kernel->node->attrs.window, output_shape(kernel), input_of(kernel, 0)->shape);
    if (!usable(v) || kernel->epilogue)
        return false;
    v->n_slices = slices_for(v->n * v->pixels * v->patch * v->o, 1 << 19, v->n < MOST_SLICES ? (int)v->n : MOST_SLICES);
    kernel->workspace_bytes = v->pointwise ? 0 : (size_t)(v->n_slices * v->patch_stride) * sizeof(float);
    kernel->prepared = v;
    kernel->run = run_conv_dx;
    return true;
}

/* dW: inputs X, dY. Every slice has a partial sum of its own; they are added in order. */
static int64_t weight_floats(const struct conv *v)
{
    return v->patch * v->o;
}

static int64_t dw_workspace_floats(const struct conv *v)
{
    return (v->pointwise ? 0 : v->patch_stride) + ((weight_floats(v) + 15) & ~(int64_t)15);
}

static void dw_image(const struct conv_call *call, int64_t image, float *patches, float *dw)
{
    const struct conv *v = call->conv;
    const float *x = (const float *)call->kernel->in[0] + image * image_floats(v);
    const float *dy = (const float *)call->kernel->in[1] + image * v->pixels * v->o;
    int64_t og = v->o / v->groups;
    for (int64_t first = 0; first < v->pixels; first += v->block_pixels) {
        int64_t n = v->pixels - first < v->block_pixels ? v->pixels - first : v->block_pixels;
        for (int64_t g = 0; g < v->groups; g++) {
            if (!v->pointwise)
                gather_block(v, x, first, n, g, patches);
            gemm_run(&(struct gemm){.transpose_a = true,
                                    .m = v->patch,
                                    .n = og,
                                    .k = n,
                                    .a = v->pointwise ? x + first * v->c : patches,
                                    .lda = v->patch,
                                    .b = dy + first * v->o + g * og,
                                    .ldb = v->o,
                                    .c = dw + g * og,
                                    .ldc = v->o,
                                    .alpha = 1,
                                    .beta = 1});
        }
    }
}

static void dw_slice(void *context, int slice)
{
    const struct conv_call *call = context;
    const struct conv *v = call->conv;
    float *patches = (float *)call->kernel->workspace + slice * dw_workspace_floats(v);
    float *dw = patches + (v->pointwise ? 0 : v->patch_stride);
    memset(dw, 0, (size_t)weight_floats(v) * sizeof *dw);
    int64_t end = slice_begin(v->n, v->n_slices, slice + 1);
    for (int64_t image = slice_begin(v->n, v->n_slices, slice); image < end; image++)
        dw_image(call, image, patches, dw);
}

static void run_conv_dw(const struct kernel *kernel, struct device *device)
{
    struct conv_call call = {kernel, kernel->prepared, device->rows};
    const struct conv *v = call.conv;
    threads_run(device->threads, dw_slice, &call, v->n_slices);
    for (int slice = 0; slice < v->n_slices; slice++) {
        const float *dw =
            (const float *)kernel->workspace + slice * dw_workspace_floats(v) + (v->pointwise ? 0 : v->patch_stride);
        if (slice == 0)
            memcpy(kernel->out[0], dw, (size_t)weight_floats(v) * sizeof *dw);
        else
            device->rows->add_into(kernel->out[0], dw, weight_floats(v));
    }
}

bool prepare_conv_dw(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device;
    struct conv *v =
        conv_new(arena, &kernel->node->attrs.window, input_of(kernel, 0)->shape, input_of(kernel, 1)->shape);
    if (!usable(v) || kernel->epilogue)
        return false;
    v->n_slices =
        slices_for(v->n * v->pixels * v->patch * v->o, 1 << 20, v->n < MOST_PARTIALS ? (int)v->n : MOST_PARTIALS);
    kernel->workspace_bytes = (size_t)(v->n_slices * dw_workspace_floats(v)) * sizeof(float);
    kernel->prepared = v;
    kernel->run = run_conv_dw;
    return true;
}
