/* legacy_weights.c - see legacy_weights.h */
#include "engine/layers/legacy_weights.h"

#include <stdio.h>
#include <string.h>

static const char prefix[] = "model_weights/";

/* Whether the path's last two names are layer and weight (NULL: any), where it lies below the outermost layer. */
static bool is_of(const char *path, const struct layer *layer, const char *weight)
{
    size_t outermost = strcspn(layer->path, "/"), n_layer = strlen(layer->name);
    if (str_starts(path, prefix))
        path += strlen(prefix);
    if (strncmp(path, layer->path, outermost) || path[outermost] != '/')
        return false;
    const char *name = strrchr(path, '/') + 1;
    size_t n_name = strlen(name);
    n_name -= n_name > 2 && !strcmp(name + n_name - 2, ":0") ? 2 : 0;
    if (weight && (strlen(weight) != n_name || strncmp(name, weight, n_name)))
        return false;
    const char *end = name - 1, *start = end - n_layer;
    return start >= path && !strncmp(start, layer->name, n_layer) && (start == path || start[-1] == '/');
}

static int count(const struct keras_file *file, const struct layer *layer, const char *name, const struct weight **last)
{
    size_t n;
    int found = 0;
    const struct weight *weights = keras_file_weights(file, &n);
    for (size_t i = 0; i < n; i++)
        if (is_of(weights[i].path, layer, name)) {
            *last = &weights[i];
            found++;
        }
    return found;
}

const struct weight *layer_find_weight(const struct keras_file *file, const struct layer *layer,
                                       const struct variable *variable)
{
    if (keras_file_format(file) != KERAS_LEGACY_H5)
        return keras_file_find(file, variable->h5_path);
    const struct weight *found = NULL;
    return count(file, layer, variable->name, &found) == 1 ? found : NULL;
}

int layer_count_weights(const struct keras_file *file, const struct layer *layer)
{
    const struct weight *last;
    char path[1024];
    int found = 0;
    if (keras_file_format(file) == KERAS_LEGACY_H5)
        return count(file, layer, NULL, &last);
    for (bool more = true; more; found += more) {
        snprintf(path, sizeof path, "%s/vars/%d", layer->h5_group, found);
        more = keras_file_find(file, path) != NULL;
    }
    return found;
}
