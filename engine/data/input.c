/* input.c - dataset_open_input: a file given to predict, recognised by its content and fitted to the model's inputs. */
#include "base/io.h"
#include "engine/data/parts.h"
#include "persistence/files/byte_stream.h"
#include "persistence/files/image_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_TABLE, KIND_NPY, KIND_NPZ, KIND_PICTURE };

static bool recognise(const char *path, enum kind *kind, struct err *err)
{
    const unsigned char *bytes;
    size_t n;
    struct byte_stream *s = byte_stream_open(path, err);
    bool ok = s && byte_stream_peek(s, &bytes, 8, &n, err);
    if (ok) {
        bool picture = n >= 4 && (!memcmp(bytes, "\x89PNG", 4) || !memcmp(bytes, "\xFF\xD8\xFF", 3));
        *kind = picture                                     ? KIND_PICTURE
                : n >= 6 && !memcmp(bytes, "\x93NUMPY", 6)  ? KIND_NPY
                : n >= 4 && !memcmp(bytes, "PK\x03\x04", 4) ? KIND_NPZ
                                                            : KIND_TABLE;
    }
    byte_stream_close(s);
    return ok;
}

static void *refuse_arrays(const char *path, const struct field *inputs, int n_inputs, const char *const *names, int n,
                           struct err *err)
{
    struct str wanted = {0}, found = {0};
    for (int i = 0; i < n_inputs; i++)
        str_addf(&wanted, "%s'%s'", i ? ", " : "", inputs[i].name ? inputs[i].name : "");
    for (int i = 0; i < n; i++)
        str_addf(&found, "%s'%s'", i ? ", " : "", names[i]);
    err_set(err, ERR_USAGE, "'%s' holds the arrays %s, expected one for each input of the model: %s", path,
            n ? str_text(&found) : "(none)", str_text(&wanted));
    str_release(&wanted);
    str_release(&found);
    return NULL;
}

/* The data object that loads the file like the run's own data. New reference. */
static json_t *npz_source(const char *path, const struct field *inputs, int n_inputs, struct err *err)
{
    struct npz *archive = npz_open(path, err);
    if (!archive)
        return NULL;
    int n;
    const char *const *names = npz_names(archive, &n);
    json_t *x = json_object(), *source;
    for (int i = 0; i < n_inputs; i++)
        for (int k = 0; k < n; k++)
            if (inputs[i].name && !strcmp(inputs[i].name, names[k]))
                json_object_set_new(x, names[k], json_string(names[k]));
    if (n_inputs == 1 && !json_object_size(x)) {
        json_decref(x);
        x = json_string(n == 1 ? names[0] : "x");
    }
    if (json_is_object(x) && json_object_size(x) != (size_t)n_inputs) {
        source = refuse_arrays(path, inputs, n_inputs, names, n, err);
        json_decref(x);
    } else {
        source = json_pack("{s:s, s:s, s:o, s:n}", "format", "npz", "path", path, "x", x, "y");
    }
    npz_close(archive);
    return source;
}

