/* legacy_weights.c - see legacy_weights.h */
#include "engine/layers/legacy_weights.h"

#include <stdio.h>
#include <string.h>

static const char prefix[] = "model_weights/";

static int count_slashes(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '/';
    return n;
}

/* How deep inside the layer its weights lie: 0 for its own. */
static int depth_of(const struct layer *layer)
{
    int depth = 0;
    for (int i = 0; i < layer->n_variables; i++) {
        int n = count_slashes(layer->variables[i]->path + strlen(layer->path) + 1);
        depth = n > depth ? n : depth;
    }
    return depth;
}

/* Whether the weight lies below the layer, itself below the outermost one, under this name ("kernel", or "query/kernel"
 * of an object inside; NULL: any). */
static bool is_of(const char *path, const struct layer *layer, const char *weight)
{
    if (str_starts(path, prefix))
        path += strlen(prefix);
    size_t outermost = strcspn(layer->path, "/"), n_layer = strlen(layer->name), n = strlen(path);
    if (strncmp(path, layer->path, outermost) != 0 || path[outermost] != '/')
        return false;
    n -= n > 2 && !strcmp(path + n - 2, ":0") ? 2 : 0;
    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        size_t rest = n - (size_t)(at - path);
        if (rest <= n_layer + 1 || strncmp(at, layer->name, n_layer) != 0 || at[n_layer] != '/')
            continue;
        if ((!weight && count_slashes(at + n_layer + 1) <= depth_of(layer)) ||
            (weight && strlen(weight) == rest - n_layer - 1 && !strncmp(at + n_layer + 1, weight, strlen(weight))))
            return true;
    }
    return false;
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
    return count(file, layer, variable->path + strlen(layer->path) + 1, &found) == 1 ? found : NULL;
}

/* Weights "<group>0", "<group>1", ... */
static int count_group(const struct keras_file *file, int length, const char *group)
{
    char path[1024];
    int found = 0;
    for (bool more = true; more; found += more) {
        snprintf(path, sizeof path, "%.*s%d", length, group, found);
        more = keras_file_find(file, path) != NULL;
    }
    return found;
}

int layer_count_weights(const struct keras_file *file, const struct layer *layer)
{
    const struct weight *last;
    int found = 0;
    if (keras_file_format(file) == KERAS_LEGACY_H5)
        return count(file, layer, NULL, &last);
    for (int i = 0; i < layer->n_variables; i++) {
        const char *path = layer->variables[i]->h5_path, *number = strrchr(path, '/') + 1;
        if (!strcmp(number, "0"))
            found += count_group(file, (int)(number - path), path);
    }
    return found;
}
