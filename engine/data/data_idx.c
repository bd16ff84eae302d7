/* data_idx.c - formats idx (MNIST and its relatives) and cifar10 (binary version): headers of fixed size, then bytes.
 */
#include "base/io.h"
#include "base/size.h"
#include "engine/data/table.h"
#include "persistence/files/byte_stream.h"

#include <stdlib.h>
#include <string.h>

/* ---- idx: 0 0 type rank, then rank big-endian sizes, then big-endian elements ---- */

static bool idx_type(int code, enum npy_type *type)
{
    static const struct {
        int code;
        enum npy_type type;
    } types[] = {{8, NPY_U8}, {9, NPY_I8}, {11, NPY_I16}, {12, NPY_I32}, {13, NPY_F32}, {14, NPY_F64}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].code == code) {
            *type = types[i].type;
            return true;
        }
    return false;
}

static void to_host_order(unsigned char *p, int64_t n, size_t size)
{
    for (int64_t i = 0; size > 1 && i < n; i++, p += size)
        for (size_t k = 0; k < size / 2; k++) {
            unsigned char byte = p[k];
            p[k] = p[size - 1 - k];
            p[size - 1 - k] = byte;
        }
}

static bool read_idx(struct byte_stream *s, const char *source, struct npy *a, struct err *err)
{
    unsigned char head[4], dim[4];
    const unsigned char *start;
    size_t got, size_bytes;
    if (!byte_stream_peek(s, &start, 8, &got, err))
        return false;
    const char *seems = content_name(start, got);
    if (got < 4 || start[0] || start[1] || !idx_type(start[2], &a->type) || !start[3] || start[3] > RANK_MAX + 1)
        return err_set(
            err, ERR_FORMAT,
            "%s is not an idx file%s%s: expected 0 0, a type of 8 to 14 and a number of axes as its first bytes",
            source, seems ? ", it seems to be " : "", seems ? seems : "");
    if (!byte_stream_exact(s, head, 4, "its header", err))
        return false;
    a->rank = head[3];
    a->n_elements = 1;
    bool fits = true;
    for (int i = 0; i < a->rank; i++) {
        if (!byte_stream_exact(s, dim, 4, "its header", err))
            return false;
        a->dim[i] = (int64_t)dim[0] << 24 | dim[1] << 16 | dim[2] << 8 | dim[3];
        fits = fits && int64_mul(a->n_elements, a->dim[i], &a->n_elements);
    }
    if (!fits || !size_mul((size_t)a->n_elements, npy_type_size(a->type), &size_bytes) ||
        size_bytes > (size_t)byte_stream_limit(s))
        return err_set(err, ERR_FORMAT, "%s declares more elements (first axis %lld) than its %lld bytes can hold",
                       source, (long long)a->dim[0], (long long)byte_stream_limit(s));
    a->data = a->owned = io_allocate(size_bytes, source, err);
    if (!a->data || !byte_stream_exact(s, a->owned, size_bytes, "its data", err) || !byte_stream_expect_end(s, err))
        return false;
    to_host_order(a->owned, a->n_elements, npy_type_size(a->type));
    return true;
}

static bool add_idx(struct table *t, const struct source *from, const char *key, struct samples **list, int *n,
                    struct err *err)
{
    const char *path = source_path(t, from, key), *source = arena_printf(&t->arena, "'%s'", path);
    struct npy a = {0};
    struct byte_stream *s = byte_stream_open(path, err);
    *list = table_reserve(t, 1);
    bool ok = s && read_idx(s, source, &a, err) && samples_take(&(*list)[0], &a, NULL, source, err);
    *n = ok;
    byte_stream_close(s);
    npy_release(&a);
    return ok || err_prefix(err, "data.%s", key);
}

bool load_idx(struct table *t, const struct source *from, struct err *err)
{
    if (!add_idx(t, from, "images", &t->inputs, &t->n_inputs, err))
        return false;
    t->n_samples = t->inputs[0].array.dim[0];
    if (!json_is_string(json_object_get(from->data, "labels")))
        return true;
    if (!add_idx(t, from, "labels", &t->targets, &t->n_targets, err))
        return false;
    if (t->targets[0].array.dim[0] != t->n_samples)
        return err_set(err, ERR_FORMAT, "data.labels: %s has %lld samples, %s has %lld", t->targets[0].source,
                       (long long)t->targets[0].array.dim[0], t->inputs[0].source, (long long)t->n_samples);
    return true;
}

/* ---- cifar10: records of one label byte and 3 planes of 32 x 32 ---- */

