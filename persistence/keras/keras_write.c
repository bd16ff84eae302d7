/* keras_write.c - writing .keras archives and .weights.h5 files; see keras_file.h */
#include "persistence/keras/keras_file.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/atomic_file.h"
#include "persistence/files/zip_archive.h"
#include "persistence/hdf5/hdf5_file.h"
#include "persistence/keras/keras_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Keras itself never reads it. It names the oldest version that opens what we write, which is what a reader wants to
 * know. */
static const char KERAS_VERSION[] = "3.0.0";
enum { DIRECTORY_BYTES = 1024 };

/* One destination for the bytes of the weights: a member of an archive, or the file itself. */
struct sink {
    struct zip_writer *zip; /* NULL: straight into file */
    struct atomic_file *file;
};

static bool put(const struct sink *sink, const void *data, size_t size_bytes, struct err *err)
{
    return sink->zip ? zip_writer_write(sink->zip, data, size_bytes, err)
                     : atomic_file_write(sink->file, data, size_bytes, err);
}

static bool put_weights(const struct sink *sink, const struct hdf5_layout *layout, const struct model_parts *parts,
                        struct err *err)
{
    static const char zeros[HDF5_ALIGNMENT];
    int64_t at = (int64_t)layout->head_bytes, size_bytes;
    if (!put(sink, layout->head, layout->head_bytes, err))
        return false;
    for (size_t i = 0; i < parts->n_weights; i++) {
        const struct weight *weight = &parts->weights[i];
        BUG_ON(!hdf5_data_bytes(weight->dtype, weight->rank, weight->dim, &size_bytes) || at > layout->offsets[i]);
        if (!put(sink, zeros, (size_t)(layout->offsets[i] - at), err) ||
            !put(sink, weight->data, (size_t)size_bytes, err))
            return false;
        at = layout->offsets[i] + size_bytes;
    }
    return put(sink, zeros, (size_t)(layout->size_bytes - at), err);
}

static char *metadata_text(const json_t *further)
{
    char date[64];
    time_t now = (time_t)(io->wall_ns() / 1000000000);
    struct tm local = {0};
    localtime_r(&now, &local);
    strftime(date, sizeof date, "%Y-%m-%d@%H:%M:%S", &local);
    json_t *metadata = json_object();
    json_object_set_new(metadata, "keras_version", json_string(KERAS_VERSION));
    json_object_set_new(metadata, "date_saved", json_string(date));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)further, key, value)
        json_object_set(metadata, key, value);
    char *text = js_text(metadata, 0);
    json_decref(metadata);
    return text;
}

static bool put_text(struct zip_writer *zip, const char *name, const char *text, size_t most, struct err *err)
{
    size_t n = strlen(text);
    if (n > most)
        return err_set(err, ERR_USAGE, "'%s' would have %zu bytes, at most %zu can be read back", name, n, most);
    return zip_writer_begin(zip, name, (int64_t)n, err) && zip_writer_write(zip, text, n, err) &&
           zip_writer_end(zip, err);
}

static bool put_archive(struct atomic_file *file, const struct hdf5_layout *layout, const struct model_parts *parts,
                        struct err *err)
{
    struct zip_writer *zip = zip_writer_new(file);
    struct sink sink = {zip, file};
    char *metadata = metadata_text(parts->metadata), *config = js_text(parts->config, 0);
    bool ok = atomic_file_reserve(
                  file, layout->size_bytes + (int64_t)(strlen(metadata) + strlen(config)) + DIRECTORY_BYTES, err) &&
              put_text(zip, "metadata.json", metadata, KERAS_METADATA_MAX_BYTES, err) &&
              put_text(zip, "config.json", config, KERAS_CONFIG_MAX_BYTES, err) &&
              zip_writer_begin(zip, "model.weights.h5", layout->size_bytes, err) &&
              put_weights(&sink, layout, parts, err) && zip_writer_end(zip, err) && zip_writer_finish(zip, err);
    free(metadata);
    free(config);
    zip_writer_free(zip);
    return ok;
}

static bool put_bare(struct atomic_file *file, const struct hdf5_layout *layout, const struct model_parts *parts,
                     struct err *err)
{
    struct sink sink = {NULL, file};
    return atomic_file_reserve(file, layout->size_bytes, err) && put_weights(&sink, layout, parts, err);
}

static bool make_layout(const struct model_parts *parts, struct hdf5_layout *layout, struct err *err)
{
    size_t n = parts->n_groups + 1;
    const char **groups = xcalloc(n, sizeof *groups);
    groups[0] = "vars"; /* Keras 3.0 to 3.3 refuse a file without it */
    for (size_t i = 0; i < parts->n_groups; i++)
        groups[i + 1] = parts->groups[i];
    bool ok = hdf5_layout(parts->weights, parts->n_weights, groups, n, layout, err);
    free(groups);
    return ok;
}

struct atomic_file *keras_file_begin(const char *path, const struct model_parts *parts, struct err *err)
{
    struct hdf5_layout layout;
    bool archive = str_ends(path, ".keras");
    if (!archive && !str_ends(path, ".weights.h5"))
        return err_null(err, ERR_USAGE, "cannot write '%s': the name of a model file ends with .keras or .weights.h5",
                        path);
    if (archive && !parts->config)
        return err_null(err, ERR_USAGE, "cannot write '%s': weights without a config go into a .weights.h5 file", path);
    if (!make_layout(parts, &layout, err)) {
        err_prefix(err, "cannot write '%s'", path);
        return NULL;
    }
    struct atomic_file *file = atomic_file_open(path, err);
    if (file && !(archive ? put_archive(file, &layout, parts, err) : put_bare(file, &layout, parts, err)))
        atomic_file_abort(&file);
    hdf5_layout_release(&layout);
    return file;
}

bool keras_file_write(const char *path, const struct model_parts *parts, struct err *err)
{
    struct atomic_file *file = keras_file_begin(path, parts, err);
    return file && atomic_file_commit(&file, err);
}
