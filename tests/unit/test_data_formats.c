/* Every format gives the samples that its file holds; splits, scales and classes follow the rules of dataset.h. */
#include "persistence/files/image_file.h"
#include "persistence/files/npy_file.h"
#include "tests/unit/data_files.h"

static const char ten_rows[] =
    "a,b,label\n0,10,0\n1,11,1\n2,12,0\n3,13,1\n4,14,0\n5,15,1\n6,16,0\n7,17,1\n8,18,0\n9,19,1\n";

static void test_a_table_with_names_gives_inputs_and_labels(void)
{
    write_text("t.csv", ten_rows);
    struct dataset *ds = open_data("{\"format\": \"csv\", \"path\": \"t.csv\"}");
    CHECK_EQ(ds->n_samples[SPLIT_TRAIN], 10);
    CHECK_EQ(ds->inputs[0].shape.rank, 1);
    CHECK_EQ(ds->inputs[0].shape.dim[0], 2);
    CHECK_EQ(ds->targets[0].shape.rank, 0);
    CHECK_EQ(ds->n_classes, 2);
    CHECK(ds->targets[0].integral);
    CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 0, 3, 1), 13, 0);
    CHECK_NEAR(target_at(ds, SPLIT_TRAIN, 0, 3, 0), 1, 0);
    dataset_close(ds);
}

static void test_splits_are_taken_from_the_end_as_keras_does(void)
{
    write_text("t.csv", ten_rows);
    struct dataset *ds =
        open_data("{\"format\": \"csv\", \"path\": \"t.csv\", \"validation_split\": 0.25, \"test_split\": 0.2}");
    CHECK_EQ(ds->n_samples[SPLIT_TEST], 2);
    CHECK_EQ(ds->n_samples[SPLIT_VALIDATION], 3); /* 10 - floor(7.5) */
    CHECK_EQ(ds->n_samples[SPLIT_TRAIN], 5);
    CHECK_NEAR(input_at(ds, SPLIT_VALIDATION, 0, 0, 0), 5, 0);
    CHECK_NEAR(input_at(ds, SPLIT_TEST, 0, 1, 0), 9, 0);
    dataset_close(ds);
}

static void test_label_by_name_index_list_or_null(void)
{
    write_text("t.csv", ten_rows);
    struct dataset *a = open_data("{\"format\": \"csv\", \"path\": \"t.csv\", \"label\": \"a\"}");
    CHECK_NEAR(input_at(a, SPLIT_TRAIN, 0, 2, 0), 12, 0);
    CHECK_NEAR(target_at(a, SPLIT_TRAIN, 0, 2, 0), 2, 0);
    struct dataset *b = open_data("{\"format\": \"csv\", \"path\": \"t.csv\", \"label\": [0, \"b\"]}");
    CHECK_EQ(b->targets[0].shape.dim[0], 2);
    CHECK_NEAR(target_at(b, SPLIT_TRAIN, 0, 4, 1), 14, 0);
    struct dataset *c = open_data("{\"format\": \"csv\", \"path\": \"t.csv\", \"label\": null}");
    CHECK_EQ(c->n_targets, 0);
    CHECK_EQ(c->inputs[0].shape.dim[0], 3);
    struct dataset *d = open_data("{\"format\": \"csv\", \"path\": \"t.csv\", \"columns\": [\"b\"]}");
    CHECK_EQ(d->inputs[0].shape.dim[0], 1);
    CHECK_NEAR(input_at(d, SPLIT_TRAIN, 0, 4, 0), 14, 0);
    dataset_close(a);
    dataset_close(b);
    dataset_close(c);
    dataset_close(d);
}

static void test_quotes_blank_lines_line_ends_and_a_byte_order_mark(void)
{
    write_text("q.csv", "\xEF\xBB\xBF\"x, \"\"1\"\"\";y;name\r\n1.5;-2e-1;\"red\nish\"\r\n\r\n .5 ; +3 "
                        ";blue\r\n1e2;123456789012345678;\"red\nish\"");
    struct dataset *ds = open_data("{\"format\": \"csv\", \"path\": \"q.csv\", \"delimiter\": \";\"}");
    CHECK_EQ(ds->n_samples[SPLIT_TRAIN], 3);
    CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 0, 0, 0), 1.5, 0);
    CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 0, 0, 1), (double)-0.2f, 0);
    CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 0, 1, 0), 0.5, 0);
    CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 0, 2, 1), (double)123456789012345678.0f, 0);
    CHECK_EQ(ds->n_classes, 2);
    CHECK_STR(ds->class_names[0], "blue");
    CHECK_STR(ds->class_names[1], "red\nish");
    CHECK_NEAR(target_at(ds, SPLIT_TRAIN, 0, 2, 0), 1, 0);
    json_t *state = dataset_scale(ds);
    CHECK_STR(json_string_value(js_at(state, "columns[0]")), "x, \"1\"");
    json_decref(state);
    dataset_close(ds);
}

