/* conv.cu - patches of convolutions, their gradients, and depthwise convolutions; see launches.h. What a launch counts
 * fits into 31 bits (conv.c sees to it), because divisions of 32 bits are several times faster. */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"

enum { VECTOR = 4, LANES = 32, LINES = BLOCK / LANES };

/* The last of the coordinates that are counted in *i, which then counts the others. */
__device__ static inline int32_t take(int32_t *i, struct divisor d)
{
    int32_t rest = (int32_t)divide(*i, d), own = *i - rest * (int32_t)d.by;
    *i = rest;
    return own;
}

/* Where in its image a tap of the window reads at a position of the output; -1 in the padding. */
__device__ static inline int32_t input_under(const struct conv_geometry *g, int32_t out, int32_t tap)
{
    int32_t at = 0, plane = 1;
    for (int d = 2; d >= 0; d--) {
        int32_t first = take(&out, g->by_out[d]) * g->stride[d] - g->pad[d];
        int32_t x = first + take(&tap, g->by_size[d]) * g->dilation[d];
        if (x < 0 || x >= g->in[d])
            return -1;
        at += x * plane;
        plane *= g->in[d];
    }
    return at;
}

/* A place of the input, plus the padding: its taps are those of which all three dims fit. */
struct place {
    int32_t at[3];
};

__device__ static inline struct place place_of(const struct conv_geometry *g, int32_t in)
{
    struct place p;
    for (int d = 2; d >= 0; d--)
        p.at[d] = take(&in, g->by_in[d]) + g->pad[d];
    return p;
}

/* Where along dim d of the output the tap of that dim reads the place; -1 where it does not. */
__device__ static inline int32_t output_over(const struct conv_geometry *g, const struct place *p, int d, int32_t tap)
{
    int32_t y = p->at[d] - tap * g->dilation[d], out = y < 0 ? 0 : (int32_t)divide(y, g->by_stride[d]);
    return y >= 0 && out * g->stride[d] == y && out < g->out[d] ? out : -1;
}

/* Item i of all patches, g->width neighbouring channels each: where it is read, -1 in the padding, and where it goes.
 */
struct patch_item {
    int64_t from, to;
};

__device__ static inline struct patch_item item_of(const struct conv_geometry *g, int32_t i, int32_t first)
{
    int32_t c = take(&i, g->by_run) * g->width, tap = take(&i, g->by_taps), group = take(&i, g->by_groups);
    int32_t image = first + i, out = take(&image, g->by_n_out), in = input_under(g, out, tap);
    struct patch_item item;
    item.to = (int64_t)i * g->patch_row + (group * g->taps + tap) * g->per_group + c;
    item.from = in < 0 ? -1 : ((int64_t)image * g->n_in + in) * g->channels + group * g->per_group + c;
    return item;
}

__global__ void patches_of_1(float *patches, const float *x, struct conv_geometry g, int32_t first, int32_t n_items)
{
    for (int64_t i = grid_first(); i < n_items; i += grid_step()) {
        struct patch_item item = item_of(&g, (int32_t)i, first);
        patches[item.to] = item.from < 0 ? 0.0f : x[item.from];
    }
}

__global__ void patches_of_4(float *patches, const float *x, struct conv_geometry g, int32_t first, int32_t n_items)
{
    for (int64_t i = grid_first(); i < n_items; i += grid_step()) {
        struct patch_item item = item_of(&g, (int32_t)i, first);
        float4 four = {0, 0, 0, 0};
        if (item.from >= 0)
            four = *(const float4 *)(x + item.from);
        *(float4 *)(patches + item.to) = four;
    }
}

/* They are bfloat16 numbers: nothing is lost. */
__global__ void bfloat16_patches(uint16_t *patches, const float *x, struct conv_geometry g, int32_t first,
                                 int32_t n_items)
{
    for (int64_t i = grid_first(); i < n_items; i += grid_step()) {
        struct patch_item item = item_of(&g, (int32_t)i, first);
        patches[item.to] = item.from < 0 ? (uint16_t)0 : (uint16_t)((uint32_t)__float_as_int(x[item.from]) >> 16);
    }
}

__global__ void bfloat16_patches_of_4(uint16_t *patches, const float *x, struct conv_geometry g, int32_t first,
                                      int32_t n_items)
{
    for (int64_t i = grid_first(); i < n_items; i += grid_step()) {
        struct patch_item item = item_of(&g, (int32_t)i, first);
        uint2 four = {0, 0};
        if (item.from >= 0) {
            float4 f = *(const float4 *)(x + item.from);
            four.x = (uint32_t)__float_as_int(f.x) >> 16 | ((uint32_t)__float_as_int(f.y) & 0xffff0000u);
            four.y = (uint32_t)__float_as_int(f.z) >> 16 | ((uint32_t)__float_as_int(f.w) & 0xffff0000u);
        }
        *(uint2 *)(patches + item.to) = four;
    }
}

