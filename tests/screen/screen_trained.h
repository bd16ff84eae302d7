/* screen_trained.h - tests of views on checkpoints: a home with two runs, digits (classes) and wine (a regression),
 * trained for three epochs by the real worker. */
#ifndef TESTS_SCREEN_TRAINED_H
#define TESTS_SCREEN_TRAINED_H

#include "tests/screen/screen_driver.h"

#include "persistence/runs/kept_results.h"

#include <locale.h>

static char digits[256], wine[256]; /* ids */

static inline const char *checkpoint(const char *run, int epoch)
{
    static char path[4][1024];
    static int k;
    char here[512];
    k = (k + 1) % 4;
    CHECK(getcwd(here, sizeof here));
    snprintf(path[k], sizeof path[k], "%s/runs/%s/checkpoints/epoch-%04d.keras", here, run, epoch);
    return path[k];
}

static inline void open_at(struct driver *d, const char *view, const char *argument, int width, int height)
{
    struct err err = {0};
    driver_open(d, "runs", width, height);
    CHECK_OK(app_open(d->app, view, argument, &err), err);
}

/* What a command of the command line prints. free() it. */
static inline char *output_of(const char *command)
{
    struct str text = {0};
    char block[4096];
    size_t n;
    FILE *pipe = popen(command, "r");
    while (pipe && (n = fread(block, 1, sizeof block, pipe)))
        str_add_bytes(&text, block, n);
    CHECK(pipe && pclose(pipe) == 0);
    return str_take(&text);
}

static inline void train(const char *config, char *id, size_t size)
{
    char command[2048];
    snprintf(command, sizeof command,
             BINARY_DIR "/antler train "
                        "%s --set fit.epochs=3 --json 2>/dev/null",
             config);
    char *text = output_of(command);
    struct err err = {0};
    json_t *result = js_parse(text, strlen(text), "the answer", JS_STRICT, &err);
    snprintf(id, size, "%s", js_string(result, "run", ""));
    CHECK(id[0]);
    json_decref(result);
    free(text);
}

static inline void forget_kept(const char *run, int epoch)
{
    kept_remove(checkpoint(run, epoch));
}

static inline void use_worker(const char *path)
{
    setenv("ANTLER_WORKER", path, 1);
}

/* The test's folder becomes the working directory; the runs are trained in it. */
static inline void train_both(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    use_worker(BINARY_DIR "/antler-worker");
    unsetenv("ANTLER_HOME");
    CHECK_EQ(chdir(check_tmp()), 0);
    train(SOURCE_DIR "/configs/digits-mlp.json", digits, sizeof digits);
    train(SOURCE_DIR "/configs/wine-regression.json", wine, sizeof wine);
}

#endif
