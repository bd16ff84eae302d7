/* layers_einsum.c - EinsumDense: an equation such as "abc,cd->abd", lowered to one matrix product
 *
 * Every label is one of: free (input and output), new (kernel and output), summed (input and kernel), shared (all
 * three), or summed in the input alone. Input and kernel are brought to [shared, free, summed] and [shared, summed,
 * new].
 */
#include "engine/layers/layer_support.h"

#include <string.h>

enum { ELIDED = 128 }; /* labels from here on are the axes that "..." stands for */

struct labels {
    int n, at[RANK_MAX];
};

struct einsum {
    struct labels x, w, y;
    int64_t size[ELIDED + RANK_MAX];
    struct shape bias; /* as it broadcasts over the output */
    const struct activation *activation;
    bool has_bias;
};

static bool has(const struct labels *l, int label)
{
    for (int i = 0; i < l->n; i++)
        if (l->at[i] == label)
            return true;
    return false;
}

/* One operand's text: letters, "..." in front or behind stands for `elided` axes (-1: there may be none). */
static bool read_labels(const struct layer *layer, const char *text, size_t length, int elided, struct labels *out,
                        struct err *err)
{
    const char *equation = layer_string(layer, "equation");
    out->n = 0;
    for (size_t i = 0; i < length;) {
        bool dots = length - i >= 3 && !strncmp(text + i, "...", 3);
        int count = dots ? elided : 1;
        if (!(dots && elided >= 0) && !(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= 'A' && text[i] <= 'Z'))
            return layer_fail(layer, err, "equation '%.100s' must be letters such as \"abc,cd->abd\", perhaps with ...",
                              equation);
        if (out->n + count > RANK_MAX)
            return layer_fail(layer, err, "equation '%.100s' has too many axes", equation);
        for (int k = 0; k < count; k++) {
            int label = dots ? ELIDED + k : text[i];
            if (has(out, label))
                return layer_fail(layer, err, "equation '%.100s' names an axis twice in one operand", equation);
            out->at[out->n++] = label;
        }
        i += dots ? 3 : 1;
    }
    return true;
}

static int count_letters(const char *text, size_t length)
{
    int n = 0;
    for (size_t i = 0; i < length; i++)
        n += text[i] != '.';
    return n;
}

static bool read_equation(const struct layer *layer, struct einsum *e, int rank, struct err *err)
{
    const char *text = layer_string(layer, "equation"), *comma = strchr(text, ','), *arrow = strstr(text, "->");
    if (!comma || !arrow || arrow < comma)
        return layer_fail(layer, err, "equation '%.100s' must have the form \"abc,cd->abd\"", text);
    size_t n_x = (size_t)(comma - text), n_w = (size_t)(arrow - comma - 1);
    bool dots = memmem(text, n_x, "...", 3) != NULL;
    int elided = dots ? rank - count_letters(text, n_x) : -1;
    if (dots && elided < 0)
        return layer_fail(layer, err, "equation '%.100s' has more axes than the input's %d with the batch", text, rank);
    if (!read_labels(layer, text, n_x, elided, &e->x, err) || !read_labels(layer, comma + 1, n_w, -1, &e->w, err) ||
        !read_labels(layer, arrow + 2, strlen(arrow + 2), elided, &e->y, err))
        return false;
    return e->x.n == rank ||
           layer_fail(layer, err, "equation '%.100s' has %d axes for its input, found %d with the batch", text, e->x.n,
                      rank);
}

