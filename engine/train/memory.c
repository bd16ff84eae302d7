/* memory.c - see memory.h */
#include "engine/train/memory.h"
#include "engine/train/snapshot.h"
#include "engine/train/weights.h"

#include <sys/resource.h>

/* What the worker, its libraries, stacks and heaps hold besides, and the libraries of a GPU: measured. */
enum { PROGRAM_BYTES = 10200 << 10, GPU_LIBRARIES_BYTES = 450 << 20 };

static int64_t bytes_of(struct variable *const *variables, int n)
{
    int64_t total = 0;
    for (int i = 0; i < n; i++)
        total += (int64_t)variable_bytes(variables[i]);
    return total;
}

static int64_t live_bytes(const struct step_pair *pair)
{
    const struct step *step = pair->full ? pair->full : pair->rest;
    return step ? (int64_t)plan_stats(step_plan(step)).live_bytes : 0;
}

static int64_t bytes_of_steps(const struct step_pair *pair)
{
    int64_t total = 0;
    const struct step *steps[] = {pair->full, pair->rest};
    for (int i = 0; i < 2; i++) {
        struct plan_stats stats = steps[i] ? plan_stats(step_plan(steps[i])) : (struct plan_stats){0};
        total += (int64_t)((stats.shares_arena ? 0 : stats.arena_bytes) + stats.constant_bytes);
    }
    return total;
}

json_t *memory_estimate(const struct session *s, const struct fit *fit)
{
    const struct compile *c = s->compile;
    int64_t parameters = bytes_of(s->model->variables, s->model->n_variables),
            optimizer = bytes_of(c->optimizer_variables, c->n_optimizer_variables),
            metrics = 3 * bytes_of(c->metric_variables, c->n_metric_variables), /* and two host copies */
        steps = bytes_of_steps(&fit->train_steps) + bytes_of_steps(&fit->validation_steps),
            data =
                dataset_bytes(s->data) + (fit->train.n_samples + fit->validation.n_samples) * (int64_t)sizeof(int64_t),
            copies = snapshot_is_large(s) ? 0 : 1, copy = copies * (int64_t)weights_host_bytes(s),
            kept = (1 + copies) * callbacks_weight_slots(fit->callbacks) * (int64_t)weights_model_bytes(s),
            program = PROGRAM_BYTES + (s->backend->host_memory ? 0 : GPU_LIBRARIES_BYTES),
            device = s->backend->host_memory ? 0 : parameters + optimizer + metrics / 3 + steps;
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "parameters", (json_int_t)parameters, "optimizer",
                     (json_int_t)optimizer, "metrics", (json_int_t)metrics, "steps", (json_int_t)steps, "live",
                     (json_int_t)live_bytes(&fit->train_steps), "data", (json_int_t)data, "checkpoint",
                     (json_int_t)(copy + kept), "program", (json_int_t)program, "device", (json_int_t)device, "total",
                     (json_int_t)(parameters + optimizer + metrics + steps + data + copy + kept + program - device));
}

int64_t memory_peak_bytes(void)
{
    struct rusage use;
    return getrusage(RUSAGE_SELF, &use) ? 0 : (int64_t)use.ru_maxrss * 1024;
}
