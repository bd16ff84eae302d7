/* plan.h - when and where: a graph made ready to run on one device. Fused kernels, their order, one arena with offsets.
 *
 * Known before the first step; a step allocates nothing, locks nothing, logs nothing and calls no system. The graph
 * must outlive the plan. Storage of the variables must have been allocated on the same device (variables_allocate)
 * before plan_new.
 *
 *     struct plan *plan = plan_new(graph, &backend_cpu, device, &(struct plan_options){0}, err);
 *     gather(batch, plan_input(plan, x));
 *     plan_run(plan);
 *     const float *loss = plan_output(plan, loss_value);
 */
#ifndef ENGINE_PLAN_PLAN_H
#define ENGINE_PLAN_PLAN_H

#include "base/json.h"
#include "engine/plan/backend.h"

struct plan;

struct plan_options {
    bool no_fusion; /* every node a kernel of its own: for tests */
    bool no_reuse;  /* every value its own memory: for tests and debugging */
    bool profile;   /* time every kernel (plan_kernel, plan_times) */
    /* its arena is used where it is large enough: neither plan's inputs and results are needed any more when the other
     * runs. On the same device; must outlive this one. NULL = an arena of its own */
    const struct plan *beside;
};

/* NULL and err (ERR_NOMEM says the bytes wanted and what would help). */
struct plan *plan_new(struct graph *graph, const struct backend *backend, struct device *device,
                      const struct plan_options *options, struct err *err);
void plan_free(struct plan *plan);
/* Where the host writes an input before a step: host memory, dense row-major. Valid until plan_free. */
void *plan_input(struct plan *plan, const struct value *input);
/* One step. */
void plan_run(struct plan *plan);
/* A kept value after a step: host memory, valid until the next step. Where the device's memory is not the host's, the
 * first call after a step waits for the device and copies; a step whose results nobody reads waits for nothing. */
const void *plan_output(struct plan *plan, const struct value *kept);

struct plan_stats {
    size_t arena_bytes; /* activations, gradients, workspaces */
    size_t live_bytes;  /* the most that is alive at once: activations and gradients, no workspace and no gap */
    bool shares_arena;  /* they lie in another plan's */
    size_t constant_bytes;
    int n_nodes, n_kernels; /* before and after fusion */
    int64_t multiply_adds;  /* of matmuls and convolutions in a step */
};
struct plan_stats plan_stats(const struct plan *plan);
/* A kernel, and with profile what its calls took together. label: of a layer, may be empty. multiply_adds and bytes (of
 * its operands and results, each once) are those of one call. */
struct plan_kernel {
    const char *label, *op;
    const char *variant; /* the algorithm where the backend has several, else "" */
    bool fused;          /* has an epilogue */
    bool alone;          /* computed by one thread: too little work for several */
    struct shape shape;  /* of its first result */
    int64_t calls, nanoseconds, multiply_adds, bytes;
};
/* k: 0 .. n_kernels - 1, in the order in which they run. Strings are the plan's. */
struct plan_kernel plan_kernel(const struct plan *plan, int k);
/* Of the last step: n_kernels + 1 monotonic times in ns; kernel k ran from [k] to [k + 1]. NULL without profile or
 * before the first step. */
const int64_t *plan_times(const struct plan *plan);
void plan_write(struct str *out, const struct plan *plan);

/* Allocates storage of variables that have none yet, and writes their first values (not those that are from_file). */
bool variables_allocate(struct variable *const *variables, int n, const struct backend *backend, struct device *device,
                        uint64_t seed, struct err *err);
void variables_release(struct variable *const *variables, int n, const struct backend *backend, struct device *device);

#endif
