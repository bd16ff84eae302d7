/* initializers.c - Keras' initializers, one row each, see initializers.h */
#include "engine/layers/initializers.h"
#include "base/io.h"
#include "base/rng.h"
#include "engine/layers/arguments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct initializer_row {
    struct class_row class;
    /* draws: seed and stream of this variable. */
    bool (*fill)(const struct initializer *init, uint64_t seed, uint32_t stream, struct shape shape, float *out,
                 struct err *err);
    double scale; /* of the variance scaling family */
    const char *mode, *distribution;
};

struct initializer {
    const struct initializer_row *row;
    double a, b; /* value | mean, stddev | minval, maxval | scale | gain */
    const char *mode, *distribution;
    const json_t *input_axes, *output_axes; /* arrays or null, lent */
    bool seeded;
    uint64_t seed;
    const char *where;
};

static bool fill_constant(const struct initializer *init, uint64_t seed, uint32_t stream, struct shape shape,
                          float *out, struct err *err)
{
    (void)seed, (void)stream, (void)err;
    for (int64_t i = 0, n = shape_elements(shape); i < n; i++)
        out[i] = (float)init->a;
    return true;
}

static bool fill_uniform(const struct initializer *init, uint64_t seed, uint32_t stream, struct shape shape, float *out,
                         struct err *err)
{
    (void)err;
    size_t n = (size_t)shape_elements(shape);
    float low = (float)init->a, width = (float)(init->b - init->a);
    rng_fill_uniform(seed, stream, 0, out, n);
    for (size_t i = 0; i < n; i++)
        out[i] = low + width * out[i];
    return true;
}

static bool fill_normal(const struct initializer *init, uint64_t seed, uint32_t stream, struct shape shape, float *out,
                        struct err *err)
{
    (void)err;
    size_t n = (size_t)shape_elements(shape);
    rng_fill_normal(seed, stream, 0, out, n);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(init->a + init->b * out[i]);
    return true;
}

/* A standard normal number within two deviations: block i of steps 0, 1, 2, ... until one fits (95 % of them do). */
static float truncated_normal(uint64_t seed, uint32_t stream, uint64_t i)
{
    for (uint32_t attempt = 0; attempt < 64; attempt++) {
        uint32_t bits[4];
        float x[4];
        rng_block(seed, stream, attempt, i, bits);
        rng_to_normal(bits[0], bits[1], &x[0], &x[1]);
        rng_to_normal(bits[2], bits[3], &x[2], &x[3]);
        for (int k = 0; k < 4; k++)
            if (fabsf(x[k]) <= 2)
                return x[k];
    }
    return 0;
}

static bool fill_truncated(const struct initializer *init, uint64_t seed, uint32_t stream, struct shape shape,
                           float *out, struct err *err)
{
    (void)err;
    for (int64_t i = 0, n = shape_elements(shape); i < n; i++)
        out[i] = (float)(init->a + init->b * truncated_normal(seed, stream, (uint64_t)i));
    return true;
}

static double product_of_axes(const json_t *axes, struct shape shape)
{
    double product = 1;
    for (size_t i = 0; i < json_array_size(axes); i++) {
        int64_t axis = json_integer_value(json_array_get(axes, i));
        axis += axis < 0 ? shape.rank : 0;
        product *= axis >= 0 && axis < shape.rank ? (double)shape.dim[axis] : 1;
    }
    return product;
}

static void compute_fans(const struct initializer *init, struct shape shape, double *fan_in, double *fan_out)
{
    if (json_is_array(init->input_axes) && json_is_array(init->output_axes)) {
        *fan_in = product_of_axes(init->input_axes, shape);
        *fan_out = product_of_axes(init->output_axes, shape);
        return;
    }
    double field = 1;
    for (int i = 0; i < shape.rank - 2; i++)
        field *= (double)shape.dim[i];
    int last = shape.rank - 1;
    *fan_out = last < 0 ? 1 : field * (double)shape.dim[last];
    *fan_in = last < 0 ? 1 : last == 0 ? *fan_out : field * (double)shape.dim[last - 1];
}

