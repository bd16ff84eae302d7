/* keras_survey.c - what is in a file, checked; runs inside the sandbox; see keras_internal.h */
#include "persistence/keras/keras_internal.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/bytes.h"
#include "persistence/files/zip_archive.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t INFLATED_MAX_BYTES = (int64_t)8 << 30; /* compressed weights are held in memory */
enum { INFLATED_FREE_BYTES = 256 << 20, INFLATED_RATIO = 100, BRACKETS_MAX = 250000 };

void keras_survey_release(struct keras_survey *survey)
{
    free(survey->config);
    free(survey->metadata);
    hdf5_tree_release(&survey->tree);
    *survey = (struct keras_survey){0};
}

static void add_problem(struct keras_survey *survey, char *text)
{
    struct hdf5_tree *tree = &survey->tree;
    tree->problems = xgrow(tree->problems, &tree->problems_capacity, tree->n_problems + 1, sizeof *tree->problems);
    tree->problems[tree->n_problems++] = text;
}

char *keras_read_text(int fd, const char *path, size_t max_bytes, size_t *length, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        return err_null(err, ERR_FORMAT, "'%s' is not an ordinary file", path);
    if ((uint64_t)st.st_size > max_bytes)
        return err_null(err, ERR_FORMAT, "'%s' has %lld bytes of text, expected at most %zu", path,
                        (long long)st.st_size, max_bytes);
    char *text = xmalloc((size_t)st.st_size + 1);
    text[st.st_size] = 0;
    *length = (size_t)st.st_size;
    if (io_pread_all(fd, text, *length, 0, path, err))
        return text;
    free(text);
    return NULL;
}

/* An empty list takes 2 bytes of text and a hundred of memory; a layer has a handful in some hundred bytes. */
static bool count_brackets(const char *text, size_t length, const char *name, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++)
        n += text[i] == '[' || text[i] == '{';
    return n <= BRACKETS_MAX ||
           err_set(err, ERR_FORMAT, "'%s' holds %zu lists and objects, more than the %d of any real model", name, n,
                   BRACKETS_MAX);
}

/* Python's NaN becomes text here, so that everything behind reads strict JSON. */
static char *checked_json(const char *text, size_t length, const char *path, const char *member, bool must_be_model,
                          struct err *err)
{
    char *name = xprintf("%s%s%s", path, *member ? ": " : "", member);
    json_t *json = count_brackets(text, length, name, err) ? js_parse(text, length, name, JS_PYTHON, err) : NULL;
    char *out = NULL;
    if (json && !json_is_object(json))
        err_set(err, ERR_FORMAT, "'%s' holds %s, expected a JSON object", name, js_type_name(json));
    else if (json && must_be_model &&
             !(json_is_string(json_object_get(json, "class_name")) && json_object_get(json, "config")))
        err_set(err, ERR_FORMAT, "'%s' has no 'class_name' and 'config', so it describes no Keras model", name);
    else if (json)
        out = js_text(json, 0);
    json_decref(json);
    free(name);
    return out;
}

/* "layers/dense_2" before "layers/dense_10": digits compare as numbers. */
static int natural(const char *a, const char *b)
{
    while (*a && *b) {
        size_t da = strspn(a, "0123456789"), db = strspn(b, "0123456789");
        if (!da || !db) {
            int x = *a == '/' ? 1 : (unsigned char)*a + 1, y = *b == '/' ? 1 : (unsigned char)*b + 1;
            if (x != y)
                return x - y;
            a++, b++;
            continue;
        }
        size_t za = strspn(a, "0"), zb = strspn(b, "0");
        za -= za == da, zb -= zb == db;
        int order = da - za != db - zb ? (da - za > db - zb ? 1 : -1) : memcmp(a + za, b + zb, da - za);
        if (order)
            return order;
        a += da, b += db;
    }
    return (*a != 0) - (*b != 0);
}

static int by_path(const void *a, const void *b)
{
    const char *x = ((const struct hdf5_dataset *)a)->path, *y = ((const struct hdf5_dataset *)b)->path;
    int order = natural(x, y);
    return order ? order : strcmp(x, y);
}