static int32_t patch_items(const struct conv_geometry *g, int64_t n)
{
    return (int32_t)(n * g->channels * g->taps / g->width);
}

void launch_patches(void *stream, float *patches, const float *x, struct conv_geometry g, int64_t first, int64_t n)
{
    int32_t n_items = patch_items(&g, n), begin = (int32_t)first;
    if (g.width == VECTOR)
        LAUNCH(patches_of_4, blocks_for(n_items), BLOCK, stream, patches, x, g, begin, n_items);
    else
        LAUNCH(patches_of_1, blocks_for(n_items), BLOCK, stream, patches, x, g, begin, n_items);
}

void launch_patches_bfloat16(void *stream, uint16_t *patches, const float *x, struct conv_geometry g, int64_t first,
                             int64_t n)
{
    int32_t n_items = patch_items(&g, n), begin = (int32_t)first;
    if (g.width == VECTOR)
        LAUNCH(bfloat16_patches_of_4, blocks_for(n_items), BLOCK, stream, patches, x, g, begin, n_items);
    else
        LAUNCH(bfloat16_patches, blocks_for(n_items), BLOCK, stream, patches, x, g, begin, n_items);
}

/* The taps that read one place of an image, in order: `first` is the gradient of its position 0. */
__device__ static inline float sum_of_taps(const struct conv_geometry *g, int32_t in, const float *gradient,
                                           int32_t first, int32_t n, float sum)
{
    struct place p = place_of(g, in);
    for (int32_t a = 0; a < g->size[0]; a++) {
        int32_t out_a = output_over(g, &p, 0, a);
        for (int32_t b = 0; b < g->size[1] && out_a >= 0; b++) {
            int32_t out_b = output_over(g, &p, 1, b);
            for (int32_t c = 0; c < g->size[2] && out_b >= 0; c++) {
                int32_t out_c = output_over(g, &p, 2, c), q = (out_a * g->out[1] + out_b) * g->out[2] + out_c - first;
                if (out_c >= 0 && q >= 0 && q < n)
                    sum += gradient[(int64_t)q * g->patch_row + ((a * g->size[1] + b) * g->size[2] + c) * g->per_group];
            }
        }
    }
    return sum;
}

/* An element of dx a thread. */
__global__ void sum_patches(float *dx, const float *patches, struct conv_geometry g, int32_t n_elements, int32_t first,
                            int32_t n, bool adds)
{
    for (int64_t e = grid_first(); e < n_elements; e += grid_step()) {
        int32_t image = (int32_t)e, group = take(&image, g.by_channels), in = take(&image, g.by_n_in);
        int32_t c = take(&group, g.by_per_group);
        const float *column = patches + (int64_t)group * g.taps * g.per_group + c;
        dx[e] = sum_of_taps(&g, in, column, first - image * g.n_out, n, adds ? dx[e] : 0.0f);
    }
}

void launch_sum_patches(void *stream, float *dx, const float *patches, struct conv_geometry g, int64_t images,
                        int64_t first, int64_t n, bool adds)
{
    int32_t n_elements = (int32_t)(images * g.n_in * g.channels), begin = (int32_t)first, count = (int32_t)n;
    LAUNCH(sum_patches, blocks_for(n_elements), BLOCK, stream, dx, patches, g, n_elements, begin, count, adds);
}

/* Depthwise */

__global__ void depthwise(float *y, const float *x, const float *w, struct conv_geometry g, int32_t n_elements)
{
    for (int64_t e = grid_first(); e < n_elements; e += grid_step()) {
        int32_t image = (int32_t)e, o = take(&image, g.by_filters), out = take(&image, g.by_n_out);
        const float *first = x + (int64_t)image * g.n_in * g.channels + divide(o, g.by_each);
        float sum = 0;
        for (int32_t tap = 0; tap < g.taps; tap++) {
            int32_t in = input_under(&g, out, tap);
            if (in >= 0)
                sum += first[(int64_t)in * g.channels] * w[(int64_t)tap * g.filters + o];
        }
        y[e] = sum;
    }
}

void launch_depthwise(void *stream, float *y, const float *x, const float *w, struct conv_geometry g, int64_t images)
{
    int32_t n_elements = (int32_t)(images * g.n_out * g.filters);
    LAUNCH(depthwise, blocks_for(n_elements), BLOCK, stream, y, x, w, g, n_elements);
}

