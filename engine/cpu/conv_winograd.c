/* conv_winograd.c - Winograd's F(4x4, 3x3) for convolutions of 3 x 3 with stride 1, see conv.h and conv_kernels.h.
 *
 * A block of tile rows is transformed to 36 planes V[tile][c], multiplied plane by plane with the transformed filters,
 * M = V U, and transformed back; V and M of a block stay in the L2 cache. dx is the same with dy as source and turned,
 * transposed filters; dw adds up dU = V^T (A dY A^T) over all tiles and transforms it back once.
 */
#include "engine/cpu/conv.h"

#include <string.h>

enum { BLOCK_FLOATS = 128 * 1024, BLOCK_TILES_MIN = 28, PARTIAL_FLOATS_MAX = 1 << 20, HEAVY_FILTER_FLOATS = 1 << 18 };

struct winograd {
    struct conv v;
    int64_t n, c, o;                       /* images; channels of source and destination */
    int64_t in[2], out[2], before[2];      /* of this use */
    int64_t tiles[2];                      /* per image */
    int64_t rows, block_rows, block_tiles; /* tile rows: of the batch, of a block */
    int64_t blocks;
    int64_t c_wide, o_wide, v_plane, m_plane; /* floats of a tile in V and M; floats from plane to plane */
    int panel, n_slices;
    int64_t u_plane, filters;              /* floats of a transformed filter plane; where they lie in the workspace */
    int64_t turned;                        /* dx: where W turned and transposed lies */
    int64_t scratch, scratch_floats, m_at; /* of each thread: V, M */
    int64_t partial, partial_floats;
    int64_t product;
};

struct winograd_call {
    const struct kernel *kernel;
    const struct winograd *w;
    const struct device *device;
    struct conv_scratch *scratch;
};

bool winograd_fits(const struct conv *v)
{
    const struct spatial *s = &v->s;
    if (s->in[0] != 1 || s->size[0] != 1 || s->out[0] != 1 || v->groups != 1 || v->c < 8 || v->o < 8)
        return false;
    for (int d = 1; d < SPATIAL_DIMS; d++) {
        int64_t after = s->out[d] + 2 - s->in[d] - s->before[d];
        if (s->size[d] != 3 || s->stride[d] != 1 || s->dilation[d] != 1 || s->before[d] > 2 || after > 2 || after < 0)
            return false;
    }
    int64_t tiles = ((s->out[1] + 3) / 4) * ((s->out[2] + 3) / 4);
    return v->n * tiles >= 8 && tiles * WINOGRAD_PLANES * 3 <= s->out[1] * s->out[2] * 9 * 2;
}

/* Planes begin at different places of a page, or their stores would evict each other from the L1 cache. */
static int64_t plane_floats(int64_t floats)
{
    return round_up(floats, 1024) + 16;
}

static struct winograd *winograd_new(struct arena *arena, const struct device *device, const struct conv *v,
                                     bool gradient)
{
    struct winograd *w = arena_alloc(arena, sizeof *w);
    *w = (struct winograd){.v = *v, .n = v->n, .c = gradient ? v->o : v->c, .o = gradient ? v->c : v->o};
    for (int d = 0; d < 2; d++) {
        w->in[d] = gradient ? v->s.out[d + 1] : v->s.in[d + 1];
        w->out[d] = gradient ? v->s.in[d + 1] : v->s.out[d + 1];
        w->before[d] = gradient ? 2 - v->s.before[d + 1] : v->s.before[d + 1];
        w->tiles[d] = (w->out[d] + WINOGRAD_OUT - 1) / WINOGRAD_OUT;
    }
    int lanes = device->conv->lanes;
    w->panel = conv_panel(device->conv, 1024, w->o);
    w->c_wide = round_up(w->c, lanes);
    w->o_wide = round_up(w->o, w->panel);
    w->rows = w->n * w->tiles[0];
    int64_t most = BLOCK_FLOATS / (WINOGRAD_PLANES * (w->c_wide + w->o_wide));
    int64_t least = w->c * w->o * WINOGRAD_PLANES > HEAVY_FILTER_FLOATS ? 4 * BLOCK_TILES_MIN : BLOCK_TILES_MIN;
    most = most < least ? least : most;
    w->block_rows = most / w->tiles[1] < 1 ? 1 : most / w->tiles[1];
    int64_t share = (w->rows + CONV_SLICES - 1) / CONV_SLICES;
    w->block_rows = w->block_rows < share ? w->block_rows : share;
    w->blocks = (w->rows + w->block_rows - 1) / w->block_rows;
    w->block_rows = (w->rows + w->blocks - 1) / w->blocks;
    w->blocks = (w->rows + w->block_rows - 1) / w->block_rows;
    w->block_tiles = w->block_rows * w->tiles[1];
    w->v_plane = plane_floats(w->block_tiles * w->c_wide);
    w->m_plane = plane_floats(w->block_tiles * w->o_wide);
    w->u_plane = w->c * w->o_wide;
    return w;
}

