/* keras_file.h - real Keras files: .keras archives, *.weights.h5, *.h5-shaped weights, architecture JSON. Both ways.
 *
 * Reading is hostile territory. A file is recognised by content. Nothing of it is believed: zip directory, HDF5
 * structures and every size are checked; a weight is read only into a destination whose shape the caller knows from the
 * architecture. No class is interpreted here and no string is used as a path. ERR_FORMAT (exit 4) for damaged, hostile
 * or unsupported files, with the file, the place, what was found and expected. Writing is streamed, stored, in the
 * profile Keras 3.0 to newest opens, atomic and durable when it returns true.
 */
#ifndef PERSISTENCE_KERAS_KERAS_FILE_H
#define PERSISTENCE_KERAS_KERAS_FILE_H

#include "base/json.h"
#include "persistence/hdf5/weight.h"

struct atomic_file;

struct model_parts {        /* what a .keras file is written from */
    const json_t *config;   /* config.json: the model envelope with compile_config; NULL for a weights-only file */
    const json_t *metadata; /* further keys of metadata.json ("antler": {...}); may be NULL */
    const struct weight *weights;
    size_t n_weights;
    const char *const *groups; /* further groups that must exist though empty ("layers/flatten/vars"); may be NULL */
    size_t n_groups;
};

/* path ends with .keras or .weights.h5. Atomic (temp, fsync, rename, fsync of the folder). */
bool keras_file_write(const char *path, const struct model_parts *parts, struct err *err) MUST_USE;
/* The same but for the last step: everything has left the parts, which may change now; atomic_file_commit makes the
 * file durable and visible, maybe in another thread, atomic_file_abort removes it. NULL and err. */
struct atomic_file *keras_file_begin(const char *path, const struct model_parts *parts, struct err *err);

struct keras_file; /* an opened file */
enum keras_format { KERAS_ARCHIVE, KERAS_WEIGHTS_H5, KERAS_LEGACY_H5, KERAS_JSON };

/* Opens and checks everything but the weights' values. The file is parsed in a child under seccomp and landlock
 * (sandbox.h), and its findings are checked again here; a child that dies means a damaged or hostile file. Safe while
 * threads run, costs a fork. path may be a folder with config.json and model.weights.h5. A file that is no Keras file
 * is named in one sentence with the way out (pickle, SavedModel, ONNX, PyTorch, npz, TensorFlow Lite, safetensors, cut
 * off, ...). NULL and err. */
struct keras_file *keras_file_open(const char *path, struct err *err);
void keras_file_close(struct keras_file *file);
enum keras_format keras_file_format(const struct keras_file *file);
const char *keras_file_format_name(enum keras_format format);
/* Lent; NULL when the file has none. */
const json_t *keras_file_config(const struct keras_file *file);
const json_t *keras_file_metadata(const struct keras_file *file);
/* All datasets of numeric types, sorted by path in natural order (2 before 10). Lent. Of a legacy file
 * (KERAS_LEGACY_H5) the paths are those of the file, named after layers ("model_weights/dense/dense/kernel"), and the
 * config is its attribute model_config, with "training_config" beside it and the same once more as "compile_config". */
const struct weight *keras_file_weights(const struct keras_file *file, size_t *n);
/* NULL when there is none. */
const struct weight *keras_file_find(const struct keras_file *file, const char *path);

struct weight_target { /* a weight to read, and where to */
    const struct weight *weight;
    bool as_int; /* as int32, else as float32; converted where the file has another type */
    int rank;    /* what the architecture demands: must equal the weight's */
    const int64_t *dim;
    void *to; /* dense */
};
/* Reads the targets in one pass over the file, whatever their order, and compares the archive's checksum on the way
 * (once: later calls read only what they need). Large files are read by a few threads. On failure, ERR_FORMAT for a
 * shape that differs or a checksum that does not fit, the contents of all destinations are undefined. n may be 0. */
bool keras_file_load(struct keras_file *file, const struct weight_target *targets, size_t n, struct err *err) MUST_USE;
/* The same for one weight. */
bool keras_file_read(struct keras_file *file, const struct weight *weight, bool as_int, int rank, const int64_t *dim,
                     void *to, struct err *err) MUST_USE;
/* Only compares the archive's checksum, if that was not done yet; keras_file_open does so for small files. */
bool keras_file_verify(struct keras_file *file, struct err *err) MUST_USE;
/* Oddities that are no reason to refuse ("unused member 'x'"), one per line of text; lent. */
const char *const *keras_file_problems(const struct keras_file *file, size_t *n);

#endif
