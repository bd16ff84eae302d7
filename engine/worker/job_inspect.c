/* job_inspect.c - what is in a model file. Works on weights alone, on architecture JSON, and on files that can be read
 * but not built: what is wrong with those is among the problems. Damaged and hostile files are refused when they are
 * opened (ERR_FORMAT), in the sandbox. With "verify" the file must also be one that every other job can use: whole,
 * built and its weights fitting.
 */
#include "base/io.h"
#include "engine/compile/compile.h"
#include "engine/layers/arguments.h"
#include "engine/worker/jobs.h"
#include "engine/worker/model_json.h"

#include <stdlib.h>
#include <string.h>

static json_t *weights_json(const struct keras_file *file, int64_t *n_params)
{
    static const char *const dtypes[] = {
        [WEIGHT_F32] = "float32", [WEIGHT_F16] = "float16", [WEIGHT_BF16] = "bfloat16", [WEIGHT_F64] = "float64",
        [WEIGHT_I32] = "int32",   [WEIGHT_I64] = "int64",   [WEIGHT_I8] = "int8",       [WEIGHT_U8] = "uint8",
        [WEIGHT_BOOL] = "bool",   [WEIGHT_I16] = "int16",   [WEIGHT_U16] = "uint16",    [WEIGHT_U32] = "uint32",
        [WEIGHT_U64] = "uint64"};
    size_t n;
    const struct weight *weights = keras_file_weights(file, &n);
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *shape = json_array();
        int64_t elements = 1;
        for (int k = 0; k < weights[i].rank; k++) {
            json_array_append_new(shape, json_integer(weights[i].dim[k]));
            elements *= weights[i].dim[k];
        }
        bool of_model = !str_starts(weights[i].path, "optimizer/") && !str_starts(weights[i].path, "antler/");
        *n_params += of_model ? elements : 0;
        json_array_append_new(all, json_pack("{s:s,s:o,s:s}", "path", weights[i].path, "shape", shape, "dtype",
                                             dtypes[weights[i].dtype]));
    }
    return all;
}

/* What can be said of the layers when the model cannot be built. */
static json_t *plain_layers(const struct model_spec *spec)
{
    json_t *all = json_array();
    for (int i = 0; i < spec->n_layers; i++)
        json_array_append_new(all, json_pack("{s:s,s:s,s:n,s:n,s:b}", "name", spec->layers[i].name, "class",
                                             spec->layers[i].class_name, "output_shape", "params", "trainable",
                                             js_bool(spec->layers[i].config, "trainable", true)));
    return all;
}

/* Messages that list several layers have line ends; a problem is one line. */
static void add_problem(json_t *problems, const char *text)
{
    struct str line = {0};
    for (; *text; text++) {
        if (*text != '\n') {
            str_add_char(&line, *text);
            continue;
        }
        str_add(&line, ";");
        text += strspn(text, "\n ") - 1;
        str_add(&line, " ");
    }
    json_array_append_new(problems, json_string(str_text(&line)));
    str_release(&line);
}

/* Datasets that belong to no layer and no optimizer: a layer was cut off, or the file carries more than its
 * architecture. */
static void find_strays(const struct model *model, const struct keras_file *file, json_t *problems)
{
    size_t n;
    const struct weight *weights = keras_file_weights(file, &n);
    for (size_t i = 0; i < n; i++) {
        bool known = str_starts(weights[i].path, "optimizer/") || str_starts(weights[i].path, "antler/");
        for (int v = 0; !known && v < model->n_variables; v++)
            known = model->variables[v]->h5_path && !strcmp(model->variables[v]->h5_path, weights[i].path);
        if (!known)
            json_array_append_new(problems, json_sprintf("weight '%s' belongs to no layer", weights[i].path));
    }
}

/* Losses, metrics and optimizers that antler does not know: the file can predict, not go on. */
static void check_compile(struct model *model, const struct keras_file *file, json_t *problems)
{
    const json_t *settings = json_object_get(keras_file_config(file), "compile_config");
    struct err why = {0};
    struct compile *compile = json_is_object(settings) ? compile_new(model, settings, "compile_config", &why) : NULL;
    if (json_is_object(settings) && !compile)
        add_problem(problems, why.text);
    compile_free(compile);
}

static void describe_model(json_t *result, const struct model_spec *spec, const struct keras_file *file,
                           json_t *problems)
{
    struct err why = {0};
    struct model *model = model_new(spec, 0, NULL, &why);
    json_object_set_new(result, "model", model_json(spec, model));
    json_object_set_new(result, "layers", model ? model_describe(model) : plain_layers(spec));
    if (model) {
        json_object_set_new(result, "params", json_integer(model->n_params));
        bool by_place = keras_file_format(file) == KERAS_ARCHIVE || keras_file_format(file) == KERAS_WEIGHTS_H5;
        if ((by_place || keras_file_format(file) == KERAS_LEGACY_H5) &&
            !model_check_weights(model, file, false, NULL, &why))
            add_problem(problems, why.text);
        if (by_place)
            find_strays(model, file, problems);
        check_compile(model, file, problems);
    } else {
        add_problem(problems, why.text);
    }
    model_free(model);
}

