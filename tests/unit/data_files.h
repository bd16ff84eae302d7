/* data_files.h - small data files for tests, and datasets opened from a line of JSON. */
#ifndef TESTS_UNIT_DATA_FILES_H
#define TESTS_UNIT_DATA_FILES_H

#include "base/io.h"
#include "engine/data/dataset.h"
#include "tests/check.h"

#include <sys/stat.h>
#include <zlib.h>

static inline const char *write_bytes(const char *name, const void *bytes, size_t n)
{
    const char *path = check_path(name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f))
        exit(1);
    return path;
}

static inline const char *write_text(const char *name, const char *text)
{
    return write_bytes(name, text, strlen(text));
}

static inline const char *write_gzip(const char *name, const void *bytes, size_t n)
{
    const char *path = check_path(name);
    gzFile f = gzopen(path, "wb");
    if (!f || gzwrite(f, bytes, (unsigned)n) != (int)n || gzclose(f) != Z_OK)
        exit(1);
    return path;
}

static inline void make_folder(const char *name)
{
    struct err err;
    if (!io_make_folders(check_path(name), &err))
        exit(1);
}

static inline json_t *parse(const char *text)
{
    struct err err = {0};
    json_t *json = js_parse(text, strlen(text), "test", JS_STRICT, &err);
    if (!json) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return json;
}

/* A dataset from JSON text, relative to the test's folder; state may be NULL. */
static inline struct dataset *open_with(const char *text, const json_t *state, struct err *err)
{
    json_t *data = parse(text);
    struct dataset *ds = dataset_open(data, check_tmp(), 1, state, err);
    json_decref(data);
    return ds;
}

/* The same; failing to open ends the test. */
static inline struct dataset *open_data(const char *text)
{
    struct err err = {0};
    struct dataset *ds = open_with(text, NULL, &err);
    if (!ds) {
        fprintf(stderr, "%s: %s: %s\n", check_current, text, err.text);
        exit(1);
    }
    return ds;
}

/* Element e of sample i. */
static inline double input_at(const struct dataset *ds, enum split split, int input, int64_t i, int64_t e)
{
    int64_t n = shape_elements(ds->inputs[input].shape);
    float *out = malloc((size_t)n * sizeof *out + 4);
    dataset_gather_input(ds, split, input, &i, 1, out);
    double value = ds->inputs[input].dtype == DTYPE_I32 ? ((int32_t *)(void *)out)[e] : (double)out[e];
    free(out);
    return value;
}

static inline double target_at(const struct dataset *ds, enum split split, int target, int64_t i, int64_t e)
{
    int64_t n = shape_elements(ds->targets[target].shape);
    float *out = malloc((size_t)n * sizeof *out + 4);
    dataset_gather_target(ds, split, target, &i, 1, DTYPE_F32, out);
    double value = (double)out[e];
    free(out);
    return value;
}

#endif
