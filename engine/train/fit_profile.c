/* fit_profile.c - what a training did with its time and memory. See fit.h. */
#include "engine/train/fit_internal.h"
#include "engine/train/memory.h"

/* Times of the loop and of the kernels of its full batches; NULL when it had no step. */
static json_t *part_json(const struct fit *fit, enum profile_part part, const struct step_pair *pair, double gflops,
                         double gbytes_per_s)
{
    json_t *json = profile_times(fit->session->profile, part);
    if (!json)
        return NULL;
    const struct step *step = pair->full ? pair->full : pair->rest;
    const struct plan *plan = step_plan(step);
    json_t *kernels = profile_kernels(plan, gflops, gbytes_per_s);
    json_object_update(json, kernels);
    json_object_set_new(json, "batch_size", json_integer((json_int_t)step_batch(step)));
    json_object_set_new(json, "multiply_adds", json_integer((json_int_t)plan_stats(plan).multiply_adds));
    json_decref(kernels);
    return json;
}

json_t *fit_profile(const struct fit *fit)
{
    const struct session *s = fit->session;
    double gflops = 1, gbytes_per_s = 1;
    struct str text = {0};
    json_t *memory = memory_estimate(s, fit);
    json_object_set_new(memory, "peak",
                        json_integer((json_int_t)memory_peak_bytes())); /* before the measurement takes some */
    if (s->backend->measure)
        s->backend->measure(s->device, &gflops, &gbytes_per_s);
    if (s->backend->describe)
        s->backend->describe(s->device, &text);
    json_t *result =
        json_pack("{s:{s:s,s:s,s:f,s:f},s:o,s:o*,s:o*}", "machine", "device", s->device_name, "kernels",
                  str_text(&text), "gflops", gflops, "gbytes_per_s", gbytes_per_s, "memory", memory, "train",
                  part_json(fit, PROFILE_TRAIN, &fit->train_steps, gflops, gbytes_per_s), "validation",
                  part_json(fit, PROFILE_VALIDATE, &fit->validation_steps, gflops, gbytes_per_s));
    str_release(&text);
    return result;
}
