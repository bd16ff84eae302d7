/* prepare.c - shape, dtype and classes; see parts.h. What is fitted: scale.c */
#include "engine/data/parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const json_t *per_input(const json_t *data, const char *key, const struct table *t, int i)
{
    const json_t *value = json_object_get(data, key);
    if (json_is_object(value))
        value = t->inputs[i].name ? json_object_get(value, t->inputs[i].name) : NULL;
    return json_is_null(value) ? NULL : value;
}

/* Names in an object of key -> value per input must be inputs. */
static bool check_names(const struct table *t, const json_t *data, const char *key, struct err *err)
{
    const char *name;
    json_t *value;
    json_t *object = json_object_get(data, key);
    if (!json_is_object(object))
        return true;
    json_object_foreach(object, name, value) {
        bool found = false;
        for (int i = 0; i < t->n_inputs; i++)
            found = found || (t->inputs[i].name && !strcmp(t->inputs[i].name, name));
        if (!found)
            return err_set(err, ERR_USAGE, "data.%s.%s: there is no input of that name in data.x", key, name);
    }
    return true;
}

bool apply_shape(struct table *t, const json_t *data, struct err *err)
{
    if (!check_names(t, data, "shape", err))
        return false;
    for (int i = 0; i < t->n_inputs; i++) {
        const json_t *list = per_input(data, "shape", t, i);
        struct samples *s = &t->inputs[i];
        struct shape shape = {.rank = (int)json_array_size(list)};
        if (!list)
            continue;
        if (!json_is_array(list) || shape.rank > RANK_MAX)
            return err_set(err, ERR_USAGE, "data.shape: expected a list of at most %d numbers", RANK_MAX);
        for (int d = 0; d < shape.rank; d++) {
            shape.dim[d] = json_integer_value(json_array_get(list, (size_t)d));
            if (shape.dim[d] < 1)
                return err_set(err, ERR_USAGE, "data.shape: found %lld, expected sizes of 1 or more",
                               (long long)shape.dim[d]);
        }
        if (shape_elements(shape) != shape_elements(s->shape)) {
            struct str wanted = {0}, found = {0};
            shape_write(&wanted, shape);
            shape_write(&found, s->shape);
            err_set(err, ERR_USAGE, "data.shape: %s has %lld elements, a sample of %s has %lld: %s", str_text(&wanted),
                    (long long)shape_elements(shape), s->source, (long long)shape_elements(s->shape), str_text(&found));
            str_release(&wanted);
            str_release(&found);
            return false;
        }
        s->shape = shape;
    }
    return true;
}

static bool parse_dtype(const json_t *value, enum dtype *dtype, struct err *err)
{
    static const char *const names[] = {"float32", "float64", "float16", "int32",  "int64",  "uint8",
                                        "int8",    "uint16",  "int16",   "uint32", "uint64", "bool"};
    const char *name = json_string_value(value);
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name)) {
            *dtype = i < 3 ? DTYPE_F32 : DTYPE_I32;
            return true;
        }
    err_set(err, ERR_USAGE, "data.dtype: found '%s', expected a NumPy name such as float32 or int32",
            name ? name : js_type_name(value));
    return err_nearest(err, name ? str_nearest(name, names, sizeof names / sizeof *names) : NULL);
}

/* int32 is promised: every value must be one. */
static bool check_whole(const struct samples *s, struct err *err)
{
    enum npy_type type = s->array.type;
    if (npy_type_is_integer(type) && type != NPY_U32 && type != NPY_U64 && type != NPY_I64)
        return true;
    for (int64_t i = 0; i < s->array.n_elements; i++) {
        double value = npy_value(&s->array, i);
        if (value != floor(value) || fabs(value) > INT32_MAX)
            return err_set(err, ERR_FORMAT, "%s sample %lld: found %.9g where int32 numbers are expected", s->source,
                           (long long)(i / (s->stride ? s->stride : 1)), value);
    }
    return true;
}

static bool input_is_whole(const struct dataset *ds, int i, struct err *err)
{
    for (int k = 0; k < SPLIT_COUNT; k++)
        if (ds->parts->tables[k] && !check_whole(&ds->parts->tables[k]->inputs[i], err))
            return false;
    return true;
}

bool dataset_want_input(struct dataset *ds, int input, enum dtype dtype, struct err *err)
{
    struct field *f = &ds->inputs[input];
    if (dtype == DTYPE_I32 && ds->parts->scales[input].period)
        return err_set(err, ERR_USAGE, "data.scale: the model takes whole numbers here, they cannot be scaled");
    if (dtype == DTYPE_I32 && f->dtype != DTYPE_I32 && !input_is_whole(ds, input, err))
        return false;
    f->dtype = dtype;
    return true;
}

static bool check_classes(const struct samples *s, int64_t n_classes, int64_t ignored, struct err *err)
{
    for (int64_t i = 0; i < s->array.n_elements; i++) {
        double value = npy_value(&s->array, i);
        if ((value >= 0 && value < (double)n_classes && value == floor(value)) || value == (double)ignored)
            continue;
        long long sample = (long long)((i - s->offset) / (s->stride ? s->stride : 1));
        if (value == floor(value))
            return err_set(err, ERR_USAGE,
                           "%s sample %lld: found the label %.17g, the model tells %lld classes apart (0 to %lld): "
                           "give its output more units",
                           s->source, sample, value, (long long)n_classes, (long long)n_classes - 1);
        return err_set(err, ERR_USAGE,
                       "%s sample %lld: found %.9g, the loss expects class numbers (0 to %lld); for other numbers use "
                       "one such as 'mse'",
                       s->source, sample, value, (long long)n_classes - 1);
    }
    return true;
}

