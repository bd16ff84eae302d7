/* dataset.h - samples in memory, split into train, validation and test, gathered into batches.
 *
 * Data are kept as they came (u8 stays u8; a memory-mapped .npy stays mapped) and are converted and scaled while
 * gathering. The order of an epoch is permutation(seed, epoch): nothing to save but two numbers.
 *
 * Splits, of n samples in the order of the file: test = the last n - floor(n (1 - test_split)); validation = the n -
 * floor(n (1 - validation_split)) before them (Keras' rule where there is no test part); train = the rest. `validation`
 * and `test` objects are sources of their own. What was learnt from the training part (scale, class names, vocabulary,
 * columns) is applied to the others.
 *
 *     struct dataset *ds = dataset_open(data, folder, seed, NULL, err);
 *     dataset_gather_input(ds, SPLIT_TRAIN, 0, positions, 32, x);
 *     dataset_gather_target(ds, SPLIT_TRAIN, 0, positions, 32, DTYPE_I32, y);
 *     dataset_close(ds);
 */
#ifndef ENGINE_DATA_DATASET_H
#define ENGINE_DATA_DATASET_H

#include "engine/graph/graph.h"
#include "base/json.h"

enum { TEXT_SEQUENCE_LENGTH = 64 }; /* of format text, when the config does not say it */
enum split { SPLIT_TRAIN, SPLIT_VALIDATION, SPLIT_TEST, SPLIT_COUNT };
extern const char *const split_names[SPLIT_COUNT]; /* "train", "validation", "test" */

struct field {          /* one array of samples */
    const char *name;   /* of the model's input or output it feeds; NULL for the only one */
    struct shape shape; /* of one sample */
    enum dtype dtype;   /* what gather writes: float32 or int32 */
    bool integral;      /* the source holds integers only (labels) */
};

struct dataset {
    int n_inputs, n_targets; /* no target where the label is null */
    struct field *inputs, *targets;
    bool has_sample_weight;
    int64_t n_samples[SPLIT_COUNT];
    const char *const *class_names; /* n_classes of them, or NULL */
    int64_t n_classes;              /* of the first target when its labels are classes, else 0 */
    uint64_t fingerprint;           /* of content and split: a resumed run must see the same */
    struct dataset_parts *parts;
};

/* data: the config's object, checked here too. folder: paths are relative to it. Errors name file, line, column or key,
 * found and expected: ERR_USAGE for what the config asks, ERR_FORMAT for damaged files and unusable values.
 * scale_state: what dataset_scale gave when the model was trained; NULL = fit on the training part. A scale of another
 * kind than data asks for is fitted anew. */
struct dataset *dataset_open(const json_t *data, const char *folder, uint64_t seed, const json_t *scale_state,
                             struct err *err);
void dataset_close(struct dataset *ds);
/* Of all samples, as they are kept; mapped files count whole. */
int64_t dataset_bytes(const struct dataset *ds);
/* What the model takes at this input (embeddings take int32): gather writes that from now on. ERR_FORMAT naming the
 * first value that is no int32, ERR_USAGE when whole numbers are to be scaled. */
bool dataset_want_input(struct dataset *ds, int input, enum dtype dtype, struct err *err);
/* Class numbers for n_classes outputs: every value of this target, in every part, is a whole number from 0 to n_classes
 * - 1 or `ignored`. ERR_USAGE names the first that is not. */
bool dataset_check_classes(const struct dataset *ds, int target, int64_t n_classes, int64_t ignored,
                           struct err *err) MUST_USE;
/* What was learnt from the training part, to be stored with the run and its checkpoints. New reference; null when
 * nothing was. An object with any of: "inputs": [{"name", "kind", "subtract": [...], "multiply": [...]}] (x -> (x -
 * subtract) * multiply, by position of the last axis), "fill" (means for missing cells), "columns" (names of a table's
 * inputs), "class_names", "vocabulary" (list of characters: token k is entry k; or "bytes"). */
json_t *dataset_scale(const struct dataset *ds);

/* Copies n samples (positions within the split) into dense arrays; thread-safe; allocates nothing. */
void dataset_gather_input(const struct dataset *ds, enum split split, int input, const int64_t *positions, int64_t n,
                          void *out);
/* dtype: what the loss wants. Integer labels asked as float are converted; one_hot was applied if configured. */
void dataset_gather_target(const struct dataset *ds, enum split split, int target, const int64_t *positions, int64_t n,
                           enum dtype dtype, void *out);
void dataset_gather_weight(const struct dataset *ds, enum split split, const int64_t *positions, int64_t n, float *out);

/* A file given to predict (--input): arrays in the order of the model's inputs, scaled with scale_state; they are the
 * SPLIT_TEST of the result, without targets. .npy, .npz (arrays named like the inputs, or x), .csv (with or without the
 * label columns), PNG, JPEG (resized to the model's input), text (windows of the model's length); recognised by
 * content. data: the run's data object, may be NULL. A model input of unknown size has dim -1. */
struct dataset *dataset_open_input(const char *path, const json_t *data, const char *folder, const json_t *scale_state,
                                   const struct field *model_inputs, int n_model_inputs, struct err *err);

/* All formats and synthetic generators with their keys, for check --help and docs: {"formats": [{"name", "help",
 * "keys": [{"name", "types", "default", "required", "choices", "help"}]}], "keys": [...] (of every format),
 * "synthetic": [{"name", "help"}]}. New reference. */
json_t *datasets_describe(void);

#endif
