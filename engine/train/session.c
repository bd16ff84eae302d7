/* session.c - see session.h */
#include "base/io.h"
#include "base/memory.h"
#include "engine/train/session.h"
#include "engine/train/weights.h"
#include "persistence/config/dtype_policy.h"

#include <stdlib.h>
#include <string.h>

int64_t session_fit_int(const struct session *session, const char *key, int64_t otherwise)
{
    return js_int(json_object_get(session->config, "fit"), key, otherwise);
}

/* An absolute path as it is, any other below the config's folder. free() it. */
static char *config_file_path(const struct session_options *o, const char *name)
{
    return name[0] == '/' || !o->folder ? xstrdup(name) : path_join(o->folder, name);
}

static struct keras_file *open_config_file(const struct session_options *o, const char *name, const char *key,
                                           struct err *err)
{
    char *path = config_file_path(o, name);
    struct keras_file *file = keras_file_open(path, err);
    free(path);
    if (!file)
        err_prefix(err, "%s: %s", o->where, key);
    return file;
}

static bool open_files(struct session *s, const struct session_options *o, struct err *err)
{
    const json_t *model = json_object_get(s->config, "model");
    const char *file = js_string(model, "file", NULL), *weights = js_string(model, "weights", NULL);
    if (o->checkpoint)
        s->file = keras_file_open(o->checkpoint, err);
    else if (file)
        s->file = open_config_file(o, file, "model.file", err);
    if ((o->checkpoint || file) && !s->file)
        return false;
    if (weights && !o->checkpoint && !(s->weights_file = open_config_file(o, weights, "model.weights", err)))
        return false;
    s->file_path = xprintf("'%s'", o->checkpoint ? o->checkpoint : file ? file : "");
    s->wants_optimizer_state = !o->inference && (o->checkpoint || !json_object_get(s->config, "compile"));
    const json_t *metadata = s->file ? keras_file_metadata(s->file) : NULL;
    s->antler = json_object_get(metadata, "antler");
    return true;
}

static bool open_data(struct session *s, const struct session_options *o, struct err *err)
{
    if (o->without_data)
        return true;
    const json_t *data = o->data ? o->data : json_object_get(s->config, "data");
    if (!json_is_object(data))
        return err_set(err, ERR_USAGE, "%s: there is no 'data': say where samples come from (data.format, data.path)",
                       o->where);
    const json_t *scale = o->scale ? o->scale : json_object_get(s->antler, "data_scale");
    s->data = dataset_open(data, o->folder ? o->folder : ".", s->seed, json_is_object(scale) ? scale : NULL, err);
    return s->data || err_prefix(err, "%s", o->where);
}

/* The model's JSON under the config's policy. New reference. */
static json_t *with_policy(const struct session *s, const json_t *model)
{
    const char *policy = js_string(s->config, "dtype_policy", NULL);
    return policy ? dtype_policy_apply(model, policy) : json_incref((json_t *)model);
}

static bool make_spec(struct session *s, const struct session_options *o, struct err *err)
{
    const json_t *model = json_object_get(s->config, "model");
    const json_t *envelope = s->file ? keras_file_config(s->file) : NULL;
    bool of_config = json_is_object(model) && !json_object_get(model, "file");
    if (of_config && (o->model == SESSION_MODEL_OF_CONFIG || !envelope)) {
        bool keras = json_object_get(model, "class_name") != NULL;
        json_t *cast = with_policy(s, model);
        s->spec = keras ? model_spec_from_keras(cast, "model", err) : model_spec_from_layers(cast, "model", err);
        json_decref(cast);
        return s->spec || err_prefix(err, "%s", o->where);
    }
    const char *path = o->checkpoint ? o->checkpoint : js_string(model, "file", "the model file");
    if (!envelope)
        return err_set(
            err, ERR_USAGE,
            s->file
                ? "'%s' holds weights only: give the architecture as model.layers and name the file in model.weights"
                : "%s: there is no 'model'",
            s->file ? path : o->where);
    json_t *cast = with_policy(s, envelope);
    s->spec = model_spec_from_keras(cast, "config.json", err);
    json_decref(cast);
    return s->spec || err_prefix(err, "'%s'", path);
}

