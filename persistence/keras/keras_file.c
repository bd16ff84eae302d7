/* keras_file.c - opening a Keras file through the sandbox; see keras_file.h */
#include "persistence/keras/keras_file.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/keras/keras_internal.h"
#include "persistence/keras/keras_open.h"
#include "persistence/keras/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool open_folder(struct keras_input *input, struct err *err)
{
    char *config = path_join(input->path, "config.json"), *weights = path_join(input->path, "model.weights.h5");
    char *metadata = path_join(input->path, "metadata.json");
    struct err ignored;
    input->folder = true;
    input->fd_config = io_open(config, O_RDONLY | O_NONBLOCK, 0, &ignored);
    input->fd = input->fd_config < 0 ? -1 : io_open(weights, O_RDONLY | O_NONBLOCK, 0, &ignored);
    input->fd_metadata = input->fd < 0 ? -1 : io_open(metadata, O_RDONLY | O_NONBLOCK, 0, &ignored);
    free(config);
    free(weights);
    free(metadata);
    return input->fd >= 0 || keras_kind_refuse(-1, input->path, err);
}

static bool open_input(struct keras_input *input, struct err *err)
{
    if (path_is_folder(input->path)) {
        if (!open_folder(input, err))
            return false;
    } else if ((input->fd = io_open(input->path, O_RDONLY | O_NONBLOCK, 0, err)) < 0)
        return false;
    input->fd_inflated = memfd_create("antler-weights", MFD_CLOEXEC);
    return input->fd_inflated >= 0 || err_errno(err, ERR_FAILED, errno, "cannot prepare reading '%s'", input->path);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        io->close(*fd);
    *fd = -1;
}

static bool survey_to_record(void *ctx, struct str *result, struct err *err)
{
    struct keras_survey survey;
    if (!keras_survey_make(ctx, &survey, err))
        return false;
    keras_record_write(&survey, result);
    keras_survey_release(&survey);
    return true;
}

static int64_t bytes_of(int fd)
{
    struct stat st;
    return fd < 0 || fstat(fd, &st) ? 0 : st.st_size;
}

static bool survey_in_sandbox(struct keras_input *input, struct keras_survey *survey, struct err *err)
{
    const int keep[] = {input->fd, input->fd_config, input->fd_metadata, input->fd_inflated};
    int64_t file_bytes = bytes_of(input->fd);
    struct sandbox_limits limits = {
        .cpu_seconds = 10 + (int)(file_bytes >> 25), .memory_bytes = (int64_t)1 << 30, .result_bytes = 256 << 20};
    limits.file_bytes = (int64_t)8 << 30;
    struct str record = {0};
    bool ok = sandbox_run(input->path, survey_to_record, input, keep, 4, &limits, &record, err);
    if (ok && !keras_record_read(record.data, record.length, file_bytes, bytes_of(input->fd_inflated), survey))
        ok = err_set(err, ERR_FORMAT, "'%s' is damaged or hostile (its reader contradicts itself)", input->path);
    str_release(&record);
    return ok;
}

static bool survey_here(struct keras_input *input, struct keras_survey *survey, struct err *err)
{
    struct str record = {0};
    bool ok = survey_to_record(input, &record, err);
    if (ok && !keras_record_read(record.data, record.length, bytes_of(input->fd), bytes_of(input->fd_inflated), survey))
        ok = err_set(err, ERR_FORMAT, "'%s' is damaged or hostile (its reader contradicts itself)", input->path);
    str_release(&record);
    return ok;
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(const struct weight *const *)a)->path, (*(const struct weight *const *)b)->path);
}

static void fill_weights(struct keras_file *file)
{
    size_t n = file->survey.tree.n_datasets;
    file->weights = xcalloc(n + 1, sizeof *file->weights);
    file->index = xcalloc(n + 1, sizeof *file->index);
    for (size_t i = 0; i < n; i++) {
        const struct hdf5_dataset *dataset = &file->survey.tree.datasets[i];
        file->weights[i] = (struct weight){.path = dataset->path, .dtype = dataset->dtype, .rank = dataset->rank};
        memcpy(file->weights[i].dim, dataset->dim, sizeof dataset->dim);
        file->index[i] = &file->weights[i];
    }
    qsort(file->index, n, sizeof *file->index, by_path);
}

static bool parse_texts(struct keras_file *file, struct err *err)
{
    const struct keras_survey *survey = &file->survey;
    if (survey->config &&
        !(file->config = js_parse(survey->config, strlen(survey->config), file->path, JS_STRICT, err)))
        return false;
    if (survey->metadata &&
        !(file->metadata = js_parse(survey->metadata, strlen(survey->metadata), file->path, JS_STRICT, err)))
        return false;
    return true;
}

static struct keras_file *
open_file(const char *path, bool (*survey)(struct keras_input *, struct keras_survey *, struct err *), struct err *err)
{
    struct keras_input input = {.path = path, .fd = -1, .fd_config = -1, .fd_metadata = -1, .fd_inflated = -1};
    struct keras_file *file = xcalloc(1, sizeof *file);
    file->path = xstrdup(path);
    bool ok = open_input(&input, err) && survey(&input, &file->survey, err) && parse_texts(file, err);
    file->fd = file->survey.inflated ? input.fd_inflated : input.fd;
    close_fd(file->survey.inflated ? &input.fd : &input.fd_inflated);
    close_fd(&input.fd_config);
    close_fd(&input.fd_metadata);
    if (ok) {
        fill_weights(file);
        return file;
    }
    keras_file_close(file);
    return NULL;
}

struct keras_file *keras_file_open(const char *path, struct err *err)
{
    return open_file(path, survey_in_sandbox, err);
}

struct keras_file *keras_file_open_unprotected(const char *path, struct err *err)
{
    return open_file(path, survey_here, err);
}

void keras_file_close(struct keras_file *file)
{
    if (!file)
        return;
    close_fd(&file->fd);
    json_decref(file->config);
    json_decref(file->metadata);
    keras_survey_release(&file->survey);
    free(file->weights);
    free(file->index);
    free(file->path);
    free(file);
}

enum keras_format keras_file_format(const struct keras_file *file)
{
    return file->survey.format;
}

const char *keras_file_format_name(enum keras_format format)
{
    static const char *const names[] = {
        [KERAS_ARCHIVE] = "keras", [KERAS_WEIGHTS_H5] = "weights.h5", [KERAS_LEGACY_H5] = "h5", [KERAS_JSON] = "json"};
    return names[format];
}

const json_t *keras_file_config(const struct keras_file *file)
{
    return file->config;
}

const json_t *keras_file_metadata(const struct keras_file *file)
{
    return file->metadata;
}

const struct weight *keras_file_weights(const struct keras_file *file, size_t *n)
{
    *n = file->survey.tree.n_datasets;
    return file->weights;
}

const struct weight *keras_file_find(const struct keras_file *file, const char *path)
{
    const struct weight wanted = {.path = path}, *key = &wanted;
    const struct weight **found =
        bsearch(&key, file->index, file->survey.tree.n_datasets, sizeof *file->index, by_path);
    return found ? *found : NULL;
}

const char *const *keras_file_problems(const struct keras_file *file, size_t *n)
{
    *n = file->survey.tree.n_problems;
    return (const char *const *)file->survey.tree.problems;
}