static bool fill_scaled(const struct initializer *init, uint64_t seed, uint32_t stream, struct shape shape, float *out,
                        struct err *err)
{
    double fan_in, fan_out;
    compute_fans(init, shape, &fan_in, &fan_out);
    bool in = !strcmp(init->mode, "fan_in"), average = !strcmp(init->mode, "fan_avg");
    double scale = init->a / fmax(1, in ? fan_in : average ? (fan_in + fan_out) / 2 : fan_out);
    struct initializer drawn = *init;
    drawn.a = 0;
    if (!strcmp(init->distribution, "uniform")) {
        drawn.b = sqrt(3 * scale);
        drawn.a = -drawn.b;
        return fill_uniform(&drawn, seed, stream, shape, out, err);
    }
    if (!strcmp(init->distribution, "untruncated_normal")) {
        drawn.b = sqrt(scale);
        return fill_normal(&drawn, seed, stream, shape, out, err);
    }
    drawn.b = sqrt(scale) / 0.87962566103423978; /* deviation of a standard normal cut at two */
    return fill_truncated(&drawn, seed, stream, shape, out, err);
}

/* The Q of a QR decomposition with positive diagonal of R: Gram-Schmidt, each column twice. columns: n of length m. */
static void orthonormalize(double *columns, int64_t m, int64_t n)
{
    for (int64_t j = 0; j < n; j++) {
        double *x = columns + j * m, norm = 0;
        for (int64_t k = 0; k < 2 * j; k++) {
            const double *q = columns + k % j * m;
            double dot = 0;
            for (int64_t i = 0; i < m; i++)
                dot += q[i] * x[i];
            for (int64_t i = 0; i < m; i++)
                x[i] -= dot * q[i];
        }
        for (int64_t i = 0; i < m; i++)
            norm += x[i] * x[i];
        norm = norm > 0 ? 1 / sqrt(norm) : 0;
        for (int64_t i = 0; i < m; i++)
            x[i] *= norm;
    }
}

static bool fill_orthogonal(const struct initializer *init, uint64_t seed, uint32_t stream, struct shape shape,
                            float *out, struct err *err)
{
    if (shape.rank < 2)
        return err_set(err, ERR_USAGE, "%s: Orthogonal needs a weight of at least two dimensions, found %d",
                       init->where, shape.rank);
    int64_t elements = shape_elements(shape), columns = shape.dim[shape.rank - 1], rows = elements / columns;
    int64_t m = rows > columns ? rows : columns, n = rows > columns ? columns : rows;
    double *q = io_allocate((size_t)elements * sizeof *q, "an orthogonal initializer", err);
    if (!q)
        return false;
    rng_fill_normal(seed, stream, 0, out, (size_t)elements);
    for (int64_t i = 0; i < elements; i++)
        q[i] = out[i];
    orthonormalize(q, m, n);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            out[r * columns + c] = (float)(init->a * (rows < columns ? q[r * m + c] : q[c * m + r]));
    free(q);
    return true;
}

static bool fill_identity(const struct initializer *init, uint64_t seed, uint32_t stream, struct shape shape,
                          float *out, struct err *err)
{
    (void)seed, (void)stream;
    if (shape.rank != 2)
        return err_set(err, ERR_USAGE, "%s: Identity needs a weight of two dimensions, found %d", init->where,
                       shape.rank);
    for (int64_t r = 0; r < shape.dim[0]; r++)
        for (int64_t c = 0; c < shape.dim[1]; c++)
            out[r * shape.dim[1] + c] = r == c ? (float)init->a : 0;
    return true;
}

#define ARG_SEED                                                                                                       \
    {                                                                                                                  \
        "seed", ARG_ANY, "null", NULL, 0, 0, "the same numbers wherever it is used; null follows the run's seed"       \
    }
