/* model_speed.c - milliseconds of a step inside the worker: model_speed CONFIG train|evaluate|predict BATCH THREADS
 * SECONDS
 *
 * The batch is gathered and the step run again and again, as evaluate and predict do it; for a prediction the output is
 * there afterwards. Prints {"ms"}. A program of ./dev bench.
 */
#include "engine/train/step.h"
#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct session *open_session(const char *path, const json_t *config, int threads, struct err *err)
{
    struct session *s = session_open(
        &(struct session_options){.config = config, .folder = ".", .where = path, .threads = threads}, err);
    if (s && session_start_device(s, err))
        return s;
    session_close(s);
    return NULL;
}

/* A prediction is there when it has been read. */
static void read_outputs(const struct session *session, struct step *step)
{
    for (int i = 0; i < session->model->n_outputs; i++)
        (void)step_output(step, i);
}

/* Waits for a device that works by itself. */
static void finish(struct session *session)
{
    const struct variable *total = session->compile->metric_variables[0];
    void *host = xmalloc(variable_bytes(total));
    session_download(session, total, host);
    free(host);
}

static double measure(struct session *session, struct step *step, const int64_t *positions, bool predicts,
                      double seconds)
{
    int64_t start = io->monotonic_ns(), end = start + (int64_t)(seconds * 1e9), n = 0;
    do {
        step_feed(step, SPLIT_TRAIN, positions);
        step_run(step);
        if (predicts)
            read_outputs(session, step);
        n++;
    } while (io->monotonic_ns() < end);
    finish(session);
    return (double)(io->monotonic_ns() - start) / 1e6 / (double)n;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    int64_t batch, threads;
    double seconds;
    if (argc != 6 || !str_to_int64(argv[3], &batch) || !str_to_int64(argv[4], &threads) ||
        !str_to_double(argv[5], &seconds))
        return fprintf(stderr, "usage: model_speed CONFIG train|evaluate|predict BATCH THREADS SECONDS\n"), 2;
    struct step_options o = {.batch = batch,
                             .kind = !strcmp(argv[2], "train")      ? STEP_TRAIN
                                     : !strcmp(argv[2], "evaluate") ? STEP_EVALUATE
                                                                    : STEP_PREDICT};
    json_t *config = js_read(argv[1], JS_STRICT, &err);
    struct session *session = config ? open_session(argv[1], config, (int)threads, &err) : NULL;
    o.data = session ? session->data : NULL;
    struct step *step = session ? step_new(session, &o, &err) : NULL;
    int64_t *positions = calloc((size_t)batch + 1, sizeof *positions);
    for (int64_t i = 0; positions && step && i < batch; i++)
        positions[i] = i * 7 % session->data->n_samples[SPLIT_TRAIN];
    if (step && positions) {
        bool predicts = o.kind == STEP_PREDICT;
        measure(session, step, positions, predicts, seconds / 4);
        printf("{\"ms\": %.6f}\n", measure(session, step, positions, predicts, seconds));
    } else {
        fprintf(stderr, "%s\n", err.text);
    }
    bool ok = step != NULL;
    free(positions);
    step_free(step);
    session_close(session);
    json_decref(config);
    return !ok;
}
