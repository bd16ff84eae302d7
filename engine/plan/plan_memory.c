/* plan_memory.c - where every value lives, see plan_internal.h */
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/plan/plan_internal.h"

static size_t rounded(size_t size_bytes)
{
    return (size_bytes + 63) & ~(size_t)63;
}

int plan_add_storage(struct plan *plan, size_t size_bytes, int first, int last)
{
    if ((plan->n_storages & (plan->n_storages - 1)) == 0) {
        struct storage *grown =
            arena_array(&plan->arena, (size_t)(plan->n_storages ? plan->n_storages * 2 : 1), sizeof *grown);
        if (plan->n_storages)
            memcpy(grown, plan->storages, (size_t)plan->n_storages * sizeof *grown);
        plan->storages = grown;
    }
    plan->storages[plan->n_storages] = (struct storage){
        .used_bytes = size_bytes, .size_bytes = rounded(size_bytes), .first = first, .last = last, .shared_with = -1};
    return plan->n_storages++;
}

static struct storage *storage_of(const struct plan *plan, const struct value *value)
{
    return &plan->storages[plan->storage_of[value->number]];
}

/* One storage for each result; a reshape has its input's. Lives are counted in step numbers. */
static void assign_storages(struct plan *plan)
{
    for (int s = 0; s < plan->n_steps; s++) {
        const struct step *step = &plan->steps[s];
        for (int i = 0; i < step->n_inputs; i++) {
            struct storage *in = storage_of(plan, step->inputs[i]);
            in->last = in->last > s ? in->last : s;
        }
        for (int k = 0; k < step->n_outputs; k++) {
            const struct value *v = step->outputs[k];
            if (step_is_alias(step)) {
                plan->storage_of[v->number] = plan->storage_of[step->inputs[0]->number];
                continue;
            }
            plan->storage_of[v->number] = plan_add_storage(plan, (size_t)shape_elements(v->shape) * 4, s, s);
            struct storage *out = storage_of(plan, v);
            if (step->node->op == OP_VARIABLE) {
                out->kind = STORED_IN_VARIABLE;
                out->variable = step->node->attrs.variable;
            } else if (step->node->op == OP_CONSTANT) {
                out->kind = STORED_AS_CONSTANT;
                out->constant = step->node->attrs.data;
            } else if (step->node->op == OP_INPUT) { /* the host may write it once and run many steps */
                out->first = 0;
                out->last = INT_MAX;
            }
        }
    }
    for (int i = 0; i < plan->n_kept; i++)
        storage_of(plan, plan->kept[i])->last = INT_MAX;
}

/* Is result k of an op without epilogue computed element by element from its input i? */
static bool is_elementwise(const struct node *node, int i, int k)
{
    enum { DY = 4 };
    return node->op == OP_MAP || node->op == OP_ADD_I32 || (node->op == OP_BATCH_NORM_DX && i == DY && k == 0);
}

/* May a step write its result k where it reads this storage? Only element by element: an operand of the result's shape,
 * of a map, an epilogue, a counter, or the gradient that a batch normalization passes on. */
static bool reads_elementwise(const struct plan *plan, const struct step *step, int storage, int k)
{
    int own = step->epilogue ? step->node->n_inputs : 0;
    for (int i = 0; i < step->n_inputs; i++) {
        if (plan->storage_of[step->inputs[i]->number] != storage)
            continue;
        if (i < own || (!step->epilogue && !is_elementwise(step->node, i, k)) ||
            !shape_equal(step->inputs[i]->shape, step->outputs[k]->shape))
            return false;
    }
    return true;
}

/* Storages that are variables, by the variable's address. */
struct old_value {
    const struct variable *variable;
    int storage;
};

struct old_values {
    struct old_value *items;
    int n;
};

static int compare_old_values(const void *a, const void *b)
{
    const struct old_value *x = a, *y = b;
    return (uintptr_t)x->variable < (uintptr_t)y->variable ? -1 : (uintptr_t)x->variable > (uintptr_t)y->variable;
}

