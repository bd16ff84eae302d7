/* dataset.c - opening, splits, fingerprint; see dataset.h */
#include "base/hash.h"
#include "engine/data/parts.h"
#include "persistence/config/run_config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const split_names[SPLIT_COUNT] = {"train", "validation", "test"};

struct dataset *dataset_around(struct table *t)
{
    struct dataset *ds = xcalloc(1, sizeof *ds);
    ds->parts = xcalloc(1, sizeof *ds->parts);
    ds->parts->tables[0] = t;
    ds->parts->state = json_object();
    return ds;
}

void dataset_close(struct dataset *ds)
{
    if (!ds)
        return;
    for (int i = 0; i < SPLIT_COUNT; i++)
        table_free(ds->parts->tables[i]);
    json_decref(ds->parts->state);
    arena_release(&ds->parts->arena);
    free(ds->parts);
    free(ds);
}

static int64_t samples_bytes(const struct samples *samples, int n)
{
    int64_t total = 0;
    for (int i = 0; i < n; i++)
        if (!samples[i].lent)
            total += samples[i].array.n_elements * (int64_t)npy_type_size(samples[i].array.type);
    return total;
}

int64_t dataset_bytes(const struct dataset *ds)
{
    int64_t total = 0;
    for (int i = 0; i < SPLIT_COUNT; i++) {
        const struct table *t = ds->parts->tables[i];
        if (t)
            total += samples_bytes(t->inputs, t->n_inputs) + samples_bytes(t->targets, t->n_targets) +
                     t->weight.n_elements * (int64_t)npy_type_size(t->weight.type);
    }
    return total;
}

json_t *dataset_scale(const struct dataset *ds)
{
    return json_object_size(ds->parts->state) ? json_incref(ds->parts->state) : json_null();
}

/* Keras: floor(n (1 - share)) stay, the rest is set aside. */
static bool set_aside(const json_t *data, const char *key, int64_t n, int64_t *count, struct err *err)
{
    double share = js_double(data, key, 0);
    *count = share > 0 ? n - (int64_t)floor((double)n * (1.0 - share)) : 0;
    if (share > 0 && (*count < 1 || *count >= n))
        return err_set(err, ERR_USAGE, "data.%s: %g of %lld samples is %lld, expected at least 1 on either side", key,
                       share, (long long)n, (long long)*count);
    return true;
}

static void set_split(struct dataset *ds, enum split split, const struct table *t, int64_t first, int64_t count)
{
    ds->parts->split[split].table = count ? t : NULL;
    ds->parts->split[split].first = first;
    ds->n_samples[split] = count;
}

static bool split_table(struct dataset *ds, const json_t *data, struct err *err)
{
    const struct table *t = ds->parts->tables[0];
    int64_t n = t->n_samples - t->n_test, n_test, n_validation;
    bool wants_test = json_object_get(data, "test") || js_double(data, "test_split", 0) > 0;
    if (t->n_test && wants_test)
        return err_set(err, ERR_USAGE, "data.%s: %s brings its own test part of %lld samples",
                       json_object_get(data, "test") ? "test" : "test_split", t->inputs[0].source,
                       (long long)t->n_test);
    if (!set_aside(data, "test_split", n, &n_test, err) || !set_aside(data, "validation_split", n, &n_validation, err))
        return false;
    int64_t n_train = n - n_test - n_validation;
    if (n_train < 1)
        return err_set(err, ERR_USAGE,
                       "data: %lld samples less %lld for validation and %lld for testing leave none to train on",
                       (long long)n, (long long)n_validation, (long long)n_test);
    set_split(ds, SPLIT_TRAIN, t, 0, n_train);
    set_split(ds, SPLIT_VALIDATION, t, n_train, n_validation);
    set_split(ds, SPLIT_TEST, t, n_train + n_validation, t->n_test ? t->n_test : n_test);
    return true;
}

static bool same_fields(const struct samples *a, int n_a, const struct samples *b, int n_b, const char *part,
                        const char *kind, struct err *err)
{
    if (n_a != n_b)
        return err_set(err, ERR_USAGE, "data.%s: has %d %ss, data has %d", part, n_b, kind, n_a);
    for (int i = 0; i < n_a; i++) {
        struct str found = {0}, expected = {0};
        bool same_name = !a[i].name || (b[i].name && !strcmp(a[i].name, b[i].name)),
             same_shape = shape_equal(a[i].shape, b[i].shape);
        shape_write(&found, b[i].shape);
        shape_write(&expected, a[i].shape);
        if (!same_name)
            err_set(err, ERR_USAGE, "data.%s: %s %d is called '%s', expected '%s'", part, kind, i,
                    b[i].name ? b[i].name : "", a[i].name);
        else if (!same_shape)
            err_set(err, ERR_USAGE, "data.%s: samples of %s have shape %s, those of %s have %s", part, b[i].source,
                    str_text(&found), a[i].source, str_text(&expected));
        str_release(&found);
        str_release(&expected);
        if (!same_name || !same_shape)
            return false;
    }
    return true;
}

