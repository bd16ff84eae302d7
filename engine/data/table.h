/* table.h - what one source holds: arrays with equal numbers of samples, as they came. Formats fill it; dataset.c
 * splits and scales.
 *
 * To add a format: its keys in persistence/config/config_table.c, one data_<format>.c with a loader, one row in
 * formats[] of table.c.
 */
#ifndef ENGINE_DATA_TABLE_H
#define ENGINE_DATA_TABLE_H

#include "base/arena.h"
#include "base/json.h"
#include "engine/graph/graph.h"
#include "persistence/files/npy_file.h"

struct samples {
    const char *name;   /* of the model's input or output, NULL for the only one */
    const char *source; /* for messages: "'x.npy'" */
    struct npy array;   /* owns its memory unless lent */
    struct shape shape; /* of one sample */
    int64_t stride;     /* elements from one sample to the next: shape's elements, less for overlapping windows */
    int64_t offset;     /* elements before sample 0 */
    bool lent;          /* the array belongs to another samples of the table */
    bool integral;      /* all values are whole numbers */
};

struct table {
    struct arena arena;
    int64_t n_samples, n_test; /* n_test: the last ones are a test part of the source's own */
    struct samples *inputs, *targets;
    int n_inputs, n_targets;
    struct npy weight;                                 /* n_samples numbers; no data = none */
    const char **class_names, **columns, **vocabulary; /* NULL = none; vocabulary: token -> UTF-8 */
    int64_t n_class_names, n_columns, n_vocabulary;
    bool bytes;     /* the vocabulary is the 256 bytes */
    bool fill_mean; /* NaN in the inputs stands for the mean of the training part */
};

struct source {         /* what a loader is asked for */
    const json_t *data; /* checked */
    const char *folder;
    uint64_t seed;
    int part;                 /* 0 for data itself, 1 for its validation object, 2 for its test object */
    const json_t *state;      /* of dataset_scale, or of the training part; NULL = learn */
    int64_t want_columns;     /* predict: numbers the model takes from a table; 0 = as data says */
    const struct shape *want; /* predict: shape of the model's input, else NULL */
};

struct table *table_load(const struct source *from, struct err *err);
void table_free(struct table *t);
/* Position of an element of a sample in array. */
static inline int64_t sample_start(const struct samples *s, int64_t sample)
{
    return s->offset + sample * s->stride;
}

bool load_csv(struct table *t, const struct source *from, struct err *err) MUST_USE;
bool load_npy(struct table *t, const struct source *from, struct err *err) MUST_USE;
bool load_npz(struct table *t, const struct source *from, struct err *err) MUST_USE;
bool load_idx(struct table *t, const struct source *from, struct err *err) MUST_USE;
bool load_cifar10(struct table *t, const struct source *from, struct err *err) MUST_USE;
bool load_images(struct table *t, const struct source *from, struct err *err) MUST_USE;
bool load_text(struct table *t, const struct source *from, struct err *err) MUST_USE;
bool load_synthetic(struct table *t, const struct source *from, struct err *err) MUST_USE;
json_t *synthetic_describe(void);

/* For loaders. The path of a key, joined with the folder, in the table's arena. */
const char *source_path(struct table *t, const struct source *from, const char *key);
/* Makes room for n inputs or targets. */
struct samples *table_reserve(struct table *t, int n);
/* Takes an array whose first axis counts samples; shape and stride follow from it. */
bool samples_take(struct samples *s, struct npy *array, const char *name, const char *source, struct err *err) MUST_USE;
/* New memory of n elements with dims (n_samples, sample...). */
bool samples_allocate(struct samples *s, enum npy_type type, int64_t n_samples, struct shape sample, const char *source,
                      struct err *err) MUST_USE;
/* What bytes at the start of a file are known for ("a NumPy array (.npy)"), NULL when nothing is. */
const char *content_name(const unsigned char *bytes, size_t n);
/* Length of the UTF-8 character at text (1..4) and its code point, 0 when it is none. */
int utf8_read(const unsigned char *text, size_t n, uint32_t *code);
void utf8_write(uint32_t code, char out[5]);
/* Bilinear, half-pixel centres, edges repeated: as TensorFlow and Keras resize without antialiasing; rounded to u8. */
void resize_bilinear(const uint8_t *from, int h, int w, int channels, uint8_t *to, int to_h, int to_w);

#endif