static json_t *table_source(const char *path, const json_t *data, const struct field *input)
{
    bool text = !strcmp(js_string(data, "format", ""), "text");
    json_t *source = json_pack("{s:s, s:s}", "format", text ? "text" : "csv", "path", path);
    static const char *const kept[] = {"label", "columns", "delimiter", "header", "missing", "vocabulary"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (json_object_get(data, kept[i]) && (text || !strcmp(js_string(data, "format", ""), "csv")))
            json_object_set(source, kept[i], json_object_get(data, kept[i]));
    if (text) {
        bool known = input->shape.rank && input->shape.dim[0] > 0;
        json_object_set_new(source, "sequence_length",
                            json_integer(known ? input->shape.dim[0] : js_int(data, "sequence_length", 64)));
    }
    return source;
}

/* ---- pictures ---- */

/* Height, width and channels that a model's input wants of a picture; a side of 0 is free. */
static bool picture_shape(struct shape want, int64_t *h, int64_t *w, enum image_color *color)
{
    int64_t side = want.rank == 1 ? (int64_t)llround(sqrt((double)want.dim[0])) : 0,
            channels = want.rank == 3 ? want.dim[2] : 1;
    *color = channels == 3 || channels < 0 ? IMAGE_RGB : channels == 4 ? IMAGE_RGBA : IMAGE_GRAYSCALE;
    *h = want.rank == 1 ? side : want.dim[0];
    *w = want.rank == 1 ? side : want.dim[1];
    *h = *h < 0 ? 0 : *h;
    *w = *w < 0 ? 0 : *w;
    bool usual = channels == 1 || channels == 3 || channels == 4 || channels < 0,
         square = want.rank != 1 || side * side == want.dim[0];
    return want.rank >= 1 && want.rank <= 3 && usual && square && *h <= IMAGE_MAX_SIDE && *w <= IMAGE_MAX_SIDE;
}

static struct table *load_picture(const char *path, const struct field *input, struct err *err)
{
    struct image image = {0};
    enum image_color color;
    int64_t h, w;
    if (!picture_shape(input->shape, &h, &w, &color)) {
        struct str shape = {0};
        shape_write(&shape, input->shape);
        err_set(err, ERR_USAGE, "'%s' is a picture, the model's input of shape %s is none", path, str_text(&shape));
        str_release(&shape);
        return NULL;
    }
    if (!image_read(path, color, &image, err))
        return NULL;
    struct table *t = xcalloc(1, sizeof *t);
    h = h ? h : image.height;
    w = w ? w : image.width;
    t->inputs = table_reserve(t, 1);
    t->n_samples = 1;
    t->n_inputs = samples_allocate(&t->inputs[0], NPY_U8, 1, SHAPE(h, w, image.channels),
                                   arena_printf(&t->arena, "'%s'", path), err);
    if (t->n_inputs)
        resize_bilinear(image.pixels, image.height, image.width, image.channels, t->inputs[0].array.owned, (int)h,
                        (int)w);
    image_release(&image);
    if (t->n_inputs)
        return t;
    table_free(t);
    return NULL;
}

/* ---- fitting to the model ---- */

static bool dims_fit(const int64_t *dims, int rank, struct shape want)
{
    bool fit = rank == want.rank;
    for (int d = 0; fit && d < rank; d++)
        fit = want.dim[d] < 0 || want.dim[d] == dims[d];
    return fit;
}

static bool is_known(struct shape shape)
{
    bool known = true;
    for (int d = 0; d < shape.rank; d++)
        known = known && shape.dim[d] >= 0;
    return known;
}

/* As it is; a single sample without its axis of samples; or the same number of elements in another shape. */
static bool fit_shape(struct table *t, struct samples *s, const struct field *want, struct err *err)
{
    if (dims_fit(s->shape.dim, s->shape.rank, want->shape))
        return true;
    if (dims_fit(s->array.dim, s->array.rank, want->shape) && s->stride * s->array.dim[0] == s->array.n_elements) {
        s->shape = shape_make(s->array.dim, s->array.rank);
        s->stride = s->array.n_elements;
        t->n_samples = 1;
        return true;
    }
    if (is_known(want->shape) && shape_elements(want->shape) == shape_elements(s->shape)) {
        s->shape = want->shape;
        return true;
    }
    struct str found = {0}, expected = {0};
    shape_write(&found, s->shape);
    shape_write(&expected, want->shape);
    err_set(err, ERR_USAGE, "%s has samples of shape %s, the model's input%s%s%s wants %s", s->source, str_text(&found),
            want->name ? " '" : "", want->name ? want->name : "", want->name ? "'" : "", str_text(&expected));
    str_release(&found);
    str_release(&expected);
    return false;
}

/* Arrays with names come in the order of the file; the model's order is wanted. */
static void order_inputs(struct table *t, const struct field *inputs, int n)
{
    for (int i = 0; i < n; i++)
        for (int k = i + 1; k < n && t->inputs[k].name && inputs[i].name; k++)
            if (!strcmp(t->inputs[k].name, inputs[i].name)) {
                struct samples swap = t->inputs[i];
                t->inputs[i] = t->inputs[k];
                t->inputs[k] = swap;
            }
}

/* Paths travel through JSON objects here. */
static bool is_utf8(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t left = strlen(text);
    uint32_t code;
    for (int n; left; left -= (size_t)n, p += n) {
        n = utf8_read(p, left, &code);
        if (!n)
            return false;
    }
    return true;
}

static struct table *load_input(const char *path, const json_t *data, const json_t *state, const struct field *inputs,
                                int n, struct err *err)
{
    enum kind kind;
    json_t *object;
    if (!is_utf8(path))
        return err_null(err, ERR_USAGE, "the name of the input file is not UTF-8: rename it");
    if (!recognise(path, &kind, err))
        return NULL;
    if (kind != KIND_NPZ && n > 1)
        return err_null(err, ERR_USAGE,
                        "'%s' holds one input, the model has %d: give a .npz with an array named like each of them",
                        path, n);
    if (kind == KIND_PICTURE)
        return load_picture(path, &inputs[0], err);
    object = kind == KIND_NPZ   ? npz_source(path, inputs, n, err)
             : kind == KIND_NPY ? json_pack("{s:s, s:s}", "format", "npy", "x", path)
                                : table_source(path, data, &inputs[0]);
    if (!object)
        return NULL;
    struct source from = {
        .data = object, .folder = "", .state = json_is_object(state) ? state : NULL, .want = &inputs[0].shape};
    from.want_columns = is_known(inputs[0].shape) ? shape_elements(inputs[0].shape) : 0;
    struct table *t = table_load(&from, err);
    json_decref(object);
    return t;
}

struct dataset *dataset_open_input(const char *path, const json_t *data, const char *folder, const json_t *scale_state,
                                   const struct field *model_inputs, int n_model_inputs, struct err *err)
{
    char *joined = path_join(folder, path);
    struct table *t = load_input(joined, data, scale_state, model_inputs, n_model_inputs, err);
    free(joined);
    if (!t)
        return NULL;
    const json_t *state = json_is_object(scale_state) ? scale_state : NULL;
    struct dataset *ds = dataset_around(t);
    order_inputs(t, model_inputs, n_model_inputs);
    bool ok = t->n_samples > 0 || err_set(err, ERR_USAGE, "'%s' has no samples", path);
    for (int i = 0; ok && i < t->n_inputs; i++)
        ok = fit_shape(t, &t->inputs[i], &model_inputs[i], err);
    for (int i = 0; i < t->n_targets; i++)
        if (!t->targets[i].lent)
            npy_release(&t->targets[i].array);
    t->n_targets = 0;
    ok = ok && make_fields(ds, data, model_inputs, err) && fill_missing(ds, state, err) &&
         make_scales(ds, data, state, err);
    if (!ok) {
        dataset_close(ds);
        return NULL;
    }
    for (int i = 0; i < ds->n_inputs; i++)
        ds->inputs[i].name = model_inputs[i].name;
    ds->parts->split[SPLIT_TEST].table = t;
    ds->n_samples[SPLIT_TEST] = t->n_samples;
    return ds;
}
