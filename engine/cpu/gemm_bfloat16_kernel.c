/* gemm_bfloat16_kernel.c - see gemm_bfloat16_kernel.h. Compiled for AVX-512 with AVX512_BF16 and for AMX; called only
 * where the processor has them. */
#include "engine/cpu/gemm_bfloat16_kernel.h"

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* ---- packing: a block as 16 vectors of 16 pairs ---- */

typedef __m512i block_rows[BLOCK_LINES];

INLINE __mmask16 first_of_16(int n)
{
    return (__mmask16)(n >= 16 ? 0xffff : n <= 0 ? 0 : (1 << n) - 1);
}

/* The lower 16 numbers of the result are those of `low`. */
INLINE __m512i to_bfloat16(__m512 low, __m512 high)
{
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* 32 neighbours. */
INLINE __m512i load_line(const float *from, __mmask16 low, __mmask16 high)
{
    return to_bfloat16(_mm512_maskz_loadu_ps(low, from), _mm512_maskz_loadu_ps(high, from + 16));
}

/* Row i: the 32 steps of line i. */
INLINE void load_lines(block_rows r, const float *from, int64_t ld, int lines, int steps)
{
    __mmask16 low = first_of_16(steps), high = first_of_16(steps - 16);
    for (int i = 0; i < BLOCK_LINES; i++)
        r[i] = i < lines ? load_line(from + i * ld, low, high) : _mm512_setzero_si512();
}

/* 16 numbers of one step and 16 of the next, side by side. */
INLINE __m512i interleaved(__m512 even, __m512 odd)
{
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, to_bfloat16(even, odd));
}

/* Row i: steps 2 i and 2 i + 1 of all lines. */
INLINE void load_pairs(block_rows r, const float *from, int64_t ld, int lines, int steps)
{
    __mmask16 mask = first_of_16(lines);
    for (int i = 0; i < BLOCK_LINES; i++)
        r[i] = interleaved(_mm512_maskz_loadu_ps(2 * i < steps ? mask : 0, from + 2 * i * ld),
                           _mm512_maskz_loadu_ps(2 * i + 1 < steps ? mask : 0, from + (2 * i + 1) * ld));
}

/* 16 x 16 numbers of 32 bits: by pairs, by quarters of a vector, by quarters across vectors. */
INLINE void transpose(block_rows r)
{
    block_rows t;
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        __m512i low_01 = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        __m512i high_01 = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        __m512i low_23 = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        __m512i high_23 = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
        t[i] = _mm512_shuffle_i32x4(low_01, low_23, 0x88);
        t[i + 8] = _mm512_shuffle_i32x4(low_01, low_23, 0xdd);
        t[i + 4] = _mm512_shuffle_i32x4(high_01, high_23, 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(high_01, high_23, 0xdd);
    }
    memcpy(r, t, sizeof t);
}

INLINE void store_block(uint16_t *block, block_rows r)
{
    for (int i = 0; i < BLOCK_LINES; i++)
        _mm512_storeu_si512(block + i * BLOCK_STEPS, r[i]);
}

static void pack_left(uint16_t *block, const float *from, int64_t ld, bool along_k, int lines, int steps)
{
    block_rows r;
    if (along_k) {
        load_lines(r, from, ld, lines, steps);
    } else {
        load_pairs(r, from, ld, lines, steps);
        transpose(r);
    }
    store_block(block, r);
}

static void pack_right(uint16_t *block, const float *from, int64_t ld, bool along_k, int lines, int steps)
{
    block_rows r;
    if (along_k) {
        load_lines(r, from, ld, lines, steps);
        transpose(r);
    } else {
        load_pairs(r, from, ld, lines, steps);
    }
    store_block(block, r);
}

static void pack_lines(uint16_t *block, const float *const *from, int64_t offset, int lines, int steps)
{
    __mmask16 low = first_of_16(steps), high = first_of_16(steps - 16);
    for (int i = 0; i < BLOCK_LINES; i++)
        _mm512_storeu_si512(block + i * BLOCK_STEPS,
                            i < lines ? load_line(from[i] + offset, low, high) : _mm512_setzero_si512());
}

static void pack_steps(uint16_t *block, const float *const *from, int64_t offset, int lines, int steps)
{
    __mmask16 mask = first_of_16(lines);
    block_rows r;
    for (int i = 0; i < BLOCK_LINES; i++) {
        __m512 even = _mm512_setzero_ps(), odd = even;
        if (2 * i < steps)
            even = _mm512_maskz_loadu_ps(mask, from[2 * i] + offset);
        if (2 * i + 1 < steps)
            odd = _mm512_maskz_loadu_ps(mask, from[2 * i + 1] + offset);
        r[i] = interleaved(even, odd);
    }
    transpose(r);
    store_block(block, r);
}

/* ---- storing ---- */

INLINE __m512 rounded(__m512 x)
{
    return (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x)), 16);
}

