/* drive_train.c - trains small models as a JSON file says and writes what came out, for test_compile.py to compare with
 * Keras.
 *
 *     drive_train CASES.json RESULTS.json [BACKEND]
 *
 * {"datasets": {name: {"x": [tensor], "y": [tensor], "w": [tensor or null]}}, "cases": [{"name", "model": Keras'
 * to_json, "compile", "weights": [tensor], "train": dataset, "validation": dataset or null, "batch_size", "epochs",
 * "finalize"}]}; tensor: {"shape": [n, ...], "values": [flat]}.
 */
#include "engine/compile/compile.h"
#include "engine/plan/plan.h"
#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct backend *backend;
static struct device *device;

static void fail(const struct err *err)
{
    fprintf(stderr, "drive_train: %s\n", err->text);
    exit(1);
}

static struct shape shape_of(const json_t *tensor, int from)
{
    const json_t *dims = json_object_get(tensor, "shape");
    struct shape shape = {0};
    for (size_t i = (size_t)from; i < json_array_size(dims); i++)
        shape.dim[shape.rank++] = json_integer_value(json_array_get(dims, i));
    return shape;
}

static double element(const json_t *tensor, int64_t i)
{
    double value = 0;
    js_to_double(json_array_get(json_object_get(tensor, "values"), (size_t)i), &value);
    return value;
}

/* Rows [first, first + n) of a tensor, as float32 or int32. */
static void gather(const json_t *tensor, int64_t first, int64_t n, enum dtype dtype, void *out)
{
    int64_t row = shape_elements(shape_of(tensor, 1));
    for (int64_t i = 0; i < n * row; i++)
        if (dtype == DTYPE_I32)
            ((int32_t *)out)[i] = (int32_t)element(tensor, first * row + i);
        else
            ((float *)out)[i] = (float)element(tensor, first * row + i);
}

/* A graph and plan for one batch size. */
struct step {
    struct graph *graph;
    struct plan *plan;
    struct batch_values values;
};

static void step_free(struct step *step)
{
    if (!step)
        return;
    plan_free(step->plan);
    graph_free(step->graph);
    free(step);
}

static struct step *step_new(struct compile *compile, const json_t *data, int64_t batch, bool train, struct err *err)
{
    const struct model *model = compile->model;
    struct step *step = xcalloc(1, sizeof *step);
    struct graph *g = step->graph = graph_new();
    step->values.inputs = arena_array(&g->arena, (size_t)model->n_inputs, sizeof(void *));
    step->values.targets = arena_array(&g->arena, (size_t)model->n_outputs, sizeof(void *));
    step->values.sample_weights = arena_array(&g->arena, (size_t)model->n_outputs, sizeof(void *));
    for (int i = 0; i < model->n_inputs; i++) {
        struct shape shape = shape_of(json_array_get(json_object_get(data, "x"), (size_t)i), 0);
        shape.dim[0] = batch;
        step->values.inputs[i] = op_input(g, "x", model->inputs[i].dtype, shape);
    }
    for (int i = 0; i < model->n_outputs; i++) {
        struct shape shape = shape_of(json_array_get(json_object_get(data, "y"), (size_t)i), 0);
        shape.dim[0] = batch;
        step->values.targets[i] = op_input(g, "y", compile_target_dtype(compile, i), shape);
        if (json_is_object(json_array_get(json_object_get(data, "w"), (size_t)i)))
            step->values.sample_weights[i] = op_input(g, "w", DTYPE_F32, SHAPE(batch));
    }
    bool lowered = train ? compile_lower_train(compile, g, batch, &step->values)
                         : compile_lower_evaluate(compile, g, batch, &step->values);
    if (!lowered || !graph_ok(g, err)) {
        graph_ok(g, err);
        step_free(step);
        return NULL;
    }
    step->plan = plan_new(g, backend, device, &(struct plan_options){0}, err);
    if (step->plan)
        return step;
    step_free(step);
    return NULL;
}

static void step_run(const struct compile *compile, struct step *step, const json_t *data, int64_t first, int64_t n)
{
    const struct model *model = compile->model;
    for (int i = 0; i < model->n_inputs; i++)
        gather(json_array_get(json_object_get(data, "x"), (size_t)i), first, n, model->inputs[i].dtype,
               plan_input(step->plan, step->values.inputs[i]));
    for (int i = 0; i < model->n_outputs; i++) {
        gather(json_array_get(json_object_get(data, "y"), (size_t)i), first, n, compile_target_dtype(compile, i),
               plan_input(step->plan, step->values.targets[i]));
        if (step->values.sample_weights[i])
            gather(json_array_get(json_object_get(data, "w"), (size_t)i), first, n, DTYPE_F32,
                   plan_input(step->plan, step->values.sample_weights[i]));
    }
    plan_run(step->plan);
}

