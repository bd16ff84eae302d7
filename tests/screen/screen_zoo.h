/* screen_zoo.h - every view of the screen, open on something to show, without a worker: a home of runs in all states
 * and with the strangest names, a kept evaluation, and a stand-in for the worker that answers from files at once.
 *
 *     zoo_make();                      in check_tmp()
 *     zoo_show(&zoo_views[3], 80, 24);
 *     CHECK_HAS(screen_text(), ...);
 *     screen_close();
 */
#ifndef TESTS_SCREEN_ZOO_H
#define TESTS_SCREEN_ZOO_H

#include "tests/screen/screen_home.h"

#include "persistence/runs/kept_results.h"
#include "persistence/runs/run_pictures.h"
#include "tui/client/evaluation.h"

#include <sys/stat.h>

enum { ZOO_SAMPLES = 40, ZOO_CLASSES = 5 };

static char *zoo_digits, *zoo_branch;
static const char zoo_config[] =
    "{\"name\": \"digits\", \"seed\": 1, \"data\": {\"format\": \"csv\", \"path\": \"digits.csv.gz\"},"
    " \"model\": {\"layers\": [{\"class\": \"Dense\", \"units\": 64, \"activation\": \"relu\"}, {\"class\": "
    "\"Dropout\","
    " \"rate\": 0.25}]}, \"compile\": {\"optimizer\": {\"class\": \"Adam\", \"learning_rate\": 0.001}, \"loss\": "
    "\"mse\"},"
    " \"fit\": {\"epochs\": 8, \"batch_size\": 32}, \"callbacks\": [{\"class\": \"EarlyStopping\", \"patience\": 2}]}";

static inline char *zoo_checkpoint(const char *run, int epoch)
{
    return xprintf("%s/%s/checkpoints/epoch-%04d.keras", screen_home(), run, epoch);
}

static inline json_t *zoo_sample(int i, bool with_output)
{
    json_t *values = json_array(), *output = json_array();
    int label = i % ZOO_CLASSES, said = i % 7 == 3 ? (label + 1) % ZOO_CLASSES : label;
    for (int k = 0; k < 64; k++)
        json_array_append_new(values, json_real((k * (i + 3) % 17) / 16.0));
    for (int c = 0; c < ZOO_CLASSES; c++)
        json_array_append_new(output, json_real(c == said ? 0.6 : 0.1));
    json_t *sample = json_pack(
        "{s:i,s:[{s:[i,i,i],s:o}],s:i,s:s,s:i,s:s,s:f,s:f}", "index", i, "inputs", "shape", 8, 8, 1, "values", values,
        "label", label, "class", (const char *[]){"null", "eins", "三", "quatre", "a class of a long name"}[label],
        "predicted", said, "predicted_class", "x", "probability", 0.6, "loss", label == said ? 0.5 : 2.3);
    if (with_output)
        json_object_set(sample, "output", output);
    json_decref(output);
    return sample;
}

static inline json_t *zoo_data(void)
{
    return json_pack("{s:i,s:{s:i,s:i,s:i},s:{s:[s,s,s,s,s]}}", "total", ZOO_SAMPLES, "parts", "train", 100,
                     "validation", 20, "test", ZOO_SAMPLES, "learnt", "class_names", "null", "eins", "三", "quatre",
                     "a class of a long name");
}

static inline json_t *zoo_evaluation(const char *path)
{
    json_t *confusion = json_array(), *classes = json_array(), *hardest = json_array(), *bins = json_array();
    for (int c = 0; c < ZOO_CLASSES; c++) {
        json_t *row = json_array();
        for (int k = 0; k < ZOO_CLASSES; k++)
            json_array_append_new(row, json_integer(c == k ? 7 : k == (c + 1) % ZOO_CLASSES ? 1 : 0));
        json_array_append_new(confusion, row);
        json_array_append_new(classes, json_pack("{s:i,s:i,s:f,s:f,s:f}", "label", c, "samples", 8, "precision",
                                                 0.9 - 0.1 * c, "recall", 0.875, "f1", 0.9 - 0.05 * c));
    }
    for (int i = 0; i < 12; i++)
        json_array_append_new(hardest, zoo_sample(7 * i + 3, true));
    for (int b = 3; b < 10; b++)
        json_array_append_new(bins, json_pack("{s:f,s:f,s:i,s:f,s:f}", "from", b / 10.0, "to", (b + 1) / 10.0,
                                              "samples", b, "confidence", b / 10.0 + 0.05, "accuracy", b / 10.0 + 0.1));
    return json_pack("{s:s,s:s,s:i,s:{s:f,s:f},s:o,s:o,s:{s:f,s:o},s:o,s:o}", "checkpoint", path, "split", "test",
                     "samples", ZOO_SAMPLES, "metrics", "loss", 0.25, "accuracy", 0.875, "confusion", confusion,
                     "per_class", classes, "calibration", "ece", 0.043, "bins", bins, "hardest", hardest, "data",
                     zoo_data());
}