static void test_a_table_without_names_is_recognised(void)
{
    write_text("n.csv", "5.1,3.5,setosa\n4.9,3.0,virginica\n");
    struct dataset *ds = open_data("{\"format\": \"csv\", \"path\": \"n.csv\"}");
    CHECK_EQ(ds->n_samples[SPLIT_TRAIN], 2);
    dataset_close(ds);
    ds = open_data("{\"format\": \"csv\", \"path\": \"n.csv\", \"header\": true}");
    CHECK_EQ(ds->n_samples[SPLIT_TRAIN], 1);
    dataset_close(ds);
}

static void test_missing_cells_are_dropped_zeroed_or_averaged_over_the_training_part(void)
{
    write_text("m.csv", "1,2,0\n3,,1\nNA,6,0\n5,8,1\n,100,0\n");
    struct dataset *drop = open_data("{\"format\": \"csv\", \"path\": \"m.csv\", \"missing\": \"drop\"}");
    CHECK_EQ(drop->n_samples[SPLIT_TRAIN], 2);
    struct dataset *zero = open_data("{\"format\": \"csv\", \"path\": \"m.csv\", \"missing\": \"zero\"}");
    CHECK_NEAR(input_at(zero, SPLIT_TRAIN, 0, 1, 1), 0, 0);
    struct dataset *mean =
        open_data("{\"format\": \"csv\", \"path\": \"m.csv\", \"missing\": \"mean\", \"test_split\": 0.2}");
    CHECK_NEAR(input_at(mean, SPLIT_TRAIN, 0, 1, 1), 16.0 / 3, 1e-6); /* 2, 6, 8; not the 100 of the test part */
    CHECK_NEAR(input_at(mean, SPLIT_TEST, 0, 0, 0), 3, 1e-6);
    json_t *state = dataset_scale(mean);
    CHECK_NEAR(json_number_value(js_at(state, "fill[0]")), 3, 1e-6);
    json_decref(state);
    dataset_close(drop);
    dataset_close(zero);
    dataset_close(mean);
}

static void test_scales_are_fitted_on_the_training_part_and_kept(void)
{
    write_text("t.csv", ten_rows);
    struct err err = {0};
    struct dataset *a =
        open_data("{\"format\": \"csv\", \"path\": \"t.csv\", \"scale\": \"standard\", \"test_split\": 0.5}");
    CHECK_NEAR(input_at(a, SPLIT_TRAIN, 0, 4, 0), 2 / sqrt(2), 1e-6);
    CHECK_NEAR(input_at(a, SPLIT_TEST, 0, 4, 1), 7 / sqrt(2), 1e-6);
    struct dataset *b = open_data("{\"format\": \"csv\", \"path\": \"t.csv\", \"scale\": \"minmax\"}");
    CHECK_NEAR(input_at(b, SPLIT_TRAIN, 0, 9, 1), 1, 1e-6);
    struct dataset *c = open_data("{\"format\": \"csv\", \"path\": \"t.csv\", \"scale\": \"1/4\"}");
    CHECK_NEAR(input_at(c, SPLIT_TRAIN, 0, 2, 1), 3, 0);
    json_t *state = dataset_scale(a);
    write_text("u.csv", "label,b,a\n1,19,9\n");
    struct dataset *d = open_with(
        "{\"format\": \"csv\", \"path\": \"u.csv\", \"scale\": \"standard\", \"label\": \"label\"}", state, &err);
    CHECK_NEAR(input_at(d, SPLIT_TRAIN, 0, 0, 0), 7 / sqrt(2), 1e-6);
    dataset_close(d);
    d = open_with("{\"format\": \"csv\", \"path\": \"t.csv\", \"scale\": \"minmax\"}", state,
                  &err); /* another kind: fitted anew */
    CHECK_NEAR(input_at(d, SPLIT_TRAIN, 0, 9, 1), 1, 1e-6);
    json_t *none = dataset_scale(c);
    CHECK(json_object_get(none, "inputs") == NULL);
    json_decref(none);
    json_decref(state);
    dataset_close(a);
    dataset_close(b);
    dataset_close(c);
    dataset_close(d);
}

