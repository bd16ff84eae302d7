/* pool_kernels.c - see pool_kernels.h. Compiled once per instruction set; POOL_KERNELS_TABLE names the table. */
#include "engine/cpu/pool_kernels.h"
#include "engine/cpu/vectors.h"

typedef int32_t ivec __attribute__((vector_size(LANES * 4)));

INLINE vec choose(ivec mask, vec yes, vec no)
{
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

/* Larger than the best so far, or the first NaN. */
INLINE ivec better(vec x, vec best)
{
    return (x > best) | ((x != x) & (best == best));
}

static void max(const struct pool_line *line, float *y, const float *x)
{
    for (int64_t p = 0; p < line->pixels; p++, x += line->step, y += line->channels)
        for (int64_t c = 0; c < line->channels; c += LANES) {
            int64_t n = line->channels - c;
            vec best = vec_load_part(x + line->offset[0] + c, n);
            for (int64_t k = 1; k < line->n; k++) {
                vec one = vec_load_part(x + line->offset[k] + c, n);
                best = choose(better(one, best), one, best);
            }
            vec_store_part(y + c, best, n);
        }
}

static void average(const struct pool_line *line, float *y, const float *x)
{
    vec share = vec_all(1 / (float)line->n);
    for (int64_t p = 0; p < line->pixels; p++, x += line->step, y += line->channels)
        for (int64_t c = 0; c < line->channels; c += LANES) {
            int64_t n = line->channels - c;
            vec sum = vec_load_part(x + line->offset[0] + c, n);
            for (int64_t k = 1; k < line->n; k++)
                sum += vec_load_part(x + line->offset[k] + c, n);
            vec_store_part(y + c, sum * share, n);
        }
}

INLINE void give(float *dx, vec value, int64_t n, bool add)
{
    vec_store_part(dx, add ? vec_load_part(dx, n) + value : value, n);
}

static void max_gradient(const struct pool_line *line, float *dx, const float *x, const float *dy, bool add)
{
    for (int64_t p = 0; p < line->pixels; p++, x += line->step, dx += line->step, dy += line->channels)
        for (int64_t c = 0; c < line->channels; c += LANES) {
            int64_t n = line->channels - c;
            vec best = vec_load_part(x + line->offset[0] + c, n), d = vec_load_part(dy + c, n);
            ivec where = {0};
            for (int64_t k = 1; k < line->n; k++) {
                vec one = vec_load_part(x + line->offset[k] + c, n);
                ivec mask = better(one, best), here = (ivec){0} + (int32_t)k;
                best = choose(mask, one, best);
                where = (mask & here) | (~mask & where);
            }
            for (int64_t k = 0; k < line->n; k++)
                give(dx + line->offset[k] + c, choose(where == (ivec){0} + (int32_t)k, d, (vec){0}), n, add);
        }
}

static void average_gradient(const struct pool_line *line, float *dx, const float *dy, bool add)
{
    vec share = vec_all(1 / (float)line->n);
    for (int64_t p = 0; p < line->pixels; p++, dx += line->step, dy += line->channels)
        for (int64_t c = 0; c < line->channels; c += LANES) {
            int64_t n = line->channels - c;
            vec d = vec_load_part(dy + c, n) * share;
            for (int64_t k = 0; k < line->n; k++)
                give(dx + line->offset[k] + c, d, n, add);
        }
}

extern const struct pool_kernels POOL_KERNELS_TABLE;
const struct pool_kernels POOL_KERNELS_TABLE = {
    .max = max,
    .average = average,
    .max_gradient = max_gradient,
    .average_gradient = average_gradient,
};