static inline void zoo_write(const char *path, json_t *json, const char *key)
{
    char *text = js_text(json, 0);
    FILE *file = fopen(path, "w");
    CHECK(file &&
          fprintf(file, "%s%s%s%s%s\n", key ? "{\"" : "", key ? key : "", key ? "\": " : "", text, key ? "}" : "") >
              0 &&
          !fclose(file));
    free(text);
    json_decref(json);
}

/* A program that answers what was prepared, and nothing else. */
static inline void zoo_worker(void)
{
    json_t *outputs = json_array(), *details = json_array();
    char *path = zoo_checkpoint(zoo_digits, 8);
    for (int i = 0; i < ZOO_SAMPLES; i++) {
        json_t *sample = zoo_sample(i, true);
        json_array_append(outputs, json_object_get(sample, "output"));
        json_object_del(sample, "output");
        json_array_append_new(details, sample);
    }
    zoo_write("predict",
              json_pack("{s:s,s:i,s:s,s:{s:o},s:o,s:o}", "checkpoint", path, "samples", ZOO_SAMPLES, "split", "test",
                        "outputs", "dense", outputs, "details", details, "data", zoo_data()),
              "result");
    zoo_write("evaluate", zoo_evaluation(path), "result");
    zoo_write("generate",
              json_pack("{s:s,s:s,s:s,s:[i,i],s:f,s:i,s:i,s:b}", "checkpoint", path, "prompt", "", "text",
                        "a line\nand \x1b another, 日本", "tokens", 1, 2, "temperature", 0.8, "seed", 0, "window", 8,
                        "padded", 0),
              "result");
    zoo_write("check",
              json_pack("{s:s,s:s}", "code", "usage", "message", "model.layers[1].rate: found 7, expected at most 1"),
              "error");
    zoo_write("inspect", json_pack("{s:s,s:s}", "code", "format", "message", "no model here"), "error");
    FILE *file = fopen("worker", "w");
    CHECK(file &&
          fprintf(file,
                  "#!/bin/sh\ncat > /dev/null\nif [ -f '%s/'$1 ]; then exec cat '%s/'$1; fi\n"
                  "echo '{\"error\": {\"code\": \"failed\", \"message\": \"not today\"}}'\nexit 1\n",
                  check_tmp(), check_tmp()) > 0 &&
          !fclose(file));
    CHECK_EQ(chmod("worker", 0700), 0);
    char *program = path_join(check_tmp(), "worker");
    setenv("ANTLER_WORKER", program, 1);
    free(program);
    free(path);
}

static inline void zoo_strangers(void)
{
    char long_name[301];
    memset(long_name, 'n', 300);
    long_name[300] = 0;
    const char *const names[] = {"日本語の名前がとても長い実験", "control\x01\x1b[31m\x7f", "bidi\u202etxt.exe",
                                 long_name, "e\u0301\u0301\u0301 👩‍👩‍👧"};
    static const enum run_state states[] = {RUN_FAILED, RUN_STOPPED, RUN_FINISHED, RUN_FINISHED, RUN_FAILED};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *id = screen_run(names[i], NULL, 0, zoo_config);
        if (i != 1)
            screen_epochs(id, 1, 2 + (int64_t)i, 1);
        screen_state(id, states[i], 2);
        free(id);
    }
}

/* Pictures of two tags in the branch; what is in the files does not matter, the stand-in for the worker answers. */
static inline void zoo_paint(void)
{
    for (int i = 0; i < 6; i++) {
        char *folder = xprintf("%s/%s", screen_home(), zoo_branch), *pictures = run_pictures_folder(folder),
             *name = run_picture_name(i % 2 ? "layer/weights" : "examples", 10 * (i / 2), ".png"),
             *path = path_join(pictures, name);
        CHECK_OK(io_make_folders(pictures, &screen_err), screen_err);
        FILE *file = fopen(path, "w");
        CHECK(file && fputs("as if it were a picture", file) > 0 && !fclose(file));
        free(path);
        free(name);
        free(pictures);
        free(folder);
    }
    struct str pixels = {0};
    for (int i = 0; i < 8 * 12; i++)
        str_addf(&pixels, "%02x%02x%02x", i % 12 * 23, i % 12 * 23, i / 12 * 36);
    zoo_write("picture",
              json_pack("{s:s,s:i,s:i,s:[i,i,i],s:s}", "file", "", "height", 8, "width", 12, "shown", 8, 12, 3,
                        "pixels", str_text(&pixels)),
              "result");
    str_release(&pixels);
}