static void test_one_hot_and_shape(void)
{
    write_text("s.csv", "1,2,3,4,2\n5,6,7,8,0\n");
    struct dataset *ds = open_data("{\"format\": \"csv\", \"path\": \"s.csv\", \"shape\": [2, 2, 1], \"one_hot\": 4}");
    CHECK_EQ(ds->inputs[0].shape.rank, 3);
    CHECK_EQ(ds->targets[0].shape.dim[0], 4);
    CHECK_EQ(ds->n_classes, 4);
    CHECK_NEAR(target_at(ds, SPLIT_TRAIN, 0, 0, 2), 1, 0);
    CHECK_NEAR(target_at(ds, SPLIT_TRAIN, 0, 0, 0), 0, 0);
    int32_t labels[8];
    dataset_gather_target(ds, SPLIT_TRAIN, 0, (int64_t[]){1, 0}, 2, DTYPE_I32, labels);
    CHECK_EQ(labels[0], 1);
    CHECK_EQ(labels[4 + 2], 1);
    dataset_close(ds);
}

static void test_validation_and_test_may_be_files_of_their_own(void)
{
    write_text("a.csv", "x,label\n1,cat\n2,dog\n3,emu\n");
    write_text("b.csv", "x,label\n7,emu\n8,cat\n");
    struct dataset *ds = open_data(
        "{\"format\": \"csv\", \"path\": \"a.csv\", \"scale\": \"minmax\", \"validation\": {\"path\": \"b.csv\"}}");
    CHECK_EQ(ds->n_samples[SPLIT_TRAIN], 3);
    CHECK_EQ(ds->n_samples[SPLIT_VALIDATION], 2);
    CHECK_EQ(ds->n_samples[SPLIT_TEST], 0);
    CHECK_NEAR(target_at(ds, SPLIT_VALIDATION, 0, 0, 0), 2, 0);
    CHECK_NEAR(input_at(ds, SPLIT_VALIDATION, 0, 1, 0), 3.5, 1e-6);
    dataset_close(ds);
}

static void write_array(const char *name, enum npy_type type, int rank, const int64_t *dims, const void *data)
{
    struct npy a = {.type = type, .rank = rank, .n_elements = 1, .data = data};
    struct err err = {0};
    for (int i = 0; i < rank; i++) {
        a.dim[i] = dims[i];
        a.n_elements *= dims[i];
    }
    CHECK_OK(npy_write(check_path(name), &a, &err), err);
}

static void test_arrays_with_several_inputs_outputs_and_weights(void)
{
    float x[6] = {1, 2, 3, 4, 5, 6}, w[3] = {1, 0.5f, 2};
    int64_t ids[3] = {7, 8, 9};
    uint8_t y[3] = {0, 1, 2};
    write_array("x.npy", NPY_F32, 2, (int64_t[]){3, 2}, x);
    write_array("ids.npy", NPY_I64, 1, (int64_t[]){3}, ids);
    write_array("y.npy", NPY_U8, 1, (int64_t[]){3}, y);
    write_array("w.npy", NPY_F32, 1, (int64_t[]){3}, w);
    struct dataset *ds =
        open_data("{\"format\": \"npy\", \"x\": {\"left\": \"x.npy\", \"word\": \"ids.npy\"}, \"y\": {\"a\": "
                  "\"y.npy\", \"b\": \"x.npy\"},"
                  "\"sample_weight\": \"w.npy\", \"dtype\": {\"word\": \"int64\"}, \"scale\": {\"left\": 2}}");
    CHECK_EQ(ds->n_inputs, 2);
    CHECK_STR(ds->inputs[1].name, "word");
    CHECK_EQ(ds->inputs[1].dtype, DTYPE_I32);
    CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 0, 2, 1), 12, 0);
    CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 1, 2, 0), 9, 0);
    CHECK_STR(ds->targets[1].name, "b");
    CHECK_NEAR(target_at(ds, SPLIT_TRAIN, 1, 1, 0), 3, 0);
    float weight[2];
    dataset_gather_weight(ds, SPLIT_TRAIN, (int64_t[]){2, 1}, 2, weight);
    CHECK(ds->has_sample_weight);
    CHECK_NEAR((double)weight[0], 2, 0);
    CHECK_NEAR((double)weight[1], 0.5, 0);
    dataset_close(ds);
}

