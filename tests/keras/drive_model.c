/* drive_model FOLDER - runs the models that test_layers.py wrote into FOLDER on the reference backend, for comparison
 * with Keras.
 *
 * FOLDER/cases.json: [{"name", "file": "a.keras" | "short": {"layers": [...]}, "inputs": ["a.0.npy"], "train": false,
 * "gradients": true, "freeze": [pattern]}]. For every case, FOLDER/<name>.<what>.npy: out.<k>, penalty, grad.<i> (of
 * sum(out^2) / 2 + penalty, by place in model->trainable), after.<i> (variables after a training step),
 * constrained.<i>; FOLDER/<name>.saved.keras: the model as we write it. FOLDER/report.json: {name: {"order",
 * "variables", "trainable", "params", "error"}}.
 */
#include "base/arena.h"
#include "engine/layers/layer.h"
#include "engine/layers/model.h"
#include "engine/plan/plan.h"
#include "persistence/files/npy_file.h"
#include "persistence/keras/keras_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
    const char *folder, *name;
    const json_t *test;
    struct keras_file *file;
    struct model_spec *spec;
    struct model *model;
    struct graph *g;
    struct plan *plan;
    struct device *device;
    struct value *inputs[8], *outputs[16], *penalty, *step;
    struct value **gradients, **constrained;
    struct npy data[8];
    json_t *report;
};

static const char *path_of(const struct run *r, const char *what)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", r->folder, what);
    return path;
}

static const char *named(const struct run *r, const char *what, int i)
{
    static char name[256];
    snprintf(name, sizeof name, "%s.%s.%d.npy", r->name, what, i);
    return path_of(r, name);
}

static bool write_value(const struct run *r, const char *what, int i, struct shape shape, const void *data,
                        struct err *err)
{
    struct npy a = {.type = NPY_F32, .rank = shape.rank, .n_elements = shape_elements(shape), .data = data};
    memcpy(a.dim, shape.dim, sizeof shape.dim);
    return npy_write(named(r, what, i), &a, err);
}

static bool load(struct run *r, struct err *err)
{
    const json_t *brief = json_object_get(r->test, "short");
    if (brief) {
        r->spec = model_spec_from_layers(brief, "model", err);
    } else {
        r->file = keras_file_open(path_of(r, js_string(r->test, "file", "")), err);
        r->spec = r->file ? model_spec_from_keras(keras_file_config(r->file), "config.json", err) : NULL;
    }
    r->model = r->spec ? model_new(r->spec, 7, NULL, err) : NULL;
    if (!r->model ||
        !variables_allocate(r->model->variables, r->model->n_variables, &backend_reference, r->device, 7, err))
        return false;
    const json_t *pattern;
    size_t i;
    json_array_foreach(json_object_get(r->test, "freeze"), i, pattern)
        model_freeze(r->model, json_string_value(pattern));
    size_t n = (size_t)r->model->n_variables;
    const struct weight **found = xcalloc(n + 1, sizeof *found);
    struct weight_target *targets = xcalloc(n + 1, sizeof *targets);
    bool ok = !r->file || model_find_weights(r->model, r->file, false, found, NULL, err);
    for (size_t k = 0; ok && r->file && k < n; k++)
        targets[k] = variable_target(r->model->variables[k], found[k], r->model->variables[k]->data);
    ok = ok && (!r->file || keras_file_load(r->file, targets, n, err));
    free(targets);
    free(found);
    return ok;
}

static void describe(struct run *r)
{
    json_t *order = json_array(), *variables = json_array(), *trainable = json_array();
    for (int i = 0; i < r->spec->n_layers; i++)
        json_array_append_new(order, json_string(r->spec->layers[i].name));
    for (int i = 0; i < r->model->n_variables; i++)
        json_array_append_new(variables, json_string(r->model->variables[i]->h5_path));
    for (int i = 0; i < r->model->n_trainable; i++)
        json_array_append_new(trainable, json_string(r->model->trainable[i]->h5_path));
    json_object_set_new(r->report, "order", order);
    json_object_set_new(r->report, "variables", variables);
    json_object_set_new(r->report, "trainable", trainable);
    json_object_set_new(r->report, "params", json_integer(r->model->n_params));
}

