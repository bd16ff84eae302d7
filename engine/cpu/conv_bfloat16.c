/* conv_bfloat16.c - see conv_bfloat16.h */
#include "engine/cpu/conv_bfloat16.h"
#include "engine/cpu/gemm_bfloat16_kernel.h"
#include "engine/cpu/scratch.h"

#include <string.h>

enum { STRIP = 2 * BLOCK_LINES, BLOCKS_MAX = 256, DY_BLOCKS_MAX = 512 };

/* The left operand, and dw's right one. */
struct buffers {
    _Alignas(64) uint16_t left[2 * BLOCKS_MAX * BLOCK_SIZE], dy[DY_BLOCKS_MAX * BLOCK_SIZE];
};

static struct buffers *own_buffers(void)
{
    return thread_scratch(SCRATCH_CONV_BFLOAT16, sizeof(struct buffers));
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t blocks_of(int64_t steps)
{
    return (steps + BLOCK_STEPS - 1) / BLOCK_STEPS;
}

static int64_t blocks_of_patch(const struct pass *p)
{
    return p->n_taps * blocks_of(p->depth);
}

bool conv_bfloat16_fits(const struct pass *p, bool dw)
{
    int64_t unit = blocks_of(p->band * p->grid[2]), columns = (p->group_out + BLOCK_LINES - 1) / BLOCK_LINES;
    return dw ? unit <= BLOCKS_MAX && unit * columns <= DY_BLOCKS_MAX : blocks_of_patch(p) <= BLOCKS_MAX;
}

void conv_bfloat16_panels(struct pass *p)
{
    p->panel = STRIP;
    p->panel_floats = blocks_of_patch(p) * 2 * BLOCK_SIZE / 2;
}

/* Step k of a run: its row of W, or of W^T, for 16 columns. */
static void weights_of_step(float *to, const struct pass *p, const struct conv *v, const float *w, int64_t tap,
                            int64_t k, int64_t group, int64_t first, int64_t n)
{
    int64_t cg = v->c / v->groups, og = v->o / v->groups, i = k % p->group_in;
    const float *at = w + p->kernel_of[tap * p->merged + k / p->group_in] * cg * v->o + group * og;
    for (int64_t j = 0; j < n; j++)
        to[j] = p->transposed ? at[(first + j) * v->o + i] : at[i * v->o + first + j];
}

void conv_bfloat16_pack(float *panel, const struct pass *p, const struct conv *v, const float *w, int64_t group,
                        int64_t first, int64_t n)
{
    uint16_t *block = (uint16_t *)panel;
    for (int64_t column = 0; column < n; column += BLOCK_LINES)
        for (int64_t tap = 0; tap < p->n_taps; tap++)
            for (int64_t k = 0; k < p->depth; k += BLOCK_STEPS, block += BLOCK_SIZE) {
                float part[BLOCK_STEPS][BLOCK_LINES];
                int64_t steps = least(p->depth - k, BLOCK_STEPS), lines = least(n - column, BLOCK_LINES);
                for (int64_t i = 0; i < steps; i++)
                    weights_of_step(part[i], p, v, w, tap, k + i, group, first + column, lines);
                gemm_bfloat16_kernels()->pack_right(block, part[0], BLOCK_LINES, false, (int)lines, (int)steps);
            }
}

/* Where positions [first, first + n) of a unit read. */
static void find_positions(const struct pass *p, const float *x, int64_t first, int64_t n, const float **at)
{
    for (int64_t i = first; i < first + n; i++)
        *at++ = x + i / p->grid[2] * p->step[1] * p->line + i % p->grid[2] * p->step[2] * p->channels;
}

/* The patches of up to 32 positions. */
static void gather_patches(const struct pass *p, const float *x, int64_t first, int n, uint16_t *block)
{
    const float *at[STRIP];
    find_positions(p, x, first, n, at);
    for (int line = 0; line < n; line += BLOCK_LINES)
        for (int64_t tap = 0; tap < p->n_taps; tap++)
            for (int64_t k = 0; k < p->depth; k += BLOCK_STEPS, block += BLOCK_SIZE)
                gemm_bfloat16_kernels()->pack_lines(block, at + line, p->taps[tap] + k,
                                                    (int)least(n - line, BLOCK_LINES),
                                                    (int)least(p->depth - k, BLOCK_STEPS));
}

/* The left operand's rows times `columns` columns, whose groups lie behind each other. */
static void run_tiles(const uint16_t *left, const uint16_t *right, int64_t blocks, float *c, int64_t ldc, int rows,
                      int64_t columns, bool adds)
{
    struct bfloat16_tile t = {.blocks = blocks, .ldc = ldc, .rows = rows, .adds = adds};
    t.left[0] = left;
    t.left[1] = rows > BLOCK_LINES ? left + blocks * BLOCK_SIZE : NULL;
    for (int64_t column = 0; column < columns; column += STRIP) {
        t.c = c + column;
        t.columns = (int)least(columns - column, STRIP);
        t.right[0] = right + column / BLOCK_LINES * blocks * BLOCK_SIZE;
        t.right[1] = t.columns > BLOCK_LINES ? t.right[0] + blocks * BLOCK_SIZE : NULL;
        gemm_bfloat16_kernels()->tile(&t);
    }
}

void conv_bfloat16_product(const struct pass *p, const float *x, float *y, int64_t lines, const float *panels)
{
    int64_t row = p->out_step[2] * p->out_channels, line = p->out_step[1] * p->out[2] * p->out_channels;
    /* positions that are evenly apart in y */
    int64_t together = line == p->grid[2] * row ? lines * p->grid[2] : p->grid[2];
    uint16_t *left = own_buffers()->left;
    gemm_bfloat16_kernels()->begin();
    for (int64_t first = 0; first < lines * p->grid[2]; first += together)
        for (int64_t i = 0; i < together; i += STRIP) {
            int n = (int)least(together - i, STRIP);
            gather_patches(p, x, first + i, n, left);
            run_tiles(left, (const uint16_t *)panels, blocks_of_patch(p), y + first / p->grid[2] * line + i * row, row,
                      n, p->group_out, false);
        }
    gemm_bfloat16_kernels()->end();
}

/* Channels [first, first + n) of a run at all positions of a unit: n is at most 32. */
static void gather_channels(const float *const *at, int64_t positions, int64_t offset, int n, uint16_t *block)
{
    for (int line = 0; line < n; line += BLOCK_LINES)
        for (int64_t k = 0; k < positions; k += BLOCK_STEPS, block += BLOCK_SIZE)
            gemm_bfloat16_kernels()->pack_steps(block, at + k, offset + line, (int)least(n - line, BLOCK_LINES),
                                                (int)least(positions - k, BLOCK_STEPS));
}

static void pack_dy(const float *dy, int64_t dy_row, int64_t positions, int64_t columns, uint16_t *block)
{
    for (int64_t column = 0; column < columns; column += BLOCK_LINES)
        for (int64_t k = 0; k < positions; k += BLOCK_STEPS, block += BLOCK_SIZE)
            gemm_bfloat16_kernels()->pack_right(block, dy + k * dy_row + column, dy_row, false,
                                                (int)least(columns - column, BLOCK_LINES),
                                                (int)least(positions - k, BLOCK_STEPS));
}

void conv_bfloat16_outer(const struct pass *p, const float *x, const float *dy, int64_t dy_row, int64_t lines,
                         float *sum, int64_t width)
{
    const float *at[BLOCKS_MAX * BLOCK_STEPS];
    int64_t positions = lines * p->grid[2];
    struct buffers *b = own_buffers();
    find_positions(p, x, 0, positions, at);
    pack_dy(dy, dy_row, positions, p->group_out, b->dy);
    gemm_bfloat16_kernels()->begin();
    for (int64_t tap = 0; tap < p->n_taps; tap++)
        for (int64_t k = 0; k < p->depth; k += STRIP) {
            int n = (int)least(p->depth - k, STRIP);
            gather_channels(at, positions, p->taps[tap] + k, n, b->left);
            run_tiles(b->left, b->dy, blocks_of(positions),
                      sum + (p->kernel_of[tap * p->merged] * p->group_in + k) * width, width, n, p->group_out, true);
        }
    gemm_bfloat16_kernels()->end();
}
