/* Keras files as the rest of antler sees them: round trips, refusals that say what to do, no byte that changes a weight
 * in silence. */
#include "persistence/keras/keras_open.h"
#include "tests/unit/sample_model.h"

#include "base/hash.h"
#include "persistence/files/bytes.h"

#include <sys/stat.h>

static void expect_refusal(const char *path, const char *words)
{
    struct err err = {0};
    struct keras_file *file = keras_file_open(path, &err);
    if (file)
        CHECK_FAIL("'%s' was accepted, expected '%s'", path, words);
    else {
        CHECK_EQ(err.code, ERR_FORMAT);
        CHECK_HAS(err.text, words);
        CHECK_HAS(err.text, path);
    }
    keras_file_close(file);
}

static void test_an_archive_reads_back_exactly(void)
{
    struct err err;
    size_t n;
    char *path = xstrdup(check_path("m.keras"));
    CHECK_OK(sample_save_as(path, 7, &err), err);
    struct keras_file *file = keras_file_open(path, &err);
    if (!file) {
        CHECK_FAIL("%s", err.text);
        return;
    }
    CHECK_EQ(keras_file_format(file), KERAS_ARCHIVE);
    CHECK_STR(keras_file_format_name(keras_file_format(file)), "keras");
    CHECK_STR(js_string(keras_file_config(file), "class_name", ""), "Sequential");
    CHECK_EQ(js_int(json_object_get(keras_file_metadata(file), "antler"), "epoch", 0), 7);
    CHECK_STR(js_string(keras_file_metadata(file), "keras_version", ""), "3.0.0");
    CHECK_EQ(strlen(js_string(keras_file_metadata(file), "date_saved", "")), strlen("2026-11-23@13:41:39"));
    keras_file_weights(file, &n);
    CHECK_EQ(n, 3);
    CHECK(sample_matches(file, &err));
    keras_file_problems(file, &n);
    CHECK_EQ(n, 0);
    CHECK(!keras_file_find(file, "layers/dense/vars/2"));
    keras_file_close(file);
    free(path);
}

static void test_weights_alone_read_back(void)
{
    struct err err;
    char *path = xstrdup(check_path("m.weights.h5"));
    CHECK_OK(sample_save_as(path, 1, &err), err);
    struct keras_file *file = keras_file_open(path, &err);
    CHECK(file && keras_file_format(file) == KERAS_WEIGHTS_H5 && !keras_file_config(file) &&
          sample_matches(file, &err));
    keras_file_close(file);
    free(path);
}

static void test_a_folder_with_the_two_files_is_a_model(void)
{
    struct err err;
    char *folder = xstrdup(check_path("folder")), *weights = path_join(folder, "model.weights.h5"),
         *config = path_join(folder, "config.json");
    CHECK_OK(io_make_folders(folder, &err), err);
    expect_refusal(folder, "a folder without config.json");
    CHECK_OK(sample_save_as(weights, 1, &err), err);
    static const char text[] = "{\"class_name\": \"Sequential\", \"config\": {\"x\": NaN}}";
    sample_put_bytes(config, text, strlen(text));
    struct keras_file *file = keras_file_open(folder, &err);
    CHECK(file && keras_file_format(file) == KERAS_ARCHIVE && sample_matches(file, &err));
    keras_file_close(file);
    char *saved_model = path_join(folder, "saved_model.pb");
    CHECK_EQ(remove(weights), 0);
    sample_put_bytes(saved_model, "", 0);
    expect_refusal(folder, "SavedModel");
    free(folder);
    free(weights);
    free(config);
    free(saved_model);
}