static bool make_inputs(struct run *r, struct err *err)
{
    const json_t *names = json_object_get(r->test, "inputs");
    if (r->model->n_inputs > 8 || r->model->n_outputs > 16 || json_array_size(names) != (size_t)r->model->n_inputs)
        return err_set(err, ERR_FAILED, "the model has %d inputs, the test %zu", r->model->n_inputs,
                       json_array_size(names));
    for (int i = 0; i < r->model->n_inputs; i++) {
        if (!npy_open(path_of(r, json_string_value(json_array_get(names, (size_t)i))), &r->data[i], err))
            return false;
        struct shape shape = {.rank = r->data[i].rank};
        memcpy(shape.dim, r->data[i].dim, sizeof shape.dim);
        r->inputs[i] = op_input(r->g, "x", r->model->inputs[i].dtype, shape);
    }
    return true;
}

static struct value *loss_of(struct run *r)
{
    struct value *loss = r->penalty;
    for (int i = 0; i < r->model->n_outputs; i++) {
        struct value *half =
            op_scale(r->g, op_sum_all(r->g, op_expr(r->g, "square(a)", r->outputs[i], NULL, NULL, NULL)), 0.5);
        loss = loss ? op_add(r->g, loss, half) : half;
    }
    return loss;
}

static bool lower(struct run *r, struct err *err)
{
    bool train = js_bool(r->test, "train", false);
    struct model *m = r->model;
    if (!make_inputs(r, err))
        return false;
    r->step = train ? op_input(r->g, "step", DTYPE_I32, (struct shape){0}) : NULL;
    if (!model_lower(m, r->g, r->data[0].dim[0], train ? MODE_TRAIN : MODE_INFER, r->inputs, r->step, r->outputs,
                     &r->penalty))
        return graph_ok(r->g, err);
    r->gradients = arena_array(&r->g->arena, (size_t)m->n_trainable, sizeof *r->gradients);
    r->constrained = arena_array(&r->g->arena, (size_t)m->n_trainable, sizeof *r->constrained);
    struct value **wanted = arena_array(&r->g->arena, (size_t)m->n_trainable, sizeof *wanted);
    for (int i = 0; i < m->n_trainable; i++) {
        wanted[i] = op_variable(r->g, m->trainable[i]);
        r->constrained[i] = model_constrain(m, r->g, m->trainable[i], wanted[i]);
        graph_keep(r->g, r->constrained[i]);
    }
    if (js_bool(r->test, "gradients", false) && m->n_trainable) {
        if (!graph_gradient(r->g, loss_of(r), wanted, m->n_trainable, r->gradients))
            return graph_ok(r->g, err);
        for (int i = 0; i < m->n_trainable; i++)
            graph_keep(r->g, r->gradients[i]);
    }
    for (int i = 0; i < m->n_outputs; i++)
        graph_keep(r->g, r->outputs[i]);
    if (r->penalty)
        graph_keep(r->g, r->penalty);
    return graph_ok(r->g, err);
}

static void feed(struct run *r)
{
    for (int i = 0; i < r->model->n_inputs; i++) {
        void *to = plan_input(r->plan, r->inputs[i]);
        for (int64_t k = 0; k < r->data[i].n_elements; k++)
            if (r->model->inputs[i].dtype == DTYPE_I32)
                ((int32_t *)to)[k] = (int32_t)npy_value(&r->data[i], k);
            else
                ((float *)to)[k] = (float)npy_value(&r->data[i], k);
    }
    if (r->step)
        *(int32_t *)plan_input(r->plan, r->step) = 0;
}

