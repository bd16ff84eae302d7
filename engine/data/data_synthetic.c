/* data_synthetic.c - samples drawn from formulas. Sample i is a function of (seed, part, i): asking for more of them
 * keeps the first ones, and a validation object never repeats the training samples. */
#include "engine/data/table.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

enum { DRAWS = 16 }; /* random numbers set aside for a sample: the first half uniform, the second half for noise */

struct draw {                             /* one sample */
    float u[DRAWS / 2], noise[DRAWS / 2]; /* uniform in [0, 1); normal, times the wanted deviation */
    int64_t i;
};

static const float pi = 3.14159265358979f;

static float moons(const struct draw *d, float *x)
{
    int upper = d->i % 2 == 0;
    float angle = pi * d->u[0];
    x[0] = (upper ? cosf(angle) : 1 - cosf(angle)) + d->noise[0];
    x[1] = (upper ? sinf(angle) : 0.5f - sinf(angle)) + d->noise[1];
    return (float)!upper;
}

static float circles(const struct draw *d, float *x)
{
    float radius = d->i % 2 ? 0.5f : 1, angle = 2 * pi * d->u[0];
    x[0] = radius * cosf(angle) + d->noise[0];
    x[1] = radius * sinf(angle) + d->noise[1];
    return (float)(d->i % 2);
}

static float blobs(const struct draw *d, float *x)
{
    float angle = 2 * pi * (float)(d->i % 3) / 3;
    x[0] = cosf(angle) + d->noise[0];
    x[1] = sinf(angle) + d->noise[1];
    return (float)(d->i % 3);
}

static float spirals(const struct draw *d, float *x)
{
    float along = sqrtf(d->u[0]), angle = 2 * pi * ((float)(d->i % 3) / 3 + along);
    x[0] = along * cosf(angle) + d->noise[0] * 0.2f;
    x[1] = along * sinf(angle) + d->noise[1] * 0.2f;
    return (float)(d->i % 3);
}

static float xor_squares(const struct draw *d, float *x)
{
    float a = 2 * d->u[0] - 1, b = 2 * d->u[1] - 1;
    x[0] = a + d->noise[0];
    x[1] = b + d->noise[1];
    return (float)((a > 0) != (b > 0));
}

static float linear(const struct draw *d, float *x)
{
    static const float weights[4] = {1, -2, 3, 0.5f};
    float y = 0.7f + d->noise[0];
    for (int k = 0; k < 4; k++) {
        x[k] = 2 * d->u[k] - 1;
        y += weights[k] * x[k];
    }
    return y;
}

static float sine(const struct draw *d, float *x)
{
    x[0] = pi * (2 * d->u[0] - 1);
    return sinf(x[0]) + d->noise[0];
}

static const struct generator {
    const char *name, *help;
    int n_inputs, n_classes; /* 0 classes: a number is the target */
    float (*draw)(const struct draw *d, float *x);
} generators[] = {
    {"moons", "two interleaving half circles, 2 inputs, 2 classes", 2, 2, moons},
    {"circles", "a circle inside another one, 2 inputs, 2 classes", 2, 2, circles},
    {"blobs", "normal clouds around 3 points of the unit circle, 2 inputs, 3 classes", 2, 3, blobs},
    {"spirals", "3 arms of a spiral (noise counts a fifth), 2 inputs, 3 classes", 2, 3, spirals},
    {"xor",
     "the class is whether exactly one of 2 inputs in -1..1 is positive (noise is added to the inputs), 2 classes", 2,
     2, xor_squares},
    {"linear", "y = x0 - 2 x1 + 3 x2 + x3 / 2 + 0.7 + noise, 4 inputs in -1..1, regression", 4, 0, linear},
    {"sine", "y = sin(x) + noise, 1 input in -pi..pi, regression", 1, 0, sine},
};

json_t *synthetic_describe(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof generators / sizeof *generators; i++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "name", generators[i].name, "help", generators[i].help));
    return list;
}

static void draw_sample(uint64_t seed, int part, int64_t i, float noise, struct draw *d)
{
    uint32_t bits[DRAWS];
    for (uint64_t block = 0; block < DRAWS / 4; block++)
        rng_block(seed, RNG_STREAM_DATA, (uint32_t)part, (uint64_t)i * (DRAWS / 4) + block, bits + 4 * block);
    d->i = i;
    for (int k = 0; k < DRAWS / 2; k++)
        d->u[k] = rng_to_uniform(bits[k]);
    for (int k = 0; k < DRAWS / 2; k += 2) {
        rng_to_normal(bits[DRAWS / 2 + k], bits[DRAWS / 2 + k + 1], &d->noise[k], &d->noise[k + 1]);
        d->noise[k] *= noise;
        d->noise[k + 1] *= noise;
    }
}

bool load_synthetic(struct table *t, const struct source *from, struct err *err)
{
    const char *name = js_string(from->data, "name", "");
    const struct generator *g = NULL;
    for (size_t i = 0; i < sizeof generators / sizeof *generators; i++)
        if (!strcmp(generators[i].name, name))
            g = &generators[i];
    if (!g)
        return err_set(err, ERR_USAGE, "data.name: found '%s', which no generator is called", name);
    uint64_t seed = (uint64_t)js_int(from->data, "seed", (int64_t)from->seed);
    float noise = (float)js_double(from->data, "noise", 0.1);
    t->n_samples = js_int(from->data, "samples", 1000);
    const char *source = arena_printf(&t->arena, "'%s'", name);
    t->inputs = table_reserve(t, 1);
    t->targets = table_reserve(t, 1);
    if (!samples_allocate(&t->inputs[0], NPY_F32, t->n_samples, SHAPE(g->n_inputs), source, err))
        return false;
    t->n_inputs = 1;
    if (!samples_allocate(&t->targets[0], g->n_classes ? NPY_U8 : NPY_F32, t->n_samples, (struct shape){0}, source,
                          err))
        return false;
    t->n_targets = 1;
    float *x = t->inputs[0].array.owned;
    for (int64_t i = 0; i < t->n_samples; i++) {
        struct draw d;
        draw_sample(seed, from->part, i, noise, &d);
        float y = g->draw(&d, x + i * g->n_inputs);
        if (g->n_classes)
            ((uint8_t *)t->targets[0].array.owned)[i] = (uint8_t)y;
        else
            ((float *)t->targets[0].array.owned)[i] = y;
    }
    return true;
}