/* Sizes of all labels: from the input, then what output_shape says of the others. */
static bool find_sizes(const struct layer *layer, struct einsum *e, struct shape batched, struct err *err)
{
    const json_t *given = layer_arg(layer, "output_shape");
    size_t next = 0, n = json_is_array(given) ? json_array_size(given) : 1;
    for (int i = 0; i < e->x.n; i++)
        e->size[e->x.at[i]] = batched.dim[i];
    for (int i = 0; i < e->y.n; i++) {
        int label = e->y.at[i];
        if (label >= ELIDED || i == 0)
            continue;
        const json_t *size = json_is_array(given) ? json_array_get(given, next) : given;
        next++;
        if (next > n)
            return layer_fail(layer, err, "output_shape has %zu sizes, the equation wants more", n);
        if (json_is_null(size))
            continue;
        if (has(&e->x, label) && e->size[label] != json_integer_value(size))
            return layer_fail(layer, err, "output_shape says %lld for axis '%c', the input has %lld",
                              (long long)json_integer_value(size), label, (long long)e->size[label]);
        e->size[label] = json_integer_value(size);
    }
    bool elided_first = e->y.n && e->y.at[0] >= ELIDED;
    if (next != n)
        return layer_fail(layer, err, "output_shape has %zu sizes, the equation wants %zu%s", n, next,
                          elided_first ? " besides those of ..." : " besides the batch");
    const struct labels *all[] = {&e->w, &e->y};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < all[k]->n; i++)
            if (e->size[all[k]->at[i]] < 1)
                return layer_fail(layer, err, "the size of axis '%c' is not known: output_shape must say it",
                                  all[k]->at[i]);
    for (int i = 0; i < e->w.n; i++)
        if (!has(&e->x, e->w.at[i]) && !has(&e->y, e->w.at[i]))
            return layer_fail(layer, err, "axis '%c' of the kernel is in neither input nor output", e->w.at[i]);
    for (int i = 0; i < e->y.n; i++)
        if (!has(&e->x, e->y.at[i]) && !has(&e->w, e->y.at[i]))
            return layer_fail(layer, err, "axis '%c' of the output is in neither input nor kernel", e->y.at[i]);
    return true;
}

/* The bias has the sizes of its axes and 1 elsewhere, from its first axis on. */
static bool find_bias(const struct layer *layer, struct einsum *e, struct err *err)
{
    const char *axes = layer_string(layer, "bias_axes");
    bool begun = false;
    e->has_bias = axes != NULL;
    for (const char *p = axes ? axes : ""; *p; p++)
        if (!has(&e->y, *p))
            return layer_fail(layer, err, "bias_axes '%.50s' has the axis '%c', which the output does not have", axes,
                              *p);
    for (int i = 0; axes && i < e->y.n; i++) {
        int label = e->y.at[i];
        bool own = label < ELIDED && strchr(axes, label);
        begun = begun || own;
        if (begun)
            e->bias.dim[e->bias.rank++] = own ? e->size[label] : 1;
    }
    return true;
}

static bool build_einsum(struct layer *layer, struct model *model, const struct shape *inputs, int n,
                         struct shape *output, struct err *err)
{
    struct einsum *e = arena_alloc(&model->arena, sizeof *e);
    struct shape kernel = {0};
    (void)n;
    layer->state = e;
    if (!read_equation(layer, e, inputs[0].rank + 1, err) || !find_sizes(layer, e, shape_batched(1, inputs[0]), err) ||
        !find_bias(layer, e, err))
        return false;
    if (!e->y.n || e->y.at[0] != e->x.at[0] || has(&e->w, e->x.at[0]))
        return layer_fail(layer, err, "the first axis of input and output must be the batch");
    for (int i = 0; i < e->w.n; i++)
        kernel.dim[kernel.rank++] = e->size[e->w.at[i]];
    if (!layer_add_variable(layer, model, "kernel", kernel, true, "kernel_initializer", "glorot_uniform", err) ||
        (e->has_bias && !layer_add_variable(layer, model, "bias", e->bias, true, "bias_initializer", "zeros", err)))
        return false;
    *output = (struct shape){0};
    for (int i = 1; i < e->y.n; i++)
        output->dim[output->rank++] = e->size[e->y.at[i]];
    e->activation = layer_activation(layer, model, err);
    if (!e->activation || !activation_fits(e->activation, *output, layer->where, err))
        return false;
    *output = activation_shape(e->activation, *output);
    return true;
}

/* x's axes in the order of labels. */
static struct value *arranged(struct graph *g, struct value *x, const struct labels *from, const struct labels *to)
{
    int order[RANK_MAX];
    bool same = true;
    for (int i = 0; i < to->n; i++) {
        int at = 0;
        while (from->at[at] != to->at[i])
            at++;
        order[i] = at;
        same = same && at == i;
    }
    return same ? x : op_transpose(g, x, order);
}