#define ARG_AXES                                                                                                       \
    {"input_axes", ARG_INTS, "null", NULL, 0, 0, "axes of the weight that count as inputs"},                           \
    {                                                                                                                  \
        "output_axes", ARG_INTS, "null", NULL, 0, 0, "axes of the weight that count as outputs"                        \
    }

static const struct argument no_arguments[] = {{0}};
static const struct argument scaled_arguments[] = {ARG_SEED, ARG_AXES, {0}};
static const struct argument constant_arguments[] = {{"value", ARG_FLOAT, "0.0", NULL, 0, 0, "the value"}, {0}};
static const struct argument normal_arguments[] = {{"mean", ARG_FLOAT, "0.0", NULL, 0, 0, "mean"},
                                                   {"stddev", ARG_FLOAT, "0.05", NULL, 0, 0, "standard deviation"},
                                                   ARG_SEED,
                                                   {0}};
static const struct argument uniform_arguments[] = {{"minval", ARG_FLOAT, "-0.05", NULL, 0, 0, "lower bound"},
                                                    {"maxval", ARG_FLOAT, "0.05", NULL, 0, 0, "upper bound"},
                                                    ARG_SEED,
                                                    {0}};
static const struct argument gain_arguments[] = {{"gain", ARG_FLOAT, "1.0", NULL, 0, 0, "factor"}, ARG_SEED, {0}};
static const struct argument variance_arguments[] = {
    {"scale", ARG_FLOAT, "1.0", NULL, 1e-30, 1e30, "variance times fan"},
    {"mode", ARG_CHOICE, "\"fan_in\"", "fan_in|fan_out|fan_avg", 0, 0, "which fan divides the variance"},
    {"distribution", ARG_CHOICE, "\"truncated_normal\"", "truncated_normal|normal|untruncated_normal|uniform", 0, 0,
     "distribution"},
    ARG_SEED,
    ARG_AXES,
    {0}};

#define SCALED(name, help, scale, mode, distribution)                                                                  \
    {                                                                                                                  \
        {name, help, scaled_arguments}, fill_scaled, scale, mode, distribution                                         \
    }

