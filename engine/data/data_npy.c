/* data_npy.c - formats npy and npz: arrays by file or by name in an archive. */
#include "engine/data/table.h"
#include "base/io.h"

#include <stdlib.h>
#include <string.h>

/* Reads one array: from a file, or from the archive. `what` is the value in the config. */
static bool read_array(struct table *t, const struct source *from, struct npz *archive, const char *what, struct npy *a,
                       const char **source, struct err *err)
{
    char *path = path_join(from->folder, archive ? js_string(from->data, "path", "") : what);
    *source = archive ? arena_printf(&t->arena, "'%s' array '%s'", path, what) : arena_printf(&t->arena, "'%s'", path);
    bool ok = archive ? npz_read(archive, what, a, err) : npy_open(path, a, err);
    free(path);
    return ok;
}

static bool add_array(struct table *t, const struct source *from, struct npz *archive, const char *key,
                      const char *name, const json_t *value, struct samples *s, struct err *err)
{
    struct npy a = {0};
    const char *source;
    if (!json_is_string(value))
        return err_set(err, ERR_USAGE, "data.%s: found %s for '%s', expected a string", key, js_type_name(value),
                       name ? name : "");
    if (!read_array(t, from, archive, json_string_value(value), &a, &source, err))
        return err_prefix(err, "data.%s", key);
    bool ok = samples_take(s, &a, name ? arena_strdup(&t->arena, name) : NULL, source, err);
    npy_release(&a);
    return ok;
}

/* data.x or data.y: one, a list, or an object name -> array. */
static bool add_arrays(struct table *t, const struct source *from, struct npz *archive, const char *key,
                       const json_t *value, struct samples **list, int *n, struct err *err)
{
    bool several = json_is_object(value) || json_is_array(value);
    size_t count = json_is_object(value) ? json_object_size(value) : json_is_array(value) ? json_array_size(value) : 1;
    if (!count || count > 1000)
        return err_set(err, ERR_USAGE, "data.%s: found %zu arrays, expected 1 to 1000", key, count);
    *list = table_reserve(t, (int)count);
    const char *name;
    json_t *entry;
    if (!several) {
        *n = add_array(t, from, archive, key, NULL, value, &(*list)[0], err);
        return *n;
    }
    for (size_t i = 0; i < json_array_size(value); i++, (*n)++)
        if (!add_array(t, from, archive, key, NULL, json_array_get(value, i), &(*list)[i], err))
            return false;
    if (json_is_object(value))
        json_object_foreach((json_t *)value, name, entry) {
            if (!add_array(t, from, archive, key, name, entry, &(*list)[*n], err))
                return false;
            (*n)++;
        }
    return true;
}

static bool check_rows(struct table *t, const struct samples *list, int n, const char *key, struct err *err)
{
    for (int i = 0; i < n; i++)
        if (list[i].array.dim[0] != t->n_samples)
            return err_set(err, ERR_FORMAT, "data.%s: %s has %lld samples, %s has %lld", key, list[i].source,
                           (long long)list[i].array.dim[0], t->inputs[0].source, (long long)t->n_samples);
    return true;
}

static bool add_weight(struct table *t, const struct source *from, struct npz *archive, struct err *err)
{
    const json_t *value = json_object_get(from->data, "sample_weight");
    const char *source;
    if (!value || json_is_null(value))
        return true;
    if (!read_array(t, from, archive, json_string_value(value), &t->weight, &source, err))
        return err_prefix(err, "data.sample_weight");
    bool flat = t->weight.rank == 1 || (t->weight.rank == 2 && t->weight.dim[1] == 1);
    if (!flat || t->weight.dim[0] != t->n_samples)
        return err_set(err, ERR_FORMAT,
                       "data.sample_weight: %s has %lld numbers on %d axes, expected one for each of the %lld samples",
                       source, (long long)t->weight.n_elements, t->weight.rank, (long long)t->n_samples);
    for (int64_t i = 0; i < t->n_samples; i++)
        if (!(npy_value(&t->weight, i) >= 0))
            return err_set(err, ERR_FORMAT, "data.sample_weight: %s holds %g for sample %lld, expected 0 or more",
                           source, npy_value(&t->weight, i), (long long)i);
    return true;
}

static bool load_arrays(struct table *t, const struct source *from, struct npz *archive, const char *x, const char *y,
                        struct err *err)
{
    const json_t *given_x = json_object_get(from->data, "x"), *given_y = json_object_get(from->data, "y");
    json_t *default_x = json_string(x), *default_y = json_string(y);
    given_x = given_x ? given_x : default_x;
    given_y = given_y ? given_y : y ? default_y : NULL;
    bool ok = add_arrays(t, from, archive, "x", given_x, &t->inputs, &t->n_inputs, err);
    if (ok && given_y && !json_is_null(given_y))
        ok = add_arrays(t, from, archive, "y", given_y, &t->targets, &t->n_targets, err);
    json_decref(default_x);
    json_decref(default_y);
    if (!ok)
        return false;
    t->n_samples = t->inputs[0].array.dim[0];
    return check_rows(t, t->inputs, t->n_inputs, "x", err) && check_rows(t, t->targets, t->n_targets, "y", err) &&
           add_weight(t, from, archive, err);
}

bool load_npy(struct table *t, const struct source *from, struct err *err)
{
    return load_arrays(t, from, NULL, NULL, NULL, err);
}

bool load_npz(struct table *t, const struct source *from, struct err *err)
{
    struct npz *archive = npz_open(source_path(t, from, "path"), err);
    if (!archive)
        return err_prefix(err, "data.path");
    bool ok = load_arrays(t, from, archive, "x", "y", err);
    npz_close(archive);
    return ok;
}
