/* Every shipped example is a whole config whose data load; it says what to expect, and where its data come from is
 * written down. */
#include "persistence/config/run_config.h"
#include "tests/unit/data_files.h"

#include <dirent.h>

static void check_example(const char *path)
{
    struct err err = {0};
    json_t *config = config_read(path, &err);
    CHECK_OK(config != NULL, err);
    CHECK_OK(config_check(config, path, &err), err);
    CHECK_HAS(js_string(config, "description", ""), "Expect");
    config_resolve(config, SOURCE_DIR "/configs");
    struct dataset *ds = dataset_open(json_object_get(config, "data"), js_string(config, "folder", ""), 1, NULL, &err);
    CHECK_OK(ds != NULL, err);
    CHECK(ds && ds->n_samples[SPLIT_TRAIN] > 100 && ds->n_samples[SPLIT_VALIDATION] > 20);
    dataset_close(ds);
    json_decref(config);
}

static void test_every_example_is_whole_and_its_data_load(void)
{
    int n = 0;
    DIR *dir = opendir(SOURCE_DIR "/configs");
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir))
        if (str_ends(entry->d_name, ".json") || str_ends(entry->d_name, ".yaml")) {
            char path[600];
            snprintf(path, sizeof path, SOURCE_DIR "/configs/%s", entry->d_name);
            check_example(path);
            n++;
        }
    if (dir)
        closedir(dir);
    CHECK(n >= 5);
}

static void test_the_digits_are_all_there(void)
{
    struct err err = {0};
    json_t *config = config_read(SOURCE_DIR "/configs/digits-cnn.json", &err);
    struct dataset *ds = dataset_open(json_object_get(config, "data"), SOURCE_DIR "/configs", 1, NULL, &err);
    CHECK_EQ(ds->n_samples[SPLIT_TRAIN], 1437);
    CHECK_EQ(ds->n_samples[SPLIT_VALIDATION], 180);
    CHECK_EQ(ds->n_samples[SPLIT_TEST], 180);
    CHECK_EQ(ds->n_classes, 10);
    CHECK_EQ(ds->inputs[0].shape.rank, 3);
    CHECK_NEAR(input_at(ds, SPLIT_TRAIN, 0, 0, 2), 5.0 / 16, 0);
    dataset_close(ds);
    json_decref(config);
}

int main(void)
{
    RUN(test_every_example_is_whole_and_its_data_load);
    RUN(test_the_digits_are_all_there);
    return check_done();
}
