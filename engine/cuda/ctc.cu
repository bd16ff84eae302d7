/* ctc.cu - connectionist temporal classification in logarithms, see launches.h. Sums of logarithms are double; what is
 * added to the larger of two is a float between 0 and log 3, which costs no accuracy and no double functions.
 */
#include "engine/cuda/grid.h"
#include "engine/cuda/launches.h"

#define IMPOSSIBLE (-1e5)

/* How many places the labels of a sample have; 0: one of them is out of range. */
__device__ static int32_t count_places(const struct ctc_walks *w, const int32_t *label)
{
    int64_t n = 0;
    for (int64_t i = 0; i < w->labels; i++)
        n += label[i] != 0;
    for (int64_t i = 0; i < n; i++)
        if (label[i] < 0 || label[i] >= w->classes)
            return 0;
    return (int32_t)(2 * n + 1);
}

/* For each place its class, the next place of the same class, and whether it is the first one. Blanks have no chain. */
__global__ void ctc_chains(struct ctc_walks w)
{
    for (int64_t i = grid_first(); i < w.samples * w.places; i += grid_step()) {
        int64_t sample = i / w.places, place = i - sample * w.places;
        const int32_t *label = w.label + sample * w.labels;
        int32_t n = count_places(&w, label), own = place < n && place % 2 ? label[place / 2] : 0;
        int64_t next = place + 2, before = place - 2;
        while (own && next < n && label[next / 2] != own)
            next += 2;
        while (own && before > 0 && label[before / 2] != own)
            before -= 2;
        w.class_of[i] = own;
        w.next[i] = own && next < n ? (int32_t)next : -1;
        w.first[i] = own && before < 0;
        if (place == 0)
            w.n_places[sample] = n;
    }
}

/* A warp for each step of each sample: log of the sum of exp of the logits. */
__global__ void ctc_totals(struct ctc_walks w)
{
    int lane = threadIdx.x % WARP;
    for (int64_t row = grid_first() / WARP; row < w.samples * w.steps; row += grid_step() / WARP) {
        const float *x = w.logits + row * w.classes;
        float most = x[0], sum = 0;
        for (int64_t k = lane; k < w.classes; k += WARP)
            most = nan_max(most, x[k]);
        most = lanes_combine(COMBINE_MAX, 1, most);
        for (int64_t k = lane; k < w.classes; k += WARP)
            sum += expf(x[k] - most);
        sum = lanes_combine(COMBINE_SUM, 1, sum);
        if (lane == 0)
            w.total[row] = (double)most + log((double)sum);
    }
}

/* What `less` adds to the logarithm of something larger, as a share of it; nothing where both are log 0. */
__device__ static float share_of(double less, double high)
{
    return less == high ? 1 : expf((float)(less - high));
}

__device__ static double log_add(double a, double b)
{
    double high = a > b ? a : b, low = a > b ? b : a;
    return high + (double)log1pf(share_of(low, high));
}

__device__ static double log_add_3(double a, double b, double c)
{
    double high = a > b ? a : b, low = a > b ? b : a, middle = high > c ? c : high;
    high = high > c ? high : c;
    return high + (double)log1pf(share_of(low, high) + share_of(middle, high));
}

struct sample { /* as a block reads it */
    const float *logits;
    const double *total;
    const int32_t *class_of;
    int64_t classes;
    int32_t n_places;
};

__device__ static struct sample sample_of(const struct ctc_walks *w, int64_t i)
{
    struct sample s;
    s.logits = w->logits + i * w->steps * w->classes;
    s.total = w->total + i * w->steps;
    s.class_of = w->class_of + i * w->places;
    s.classes = w->classes;
    s.n_places = w->n_places[i];
    return s;
}

__device__ static double emission(const struct sample *s, int64_t t, int32_t place)
{
    return (double)s->logits[t * s->classes + s->class_of[place]] - s->total[t];
}

/* Whether the blank before a label may be left out. */
__device__ static bool may_skip_to(const struct sample *s, int32_t place)
{
    return place >= 2 && place < s->n_places && place % 2 && s->class_of[place] != s->class_of[place - 2];
}

__device__ static double ways_to(const struct sample *s, const double *before, int64_t t, int32_t place)
{
    double ways;
    if (t == 0)
        ways = place < 2 ? 0 : IMPOSSIBLE;
    else if (may_skip_to(s, place))
        ways = log_add_3(before[place], before[place - 1], before[place - 2]);
    else
        ways = place ? log_add(before[place], before[place - 1]) : before[place];
    return ways + emission(s, t, place);
}

