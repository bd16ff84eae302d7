/* rows_functions.h - functions of one number, as straight-line code that the compiler vectorizes. Only rows.c includes
 * this.
 *
 * log after FreeBSD's e_logf (relative error below 2e-7). What is made of exp: vector_functions.h.
 */
#ifndef ENGINE_CPU_ROWS_FUNCTIONS_H
#define ENGINE_CPU_ROWS_FUNCTIONS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float bits_to_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t float_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float log_1(float x)
{
    uint32_t bits = float_to_bits(x);
    int32_t e = (int32_t)(bits - 0x3f3504f3u) >> 23;
    float f = bits_to_float(bits - ((uint32_t)e << 23)) - 1.0f, k = (float)e;
    float s = f / (2.0f + f), z = s * s, w = z * z;
    float r = z * (0.66666662693f + w * 0.28498786688f) + w * (0.40000972152f + w * 0.24279078841f);
    float half = 0.5f * f * f;
    float y = s * (half + r) + k * 9.0580006145e-06f - half + f + k * 6.9313812256e-01f;
    y = x < 1.17549435e-38f ? (x < 0 ? NAN : -INFINITY) : y;
    return x < INFINITY ? y : x + x; /* infinity and NaN pass */
}

static inline float log1p_1(float x)
{
    float u = 1.0f + x;
    float y = log_1(u) + (x - (u - 1.0f)) / u;
    return u < INFINITY && u > 0.0f ? y : log_1(u);
}

static inline float round_1(float x)
{
    const float magic = 8388608.0f; /* 2^23: above it every float is whole */
    return fabsf(x) < magic ? copysignf(fabsf(x) + magic - magic, x) : x;
}

static inline float floor_1(float x)
{
    float y = round_1(x);
    return y > x ? y - 1.0f : y;
}

static inline float ceil_1(float x)
{
    float y = round_1(x);
    return copysignf(y < x ? y + 1.0f : y, x);
}

/* See round_to_bfloat16. */
static inline float bfloat16_1(float x)
{
    uint32_t bits = float_to_bits(x);
    float rounded = bits_to_float((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u);
    return x == x ? rounded : x;
}

#endif
