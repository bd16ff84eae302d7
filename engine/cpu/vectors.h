/* vectors.h - vectors of the instruction set that a file is compiled for, and loads and stores of part of one. */
#ifndef ENGINE_CPU_VECTORS_H
#define ENGINE_CPU_VECTORS_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
enum { LANES = 16, ACCUMULATORS = 28 };
#elif defined(__AVX__)
enum { LANES = 8, ACCUMULATORS = 12 };
#else
enum { LANES = 4, ACCUMULATORS = 12 };
#endif

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef float vec_at __attribute__((vector_size(LANES * 4), aligned(4), may_alias)); /* anywhere in memory */

#define INLINE static inline __attribute__((always_inline))

INLINE vec vec_load(const float *p)
{
    return *(const vec_at *)p;
}

INLINE void vec_store(float *p, vec v)
{
    *(vec_at *)p = v;
}

INLINE vec vec_all(float x)
{
    return x - (vec){0};
}

/* The first n floats; zeros behind them. */
INLINE vec vec_load_part(const float *p, int64_t n)
{
    if (n >= LANES)
        return vec_load(p);
    float part[LANES] = {0};
    for (int64_t i = 0; i < n; i++)
        part[i] = p[i];
    return vec_load(part);
}

INLINE void vec_store_part(float *p, vec v, int64_t n)
{
    if (n >= LANES) {
        vec_store(p, v);
        return;
    }
    float part[LANES];
    vec_store(part, v);
    for (int64_t i = 0; i < n; i++)
        p[i] = part[i];
}

#endif
