/* Layers that draw random numbers, while training: distributions, repeatability, and streams that shared layers do not
 * share. */
#include "base/rng.h"
#include "engine/layers/model.h"
#include "engine/plan/plan.h"
#include "tests/check.h"

enum { BATCH = 40, STEPS = 10, CHANNELS = 50, N = BATCH * STEPS * CHANNELS };
static float first[N], second[N];

/* Runs `layers` on samples of (10, 50) filled with ones, or with normal numbers, and keeps the first output and the
 * last. */
static void run(const char *layers, int32_t step_number, bool normal, float *out, float *last)
{
    struct err err = {0};
    char text[1024];
    snprintf(text, sizeof text, "{\"layers\": [{\"class\": \"InputLayer\", \"name\": \"x\", \"shape\": [10, 50]}, %s]}",
             layers);
    json_t *json = js_parse(text, strlen(text), "test", JS_STRICT, &err);
    struct model_spec *spec = model_spec_from_layers(json, "model", &err);
    struct model *model = spec ? model_new(spec, 3, NULL, &err) : NULL;
    CHECK_OK(model != NULL, err);
    struct graph *g = graph_new();
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(BATCH, STEPS, CHANNELS)), *outputs[4], *penalty;
    struct value *step = op_input(g, "step", DTYPE_I32, (struct shape){0});
    CHECK_OK(model_lower(model, g, BATCH, MODE_TRAIN, &x, step, outputs, &penalty), g->error);
    for (int i = 0; i < model->n_outputs; i++)
        graph_keep(g, outputs[i]);
    struct device *device = backend_reference.open(&(struct device_options){.n_threads = 1}, &err);
    CHECK_OK(variables_allocate(model->variables, model->n_variables, &backend_reference, device, 1, &err), err);
    struct plan *plan = plan_new(g, &backend_reference, device, &(struct plan_options){0}, &err);
    CHECK_OK(plan != NULL, err);
    float *in = plan_input(plan, x);
    rng_fill_normal(1, RNG_STREAM_DATA, 0, in, N);
    for (int i = 0; i < N && !normal; i++)
        in[i] = 1;
    *(int32_t *)plan_input(plan, step) = step_number;
    plan_run(plan);
    memcpy(out, plan_output(plan, outputs[0]), sizeof first);
    if (last)
        memcpy(last, plan_output(plan, outputs[model->n_outputs - 1]), sizeof first);
    plan_free(plan);
    variables_release(model->variables, model->n_variables, &backend_reference, device);
    backend_reference.close(device);
    graph_free(g);
    model_free(model);
    model_spec_free(spec);
    json_decref(json);
}

static double mean_of(const float *x)
{
    double sum = 0;
    for (int i = 0; i < N; i++)
        sum += x[i];
    return sum / N;
}