static void test_an_archive_for_predict_may_list_the_inputs_in_any_order(void)
{
    float a[2] = {0, 10}, b[2] = {100, 300};
    struct npy arrays[2] = {{.type = NPY_F32, .rank = 2, .dim = {2, 1}, .n_elements = 2, .data = b},
                            {.type = NPY_F32, .rank = 2, .dim = {2, 1}, .n_elements = 2, .data = a}};
    const char *names[] = {"b", "a"};
    struct err err = {0};
    write_array("a.npy", NPY_F32, 2, (int64_t[]){2, 1}, a);
    write_array("b.npy", NPY_F32, 2, (int64_t[]){2, 1}, b);
    CHECK_OK(npz_write(check_path("ba.npz"), names, arrays, 2, &err), err);
    json_t *data = parse("{\"format\": \"npy\", \"x\": {\"a\": \"a.npy\", \"b\": \"b.npy\"}, \"scale\": \"minmax\"}");
    struct dataset *ds = dataset_open(data, check_tmp(), 1, NULL, &err);
    CHECK_OK(ds != NULL, err);
    json_t *state = dataset_scale(ds);
    struct field model[2] = {{.name = "b", .shape = SHAPE(1)}, {.name = "a", .shape = SHAPE(1)}};
    struct dataset *p = dataset_open_input("ba.npz", data, check_tmp(), state, model, 2, &err);
    CHECK_OK(p != NULL, err);
    for (int k = 0; p && k < 2; k++) {
        CHECK_NEAR(input_at(p, SPLIT_TEST, k, 0, 0), 0, 0);
        CHECK_NEAR(input_at(p, SPLIT_TEST, k, 1, 0), 1, 1e-6);
    }
    json_decref(state);
    json_decref(data);
    dataset_close(p);
    dataset_close(ds);
}

static void test_an_archive_of_arrays(void)
{
    float x[4] = {1, 2, 3, 4};
    int32_t y[2] = {1, 0};
    struct npy arrays[2] = {{.type = NPY_F32, .rank = 2, .dim = {2, 2}, .n_elements = 4, .data = x},
                            {.type = NPY_I32, .rank = 1, .dim = {2}, .n_elements = 2, .data = y}};
    const char *names[] = {"x", "y"};
    struct err err = {0};
    CHECK_OK(npz_write(check_path("a.npz"), names, arrays, 2, &err), err);
    struct dataset *ds = open_data("{\"format\": \"npz\", \"path\": \"a.npz\"}");
    CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 0, 1, 0), 3, 0);
    CHECK_NEAR(target_at(ds, SPLIT_TRAIN, 0, 0, 0), 1, 0);
    dataset_close(ds);
    CHECK_OK(npz_write(check_path("a.npz"), names, arrays, 1, &err), err);
    struct field input = {.name = "image", .shape = SHAPE(2)};
    ds = dataset_open_input("a.npz", NULL, check_tmp(), NULL, &input, 1, &err);
    CHECK(ds != NULL);
    CHECK_NEAR(input_at(ds, SPLIT_TEST, 0, 1, 0), 3, 0);
    dataset_close(ds);
}

static void test_idx_files_gzip_or_not(void)
{
    static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 255};
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 9};
    static const unsigned char floats[] = {0, 0, 13, 1, 0, 0, 0, 2, 0x3F, 0x80, 0, 0, 0xC0, 0, 0, 0};
    write_gzip("images.gz", images, sizeof images);
    write_bytes("labels", labels, sizeof labels);
    write_bytes("floats", floats, sizeof floats);
    struct dataset *ds =
        open_data("{\"format\": \"idx\", \"images\": \"images.gz\", \"labels\": \"labels\", \"scale\": \"1/255\"}");
    CHECK_EQ(ds->inputs[0].shape.rank, 2);
    CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 0, 1, 3), 1, 1e-7);
    CHECK_NEAR(target_at(ds, SPLIT_TRAIN, 0, 1, 0), 9, 0);
    CHECK_EQ(ds->n_classes, 10);
    dataset_close(ds);
    ds = open_data("{\"format\": \"idx\", \"images\": \"images.gz\", \"labels\": \"floats\"}");
    CHECK_NEAR(target_at(ds, SPLIT_TRAIN, 0, 1, 0), -2, 0);
    dataset_close(ds);
}

