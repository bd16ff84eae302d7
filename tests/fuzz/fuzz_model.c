/* fuzz_model - the input is a model as JSON, Keras' or our short form: read it, build it, lower it, write it again. */
#include "base/arena.h"
#include "engine/layers/model.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void lower(struct model *model)
{
    struct graph *g = graph_new();
    struct value **inputs = arena_array(&g->arena, (size_t)model->n_inputs, sizeof *inputs), *penalty;
    struct value **outputs = arena_array(&g->arena, (size_t)model->n_outputs, sizeof *outputs);
    for (int i = 0; i < model->n_inputs; i++) {
        struct shape shape = {.rank = model->inputs[i].shape.rank + 1, .dim = {2}};
        memcpy(shape.dim + 1, model->inputs[i].shape.dim, (RANK_MAX - 1) * sizeof shape.dim[0]);
        inputs[i] = op_input(g, "x", model->inputs[i].dtype, shape);
    }
    struct value *step = op_input(g, "step", DTYPE_I32, (struct shape){0});
    if (!model_lower(model, g, 2, MODE_TRAIN, inputs, step, outputs, &penalty) && !g->error.text[0])
        abort();
    graph_free(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    json_t *json = js_parse((const char *)data, size, "input", JS_PYTHON, &err);
    if (!json)
        return 0;
    bool keras = json_object_get(json, "class_name") != NULL;
    struct model_spec *spec =
        keras ? model_spec_from_keras(json, "input", &err) : model_spec_from_layers(json, "input", &err);
    struct model *model = spec ? model_new(spec, 1, NULL, &err) : NULL;
    if (!model && !err.text[0])
        abort();
    if (model) {
        lower(model);
        json_decref(model_to_keras(model));
    }
    model_free(model);
    model_spec_free(spec);
    json_decref(json);
    return 0;
}
