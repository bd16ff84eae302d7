/* step_counts.c - what a training step is made of: step_counts CONFIG BATCH STEPS prints {"kernels":
 * {"matmul:packed+": 3, ...}, "shared", "nodes", "live_bytes"} of the planned step (a + stands for a fused epilogue;
 * shared: kernels that several threads work on), after so many steps. A program of tests/unit/test_step_counts.py,
 * which runs it under valgrind too.
 */
#include "base/io.h"
#include "engine/train/step.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *count_kernels(const struct plan *plan, int n_kernels)
{
    json_t *counts = json_object();
    for (int k = 0; k < n_kernels; k++) {
        struct plan_kernel kernel = plan_kernel(plan, k);
        char *name =
            xprintf("%s%s%s%s", kernel.op, *kernel.variant ? ":" : "", kernel.variant, kernel.fused ? "+" : "");
        json_object_set_new(counts, name, json_integer(js_int(counts, name, 0) + 1));
        free(name);
    }
    return counts;
}

/* Kernels that several threads work on, where there are several. */
static int count_shared(const struct plan *plan, int n_kernels)
{
    int n = 0;
    for (int k = 0; k < n_kernels; k++)
        n += plan_kernel(plan, k).alone ? 0 : 1;
    return n;
}

static bool count(struct session *session, int64_t batch, int64_t steps, struct err *err)
{
    struct step *step =
        step_new(session, &(struct step_options){.kind = STEP_TRAIN, .batch = batch, .data = session->data}, err);
    if (!step)
        return false;
    int64_t *positions = xcalloc((size_t)batch, sizeof *positions);
    for (int64_t i = 0; i < batch; i++)
        positions[i] = i % session->data->n_samples[SPLIT_TRAIN];
    for (int64_t i = 0; i < steps; i++) {
        step_feed(step, SPLIT_TRAIN, positions);
        step_run(step);
    }
    struct plan_stats stats = plan_stats(step_plan(step));
    json_t *result = json_pack("{s:o,s:i,s:i,s:I}", "kernels", count_kernels(step_plan(step), stats.n_kernels),
                               "shared", count_shared(step_plan(step), stats.n_kernels), "nodes", stats.n_nodes,
                               "live_bytes", (json_int_t)stats.live_bytes);
    json_dumpf(result, stdout, JSON_SORT_KEYS);
    json_decref(result);
    free(positions);
    step_free(step);
    return true;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    int64_t batch, steps;
    if (argc != 4 || !str_to_int64(argv[2], &batch) || !str_to_int64(argv[3], &steps))
        return fprintf(stderr, "usage: step_counts CONFIG BATCH STEPS\n"), 2;
    json_t *config = js_read(argv[1], JS_STRICT, &err);
    struct session_options options = {.config = config, .folder = ".", .where = argv[1], .device = "cpu", .threads = 1};
    struct session *session = config ? session_open(&options, &err) : NULL;
    bool ok = session && session_start_device(session, &err) && count(session, batch, steps, &err);
    if (!ok)
        fprintf(stderr, "%s\n", err.text);
    session_close(session);
    json_decref(config);
    return !ok;
}
