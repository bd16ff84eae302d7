/* plan.c - from steps to kernels with pointers, and running them, see plan.h and plan_internal.h */
#include "engine/plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "engine/plan/plan_internal.h"
#include "engine/plan/work.h"

/* By value number: is it an operand, kept, or assigned to a variable? */
static const bool *find_readers(struct plan *plan)
{
    bool *read = arena_array(&plan->arena, (size_t)plan->n_values + 1, sizeof *read);
    for (int s = 0; s < plan->n_steps; s++)
        for (int i = 0; i < plan->steps[s].n_inputs; i++)
            read[plan->steps[s].inputs[i]->number] = true;
    for (int i = 0; i < plan->n_kept; i++)
        read[plan->kept[i]->number] = true;
    for (int i = 0; i < plan->n_assigns; i++)
        read[plan->assigns[i].value->number] = true;
    return read;
}

/* Memory of results that a kernel does not write. */
static void release_left_out(struct plan *plan, const struct step *step, const struct kernel *kernel)
{
    for (int k = 0; k < step->n_outputs; k++)
        if (kernel->left_out[k])
            plan->storages[plan->storage_of[step->outputs[k]->number]].size_bytes = 0;
}

static bool fill_kernel(struct plan *plan, const struct step *step, const bool *read, struct kernel *kernel,
                        struct err *err)
{
    *kernel = (struct kernel){
        .node = step->node, .epilogue = step->epilogue, .n_inputs = step->n_inputs, .n_outputs = step->n_outputs};
    for (int i = 0; i < step->n_inputs; i++)
        kernel->in_value[i] = step->inputs[i];
    for (int k = 0; k < step->n_outputs; k++)
        kernel->unread[k] = !read[step->outputs[k]->number];
    if (plan->backend->prepare(plan->device, kernel, &plan->arena, err))
        return true;
    if (!plan->backend->host_memory)
        return err_prefix(err, "cannot plan '%s' on '%s'", op_table[step->node->op].name, plan->backend->name);
    kernel->run = NULL;
    kernel->alone = true;
    kernel->prepared = NULL;
    kernel->variant = NULL;
    memset(kernel->left_out, 0, sizeof kernel->left_out);
    kernel->workspace_bytes = 0;
    return backend_reference.prepare(NULL, kernel, &plan->arena, err);
}

static bool make_kernels(struct plan *plan, struct err *err)
{
    plan->kernels = arena_array(&plan->arena, (size_t)plan->n_steps + 1, sizeof *plan->kernels);
    plan->kernel_labels = arena_array(&plan->arena, (size_t)plan->n_steps + 1, sizeof *plan->kernel_labels);
    plan->nanoseconds = arena_array(&plan->arena, (size_t)plan->n_steps + 1, sizeof *plan->nanoseconds);
    plan->times = arena_array(&plan->arena, (size_t)plan->n_steps + 1, sizeof *plan->times);
    plan->workspace_of = arena_array(&plan->arena, (size_t)plan->n_steps + 1, sizeof *plan->workspace_of);
    const bool *read = find_readers(plan);
    for (int s = 0; s < plan->n_steps; s++) {
        const struct step *step = &plan->steps[s];
        if (step_is_source(step) || step_is_alias(step))
            continue;
        struct kernel *kernel = &plan->kernels[plan->n_kernels];
        if (!fill_kernel(plan, step, read, kernel, err))
            return false;
        release_left_out(plan, step, kernel);
        plan->workspace_of[plan->n_kernels] =
            kernel->workspace_bytes ? plan_add_storage(plan, kernel->workspace_bytes, s, s) : -1;
        plan->kernel_labels[plan->n_kernels++] = step->node->label;
    }
    return true;
}

static void *memory_of(const struct plan *plan, int storage)
{
    while (plan->storages[storage].shared_with >= 0)
        storage = plan->storages[storage].shared_with;
    const struct storage *s = &plan->storages[storage];
    switch (s->kind) {
    case STORED_IN_VARIABLE:
        return s->variable->data;
    case STORED_AS_CONSTANT:
        return plan->constants + s->offset;
    case STORED_IN_ARENA:
        return plan->memory + s->offset;
    }
    return NULL;
}

static void *memory_of_value(const struct plan *plan, const struct value *value)
{
    return memory_of(plan, plan->storage_of[value->number]);
}

static bool check_variables(const struct plan *plan, struct err *err)
{
    for (int k = 0; k < plan->n_storages; k++) {
        const struct storage *s = &plan->storages[k];
        if (s->kind == STORED_IN_VARIABLE && !s->variable->data)
            return err_set(err, ERR_FAILED, "variable '%s' has no storage", s->variable->path);
    }
    return true;
}

