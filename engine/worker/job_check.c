/* job_check.c - explains a config without training: everything that training would find wrong is found here, with
 * shapes, parameters, memory and a few samples of the data.
 */
#include "base/io.h"
#include "engine/train/memory.h"
#include "engine/train/report.h"
#include "engine/worker/jobs.h"
#include "engine/worker/model_json.h"
#include "persistence/config/run_config.h"

#include <stdlib.h>

enum { CHECK_SAMPLES = 8 };
static const int64_t CHECK_MAX_BYTES = (int64_t)4
                                       << 30; /* larger models are not laid out in memory just to be looked at */

static json_t *fields_json(const struct field *fields, int n)
{
    json_t *all = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(all,
                              json_pack("{s:s?,s:o,s:s}", "name", fields[i].name, "shape", shape_json(fields[i].shape),
                                        "dtype", fields[i].dtype == DTYPE_I32 ? "int32" : "float32"));
    return all;
}

static json_t *data_json(const struct dataset *data)
{
    json_t *json = json_object(), *samples = json_array();
    for (int s = 0; s < SPLIT_COUNT; s++)
        json_object_set_new(json, split_names[s], json_integer(data->n_samples[s]));
    json_object_set_new(json, "classes", json_integer(data->n_classes));
    if (data->class_names) {
        json_t *names = json_array();
        for (int64_t c = 0; c < data->n_classes; c++)
            json_array_append_new(names, json_string(data->class_names[c]));
        json_object_set_new(json, "class_names", names);
    }
    json_object_set_new(json, "inputs", fields_json(data->inputs, data->n_inputs));
    json_object_set_new(json, "targets", fields_json(data->targets, data->n_targets));
    enum split split = data->n_samples[SPLIT_TRAIN] ? SPLIT_TRAIN : SPLIT_TEST;
    for (int64_t i = 0; i < CHECK_SAMPLES && i < data->n_samples[split]; i++)
        json_array_append_new(samples, report_sample(data, split, i, false));
    json_object_set_new(json, "samples", samples);
    return json;
}

static int64_t variables_bytes(const struct session *s)
{
    int64_t total = 0;
    for (int i = 0; i < s->n_variables; i++)
        total += (int64_t)variable_bytes(s->variables[i]);
    return total;
}

/* Makes the steps as training would; *memory is what they need. */
static bool lay_out(struct session *s, const char *where, json_t **memory, json_t **multiply_adds, struct err *err)
{
    struct fit fit;
    if (!session_start_device(s, err) || !fit_init(&fit, s, where, err))
        return false;
    const struct step *step = fit.train_steps.full ? fit.train_steps.full : fit.train_steps.rest;
    *memory = memory_estimate(s, &fit);
    *multiply_adds = json_integer((json_int_t)plan_stats(step_plan(step)).multiply_adds);
    fit_release(&fit);
    return true;
}

static json_t *explain(struct session *s, const json_t *config, const char *where, struct err *err)
{
    json_t *memory = NULL, *multiply_adds = NULL;
    bool small = variables_bytes(s) <= CHECK_MAX_BYTES;
    if (small && !lay_out(s, where, &memory, &multiply_adds, err))
        return NULL;
    int64_t total = memory ? js_int(memory, "total", 0) : variables_bytes(s);
    json_t *model = model_json(s->spec, s->model);
    json_object_set_new(model, "layers", model_describe(s->model));
    json_t *result =
        json_pack("{s:O,s:o,s:I,s:I,s:I,s:o}", "config", config, "model", model, "params",
                  (json_int_t)s->model->n_params, "trainable_params", (json_int_t)s->model->n_trainable_params,
                  "memory_bytes", (json_int_t)total, "data", data_json(s->data));
    json_object_set_new(result, "architecture", model_to_keras(s->model));
    if (memory) {
        json_object_set_new(result, "memory", memory);
        json_object_set_new(result, "multiply_adds", multiply_adds);
    } else {
        str_addf(&s->warnings, "the variables alone need %lld MiB; the memory of a step is not counted\n",
                 (long long)(total >> 20));
    }
    json_object_set_new(result, "warnings", lines_json(str_text(&s->warnings)));
    return result;
}

bool job_check(const json_t *request, struct answer *answer, struct err *err)
{
    const char *where = js_string(request, "where", "the config"), *folder = request_path(request, "folder", err);
    const json_t *given = json_object_get(request, "config");
    if (!folder)
        return false;
    if (!json_is_object(given))
        return err_set(err, ERR_USAGE, "the request has no 'config'");
    json_t *config = json_deep_copy(given), *result = NULL;
    struct session *session = NULL;
    if (config_check(config, where, err)) {
        config_resolve(config, folder);
        const struct session_options options = {.config = config,
                                                .folder = js_string(config, "folder", folder),
                                                .where = where,
                                                .device = js_string(request, "device", NULL),
                                                .threads = request_threads(request)};
        session = session_open(&options, err);
    }
    if (session)
        result = explain(session, config, where, err);
    if (result)
        answer_result(answer, result);
    session_close(session);
    json_decref(config);
    return result != NULL;
}
