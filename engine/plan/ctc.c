/* ctc.c - see ctc.h */
#include "engine/plan/ctc.h"

#include <math.h>

enum { BLANK = 0 };
static const double impossible = -1e5;

struct walk { /* of one sample */
    const struct ctc *c;
    const float *logits;
    const int32_t *labels;
    int64_t places;  /* 2 n + 1 */
    double *total;   /* [steps]: log of the sum of exp of the logits */
    double *forward; /* [steps, places]: log probability of all ways to a place, its step included */
    double
        *backward[2]; /* [places]: of all ways from a place to the end, its step not included; this step and the next */
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
    return (size_t)(c->steps + (c->steps + 2) * most_places(c)) * sizeof(double);
}

static double log_add(double a, double b)
{
    double high = a > b ? a : b, low = a > b ? b : a, distance = low - high;
    return distance < -40 ? high : high + log1p(exp(distance));
}

static double log_sum(const float *x, int64_t n)
{
    double most = (double)x[0], sum = 0;
    for (int64_t i = 1; i < n; i++)
        most = (double)x[i] > most ? (double)x[i] : most;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)x[i] - most);
    return most + log(sum);
}

/* False: a label is out of range. */
static bool begin(struct walk *w, const struct ctc *c, const float *logits, const int32_t *labels, void *workspace)
{
    *w = (struct walk){.c = c, .logits = logits, .labels = labels, .places = 1, .total = workspace};
    w->forward = w->total + c->steps;
    w->backward[0] = w->forward + c->steps * most_places(c);
    w->backward[1] = w->backward[0] + most_places(c);
    for (int64_t i = 0; i < c->labels; i++)
        w->places += labels[i] != BLANK ? 2 : 0;
    for (int64_t i = 0; i < w->places / 2; i++)
        if (labels[i] < 0 || labels[i] >= c->classes)
            return false;
    for (int64_t t = 0; t < c->steps; t++)
        w->total[t] = log_sum(logits + t * c->classes, c->classes);
    return true;
}

static int32_t class_at(const struct walk *w, int64_t place)
{
    return place % 2 ? w->labels[place / 2] : BLANK;
}

/* Log probability of a place's class at a step. */
static double emission(const struct walk *w, int64_t t, int64_t place)
{
    return (double)w->logits[t * w->c->classes + class_at(w, place)] - w->total[t];
}

/* Whether the blank before a label may be left out. */
static bool may_skip_to(const struct walk *w, int64_t place)
{
    return place >= 2 && place < w->places && place % 2 && class_at(w, place) != class_at(w, place - 2);
}

/* Log probability of the labels. */
static double go_forward(const struct walk *w)
{
    for (int64_t s = 0; s < w->places; s++)
        w->forward[s] = (s < 2 ? 0 : impossible) + emission(w, 0, s);
    for (int64_t t = 1; t < w->c->steps; t++) {
        const double *before = w->forward + (t - 1) * w->places;
        for (int64_t s = 0; s < w->places; s++) {
            double ways = before[s];
            if (s >= 1)
                ways = log_add(ways, before[s - 1]);
            if (may_skip_to(w, s))
                ways = log_add(ways, before[s - 2]);
            w->forward[t * w->places + s] = ways + emission(w, t, s);
        }
    }
    const double *last = w->forward + (w->c->steps - 1) * w->places;
    return w->places > 1 ? log_add(last[w->places - 1], last[w->places - 2]) : last[0];
}

/* now[] of step t from next[] of step t + 1. */
static void step_back(const struct walk *w, int64_t t, double *now, const double *next)
{
    for (int64_t s = 0; s < w->places; s++) {
        if (t == w->c->steps - 1) {
            now[s] = s >= w->places - 2 ? 0 : impossible;
            continue;
        }
        double ways = next[s] + emission(w, t + 1, s);
        if (s + 1 < w->places)
            ways = log_add(ways, next[s + 1] + emission(w, t + 1, s + 1));
        if (may_skip_to(w, s + 2))
            ways = log_add(ways, next[s + 2] + emission(w, t + 1, s + 2));
        now[s] = ways;
    }
}

float ctc_loss(const struct ctc *c, const float *logits, const int32_t *labels, void *workspace)
{
    struct walk w;
    return begin(&w, c, logits, labels, workspace) ? (float)-go_forward(&w) : NAN;
}

void ctc_gradient(const struct ctc *c, const float *logits, const int32_t *labels, float dy, float *dlogits,
                  void *workspace)
{
    struct walk w;
    bool known = begin(&w, c, logits, labels, workspace);
    double all = known ? go_forward(&w) : 0;
    for (int64_t t = c->steps - 1; t >= 0; t--) {
        float *d = dlogits + t * c->classes;
        for (int64_t k = 0; k < c->classes; k++)
            d[k] = known ? dy * (float)exp((double)logits[t * c->classes + k] - w.total[t]) : NAN;
        if (!known)
            continue;
        step_back(&w, t, w.backward[t % 2], w.backward[(t + 1) % 2]);
        for (int64_t s = 0; s < w.places; s++)
            d[class_at(&w, s)] -= dy * (float)exp(w.forward[t * w.places + s] + w.backward[t % 2][s] - all);
    }
}
