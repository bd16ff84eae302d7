/* conv.c - the ops conv, conv_dx, conv_dw: which algorithm runs, see conv.h */
#include "engine/cpu/conv.h"
#include "engine/cpu/gemm_bfloat16.h"

#include <stdatomic.h>
#include <string.h>

/* 1x1 without stride: all pixels of the batch are one long image. */
static void flatten_pointwise(struct conv *v)
{
    struct spatial *s = &v->s;
    for (int d = 0; d < SPATIAL_DIMS; d++)
        if (s->size[d] != 1 || s->stride[d] != 1 || s->before[d] || s->in[d] != s->out[d])
            return;
    int64_t width = s->in[2] >= 8 ? s->in[2] : s->in[1] * s->in[2], lines = v->n * spatial_in(s) / width;
    v->n = 1;
    s->in[0] = s->out[0] = 1;
    s->in[1] = s->out[1] = lines;
    s->in[2] = s->out[2] = width;
}

static struct conv *conv_new(struct arena *arena, const struct window *w, struct shape x, struct shape y)
{
    struct conv *v = arena_alloc(arena, sizeof *v);
    *v = (struct conv){.s = spatial_of(w, x, y), .n = x.dim[0], .c = x.dim[x.rank - 1], .o = y.dim[y.rank - 1]};
    v->groups = w->groups ? w->groups : 1;
    v->taps = v->s.size[0] * v->s.size[1] * v->s.size[2];
    flatten_pointwise(v);
    return v;
}

void conv_copy_padded(float *to, const float *image, const int64_t *size, int64_t channels, const int64_t *first,
                      const int64_t *span)
{
    int64_t left = first[2] < 0 ? -first[2] : 0, end = size[2] - first[2];
    left = left < span[2] ? left : span[2];
    end = end < span[2] ? end : span[2];
    int64_t n = end > left ? end - left : 0;
    for (int64_t d = first[0]; d < first[0] + span[0]; d++)
        for (int64_t h = first[1]; h < first[1] + span[1]; h++, to += span[2] * channels) {
            if (d < 0 || d >= size[0] || h < 0 || h >= size[1] || !n) {
                memset(to, 0, (size_t)(span[2] * channels) * sizeof *to);
                continue;
            }
            memset(to, 0, (size_t)(left * channels) * sizeof *to);
            memcpy(to + left * channels, image + ((d * size[1] + h) * size[2] + first[2] + left) * channels,
                   (size_t)(n * channels) * sizeof *to);
            memset(to + (left + n) * channels, 0, (size_t)((span[2] - left - n) * channels) * sizeof *to);
        }
}

bool conv_is_depthwise(const struct conv *v)
{
    return v->groups > 1 && v->groups == v->c && v->c == v->o;
}

int64_t conv_multiply_adds(const struct conv *v)
{
    return v->n * spatial_out(&v->s) * v->taps * (v->c / v->groups) * v->o;
}

int conv_scratch_count(const struct device *device, int n_slices)
{
    return device->n_threads < n_slices ? device->n_threads : n_slices;
}

int conv_scratch_take(struct conv_scratch *scratch)
{
    for (uint32_t taken = atomic_load(&scratch->taken);;) {
        int number = __builtin_ctz(~taken);
        if (atomic_compare_exchange_weak(&scratch->taken, &taken, taken | 1u << number))
            return number;
    }
}

void conv_scratch_give(struct conv_scratch *scratch, int number)
{
    atomic_fetch_and(&scratch->taken, ~(1u << number));
}

void conv_run_slices(struct threads *threads, void (*work)(void *, int), void *context, int n_slices, bool small)
{
    for (int slice = 0; small && slice < n_slices; slice++)
        work(context, slice);
    if (!small)
        threads_run(threads, work, context, n_slices);
}

int conv_panel(const struct conv_kernels *kernels, int64_t rows, int64_t columns)
{
    int64_t vectors = (columns + kernels->lanes - 1) / kernels->lanes;
    bool short_lines = rows <= kernels->accumulators / 4;
    return kernels->lanes * (vectors >= 4 && short_lines && kernels->accumulators > 16 ? 4 : vectors >= 2 ? 2 : 1);
}

static bool is_usable(const struct conv *v)
{
    return v->n > 0 && spatial_out(&v->s) > 0 && spatial_in(&v->s) > 0 && v->c > 0 && v->o > 0 && v->taps > 0 &&
           v->c % v->groups == 0 && v->o % v->groups == 0;
}

/* From so many channels on, sums of bfloat16 products are faster than float32 ones and than Winograd's. */
enum { BFLOAT16_CHANNELS = 32 };

static bool multiplies_bfloat16(const struct kernel *kernel, const struct conv *v)
{
    return kernel->node->attrs.bfloat16 && gemm_bfloat16_name() && v->c / v->groups >= BFLOAT16_CHANNELS &&
           v->o / v->groups >= BFLOAT16_CHANNELS;
}

static bool prepare(struct device *device, struct kernel *kernel, struct arena *arena, struct conv *v,
                    conv_prepare *winograd, conv_prepare *direct)
{
    if (!is_usable(v))
        return false;
    v->epilogue = epilogue_prepare(device, kernel, arena);
    v->product_apart = epilogue_may_overwrite(kernel);
    if (kernel->epilogue && !v->epilogue)
        return false;
    v->bfloat16 = multiplies_bfloat16(kernel, v);
    bool transforms = !device->direct_convolutions && !v->bfloat16 && winograd_fits(v);
    (transforms ? winograd : direct)(device, kernel, arena, v);
    return true;
}

bool prepare_conv(struct device *device, struct kernel *kernel, struct arena *arena)
{
    struct conv *v =
        conv_new(arena, &kernel->node->attrs.window, input_of(kernel, 0)->shape, kernel->node->outputs[0]->shape);
    return prepare(device, kernel, arena, v, winograd_prepare, direct_prepare);
}

bool prepare_conv_dx(struct device *device, struct kernel *kernel, struct arena *arena)
{
    struct conv *v =
        conv_new(arena, &kernel->node->attrs.window, kernel->node->outputs[0]->shape, input_of(kernel, 0)->shape);
    return prepare(device, kernel, arena, v, winograd_prepare_dx, direct_prepare_dx);
}

bool prepare_conv_dw(struct device *device, struct kernel *kernel, struct arena *arena)
{
    struct conv *v =
        conv_new(arena, &kernel->node->attrs.window, input_of(kernel, 0)->shape, input_of(kernel, 1)->shape);
    return prepare(device, kernel, arena, v, winograd_prepare_dw, direct_prepare_dw);
}