static void test_weights_come_in_natural_order(void)
{
    struct err err;
    size_t n;
    static const char *const paths[] = {"layers/dense_10/vars/0", "layers/dense/vars/10",  "layers/dense_9/vars/0",
                                        "layers/dense/vars/2",    "layers/dense_1/vars/0", "layers/dense/vars/0"};
    static const char *const sorted[] = {"layers/dense/vars/0",   "layers/dense/vars/2",   "layers/dense/vars/10",
                                         "layers/dense_1/vars/0", "layers/dense_9/vars/0", "layers/dense_10/vars/0"};
    struct weight weights[6];
    for (int i = 0; i < 6; i++)
        weights[i] = (struct weight){paths[i], WEIGHT_F32, 0, {0}, sample_kernel};
    struct model_parts parts = {NULL, NULL, weights, 6, NULL, 0};
    char *path = xstrdup(check_path("order.weights.h5"));
    CHECK_OK(keras_file_write(path, &parts, &err), err);
    struct keras_file *file = keras_file_open(path, &err);
    const struct weight *found = keras_file_weights(file, &n);
    for (size_t i = 0; i < n; i++)
        CHECK_STR(found[i].path, sorted[i]);
    CHECK_EQ(n, 6);
    keras_file_close(file);
    free(path);
}

static void test_an_architecture_is_recognised(void)
{
    struct err err;
    static const char text[] = " {\"class_name\": \"Sequential\", \"config\": {}, \"module\": \"keras\"}\n";
    char *path = xstrdup(check_path("m.json"));
    sample_put_bytes(path, text, strlen(text));
    struct keras_file *file = keras_file_open(path, &err);
    size_t n = 9;
    CHECK(file && keras_file_format(file) == KERAS_JSON && keras_file_config(file));
    if (file)
        keras_file_weights(file, &n);
    CHECK_EQ(n, 0);
    keras_file_close(file);
    sample_put_bytes(path, "{\"loss\": [1, 2]}", 16);
    expect_refusal(path, "no 'class_name' and 'config'");
    sample_put_bytes(path, "{\"class_name\": \"A\", \"class_name\": \"B\", \"config\": {}}", 52);
    expect_refusal(path, "class_name");
    free(path);
}

static void test_a_shape_that_differs_names_both(void)
{
    struct err err;
    float room[16];
    char *path = xstrdup(check_path("s.keras"));
    CHECK_OK(sample_save_as(path, 1, &err), err);
    struct keras_file *file = keras_file_open(path, &err);
    const struct weight *w = keras_file_find(file, "layers/dense/vars/0");
    CHECK(!keras_file_read(file, w, false, 2, (const int64_t[]){3, 4}, room, &err));
    CHECK_EQ(err.code, ERR_FORMAT);
    CHECK_HAS(err.text, "weight 'layers/dense/vars/0'");
    CHECK_HAS(err.text, "has (3,2), the model wants (3,4)");
    CHECK(!keras_file_read(file, w, true, 2, (const int64_t[]){3, 2}, room, &err));
    CHECK_HAS(err.text, "no integer");
    keras_file_close(file);
    free(path);
}

