/* ctc.c - see ctc.h */
#include "engine/plan/ctc.h"

#include <math.h>

enum { BLANK = 0 };
static const double impossible = -1e5;

struct walk { /* of one sample */
    const struct ctc *c;
    const float *logits;
    const int32_t *labels;
    int64_t places;    /* 2 n + 1 */
    double *p;         /* [steps, classes]: softmax */
    double *total;     /* [steps]: log of the sum of exp of the logits */
    double *scale;     /* [steps]: in probabilities, the sum of the step's ways, which they were divided by */
    double *ways;      /* [steps, places]: all ways to a place, its step included */
    double *onward[2]; /* [places]: all ways from a place to the end, its step not included; this step and the next */
    double end;        /* in probabilities: share of the last step's ways that have spelled all labels */
};

struct ctc ctc_of(const struct node *node)
{
    const struct shape logits = node->inputs[0]->shape;
    return (struct ctc){logits.dim[0], logits.dim[1], logits.dim[2], node->inputs[1]->shape.dim[1]};
}

static int64_t most_places(const struct ctc *c)
{
    return 2 * c->labels + 1;
}

size_t ctc_workspace_bytes(const struct ctc *c)
{
    return (size_t)(c->steps * (c->classes + 2) + (c->steps + 2) * most_places(c)) * sizeof(double);
}

/* exp(x) where it counts beside 1; NaN travels. */
static double exp_beside_1(double x)
{
    return x < -37 ? 0 : exp(x);
}

static double log_add(double a, double b)
{
    double high = a > b ? a : b, low = a > b ? b : a, less = exp_beside_1(low - high);
    return less == 0 ? high : high + log1p(less);
}

static double log_add_3(double a, double b, double c)
{
    double high = a > b ? a : b, low = a > b ? b : a;
    double middle = high > c ? c : high, less = exp_beside_1(low - (high > c ? high : c));
    high = high > c ? high : c;
    less += exp_beside_1(middle - high);
    return less == 0 ? high : high + log1p(less);
}

