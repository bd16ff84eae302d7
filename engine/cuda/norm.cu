/* norm.cu - batch and layer normalization, see launches.h */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"

enum { AT_ONCE = 8 }; /* rows that a thread reads before it uses them */

/* Of n numbers: their sum, and the sum of squares of their distances from the mean. */
struct moments {
    float n, sum, squares;
};

__device__ static inline struct moments join(struct moments a, struct moments b)
{
    if (a.n == 0 || b.n == 0)
        return a.n == 0 ? b : a;
    float n = a.n + b.n, distance = b.sum / b.n - a.sum / a.n;
    a.squares += b.squares + distance * distance * (a.n * (b.n / n));
    a.sum += b.sum;
    a.n = n;
    return a;
}

/* Over the threads of a block that are tile apart, as column_combine. */
__device__ static inline struct moments column_moments(int tile, struct moments m)
{
    struct moments all;
    all.n = column_combine(COMBINE_SUM, tile, m.n);
    all.sum = column_combine(COMBINE_SUM, tile, m.sum);
    float distance = m.n > 0 ? m.sum / m.n - all.sum / all.n : 0;
    all.squares = column_combine(COMBINE_SUM, tile, m.squares + m.n * distance * distance);
    return all;
}

__device__ static inline struct moments moments_of_rows(const struct columns *c, struct column_place p, const float *x)
{
    struct moments all = {0, 0, 0};
    for (int64_t r = p.first; r < p.end; r += AT_ONCE * p.step) {
        struct moments some = {0, 0, 0};
        float of_row[AT_ONCE];
        UNROLL
        for (int j = 0; j < AT_ONCE; j++) {
            bool inside = r + j * p.step < p.end;
            of_row[j] = inside ? x[(r + j * p.step) * c->width + p.column] : 0;
            some.n += inside;
            some.sum += of_row[j];
        }
        float mean = some.sum / some.n;
        UNROLL
        for (int j = 0; j < AT_ONCE; j++)
            some.squares += r + j * p.step < p.end ? (of_row[j] - mean) * (of_row[j] - mean) : 0;
        all = join(all, some);
    }
    return all;
}

__global__ void batch_moments(float *parts, const float *x, struct columns c)
{
    struct column_place p = column_place(&c, blockIdx.x);
    struct moments m = column_moments(c.tile, moments_of_rows(&c, p, x));
    if ((int)threadIdx.x < c.tile && p.column < c.width) {
        parts[p.part * 2 * c.width + p.column] = m.sum;
        parts[(p.part * 2 + 1) * c.width + p.column] = m.squares;
    }
}

/* Of a whole column, from what the parts left: all threads of the column get them. */
__device__ static inline struct moments moments_of_parts(const struct columns *c, struct column_place p,
                                                         const float *parts)
{
    struct moments all = {(float)c->n_rows, 0, 0};
    int64_t first = p.column < c->width ? threadIdx.x / c->tile : c->parts.by;
    for (int64_t part = first; part < c->parts.by; part += p.step)
        all.sum += parts[part * 2 * c->width + p.column];
    all.sum = column_combine(COMBINE_SUM, c->tile, all.sum);
    for (int64_t part = first; part < c->parts.by; part += p.step) {
        float n = (float)(part + 1 < c->parts.by ? c->part_rows : c->n_rows - part * c->part_rows);
        float distance = parts[part * 2 * c->width + p.column] / n - all.sum / all.n;
        all.squares += parts[(part * 2 + 1) * c->width + p.column] + n * distance * distance;
    }
    all.squares = column_combine(COMBINE_SUM, c->tile, all.squares);
    return all;
}

__global__ void batch_norm(float *__restrict__ y, float *mean, float *variance, const float *__restrict__ x,
                           const float *gamma, const float *beta, float epsilon, const float *parts, struct columns c)
{
    struct column_place p = column_place(&c, blockIdx.x);
    struct moments m =
        c.parts.by == 1 ? column_moments(c.tile, moments_of_rows(&c, p, x)) : moments_of_parts(&c, p, parts);
    if (p.column >= c.width)
        return;
    float middle = m.sum / m.n, spread = m.squares / m.n;
    float scale = gamma[p.column] / sqrtf(spread + epsilon), shift = beta[p.column];
    for (int64_t r = p.first; r < p.end; r += p.step)
        y[r * c.width + p.column] = (x[r * c.width + p.column] - middle) * scale + shift;
    if (p.part == 0 && (int)threadIdx.x < c.tile) {
        mean[p.column] = middle;
        variance[p.column] = spread;
    }
}

