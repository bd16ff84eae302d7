/* compile.c - a compile built from its config and lowered to the training and the evaluation step, see compile.h */
#include "engine/compile/compile.h"

#include "engine/compile/compile_parts.h"
#include "engine/compile/schedules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* run_eagerly, steps_per_execution, jit_compile: how Keras executes, without a meaning here; its files carry them. */
static const char *const config_keys[] = {"optimizer",        "loss",        "loss_weights",        "metrics",
                                          "weighted_metrics", "run_eagerly", "steps_per_execution", "jit_compile",
                                          "auto_scale_loss"};
enum { N_CONFIG_KEYS = sizeof config_keys / sizeof *config_keys };

static bool check_keys(const json_t *config, const char *where, struct err *err)
{
    if (!json_is_object(config))
        return err_set(err, ERR_USAGE, "%s: expected an object with optimizer, loss and metrics, found %s", where,
                       js_type_name(config));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)config, key, value) {
        bool known = false;
        for (int i = 0; i < N_CONFIG_KEYS; i++)
            known = known || !strcmp(key, config_keys[i]);
        if (!known) {
            err_set(err, ERR_USAGE, "%s.%s: unknown key", where, key);
            return err_nearest(err, str_nearest(key, config_keys, N_CONFIG_KEYS));
        }
    }
    return true;
}

static bool read_optimizer(struct compile *compile, const char *where, struct err *err)
{
    const json_t *given = json_object_get(compile->config, "optimizer");
    if (json_is_null(given))
        return true;
    json_t *initial = given ? NULL : json_string("rmsprop");
    const char *place = arena_printf(&compile->arena, "%s.optimizer", where);
    struct optimizer *optimizer = optimizer_build(&compile->arena, compile->model, given ? given : initial, place, err);
    json_decref(initial);
    if (!optimizer)
        return false;
    compile->parts->optimizer = optimizer;
    compile->optimizer_variables = optimizer->variables;
    compile->n_optimizer_variables = optimizer->n_variables;
    compile->iteration = optimizer->iteration;
    compile->learning_rate = optimizer->learning_rate;
    return true;
}

/* "loss", then the metrics, then "<output>_loss": totals and names side by side. */
static void list_metrics(struct compile *compile)
{
    struct compile_parts *parts = compile->parts;
    struct arena *arena = &compile->arena;
    int n_outputs = compile->model->n_outputs;
    size_t most = 1 + (size_t)parts->n_metrics + (size_t)n_outputs;
    compile->metric_names = arena_array(arena, most, sizeof *compile->metric_names);
    compile->metric_variables = arena_array(arena, most * METRIC_MAX_TOTALS, sizeof *compile->metric_variables);
    mean_declare(arena, parts->loss_totals, "loss");
    compile->metric_names[compile->n_metrics++] = "loss";
    for (int i = 0; i < 2; i++)
        compile->metric_variables[compile->n_metric_variables++] = parts->loss_totals[i];
    for (int m = 0; m < parts->n_metrics; m++) {
        compile->metric_names[compile->n_metrics++] = parts->metrics[m]->key;
        for (int i = 0; i < parts->metrics[m]->n_totals; i++)
            compile->metric_variables[compile->n_metric_variables++] = parts->metrics[m]->totals[i];
    }
    if (parts->n_losses < 2)
        return;
    parts->output_totals = arena_array(arena, (size_t)n_outputs, sizeof *parts->output_totals);
    for (int o = 0; o < n_outputs; o++) {
        if (!parts->losses[o])
            continue;
        const char *name = arena_printf(arena, "%s_loss", compile->model->outputs[o].name);
        mean_declare(arena, parts->output_totals[o], name);
        compile->metric_names[compile->n_metrics++] = name;
        for (int i = 0; i < 2; i++)
            compile->metric_variables[compile->n_metric_variables++] = parts->output_totals[o][i];
    }
}