static bool write_results(struct run *r, struct err *err)
{
    struct model *m = r->model;
    bool ok = true;
    for (int i = 0; ok && i < m->n_outputs; i++)
        ok = write_value(r, "out", i, r->outputs[i]->shape, plan_output(r->plan, r->outputs[i]), err);
    if (ok && r->penalty)
        ok = write_value(r, "penalty", 0, r->penalty->shape, plan_output(r->plan, r->penalty), err);
    for (int i = 0; ok && i < m->n_trainable; i++) {
        ok = write_value(r, "constrained", i, r->constrained[i]->shape, plan_output(r->plan, r->constrained[i]), err);
        if (ok && r->gradients[i])
            ok = write_value(r, "grad", i, r->gradients[i]->shape, plan_output(r->plan, r->gradients[i]), err);
    }
    for (int i = 0; ok && r->step && i < m->n_variables; i++)
        ok = write_value(r, "after", i, m->variables[i]->shape, m->variables[i]->data, err);
    return ok;
}

static bool save(struct run *r, struct err *err)
{
    char name[256];
    struct weight *weights = xcalloc((size_t)r->model->n_variables + 1, sizeof *weights);
    json_t *config = model_to_keras(r->model);
    for (int i = 0; i < r->model->n_variables; i++)
        weights[i] = variable_weight(r->model->variables[i], r->model->variables[i]->data);
    struct model_parts parts = {.config = config,
                                .weights = weights,
                                .n_weights = (size_t)r->model->n_variables,
                                .groups = r->model->groups,
                                .n_groups = (size_t)r->model->n_groups};
    snprintf(name, sizeof name, "%s.saved.keras", r->name);
    bool ok = keras_file_write(path_of(r, name), &parts, err);
    json_decref(config);
    free(weights);
    return ok;
}

static bool drive(struct run *r, struct err *err)
{
    if (!load(r, err))
        return false;
    describe(r);
    if (!save(r, err))
        return false;
    if (!json_array_size(json_object_get(r->test, "inputs")))
        return true;
    r->g = graph_new();
    if (!lower(r, err))
        return false;
    r->plan = plan_new(r->g, &backend_reference, r->device, &(struct plan_options){0}, err);
    if (!r->plan)
        return false;
    feed(r);
    plan_run(r->plan);
    return write_results(r, err);
}

static void release(struct run *r)
{
    plan_free(r->plan);
    graph_free(r->g);
    if (r->model)
        variables_release(r->model->variables, r->model->n_variables, &backend_reference, r->device);
    for (int i = 0; i < 8; i++)
        npy_release(&r->data[i]);
    model_free(r->model);
    model_spec_free(r->spec);
    keras_file_close(r->file);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    char path[1024];
    if (argc != 2) {
        fprintf(stderr, "usage: drive_model FOLDER\n");
        return 2;
    }
    struct device *device = backend_reference.open(&(struct device_options){.n_threads = 1}, &err);
    snprintf(path, sizeof path, "%s/cases.json", argv[1]);
    json_t *cases = device ? js_read(path, JS_STRICT, &err) : NULL, *test;
    if (!cases) {
        fprintf(stderr, "drive_model: %s\n", err.text);
        return 1;
    }
    json_t *reports = json_object();
    size_t i;
    json_array_foreach(cases, i, test) {
        struct run r = {.folder = argv[1],
                        .name = js_string(test, "name", "?"),
                        .test = test,
                        .device = device,
                        .report = json_object()};
        err = (struct err){0};
        if (!drive(&r, &err))
            json_object_set_new(r.report, "error", json_string(err.text));
        release(&r);
        json_object_set_new(reports, r.name, r.report);
    }
    snprintf(path, sizeof path, "%s/report.json", argv[1]);
    int rc = json_dump_file(reports, path, 0) != 0;
    json_decref(reports);
    json_decref(cases);
    backend_reference.close(device);
    return rc;
}
