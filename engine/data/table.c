/* table.c - see table.h */
#include "base/io.h"
#include "base/size.h"
#include "engine/data/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    bool (*load)(struct table *t, const struct source *from, struct err *err);
} formats[] = {
    {"csv", load_csv},         {"npy", load_npy},       {"npz", load_npz},   {"idx", load_idx},
    {"cifar10", load_cifar10}, {"images", load_images}, {"text", load_text}, {"synthetic", load_synthetic},
};

static bool is_whole_array(const struct samples *s)
{
    if (npy_type_is_integer(s->array.type))
        return true;
    for (int64_t i = 0; i < s->array.n_elements; i++) {
        double value = npy_value(&s->array, i);
        if (value != floor(value) || fabs(value) > INT32_MAX)
            return false;
    }
    return s->array.n_elements > 0;
}

static bool check_numbers(const struct samples *s, struct err *err)
{
    if (npy_type_is_integer(s->array.type))
        return true;
    for (int64_t i = 0; i < s->array.n_elements; i++)
        if (isnan(npy_value(&s->array, i)))
            return err_set(err, ERR_FORMAT, "%s holds NaN in sample %lld, expected numbers", s->source,
                           (long long)(i / (s->stride ? s->stride : 1)));
    return true;
}

static bool finish(struct table *t, struct err *err)
{
    for (int i = 0; i < t->n_inputs; i++) {
        if (!t->fill_mean && !check_numbers(&t->inputs[i], err))
            return false;
        t->inputs[i].integral = npy_type_is_integer(t->inputs[i].array.type);
    }
    for (int i = 0; i < t->n_targets; i++) {
        if (!check_numbers(&t->targets[i], err))
            return false;
        t->targets[i].integral = is_whole_array(&t->targets[i]);
    }
    return true;
}

struct table *table_load(const struct source *from, struct err *err)
{
    const char *format = js_string(from->data, "format", "");
    struct table *t = xcalloc(1, sizeof *t);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(formats[i].name, format)) {
            if (formats[i].load(t, from, err) && finish(t, err))
                return t;
            table_free(t);
            return NULL;
        }
    table_free(t);
    return err_null(err, ERR_USAGE, "data.format: found '%s', which no loader knows", format);
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->n_inputs; i++)
        if (!t->inputs[i].lent)
            npy_release(&t->inputs[i].array);
    for (int i = 0; i < t->n_targets; i++)
        if (!t->targets[i].lent)
            npy_release(&t->targets[i].array);
    npy_release(&t->weight);
    arena_release(&t->arena);
    free(t);
}

const char *source_path(struct table *t, const struct source *from, const char *key)
{
    char *joined = path_join(from->folder, js_string(from->data, key, ""));
    const char *path = arena_strdup(&t->arena, joined);
    free(joined);
    return path;
}

struct samples *table_reserve(struct table *t, int n)
{
    return arena_array(&t->arena, (size_t)n, sizeof(struct samples));
}

bool samples_take(struct samples *s, struct npy *array, const char *name, const char *source, struct err *err)
{
    if (array->rank < 1)
        return err_set(err, ERR_FORMAT, "%s is a single number, expected a first axis that counts samples", source);
    if (array->rank - 1 > RANK_MAX)
        return err_set(err, ERR_FORMAT, "%s has %d axes, expected at most %d", source, array->rank, RANK_MAX + 1);
    *s = (struct samples){
        .name = name, .source = source, .array = *array, .shape = shape_make(array->dim + 1, array->rank - 1)};
    s->stride = shape_elements(s->shape);
    *array = (struct npy){0};
    return true;
}