static void test_cifar10_planes_become_pixels_and_its_test_batch_the_test_part(void)
{
    static unsigned char record[3073];
    make_folder("cifar");
    record[0] = 3;
    record[1] = 11;
    record[1 + 1024] = 22;
    record[1 + 2048] = 33;
    write_bytes("cifar/data_batch_1.bin", record, sizeof record);
    write_gzip("cifar/data_batch_2.bin.gz", record, sizeof record);
    record[0] = 9;
    write_bytes("cifar/test_batch.bin", record, sizeof record);
    struct dataset *ds = open_data("{\"format\": \"cifar10\", \"path\": \"cifar\", \"validation_split\": 0.5}");
    CHECK_EQ(ds->n_samples[SPLIT_TRAIN], 1);
    CHECK_EQ(ds->n_samples[SPLIT_VALIDATION], 1);
    CHECK_EQ(ds->n_samples[SPLIT_TEST], 1);
    CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 0, 0, 1), 22, 0);
    CHECK_NEAR(target_at(ds, SPLIT_TEST, 0, 0, 0), 9, 0);
    CHECK_STR(ds->class_names[3], "cat");
    CHECK_EQ(ds->n_classes, 10);
    dataset_close(ds);
}

static void write_picture(const char *name, int h, int w, uint8_t value)
{
    struct err err = {0};
    struct image image = {.height = h, .width = w, .channels = 3, .pixels = malloc((size_t)(h * w * 3))};
    memset(image.pixels, value, (size_t)(h * w * 3));
    CHECK_OK(image_write_png(check_path(name), &image, &err), err);
    image_release(&image);
}

static void test_pictures_in_class_folders(void)
{
    make_folder("pictures/dog");
    make_folder("pictures/cat");
    write_picture("pictures/dog/1.png", 4, 4, 200);
    write_picture("pictures/dog/2.jpg", 8, 6, 200);
    write_picture("pictures/cat/1.png", 4, 4, 100);
    struct dataset *ds =
        open_data("{\"format\": \"images\", \"path\": \"pictures\", \"size\": [4, 4], \"color_mode\": \"grayscale\"}");
    CHECK_EQ(ds->n_samples[SPLIT_TRAIN], 3);
    CHECK_EQ(ds->inputs[0].shape.dim[2], 1);
    CHECK_STR(ds->class_names[0], "cat");
    for (int64_t i = 0; i < 3; i++)
        CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 0, i, 5), target_at(ds, SPLIT_TRAIN, 0, i, 0) ? 200 : 100, 0);
    json_t *state = dataset_scale(ds);
    make_folder("only/dog");
    write_picture("only/dog/x.png", 4, 4, 200);
    struct err err = {0};
    struct dataset *only =
        open_with("{\"format\": \"images\", \"path\": \"only\", \"color_mode\": \"grayscale\"}", state, &err);
    CHECK_NEAR(target_at(only, SPLIT_TRAIN, 0, 0, 0), 1, 0);
    json_decref(state);
    dataset_close(only);
    dataset_close(ds);
}

static void test_text_becomes_windows_of_tokens_with_the_next_ones_as_targets(void)
{
    write_text("t.txt", "abca\xC3\xA9"
                        "ba");
    struct dataset *ds =
        open_data("{\"format\": \"text\", \"path\": \"t.txt\", \"sequence_length\": 3, \"stride\": 1}");
    CHECK_EQ(ds->n_samples[SPLIT_TRAIN], 4); /* 7 characters, windows at 0..3 */
    CHECK_EQ(ds->inputs[0].dtype, DTYPE_I32);
    CHECK_EQ(ds->n_classes, 4);
    CHECK_STR(ds->class_names[3], "\xC3\xA9");
    CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 0, 2, 0), 2, 0);
    CHECK_NEAR(target_at(ds, SPLIT_TRAIN, 0, 2, 1), 3, 0);
    json_t *state = dataset_scale(ds);
    CHECK_EQ(json_array_size(json_object_get(state, "vocabulary")), 4);
    write_text("p.txt", "cab");
    struct err err = {0};
    struct field input = {.shape = SHAPE(3), .dtype = DTYPE_I32};
    json_t *data = parse("{\"format\": \"text\", \"path\": \"t.txt\"}");
    struct dataset *p = dataset_open_input("p.txt", data, check_tmp(), state, &input, 1, &err);
    CHECK_EQ(p->n_samples[SPLIT_TEST], 1);
    CHECK_NEAR(input_at(p, SPLIT_TEST, 0, 0, 0), 2, 0);
    dataset_close(p);
    dataset_close(ds);
    ds = open_data("{\"format\": \"text\", \"path\": \"t.txt\", \"sequence_length\": 3, \"vocabulary\": \"bytes\"}");
    CHECK_EQ(ds->n_classes, 256);
    CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 0, 1, 1), 0xC3, 0);
    json_decref(data);
    json_decref(state);
    dataset_close(ds);
}

