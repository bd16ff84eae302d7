/* plan_schedule.c - the order of the steps, see plan_internal.h */
#include <stdlib.h>
#include <string.h>

#include "engine/plan/plan_internal.h"

bool step_is_alias(const struct step *step)
{
    return (step->node->op == OP_RESHAPE || step->node->op == OP_STOP) && !step->copies;
}

bool step_is_source(const struct step *step)
{
    return step->node->op == OP_INPUT || step->node->op == OP_VARIABLE || step->node->op == OP_CONSTANT;
}

int *plan_producers(const struct plan *plan, struct arena *arena)
{
    int *producer = arena_array(arena, (size_t)plan->n_values + 1, sizeof *producer);
    memset(producer, -1, ((size_t)plan->n_values + 1) * sizeof *producer);
    for (int s = 0; s < plan->n_steps; s++)
        for (int k = 0; !plan->steps[s].dead && k < plan->steps[s].n_outputs; k++)
            producer[plan->steps[s].outputs[k]->number] = s;
    return producer;
}

/* The value behind reshapes. */
static const struct value *root_of(const struct plan *plan, const int *producer, const struct value *value)
{
    while (step_is_alias(&plan->steps[producer[value->number]]))
        value = plan->steps[producer[value->number]].inputs[0];
    return value;
}

struct place {
    int anchor, late, index; /* runs after step `anchor`; updates after the step they wait for */
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->anchor != y->anchor)
        return x->anchor < y->anchor ? -1 : 1;
    if (x->late != y->late)
        return x->late - y->late;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* A copy of an old value is made at once; an update of variables (its results only leave the step) follows the last
 * step that it waits for: those that compute its inputs and those that read the variables which it overwrites. */
static void find_places(const struct plan *plan, const int *producer, const bool *is_update, struct place *places,
                        struct arena *arena)
{
    int *last_reader = arena_array(arena, (size_t)plan->n_values + 1, sizeof *last_reader);
    for (int s = 0; s < plan->n_steps; s++)
        for (int i = 0; !is_update[s] && i < plan->steps[s].n_inputs; i++)
            last_reader[root_of(plan, producer, plan->steps[s].inputs[i])->number] = s;
    for (int s = 0; s < plan->n_steps; s++) {
        const struct step *step = &plan->steps[s];
        places[s] = (struct place){.anchor = s, .index = s};
        if (step->copies)
            places[s] = (struct place){.anchor = producer[step->inputs[0]->number], .late = 1, .index = s};
        if (!is_update[s] || step->copies)
            continue;
        int anchor = 0;
        for (int i = 0; i < step->n_inputs; i++) {
            const struct value *root = root_of(plan, producer, step->inputs[i]);
            int wait = producer[step->inputs[i]->number];
            if (root->node->op == OP_VARIABLE && last_reader[root->number] > wait)
                wait = last_reader[root->number];
            anchor = wait > anchor ? wait : anchor;
        }
        places[s] = (struct place){.anchor = anchor, .late = 1, .index = s};
    }
}

/* Steps whose results no other step reads, and of which one at least becomes a variable's new value. */
static bool *find_updates(const struct plan *plan, const int *producer, struct arena *arena)
{
    bool *is_read = arena_array(arena, (size_t)plan->n_values + 1, sizeof *is_read);
    bool *is_update = arena_array(arena, (size_t)plan->n_steps + 1, sizeof *is_update);
    for (int s = 0; s < plan->n_steps; s++)
        for (int i = 0; i < plan->steps[s].n_inputs; i++)
            is_read[plan->steps[s].inputs[i]->number] = true;
    for (int i = 0; i < plan->n_assigns; i++)
        is_update[producer[plan->assigns[i].value->number]] = true;
    for (int s = 0; s < plan->n_steps; s++)
        for (int k = 0; k < plan->steps[s].n_outputs; k++)
            is_update[s] =
                is_update[s] && !is_read[plan->steps[s].outputs[k]->number] && !step_is_source(&plan->steps[s]);
    return is_update;
}

static void drop_dead(struct plan *plan)
{
    int n = 0;
    for (int s = 0; s < plan->n_steps; s++)
        if (!plan->steps[s].dead)
            plan->steps[n++] = plan->steps[s];
    plan->n_steps = n;
}

void plan_schedule(struct plan *plan)
{
    struct arena scratch = {0};
    drop_dead(plan);
    const int *producer = plan_producers(plan, &scratch);
    const bool *is_update = find_updates(plan, producer, &scratch);
    struct place *places = arena_array(&scratch, (size_t)plan->n_steps + 1, sizeof *places);
    find_places(plan, producer, is_update, places, &scratch);
    qsort(places, (size_t)plan->n_steps, sizeof *places, compare_places);
    struct step *ordered = arena_array(&scratch, (size_t)plan->n_steps + 1, sizeof *ordered);
    for (int s = 0; s < plan->n_steps; s++)
        ordered[s] = plan->steps[places[s].index];
    memcpy(plan->steps, ordered, (size_t)plan->n_steps * sizeof *ordered);
    arena_release(&scratch);
}