static const struct initializer_row rows[] = {
    {{"Zeros", "all zero", no_arguments}, fill_constant, 0, NULL, NULL},
    {{"Ones", "all one", no_arguments}, fill_constant, 1, NULL, NULL},
    {{"Constant", "one value", constant_arguments}, fill_constant, 0, NULL, NULL},
    {{"RandomNormal", "normal distribution", normal_arguments}, fill_normal, 0, NULL, NULL},
    {{"RandomUniform", "uniform distribution", uniform_arguments}, fill_uniform, 0, NULL, NULL},
    {{"TruncatedNormal", "normal distribution cut at two deviations", normal_arguments}, fill_truncated, 0, NULL, NULL},
    {{"VarianceScaling", "variance scale / fan", variance_arguments}, fill_scaled, 0, NULL, NULL},
    SCALED("GlorotUniform", "uniform within sqrt(6 / (fan_in + fan_out))", 1, "fan_avg", "uniform"),
    SCALED("GlorotNormal", "truncated normal, deviation sqrt(2 / (fan_in + fan_out))", 1, "fan_avg",
           "truncated_normal"),
    SCALED("HeUniform", "uniform within sqrt(6 / fan_in)", 2, "fan_in", "uniform"),
    SCALED("HeNormal", "truncated normal, deviation sqrt(2 / fan_in)", 2, "fan_in", "truncated_normal"),
    SCALED("LecunUniform", "uniform within sqrt(3 / fan_in)", 1, "fan_in", "uniform"),
    SCALED("LecunNormal", "truncated normal, deviation sqrt(1 / fan_in)", 1, "fan_in", "truncated_normal"),
    {{"Orthogonal", "orthogonal matrix", gain_arguments}, fill_orthogonal, 0, NULL, NULL},
    {{"Identity", "identity matrix times gain", gain_arguments}, fill_identity, 0, NULL, NULL},
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

static const struct {
    const char *alias, *name;
} aliases[] = {
    {"OrthogonalInitializer", "Orthogonal"},
    {"IdentityInitializer", "Identity"},
    {"normal", "RandomNormal"},
    {"one", "Ones"},
    {"uniform", "RandomUniform"},
    {"zero", "Zeros"},
};

static const struct initializer_row *find_row(const char *name)
{
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (!strcmp(aliases[i].alias, name))
            name = aliases[i].name;
    for (int i = 0; i < N_ROWS; i++)
        if (class_name_equal(rows[i].class.name, name))
            return &rows[i];
    return NULL;
}

static const struct initializer_row *require_row(const char *name, const char *where, struct err *err)
{
    const struct initializer_row *row = find_row(name);
    const char *names[N_ROWS];
    if (row)
        return row;
    for (int i = 0; i < N_ROWS; i++)
        names[i] = rows[i].class.name;
    err_set(err, ERR_USAGE, "%s: unknown initializer '%s'", where, name);
    err_nearest(err, str_nearest(name, names, N_ROWS));
    return NULL;
}

static void take_arguments(struct initializer *init, const json_t *config)
{
    const struct argument *a = init->row->class.arguments;
    init->a = init->row->scale;
    init->mode = init->row->mode;
    init->distribution = init->row->distribution;
    if (a == constant_arguments)
        init->a = argument_double(a, config, "value");
    if (a == normal_arguments || a == uniform_arguments) {
        init->a = argument_double(a, config, a[0].name);
        init->b = argument_double(a, config, a[1].name);
    }
    if (a == gain_arguments)
        init->a = argument_double(a, config, "gain");
    if (a == variance_arguments) {
        init->a = argument_double(a, config, "scale");
        init->mode = argument_string(a, config, "mode");
        init->distribution = argument_string(a, config, "distribution");
        if (!strcmp(init->distribution, "normal"))
            init->distribution = "truncated_normal";
    }
    init->input_axes = json_object_get(config, "input_axes");
    init->output_axes = json_object_get(config, "output_axes");
    const json_t *seed = json_object_get(config, "seed");
    init->seeded = json_is_integer(seed);
    init->seed = (uint64_t)json_integer_value(seed);
}

const struct initializer *initializer_parse(struct arena *arena, const json_t *json, const char *fallback,
                                            const char *where, struct err *err)
{
    static const char *const common[] = {"class", NULL};
    const char *name = fallback;
    const json_t *config = NULL;
    if (json && !json_is_null(json) && !class_reference(json, &name, &config))
        return err_null(err, ERR_USAGE, "%s: an initializer is a name or an object with \"class\", found %s", where,
                        js_type_name(json));
    const struct initializer_row *row = require_row(name, where, err);
    if (!row || !arguments_check(row->class.name, row->class.arguments, common, config, where, err))
        return NULL;
    struct initializer *init = arena_alloc(arena, sizeof *init);
    init->row = row;
    init->where = arena_strdup(arena, where);
    take_arguments(init, config);
    return init;
}

bool initializer_fill(const struct initializer *initializer, uint64_t seed, int64_t number, struct shape shape,
                      float *out, struct err *err)
{
    uint32_t stream = RNG_STREAM_INIT + (initializer->seeded ? 0 : (uint32_t)(number % (1 << 20)));
    return initializer->row->fill(initializer, initializer->seeded ? initializer->seed : seed, stream, shape, out, err);
}

bool initializer_fill_variable(const struct variable *variable, uint64_t seed, float *out, struct err *err)
{
    return initializer_fill(variable->initializer, seed, variable->seed_number, variable->shape, out, err);
}

json_t *initializers_describe(void)
{
    json_t *list = json_array();
    for (int i = 0; i < N_ROWS; i++)
        json_array_append_new(list, class_describe(rows[i].class.name, rows[i].class.help, rows[i].class.arguments));
    return list;
}