bool samples_allocate(struct samples *s, enum npy_type type, int64_t n_samples, struct shape sample, const char *source,
                      struct err *err)
{
    struct npy a = {.type = type, .rank = sample.rank + 1, .dim = {n_samples}};
    memcpy(a.dim + 1, sample.dim, (size_t)sample.rank * sizeof *a.dim);
    size_t size_bytes;
    if (!int64_mul(n_samples, shape_elements(sample), &a.n_elements) ||
        !size_mul((size_t)a.n_elements, npy_type_size(type), &size_bytes))
        return err_set(err, ERR_FORMAT, "%s declares more elements than any file can hold", source);
    a.data = a.owned = io_allocate(size_bytes, source, err);
    return a.data && samples_take(s, &a, NULL, source, err);
}

const char *content_name(const unsigned char *bytes, size_t n)
{
    static const struct {
        const char *magic;
        size_t length;
        const char *name;
    } known[] = {
        {"\x93NUMPY", 6, "a NumPy array (format npy)"},
        {"PK\x03\x04", 4, "a zip archive (format npz for NumPy arrays)"},
        {"\x89PNG", 4, "a PNG picture"},
        {"\xFF\xD8\xFF", 3, "a JPEG picture"},
        {"\x89HDF", 4, "an HDF5 file"},
        {"PAR1", 4, "a Parquet file"},
        {"\x1F\x8B", 2, "gzip data"},
        {"BZh", 3, "bzip2 data"},
        {"\xFD"
         "7zXZ",
         5, "xz data"},
        {"\xFF\xFE", 2, "UTF-16 text"},
        {"\xFE\xFF", 2, "UTF-16 text"},
        {"\x80\x04\x95", 3, "a Python pickle"},
        {"\x80\x02", 2, "a Python pickle"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n >= known[i].length && !memcmp(bytes, known[i].magic, known[i].length))
            return known[i].name;
    return NULL;
}

int utf8_read(const unsigned char *text, size_t n, uint32_t *code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (!n)
        return 0;
    int length = text[0] < 0x80 ? 1 : text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : text[0] >> 3 == 30 ? 4 : 0;
    if (!length || (size_t)length > n)
        return 0;
    *code = length == 1 ? text[0] : text[0] & (0xFFu >> (length + 1));
    for (int i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        *code = *code << 6 | (text[i] & 0x3F);
    }
    bool surrogate = *code >= 0xD800 && *code < 0xE000;
    return *code < smallest[length] || *code > 0x10FFFF || surrogate ? 0 : length;
}

void utf8_write(uint32_t code, char out[5])
{
    int length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    out[length] = 0;
    for (int i = length - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(first[length] | code);
}

/* Where output pixel i lies between two source pixels: index of the first, and the share of the second. */
static double position(int i, int to, int from, int *first, int *second)
{
    double at = ((double)i + 0.5) * (double)from / (double)to - 0.5, low = floor(at);
    *first = low < 0 ? 0 : (int)low;
    *second = low + 1 > from - 1 ? from - 1 : (int)low + 1;
    return at - low;
}

void resize_bilinear(const uint8_t *from, int h, int w, int channels, uint8_t *to, int to_h, int to_w)
{
    for (int y = 0; y < to_h; y++) {
        int y0, y1;
        double fy = position(y, to_h, h, &y0, &y1);
        for (int x = 0; x < to_w; x++) {
            int x0, x1;
            double fx = position(x, to_w, w, &x0, &x1);
            for (int c = 0; c < channels; c++) {
                double a = from[((size_t)y0 * (size_t)w + (size_t)x0) * (size_t)channels + (size_t)c];
                double b = from[((size_t)y0 * (size_t)w + (size_t)x1) * (size_t)channels + (size_t)c];
                double d = from[((size_t)y1 * (size_t)w + (size_t)x0) * (size_t)channels + (size_t)c];
                double e = from[((size_t)y1 * (size_t)w + (size_t)x1) * (size_t)channels + (size_t)c];
                double top = a + (b - a) * fx, bottom = d + (e - d) * fx;
                *to++ = (uint8_t)lrint(top + (bottom - top) * fy);
            }
        }
    }
}