/* Scratch behind `floats` of the workspace; returns the floats with it. */
static int64_t place_scratch(struct winograd *w, const struct device *device, int64_t floats)
{
    w->m_at = WINOGRAD_PLANES * w->v_plane;
    w->scratch = floats;
    w->scratch_floats = w->m_at + WINOGRAD_PLANES * w->m_plane;
    return floats + conv_scratch_count(device, w->n_slices) * w->scratch_floats;
}

struct run {                          /* tile rows of one image within a block */
    int64_t image, first, rows, tile; /* tile: number in the block of the first one */
};

/* The run that begins with tile row `row` of the batch and ends before `end`. */
static struct run run_at(const struct winograd *w, int64_t row, int64_t end, int64_t tile)
{
    struct run r = {.image = row / w->tiles[0], .first = row % w->tiles[0], .tile = tile};
    r.rows = w->tiles[0] - r.first < end - row ? w->tiles[0] - r.first : end - row;
    return r;
}

/* Pixels from (h, w) on of an image of height x width. */
static struct winograd_tile tile_at(int64_t h, int64_t w, int64_t height, int64_t width, int64_t channels)
{
    int64_t bottom = height - h < WINOGRAD_IN ? height - h : WINOGRAD_IN,
            right = width - w < WINOGRAD_IN ? width - w : WINOGRAD_IN;
    return (struct winograd_tile){.at = (h * width + w) * channels,
                                  .width = width,
                                  .channels = channels,
                                  .top = h < 0 ? (int)-h : 0,
                                  .left = w < 0 ? (int)-w : 0,
                                  .bottom = (int)bottom,
                                  .right = (int)right};
}

static void transform_source(const struct winograd_call *call, const struct run *r, float *scratch)
{
    const struct winograd *w = call->w;
    const float *image = (const float *)call->kernel->in[0] + r->image * w->in[0] * w->in[1] * w->c;
    float *v = scratch + r->tile * w->c_wide;
    for (int64_t i = 0; i < r->rows; i++)
        for (int64_t j = 0; j < w->tiles[1]; j++, v += w->c_wide) {
            struct winograd_tile tile = tile_at((r->first + i) * WINOGRAD_OUT - w->before[0],
                                                j * WINOGRAD_OUT - w->before[1], w->in[0], w->in[1], w->c);
            call->device->winograd->input(v, w->v_plane, image, &tile);
        }
}

static float *product_of(const struct winograd_call *call)
{
    return call->w->v.product_apart ? (float *)call->kernel->workspace + call->w->product : call->kernel->out[0];
}

