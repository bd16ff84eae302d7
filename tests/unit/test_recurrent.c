/* Recurrent layers: the op over the whole sequence and the graph of single steps are the same function with the same
 * gradients, dropout and all; and steps that a mask holds back change nothing. */
#include "base/rng.h"
#include "engine/layers/model.h"
#include "engine/plan/plan.h"
#include "tests/check.h"

enum { BATCH = 3, STEPS = 7, FEATURES = 4, N = BATCH * STEPS * FEATURES, MOST = 4096 };

struct outcome { /* the outputs and the gradients of all weights, one behind the other */
    float values[MOST];
    size_t n;
    int n_nodes;
};

static void append(struct outcome *o, struct plan *plan, const struct value *value)
{
    size_t n = (size_t)shape_elements(value->shape);
    CHECK(o->n + n <= MOST);
    memcpy(o->values + o->n, plan_output(plan, value), n * sizeof(float));
    o->n += n;
}

/* Masking and then `layer`; samples differ in their last steps, which are zero. */
static void run(const char *layer, struct outcome *o)
{
    struct err err = {0};
    char text[1024];
    snprintf(text, sizeof text,
             "{\"layers\": [{\"class\": \"InputLayer\", \"shape\": [7, 4]}, {\"class\": \"Masking\"}, %s]}", layer);
    json_t *json = js_parse(text, strlen(text), "test", JS_STRICT, &err);
    struct model_spec *spec = model_spec_from_layers(json, "model", &err);
    struct model *model = spec ? model_new(spec, 3, NULL, &err) : NULL;
    CHECK_OK(model != NULL, err);
    struct graph *g = graph_new();
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(BATCH, STEPS, FEATURES)), *y, *penalty, *w[8], *dw[8];
    struct value *step = op_constant(g, DTYPE_I32, (struct shape){0}, &(int32_t){1});
    CHECK_OK(model_lower(model, g, BATCH, MODE_TRAIN, &x, step, &y, &penalty), g->error);
    for (int i = 0; i < model->n_trainable; i++)
        w[i] = op_variable(g, model->trainable[i]);
    struct value *direction = op_random(g, RANDOM_NORMAL, step, y->shape, 1, 2);
    graph_gradient(g, op_sum_all(g, op_mul(g, y, direction)), w, model->n_trainable, dw);
    graph_keep(g, y);
    for (int i = 0; i < model->n_trainable; i++)
        graph_keep(g, dw[i]);
    struct device *device = backend_cpu.open(&(struct device_options){.n_threads = 1}, &err);
    CHECK_OK(variables_allocate(model->variables, model->n_variables, &backend_cpu, device, 5, &err), err);
    struct plan *plan = plan_new(g, &backend_cpu, device, &(struct plan_options){0}, &err);
    CHECK_OK(plan != NULL, err);
    float *in = plan_input(plan, x);
    rng_fill_normal(1, RNG_STREAM_DATA, 0, in, N);
    for (int b = 0; b < BATCH; b++)
        memset(in + (b * STEPS + STEPS - b) * FEATURES, 0, (size_t)(b * FEATURES) * sizeof *in);
    plan_run(plan);
    o->n = 0;
    o->n_nodes = g->n_nodes;
    append(o, plan, y);
    for (int i = 0; i < model->n_trainable; i++)
        append(o, plan, dw[i]);
    plan_free(plan);
    variables_release(model->variables, model->n_variables, &backend_cpu, device);
    backend_cpu.close(device);
    graph_free(g);
    model_free(model);
    model_spec_free(spec);
    json_decref(json);
}

/* tanh written so that it is no activation by name. */
#define ODD_TANH "\"activation\": {\"expression\": \"0 - tanh(0 - x)\"}"
#define LAYER(class, more) "{\"class\": \"" class "\", \"units\": 5, \"bias_initializer\": \"random_normal\", " more "}"
#define PAIR(class, more)                                                                                              \
    {                                                                                                                  \
        LAYER(class, more ", \"activation\": \"tanh\""), LAYER(class, more ", " ODD_TANH)                              \
    }

static void test_single_steps_and_whole_sequences_are_the_same(void)
{
    static const char *const pairs[][2] = {
        PAIR("LSTM", "\"return_sequences\": true"),
        PAIR("LSTM", "\"go_backwards\": true, \"zero_output_for_mask\": true"),
        PAIR("GRU", "\"return_sequences\": true, \"go_backwards\": true"),
        PAIR("GRU", "\"use_bias\": false, \"recurrent_activation\": \"hard_sigmoid\""),
        PAIR("LSTM", "\"return_sequences\": true, \"recurrent_dropout\": 0.4"),
        PAIR("LSTM", "\"dropout\": 0.3, \"recurrent_dropout\": 0.4, \"go_backwards\": true"),
        PAIR("LSTM", "\"dropout\": 0.3, \"implementation\": 1"),
        PAIR("GRU", "\"dropout\": 0.3, \"recurrent_dropout\": 0.4, \"return_sequences\": true"),
        PAIR("GRU", "\"dropout\": 0.3, \"recurrent_dropout\": 0.4, \"reset_after\": false"),
        PAIR("SimpleRNN", "\"dropout\": 0.3, \"recurrent_dropout\": 0.4, \"return_sequences\": true"),
        PAIR("GRU", "\"reset_after\": false, \"return_sequences\": true"),
        PAIR("GRU", "\"reset_after\": false, \"go_backwards\": true, \"use_bias\": false"),
        PAIR("SimpleRNN", "\"return_sequences\": true, \"zero_output_for_mask\": true"),
        PAIR("SimpleRNN", "\"go_backwards\": true"),
    };
    static struct outcome whole, steps;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        run(pairs[i][0], &whole);
        run(pairs[i][1], &steps);
        CHECK(steps.n_nodes > 2 * whole.n_nodes);
        CHECK_EQ(steps.n, whole.n);
        for (size_t k = 0; k < whole.n; k++)
            if (!(fabsf(steps.values[k] - whole.values[k]) <= 2e-5f * (1 + fabsf(whole.values[k]))))
                CHECK_FAIL("%s: number %zu is %g, step by step %g", pairs[i][0], k, (double)whole.values[k],
                           (double)steps.values[k]);
    }
}

static void test_masked_steps_keep_the_output(void)
{
    static struct outcome o;
    run(LAYER("LSTM", "\"return_sequences\": true"), &o);
    for (int b = 1; b < BATCH; b++) {
        const float *last = o.values + (b * STEPS + STEPS - b - 1) * 5;
        for (int t = 1; t <= b; t++)
            CHECK(!memcmp(last, last + (ptrdiff_t)t * 5, 5 * sizeof *last));
    }
    run(LAYER("LSTM", "\"return_sequences\": true, \"zero_output_for_mask\": true"), &o);
    CHECK(o.values[(STEPS + STEPS - 1) * 5] == 0 && o.values[(STEPS + STEPS - 2) * 5] != 0);
}

int main(void)
{
    RUN(test_single_steps_and_whole_sequences_are_the_same);
    RUN(test_masked_steps_keep_the_output);
    return check_done();
}