static float *download(const struct variable *v)
{
    size_t bytes = (size_t)shape_elements(v->shape) * 4;
    float *host = xmalloc(bytes);
    backend->download(device, host, v->data, bytes);
    return host;
}

static json_t *values_of(const struct variable *v)
{
    float *host = download(v);
    json_t *list = json_array();
    for (int64_t i = 0; i < shape_elements(v->shape); i++)
        json_array_append_new(list, v->dtype == DTYPE_I32 ? json_integer(((int32_t *)(void *)host)[i])
                                                          : js_number((double)host[i]));
    free(host);
    return list;
}

/* One pass over the data with zeroed totals; appends the results to history under prefix + key. */
static bool pass(struct compile *compile, struct step **steps, const json_t *data, int64_t batch, bool train,
                 const char *prefix, json_t *history, struct err *err)
{
    int64_t n =
        json_integer_value(json_array_get(json_object_get(json_array_get(json_object_get(data, "x"), 0), "shape"), 0));
    for (int i = 0; i < compile->n_metric_variables; i++) {
        size_t bytes = (size_t)shape_elements(compile->metric_variables[i]->shape) * 4;
        float *zeros = xcalloc(1, bytes);
        backend->upload(device, compile->metric_variables[i]->data, zeros, bytes);
        free(zeros);
    }
    for (int64_t first = 0; first < n; first += batch) {
        int64_t size = n - first < batch ? n - first : batch;
        struct step **step = &steps[size < batch];
        if (!*step && !(*step = step_new(compile, data, size, train, err)))
            return false;
        step_run(compile, *step, data, first, size);
    }
    const void **totals = xcalloc((size_t)compile->n_metric_variables, sizeof *totals);
    double *results = xcalloc((size_t)compile->n_metrics, sizeof *results);
    for (int i = 0; i < compile->n_metric_variables; i++)
        totals[i] = download(compile->metric_variables[i]);
    compile_results(compile, totals, results);
    for (int i = 0; i < compile->n_metrics; i++) {
        char key[256];
        snprintf(key, sizeof key, "%s%s", prefix, compile->metric_names[i]);
        if (!json_object_get(history, key))
            json_object_set_new(history, key, json_array());
        json_array_append_new(json_object_get(history, key), js_number(results[i]));
    }
    for (int i = 0; i < compile->n_metric_variables; i++)
        free((void *)totals[i]);
    free(totals);
    free(results);
    return true;
}

static bool load_weights(struct model *model, const json_t *weights, struct err *err)
{
    if ((size_t)model->n_variables != json_array_size(weights))
        return err_set(err, ERR_FAILED, "the model has %d variables, found %zu", model->n_variables,
                       json_array_size(weights));
    for (int i = 0; i < model->n_variables; i++) {
        const json_t *tensor = json_array_get(weights, (size_t)i);
        struct variable *v = model->variables[i];
        int64_t n = shape_elements(v->shape);
        if (!shape_equal(shape_of(tensor, 0), v->shape))
            return err_set(err, ERR_FAILED, "variable %d '%s' has another shape", i, v->path);
        float *host = xmalloc((size_t)n * 4);
        for (int64_t k = 0; k < n; k++)
            host[k] = (float)element(tensor, k);
        backend->upload(device, v->data, host, (size_t)n * 4);
        free(host);
    }
    return true;
}

/* At the end of fit averages replace weights. */
static void finalize(const struct compile *compile)
{
    struct variable *const *weights, *const *averages;
    int n = compile_averages(compile, &weights, &averages);
    for (int i = 0; i < n; i++) {
        float *host = download(averages[i]);
        backend->upload(device, weights[i]->data, host, (size_t)shape_elements(weights[i]->shape) * 4);
        free(host);
    }
}

static bool train(struct compile *compile, const json_t *datasets, const json_t *one, json_t *result, struct err *err)
{
    const json_t *data = json_object_get(datasets, js_string(one, "train", "")),
                 *validation = json_object_get(datasets, js_string(one, "validation", ""));
    struct step *steps[2] = {NULL}, *evaluations[2] = {NULL};
    int64_t batch = js_int(one, "batch_size", 32);
    json_t *history = json_object();
    json_object_set_new(result, "history", history);
    bool ok = true;
    for (int64_t epoch = 0; ok && epoch < js_int(one, "epochs", 1); epoch++)
        ok = pass(compile, steps, data, batch, true, "", history, err) &&
             (!validation || pass(compile, evaluations, validation, batch, false, "val_", history, err));
    if (js_bool(one, "finalize", false))
        finalize(compile);
    for (int i = 0; i < 2; i++) {
        step_free(steps[i]);
        step_free(evaluations[i]);
    }
    return ok;
}

