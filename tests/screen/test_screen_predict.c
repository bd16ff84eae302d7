/* Predictions on the screen: samples, filters, what is kept, two checkpoints beside each other, several outputs. */
#include "tests/screen/screen_trained.h"

#include "tui/client/evaluation.h"

/* How many samples of the test part are wrong, by the confusion matrix. */
static int64_t count_wrong(void)
{
    double made;
    int64_t wrong = 0;
    json_t *kept = evaluation_kept(checkpoint(digits, 2), "test", &made);
    const json_t *rows = json_object_get(kept, "confusion");
    for (size_t i = 0; i < json_array_size(rows); i++)
        for (size_t k = 0; k < json_array_size(rows); k++)
            wrong += i != k ? json_integer_value(json_array_get(json_array_get(rows, i), k)) : 0;
    json_decref(kept);
    return wrong;
}

static void test_predict_draws_digits_and_finds_the_wrong_ones(void)
{
    struct driver d;
    char count[64];
    open_at(&d, "result", checkpoint(digits, 2), 80, 24);
    DRIVER_WAIT(&d, "precision");
    driver_keys(&d, "p");
    DRIVER_WAIT(&d, "64 of the first 64");
    const char *screen = driver_screen(&d);
    CHECK_HAS(screen, "180 samples of test");
    CHECK_HAS(screen, "sample 0");
    CHECK_HAS(screen, "██");
    CHECK_HAS(screen, "true");
    driver_keys(&d, "/ w r o n g Enter");
    snprintf(count, sizeof count, "%lld of 180", (long long)count_wrong());
    DRIVER_WAIT(&d, count);
    CHECK_HAS(driver_screen(&d), "✗ said");
    CHECK(!strstr(driver_screen(&d), "✓"));
    driver_keys(&d, "Esc");
    CHECK_HAS(driver_screen(&d), "180 of 180");
    driver_close(&d);
}

static void test_the_same_sample_is_seen_by_the_next_checkpoint(void)
{
    struct driver d;
    open_at(&d, "predict", checkpoint(digits, 1), 80, 24);
    DRIVER_WAIT(&d, "64 of the first 64");
    driver_keys(&d, "Down Down Down");
    CHECK_HAS(driver_screen(&d), "sample 3 ");
    driver_keys(&d, "]");
    DRIVER_WAIT(&d, "64 of the first 64");
    CHECK_HAS(driver_screen(&d), "digits-mlp:2");
    CHECK_HAS(driver_screen(&d), "sample 3 ");
    driver_close(&d);
}

static void test_predictions_are_kept_and_come_back_without_a_worker(void)
{
    struct driver d;
    forget_kept(digits, 1);
    open_at(&d, "predict", checkpoint(digits, 1), 80, 24);
    DRIVER_WAIT(&d, "64 of the first 64");
    driver_keys(&d, "/ w r o n g Enter");
    DRIVER_WAIT(&d, "of 180");
    CHECK(!strstr(driver_screen(&d), "kept"));
    driver_close(&d);
    use_worker("/nowhere/antler-worker");
    open_at(&d, "predict", checkpoint(digits, 1), 80, 24);
    CHECK_HAS(driver_screen(&d), "sample 0");
    CHECK_HAS(driver_screen(&d), "180 samples of test   kept");
    driver_keys(&d, "/ w r o n g Enter");
    CHECK_HAS(driver_screen(&d), "of 180");
    driver_keys(&d, "Esc u"); /* computed again: there is nobody to do it */
    CHECK_HAS(driver_screen(&d), "/nowhere/antler-worker");
    driver_close(&d);
    use_worker(BINARY_DIR "/antler-worker");
}

static void test_what_is_kept_of_two_checkpoints_is_enough_to_compare_them(void)
{
    struct driver d;
    for (int epoch = 1; epoch <= 3; epoch += 2) {
        open_at(&d, "predict", checkpoint(digits, epoch), 100, 30);
        DRIVER_WAIT(&d, "64 of the first 64");
        driver_close(&d);
    }
    use_worker("/nowhere/antler-worker");
    char *both = xprintf("%s\n%s", checkpoint(digits, 3), checkpoint(digits, 1));
    open_at(&d, "predict", both, 100, 30);
    CHECK_HAS(driver_screen(&d), "fixed");
    CHECK_HAS(driver_screen(&d), "marked digits-mlp:1");
    CHECK_EQ(d.app->last_job, 0);
    driver_close(&d);
    use_worker(BINARY_DIR "/antler-worker");
    free(both);
}

