/* sample_model.h - a small model to save and read back, for the tests of Keras files. */
#ifndef TESTS_UNIT_SAMPLE_MODEL_H
#define TESTS_UNIT_SAMPLE_MODEL_H

#include "base/arena.h"
#include "base/io.h"
#include "persistence/keras/keras_file.h"
#include "tests/check.h"

static const float sample_kernel[6] = {0.5f, -1.25f, 3e-8f, 4, 5, -6};
static const float sample_bias[2] = {1, 2};
static const int32_t sample_iteration = 42;
static const struct weight sample_weights[] = {
    {"layers/dense/vars/0", WEIGHT_F32, 2, {3, 2}, sample_kernel},
    {"layers/dense/vars/1", WEIGHT_F32, 1, {2}, sample_bias},
    {"optimizer/vars/0", WEIGHT_I32, 0, {0}, &sample_iteration},
};

static inline bool sample_save_as(const char *path, int epoch, struct err *err)
{
    static const char *const groups[] = {"layers/flatten/vars"};
    json_t *config = json_pack("{s:s,s:s,s:{s:s,s:[]}}", "module", "keras", "class_name", "Sequential", "config",
                               "name", "m", "layers");
    json_t *metadata = json_pack("{s:{s:i}}", "antler", "epoch", epoch);
    struct model_parts parts = {config, metadata, sample_weights, 3, groups, 1};
    bool ok = keras_file_write(path, &parts, err);
    json_decref(config);
    json_decref(metadata);
    return ok;
}

/* Reads all three weights; true when they are exactly those that were saved. */
static inline bool sample_matches(struct keras_file *file, struct err *err)
{
    float kernel[6], bias[2];
    int32_t iteration;
    const struct weight *w0 = keras_file_find(file, "layers/dense/vars/0"),
                        *w1 = keras_file_find(file, "layers/dense/vars/1"),
                        *w2 = keras_file_find(file, "optimizer/vars/0");
    *err = (struct err){0};
    return w0 && w1 && w2 && keras_file_read(file, w0, false, 2, (const int64_t[]){3, 2}, kernel, err) &&
           keras_file_read(file, w1, false, 1, (const int64_t[]){2}, bias, err) &&
           keras_file_read(file, w2, true, 0, NULL, &iteration, err) && !memcmp(kernel, sample_kernel, sizeof kernel) &&
           !memcmp(bias, sample_bias, sizeof bias) && iteration == sample_iteration;
}

static inline void sample_put_bytes(const char *path, const void *data, size_t n)
{
    /* a file that is cut to nothing and written again is flushed to disk at once by ext4: slow in sweeps */
    remove(path);
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(data, 1, n, file) == n);
    if (file)
        fclose(file);
}

#endif