static bool allocate(struct plan *plan, struct err *err)
{
    const struct plan *beside = plan->options.beside;
    plan->shares_memory = beside && beside->arena_bytes >= plan->arena_bytes;
    plan->memory = plan->shares_memory ? beside->memory
                                       : plan->backend->allocate(plan->device, plan->arena_bytes + 64,
                                                                 "activations, gradients and workspaces", err);
    if (!plan->memory)
        return err_prefix(err, "a smaller batch would help");
    plan->constants = plan->backend->allocate(plan->device, plan->constant_bytes + 64, "constants", err);
    if (!plan->constants)
        return false;
    for (int k = 0; k < plan->n_storages; k++)
        if (plan->storages[k].kind == STORED_AS_CONSTANT)
            plan->backend->upload(plan->device, plan->constants + plan->storages[k].offset, plan->storages[k].constant,
                                  plan->storages[k].used_bytes);
    return true;
}

static void point_kernels(struct plan *plan)
{
    int n = 0;
    for (int s = 0; s < plan->n_steps; s++) {
        const struct step *step = &plan->steps[s];
        if (step_is_source(step) || step_is_alias(step))
            continue;
        struct kernel *kernel = &plan->kernels[n];
        for (int i = 0; i < step->n_inputs; i++)
            kernel->in[i] = memory_of_value(plan, step->inputs[i]);
        for (int k = 0; k < step->n_outputs; k++)
            kernel->out[k] = memory_of_value(plan, step->outputs[k]);
        kernel->workspace = plan->workspace_of[n] < 0 ? NULL : memory_of(plan, plan->workspace_of[n]);
        n++;
    }
}

static size_t bytes_of(const struct value *value)
{
    return (size_t)shape_elements(value->shape) * 4;
}

/* Host copies of inputs and kept values where the device's memory is not the host's. By graph value number. */
static bool allocate_staging(struct plan *plan, struct err *err)
{
    const struct graph *g = plan->graph;
    if (plan->backend->host_memory)
        return true;
    plan->host_inputs = arena_array(&plan->arena, (size_t)g->n_values + 1, sizeof(void *));
    plan->host_kept = arena_array(&plan->arena, (size_t)g->n_kept + 1, sizeof(void *));
    plan->kept_is_here = arena_array(&plan->arena, (size_t)g->n_kept + 1, sizeof(bool));
    for (int n = 0; n < g->n_nodes; n++) {
        const struct value *v = g->nodes[n]->n_outputs ? g->nodes[n]->outputs[0] : NULL;
        if (g->nodes[n]->op != OP_INPUT)
            continue;
        plan->host_inputs[v->number] = io_allocate(bytes_of(v), "an input on the host", err);
        if (!plan->host_inputs[v->number])
            return false;
        memset(plan->host_inputs[v->number], 0, bytes_of(v));
    }
    for (int i = 0; i < plan->n_kept; i++) {
        plan->host_kept[i] = io_allocate(bytes_of(plan->kept[i]), "a result on the host", err);
        if (!plan->host_kept[i])
            return false;
    }
    return true;
}

static void count_multiply_adds(struct plan *plan)
{
    for (int s = 0; s < plan->n_steps; s++)
        plan->multiply_adds += work_multiply_adds(plan->steps[s].node);
}

struct plan *plan_new(struct graph *graph, const struct backend *backend, struct device *device,
                      const struct plan_options *options, struct err *err)
{
    if (!graph_ok(graph, err))
        return NULL;
    struct plan *plan = xcalloc(1, sizeof *plan);
    plan->graph = graph;
    plan->backend = backend;
    plan->device = device;
    plan->options = options ? *options : (struct plan_options){0};
    plan_copy(plan);
    plan_fuse(plan);
    plan_schedule(plan);
    plan_storages(plan);
    bool ok = check_variables(plan, err) && make_kernels(plan, err);
    if (ok)
        plan_offsets(plan);
    if (!ok || !allocate(plan, err) || !allocate_staging(plan, err)) {
        plan_free(plan);
        return NULL;
    }
    point_kernels(plan);
    if (backend->ready && !backend->ready(device, plan->kernels, plan->n_kernels, err)) {
        plan_free(plan);
        return NULL;
    }
    count_multiply_adds(plan);
    for (int s = 0; s < plan->n_steps && backend->host_memory; s++)
        if (plan->steps[s].node->op == OP_INPUT)
            memset(memory_of_value(plan, plan->steps[s].outputs[0]), 0, bytes_of(plan->steps[s].outputs[0]));
    return plan;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    if (plan->backend->retire)
        plan->backend->retire(plan->device, plan->kernels);
    if (plan->memory && !plan->shares_memory)
        plan->backend->release(plan->device, plan->memory);
    if (plan->constants)
        plan->backend->release(plan->device, plan->constants);
    for (int v = 0; plan->host_inputs && v < plan->graph->n_values; v++)
        free(plan->host_inputs[v]);
    for (int i = 0; plan->host_kept && i < plan->n_kept; i++)
        free(plan->host_kept[i]);
    free(plan->steps);
    free(plan->values);
    arena_release(&plan->arena);
    free(plan);
}

void *plan_input(struct plan *plan, const struct value *input)
{
    BUG_ON(input->node->op != OP_INPUT);
    return plan->host_inputs ? plan->host_inputs[input->number] : memory_of_value(plan, plan->of_graph[input->number]);
}

