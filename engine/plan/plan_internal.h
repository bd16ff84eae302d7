/* plan_internal.h - the passes that make a plan, in order:
 *
 * - plan_copy: the nodes that assignments, kept values and inputs need, simplified: equal nodes once, constants
 *   computed
 * - plan_fuse: map into map, map after a product; reshapes that stood in the way moved behind
 * - plan_schedule: the order: graph order, except that an update of variables runs as soon as it can
 * - plan_memory: where every value lives: variables in place, the others in one arena by liveness
 * - plan_new: kernels from the backend, then pointers
 */
#ifndef ENGINE_PLAN_PLAN_INTERNAL_H
#define ENGINE_PLAN_PLAN_INTERNAL_H

#include "engine/plan/plan.h"

/* A node of the plan's own copy of the graph. With an epilogue the first node->n_inputs inputs are the node's own, and
 * the outputs are the epilogue's results. */
struct step {
    struct node *node;
    const struct expr *epilogue;
    struct value **inputs, **outputs;
    int n_inputs, n_outputs;
    bool copies; /* a RESHAPE that must move bytes: its source will be overwritten */
    bool dead;
};

enum storage_kind { STORED_IN_ARENA, STORED_IN_VARIABLE, STORED_AS_CONSTANT };

/* Memory of one value and of all its reshapes. */
struct storage {
    enum storage_kind kind;
    struct variable *variable;
    const void *constant;
    size_t used_bytes, size_bytes; /* the second rounded up to 64 */
    int first, last;               /* numbers of the steps between which it is in use */
    int shared_with;               /* in-place work: the storage it lives in, or -1 */
    size_t offset;                 /* in the arena, or among the constants */
};

struct plan {
    struct arena arena;
    const struct graph *graph;
    const struct backend *backend;
    struct device *device;
    struct plan_options options;

    struct step *steps;
    int n_steps;
    size_t cap_steps;
    struct value **values; /* of the copy, by number */
    int n_values;
    size_t cap_values;
    struct value **of_graph; /* graph's value number -> the copy's value; NULL where it is not needed */
    struct assignment *assigns;
    int n_assigns;
    struct value **kept;
    int n_kept;

    struct storage *storages;
    int n_storages, n_value_storages; /* those of values come first, then workspaces */
    int *storage_of;                  /* by value number */
    int *workspace_of;                /* by kernel number; -1 for none */

    struct kernel *kernels;
    int n_kernels;
    const char **kernel_labels;
    int64_t *nanoseconds, *times; /* with profile: of all calls; of the last one */
    int64_t calls;

    char *memory, *constants;
    bool shares_memory; /* options.beside's */
    size_t arena_bytes, constant_bytes, live_bytes;
    void **host_inputs, **host_kept; /* staging where device memory is not host memory */
    bool *kept_is_here;              /* host_kept[i] was downloaded since the last step */
    int64_t multiply_adds;
};

/* Appends a node of the copy with fresh output values. */
struct step *plan_step(struct plan *plan, enum op op, struct value *const *inputs, int n_inputs,
                       const struct op_attrs *attrs, const char *label, struct value *const *outputs_like,
                       int n_outputs);
/* Computes a step of constants now: it becomes a constant. */
void plan_fold(struct plan *plan, struct step *step);
enum { FOLD_ELEMENTS_MAX = 4096 };
void plan_copy(struct plan *plan);
void plan_fuse(struct plan *plan);
void plan_schedule(struct plan *plan);
/* Steps that share their input's memory: no kernel. */
bool step_is_alias(const struct step *step);
/* Steps that are memory already: no kernel. */
bool step_is_source(const struct step *step);
/* The step that computes each value (by value number) as an array in the plan's arena. */
int *plan_producers(const struct plan *plan, struct arena *arena);
/* Storages of all values; offsets come later, when the workspaces are known. */
void plan_storages(struct plan *plan);
int plan_add_storage(struct plan *plan, size_t size_bytes, int first, int last);
void plan_offsets(struct plan *plan);

#endif