static struct old_values find_old_values(const struct plan *plan, struct arena *arena)
{
    struct old_values old = {.items = arena_array(arena, (size_t)plan->n_storages + 1, sizeof *old.items)};
    for (int k = 0; k < plan->n_storages; k++)
        if (plan->storages[k].kind == STORED_IN_VARIABLE)
            old.items[old.n++] = (struct old_value){plan->storages[k].variable, k};
    qsort(old.items, (size_t)old.n, sizeof *old.items, compare_old_values);
    return old;
}

static int first_old_value(const struct old_values *old, const struct variable *variable)
{
    int low = 0, high = old->n;
    while (low < high) {
        int middle = (low + high) / 2;
        if ((uintptr_t)old->items[middle].variable < (uintptr_t)variable)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The new value goes straight into the variable when nothing reads the old one later than the step that computes it. */
static bool can_write_variable(const struct plan *plan, const struct old_values *old_values,
                               const struct variable *variable, const struct value *value)
{
    const struct storage *out = storage_of(plan, value);
    if (out->kind != STORED_IN_ARENA || out->last == INT_MAX)
        return false;
    int at = out->first, result = 0;
    while (plan->steps[at].outputs[result] != value && result + 1 < plan->steps[at].n_outputs)
        result++;
    for (int i = first_old_value(old_values, variable); i < old_values->n; i++) {
        int k = old_values->items[i].storage;
        const struct storage *old = &plan->storages[k];
        if (old_values->items[i].variable != variable)
            break;
        if (old->last > at || (old->last == at && !reads_elementwise(plan, &plan->steps[at], k, result)))
            return false;
    }
    return true;
}

/* Assigned values that could not be computed in place are copied after the last step. */
static void append_copy(struct plan *plan, const struct assignment *a)
{
    struct op_attrs attrs = {.shape = a->value->shape};
    struct step *step = plan_step(plan, OP_RESHAPE, &a->value, 1, &attrs, a->variable->path, &a->value, 1);
    step->copies = true;
    int *grown = arena_array(&plan->arena, (size_t)plan->n_values + 1, sizeof *grown);
    memcpy(grown, plan->storage_of, (size_t)plan->n_values * sizeof *grown);
    plan->storage_of = grown;
    int to = plan_add_storage(plan, 0, plan->n_steps - 1, plan->n_steps - 1);
    plan->storages[to].kind = STORED_IN_VARIABLE;
    plan->storages[to].variable = a->variable;
    plan->storage_of[plan->steps[plan->n_steps - 1].outputs[0]->number] = to;
    struct storage *from = storage_of(plan, a->value);
    from->last = from->last == INT_MAX ? INT_MAX : plan->n_steps - 1;
}

static void assign_variables(struct plan *plan)
{
    struct arena scratch = {0};
    struct old_values old = find_old_values(plan, &scratch);
    for (int i = 0; i < plan->n_assigns; i++) {
        const struct assignment *a = &plan->assigns[i];
        struct storage *out = storage_of(plan, a->value);
        if (!can_write_variable(plan, &old, a->variable, a->value)) {
            append_copy(plan, a);
            continue;
        }
        out->kind = STORED_IN_VARIABLE;
        out->variable = a->variable;
    }
    arena_release(&scratch);
}

static int shared_root(const struct plan *plan, int storage)
{
    while (plan->storages[storage].shared_with >= 0)
        storage = plan->storages[storage].shared_with;
    return storage;
}

static bool taken_by_earlier_result(const struct plan *plan, const struct step *step, int k, int root)
{
    for (int e = 0; e < k; e++)
        if (shared_root(plan, plan->storage_of[step->outputs[e]->number]) == root)
            return true;
    return false;
}

/* A result takes over the memory of an operand that dies there. */
static void work_in_place(struct plan *plan, int s)
{
    const struct step *step = &plan->steps[s];
    for (int k = 0; k < step->n_outputs; k++) {
        struct storage *out = storage_of(plan, step->outputs[k]);
        for (int i = 0; i < step->n_inputs && out->kind == STORED_IN_ARENA && out->shared_with < 0; i++) {
            int number = plan->storage_of[step->inputs[i]->number], root = shared_root(plan, number);
            struct storage *in = &plan->storages[root];
            if (in->kind != STORED_IN_ARENA || in->last != s || plan->storages[number].last != s ||
                in->size_bytes < out->size_bytes || taken_by_earlier_result(plan, step, k, root) ||
                !reads_elementwise(plan, step, number, k))
                continue;
            out->shared_with = root;
            in->last = out->last;
            break;
        }
    }
}

/* Sweeps over the steps: what begins to live and what has ended. */
static void find_live_bytes(struct plan *plan)
{
    struct arena scratch = {0};
    int64_t *change = arena_array(&scratch, (size_t)plan->n_steps + 2, sizeof *change), live = 0;
    for (int k = 0; k < plan->n_value_storages; k++) {
        const struct storage *s = &plan->storages[k];
        if (s->kind != STORED_IN_ARENA || s->shared_with >= 0)
            continue;
        change[s->first] += (int64_t)s->size_bytes;
        change[s->last < plan->n_steps ? s->last + 1 : plan->n_steps] -= (int64_t)s->size_bytes;
    }
    for (int s = 0; s < plan->n_steps; s++) {
        live += change[s];
        plan->live_bytes = (size_t)live > plan->live_bytes ? (size_t)live : plan->live_bytes;
    }
    arena_release(&scratch);
}

void plan_storages(struct plan *plan)
{
    plan->storage_of = arena_array(&plan->arena, (size_t)plan->n_values + 1, sizeof *plan->storage_of);
    assign_storages(plan);
    assign_variables(plan);
    for (int s = 0; s < plan->n_steps; s++)
        if ((plan->steps[s].node->op == OP_MAP || plan->steps[s].node->op == OP_BATCH_NORM_DX) &&
            !plan->options.no_reuse)
            work_in_place(plan, s);
    plan->n_value_storages = plan->n_storages;
}

static int compare_sizes(const void *a, const void *b)
{
    const struct storage *x = *(const struct storage *const *)a, *y = *(const struct storage *const *)b;
    if (x->size_bytes != y->size_bytes)
        return x->size_bytes > y->size_bytes ? -1 : 1;
    return x->first != y->first ? (x->first < y->first ? -1 : 1) : (x < y ? -1 : x > y);
}

/* The smallest gap that is large enough among the placed ones (rising offsets) that are in use at the same time. */
static size_t best_gap(struct storage *const *placed, int n_placed, const struct storage *s)
{
    size_t end = 0, best = SIZE_MAX, best_size = SIZE_MAX;
    for (int i = 0; i < n_placed; i++) {
        const struct storage *p = placed[i];
        if (p->last < s->first || p->first > s->last)
            continue;
        size_t gap = p->offset > end ? p->offset - end : 0;
        if (gap >= s->size_bytes && gap < best_size) {
            best = end;
            best_size = gap;
        }
        end = p->offset + p->size_bytes > end ? p->offset + p->size_bytes : end;
    }
    return best == SIZE_MAX ? end : best;
}

void plan_offsets(struct plan *plan)
{
    struct arena scratch = {0};
    find_live_bytes(plan);
    struct storage **waiting = arena_array(&scratch, (size_t)plan->n_storages + 1, sizeof(struct storage *));
    struct storage **placed = arena_array(&scratch, (size_t)plan->n_storages + 1, sizeof(struct storage *));
    int n = 0;
    for (int k = 0; k < plan->n_storages; k++) {
        struct storage *s = &plan->storages[k];
        if (s->kind == STORED_AS_CONSTANT) {
            s->offset = plan->constant_bytes;
            plan->constant_bytes += s->size_bytes;
        } else if (s->kind == STORED_IN_ARENA && s->shared_with < 0) {
            s->first = plan->options.no_reuse ? 0 : s->first;
            s->last = plan->options.no_reuse ? INT_MAX : s->last;
            waiting[n++] = s;
        }
    }
    qsort(waiting, (size_t)n, sizeof *waiting, compare_sizes);
    for (int k = 0; k < n; k++) {
        struct storage *s = waiting[k];
        s->offset = best_gap(placed, k, s);
        int at = k;
        for (; at > 0 && placed[at - 1]->offset > s->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = s;
        size_t end = s->offset + s->size_bytes;
        plan->arena_bytes = end > plan->arena_bytes ? end : plan->arena_bytes;
    }
    arena_release(&scratch);
}