static void test_a_filter_that_is_not_understood_says_which_word(void)
{
    struct driver d;
    open_at(&d, "predict", checkpoint(digits, 1), 80, 24);
    DRIVER_WAIT(&d, "64 of the first 64");
    driver_keys(&d, "/ q < 1");
    CHECK_HAS(driver_screen(&d), "'q<' is not known");
    driver_keys(&d, "Ctrl-U p < x");
    CHECK_HAS(driver_screen(&d), "expected a number as in p<0.5");
    driver_keys(&d, "Backspace 2 Enter Space");
    CHECK(!strstr(driver_screen(&d), "expected a number"));
    driver_close(&d);
}

static void test_a_table_row_is_shown_in_the_units_of_the_file(void)
{
    struct driver d;
    open_at(&d, "predict", checkpoint(wine, 2), 100, 30);
    DRIVER_WAIT(&d, "36 of 36");
    const char *row = strstr(driver_screen(&d), "alcohol");
    double alcohol = 0;
    CHECK(row && sscanf(row, "alcohol %lf", &alcohol) == 1);
    char *line = output_of("zcat -f " SOURCE_DIR "/configs/wine.csv | tail -n 36 | head -n 1");
    char *second = strchr(line, ',');
    CHECK(second != NULL);
    char text[64];
    snprintf(text, sizeof text, "%s", text_number(alcohol).text);
    CHECK_HAS(line, text); /* the row itself holds that number */
    free(line);
    driver_close(&d);
}

static int64_t count_class_changes(const char *which)
{
    int64_t n = 0;
    json_t *details[2];
    for (int k = 0; k < 2; k++) {
        char command[512];
        struct err err = {0};
        snprintf(command, sizeof command,
                 "echo '{\"checkpoint\": \"%s\", \"run\": \"%s/runs/%s\", \"input\": \"test\", \"details\": true}' "
                 "| " BINARY_DIR "/antler-worker predict | tail -n 1",
                 checkpoint(digits, 1 + 2 * k), check_tmp(), digits);
        char *text = output_of(command);
        json_t *answer = js_parse(text, strlen(text), "the answer", JS_STRICT, &err);
        details[k] = json_incref(js_at(answer, "result.details"));
        json_decref(answer);
        free(text);
    }
    for (size_t i = 0; i < json_array_size(details[0]); i++) {
        const json_t *then = json_array_get(details[0], i), *now = json_array_get(details[1], i);
        bool was = js_int(then, "label", 0) == js_int(then, "predicted", -1),
             is = js_int(now, "label", 0) == js_int(now, "predicted", -1);
        n += !strcmp(which, "fixed") ? is && !was : !strcmp(which, "broken") ? was && !is : !was && !is;
    }
    json_decref(details[0]);
    json_decref(details[1]);
    return n;
}

static void test_two_checkpoints_predictions_stand_side_by_side(void)
{
    struct driver d;
    char line[120];
    open_at(&d, "result", checkpoint(digits, 1), 100, 30);
    driver_keys(&d, "d ] ]");
    DRIVER_WAIT(&d, "digits-mlp:3");
    driver_keys(&d, "d");
    DRIVER_WAIT(&d, "64 of the first 64");
    driver_keys(&d, "/ f i x e d Enter");
    snprintf(line, sizeof line, "%lld fixed   %lld broken   %lld wrong in both",
             (long long)count_class_changes("fixed"), (long long)count_class_changes("broken"),
             (long long)count_class_changes("both"));
    DRIVER_WAIT(&d, line);
    snprintf(line, sizeof line, "%lld of 180", (long long)count_class_changes("fixed"));
    DRIVER_WAIT(&d, line);
    CHECK_HAS(driver_screen(&d), "marked digits-mlp:1");
    driver_keys(&d, "Esc Esc");
    CHECK(!strstr(driver_screen(&d), "wrong in both"));
    CHECK_HAS(driver_screen(&d), "180 of 180");
    driver_close(&d);
}

/* An array of bytes; they follow. */
static FILE *npy_open(const char *path, const char *shape)
{
    char head[128];
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    memset(head, ' ', sizeof head);
    int n = snprintf(head + 10, sizeof head - 10, "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }", shape);
    head[10 + n] = ' ';
    memcpy(head, "\x93NUMPY\1\0\x76\0", 10);
    head[127] = '\n';
    fwrite(head, 1, sizeof head, file);
    return file;
}