bool dataset_check_classes(const struct dataset *ds, int target, int64_t n_classes, int64_t ignored, struct err *err)
{
    for (int k = 0; k < SPLIT_COUNT; k++)
        if (ds->parts->tables[k] && !check_classes(&ds->parts->tables[k]->targets[target], n_classes, ignored, err))
            return false;
    return true;
}

bool make_fields(struct dataset *ds, const json_t *data, const struct field *model_inputs, struct err *err)
{
    struct dataset_parts *p = ds->parts;
    const struct table *t = p->tables[0];
    if (!check_names(t, data, "dtype", err) || !check_names(t, data, "scale", err))
        return false;
    ds->n_inputs = t->n_inputs;
    ds->n_targets = t->n_targets;
    ds->inputs = arena_array(&p->arena, (size_t)t->n_inputs, sizeof *ds->inputs);
    ds->targets = arena_array(&p->arena, (size_t)t->n_targets, sizeof *ds->targets);
    for (int i = 0; i < t->n_inputs; i++) {
        const struct samples *s = &t->inputs[i];
        const json_t *dtype = per_input(data, "dtype", t, i);
        struct field *f = &ds->inputs[i];
        *f = (struct field){.name = s->name,
                            .shape = s->shape,
                            .dtype = t->n_vocabulary ? DTYPE_I32 : DTYPE_F32,
                            .integral = s->integral};
        if (model_inputs)
            f->dtype = model_inputs[i].dtype;
        else if (dtype && !parse_dtype(dtype, &f->dtype, err))
            return false;
        if (f->dtype == DTYPE_I32 && !input_is_whole(ds, i, err))
            return false;
    }
    for (int i = 0; i < t->n_targets; i++) {
        const struct samples *s = &t->targets[i];
        bool integral = true;
        for (int k = 0; k < SPLIT_COUNT; k++)
            integral = integral && (!p->tables[k] || p->tables[k]->targets[i].integral);
        ds->targets[i] = (struct field){
            .name = s->name, .shape = s->shape, .dtype = integral ? DTYPE_I32 : DTYPE_F32, .integral = integral};
    }
    return true;
}

/* ---- classes ---- */

static bool is_label(const struct field *f)
{
    return f->integral && shape_elements(f->shape) == 1;
}

/* The largest label of target i; a label below 0 or above `limit` is an error when a limit is set, else makes it -1 (no
 * classes). */
static bool largest_label(const struct dataset *ds, int i, int64_t limit, int64_t *largest, struct err *err)
{
    *largest = -1;
    for (int k = 0; k < SPLIT_COUNT; k++) {
        const struct samples *s = ds->parts->tables[k] ? &ds->parts->tables[k]->targets[i] : NULL;
        for (int64_t r = 0; s && r < ds->parts->tables[k]->n_samples; r++) {
            int64_t label = (int64_t)npy_value(&s->array, r);
            if (limit && (label < 0 || label >= limit))
                return err_set(err, ERR_FORMAT, "%s sample %lld has label %lld, one_hot allows 0 to %lld", s->source,
                               (long long)r, (long long)label, (long long)limit - 1);
            if (label < 0) {
                *largest = -1;
                return true;
            }
            *largest = label > *largest ? label : *largest;
        }
    }
    return true;
}

bool make_classes(struct dataset *ds, const json_t *data, struct err *err)
{
    struct dataset_parts *p = ds->parts;
    const struct table *t = p->tables[0];
    p->one_hot = js_int(data, "one_hot", 0);
    if (p->one_hot && !ds->n_targets)
        return err_set(err, ERR_USAGE, "data.one_hot: the data have no labels");
    for (int i = 0; i < ds->n_targets; i++) {
        struct field *f = &ds->targets[i];
        int64_t largest = -1;
        if (p->one_hot && !is_label(f))
            return err_set(err, ERR_USAGE, "data.one_hot: the targets of %s are not single whole numbers",
                           t->targets[i].source);
        if (is_label(f) && !t->targets[i].lent && !largest_label(ds, i, p->one_hot, &largest, err))
            return false;
        if (i == 0 && largest >= 0 && largest < 1000000)
            ds->n_classes = p->one_hot ? p->one_hot : largest + 1;
        if (p->one_hot) {
            f->shape = SHAPE(p->one_hot);
            f->dtype = DTYPE_F32;
        }
    }
    if (ds->n_targets && t->n_vocabulary)
        ds->n_classes = t->n_vocabulary;
    if (ds->n_targets && t->class_names) {
        ds->class_names = t->class_names;
        ds->n_classes = t->n_class_names > ds->n_classes || !p->one_hot ? t->n_class_names : ds->n_classes;
        if (p->one_hot && p->one_hot != t->n_class_names)
            return err_set(err, ERR_USAGE, "data.one_hot: found %lld, the labels of %s have %lld classes",
                           (long long)p->one_hot, t->targets[0].source, (long long)t->n_class_names);
    }
    return true;
}

static json_t *names_list(const char *const *names, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(names[i]));
    return list;
}

json_t *table_state(const struct table *t)
{
    json_t *state = json_object();
    if (t->vocabulary)
        json_object_set_new(state, "vocabulary", names_list(t->vocabulary, t->n_vocabulary));
    else if (t->bytes)
        json_object_set_new(state, "vocabulary", json_string("bytes"));
    else if (t->class_names)
        json_object_set_new(state, "class_names", names_list(t->class_names, t->n_class_names));
    if (t->columns)
        json_object_set_new(state, "columns", names_list(t->columns, t->n_columns));
    return state;
}
