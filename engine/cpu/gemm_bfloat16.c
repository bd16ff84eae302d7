/* gemm_bfloat16.c - see gemm_bfloat16.h. The loops around the tiles of gemm_bfloat16_kernel.c: blocks of k, pieces of
 * the operand that is packed on the way, pieces of the other one, strips of 32 rows, pairs of groups of columns. */
#include "engine/cpu/gemm_bfloat16.h"
#include "engine/cpu/gemm_bfloat16_kernel.h"
#include "engine/cpu/scratch.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    PIECE_SIZE = 256 * 1024, /* numbers of a piece: a quarter of an L2 cache of 2 MB */
    K_BLOCK = 4096,
    PIECE_ROWS = 128,
    PIECE_COLUMNS = 512,
    STRIP = GEMM_BFLOAT16_LINES
};

static const struct bfloat16_kernels *kernels;

/* One thread's pieces, and the strip of a product that is not stored. */
struct buffers {
    _Alignas(64) uint16_t left_piece[PIECE_SIZE], right_piece[PIECE_SIZE];
    _Alignas(64) float streamed_strip[STRIP * PIECE_COLUMNS];
};

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Numbers from one group of lines to the next. */
static int64_t group_size(int64_t k)
{
    return divide_up(k, BLOCK_STEPS) * BLOCK_SIZE;
}

size_t gemm_bfloat16_packed_bytes(int64_t lines, int64_t k)
{
    return (size_t)divide_up(lines, BLOCK_LINES) * (size_t)group_size(k) * sizeof(uint16_t);
}

/* `count` lines of k steps. Memory is read in its own order: across the groups for each block of k. */
static void pack(uint16_t *panels, const float *from, int64_t ld, bool left, bool along_k, int64_t count, int64_t k)
{
    for (int64_t step = 0; step < k; step += BLOCK_STEPS)
        for (int64_t line = 0; line < count; line += BLOCK_LINES) {
            uint16_t *block = panels + line / BLOCK_LINES * group_size(k) + step / BLOCK_STEPS * BLOCK_SIZE;
            const float *first = along_k ? from + line * ld + step : from + step * ld + line;
            (left ? kernels->pack_left : kernels->pack_right)(
                block, first, ld, along_k, (int)least(count - line, BLOCK_LINES), (int)least(k - step, BLOCK_STEPS));
        }
}

static void pack_part_left(uint16_t *panels, const struct gemm *g, int64_t first, int64_t count, int64_t k_first,
                           int64_t k)
{
    const float *from = g->transpose_a ? g->a + k_first * g->lda + first : g->a + first * g->lda + k_first;
    pack(panels, from, g->lda, true, !g->transpose_a, count, k);
}

static void pack_part_right(uint16_t *panels, const struct gemm *g, int64_t first, int64_t count, int64_t k_first,
                            int64_t k)
{
    const float *from = g->transpose_b ? g->b + first * g->ldb + k_first : g->b + k_first * g->ldb + first;
    pack(panels, from, g->ldb, false, g->transpose_b, count, k);
}

void gemm_bfloat16_pack_left(uint16_t *panels, const struct gemm *g, int64_t first, int64_t count)
{
    pack_part_left(panels + first / BLOCK_LINES * group_size(g->k), g, first, count, 0, g->k);
}

void gemm_bfloat16_pack_right(uint16_t *panels, const struct gemm *g, int64_t first, int64_t count)
{
    pack_part_right(panels + first / BLOCK_LINES * group_size(g->k), g, first, count, 0, g->k);
}

/* A product with one block of k, and where its packed operands are. */
struct work {
    const struct gemm *g;
    const uint16_t *left, *right; /* NULL: packed on the way */
    int64_t k_first, k;
    bool last, rounds;
    struct buffers *buffers;
};

/* Lines [line, line + count), packed: where their groups begin and how far apart they are. */
struct piece {
    int64_t line, count, group;
    const uint16_t *blocks;
};

static struct piece shared_piece(const uint16_t *panels, const struct work *w, int64_t line, int64_t count)
{
    struct piece p = {.line = line, .count = count, .group = group_size(w->g->k)};
    p.blocks = panels + line / BLOCK_LINES * p.group + w->k_first / BLOCK_STEPS * BLOCK_SIZE;
    return p;
}

static struct piece left_at(const struct work *w, int64_t row, int64_t count)
{
    if (w->left)
        return shared_piece(w->left, w, row, count);
    pack_part_left(w->buffers->left_piece, w->g, row, count, w->k_first, w->k);
    return (struct piece){row, count, group_size(w->k), w->buffers->left_piece};
}

static struct piece right_at(const struct work *w, int64_t column, int64_t count)
{
    if (w->right)
        return shared_piece(w->right, w, column, count);
    pack_part_right(w->buffers->right_piece, w->g, column, count, w->k_first, w->k);
    return (struct piece){column, count, group_size(w->k), w->buffers->right_piece};
}