static void transform_back(const struct winograd_call *call, const struct run *r, const float *scratch)
{
    const struct winograd *w = call->w;
    const float *m = scratch + w->m_at + r->tile * w->o_wide;
    float *product = product_of(call);
    int64_t line = w->out[1] * w->o, image = r->image * w->out[0] * line,
            first = image + r->first * WINOGRAD_OUT * line;
    for (int64_t i = 0; i < r->rows; i++)
        for (int64_t j = 0; j < w->tiles[1]; j++, m += w->o_wide) {
            struct winograd_tile tile =
                tile_at((r->first + i) * WINOGRAD_OUT, j * WINOGRAD_OUT, w->out[0], w->out[1], w->o);
            call->device->winograd->output(product + image, &tile, m, w->m_plane);
        }
    if (w->v.epilogue) {
        int64_t end = (r->first + r->rows) * WINOGRAD_OUT;
        end = end < w->out[0] ? end : w->out[0];
        epilogue_run(w->v.epilogue, call->kernel, product, first, (end - r->first * WINOGRAD_OUT) * line);
    }
}

static void multiply_planes(const struct winograd_call *call, float *scratch, int64_t n_tiles)
{
    const struct winograd *w = call->w;
    const float *filters = (const float *)call->kernel->workspace + w->filters;
    int64_t no_offset = 0;
    for (int64_t i = 0; i < WINOGRAD_PLANES; i++)
        call->device->conv->product(&(struct product){.a = scratch + i * w->v_plane,
                                                      .b = filters + i * w->u_plane,
                                                      .y = scratch + w->m_at + i * w->m_plane,
                                                      .taps = &no_offset,
                                                      .n_taps = 1,
                                                      .depth = w->c,
                                                      .lines = 1,
                                                      .rows = n_tiles,
                                                      .columns = w->o_wide,
                                                      .a_row = w->c_wide,
                                                      .y_row = w->o_wide,
                                                      .panel = w->panel});
}

static void block(const struct winograd_call *call, int64_t number, float *scratch)
{
    const struct winograd *w = call->w;
    int64_t first = number * w->block_rows, end = first + w->block_rows < w->rows ? first + w->block_rows : w->rows,
            tile = 0;
    for (int64_t row = first; row < end;) {
        struct run r = run_at(w, row, end, tile);
        transform_source(call, &r, scratch);
        row += r.rows;
        tile += r.rows * w->tiles[1];
    }
    multiply_planes(call, scratch, tile);
    tile = 0;
    for (int64_t row = first; row < end;) {
        struct run r = run_at(w, row, end, tile);
        transform_back(call, &r, scratch);
        row += r.rows;
        tile += r.rows * w->tiles[1];
    }
}

static void block_slice(void *context, int slice)
{
    const struct winograd_call *call = context;
    const struct winograd *w = call->w;
    int number = conv_scratch_take(call->scratch);
    float *scratch = (float *)call->kernel->workspace + w->scratch + number * w->scratch_floats;
    int64_t end = slice_begin(w->blocks, w->n_slices, slice + 1);
    for (int64_t b = slice_begin(w->blocks, w->n_slices, slice); b < end; b++)
        block(call, b, scratch);
    conv_scratch_give(call->scratch, number);
}

/* W[tap][c][o] -> [8 - tap][o][c], a tap a slice */
static void turn_slice(void *context, int slice)
{
    const struct winograd_call *call = context;
    const struct winograd *w = call->w;
    const float *from = (const float *)call->kernel->in[1] + slice * w->c * w->o;
    float *to = (float *)call->kernel->workspace + w->turned + (8 - slice) * w->c * w->o;
    for (int64_t i = 0; i < w->c; i++)
        for (int64_t j = 0; j < w->o; j++)
            to[i * w->o + j] = from[j * w->c + i];
}

/* Filters of channel c, to [plane][panel][c][column of the panel] */
static void filter_channel(const struct winograd_call *call, int64_t c)
{
    const struct winograd *w = call->w;
    const float *weights = w->turned >= 0 ? (const float *)call->kernel->workspace + w->turned : call->kernel->in[1];
    float *u = (float *)call->kernel->workspace + w->filters;
    for (int64_t j = 0; j < w->o; j += w->panel)
        call->device->winograd->filter(u + j * w->c + c * w->panel, w->u_plane, weights + c * w->o + j, w->c * w->o,
                                       w->o - j < w->panel ? w->o - j : w->panel);
}

