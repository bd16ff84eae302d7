/* Fills a home with finished runs: make_home HOME RUNS METRICS RECORDS. Every run has METRICS metrics ("metric-00"...),
 * each with RECORDS values: falling curves with noise. */
#include "base/rng.h"
#include "persistence/runs/history_log.h"
#include "persistence/runs/run_making.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { METRICS_MAX = 100 };

static bool write_history(const char *folder, size_t n_metrics, int64_t n_records, struct err *err)
{
    char text[METRICS_MAX][16];
    const char *names[METRICS_MAX];
    double values[METRICS_MAX];
    float noise[METRICS_MAX];
    struct history_writer *writer = history_open_writer(folder, err);
    for (size_t i = 0; i < n_metrics; i++) {
        if (i < 2)
            snprintf(text[i], sizeof text[i], "%s", i ? "val_loss" : "loss");
        else
            snprintf(text[i], sizeof text[i], "metric-%02zu", i);
        names[i] = text[i];
    }
    bool ok = writer != NULL;
    for (int64_t r = 1; ok && r <= n_records; r++) {
        rng_fill_uniform(1, (uint32_t)r, 0, noise, n_metrics);
        for (size_t i = 0; i < n_metrics; i++)
            values[i] = 1 / sqrt((double)r) + 0.01 * (double)i + 0.05 * (double)noise[i];
        ok = history_add_metrics(writer, r, r, names, values, n_metrics, err);
    }
    history_close_writer(writer);
    return ok;
}

static bool make_run(const char *home, int number, size_t n_metrics, int64_t n_records, struct err *err)
{
    char *id = NULL;
    char name[32];
    snprintf(name, sizeof name, "made-%05d", number);
    json_t *config = json_pack("{s:s}", "name", name);
    struct run_identity identity = {.name = name, .device = "cpu"};
    struct run_making *making = run_making_begin(home, &identity, config, err);
    bool ok = making && write_history(run_making_folder(making), n_metrics, n_records, err) &&
              run_making_finish(making, n_records, n_records, err) && run_making_commit(&making, &id, err);
    run_making_abort(&making);
    json_decref(config);
    free(id);
    return ok;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    if (argc != 5 || atoi(argv[3]) < 1 || atoi(argv[3]) > METRICS_MAX) {
        fprintf(stderr, "make_home HOME RUNS METRICS RECORDS\n");
        return 2;
    }
    for (int i = 0; i < atoi(argv[2]); i++)
        if (!make_run(argv[1], i, (size_t)atoi(argv[3]), atoll(argv[4]), &err)) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
    return 0;
}