void launch_batch_norm(void *stream, float *y, float *mean, float *variance, const float *x, const float *gamma,
                       const float *beta, float epsilon, float *parts, const struct columns *c)
{
    if (c->parts.by > 1)
        LAUNCH_TOGETHER(batch_moments, c->n_blocks, BLOCK, stream, parts, x, *c);
    LAUNCH_TOGETHER(batch_norm, c->n_blocks, BLOCK, stream, y, mean, variance, x, gamma, beta, epsilon, parts, *c);
}

/* What gradients of gamma and beta sum up, dy * normal and dy. */
struct sums {
    float of_gamma, of_beta;
};

/* Over rows of a column; statistics are the column's, or with per_row of each row. */
__device__ static inline struct sums sums_of_rows(const struct columns *c, struct column_place p,
                                                  struct norm_gradient g, bool per_row)
{
    struct sums all = {0, 0};
    float mean = 0, rstd = 0;
    if (!per_row && p.column < c->width) {
        mean = g.mean[p.column];
        rstd = 1 / sqrtf(g.spread[p.column] + g.epsilon);
    }
    for (int64_t r = p.first; r < p.end; r += AT_ONCE * p.step) {
        struct sums some = {0, 0};
        UNROLL
        for (int j = 0; j < AT_ONCE; j++) {
            int64_t row = r + j * p.step, i = row * c->width + p.column;
            bool inside = row < p.end;
            float dy = inside ? g.dy[i] : 0;
            float normal = !inside ? 0 : per_row ? (g.x[i] - g.mean[row]) * g.spread[row] : (g.x[i] - mean) * rstd;
            some.of_gamma += dy * normal;
            some.of_beta += dy;
        }
        all.of_gamma += some.of_gamma;
        all.of_beta += some.of_beta;
    }
    all.of_gamma = column_combine(COMBINE_SUM, c->tile, all.of_gamma);
    all.of_beta = column_combine(COMBINE_SUM, c->tile, all.of_beta);
    return all;
}

__device__ static inline struct sums sums_of_parts(const struct columns *c, struct column_place p, const float *parts)
{
    struct sums all = {0, 0};
    for (int64_t part = threadIdx.x / c->tile; p.column < c->width && part < c->parts.by; part += p.step) {
        all.of_gamma += parts[part * 2 * c->width + p.column];
        all.of_beta += parts[(part * 2 + 1) * c->width + p.column];
    }
    all.of_gamma = column_combine(COMBINE_SUM, c->tile, all.of_gamma);
    all.of_beta = column_combine(COMBINE_SUM, c->tile, all.of_beta);
    return all;
}

__global__ void norm_sums(float *parts, struct norm_gradient g, bool per_row, struct columns c)
{
    struct column_place p = column_place(&c, blockIdx.x);
    struct sums s = sums_of_rows(&c, p, g, per_row);
    if ((int)threadIdx.x < c.tile && p.column < c.width) {
        parts[p.part * 2 * c.width + p.column] = s.of_gamma;
        parts[(p.part * 2 + 1) * c.width + p.column] = s.of_beta;
    }
}

__device__ static inline void store_sums(const struct columns *c, struct column_place p, struct norm_gradient g,
                                         struct sums s)
{
    if (p.part == 0 && p.column < c->width && (int)threadIdx.x < c->tile) {
        g.dgamma[p.column] = s.of_gamma;
        g.dbeta[p.column] = s.of_beta;
    }
}

__global__ void batch_norm_dx(struct norm_gradient g, const float *parts, struct columns c)
{
    struct column_place p = column_place(&c, blockIdx.x);
    struct sums s = c.parts.by == 1 ? sums_of_rows(&c, p, g, false) : sums_of_parts(&c, p, parts);
    store_sums(&c, p, g, s);
    if (p.column >= c.width || !g.dx)
        return;
    float mean = g.mean[p.column], rstd = 1 / sqrtf(g.spread[p.column] + g.epsilon), n = (float)c.n_rows;
    float scale = g.gamma[p.column] * rstd, of_dy = s.of_beta / n, of_normal = s.of_gamma / n;
    for (int64_t r = p.first; r < p.end; r += AT_ONCE * p.step) {
        float gradient[AT_ONCE];
        UNROLL
        for (int j = 0; j < AT_ONCE; j++) {
            int64_t row = r + j * p.step, i = row * c.width + p.column;
            gradient[j] = row < p.end ? scale * (g.dy[i] - of_dy - (g.x[i] - mean) * rstd * of_normal) : 0;
        }
        UNROLL
        for (int j = 0; j < AT_ONCE; j++)
            if (r + j * p.step < p.end)
                g.dx[(r + j * p.step) * c.width + p.column] = gradient[j];
    }
}