static bool freeze_layers(struct session *s, struct err *err)
{
    const json_t *patterns = js_at(s->config, "model.freeze");
    for (size_t i = 0; i < json_array_size(patterns); i++) {
        const char *pattern = json_string_value(json_array_get(patterns, i));
        if (pattern && !model_freeze(s->model, pattern))
            return err_set(err, ERR_USAGE, "model.freeze[%zu]: no layer is named '%s'", i, pattern);
    }
    return true;
}

static bool make_model(struct session *s, const struct session_options *o, struct err *err)
{
    if (!make_spec(s, o, err))
        return false;
    const struct shape *shape = s->data && s->data->n_inputs ? &s->data->inputs[0].shape : o->sample_shape;
    s->model = model_new(s->spec, s->seed, shape, err);
    return (s->model && freeze_layers(s, err)) || err_prefix(err, "%s", o->where);
}

/* A file that was compiled with things unknown here can still predict; whoever needs more is told by the warning. */
static bool make_compile(struct session *s, const struct session_options *o, struct err *err)
{
    const json_t *own = json_object_get(s->config, "compile");
    const json_t *files = json_object_get(s->antler, "compile"); /* with what Keras has no class for */
    if (!files && s->file)
        files = json_object_get(keras_file_config(s->file), "compile_config");
    const json_t *chosen = json_is_object(own) ? own : json_is_object(files) ? files : NULL;
    if (!chosen)
        return true;
    s->compile_config = json_copy((json_t *)chosen);
    if (o->inference) /* no optimizer */
        json_object_set_new(s->compile_config, "optimizer", json_null());
    struct err why = {0};
    s->compile = compile_new(s->model, s->compile_config, chosen == own ? "compile" : "compile_config", &why);
    if (!s->compile && chosen == own) {
        *err = why;
        return err_prefix(err, "%s", o->where);
    }
    if (!s->compile)
        str_addf(&s->warnings, "the file's compile settings cannot be used: %s\n", why.text);
    return true;
}

bool session_needs_compile(const struct session *s, const char *where, struct err *err)
{
    const char *why = str_text(&s->warnings);
    int length = (int)strcspn(why, "\n");
    return s->compile ||
           err_set(err, ERR_USAGE, "%s: there is no 'compile' and so no loss%s%.*s%s; give one in the config", where,
                   length ? " (" : "", length, why, length ? ")" : "");
}

static void list_variables(struct session *s)
{
    const struct compile *c = s->compile;
    int n = s->model->n_variables + (c ? c->n_optimizer_variables + c->n_metric_variables : 0);
    s->variables = xcalloc((size_t)n + 1, sizeof(struct variable *));
    struct variable **unsaved = xcalloc((size_t)n + 1, sizeof(struct variable *));
    int n_unsaved = 0;
    for (int i = 0; i < n; i++) {
        int optimizer = i - s->model->n_variables, metric = c ? optimizer - c->n_optimizer_variables : 0;
        struct variable *v = optimizer < 0 ? s->model->variables[i]
                             : metric < 0  ? c->optimizer_variables[optimizer]
                                           : c->metric_variables[metric];
        if (v->h5_path && (optimizer < 0 || metric < 0))
            s->variables[s->n_saved++] = v;
        else
            unsaved[n_unsaved++] = v;
    }
    s->n_variables = n;
    memcpy(s->variables + s->n_saved, unsaved, (size_t)n_unsaved * sizeof *unsaved);
    free(unsaved);
}