enum { FILTER_SLICES = 8, FEW_FILTERS = 1024 }; /* few: transformed before another thread has come */

static void filter_slice(void *context, int slice)
{
    const struct winograd_call *call = context;
    int64_t end = slice_begin(call->w->c, FILTER_SLICES, slice + 1);
    for (int64_t c = slice_begin(call->w->c, FILTER_SLICES, slice); c < end; c++)
        filter_channel(call, c);
}

static void run_winograd(const struct kernel *kernel, struct device *device)
{
    const struct winograd *w = kernel->prepared;
    struct conv_scratch scratch = {0};
    struct winograd_call call = {kernel, w, device, &scratch};
    bool few = w->c * w->o <= FEW_FILTERS;
    if (w->turned >= 0)
        conv_run_slices(device->threads, turn_slice, &call, 9, few);
    conv_run_slices(device->threads, filter_slice, &call, FILTER_SLICES, few);
    threads_run(device->threads, block_slice, &call, w->n_slices);
}

/* A slice has at least `grain` multiply-adds. */
static int slices_of(const struct winograd *w, int64_t grain, int most)
{
    most = w->blocks < most ? (int)w->blocks : most;
    return slices_for(w->rows * w->tiles[1] * WINOGRAD_PLANES * w->c * w->o, grain, most);
}

static void finish(struct kernel *kernel, const struct device *device, struct winograd *w, bool gradient)
{
    int64_t floats = round_up(WINOGRAD_PLANES * w->u_plane, 16);
    w->turned = gradient ? floats : -1;
    floats += gradient ? round_up(9 * w->c * w->o, 16) : 0;
    w->n_slices = slices_of(w, 1 << 17, CONV_SLICES);
    w->product = place_scratch(w, device, floats);
    floats = w->product + (w->v.product_apart ? shape_elements(kernel->node->outputs[0]->shape) : 0);
    kernel->workspace_bytes = (size_t)floats * sizeof(float);
    kernel->prepared = w;
    kernel->run = run_winograd;
    kernel->variant = "winograd";
}

void winograd_prepare(struct device *device, struct kernel *kernel, struct arena *arena, const struct conv *v)
{
    finish(kernel, device, winograd_new(arena, device, v, false), false);
}

void winograd_prepare_dx(struct device *device, struct kernel *kernel, struct arena *arena, const struct conv *v)
{
    finish(kernel, device, winograd_new(arena, device, v, true), true);
}

/* dW: inputs X, dY */
static void transform_dy(const struct winograd_call *call, const struct run *r, float *scratch)
{
    const struct winograd *w = call->w;
    const float *image = (const float *)call->kernel->in[1] + r->image * w->out[0] * w->out[1] * w->o;
    float *m = scratch + w->m_at + r->tile * w->o_wide;
    for (int64_t i = 0; i < r->rows; i++)
        for (int64_t j = 0; j < w->tiles[1]; j++, m += w->o_wide) {
            struct winograd_tile tile =
                tile_at((r->first + i) * WINOGRAD_OUT, j * WINOGRAD_OUT, w->out[0], w->out[1], w->o);
            call->device->winograd->output_gradient(m, w->m_plane, image, &tile);
        }
}