enum {
    SIDE = 32,
    PLANE = SIDE * SIDE,
    PICTURE = 3 * PLANE,
    RECORD = 1 + PICTURE,
    BATCHES = 5,
    RECORDS_MAX = 100000 /* ten times what a file of CIFAR-10 has */
};

struct cifar {
    uint8_t *pictures, *labels;
    size_t n, pictures_capacity, labels_capacity;
};

static bool read_records(struct cifar *c, const char *path, struct err *err)
{
    uint8_t record[RECORD];
    size_t got, before = c->n;
    struct byte_stream *s = byte_stream_open(path, err);
    bool ok = s != NULL;
    while (ok && (ok = byte_stream_read(s, record, RECORD, &got, err)) && got) {
        if (got < RECORD)
            ok = err_set(err, ERR_FORMAT, "'%s' ends inside a record: %zu bytes are left over after %zu records of %d",
                         path, got, c->n - before, RECORD);
        else if (c->n - before >= RECORDS_MAX)
            ok = err_set(err, ERR_FORMAT, "'%s' has more than %d records, expected 10000", path, RECORDS_MAX);
        else if (record[0] > 9)
            ok = err_set(err, ERR_FORMAT,
                         "'%s' has label %d in record %zu, expected 0 to 9: it is not the binary version of CIFAR-10",
                         path, record[0], c->n - before);
        if (!ok)
            break;
        c->pictures = xgrow(c->pictures, &c->pictures_capacity, (c->n + 1) * PICTURE, 1);
        c->labels = xgrow(c->labels, &c->labels_capacity, c->n + 1, 1);
        uint8_t *out = c->pictures + c->n * PICTURE;
        for (int i = 0; i < PLANE; i++)
            for (int channel = 0; channel < 3; channel++)
                out[i * 3 + channel] = record[1 + channel * PLANE + i];
        c->labels[c->n++] = record[0];
    }
    byte_stream_close(s);
    return ok;
}

/* "folder/name" or "folder/name.gz", whichever is there. free() it; NULL when neither is. */
static char *find_batch(const char *folder, const char *name)
{
    char *path = xprintf("%s/%s", folder, name);
    if (!path_exists(path)) {
        char *zipped = xprintf("%s.gz", path);
        free(path);
        path = zipped;
    }
    if (path_exists(path))
        return path;
    free(path);
    return NULL;
}

static bool read_folder(struct table *t, struct cifar *c, const char *folder, struct err *err)
{
    char name[32];
    for (int i = 1; i <= BATCHES + 1; i++) {
        snprintf(name, sizeof name, i <= BATCHES ? "data_batch_%d.bin" : "test_batch.bin", i);
        char *path = find_batch(folder, name);
        size_t before = c->n;
        bool ok = !path || read_records(c, path, err);
        if (path && i > BATCHES)
            t->n_test = (int64_t)(c->n - before);
        free(path);
        if (!ok)
            return false;
    }
    if ((int64_t)c->n > t->n_test)
        return true;
    return err_set(
        err, ERR_USAGE,
        "'%s' has no data_batch_1.bin to data_batch_5.bin: expected the unpacked folder of CIFAR-10's binary version",
        folder);
}

bool load_cifar10(struct table *t, const struct source *from, struct err *err)
{
    static const char *const names[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                        "dog",      "frog",       "horse", "ship", "truck"};
    const char *path = source_path(t, from, "path"), *source = arena_printf(&t->arena, "'%s'", path);
    struct cifar c = {0};
    bool ok = path_is_folder(path) ? read_folder(t, &c, path, err) : read_records(&c, path, err);
    if (ok && !c.n)
        ok = err_set(err, ERR_FORMAT, "%s is empty", source);
    struct npy pictures = {.type = NPY_U8,
                           .rank = 4,
                           .dim = {(int64_t)c.n, SIDE, SIDE, 3},
                           .n_elements = (int64_t)c.n * PICTURE,
                           .data = c.pictures,
                           .owned = c.pictures};
    struct npy labels = {.type = NPY_U8,
                         .rank = 1,
                         .dim = {(int64_t)c.n},
                         .n_elements = (int64_t)c.n,
                         .data = c.labels,
                         .owned = c.labels};
    t->inputs = table_reserve(t, 1);
    t->targets = table_reserve(t, 1);
    t->n_samples = (int64_t)c.n;
    t->n_inputs = ok && samples_take(&t->inputs[0], &pictures, NULL, source, err);
    t->n_targets = ok && samples_take(&t->targets[0], &labels, NULL, source, err);
    npy_release(&pictures);
    npy_release(&labels);
    t->class_names = arena_array(&t->arena, 10, sizeof *t->class_names);
    memcpy(t->class_names, names, sizeof names);
    t->n_class_names = 10;
    return ok || err_prefix(err, "data.path");
}