/* No two objects have the same path: groups of the newer format could repeat a name. */
static bool check_unique(const char *path, const struct hdf5_tree *tree, struct err *err)
{
    size_t n = tree->n_datasets + tree->n_groups;
    char **all = xcalloc(n + 1, sizeof *all);
    bool ok = true;
    for (size_t i = 0; i < tree->n_datasets; i++)
        all[i] = tree->datasets[i].path;
    for (size_t i = 0; i < tree->n_groups; i++)
        all[tree->n_datasets + i] = tree->groups[i];
    qsort(all, n, sizeof *all, str_order);
    for (size_t i = 1; ok && i < n; i++)
        if (!strcmp(all[i - 1], all[i]))
            ok = err_set(err, ERR_FORMAT, "'%s' has two objects of the path '%s'", path, all[i]);
    free(all);
    return ok;
}

static bool has_group(const struct hdf5_tree *tree, const char *path)
{
    for (size_t i = 0; i < tree->n_groups; i++)
        if (!strcmp(tree->groups[i], path))
            return true;
    return false;
}

/* The whole-model .h5 of Keras 2 (still written by Keras 3): texts of the root are the model. */
static bool survey_legacy(const struct keras_input *input, struct keras_survey *survey, struct err *err)
{
    const char *config = hdf5_text(&survey->tree, "", "model_config"),
               *training = hdf5_text(&survey->tree, "", "training_config");
    json_t *model = js_parse(config, strlen(config), "attribute 'model_config'", JS_PYTHON, err), *metadata, *fit;
    struct err ignored;
    if (!model || !json_is_object(model)) {
        json_decref(model);
        return model ? err_set(err, ERR_FORMAT, "'%s': attribute 'model_config' is no object", input->path)
                     : err_prefix(err, "'%s'", input->path);
    }
    fit = training ? js_parse(training, strlen(training), "attribute 'training_config'", JS_PYTHON, &ignored) : NULL;
    if (json_is_object(fit)) { /* the same as a compile_config, but for the optimizer's place */
        json_t *compile = json_copy(fit);
        json_object_set(compile, "optimizer", json_object_get(fit, "optimizer_config"));
        json_object_del(compile, "optimizer_config");
        json_object_set_new(model, "compile_config", compile);
        json_object_set(model, "training_config", fit);
    }
    json_decref(fit);
    metadata = json_object();
    static const char *const keys[] = {"keras_version", "backend"};
    for (size_t i = 0; i < 2; i++)
        if (hdf5_text(&survey->tree, "", keys[i]))
            json_object_set_new(metadata, keys[i], json_string(hdf5_text(&survey->tree, "", keys[i])));
    survey->format = KERAS_LEGACY_H5;
    survey->config = js_text(model, 0);
    survey->metadata = js_text(metadata, 0);
    add_problem(survey,
                xstrdup("legacy HDF5 format: weights are found by the names of layers, the optimizer's state is "
                        "not taken over; Keras can save it as .keras"));
    json_decref(model);
    json_decref(metadata);
    return true;
}

static bool survey_h5(const struct keras_input *input, int fd, int64_t offset, int64_t bytes,
                      struct keras_survey *survey, struct err *err)
{
    struct hdf5_tree found, *tree = &survey->tree;
    if (!hdf5_read(fd, input->path, offset, bytes, &found, err))
        return false;
    if (!check_unique(input->path, &found, err)) {
        hdf5_tree_release(&found);
        return false;
    }
    for (size_t i = 0; i < tree->n_problems; i++) { /* keep what was noted before */
        found.problems = xgrow(found.problems, &found.problems_capacity, found.n_problems + 1, sizeof *found.problems);
        found.problems[found.n_problems++] = tree->problems[i];
    }
    free(tree->problems);
    *tree = found;
    if (tree->n_datasets)
        qsort(tree->datasets, tree->n_datasets, sizeof *tree->datasets, by_path);
    return true;
}