struct compile *compile_new(struct model *model, const json_t *config, const char *where, struct err *err)
{
    if (!check_keys(config, where, err))
        return NULL;
    struct compile *compile = xcalloc(1, sizeof *compile);
    compile->model = model;
    compile->config = config;
    compile->parts = arena_alloc(&compile->arena, sizeof *compile->parts);
    if (!compile_read_losses(compile, where, err) || !compile_read_metrics(compile, where, err) ||
        !read_optimizer(compile, where, err)) {
        compile_free(compile);
        return NULL;
    }
    list_metrics(compile);
    return compile;
}

void compile_free(struct compile *compile)
{
    if (!compile)
        return;
    arena_release(&compile->arena);
    free(compile);
}

enum dtype compile_target_dtype(const struct compile *compile, int output)
{
    const struct compile_parts *parts = compile->parts;
    bool sparse = false;
    if (parts->losses[output])
        return loss_has_labels(parts->losses[output]) ? DTYPE_I32 : DTYPE_F32;
    for (int i = 0; i < parts->n_metrics; i++)
        sparse = sparse || (parts->metrics[i]->output == output && metric_is_sparse(parts->metrics[i]));
    return sparse ? DTYPE_I32 : DTYPE_F32;
}

int64_t compile_target_classes(const struct compile *compile, int output, int64_t *ignored)
{
    const struct loss *loss = compile->parts->losses[output];
    const struct shape *shape = &compile->model->outputs[output].shape;
    if (!loss || !loss_labels_are_below_width(loss) || !shape->rank)
        return 0;
    *ignored = js_int(loss->config, "ignore_class", INT64_MIN);
    return shape->dim[shape->rank - 1];
}

int64_t compile_output_classes(const struct compile *compile, int output)
{
    const struct loss *loss = compile->parts->losses[output];
    const struct shape *shape = &compile->model->outputs[output].shape;
    return loss && shape->rank ? loss_classes(loss, shape->dim[shape->rank - 1]) : 0;
}

/* The loss of each output, its totals, and the sum with regularization, whose total is "loss". */
static struct value *lower_losses(const struct compile *compile, struct graph *g, int64_t batch,
                                  const struct batch_values *values, struct value *const *outputs,
                                  struct value *regularization)
{
    const struct compile_parts *parts = compile->parts;
    struct value *total = regularization, *samples = op_scalar(g, (double)batch);
    for (int i = 0; i < compile->model->n_outputs; i++) {
        const struct loss *loss = parts->losses[i];
        if (!loss)
            continue;
        struct loss_call call = {.graph = g,
                                 .y_true = values->targets[i],
                                 .y_pred = outputs[i],
                                 .logits = model_logits(compile->model, g, i),
                                 .mask = model_mask(compile->model, g, i)};
        struct value *weights = values->sample_weights ? values->sample_weights[i] : NULL;
        struct value *value = loss_reduce(loss, &call, loss_values(loss, &call), weights);
        if (parts->output_totals)
            mean_add(g, parts->output_totals[i], op_mul(g, value, samples), samples);
        value = loss->weight == 1 ? value : op_scale(g, value, loss->weight);
        total = total ? op_add(g, total, value) : value;
    }
    if (total)
        mean_add(g, parts->loss_totals, op_mul(g, total, samples), samples);
    return total;
}

static void lower_metrics(const struct compile *compile, struct graph *g, const struct batch_values *values,
                          struct value *const *outputs)
{
    const struct compile_parts *parts = compile->parts;
    for (int i = 0; i < parts->n_metrics; i++) {
        const struct metric *metric = parts->metrics[i];
        int o = metric->output;
        struct value *weights = metric->weighted && values->sample_weights ? values->sample_weights[o] : NULL;
        struct metric_call call = {.graph = g,
                                   .y_true = values->targets[o],
                                   .y_pred = outputs[o],
                                   .logits = model_logits(compile->model, g, o),
                                   .mask = model_mask(compile->model, g, o),
                                   .weights = weights};
        g->label = metric->name;
        metric_lower(metric, &call);
    }
}