/* A picture of more numbers than are sent comes smaller, and is still one. */
static void test_large_pictures_are_drawn_too(void)
{
    struct driver d;
    char id[256];
    FILE *x = npy_open("x.npy", "(20, 96, 128, 1)");
    for (int i = 0; i < 20 * 96 * 128; i++)
        fputc(i / 128 % 96 < 48 ? 255 : 0, x);
    fclose(x);
    FILE *config = fopen("pictures.json", "w");
    CHECK(config && fputs("{\"name\": \"pictures\", \"data\": {\"format\": \"npy\", \"x\": \"x.npy\", \"y\": "
                          "\"x.npy\", \"scale\": \"1/255\"},"
                          "\"model\": {\"layers\": [{\"class\": \"Rescaling\", \"scale\": 1}, {\"class\": \"Conv2D\", "
                          "\"filters\": 1, \"kernel_size\": 1}]},"
                          "\"compile\": {\"optimizer\": \"adam\", \"loss\": \"mse\"}, \"fit\": {\"epochs\": 1}}",
                          config) > 0);
    fclose(config);
    train("pictures.json", id, sizeof id);
    open_at(&d, "predict", checkpoint(id, 1), 80, 24);
    DRIVER_WAIT(&d, "20 of 20");
    const char *row = strstr(driver_screen(&d), "████████████████");
    CHECK(row != NULL);
    driver_close(&d);
}

static void test_every_output_is_shown(void)
{
    struct driver d;
    char id[256];
    FILE *x = npy_open("two.npy", "(8, 4)"), *config = fopen("two.json", "w");
    CHECK(config != NULL);
    for (int i = 0; i < 8 * 4; i++)
        fputc(i % 3, x);
    fclose(x);
    fputs(
        "{\"name\": \"two\", \"data\": {\"format\": \"npy\", \"x\": \"two.npy\", \"y\": {\"near\": \"two.npy\", "
        "\"far\": "
        "\"two.npy\"}}, \"model\": {\"layers\": [{\"class\": \"InputLayer\", \"name\": \"in\", \"shape\": [4]}, "
        "{\"class\": "
        "\"Dense\", \"name\": \"near\", \"units\": 4, \"inputs\": [\"in\"]}, {\"class\": \"Dense\", \"name\": \"far\", "
        "\"units\": 4, \"inputs\": [\"in\"], \"kernel_initializer\": \"zeros\", \"trainable\": false}], \"outputs\": "
        "[\"near\", \"far\"]}, "
        "\"compile\": {\"optimizer\": \"adam\", \"loss\": {\"near\": \"mse\", \"far\": \"mse\"}}, \"fit\": "
        "{\"epochs\": 1}}",
        config);
    fclose(config);
    train("two.json", id, sizeof id);
    open_at(&d, "predict", checkpoint(id, 1), 80, 24);
    DRIVER_WAIT(&d, "8 of 8");
    CHECK_HAS(driver_screen(&d), "far  0.0000  0.0000  0.0000  0.0000");
    CHECK_HAS(driver_screen(&d), "output near 1/2");
    driver_keys(&d, "o");
    CHECK_HAS(driver_screen(&d), "output far 2/2   kept");
    CHECK(!strstr(driver_screen(&d), "far  0.0000"));
    driver_keys(&d, "e");
    DRIVER_WAIT(&d, "said (up) against true (right)");
    CHECK_HAS(driver_screen(&d), "output near 1/2");
    driver_keys(&d, "Tab Tab");
    CHECK(!strstr(driver_screen(&d), "RMSE 1.262"));
    driver_keys(&d, "o");
    CHECK_HAS(driver_screen(&d), "output far 2/2");
    CHECK_HAS(driver_screen(&d), "RMSE 1.262"); /* it says 0 of 11 zeros, 11 ones and 10 twos */
    driver_close(&d);
}

int main(void)
{
    train_both();
    RUN(test_predict_draws_digits_and_finds_the_wrong_ones);
    RUN(test_the_same_sample_is_seen_by_the_next_checkpoint);
    RUN(test_predictions_are_kept_and_come_back_without_a_worker);
    RUN(test_what_is_kept_of_two_checkpoints_is_enough_to_compare_them);
    RUN(test_a_filter_that_is_not_understood_says_which_word);
    RUN(test_a_table_row_is_shown_in_the_units_of_the_file);
    RUN(test_two_checkpoints_predictions_stand_side_by_side);
    RUN(test_large_pictures_are_drawn_too);
    RUN(test_every_output_is_shown);
    return check_done();
}
