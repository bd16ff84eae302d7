/* generate.c - see generate.h */
#include "engine/train/generate.h"
#include "base/io.h"
#include "base/rng.h"
#include "engine/train/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct generator {
    struct generator_options options;
    struct session *session;
    struct step *step;
    enum dtype dtype;     /* of the input */
    int64_t window, read; /* tokens read so far, all of them */
    int64_t drawn;
    bool every;      /* a score behind every token of the window */
    bool tried;      /* whether it looks ahead is known */
    bool ahead;      /* it does */
    int32_t *tokens; /* the last min(read, window) of them */
    double *weights; /* of the vocabulary: room for drawing */
    float *before;   /* the scores with another filling */
};

static bool fits(const struct session *s, int64_t n_vocabulary, struct err *err)
{
    const struct model *m = s->model;
    struct shape in = m->inputs[0].shape, out = m->outputs[0].shape;
    if (m->n_inputs != 1 || in.rank != 1)
        return err_set(err, ERR_USAGE, "the model does not read text: expected one input, a window of tokens");
    bool each = out.rank == 2 && out.dim[0] == in.dim[0], last = out.rank == 1;
    if ((!each && !last) || out.dim[out.rank - 1] != n_vocabulary) {
        struct str found = {0};
        shape_write(&found, out);
        err_set(err, ERR_USAGE,
                "the model does not say the next token: its output has shape %s, expected (%lld, %lld) or (%lld)",
                str_text(&found), (long long)in.dim[0], (long long)n_vocabulary, (long long)n_vocabulary);
        str_release(&found);
        return false;
    }
    return true;
}

struct generator *generator_new(struct session *session, const struct generator_options *options, struct err *err)
{
    if (!fits(session, options->n_vocabulary, err))
        return NULL;
    struct generator *g = xcalloc(1, sizeof *g);
    const struct model *model = session->model;
    size_t n = (size_t)options->n_vocabulary;
    *g = (struct generator){.options = *options,
                            .session = session,
                            .dtype = model->inputs[0].dtype,
                            .window = model->inputs[0].shape.dim[0],
                            .every = model->outputs[0].shape.rank == 2};
    g->step = step_new(session, &(struct step_options){.kind = STEP_PREDICT, .batch = 1}, err);
    g->tokens = g->step ? io_allocate((size_t)g->window * sizeof *g->tokens, "the window of tokens", err) : NULL;
    g->weights = g->tokens ? io_allocate(n * sizeof *g->weights, "the scores of the vocabulary", err) : NULL;
    g->before = g->weights ? io_allocate(n * sizeof *g->before, "the scores of the vocabulary", err) : NULL;
    if (!g->before) {
        generator_free(g);
        return NULL;
    }
    return g;
}

void generator_free(struct generator *g)
{
    if (!g)
        return;
    step_free(g->step);
    free(g->tokens);
    free(g->weights);
    free(g->before);
    free(g);
}

int64_t generator_window(const struct generator *g)
{
    return g->window;
}

bool generator_is_padded(const struct generator *g)
{
    return g->read < g->window && (!g->every || g->ahead);
}

void generator_read(struct generator *g, int32_t token)
{
    if (g->read >= g->window)
        memmove(g->tokens, g->tokens + 1, (size_t)(g->window - 1) * sizeof *g->tokens);
    g->tokens[g->read < g->window ? g->read : g->window - 1] = token;
    g->read++;
}

static void write_tokens(const struct generator *g, int64_t at, const int32_t *tokens, int64_t n)
{
    int32_t *integers = step_input(g->step, 0);
    float *floats = step_input(g->step, 0);
    for (int64_t i = 0; i < n; i++)
        if (g->dtype == DTYPE_I32)
            integers[at + i] = tokens[i];
        else
            floats[at + i] = (float)tokens[i];
}

static void fill(const struct generator *g, int64_t from, int64_t to, int32_t token)
{
    for (int64_t i = from; i < to; i++)
        write_tokens(g, i, &token, 1);
}

/* The scores behind what was read, with this filling. */
static const float *run(struct generator *g, bool in_front, int32_t filling)
{
    int64_t n = g->read < g->window ? g->read : g->window, start = in_front ? g->window - n : 0;
    fill(g, 0, start, filling);
    write_tokens(g, start, g->tokens, n);
    fill(g, start + n, g->window, filling);
    step_run(g->step);
    return step_output(g->step, 0) + (g->every ? (start + n - 1) * g->options.n_vocabulary : 0);
}

static bool same_scores(const float *a, const float *b, int64_t n)
{
    float largest = 0;
    for (int64_t i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(a[i]));
    for (int64_t i = 0; i < n; i++)
        if (fabsf(a[i] - b[i]) > 1e-4f * largest)
            return false;
    return true;
}

static const float *scores(struct generator *g)
{
    int64_t n = g->options.n_vocabulary;
    bool full = g->read >= g->window;
    if (!full && g->every && !g->tried) {
        memcpy(g->before, run(g, false, (int32_t)(g->options.pad ? 0 : n - 1)), (size_t)n * sizeof *g->before);
        g->ahead = !same_scores(run(g, false, g->options.pad), g->before, n);
        g->tried = true;
    }
    return run(g, full || !g->every || g->ahead, g->options.pad);
}

static bool are_probabilities(const float *values, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!(values[i] >= 0 && values[i] <= 1))
            return false;
        sum += values[i];
    }
    return fabs(sum - 1) < 1e-3;
}

/* exp((score - largest) / temperature): of probabilities the same, from their logarithms. */
static int32_t draw(struct generator *g, const float *values)
{
    int64_t n = g->options.n_vocabulary, best = 0;
    bool probabilities = are_probabilities(values, n);
    double sum = 0;
    for (int64_t i = 1; i < n; i++)
        best = values[i] > values[best] ? i : best;
    if (!(g->options.temperature > 0))
        return (int32_t)best;
    for (int64_t i = 0; i < n; i++) {
        double distance = probabilities ? log((double)values[i] / values[best]) : (double)values[i] - values[best];
        g->weights[i] = exp(distance / g->options.temperature);
        sum += g->weights[i];
    }
    double at = sum * (double)rng_to_uniform(rng_u32(g->options.seed, RNG_STREAM_TEXT, 0, (uint64_t)g->drawn));
    for (int64_t i = 0; i < n; i++) {
        if (at < g->weights[i])
            return (int32_t)i;
        at -= g->weights[i];
    }
    return (int32_t)best; /* rounding ate the last of it */
}

bool generator_next(struct generator *g, int32_t *token, struct err *err)
{
    const float *values = scores(g);
    if (!session_works(g->session, err))
        return false;
    for (int64_t i = 0; i < g->options.n_vocabulary; i++)
        if (!isfinite(values[i]) && !(values[i] < 0))
            return err_set(err, ERR_FAILED, "the model says %s for the next token: its weights are no use",
                           isnan(values[i]) ? "NaN" : "infinity");
    *token = draw(g, values);
    g->drawn++;
    generator_read(g, *token);
    return true;
}
