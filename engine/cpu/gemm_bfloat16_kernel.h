/* gemm_bfloat16_kernel.h - the innermost part of bfloat16 products. Only gemm_bfloat16.c and
 * conv_bfloat16.c include this.
 *
 * Operands are packed in blocks of 1 KiB: 16 lines (rows of the left operand, columns of the right one) times 32 steps
 * of k, zeros behind the last line and the last step. A left block holds one line behind the other; a right block 16
 * pairs of steps, each with all 16 lines side by side. Both are what a tile register of AMX holds and what the
 * dot products of AVX512_BF16 read. The blocks of one group of 16 lines stand behind each other in order of k.
 */
#ifndef ENGINE_CPU_GEMM_BFLOAT16_KERNEL_H
#define ENGINE_CPU_GEMM_BFLOAT16_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

enum { BLOCK_LINES = 16, BLOCK_STEPS = 32, BLOCK_SIZE = BLOCK_LINES * BLOCK_STEPS };

struct bfloat16_tile {
    const uint16_t *left[2], *right[2]; /* two groups of each; the second is NULL where there is none */
    int64_t blocks;
    float *c; /* C = or += left right, in float32, then rounded to bfloat16 if `rounds` */
    int64_t ldc;
    int rows, columns; /* of C, up to 32: nothing else is read or written */
    bool adds, rounds;
};

struct bfloat16_kernels {
    const char *name;
    /* One block from float32, rounded to the nearest even: `lines` (1 .. 16) lines and `steps` (1 .. 32) steps of k.
     * along_k: element (line, k) lies at from[line * ld + k], else at from[k * ld + line]. */
    void (*pack_left)(uint16_t *block, const float *from, int64_t ld, bool along_k, int lines, int steps);
    void (*pack_right)(uint16_t *block, const float *from, int64_t ld, bool along_k, int lines, int steps);
    /* Left blocks from lines that lie anywhere: line i at lines[i] + offset; and from steps that lie anywhere: step k
     * of all lines at steps[k] + offset. As many pointers as the block has lines (steps). */
    void (*pack_lines)(uint16_t *block, const float *const *from, int64_t offset, int lines, int steps);
    void (*pack_steps)(uint16_t *block, const float *const *from, int64_t offset, int lines, int steps);
    /* Around all tiles of a thread's work. */
    void (*begin)(void);
    void (*end)(void);
    void (*tile)(const struct bfloat16_tile *tile);
};

/* Those of gemm_bfloat16_choose; NULL when there are none. */
const struct bfloat16_kernels *gemm_bfloat16_kernels(void);

extern const struct bfloat16_kernels bfloat16_kernels_amx, bfloat16_kernels_avx512;

#endif