static double deviation_of(const float *x)
{
    double mean = mean_of(x), squares = 0;
    for (int i = 0; i < N; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return sqrt(squares / N);
}

static void test_dropout_keeps_the_mean_and_repeats_for_a_step(void)
{
    const char *layer = "{\"class\": \"Dropout\", \"rate\": 0.2}";
    run(layer, 5, false, first, NULL);
    int kept = 0;
    for (int i = 0; i < N; i++) {
        CHECK(first[i] == 0 || fabsf(first[i] - 1.25f) < 1e-6f);
        kept += first[i] != 0;
    }
    CHECK_NEAR((double)kept / N, 0.8, 0.01);
    run(layer, 5, false, second, NULL);
    CHECK(!memcmp(first, second, sizeof first));
    run(layer, 6, false, second, NULL);
    CHECK(memcmp(first, second, sizeof first));
}

static void test_two_calls_and_two_layers_draw_different_masks(void)
{
    run("{\"class\": \"Dropout\", \"rate\": 0.5, \"name\": \"d\", \"inputs\": [[\"x\"], [\"x\"]]}", 0, false, first,
        second);
    CHECK(memcmp(first, second, sizeof first));
    run("{\"class\": \"Dropout\", \"rate\": 0.5, \"name\": \"d\", \"inputs\": [\"x\"]}, {\"class\": \"Dropout\", "
        "\"rate\": 0.5, \"inputs\": [\"x\"]}",
        0, false, first, second);
    CHECK(memcmp(first, second, sizeof first));
}

static void test_spatial_dropout_drops_whole_channels(void)
{
    run("{\"class\": \"SpatialDropout1D\", \"rate\": 0.5}", 1, false, first, NULL);
    int dropped = 0;
    for (int b = 0; b < BATCH; b++)
        for (int c = 0; c < CHANNELS; c++) {
            float *channel = first + b * STEPS * CHANNELS + c;
            for (int s = 1; s < STEPS; s++)
                CHECK(channel[s * CHANNELS] == channel[0]);
            dropped += channel[0] == 0;
        }
    CHECK_NEAR((double)dropped / (BATCH * CHANNELS), 0.5, 0.05);
}

static void test_a_noise_shape_shares_the_mask(void)
{
    run("{\"class\": \"Dropout\", \"rate\": 0.5, \"noise_shape\": [1, null, 50]}", 1, false, first, NULL);
    for (int i = STEPS * CHANNELS; i < N; i++)
        CHECK(first[i] == first[i % (STEPS * CHANNELS)]);
    CHECK_NEAR(mean_of(first), 1, 0.2);
}

static void test_noise_layers_have_keras_moments(void)
{
    run("{\"class\": \"GaussianNoise\", \"stddev\": 0.5}", 1, false, first, NULL);
    CHECK_NEAR(mean_of(first), 1, 0.02);
    CHECK_NEAR(deviation_of(first), 0.5, 0.02);
    run("{\"class\": \"GaussianDropout\", \"rate\": 0.2}", 1, false, first, NULL);
    CHECK_NEAR(mean_of(first), 1, 0.02);
    CHECK_NEAR(deviation_of(first), 0.5, 0.02);
    run("{\"class\": \"AlphaDropout\", \"rate\": 0.3}", 1, true, first, NULL);
    CHECK(fabs(mean_of(first)) < 0.03);
    CHECK_NEAR(deviation_of(first), 1, 0.03);
}

/* Kernels that hand on what they get: the output is the input under its mask. */
#define UNIT "\"units\": 50, \"activation\": \"linear\", \"kernel_initializer\": \"identity\", "

static void test_a_recurrent_layer_drops_the_same_inputs_at_every_step(void)
{
    run("{\"class\": \"SimpleRNN\", " UNIT
        "\"recurrent_initializer\": \"zeros\", \"dropout\": 0.2, \"return_sequences\": true}",
        3, false, first, NULL);
    int kept = 0;
    for (int b = 0; b < BATCH; b++)
        for (int c = 0; c < CHANNELS; c++) {
            const float *unit = first + b * STEPS * CHANNELS + c;
            CHECK(unit[0] == 0 || fabsf(unit[0] - 1.25f) < 1e-6f);
            kept += unit[0] != 0;
            for (int s = 1; s < STEPS; s++)
                CHECK(unit[s * CHANNELS] == unit[0]);
        }
    CHECK_NEAR((double)kept / (BATCH * CHANNELS), 0.8, 0.03);
}

static void test_recurrent_dropout_keeps_one_mask_for_the_states(void)
{
    run("{\"class\": \"SimpleRNN\", " UNIT
        "\"recurrent_initializer\": \"identity\", \"recurrent_dropout\": 0.5, \"return_sequences\": true}",
        3, false, first, NULL);
    int kept = 0;
    for (int b = 0; b < BATCH; b++)
        for (int c = 0; c < CHANNELS; c++) {
            const float *unit = first + b * STEPS * CHANNELS + c; /* h = 1, then 1 + 2 h where it is kept */
            bool keeps = unit[CHANNELS] > 1;
            kept += keeps;
            for (int s = 1; s < STEPS; s++)
                CHECK_NEAR((double)unit[s * CHANNELS], keeps ? pow(2, s + 1) - 1 : 1, 1e-3);
        }
    CHECK_NEAR((double)kept / (BATCH * CHANNELS), 0.5, 0.05);
}

#define GRU_OF(n)                                                                                                      \
    "{\"class\": \"GRU\", \"units\": 50, \"dropout\": 0.5, \"return_sequences\": true, \"implementation\": " n "}"

static void test_gates_may_have_masks_of_their_own(void)
{
    run(GRU_OF("1"), 3, true, first, NULL);
    run(GRU_OF("2"), 3, true, second, NULL);
    CHECK(memcmp(first, second, sizeof first));
    run(GRU_OF("2"), 4, true, first, NULL);
    CHECK(memcmp(first, second, sizeof first));
    run(GRU_OF("2"), 4, true, second, NULL);
    CHECK(!memcmp(first, second, sizeof first));
}

int main(void)
{
    RUN(test_a_recurrent_layer_drops_the_same_inputs_at_every_step);
    RUN(test_recurrent_dropout_keeps_one_mask_for_the_states);
    RUN(test_gates_may_have_masks_of_their_own);
    RUN(test_dropout_keeps_the_mean_and_repeats_for_a_step);
    RUN(test_two_calls_and_two_layers_draw_different_masks);
    RUN(test_spatial_dropout_drops_whole_channels);
    RUN(test_a_noise_shape_shares_the_mask);
    RUN(test_noise_layers_have_keras_moments);
    return check_done();
}