INLINE void store_row(const struct bfloat16_tile *t, __m512 sum, int row, int column)
{
    float *c = t->c + row * t->ldc + column;
    __mmask16 mask = first_of_16(t->columns - column);
    if (t->adds)
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, c));
    _mm512_mask_storeu_ps(c, mask, t->rounds ? rounded(sum) : sum);
}

/* ---- AMX: 32 x 32 in four tile registers, two more for each operand ---- */

struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
};

/* Static: gcc takes the intrinsic for one that reads 8 bytes. */
static const struct tile_config eight_full_tiles = {
    .palette = 1, .bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

static void amx_begin(void)
{
    _tile_loadconfig(&eight_full_tiles);
}

static void amx_end(void)
{
    _tile_release();
}

INLINE void amx_products(const struct bfloat16_tile *t, bool two_left, bool two_right)
{
    const uint16_t *l0 = t->left[0], *l1 = t->left[1], *r0 = t->right[0], *r1 = t->right[1];
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t i = 0; i < t->blocks * BLOCK_SIZE; i += BLOCK_SIZE) {
        _tile_loadd(4, l0 + i, 64);
        _tile_loadd(6, r0 + i, 64);
        _tile_dpbf16ps(0, 4, 6);
        if (two_right) {
            _tile_loadd(7, r1 + i, 64);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (two_left) {
            _tile_loadd(5, l1 + i, 64);
            _tile_dpbf16ps(2, 5, 6);
        }
        if (two_left && two_right)
            _tile_dpbf16ps(3, 5, 7);
    }
}

INLINE void store_part(const struct bfloat16_tile *t, const float *part, int row, int column)
{
    for (int i = 0; i < 16 && row + i < t->rows; i++)
        store_row(t, _mm512_load_ps(part + 16 * i), row + i, column);
}

static void amx_tile(const struct bfloat16_tile *t)
{
    _Alignas(64) float part[4][16 * 16];
    if (t->left[1] && t->right[1])
        amx_products(t, true, true);
    else if (t->left[1])
        amx_products(t, true, false);
    else if (t->right[1])
        amx_products(t, false, true);
    else
        amx_products(t, false, false);
    _tile_stored(0, part[0], 64);
    _tile_stored(1, part[1], 64);
    _tile_stored(2, part[2], 64);
    _tile_stored(3, part[3], 64);
    store_part(t, part[0], 0, 0);
    if (t->right[1])
        store_part(t, part[1], 0, 16);
    if (t->left[1])
        store_part(t, part[2], 16, 0);
    if (t->left[1] && t->right[1])
        store_part(t, part[3], 16, 16);
}

/* ---- AVX512_BF16: 8 rows of 32 columns in registers ---- */

enum { STRIP_ROWS = 8 };

static void nothing(void)
{
}

INLINE void avx512_strip(const struct bfloat16_tile *t, const uint16_t *left, int row, bool two_right)
{
    __m512 sum[STRIP_ROWS][2];
    for (int i = 0; i < STRIP_ROWS; i++)
        sum[i][0] = sum[i][1] = _mm512_setzero_ps();
    for (int64_t block = 0; block < t->blocks; block++)
        for (int pair = 0; pair < BLOCK_STEPS / 2; pair++) {
            int64_t at = block * BLOCK_SIZE + pair * BLOCK_STEPS;
            __m512bh r0 = (__m512bh)_mm512_loadu_si512(t->right[0] + at), r1 = r0;
            if (two_right)
                r1 = (__m512bh)_mm512_loadu_si512(t->right[1] + at);
            for (int i = 0; i < STRIP_ROWS; i++) {
                int32_t two;
                memcpy(&two, left + block * BLOCK_SIZE + i * BLOCK_STEPS + 2 * pair, sizeof two);
                __m512bh l = (__m512bh)_mm512_set1_epi32(two);
                sum[i][0] = _mm512_dpbf16_ps(sum[i][0], l, r0);
                if (two_right)
                    sum[i][1] = _mm512_dpbf16_ps(sum[i][1], l, r1);
            }
        }
    for (int i = 0; i < STRIP_ROWS && row + i < t->rows; i++) {
        store_row(t, sum[i][0], row + i, 0);
        if (two_right)
            store_row(t, sum[i][1], row + i, 16);
    }
}

static void avx512_tile(const struct bfloat16_tile *t)
{
    for (int row = 0; row < t->rows; row += STRIP_ROWS) {
        const uint16_t *left = t->left[row / BLOCK_LINES] + row % BLOCK_LINES * BLOCK_STEPS;
        if (t->right[1])
            avx512_strip(t, left, row, true);
        else
            avx512_strip(t, left, row, false);
    }
}

const struct bfloat16_kernels bfloat16_kernels_amx = {
    "AMX", pack_left, pack_right, pack_lines, pack_steps, amx_begin, amx_end, amx_tile,
};
const struct bfloat16_kernels bfloat16_kernels_avx512 = {
    "AVX512_BF16", pack_left, pack_right, pack_lines, pack_steps, nothing, nothing, avx512_tile,
};