__device__ static inline float depthwise_sum(const struct conv_geometry *g, int32_t in, const float *dy, const float *w,
                                             int32_t each)
{
    struct place p = place_of(g, in);
    float sum = 0;
    for (int32_t a = 0; a < g->size[0]; a++) {
        int32_t out_a = output_over(g, &p, 0, a);
        for (int32_t b = 0; b < g->size[1] && out_a >= 0; b++) {
            int32_t out_b = output_over(g, &p, 1, b);
            for (int32_t c = 0; c < g->size[2] && out_b >= 0; c++) {
                int32_t out_c = output_over(g, &p, 2, c), tap = (a * g->size[1] + b) * g->size[2] + c;
                int64_t q = ((int64_t)out_a * g->out[1] + out_b) * g->out[2] + out_c;
                for (int32_t o = 0; o < each && out_c >= 0; o++)
                    sum += dy[q * g->filters + o] * w[(int64_t)tap * g->filters + o];
            }
        }
    }
    return sum;
}

__global__ void depthwise_dx(float *dx, const float *dy, const float *w, struct conv_geometry g, int32_t n_elements)
{
    int32_t each = (int32_t)g.by_each.by;
    for (int64_t e = grid_first(); e < n_elements; e += grid_step()) {
        int32_t image = (int32_t)e, first = take(&image, g.by_channels) * each, in = take(&image, g.by_n_in);
        dx[e] = depthwise_sum(&g, in, dy + (int64_t)image * g.n_out * g.filters + first, w + first, each);
    }
}

void launch_depthwise_dx(void *stream, float *dx, const float *dy, const float *w, struct conv_geometry g,
                         int64_t images)
{
    int32_t n_elements = (int32_t)(images * g.n_in * g.channels);
    LAUNCH(depthwise_dx, blocks_for(n_elements), BLOCK, stream, dx, dy, w, g, n_elements);
}

/* A block: a tap, LANES filters, and a slice of the positions, every LINES-th of them a thread. */
__global__ void depthwise_dw(float *sums, int32_t slices, const float *x, const float *dy, struct conv_geometry g,
                             int32_t n_positions)
{
    __shared__ float of_line[BLOCK];
    int32_t tiles = (g.filters + LANES - 1) / LANES, tile = blockIdx.x % tiles, tap = blockIdx.x / tiles % g.taps;
    int32_t slice = blockIdx.x / tiles / g.taps, lane = threadIdx.x % LANES, o = tile * LANES + lane;
    int32_t begin = (int32_t)((int64_t)n_positions * slice / slices);
    int32_t end = (int32_t)((int64_t)n_positions * (slice + 1) / slices);
    int32_t c = (int32_t)divide(o, g.by_each);
    float sum = 0;
    for (int32_t q = begin + threadIdx.x / LANES; q < end && o < g.filters; q += LINES) {
        int32_t image = q, in = input_under(&g, take(&image, g.by_n_out), tap);
        if (in >= 0)
            sum += x[((int64_t)image * g.n_in + in) * g.channels + c] * dy[(int64_t)q * g.filters + o];
    }
    of_line[threadIdx.x] = sum;
    __syncthreads();
    for (int32_t l = 1; l < LINES && threadIdx.x < LANES; l++)
        sum += of_line[l * LANES + lane];
    if (threadIdx.x < LANES && o < g.filters)
        sums[((int64_t)slice * g.taps + tap) * g.filters + o] = sum;
}

__global__ void sum_slices(float *dw, const float *sums, int32_t slices, int32_t n)
{
    for (int64_t i = grid_first(); i < n; i += grid_step()) {
        float sum = 0;
        for (int32_t s = 0; s < slices; s++)
            sum += sums[(int64_t)s * n + i];
        dw[i] = sum;
    }
}

void launch_depthwise_dw(void *stream, float *dw, float *sums, int64_t slices, const float *x, const float *dy,
                         struct conv_geometry g, int64_t images)
{
    int32_t n_slices = (int32_t)slices, n_positions = (int32_t)(images * g.n_out), n = g.taps * g.filters;
    int64_t blocks = slices * g.taps * ((g.filters + LANES - 1) / LANES);
    LAUNCH_TOGETHER(depthwise_dw, blocks, BLOCK, stream, sums, n_slices, x, dy, g, n_positions);
    LAUNCH(sum_slices, blocks_for(n), BLOCK, stream, dw, sums, n_slices, n);
}
