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

static double measure(struct step *step, const int64_t *positions, double seconds)
{
    int64_t start = io->monotonic_ns(), end = start + (int64_t)(seconds * 1e9), n = 0, now;
    do {
        step_feed(step, SPLIT_TRAIN, positions);
        step_run(step);
        n++;
    } while ((now = io->monotonic_ns()) < end);
    return (double)(now - start) / 1e6 / (double)n;
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
        measure(step, positions, seconds / 4);
        printf("{\"ms\": %.6f}\n", measure(step, positions, seconds));
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