/* Forward, losses, metrics; returns the loss. */
static struct value *lower_step(struct compile *compile, struct graph *g, int64_t batch, enum model_mode mode,
                                const struct batch_values *values)
{
    const struct model *model = compile->model;
    struct value *regularization = NULL, *step = mode == MODE_TRAIN ? op_variable(g, compile->iteration) : NULL;
    struct value **outputs = arena_array(&g->arena, (size_t)model->n_outputs, sizeof *outputs);
    if (!model_lower(model, g, batch, mode, values->inputs, step, outputs, &regularization))
        return NULL;
    g->label = "loss";
    struct value *loss = lower_losses(compile, g, batch, values, outputs, regularization);
    lower_metrics(compile, g, values, outputs);
    if (values->loss)
        *values->loss = loss;
    return loss;
}

bool compile_lower_train(struct compile *compile, struct graph *g, int64_t batch, const struct batch_values *values)
{
    const struct model *model = compile->model;
    const struct optimizer *optimizer = compile->parts->optimizer;
    if (!optimizer)
        return graph_fail(g, ERR_USAGE, "compile.optimizer is null: the model can be evaluated, not trained") != NULL;
    if (!compile->parts->n_losses)
        return graph_fail(g, ERR_USAGE, "compile.loss is missing: there is nothing to train for") != NULL;
    if (!model->n_trainable)
        return graph_fail(g, ERR_USAGE, "the model has no trainable weights") != NULL;
    struct value *loss = lower_step(compile, g, batch, MODE_TRAIN, values);
    if (!loss || !graph_ok(g, NULL))
        return false;
    struct value **wanted = arena_array(&g->arena, 2 * (size_t)model->n_trainable, sizeof *wanted);
    struct value **gradients = wanted + model->n_trainable;
    for (int i = 0; i < model->n_trainable; i++)
        wanted[i] = op_variable(g, model->trainable[i]);
    g->label = "gradient";
    if (!graph_gradient(g, loss, wanted, model->n_trainable, gradients))
        return false;
    optimizer_lower(optimizer, g, gradients);
    g->label = NULL;
    return graph_ok(g, NULL);
}

bool compile_lower_evaluate(struct compile *compile, struct graph *g, int64_t batch, const struct batch_values *values)
{
    lower_step(compile, g, batch, MODE_INFER, values);
    g->label = NULL;
    return graph_ok(g, NULL);
}

static double mean_result(const float *total, const float *count)
{
    return *count == 0 ? 0 : (double)(float)((double)*total / (double)*count);
}

void compile_results(const struct compile *compile, const void *const *totals, double *results)
{
    const struct compile_parts *parts = compile->parts;
    const float *const *at = (const float *const *)totals;
    int n = 0;
    results[n++] = mean_result(at[0], at[1]);
    at += 2;
    for (int i = 0; i < parts->n_metrics; i++) {
        results[n++] = metric_result(parts->metrics[i], at);
        at += parts->metrics[i]->n_totals;
    }
    for (; n < compile->n_metrics; at += 2)
        results[n++] = mean_result(at[0], at[1]);
}

double compile_schedule_at(const struct compile *compile, int64_t iteration)
{
    return compile->parts->optimizer ? optimizer_schedule_at(compile->parts->optimizer, iteration) : (double)NAN;
}

const char *compile_metric_direction(const struct compile *compile, const char *name)
{
    const struct compile_parts *parts = compile->parts;
    for (int i = 0; i < parts->n_metrics; i++)
        if (!strcmp(parts->metrics[i]->key, name))
            return parts->metrics[i]->direction;
    for (int i = 0; i < compile->n_metrics; i++)
        if (!strcmp(compile->metric_names[i], name))
            return "down"; /* what is no metric is "loss" or an output's loss */
    return NULL;
}

int compile_averages(const struct compile *compile, struct variable *const **weights, struct variable *const **averages)
{
    const struct optimizer *optimizer = compile->parts->optimizer;
    if (!optimizer || !optimizer->averages)
        return 0;
    *weights = compile->model->trainable;
    *averages = optimizer->averages;
    return compile->model->n_trainable;
}

json_t *compile_describe(void)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "losses", named_describe(&loss_table), "metrics",
                     named_describe(&metric_table), "optimizers", named_describe(&optimizer_table), "schedules",
                     named_describe(&schedule_table));
}