__device__ static double ways_onward(const struct sample *s, const double *next, int64_t t, int32_t place, bool last)
{
    if (last)
        return place >= s->n_places - 2 ? 0 : IMPOSSIBLE;
    double stay = next[place] + emission(s, t + 1, place);
    if (place + 1 >= s->n_places)
        return stay;
    double on = next[place + 1] + emission(s, t + 1, place + 1);
    return may_skip_to(s, place + 2) ? log_add_3(stay, on, next[place + 2] + emission(s, t + 1, place + 2))
                                     : log_add(stay, on);
}

/* A block for each sample and direction (1: forwards only). Row t of `ways` is at t % rows. */
__global__ void ctc_walk(struct ctc_walks w, int n_directions)
{
    int64_t i = blockIdx.x / n_directions;
    bool back = blockIdx.x % n_directions != 0;
    const struct sample s = sample_of(&w, i);
    double *rows = (back ? w.onward : w.ways) + i * w.rows * w.places;
    for (int64_t k = 0; k < w.steps; k++) {
        int64_t t = back ? w.steps - 1 - k : k;
        double *now = rows + t % w.rows * w.places;
        const double *other = k ? rows + (back ? t + 1 : t - 1) % w.rows * w.places : now;
        for (int32_t place = threadIdx.x; place < s.n_places; place += blockDim.x)
            now[place] = back ? ways_onward(&s, other, t, place, k == 0) : ways_to(&s, other, t, place);
        __syncthreads();
    }
    if (back || threadIdx.x)
        return;
    const double *end = rows + (w.steps - 1) % w.rows * w.places + s.n_places;
    w.loss[i] = s.n_places > 1 ? -log_add(end[-1], end[-2]) : s.n_places ? -end[-1] : nan("");
}

__global__ void ctc_losses(struct ctc_walks w, float *loss)
{
    for (int64_t i = grid_first(); i < w.samples; i += grid_step())
        loss[i] = (float)w.loss[i];
}

/* Of all ways, those that are at a place at a step. */
__device__ static float share_at(const double *ways, const double *onward, double loss, int32_t place)
{
    return expf((float)(ways[place] + onward[place] + loss));
}

/* A warp for each step of each sample. */
__global__ void ctc_gradient(struct ctc_walks w, const float *dy, float *dlogits)
{
    int lane = threadIdx.x % WARP;
    for (int64_t row = grid_first() / WARP; row < w.samples * w.steps; row += grid_step() / WARP) {
        int64_t i = row / w.steps;
        const double *ways = w.ways + row * w.places, *onward = w.onward + row * w.places;
        const int32_t *class_of = w.class_of + i * w.places, *next = w.next + i * w.places;
        int32_t n = w.n_places[i];
        double loss = w.loss[i], total = w.total[row];
        float *d = dlogits + row * w.classes, blank = 0;
        for (int64_t k = lane; k < w.classes; k += WARP)
            d[k] = n ? dy[i] * expf((float)((double)w.logits[row * w.classes + k] - total)) : NAN;
        __syncwarp();
        for (int32_t place = lane; place < n; place += WARP)
            blank += class_of[place] ? 0 : share_at(ways, onward, loss, place);
        blank = lanes_combine(COMBINE_SUM, 1, blank);
        if (lane == 0)
            d[0] -= dy[i] * blank;
        for (int32_t first = lane; first < n; first += WARP) {
            if (!w.first[i * w.places + first])
                continue;
            float label = 0;
            for (int32_t place = first; place >= 0; place = next[place])
                label += share_at(ways, onward, loss, place);
            d[class_of[first]] -= dy[i] * label;
        }
    }
}

static void walk(void *stream, struct ctc_walks w, int n_directions)
{
    int64_t n_threads = (w.places + WARP - 1) / WARP * WARP;
    LAUNCH(ctc_chains, blocks_for(w.samples * w.places), BLOCK, stream, w);
    LAUNCH_TOGETHER(ctc_totals, blocks_for(w.samples * w.steps * WARP), BLOCK, stream, w);
    LAUNCH_TOGETHER(ctc_walk, w.samples * n_directions, n_threads < BLOCK ? n_threads : (int64_t)BLOCK, stream, w,
                    n_directions);
}

void launch_ctc(void *stream, struct ctc_walks w, float *loss)
{
    walk(stream, w, 1);
    LAUNCH(ctc_losses, blocks_for(w.samples), BLOCK, stream, w, loss);
}

void launch_ctc_dx(void *stream, struct ctc_walks w, const float *dy, float *dlogits)
{
    walk(stream, w, 2);
    LAUNCH_TOGETHER(ctc_gradient, blocks_for(w.samples * w.steps * WARP), BLOCK, stream, w, dy, dlogits);
}