static inline void zoo_make(void)
{
    screen_clock(1700000000);
    if (chdir(check_tmp()))
        exit(1);
    unsetenv("ANTLER_HOME");
    setenv("XDG_CONFIG_HOME", check_tmp(), 1);
    zoo_strangers();
    zoo_digits = screen_run("digits", NULL, 0, zoo_config);
    screen_epochs(zoo_digits, 1, 8, 2);
    screen_state(zoo_digits, RUN_FINISHED, 8);
    zoo_branch = screen_run("digits-branch", zoo_digits, 4, zoo_config);
    screen_epochs(zoo_branch, 5, 8, 1);
    screen_state(zoo_branch, RUN_STOPPED, 8);
    char *log = xprintf("%s/%s/log.txt", screen_home(), zoo_digits), *config = path_join(check_tmp(), "some.json");
    FILE *file = fopen(log, "w");
    CHECK(file && fputs("epoch 1\n\033[31mWarning\033[0m: slow\n10 %\r20 %\n\033]0;t\a日本\n", file) > 0 &&
          !fclose(file));
    zoo_write(config, js_parse(zoo_config, strlen(zoo_config), "config", JS_STRICT, &screen_err), NULL);
    zoo_worker();
    zoo_paint();
    free(config);
    free(log);
}

/* What a view is opened on. free() it. */
static inline char *zoo_of_run(void)
{
    return xstrdup(zoo_digits);
}

static inline char *zoo_of_painted(void)
{
    return xstrdup(zoo_branch);
}

static inline char *zoo_of_checkpoint(void)
{
    return zoo_checkpoint(zoo_digits, 8);
}

static inline char *zoo_of_two(void)
{
    char *a = zoo_checkpoint(zoo_digits, 8), *b = zoo_checkpoint(zoo_branch, 8), *both = xprintf("%s\n%s", a, b);
    free(a);
    free(b);
    return both;
}

static inline char *zoo_of_config(void)
{
    return xprintf("config:%s/some.json", check_tmp());
}

static inline char *zoo_of_branch(void)
{
    char *path = zoo_checkpoint(zoo_digits, 4), *argument = xprintf("checkpoint:%s:%s", zoo_digits, path);
    free(path);
    return argument;
}

struct zoo_view {
    const char *name, *view;
    char *(*argument)(void); /* NULL: nothing */
    const char *ready;       /* what it shows once it is whole */
    const char *keys;        /* typed first; NULL: none */
};
static const struct zoo_view zoo_views[] = {{"runs", "runs", NULL, "digits"},
                                            {"run", "run", zoo_of_run, "epoch"},
                                            {"pictures", "run", zoo_of_painted, "▓▓▓", "Tab Tab Left"},
                                            {"compare", "compare", zoo_of_run, "digits"},
                                            {"new", "new", NULL, "config"},
                                            {"form", "form", zoo_of_config, "found 7"},
                                            {"branch", "form", zoo_of_branch, "found 7"},
                                            {"jobs", "jobs", NULL, "jobs"},
                                            {"log", "log", zoo_of_run, "Warning"},
                                            {"result", "result", zoo_of_checkpoint, "recall"},
                                            {"predict", "predict", zoo_of_checkpoint, "sample 0"},
                                            {"rivals", "predict", zoo_of_two, "0 broken"},
                                            {"inspect", "inspect", zoo_of_checkpoint, "no model"},
                                            {"diff", "diff", zoo_of_two, "no model here"}};
enum { ZOO_VIEWS = sizeof zoo_views / sizeof *zoo_views };

/* What was asked before is asked again. */
static inline void zoo_forget(void)
{
    const char *const runs[] = {zoo_digits, zoo_branch};
    for (int i = 0; i < 2; i++) {
        char *path = zoo_checkpoint(runs[i], 8);
        kept_remove(path);
        free(path);
    }
}

/* Opens it in the screen that is open already. */
static inline void zoo_open(const struct zoo_view *of)
{
    zoo_forget();
    char *argument = of->argument ? of->argument() : NULL;
    CHECK_OK(app_open(screen.app, of->view, argument, &screen_err), screen_err);
    if (of->keys)
        driver_keys(&screen, of->keys);
    DRIVER_WAIT(&screen, of->ready);
    free(argument);
}

static inline void zoo_show(const struct zoo_view *of, int width, int height)
{
    driver_open(&screen, "runs", width > 60 ? width : 100, height > 20 ? height : 30);
    zoo_open(of);
    screen_size(width, height);
}

#endif