static bool find_device(struct session *s, const struct session_options *o, struct err *err)
{
    const char *name = o->device ? o->device : js_string(s->config, "device", "auto");
    s->n_threads = o->threads;
    const char *environment = getenv("ANTLER_THREADS");
    int64_t threads;
    if (!s->n_threads && environment && *environment) {
        if (!str_to_int64(environment, &threads) || threads < 1 || threads > 1024)
            return err_set(err, ERR_USAGE, "ANTLER_THREADS is '%s', expected a number from 1 to 1024", environment);
        s->n_threads = (int)threads;
    }
    struct device_choice choice;
    if (!backend_find(name, &choice, err))
        return false;
    if (choice.passed_over.code)
        str_addf(&s->warnings, "the GPU is not used: %s\n", choice.passed_over.text);
    s->backend = choice.backend;
    s->device_number = choice.number;
    snprintf(s->device_name, sizeof s->device_name, "%s", s->backend->name);
    if (s->backend->probe)
        snprintf(s->device_name, sizeof s->device_name, "%s:%d", s->backend->name, choice.number);
    return true;
}

struct session *session_open(const struct session_options *options, struct err *err)
{
    struct session *s = xcalloc(1, sizeof *s);
    s->config = options->config ? json_incref((json_t *)options->config) : json_object();
    s->seed = (uint64_t)js_int(s->config, "seed", 0);
    s->profile = options->profile;
    struct session_options o = *options;
    if (!o.where)
        o.where = o.checkpoint ? o.checkpoint : "config";
    if (!find_device(s, &o, err) || !open_files(s, &o, err) || !open_data(s, &o, err) || !make_model(s, &o, err) ||
        !make_compile(s, &o, err) || (s->data && !session_check_data(s, s->data, o.where, err))) {
        session_close(s);
        return NULL;
    }
    list_variables(s);
    return s;
}

/* All of it is known before any of it is taken. */
static bool variables_fit(const struct session *s, struct err *err)
{
    int64_t wanted = 0, left = s->backend->host_memory ? memory_available_bytes() : INT64_MAX;
    for (int i = 0; i < s->n_variables; i++)
        wanted += (int64_t)variable_bytes(s->variables[i]);
    return wanted <= left ||
           err_set(err, ERR_NOMEM,
                   "the model needs %.1f MB for its weights%s, %.1f MB are free: make its layers smaller%s",
                   (double)wanted / 1e6, s->compile ? ", metrics and optimizer" : "", (double)left / 1e6,
                   s->compile && s->compile->n_optimizer_variables ? ", or choose an optimizer that keeps less" : "");
}

bool session_start_device(struct session *s, struct err *err)
{
    if (!weights_prepare(s, err) || !variables_fit(s, err))
        return false;
    bool direct = !strcmp(js_string(s->config, "conv_algorithm", "auto"), "direct");
    const struct device_options options = {
        .number = s->device_number, .n_threads = s->n_threads, .direct_convolutions = direct};
    s->device = s->backend->open(&options, err);
    if (s->device)
        profile_watch(s->profile, s->backend, s->device);
    return s->device && variables_allocate(s->variables, s->n_variables, s->backend, s->device, s->seed, err) &&
           weights_load(s, err) && session_works(s, err);
}

bool session_works(const struct session *s, struct err *err)
{
    return !s->backend->works || s->backend->works(s->device, err);
}

void session_close(struct session *s)
{
    if (!s)
        return;
    if (s->device) {
        variables_release(s->variables, s->n_variables, s->backend, s->device);
        s->backend->close(s->device);
    }
    free(s->variables);
    free(s->file_path);
    compile_free(s->compile);
    model_free(s->model);
    model_spec_free(s->spec);
    dataset_close(s->data);
    keras_file_close(s->file);
    keras_file_close(s->weights_file);
    json_decref(s->compile_config);
    json_decref(s->config);
    str_release(&s->warnings);
    free(s);
}

void session_upload(struct session *session, const struct variable *variable, const void *from)
{
    session->backend->upload(session->device, variable->data, from, variable_bytes(variable));
}

void session_download(struct session *session, const struct variable *variable, void *to)
{
    session->backend->download(session->device, to, variable->data, variable_bytes(variable));
}