/* Appends those labels of l that x, w and y have as asked; returns the product of their sizes. */
static int64_t pick(const struct einsum *e, const struct labels *l, bool in_x, bool in_w, bool in_y, int64_t batch,
                    struct labels *out)
{
    int64_t size = 1;
    for (int i = 0; i < l->n; i++) {
        int label = l->at[i];
        if (has(&e->x, label) != in_x || has(&e->w, label) != in_w || has(&e->y, label) != in_y)
            continue;
        out->at[out->n++] = label;
        size *= label == e->x.at[0] ? batch : e->size[label];
    }
    return size;
}

static struct value *lower_einsum(struct layer *layer, struct lowering *l, struct value *const *inputs, int n)
{
    const struct einsum *e = layer->state;
    struct graph *g = l->graph;
    struct value *x = as_float(g, inputs[0]), *w = layer_value(l, layer, 0);
    struct labels left = {0}, right = {0}, product = {0}, alone = {0}, rest = {0};
    int axes[RANK_MAX];
    (void)n;
    if (!x || !w)
        return NULL;
    pick(e, &e->x, true, false, false, l->batch, &alone);
    for (int i = 0; i < e->x.n; i++)
        if (has(&alone, e->x.at[i]))
            axes[i - rest.n] = i;
        else
            rest.at[rest.n++] = e->x.at[i];
    if (alone.n)
        x = layer_cast(l, layer, op_reduce(g, REDUCE_SUM, x, axes, alone.n, false));
    int64_t shared = pick(e, &e->x, true, true, true, l->batch, &left),
            rows = pick(e, &e->x, true, false, true, l->batch, &left);
    int64_t summed = pick(e, &e->x, true, true, false, l->batch, &left), columns;
    pick(e, &e->x, true, true, true, l->batch, &right);
    pick(e, &e->x, true, true, false, l->batch, &right);
    columns = pick(e, &e->w, false, true, true, l->batch, &right);
    pick(e, &e->x, true, true, true, l->batch, &product);
    pick(e, &e->x, true, false, true, l->batch, &product);
    pick(e, &e->w, false, true, true, l->batch, &product);
    x = op_reshape(g, arranged(g, x, &rest, &left), shared > 1 ? SHAPE(shared, rows, summed) : SHAPE(rows, summed));
    w = op_reshape(g, arranged(g, w, &e->w, &right),
                   shared > 1 ? SHAPE(shared, summed, columns) : SHAPE(summed, columns));
    struct shape shape = {0};
    for (int i = 0; i < product.n; i++)
        shape.dim[shape.rank++] = product.at[i] == e->x.at[0] ? l->batch : e->size[product.at[i]];
    struct value *y = arranged(g, op_reshape(g, op_matmul(g, x, w, false, false), shape), &product, &e->y);
    if (e->has_bias)
        y = layer_cast(l, layer, op_add(g, y, layer_value(l, layer, 1)));
    return activation_lower(g, e->activation, y);
}

static const struct argument einsum_arguments[] = {
    {"equation", ARG_STRING, NULL, NULL, 0, 0, "axes of input, kernel and output: \"abc,cd->abd\", \"...x,xy->...y\""},
    {"output_shape", ARG_ANY, NULL, NULL, 0, 0,
     "sizes of the output's axes without the batch; null where the input says it"},
    {"activation", ARG_ACTIVATION, "null", NULL, 0, 0, "applied to the output"},
    {"bias_axes", ARG_STRING, "null", NULL, 0, 0, "axes of the output that the bias has; null for no bias"},
    ARG_WEIGHT("kernel", "\"glorot_uniform\""),
    ARG_WEIGHT("bias", "\"zeros\""),
    {"gptq_unpacked_column_size", ARG_ANY, "null", NULL, 0, 0, "of quantized files, without effect"},
    {0}};

const struct layer_class layers_einsum[] = {{"EinsumDense", "products and sums over axes as an equation says",
                                             einsum_arguments, 1, 1, build_einsum, lower_einsum, NULL},
                                            {0}};
