/* model_weights.c - weights between a model and Keras' files, by position of class. See model.h */
#include "engine/layers/legacy_weights.h"
#include "engine/layers/model.h"
#include "engine/layers/model_internal.h"

#include <string.h>

static void shape_of_weight(struct str *out, const struct weight *weight)
{
    struct shape shape = {.rank = weight->rank};
    memcpy(shape.dim, weight->dim, sizeof shape.dim);
    shape_write(out, shape);
}

bool variable_fits(const struct variable *variable, const struct weight *weight)
{
    bool same = variable->shape.rank == weight->rank;
    for (int i = 0; same && i < weight->rank; i++)
        same = variable->shape.dim[i] == weight->dim[i];
    return same;
}

/* Why the weights of a layer do not fit, one clause after the other. True when they do. */
static bool check_layer(const struct layer *layer, const struct keras_file *file, struct str *failures)
{
    int found = 0;
    bool ok = true;
    for (int i = 0; i < layer->n_variables; i++)
        found += layer_find_weight(file, layer, layer->variables[i]) != NULL;
    bool more = layer_count_weights(file, layer) > layer->n_variables;
    if (found < layer->n_variables || more) {
        str_addf(failures, "%slayer '%s' (%s, %s): the model has %d weights, the file has %s%d",
                 failures->length ? "; " : "", layer->path, layer->class->name, layer->h5_group, layer->n_variables,
                 more ? "more than " : "", found);
        return false;
    }
    for (int i = 0; i < layer->n_variables; i++) {
        const struct weight *weight = layer_find_weight(file, layer, layer->variables[i]);
        if (variable_fits(layer->variables[i], weight))
            continue;
        str_addf(failures, "%slayer '%s' (%s): %s in the file has the shape ", failures->length ? "; " : "",
                 layer->path, layer->class->name, layer->variables[i]->name);
        shape_of_weight(failures, weight);
        str_add(failures, ", the model wants ");
        shape_write(failures, layer->variables[i]->shape);
        ok = false;
    }
    return ok;
}

static bool refuse(int n_failed, const struct str *failures, struct err *err)
{
    return err_set(
        err, ERR_FORMAT,
        "the weights of %d layer%s do not fit the model (model.weights with \"skip_mismatch\": true keeps the "
        "others): %s",
        n_failed, n_failed == 1 ? "" : "s", str_text(failures));
}

bool model_check_weights(const struct model *model, const struct keras_file *file, bool skip_mismatch,
                         struct str *skipped, struct err *err)
{
    struct str failures = {0};
    int n_failed = 0;
    for (int i = 0; i < model->n_layers; i++)
        n_failed += model->layers[i]->n_variables && !check_layer(model->layers[i], file, &failures);
    if (skip_mismatch && skipped)
        str_add(skipped, str_text(&failures));
    bool ok = !n_failed || skip_mismatch || refuse(n_failed, &failures, err);
    str_release(&failures);
    return ok;
}

bool model_find_weights(const struct model *model, const struct keras_file *file, bool skip_mismatch,
                        const struct weight **found, struct str *skipped, struct err *err)
{
    if (!model_check_weights(model, file, skip_mismatch, skipped, err))
        return false;
    int next = 0;
    for (int i = 0; i < model->n_layers; i++) {
        const struct layer *layer = model->layers[i];
        struct str failures = {0};
        bool fits = !skip_mismatch || !layer->n_variables || check_layer(layer, file, &failures);
        str_release(&failures);
        for (int k = 0; k < layer->n_variables; k++, next++)
            found[next] = fits ? layer_find_weight(file, layer, model->variables[next]) : NULL;
    }
    return true;
}

struct weight_target variable_target(const struct variable *variable, const struct weight *weight, void *to)
{
    return (struct weight_target){.weight = weight,
                                  .as_int = variable->dtype == DTYPE_I32,
                                  .rank = variable->shape.rank,
                                  .dim = variable->shape.dim,
                                  .to = to};
}

struct weight variable_weight(const struct variable *variable, const void *host)
{
    struct weight weight = {.path = variable->h5_path,
                            .dtype = variable->dtype == DTYPE_I32 ? WEIGHT_I32 : WEIGHT_F32,
                            .rank = variable->shape.rank,
                            .data = host};
    memcpy(weight.dim, variable->shape.dim, sizeof weight.dim);
    return weight;
}