/* Two groups of a piece from line `at` on. */
static void point_to(const struct piece *p, int64_t at, const uint16_t *groups[2])
{
    groups[0] = p->blocks + at / BLOCK_LINES * p->group;
    groups[1] = p->count - at > BLOCK_LINES ? groups[0] + p->group : NULL;
}

/* Rows [row, row + STRIP) of the left piece times the right piece. */
static void run_strip(const struct work *w, const struct piece *left, const struct piece *right, int64_t row)
{
    const struct gemm *g = w->g;
    struct bfloat16_tile t = {
        .blocks = divide_up(w->k, BLOCK_STEPS), .adds = w->k_first > 0 || g->beta != 0, .rounds = w->rounds};
    float *c = g->c ? g->c + (left->line + row) * g->ldc + right->line : w->buffers->streamed_strip;
    t.ldc = g->c ? g->ldc : right->count;
    t.rows = (int)least(left->count - row, STRIP);
    point_to(left, row, t.left);
    for (int64_t column = 0; column < right->count; column += STRIP) {
        t.columns = (int)least(right->count - column, STRIP);
        t.c = c + column;
        point_to(right, column, t.right);
        kernels->tile(&t);
    }
    if (w->last && g->finish)
        g->finish(g->context, c, t.ldc, left->line + row, right->line, t.rows, right->count);
}

static void run_pieces(const struct work *w, const struct piece *left, const struct piece *right)
{
    for (int64_t row = 0; row < left->count; row += STRIP)
        run_strip(w, left, right, row);
}

static int64_t piece_lines(int64_t k, int64_t most)
{
    return least(PIECE_SIZE / group_size(k) * BLOCK_LINES / STRIP * STRIP, most);
}

/* What is packed on the way is packed once where the other operand is shared. */
static void run_block(const struct work *w)
{
    int64_t rows = w->left ? w->g->m : piece_lines(w->k, PIECE_ROWS), columns = piece_lines(w->k, PIECE_COLUMNS);
    if (w->right) {
        columns = PIECE_COLUMNS;
        for (int64_t row = 0; row < w->g->m; row += rows) {
            struct piece left = left_at(w, row, least(w->g->m - row, rows));
            for (int64_t column = 0; column < w->g->n; column += columns) {
                struct piece right = right_at(w, column, least(w->g->n - column, columns));
                run_pieces(w, &left, &right);
            }
        }
        return;
    }
    for (int64_t column = 0; column < w->g->n; column += columns) {
        struct piece right = right_at(w, column, least(w->g->n - column, columns));
        for (int64_t row = 0; row < w->g->m; row += rows) {
            struct piece left = left_at(w, row, least(w->g->m - row, rows));
            run_pieces(w, &left, &right);
        }
    }
}

void gemm_bfloat16_run(const struct gemm *g, const uint16_t *left, const uint16_t *right, bool rounds)
{
    if (g->m == 0 || g->n == 0)
        return;
    kernels->begin();
    for (int64_t k = 0; k < g->k; k += K_BLOCK) {
        struct work w = {.g = g, .left = left, .right = right, .k_first = k, .k = least(g->k - k, K_BLOCK)};
        w.last = k + w.k == g->k;
        w.rounds = w.last && rounds;
        w.buffers = thread_scratch(SCRATCH_GEMM_BFLOAT16, sizeof *w.buffers);
        run_block(&w);
    }
    kernels->end();
}

bool gemm_bfloat16_can_stream(const struct gemm *g)
{
    return g->k > 0 && g->k <= K_BLOCK;
}

const struct bfloat16_kernels *gemm_bfloat16_kernels(void)
{
    return kernels;
}

const char *gemm_bfloat16_name(void)
{
    return kernels ? kernels->name : NULL;
}

#if defined(__x86_64__)
/* AMX has registers of its own that a process must ask the kernel for. */
static bool may_use_amx(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    unsigned a, b, c, d;
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    bool has_tiles = d >> 24 & 1, has_bfloat16 = d >> 22 & 1;
    return has_tiles && has_bfloat16 && syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

void gemm_bfloat16_choose(const char *level, const char *wanted)
{
    kernels = NULL;
    if (strcmp(level, "avx512") != 0 || !__builtin_cpu_supports("avx512bf16"))
        return;
    bool amx = (!wanted || !strcmp(wanted, bfloat16_kernels_amx.name)) && may_use_amx();
    if (amx)
        kernels = &bfloat16_kernels_amx;
    else if (wanted ? !strcmp(wanted, bfloat16_kernels_avx512.name) : __builtin_cpu_is("amd"))
        kernels = &bfloat16_kernels_avx512;
}
#else
void gemm_bfloat16_choose(const char *level, const char *wanted)
{
    (void)level, (void)wanted;
}
#endif