static bool survey_weights_file(const struct keras_input *input, struct keras_survey *survey, struct err *err)
{
    struct stat st;
    if (fstat(input->fd, &st) || !survey_h5(input, input->fd, 0, st.st_size, survey, err))
        return false;
    survey->format = KERAS_WEIGHTS_H5;
    if (hdf5_text(&survey->tree, "", "model_config"))
        return survey_legacy(input, survey, err);
    if (hdf5_text(&survey->tree, "", "layer_names")) {
        survey->format = KERAS_LEGACY_H5;
        add_problem(survey, xstrdup("legacy HDF5 weights: they are found by the names of layers"));
    } else if (!has_group(&survey->tree, "vars"))
        add_problem(survey, xstrdup("no group '/vars': Keras 3.0 to 3.3 cannot open these weights"));
    return true;
}

static char *read_member(struct zip_archive *zip, const char *name, size_t *length, struct err *err)
{
    const struct zip_member *member = zip_archive_find(zip, name);
    char *text = xmalloc((size_t)member->size_bytes + 1);
    text[member->size_bytes] = 0;
    *length = (size_t)member->size_bytes;
    if (zip_member_read(zip, member, text, err))
        return text;
    free(text);
    return NULL;
}

static bool survey_texts(const struct keras_input *input, struct zip_archive *zip, struct keras_survey *survey,
                         struct err *err)
{
    size_t length;
    struct err ignored;
    char *text = read_member(zip, "config.json", &length, err);
    if (text)
        survey->config = checked_json(text, length, input->path, "config.json", true, err);
    free(text);
    if (!survey->config)
        return false;
    if (!zip_archive_find(zip, "metadata.json")) {
        add_problem(survey, xstrdup("no metadata.json: the version of Keras is unknown"));
        return true;
    }
    text = read_member(zip, "metadata.json", &length, err);
    if (!text)
        return false;
    survey->metadata = checked_json(text, length, input->path, "metadata.json", false, &ignored);
    if (!survey->metadata)
        add_problem(survey, xprintf("metadata.json is unusable: %s", ignored.text));
    free(text);
    return true;
}

static bool survey_member(const struct keras_input *input, struct zip_archive *zip, const struct zip_member *member,
                          struct keras_survey *survey, struct err *err)
{
    if (!member->deflated) {
        survey->has_crc = true;
        survey->offset = member->offset;
        survey->bytes = member->size_bytes;
        survey->crc = member->crc;
        if (member->size_bytes <= KERAS_EAGER_CRC_BYTES) {
            if (!zip_check_crc(input->fd, input->path, member->name, member->offset, member->size_bytes, member->crc,
                               err))
                return false;
            survey->has_crc = false;
        }
        return survey_h5(input, input->fd, member->offset, member->size_bytes, survey, err);
    }
    if (member->size_bytes > INFLATED_MAX_BYTES ||
        (member->size_bytes > INFLATED_FREE_BYTES && member->size_bytes / INFLATED_RATIO > member->stored_bytes))
        return err_set(err, ERR_FORMAT,
                       "'%s': compressed weights of %lld bytes would unpack to %lld, which no real model does",
                       input->path, (long long)member->stored_bytes, (long long)member->size_bytes);
    survey->inflated = true;
    return zip_member_extract(zip, member, input->fd_inflated, err) &&
           survey_h5(input, input->fd_inflated, 0, member->size_bytes, survey, err);
}