static void report(const struct model *model, const struct compile *compile, json_t *result)
{
    json_t *weights = json_array(), *optimizer = json_array(), *paths = json_array();
    for (int i = 0; i < model->n_variables; i++)
        json_array_append_new(weights, values_of(model->variables[i]));
    for (int i = 0; i < compile->n_optimizer_variables; i++) {
        json_array_append_new(optimizer, values_of(compile->optimizer_variables[i]));
        json_array_append_new(paths, json_string(compile->optimizer_variables[i]->path));
    }
    json_object_set_new(result, "weights", weights);
    json_object_set_new(result, "optimizer", optimizer);
    json_object_set_new(result, "optimizer_paths", paths);
    float rate = 0;
    if (compile->learning_rate)
        backend->download(device, &rate, compile->learning_rate->data, sizeof rate);
    json_t *config = compile_to_keras(compile, (double)rate);
    json_object_set_new(result, "compile_config", config ? config : json_null());
    json_t *schedule = json_array();
    for (int64_t i = 0; i < 40; i++)
        json_array_append_new(schedule, js_number(compile_schedule_at(compile, i)));
    json_object_set_new(result, "schedule", schedule);
    json_t *directions = json_object();
    for (int i = 0; i < compile->n_metrics; i++) {
        const char *direction = compile_metric_direction(compile, compile->metric_names[i]);
        json_object_set_new(directions, compile->metric_names[i], direction ? json_string(direction) : json_null());
    }
    json_object_set_new(result, "directions", directions);
}

static json_t *run_case(const json_t *datasets, const json_t *one)
{
    struct err err = {0};
    json_t *result = json_pack("{s:s}", "name", js_string(one, "name", ""));
    const json_t *x = json_object_get(json_object_get(datasets, js_string(one, "train", "")), "x");
    struct shape input = shape_of(json_array_get(x, 0), 1);
    struct model_spec *spec = model_spec_from_keras(json_object_get(one, "model"), "model", &err);
    struct model *model = spec ? model_new(spec, 1, &input, &err) : NULL;
    struct compile *compile = model ? compile_new(model, json_object_get(one, "compile"), "compile", &err) : NULL;
    bool ok =
        compile && variables_allocate(model->variables, model->n_variables, backend, device, 1, &err) &&
        variables_allocate(compile->optimizer_variables, compile->n_optimizer_variables, backend, device, 1, &err) &&
        variables_allocate(compile->metric_variables, compile->n_metric_variables, backend, device, 1, &err) &&
        load_weights(model, json_object_get(one, "weights"), &err) && train(compile, datasets, one, result, &err);
    if (ok)
        report(model, compile, result);
    else
        json_object_set_new(result, "error", json_string(err.text));
    if (compile) {
        variables_release(compile->optimizer_variables, compile->n_optimizer_variables, backend, device);
        variables_release(compile->metric_variables, compile->n_metric_variables, backend, device);
        variables_release(model->variables, model->n_variables, backend, device);
    }
    compile_free(compile);
    model_free(model);
    model_spec_free(spec);
    return result;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    if (argc < 3) {
        fprintf(stderr, "usage: drive_train CASES.json RESULTS.json [BACKEND]\n");
        return 2;
    }
    struct device_choice choice = {0};
    if (backend_find(argc > 3 ? argv[3] : "reference", &choice, &err))
        device = choice.backend->open(&(struct device_options){.n_threads = 1}, &err);
    backend = choice.backend;
    json_t *job = device ? js_read(argv[1], JS_PYTHON, &err) : NULL;
    if (!job)
        fail(&err);
    json_t *results = json_array();
    for (size_t i = 0; i < json_array_size(json_object_get(job, "cases")); i++)
        json_array_append_new(
            results, run_case(json_object_get(job, "datasets"), json_array_get(json_object_get(job, "cases"), i)));
    struct str text = {0};
    js_write(&text, results, 0);
    FILE *out = fopen(argv[2], "w");
    if (!out || fwrite(text.data, 1, text.length, out) != text.length || fclose(out)) {
        perror(argv[2]);
        return 1;
    }
    str_release(&text);
    json_decref(results);
    json_decref(job);
    backend->close(device);
    return 0;
}