/* The optimizer of compile_config: class and arguments, and whether its state is there. */
static json_t *optimizer_json(const struct keras_file *file)
{
    const json_t *given = json_object_get(json_object_get(keras_file_config(file), "compile_config"), "optimizer"),
                 *arguments;
    const char *class;
    size_t n, n_state = 0;
    const struct weight *weights = keras_file_weights(file, &n);
    for (size_t i = 0; i < n; i++)
        n_state += str_starts(weights[i].path, "optimizer/vars/");
    if (!given || !class_reference(given, &class, &arguments))
        return n_state ? json_pack("{s:n,s:I}", "class", "variables", (json_int_t)n_state) : json_null();
    json_t *optimizer = json_pack("{s:s,s:I}", "class", class, "variables", (json_int_t)n_state);
    json_object_set_new(optimizer, "config", arguments ? json_deep_copy(arguments) : json_object());
    return optimizer;
}

static json_t *inspect(const struct keras_file *file, const char *path)
{
    const json_t *config = keras_file_config(file), *metadata = keras_file_metadata(file);
    json_t *problems = json_array();
    size_t n;
    const char *const *found = keras_file_problems(file, &n);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(problems, json_string(found[i]));
    int64_t n_stored = 0;
    json_t *weights = weights_json(file, &n_stored);
    json_t *result = json_pack("{s:s,s:s,s:s?,s:n,s:[],s:I,s:o}", "file", path, "format",
                               keras_file_format_name(keras_file_format(file)), "keras_version",
                               js_string(metadata, "keras_version", NULL), "model", "layers", "params",
                               (json_int_t)n_stored, "optimizer", optimizer_json(file));
    json_object_set_new(result, "weights", weights);
    struct err why = {0};
    struct model_spec *spec = config ? model_spec_from_keras(config, "config.json", &why) : NULL;
    if (spec)
        describe_model(result, spec, file, problems);
    else if (config)
        add_problem(problems, why.text);
    model_spec_free(spec);
    json_object_set_new(result, "problems", problems);
    json_t *antler = json_object_get(metadata, "antler");
    if (antler)
        json_object_set(result, "antler", antler);
    return result;
}

static bool has_model(const struct keras_file *file, const char *path, struct err *err)
{
    static const char *const what[] = {
        [KERAS_ARCHIVE] = "has no config.json",
        [KERAS_WEIGHTS_H5] =
            "holds weights only: give the architecture as model.layers of a config and name the file in model.weights",
        [KERAS_LEGACY_H5] = "holds old weights only: give the architecture as model.layers of a config and name the "
                            "file in model.weights",
        [KERAS_JSON] = "holds an architecture without weights: name it as model.file of a config"};
    enum keras_format format = keras_file_format(file);
    return ((format == KERAS_ARCHIVE || format == KERAS_LEGACY_H5) && keras_file_config(file)) ||
           err_set(err, ERR_FORMAT, "'%s' %s", path, what[format]);
}

/* Steps the optimizer has counted; 0 when the file does not say. */
static int64_t read_iterations(struct keras_file *file)
{
    static const char *const places[] = {"optimizer/vars/0", "optimizer/inner_optimizer/vars/0"};
    for (size_t i = 0; i < 2; i++) {
        const struct weight *weight = keras_file_find(file, places[i]);
        bool whole = weight && !weight->rank && (weight->dtype == WEIGHT_I64 || weight->dtype == WEIGHT_I32);
        int32_t count = 0;
        if (whole && keras_file_read(file, weight, true, 0, NULL, &count, NULL) && count > 0)
            return count;
    }
    return 0;
}

/* Whether training, evaluating and predicting could go on from this file. */
static bool verify(struct keras_file *file, const char *path, json_t *result, struct err *err)
{
    if (!has_model(file, path, err) || !keras_file_verify(file, err))
        return false;
    struct model_spec *spec = model_spec_from_keras(keras_file_config(file), "config.json", err);
    struct model *model = spec ? model_new(spec, 0, NULL, err) : NULL;
    bool ok = model && model_check_weights(model, file, false, NULL, err);
    model_free(model);
    model_spec_free(spec);
    json_t *optimizer = json_object_get(result, "optimizer");
    if (json_is_object(optimizer))
        json_object_set_new(optimizer, "iterations", json_integer(read_iterations(file)));
    return ok || err_prefix(err, "'%s' cannot be used", path);
}

bool job_inspect(const json_t *request, struct answer *answer, struct err *err)
{
    const char *path = request_path(request, "file", err);
    struct keras_file *file = path ? keras_file_open(path, err) : NULL;
    if (!file)
        return false;
    json_t *result = inspect(file, path);
    bool ok = !js_bool(request, "verify", false) || verify(file, path, result, err);
    if (ok)
        answer_result(answer, result);
    else
        json_decref(result);
    keras_file_close(file);
    return ok;
}
