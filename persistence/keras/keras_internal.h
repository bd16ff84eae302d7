/* keras_internal.h - between the files of the reader of Keras files.
 *
 *   path -> keras_input (open descriptors) -> keras_survey_make, in a sandbox -> bytes (keras_record) -> checked again
 * -> keras_file
 *
 * The survey is everything that is known of a file without its values, as flat data: what leaves the sandbox.
 */
#ifndef PERSISTENCE_KERAS_KERAS_INTERNAL_H
#define PERSISTENCE_KERAS_KERAS_INTERNAL_H

#include "persistence/hdf5/hdf5_file.h"
#include "persistence/keras/keras_file.h"

enum { KERAS_CONFIG_MAX_BYTES = JS_MAX_BYTES, KERAS_METADATA_MAX_BYTES = 1 << 20, KERAS_EAGER_CRC_BYTES = 16 << 20 };

struct keras_input {
    const char *path; /* as the user named it */
    bool folder;      /* config.json and model.weights.h5 side by side */
    int fd;           /* the file; in a folder its weights */
    int fd_config;    /* folder: config.json, else -1 */
    int fd_metadata;  /* folder: metadata.json, or -1 */
    int fd_inflated;  /* an empty memory file for weights that are compressed in the archive */
};

struct keras_survey {
    enum keras_format format;
    bool inflated;         /* offsets are in fd_inflated, not in fd */
    bool has_crc;          /* the weights are a stored member whose CRC was not checked yet */
    int64_t offset, bytes; /* of that member */
    uint32_t crc;
    char *config, *metadata; /* JSON texts, or NULL */
    struct hdf5_tree tree;   /* texts are not carried over */
};

/* Checks everything but the values. On failure *survey is empty. */
bool keras_survey_make(const struct keras_input *input, struct keras_survey *survey, struct err *err) MUST_USE;
void keras_survey_release(struct keras_survey *survey);

/* The survey as bytes, and back: the reverse trusts nothing; file_bytes and inflated_bytes bound all offsets. */
void keras_record_write(const struct keras_survey *survey, struct str *out);
bool keras_record_read(const void *data, size_t size_bytes, int64_t file_bytes, int64_t inflated_bytes,
                       struct keras_survey *survey) MUST_USE;

/* ERR_FORMAT with one sentence: what the file seems to be and the way out. Returns false. fd may be -1 for a folder. */
bool keras_kind_refuse(int fd, const char *path, struct err *err);

/* The whole of a small file; free() it. */
char *keras_read_text(int fd, const char *path, size_t max_bytes, size_t *length, struct err *err);

#endif