static bool survey_archive(const struct keras_input *input, struct keras_survey *survey, struct err *err)
{
    static const struct zip_rule rules[] = {{"metadata.json", KERAS_METADATA_MAX_BYTES},
                                            {"config.json", KERAS_CONFIG_MAX_BYTES},
                                            {"model.weights.h5", INT64_MAX},
                                            {"*", INT64_MAX}};
    struct zip_archive *zip = zip_archive_open(input->fd, input->path, rules, sizeof rules / sizeof *rules, err);
    if (!zip)
        return false;
    size_t n;
    const struct zip_member *members = zip_archive_members(zip, &n),
                            *weights = zip_archive_find(zip, "model.weights.h5");
    bool ok = zip_archive_find(zip, "config.json") && weights;
    survey->format = KERAS_ARCHIVE;
    if (!ok && zip_archive_find(zip, "config.json") && !zip_archive_find(zip, "model.weights.npz"))
        err_set(err, ERR_FORMAT,
                "'%s' is a Keras archive without model.weights.h5: its weights are missing; save the model again",
                input->path);
    else if (!ok)
        keras_kind_refuse(input->fd, input->path, err);
    for (size_t i = 0; ok && i < n; i++)
        if (&members[i] != weights && strcmp(members[i].name, "config.json") != 0 &&
            strcmp(members[i].name, "metadata.json") != 0)
            add_problem(survey, xprintf("unused member '%s'", members[i].name));
    ok = ok && survey_texts(input, zip, survey, err) && survey_member(input, zip, weights, survey, err);
    zip_archive_close(zip);
    if (ok && !has_group(&survey->tree, "vars"))
        add_problem(survey, xstrdup("no group '/vars': Keras 3.0 to 3.3 cannot open this file"));
    return ok;
}

static bool survey_folder(const struct keras_input *input, struct keras_survey *survey, struct err *err)
{
    size_t length;
    struct err ignored;
    char *text = keras_read_text(input->fd_config, input->path, KERAS_CONFIG_MAX_BYTES, &length, err);
    if (text)
        survey->config = checked_json(text, length, input->path, "config.json", true, err);
    free(text);
    if (!survey->config || !survey_weights_file(input, survey, err))
        return false;
    if (survey->format != KERAS_WEIGHTS_H5)
        return err_set(err, ERR_FORMAT, "'%s': its model.weights.h5 is a legacy HDF5 file", input->path);
    survey->format = KERAS_ARCHIVE;
    text = input->fd_metadata < 0
               ? NULL
               : keras_read_text(input->fd_metadata, input->path, KERAS_METADATA_MAX_BYTES, &length, &ignored);
    survey->metadata = text ? checked_json(text, length, input->path, "metadata.json", false, &ignored) : NULL;
    free(text);
    if (!survey->metadata)
        add_problem(survey, xstrdup("no usable metadata.json: the version of Keras is unknown"));
    return true;
}

/* JSON starts with a brace, perhaps after spaces. */
static bool looks_like_json(const uint8_t *head, size_t n)
{
    size_t i = 0;
    while (i < n && strchr(" \t\r\n", head[i]) && head[i])
        i++;
    return i < n && head[i] == '{';
}

static bool survey_json(const struct keras_input *input, struct keras_survey *survey, struct err *err)
{
    size_t length;
    char *text = keras_read_text(input->fd, input->path, KERAS_CONFIG_MAX_BYTES, &length, err);
    if (text)
        survey->config = checked_json(text, length, input->path, "", true, err);
    free(text);
    survey->format = KERAS_JSON;
    return survey->config;
}

static bool survey(const struct keras_input *input, struct keras_survey *out, struct err *err)
{
    uint8_t head[64] = {0};
    struct stat st;
    if (input->folder)
        return survey_folder(input, out, err);
    if (fstat(input->fd, &st) || !S_ISREG(st.st_mode))
        return keras_kind_refuse(input->fd, input->path, err);
    size_t n = st.st_size < (off_t)sizeof head ? (size_t)st.st_size : sizeof head;
    if (!io_pread_all(input->fd, head, n, 0, input->path, err))
        return false;
    if (n >= 8 && !memcmp(head, "\x89HDF\r\n\x1a\n", 8))
        return survey_weights_file(input, out, err);
    if (looks_like_json(head, n))
        return survey_json(input, out, err);
    if (n >= 22 && !memcmp(head, "PK\3\4", 4) && zip_peek_names(input->fd, NULL, NULL))
        return survey_archive(input, out, err);
    return keras_kind_refuse(input->fd, input->path, err);
}

bool keras_survey_make(const struct keras_input *input, struct keras_survey *out, struct err *err)
{
    *out = (struct keras_survey){0};
    if (survey(input, out, err))
        return true;
    keras_survey_release(out);
    return false;
}