/* Returns the logarithm of the sum. */
static double softmax(double *p, const float *x, int64_t n)
{
    float most = x[0];
    double sum = 0;
    for (int64_t i = 1; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (int64_t i = 0; i < n; i++)
        sum += p[i] = exp((double)x[i] - (double)most);
    for (int64_t i = 0; i < n; i++)
        p[i] /= sum;
    return (double)most + log(sum);
}

/* False: a label is out of range. */
static bool begin(struct walk *w, const struct ctc *c, const float *logits, const int32_t *labels, void *workspace)
{
    *w = (struct walk){.c = c, .logits = logits, .labels = labels, .places = 1, .p = workspace};
    w->total = w->p + c->steps * c->classes;
    w->scale = w->total + c->steps;
    w->ways = w->scale + c->steps;
    w->onward[0] = w->ways + c->steps * most_places(c);
    w->onward[1] = w->onward[0] + most_places(c);
    for (int64_t i = 0; i < c->labels; i++)
        w->places += labels[i] != BLANK ? 2 : 0;
    for (int64_t i = 0; i < w->places / 2; i++)
        if (labels[i] < 0 || labels[i] >= c->classes)
            return false;
    for (int64_t t = 0; t < c->steps; t++)
        w->total[t] = softmax(w->p + t * c->classes, logits + t * c->classes, c->classes);
    return true;
}

static int32_t class_at(const struct walk *w, int64_t place)
{
    return place % 2 ? w->labels[place / 2] : BLANK;
}

/* Probability of a place's class at a step. */
static double chance(const struct walk *w, int64_t t, int64_t place)
{
    return w->p[t * w->c->classes + class_at(w, place)];
}

/* Its logarithm: of the logits, a probability may be 0. */
static double emission(const struct walk *w, int64_t t, int64_t place)
{
    return (double)w->logits[t * w->c->classes + class_at(w, place)] - w->total[t];
}

/* Whether the blank before a label may be left out. */
static bool may_skip_to(const struct walk *w, int64_t place)
{
    return place >= 2 && place < w->places && place % 2 && class_at(w, place) != class_at(w, place - 2);
}

/* ---- in probabilities: nothing but sums and products ---- */

/* A place's ways below this may have lost some to underflow. */
static const double smallest = 1e-280;

/* The sum of the ways of step t, from those of the step before. *least: the fewest of a place that has any. */
static double step_on(const struct walk *w, int64_t t, double *least)
{
    double *now = w->ways + t * w->places, sum = 0;
    const double *before = now - w->places;
    for (int64_t s = 0; s < w->places; s++) {
        double ways = t ? before[s] + (s ? before[s - 1] : 0) + (may_skip_to(w, s) ? before[s - 2] : 0) : s < 2;
        now[s] = ways * chance(w, t, s);
        sum += now[s];
        if (s <= 2 * t + 1)
            *least = now[s] < *least ? now[s] : *least;
    }
    return sum;
}

/* False where that is not exact: ways were lost that may count in the end. What a place has is never more likely than
 * the whole, so nothing counts that underflows while the labels have a probability above e^-500. */
static bool count_ways(struct walk *w, double *loss)
{
    double least = 1;
    *loss = 0;
    for (int64_t t = 0; t < w->c->steps; t++) {
        double sum = w->scale[t] = step_on(w, t, &least);
        if (!(sum > smallest))
            return false;
        for (int64_t s = 0; s < w->places; s++)
            w->ways[t * w->places + s] /= sum;
        *loss -= log(sum);
    }
    const double *last = w->ways + (w->c->steps - 1) * w->places + w->places;
    w->end = last[-1] + (w->places > 1 ? last[-2] : 0);
    *loss -= log(w->end);
    return w->end > smallest && (*loss < 500 || least > smallest);
}

static void step_back(const struct walk *w, int64_t t, double *now, const double *next)
{
    if (t == w->c->steps - 1) {
        for (int64_t s = 0; s < w->places; s++)
            now[s] = s >= w->places - 2;
        return;
    }
    for (int64_t s = 0; s < w->places; s++) {
        double ways = next[s] * chance(w, t + 1, s);
        if (s + 1 < w->places)
            ways += next[s + 1] * chance(w, t + 1, s + 1);
        if (may_skip_to(w, s + 2))
            ways += next[s + 2] * chance(w, t + 1, s + 2);
        now[s] = ways / w->scale[t + 1];
    }
}

/* ---- the same in logarithms, where probabilities underflow ---- */

/* Log probability of the labels. */
static double count_logs(const struct walk *w)
{
    for (int64_t s = 0; s < w->places; s++)
        w->ways[s] = (s < 2 ? 0 : impossible) + emission(w, 0, s);
    for (int64_t t = 1; t < w->c->steps; t++) {
        const double *before = w->ways + (t - 1) * w->places;
        for (int64_t s = 0; s < w->places; s++) {
            double ways = may_skip_to(w, s) ? log_add_3(before[s], before[s - 1], before[s - 2])
                          : s               ? log_add(before[s], before[s - 1])
                                            : before[s];
            w->ways[t * w->places + s] = ways + emission(w, t, s);
        }
    }
    const double *last = w->ways + (w->c->steps - 1) * w->places;
    return w->places > 1 ? log_add(last[w->places - 1], last[w->places - 2]) : last[0];
}

static void log_back(const struct walk *w, int64_t t, double *now, const double *next)
{
    for (int64_t s = 0; s < w->places; s++) {
        if (t == w->c->steps - 1) {
            now[s] = s >= w->places - 2 ? 0 : impossible;
            continue;
        }
        double stay = next[s] + emission(w, t + 1, s);
        double step = s + 1 < w->places ? next[s + 1] + emission(w, t + 1, s + 1) : 0;
        now[s] = may_skip_to(w, s + 2) ? log_add_3(stay, step, next[s + 2] + emission(w, t + 1, s + 2))
                 : s + 1 < w->places   ? log_add(stay, step)
                                       : stay;
    }
}

float ctc_loss(const struct ctc *c, const float *logits, const int32_t *labels, void *workspace)
{
    struct walk w;
    double loss;
    if (!begin(&w, c, logits, labels, workspace))
        return NAN;
    return (float)(count_ways(&w, &loss) ? loss : -count_logs(&w));
}

void ctc_gradient(const struct ctc *c, const float *logits, const int32_t *labels, float dy, float *dlogits,
                  void *workspace)
{
    struct walk w;
    bool known = begin(&w, c, logits, labels, workspace);
    double loss = 0;
    bool by_ways = known && count_ways(&w, &loss);
    if (known && !by_ways)
        loss = -count_logs(&w);
    for (int64_t t = c->steps - 1; t >= 0; t--) {
        float *d = dlogits + t * c->classes;
        double *onward = w.onward[t % 2];
        const double *ways = w.ways + t * w.places;
        for (int64_t k = 0; k < c->classes; k++)
            d[k] = known ? dy * (float)w.p[t * c->classes + k] : NAN;
        if (!known)
            continue;
        (by_ways ? step_back : log_back)(&w, t, onward, w.onward[(t + 1) % 2]);
        for (int64_t s = 0; s < w.places; s++) {
            double share = !by_ways ? exp(ways[s] + onward[s] + loss) : ways[s] > 0 ? ways[s] * onward[s] / w.end : 0;
            d[class_at(&w, s)] -= dy * (float)share;
        }
    }
}