static void dw_block(const struct winograd_call *call, int64_t number, float *scratch, float *partial)
{
    const struct winograd *w = call->w;
    int64_t first = number * w->block_rows, end = first + w->block_rows < w->rows ? first + w->block_rows : w->rows,
            tile = 0;
    for (int64_t row = first; row < end;) {
        struct run r = run_at(w, row, end, tile);
        transform_source(call, &r, scratch);
        transform_dy(call, &r, scratch);
        row += r.rows;
        tile += r.rows * w->tiles[1];
    }
    for (int64_t i = 0; i < WINOGRAD_PLANES; i++)
        call->device->conv->outer(&(struct outer){.a = scratch + i * w->v_plane,
                                                  .b = scratch + w->m_at + i * w->m_plane,
                                                  .y = partial + i * w->u_plane,
                                                  .lines = 1,
                                                  .steps = tile,
                                                  .rows = w->c,
                                                  .columns = round_up(w->o, call->device->conv->lanes),
                                                  .a_step = w->c_wide,
                                                  .b_step = w->o_wide,
                                                  .y_row = w->o_wide});
}

static void dw_slice(void *context, int slice)
{
    const struct winograd_call *call = context;
    const struct winograd *w = call->w;
    int number = conv_scratch_take(call->scratch);
    float *scratch = (float *)call->kernel->workspace + w->scratch + number * w->scratch_floats;
    float *partial = (float *)call->kernel->workspace + w->partial + slice * w->partial_floats;
    memset(partial, 0, (size_t)w->partial_floats * sizeof *partial);
    int64_t end = slice_begin(w->blocks, w->n_slices, slice + 1);
    for (int64_t b = slice_begin(w->blocks, w->n_slices, slice); b < end; b++)
        dw_block(call, b, scratch, partial);
    conv_scratch_give(call->scratch, number);
}

/* Channels of one slice: the sums of all others added in order, then transformed back. */
static void dw_back_slice(void *context, int slice)
{
    const struct winograd_call *call = context;
    const struct winograd *w = call->w;
    float *partial = (float *)call->kernel->workspace + w->partial;
    float *dw = w->v.epilogue ? (float *)call->kernel->workspace + w->product : call->kernel->out[0];
    int64_t first = slice_begin(w->c, FILTER_SLICES, slice), end = slice_begin(w->c, FILTER_SLICES, slice + 1);
    for (int64_t i = 0; i < WINOGRAD_PLANES; i++)
        for (int k = 1; k < w->n_slices; k++)
            call->device->rows->add_into(partial + i * w->u_plane + first * w->o_wide,
                                         partial + k * w->partial_floats + i * w->u_plane + first * w->o_wide,
                                         (end - first) * w->o_wide);
    for (int64_t c = first; c < end; c++)
        call->device->winograd->filter_gradient(dw + c * w->o, w->c * w->o, partial + c * w->o_wide, w->u_plane, w->o);
}

static void run_winograd_dw(const struct kernel *kernel, struct device *device)
{
    const struct winograd *w = kernel->prepared;
    struct conv_scratch scratch = {0};
    struct winograd_call call = {kernel, w, device, &scratch};
    threads_run(device->threads, dw_slice, &call, w->n_slices);
    threads_run(device->threads, dw_back_slice, &call, FILTER_SLICES);
    if (w->v.epilogue)
        epilogue_run(w->v.epilogue, kernel, (const float *)kernel->workspace + w->product, 0, 9 * w->c * w->o);
}

void winograd_prepare_dw(struct device *device, struct kernel *kernel, struct arena *arena, const struct conv *v)
{
    struct winograd *w = winograd_new(arena, device, v, false);
    if (WINOGRAD_PLANES * w->u_plane >
        PARTIAL_FLOATS_MAX) { /* sums of that size per slice would not stay in any cache */
        direct_prepare_dw(device, kernel, arena, v);
        return;
    }
    w->n_slices = slices_of(w, 1 << 19, CONV_PARTIALS);
    w->partial = place_scratch(w, device, 0);
    w->partial_floats = WINOGRAD_PLANES * w->u_plane;
    w->product = w->partial + w->n_slices * w->partial_floats;
    kernel->workspace_bytes = (size_t)(w->product + (v->epilogue ? 9 * w->c * w->o : 0)) * sizeof(float);
    kernel->prepared = w;
    kernel->run = run_winograd_dw;
    kernel->variant = "winograd";
}