void launch_batch_norm_dx(void *stream, const struct norm_gradient *g, float *parts, const struct columns *c)
{
    if (c->parts.by > 1)
        LAUNCH_TOGETHER(norm_sums, c->n_blocks, BLOCK, stream, parts, *g, false, *c);
    if (c->parts.by == 1 || g->dx)
        LAUNCH_TOGETHER(batch_norm_dx, c->n_blocks, BLOCK, stream, *g, parts, *c);
    else
        LAUNCH_TOGETHER(batch_norm_dx, c->tiles.by, BLOCK, stream, *g, parts, *c);
}

/* The mean is found in two steps: the second finds what rounding left of it, which is more than the variance may bear
 * where numbers are far from 0. */
__global__ void layer_norm(float *y, float *means, float *rstds, const float *in, const float *gamma, const float *beta,
                           float epsilon, int64_t n_rows, int64_t width, bool whole)
{
    for (int64_t row = team_first(whole); row < n_rows; row += team_step(whole)) {
        const float *x = in + row * width;
        float sum = 0, rest = 0, squares = 0, n = (float)width;
        for (int64_t c = team_thread(whole); c < width; c += team_size(whole))
            sum += x[c];
        float mean = team_sum(whole, sum) / n;
        for (int64_t c = team_thread(whole); c < width; c += team_size(whole)) {
            rest += x[c] - mean;
            squares += (x[c] - mean) * (x[c] - mean);
        }
        rest = team_sum(whole, rest) / n;
        float rstd = 1 / sqrtf(team_sum(whole, squares) / n - rest * rest + epsilon);
        for (int64_t c = team_thread(whole); c < width; c += team_size(whole))
            y[row * width + c] = ((x[c] - mean) - rest) * rstd * gamma[c] + beta[c];
        if (!team_thread(whole)) {
            means[row] = isfinite(mean) ? mean + rest : mean;
            rstds[row] = rstd;
        }
    }
}

void launch_layer_norm(void *stream, float *y, float *mean, float *rstd, const float *x, const float *gamma,
                       const float *beta, float epsilon, int64_t n_rows, int64_t width)
{
    bool whole = team_is_block(width);
    LAUNCH_TOGETHER(layer_norm, team_blocks(n_rows, whole), BLOCK, stream, y, mean, rstd, x, gamma, beta, epsilon,
                    n_rows, width, whole);
}

__global__ void layer_norm_dx(struct norm_gradient g, int64_t n_rows, int64_t width, bool whole)
{
    for (int64_t row = team_first(whole); row < n_rows; row += team_step(whole)) {
        const float *x = g.x + row * width, *dy = g.dy + row * width;
        float mean = g.mean[row], rstd = g.spread[row], sum = 0, dot = 0;
        for (int64_t c = team_thread(whole); c < width; c += team_size(whole)) {
            sum += dy[c] * g.gamma[c];
            dot += dy[c] * g.gamma[c] * ((x[c] - mean) * rstd);
        }
        sum = team_sum(whole, sum) / (float)width;
        dot = team_sum(whole, dot) / (float)width;
        for (int64_t c = team_thread(whole); c < width; c += team_size(whole))
            g.dx[row * width + c] = rstd * (dy[c] * g.gamma[c] - sum - (x[c] - mean) * rstd * dot);
    }
}

void launch_layer_norm_dx(void *stream, const struct norm_gradient *g, int64_t n_rows, int64_t width)
{
    bool whole = team_is_block(width);
    LAUNCH_TOGETHER(layer_norm_dx, team_blocks(n_rows, whole), BLOCK, stream, *g, n_rows, width, whole);
}

__global__ void layer_norm_dweights(struct norm_gradient g, const float *parts, struct columns c)
{
    struct column_place p = column_place(&c, blockIdx.x);
    store_sums(&c, p, g, c.parts.by == 1 ? sums_of_rows(&c, p, g, true) : sums_of_parts(&c, p, parts));
}

void launch_layer_norm_dweights(void *stream, const struct norm_gradient *g, float *parts, const struct columns *c)
{
    if (c->parts.by > 1)
        LAUNCH_TOGETHER(norm_sums, c->n_blocks, BLOCK, stream, parts, *g, true, *c);
    LAUNCH_TOGETHER(layer_norm_dweights, c->tiles.by, BLOCK, stream, *g, parts, *c);
}