static bool open_part(struct dataset *ds, const json_t *data, enum split split, const struct source *from,
                      struct err *err)
{
    json_t *part = config_data_part(data, split_names[split]);
    if (!part)
        return true;
    struct table *first = ds->parts->tables[0];
    struct source source = *from;
    json_t *learnt = table_state(first);
    source.data = part;
    source.state = learnt;
    source.part = split;
    struct table *t = ds->parts->tables[split] = table_load(&source, err);
    bool ok = t && apply_shape(t, part, err);
    if (!ok)
        err_prefix(err, "data.%s", split_names[split]);
    ok = ok && same_fields(first->inputs, first->n_inputs, t->inputs, t->n_inputs, split_names[split], "input", err) &&
         same_fields(first->targets, first->n_targets, t->targets, t->n_targets, split_names[split], "target", err);
    if (ok && !t->n_samples)
        ok = err_set(err, ERR_FORMAT, "data.%s: %s has no samples", split_names[split], t->inputs[0].source);
    if (ok)
        set_split(ds, split, t, 0, t->n_samples);
    json_decref(learnt);
    json_decref(part);
    return ok;
}

static uint64_t hash_array(uint64_t hash, const struct npy *a)
{
    hash = hash_mix(hash, &a->type, sizeof a->type);
    hash = hash_mix(hash, a->dim, (size_t)a->rank * sizeof *a->dim);
    return a->data ? hash_mix(hash, a->data, (size_t)a->n_elements * npy_type_size(a->type)) : hash;
}

static uint64_t fingerprint(const struct dataset *ds)
{
    uint64_t hash = hash_mix(0, &ds->parts->one_hot, sizeof ds->parts->one_hot);
    for (int p = 0; p < SPLIT_COUNT; p++) {
        const struct table *t = ds->parts->tables[p];
        for (int i = 0; t && i < t->n_inputs; i++)
            hash =
                hash_array(hash_mix(hash, t->inputs[i].shape.dim, sizeof t->inputs[i].shape.dim), &t->inputs[i].array);
        for (int i = 0; t && i < t->n_targets; i++)
            hash =
                t->targets[i].lent ? hash_mix(hash, &t->targets[i].offset, 8) : hash_array(hash, &t->targets[i].array);
        if (t)
            hash = hash_array(hash, &t->weight);
        int64_t range[2] = {ds->parts->split[p].first, ds->n_samples[p]};
        hash = hash_mix(hash, range, sizeof range);
    }
    return hash;
}

struct dataset *dataset_open(const json_t *data, const char *folder, uint64_t seed, const json_t *scale_state,
                             struct err *err)
{
    if (!config_check_data(data, NULL, err))
        return NULL;
    struct source from = {
        .data = data, .folder = folder, .seed = seed, .state = json_is_object(scale_state) ? scale_state : NULL};
    struct table *t = table_load(&from, err);
    if (!t)
        return NULL;
    struct dataset *ds = dataset_around(t);
    bool ok = t->n_samples > 0 || err_set(err, ERR_FORMAT, "%s has no samples", t->inputs[0].source);
    ok = ok && apply_shape(t, data, err) && split_table(ds, data, err) &&
         open_part(ds, data, SPLIT_VALIDATION, &from, err) && open_part(ds, data, SPLIT_TEST, &from, err) &&
         make_fields(ds, data, NULL, err) && fill_missing(ds, from.state, err) &&
         make_scales(ds, data, from.state, err) && make_classes(ds, data, err);
    if (ok) {
        json_t *learnt = table_state(t);
        json_object_update(ds->parts->state, learnt);
        json_decref(learnt);
        ds->has_sample_weight = t->weight.data != NULL;
        ds->fingerprint = fingerprint(ds);
        return ds;
    }
    dataset_close(ds);
    return NULL;
}

static json_t *describe_key(const struct config_key *row, const char *name)
{
    struct err ignored;
    json_t *key = json_pack("{s:s, s:s, s:b, s:s}", "name", name, "types", row->types, "required", row->required,
                            "help", row->help);
    if (row->initial)
        json_object_set_new(key, "default", js_parse(row->initial, strlen(row->initial), name, JS_STRICT, &ignored));
    if (row->choices)
        json_object_set_new(key, "choices", json_string(row->choices));
    return key;
}

json_t *datasets_describe(void)
{
    size_t n;
    const struct config_key *rows = config_keys(&n);
    json_t *formats = json_array(), *common = json_array(), *format = NULL;
    for (size_t i = 0; i < n; i++) {
        const char *dot = strchr(rows[i].path, '.');
        if (!str_starts(rows[i].path, "data["))
            continue;
        if (str_starts(rows[i].path, "data[].")) {
            json_array_append_new(common, describe_key(&rows[i], dot + 1));
        } else if (!dot) {
            char *name = xstrndup(rows[i].path + 5, strlen(rows[i].path) - 6);
            format = json_pack("{s:s, s:s, s:[]}", "name", name, "help", rows[i].help, "keys");
            json_array_append_new(formats, format);
            free(name);
        } else {
            json_array_append_new(json_object_get(format, "keys"), describe_key(&rows[i], dot + 1));
        }
    }
    return json_pack("{s:o, s:o, s:o}", "formats", formats, "keys", common, "synthetic", synthetic_describe());
}
