/* rows_functions.h - functions of one number, as straight-line code that the compiler vectorizes. Only rows.c includes
 * this.
 *
 * Polynomials: exp, tanh after Cephes' single-precision ranges, log after FreeBSD's e_logf; erf by own Chebyshev fits
 * (relative error below 2e-7).
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

static inline float power_of_two(int32_t n)
{
    return bits_to_float((uint32_t)(n + 127) << 23);
}

static inline float exp_1(float x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float inside = x > 88.8f ? 88.8f : x < -87.4f ? -87.4f : x;
    float n = inside * 1.44269504f + magic - magic;
    float r = inside - n * 0.693359375f - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t whole = (int32_t)(n == n ? n : 0), half = whole >> 1;
    p = p * power_of_two(half) * power_of_two(whole - half);
    return x > 88.72283f ? INFINITY : x < -87.33654f ? 0.0f : p;
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

static inline float tanh_1(float x)
{
    float z = x * x, a = fabsf(x);
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    float small = p * z * x + x;
    float t = exp_1(-2.0f * a);
    float large = copysignf((1.0f - t) / (1.0f + t), x);
    return a < 0.625f ? small : large;
}

static inline float sigmoid_1(float x)
{
    return 1.0f / (1.0f + exp_1(-x));
}

static inline float erf_1(float x)
{
    float a = fabsf(x), z = x * x;
    float p = 7.8824975e-05f;
    p = p * z - 8.018855e-04f;
    p = p * z + 5.1893121e-03f;
    p = p * z - 2.6854329e-02f;
    p = p * z + 1.12835974e-01f;
    p = p * z - 3.7612626e-01f;
    p = p * z + 1.12837911f;
    float b = a > 4.0f ? 4.0f : a;
    float q = -1.6140616e-06f;
    q = q * b + 4.5590623e-05f;
    q = q * b - 5.9276953e-04f;
    q = q * b + 4.7402224e-03f;
    q = q * b - 2.6364718e-02f;
    q = q * b + 1.0997824e-01f;
    q = q * b + 6.3193709e-01f;
    q = q * b + 1.13016665f;
    q = q * b - 3.0321296e-04f;
    float tail = copysignf(1.0f - exp_1(-q), x);
    return a < 1.0f ? p * x : a == a ? tail : x;
}

/* The normal distribution below x, given its density at x (Abramowitz and Stegun 26.2.17, absolute error 7.5e-8). */
static inline float normal_below(float x, float density)
{
    float t = 1.0f / (1.0f + 0.2316419f * fabsf(x));
    float p = 1.330274429f;
    p = p * t - 1.821255978f;
    p = p * t + 1.781477937f;
    p = p * t - 0.356563782f;
    p = p * t + 0.319381530f;
    float tail = density * p * t;
    return x < 0 ? tail : 1.0f - tail;
}

static inline float gelu_1(float x)
{
    return x * normal_below(x, 0.39894228f * exp_1(-0.5f * x * x));
}

static inline float gelu_slope_1(float x)
{
    float density = 0.39894228f * exp_1(-0.5f * x * x);
    return normal_below(x, density) + x * density;
}

static inline float expm1_1(float x)
{
    float p = 1.9841270e-4f;
    p = p * x + 1.3888889e-3f;
    p = p * x + 8.3333333e-3f;
    p = p * x + 4.1666667e-2f;
    p = p * x + 1.6666667e-1f;
    p = p * x + 0.5f;
    float small = p * x * x + x;
    return fabsf(x) < 0.35f ? small : exp_1(x) - 1.0f;
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