static void upload_inputs(struct plan *plan)
{
    for (int v = 0; v < plan->graph->n_values; v++)
        if (plan->host_inputs[v])
            plan->backend->upload(plan->device, memory_of_value(plan, plan->of_graph[v]), plan->host_inputs[v],
                                  bytes_of(plan->graph->values[v]));
}

void plan_run(struct plan *plan)
{
    if (plan->host_inputs)
        upload_inputs(plan);
    if (!plan->options.profile) {
        plan->backend->run(plan->device, plan->kernels, plan->n_kernels);
    } else {
        plan->times[0] = io->monotonic_ns();
        for (int k = 0; k < plan->n_kernels; k++) {
            plan->backend->run(plan->device, &plan->kernels[k], 1);
            plan->times[k + 1] = io->monotonic_ns();
            plan->nanoseconds[k] += plan->times[k + 1] - plan->times[k];
        }
        plan->calls++;
    }
    if (plan->host_kept)
        memset(plan->kept_is_here, 0, (size_t)plan->n_kept * sizeof(bool));
}

const void *plan_output(struct plan *plan, const struct value *kept)
{
    int i = 0;
    while (i < plan->n_kept && plan->graph->kept[i] != kept)
        i++;
    BUG_ON(i == plan->n_kept);
    if (!plan->host_kept)
        return memory_of_value(plan, plan->kept[i]);
    if (!plan->kept_is_here[i])
        plan->backend->download(plan->device, plan->host_kept[i], memory_of_value(plan, plan->kept[i]),
                                bytes_of(plan->kept[i]));
    plan->kept_is_here[i] = true;
    return plan->host_kept[i];
}

struct plan_stats plan_stats(const struct plan *plan)
{
    return (struct plan_stats){.arena_bytes = plan->arena_bytes,
                               .live_bytes = plan->live_bytes,
                               .constant_bytes = plan->constant_bytes,
                               .shares_arena = plan->shares_memory,
                               .n_nodes = plan->graph->n_nodes,
                               .n_kernels = plan->n_kernels,
                               .multiply_adds = plan->multiply_adds};
}

const int64_t *plan_times(const struct plan *plan)
{
    return plan->options.profile && plan->calls ? plan->times : NULL;
}

struct plan_kernel plan_kernel(const struct plan *plan, int k)
{
    const struct kernel *kernel = &plan->kernels[k];
    return (struct plan_kernel){.label = plan->kernel_labels[k] ? plan->kernel_labels[k] : "",
                                .op = op_table[kernel->node->op].name,
                                .variant = kernel->variant ? kernel->variant : "",
                                .fused = kernel->epilogue != NULL,
                                .alone = kernel->alone,
                                .shape = kernel->node->outputs[0]->shape,
                                .calls = plan->calls,
                                .nanoseconds = plan->nanoseconds[k],
                                .multiply_adds = work_multiply_adds(kernel->node),
                                .bytes = work_bytes(kernel)};
}

/* "arena+128", "variable 'dense/kernel'", "constant" */
static void write_place(struct str *out, const struct plan *plan, const struct value *value)
{
    int storage = plan->storage_of[value->number];
    while (plan->storages[storage].shared_with >= 0)
        storage = plan->storages[storage].shared_with;
    const struct storage *s = &plan->storages[storage];
    if (s->kind == STORED_IN_VARIABLE)
        str_addf(out, "'%s'", s->variable->path);
    else
        str_addf(out, s->kind == STORED_IN_ARENA ? "arena+%zu" : "constant+%zu", s->offset);
}

static const struct step *plan_step_of(const struct plan *plan, const struct kernel *kernel)
{
    const struct step *step = plan->steps;
    while (step->node != kernel->node)
        step++;
    return step;
}

void plan_write(struct str *out, const struct plan *plan)
{
    for (int k = 0; k < plan->n_kernels; k++) {
        const struct kernel *kernel = &plan->kernels[k];
        const struct step *step = plan_step_of(plan, kernel);
        str_addf(out, "%d %s%s%s(", k, op_table[kernel->node->op].name, kernel->variant ? ":" : "",
                 kernel->variant ? kernel->variant : "");
        for (int i = 0; i < step->n_inputs; i++) {
            str_add(out, i ? ", " : "");
            write_place(out, plan, step->inputs[i]);
        }
        str_add(out, ") -> ");
        for (int i = 0; i < step->n_outputs; i++) {
            str_add(out, i ? ", " : "");
            write_place(out, plan, step->outputs[i]);
        }
        str_add_char(out, ' ');
        shape_write(out, step->outputs[0]->shape);
        const struct expr *e = kernel->epilogue             ? kernel->epilogue
                               : kernel->node->op == OP_MAP ? kernel->node->attrs.expr
                                                            : NULL;
        if (e) {
            str_add(out, kernel->epilogue ? " then [" : " [");
            expr_write(out, e, NULL);
            str_add_char(out, ']');
        }
        str_addf(out, step->node->label ? "  %s\n" : "\n", step->node->label);
    }
}
