/* model_json.c - see model_json.h */
#include "engine/worker/model_json.h"

static json_t *ports_json(const struct model_port *ports, int n)
{
    json_t *all = json_array();
    for (int i = 0; i < n; i++) {
        const char *dtype = ports[i].dtype == DTYPE_I32 ? "int32" : "float32";
        json_array_append_new(all, json_pack("{s:s,s:o,s:s}", "name", ports[i].name, "shape",
                                             batched_shape_json(ports[i].shape), "dtype", dtype));
    }
    return all;
}

json_t *model_json(const struct model_spec *spec, const struct model *model)
{
    json_t *json = json_pack("{s:s,s:s}", "class", spec->sequential ? "Sequential" : "Functional", "name",
                             spec->name ? spec->name : "");
    json_object_set_new(json, "inputs", model ? ports_json(model->inputs, model->n_inputs) : json_array());
    json_object_set_new(json, "outputs", model ? ports_json(model->outputs, model->n_outputs) : json_array());
    return json;
}