static void test_synthetic_samples_depend_on_the_seed_and_not_on_their_number(void)
{
    static const char *const names[] = {"moons", "circles", "blobs", "spirals", "xor", "linear", "sine"};
    for (size_t i = 0; i < 7; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "{\"format\": \"synthetic\", \"name\": \"%s\", \"samples\": 20, \"validation\": {\"samples\": 5}}",
                 names[i]);
        struct dataset *a = open_data(text);
        snprintf(text, sizeof text, "{\"format\": \"synthetic\", \"name\": \"%s\", \"samples\": 300, \"seed\": 1}",
                 names[i]);
        struct dataset *b = open_data(text);
        CHECK_NEAR(input_at(a, SPLIT_TRAIN, 0, 19, 0), input_at(b, SPLIT_TRAIN, 0, 19, 0), 0);
        CHECK(input_at(a, SPLIT_TRAIN, 0, 1, 0) != input_at(a, SPLIT_VALIDATION, 0, 1, 0));
        CHECK(fabs(target_at(b, SPLIT_TRAIN, 0, 7, 0)) < 10);
        CHECK_EQ(a->n_classes > 0, i < 5);
        dataset_close(a);
        dataset_close(b);
    }
}

static void test_the_fingerprint_sees_content_and_split(void)
{
    write_text("t.csv", ten_rows);
    struct dataset *a = open_data("{\"format\": \"csv\", \"path\": \"t.csv\"}"),
                   *b = open_data("{\"format\": \"csv\", \"path\": \"t.csv\", \"test_split\": 0.1}");
    struct dataset *again = open_data("{\"format\": \"csv\", \"path\": \"t.csv\"}");
    char *changed = strdup(ten_rows);
    changed[strlen(changed) - 2] = '0';
    write_text("t.csv", changed);
    struct dataset *c = open_data("{\"format\": \"csv\", \"path\": \"t.csv\"}");
    CHECK(a->fingerprint == again->fingerprint);
    CHECK(a->fingerprint != b->fingerprint);
    CHECK(a->fingerprint != c->fingerprint);
    free(changed);
    dataset_close(a);
    dataset_close(b);
    dataset_close(c);
    dataset_close(again);
}

static void test_a_table_for_predict_may_lack_or_keep_its_label(void)
{
    write_text("t.csv", ten_rows);
    struct dataset *ds = open_data("{\"format\": \"csv\", \"path\": \"t.csv\", \"scale\": \"minmax\"}");
    json_t *state = dataset_scale(ds),
           *data = parse("{\"format\": \"csv\", \"path\": \"t.csv\", \"scale\": \"minmax\"}");
    struct field input = {.name = "in", .shape = SHAPE(2)};
    static const char *const files[] = {"9,10\n0,19\n", "b,a\n10,9\n19,0\n", "9,10,1\n0,19,1\n",
                                        "a,b,label\n9,10,\n0,19,\n"};
    for (size_t i = 0; i < 4; i++) {
        struct err err = {0};
        write_text("p.csv", files[i]);
        struct dataset *p = dataset_open_input("p.csv", data, check_tmp(), state, &input, 1, &err);
        if (!p) {
            CHECK_FAIL("%s", err.text);
            continue;
        }
        CHECK_EQ(p->n_targets, 0);
        CHECK_NEAR(input_at(p, SPLIT_TEST, 0, 0, 0), 1, 1e-6);
        CHECK_NEAR(input_at(p, SPLIT_TEST, 0, 1, 1), 1, 1e-6);
        dataset_close(p);
    }
    json_decref(state);
    json_decref(data);
    dataset_close(ds);
}