static void test_what_is_no_keras_file_is_named_with_a_way_out(void)
{
    static const struct {
        const char *name, *data;
        size_t n;
        const char *words;
    } files[] = {
        {"empty.keras", "", 0, "an empty file"},
        {"p.pt", "\x80\x02}q\0.", 6, "pickle"},
        {"m.tflite", "\x1c\0\0\0TFL3\0\0\0\0", 12, "TensorFlow Lite"},
        {"m.onnx", "\x08\x07\x12\x07pytorch", 11, "ONNX"},
        {"m.npy", "\x93NUMPY\x01\0v\0", 10, "NumPy array"},
        {"m.gz", "\x1f\x8b\x08\0\0\0\0\0", 8, "gzip"},
        {"m.safetensors", "\x10\0\0\0\0\0\0\0{\"__metadata__\"}  ", 26, "safetensors"},
        {"m.gguf", "GGUF\3\0\0\0", 8, "GGUF"},
        {"cut.keras", "PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 30,
         "without a directory at its end"},
        {"m.keras", "hello world, this is text", 25, "no Keras file"},
        {"cut.h5", "\x89HDF\r\n\x1a\n\0\0", 10, "cut off"},
        {"x.json", "{\"class_name\": ", 15, "x.json"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = xstrdup(check_path(files[i].name));
        sample_put_bytes(path, files[i].data, files[i].n);
        expect_refusal(path, files[i].words);
        free(path);
    }
    struct err err = {0};
    CHECK(!keras_file_open(check_path("absent.keras"), &err));
    CHECK_EQ(err.code, ERR_NOT_FOUND);
    CHECK_EQ(mkfifo(check_path("pipe.keras"), 0600), 0);
    char *pipe_path = xstrdup(check_path("pipe.keras"));
    expect_refusal(pipe_path, "not an ordinary file");
    free(pipe_path);
}

static void test_what_we_could_not_read_back_is_not_written(void)
{
    struct err err = {0};
    struct model_parts parts = {NULL, NULL, sample_weights, 3, NULL, 0};
    CHECK(!keras_file_write(check_path("m.h5"), &parts, &err));
    CHECK_EQ(err.code, ERR_USAGE);
    CHECK(!keras_file_write(check_path("m2.keras"), &parts, &err));
    CHECK_HAS(err.text, "without a config");
    CHECK(!path_exists(check_path("m2.keras")));
}

/* One byte of the archive changed: refused at opening or reading, or everything is as it was. Never another weight. */
static void check_changed(const char *path, const char *data, size_t n, bool protect, int *refused)
{
    struct err err = {0};
    sample_put_bytes(path, data, n);
    struct keras_file *file = protect ? keras_file_open(path, &err) : keras_file_open_unprotected(path, &err);
    if (!file) {
        CHECK_EQ(err.code, ERR_FORMAT);
        ++*refused;
        return;
    }
    if (!sample_matches(file, &err)) {
        if (err.code != ERR_FORMAT)
            CHECK_FAIL("a weight changed in silence");
        ++*refused;
    }
    keras_file_close(file);
}

static void test_no_changed_byte_changes_a_weight_in_silence(void)
{
    static const uint8_t masks[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80};
    struct err err;
    char *data, *path = xstrdup(check_path("b.keras"));
    size_t n;
    int refused = 0, tried = 0;
    CHECK_OK(sample_save_as(path, 1, &err), err);
    CHECK_OK(io_read_file(path, 1 << 20, &data, &n, &err), err);
    for (size_t i = 0; i < n; i++) {
        bool dense =
            i < 700 || i + 300 > n; /* everything around the weights; inside, where one CRC guards all, fewer */
        char saved = data[i];
        for (size_t k = i % 8; k < 8; k += dense ? 1 : 8, tried++) {
            data[i] = (char)(saved ^ masks[k]);
            check_changed(path, data, n, tried % 50 == 0, &refused);
        }
        data[i] = dense ? 0 : (char)0xff;
        check_changed(path, data, n, false, &refused);
        data[i] = saved;
    }
    CHECK(refused > tried / 2);
    for (size_t cut = 0; cut < n; cut += cut < 300 || cut + 300 > n ? 1 : 37) {
        sample_put_bytes(path, data, cut);
        struct keras_file *file = keras_file_open_unprotected(path, &err);
        CHECK(!file);
        keras_file_close(file);
    }
    free(data);
    free(path);
}

/* Larger than what is checked at opening: the checksum is compared while the values are read. */
static void test_a_large_file_is_checked_while_it_is_loaded(void)
{
    enum { N = 5 << 20 };
    struct err err = {0};
    float *values = xmalloc(N * sizeof *values), *back = xmalloc(N * sizeof *back), ends[2];
    int32_t count;
    for (int i = 0; i < N; i++)
        values[i] = (float)i;
    const struct weight weights[] = {{"a", WEIGHT_F32, 2, {1024, N / 1024}, values},
                                     {"b", WEIGHT_F64, 1, {1}, (const double[]){2.5}},
                                     {"c", WEIGHT_I32, 0, {0}, (const int32_t[]){7}}};
    json_t *config = json_pack("{s:s,s:{}}", "class_name", "Sequential", "config");
    struct model_parts parts = {config, NULL, weights, 3, NULL, 0};
    char *path = xstrdup(check_path("large.keras"));
    CHECK_OK(keras_file_write(path, &parts, &err), err);
    for (int damaged = 0; damaged < 2; damaged++) {
        struct keras_file *file = keras_file_open(path, &err);
        struct weight_target targets[] = {{keras_file_find(file, "c"), true, 0, NULL, &count},
                                          {keras_file_find(file, "b"), false, 1, (const int64_t[]){1}, ends},
                                          {keras_file_find(file, "a"), false, 2, weights[0].dim, back}};
        memset(back, 0, N * sizeof *back);
        bool ok = keras_file_load(file, targets, 3, &err);
        CHECK_EQ(ok, !damaged);
        CHECK(damaged || (!memcmp(back, values, N * sizeof *back) && count == 7 && ends[0] == 2.5f));
        if (damaged)
            CHECK_HAS(err.text, "'model.weights.h5' of '");
        keras_file_close(file);
        FILE *raw = fopen(path, "r+b");
        CHECK(raw && !fseek(raw, 9 << 20, SEEK_SET) && fputc(99, raw) == 99);
        if (raw)
            fclose(raw);
    }
    json_decref(config);
    free(path);
    free(values);
    free(back);
}

/* The file's reader may have been taken over by what it read. */
static void test_weights_that_claim_the_same_bytes_are_read_one_by_one(void)
{
    struct err err;
    char *path = xstrdup(check_path("o.weights.h5"));
    float a[6], b[6];
    const int64_t dim[] = {3, 2};
    CHECK_OK(sample_save_as(path, 1, &err), err);
    struct keras_file *file = keras_file_open_unprotected(path, &err);
    const struct weight *w = keras_file_find(file, "layers/dense/vars/0");
    const struct weight_target targets[] = {{w, false, 2, dim, a}, {w, false, 2, dim, b}};
    CHECK_OK(keras_file_load(file, targets, 2, &err), err);
    CHECK(!memcmp(a, sample_kernel, sizeof a) && !memcmp(b, sample_kernel, sizeof b));
    keras_file_close(file);
    free(path);
}

static void test_a_record_that_lies_is_not_believed(void)
{
    struct keras_survey survey = {.format = KERAS_WEIGHTS_H5}, back;
    struct hdf5_dataset d = {.path = (char[]){"a"}, .rank = 1, .dim = {4}, .storage = HDF5_PLAIN, .offset = 100};
    struct str record = {0};
    survey.tree.datasets = &d;
    survey.tree.n_datasets = 1;
    keras_record_write(&survey, &record);
    CHECK(keras_record_read(record.data, record.length, 116, 0, &back));
    keras_survey_release(&back);
    CHECK(!keras_record_read(record.data, record.length, 115, 0, &back));
    for (size_t i = 0; i < record.length; i++)
        for (int bit = 0; bit < 8; bit++) {
            record.data[i] ^= (char)(1 << bit);
            if (keras_record_read(record.data, record.length, 116, 0, &back)) {
                const struct hdf5_dataset *found = &back.tree.datasets[0];
                CHECK(back.tree.n_datasets == 0 || found->storage == HDF5_ABSENT ||
                      found->offset + found->dim[0] <= 116);
                keras_survey_release(&back);
            }
            record.data[i] ^= (char)(1 << bit);
        }
    for (size_t cut = 0; cut < record.length; cut++)
        CHECK(!keras_record_read(record.data, cut, 116, 0, &back));
    str_release(&record);
}

int main(void)
{
    RUN(test_an_archive_reads_back_exactly);
    RUN(test_weights_alone_read_back);
    RUN(test_a_folder_with_the_two_files_is_a_model);
    RUN(test_weights_come_in_natural_order);
    RUN(test_an_architecture_is_recognised);
    RUN(test_a_shape_that_differs_names_both);
    RUN(test_what_is_no_keras_file_is_named_with_a_way_out);
    RUN(test_what_we_could_not_read_back_is_not_written);
    RUN(test_no_changed_byte_changes_a_weight_in_silence);
    RUN(test_a_large_file_is_checked_while_it_is_loaded);
    RUN(test_weights_that_claim_the_same_bytes_are_read_one_by_one);
    RUN(test_a_record_that_lies_is_not_believed);
    return check_done();
}
