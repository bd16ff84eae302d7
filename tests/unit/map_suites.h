/* map_suites.h - the maps of map_cases.h on the cuda backend, whatever compiles them, against the reference. */
#ifndef TESTS_UNIT_MAP_SUITES_H
#define TESTS_UNIT_MAP_SUITES_H

#include "engine/cuda/cuda.h"
#include "tests/unit/map_cases.h"

static inline struct plan *plan_of(const struct graph *g, const struct backend *backend, struct device *device,
                                   bool no_fusion)
{
    struct err err = {0};
    struct plan *plan =
        plan_new((struct graph *)g, backend, device, &(struct plan_options){.no_fusion = no_fusion}, &err);
    if (!plan)
        CHECK_FAIL("%s: %s", backend->name, err.text);
    for (int n = 0; plan && n < g->n_nodes; n++)
        if (g->nodes[n]->op == OP_INPUT)
            fill_suite_input(g->nodes[n]->outputs[0], plan_input(plan, g->nodes[n]->outputs[0]));
    return plan;
}

static inline struct device *open_device(const struct backend *backend)
{
    struct err err = {0};
    struct device *device = backend->open(&(struct device_options){0}, &err);
    if (!device)
        CHECK_FAIL("%s", err.text);
    return device;
}

static inline double largest(const float *x, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = isfinite(x[i]) ? fmax(most, fabs((double)x[i])) : most;
    return most;
}

/* tolerance: as in struct suite. Numbers below those of full precision are near to each other. */
static inline bool near(float got, float want, double tolerance, double most)
{
    if (isnan(want))
        return isnan(got);
    if (tolerance == EXACT || isinf(want))
        return got == want && signbit(got) == signbit(want);
    double allowed = tolerance < 0 ? -tolerance * (1 + most) : tolerance * fabs((double)want) + 1e-37;
    return fabs((double)got - (double)want) <= allowed;
}

static inline void compare_kept(const struct value *v, const float *got, const float *want, double tolerance)
{
    int64_t n = shape_elements(v->shape);
    double most = largest(want, n);
    for (int64_t i = 0; i < n; i++)
        if (!near(got[i], want[i], tolerance, most)) {
            CHECK_FAIL("%s: element %lld of %lld is %.9g, expected %.9g", v->node->label, (long long)i, (long long)n,
                       (double)got[i], (double)want[i]);
            return;
        }
}

static inline void check_suite(struct suite *s, bool no_fusion)
{
    struct err err = {0};
    CHECK_OK(graph_ok(s->g, &err), err);
    struct device *oracle = open_device(&backend_reference), *device = open_device(&backend_cuda);
    struct plan *want = plan_of(s->g, &backend_reference, oracle, true);
    struct plan *got = plan_of(s->g, &backend_cuda, device, no_fusion);
    for (int step = 0; want && got && step < 3; step++) { /* launched, recorded, replayed */
        plan_run(want);
        plan_run(got);
    }
    for (int i = 0; want && got && i < s->g->n_kept; i++)
        compare_kept(s->g->kept[i], plan_output(got, s->g->kept[i]), plan_output(want, s->g->kept[i]), s->tolerance[i]);
    plan_free(got);
    plan_free(want);
    backend_cuda.close(device);
    backend_reference.close(oracle);
}

static inline void test_every_kind_of_map_is_what_the_reference_computes(void)
{
    struct suite s = suite_new();
    check_suite(&s, true);
    suite_free(&s);
}

static inline void test_maps_of_real_steps_are_what_the_reference_computes(void)
{
    struct suite s = suite_of_steps();
    CHECK(s.g->n_kept > 40);
    check_suite(&s, false);
    suite_free(&s);
}

#endif