static void test_a_picture_or_a_single_array_for_predict_is_fitted_to_the_model(void)
{
    struct err err = {0};
    write_picture("p.png", 6, 6, 80);
    struct field image = {.shape = SHAPE(3, 3, 1)}, flat = {.shape = SHAPE(9)}, any = {.shape = SHAPE(-1, -1, 3)};
    json_t *data = parse("{\"scale\": 0.5}");
    struct dataset *a = dataset_open_input("p.png", data, check_tmp(), NULL, &image, 1, &err);
    CHECK_NEAR(input_at(a, SPLIT_TEST, 0, 0, 8), 40, 0);
    struct dataset *b = dataset_open_input("p.png", data, check_tmp(), NULL, &flat, 1, &err);
    CHECK_EQ(b->inputs[0].shape.rank, 1);
    struct dataset *c = dataset_open_input("p.png", NULL, check_tmp(), NULL, &any, 1, &err);
    CHECK_EQ(c->inputs[0].shape.dim[0], 6);
    float x[18] = {[17] = 5};
    write_array("one.npy", NPY_F32, 3, (int64_t[]){3, 3, 1}, x);
    struct dataset *d = dataset_open_input("one.npy", NULL, check_tmp(), NULL, &image, 1, &err);
    CHECK_EQ(d->n_samples[SPLIT_TEST], 1);
    write_array("two.npy", NPY_F32, 3, (int64_t[]){2, 3, 3}, x);
    struct dataset *e = dataset_open_input("two.npy", NULL, check_tmp(), NULL, &image, 1, &err);
    CHECK_EQ(e->n_samples[SPLIT_TEST], 2);
    CHECK_NEAR(input_at(e, SPLIT_TEST, 0, 1, 8), 5, 0);
    json_decref(data);
    dataset_close(a);
    dataset_close(b);
    dataset_close(c);
    dataset_close(d);
    dataset_close(e);
}

static void test_real_mnist_when_it_is_there(void)
{
    const char *folder = getenv("ANTLER_DATA");
    if (!folder || !*folder) {
        printf("not run: ANTLER_DATA names no folder with mnist/\n");
        return;
    }
    struct err err = {0};
    json_t *data = parse("{\"format\": \"idx\", \"images\": \"mnist/t10k-images-idx3-ubyte.gz\", \"labels\": "
                         "\"mnist/t10k-labels-idx1-ubyte.gz\"}");
    struct dataset *ds = dataset_open(data, folder, 1, NULL, &err);
    CHECK_OK(ds != NULL, err);
    CHECK_EQ(ds->n_samples[SPLIT_TRAIN], 10000);
    CHECK_EQ(ds->n_classes, 10);
    CHECK_NEAR(target_at(ds, SPLIT_TRAIN, 0, 0, 0), 7, 0);
    dataset_close(ds);
    json_decref(data);
}

int main(void)
{
    RUN(test_a_table_with_names_gives_inputs_and_labels);
    RUN(test_splits_are_taken_from_the_end_as_keras_does);
    RUN(test_label_by_name_index_list_or_null);
    RUN(test_quotes_blank_lines_line_ends_and_a_byte_order_mark);
    RUN(test_a_table_without_names_is_recognised);
    RUN(test_missing_cells_are_dropped_zeroed_or_averaged_over_the_training_part);
    RUN(test_scales_are_fitted_on_the_training_part_and_kept);
    RUN(test_one_hot_and_shape);
    RUN(test_validation_and_test_may_be_files_of_their_own);
    RUN(test_arrays_with_several_inputs_outputs_and_weights);
    RUN(test_an_archive_of_arrays);
    RUN(test_an_archive_for_predict_may_list_the_inputs_in_any_order);
    RUN(test_idx_files_gzip_or_not);
    RUN(test_cifar10_planes_become_pixels_and_its_test_batch_the_test_part);
    RUN(test_pictures_in_class_folders);
    RUN(test_text_becomes_windows_of_tokens_with_the_next_ones_as_targets);
    RUN(test_synthetic_samples_depend_on_the_seed_and_not_on_their_number);
    RUN(test_the_fingerprint_sees_content_and_split);
    RUN(test_a_table_for_predict_may_lack_or_keep_its_label);
    RUN(test_a_picture_or_a_single_array_for_predict_is_fitted_to_the_model);
    RUN(test_real_mnist_when_it_is_there);
    return check_done();
}
