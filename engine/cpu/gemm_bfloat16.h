/* gemm_bfloat16.h - matrix products of bfloat16 numbers that lie in memory as float32: by AMX or AVX512_BF16.
 *
 * Operands are rounded to bfloat16 (nearest even) while they are packed, sums are float32, and the result is
 * rounded to bfloat16 before it is stored or handed to `finish` where that is asked for. Where the processor has
 * neither instruction set there is nothing here to call: such products are float32 ones of rounded operands (struct
 * backend, bfloat16_products).
 *
 * An element of C is one chain of additions in order of k, however C was cut. NaN and infinity travel.
 *
 *     gemm_bfloat16_pack_right(panels, &g, 0, g.n);   what all slices share, once (or in parts, by several threads)
 *     g.m = 64; g.a += ...; g.c += ...;
 *     gemm_bfloat16_run(&g, NULL, panels, true);      the other operand is packed on the way, a piece at a time
 */
#ifndef ENGINE_CPU_GEMM_BFLOAT16_H
#define ENGINE_CPU_GEMM_BFLOAT16_H

#include "engine/cpu/gemm.h"

/* Chooses the kernels once, before there are threads: the best this process may use where `level` (rows_choose) is
 * "avx512"; `wanted` ("AMX", "AVX512_BF16") asks for one of them, NULL for any that pays: the dot products of Intel's
 * processors are no faster than their float32 ones. */
void gemm_bfloat16_choose(const char *level, const char *wanted);
/* "AMX" or "AVX512_BF16"; NULL when there is neither. */
const char *gemm_bfloat16_name(void);

/* Rows or columns that are cut for slices come in multiples of this. */
enum { GEMM_BFLOAT16_LINES = 32 };
/* Size of a packed operand of so many rows (left) or columns (right). */
size_t gemm_bfloat16_packed_bytes(int64_t lines, int64_t k);
/* Packs rows (columns) [first, first + count) of op(A) (of op(B)) into the panels of the whole operand, which are
 * 64-byte aligned: first is a multiple of 32, and so is count unless these are the last ones. */
void gemm_bfloat16_pack_left(uint16_t *panels, const struct gemm *g, int64_t first, int64_t count);
void gemm_bfloat16_pack_right(uint16_t *panels, const struct gemm *g, int64_t first, int64_t count);
/* C = op(A) op(B) + beta C, rounded or not; alpha is taken as 1, beta is 0 or 1. left, right: the packed operand, for
 * all of C's rows (columns); NULL: g->a (g->b) is packed on the way. `finish` is called as in struct gemm; c may be
 * NULL where gemm_bfloat16_can_stream(g). */
void gemm_bfloat16_run(const struct gemm *g, const uint16_t *left, const uint16_t *right, bool rounds);
bool gemm_bfloat16_can_stream(const struct gemm *g);
#endif
