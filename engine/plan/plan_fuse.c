/* plan_fuse.c - maps joined to maps, and to the products and reductions before them, see plan_internal.h */
#include <string.h>

#include "engine/graph/expr_internal.h"
#include "engine/plan/plan_internal.h"

enum { FUSED_STEPS_MAX = 200, CHEAP_STEPS_MAX = 4 };

/* By value number: how many inputs of live steps it is, how many of those belong to maps of its own shape, and whether
 * it is read after the step. */
struct uses {
    int *all, *by_maps;
    bool *pinned;
    int *producer;
    struct arena drafts; /* of one join: most come to nothing or are joined again */
};

static bool is_map(const struct step *step)
{
    return step->node->op == OP_MAP && !step->dead;
}

/* Adds (or takes away) the uses that a step makes of its inputs. */
static void count_inputs(struct uses *u, const struct step *step, int by)
{
    for (int i = 0; i < step->n_inputs; i++) {
        const struct value *v = step->inputs[i];
        u->all[v->number] += by;
        if (step->node->op == OP_MAP && shape_equal(v->shape, step->outputs[0]->shape))
            u->by_maps[v->number] += by;
    }
}

static struct uses count_uses(const struct plan *plan, struct arena *scratch)
{
    size_t n = (size_t)plan->n_values + 1;
    struct uses u = {.all = arena_array(scratch, n, sizeof(int)),
                     .by_maps = arena_array(scratch, n, sizeof(int)),
                     .pinned = arena_array(scratch, n, sizeof(bool)),
                     .producer = plan_producers(plan, scratch)};
    for (int s = 0; s < plan->n_steps; s++)
        if (!plan->steps[s].dead)
            count_inputs(&u, &plan->steps[s], 1);
    for (int i = 0; i < plan->n_assigns; i++)
        u.pinned[plan->assigns[i].value->number] = true;
    for (int i = 0; i < plan->n_kept; i++)
        u.pinned[plan->kept[i]->number] = true;
    return u;
}

static bool takes_epilogue(enum op op)
{
    return op == OP_MATMUL || op == OP_CONV || op == OP_CONV_DX || op == OP_CONV_DW || op == OP_REDUCE ||
           op == OP_POOL || op == OP_POOL_DX || op == OP_BATCH_NORM;
}

static bool is_cheap(const struct expr *e)
{
    int n = 0;
    for (int i = 0; i < e->n_steps; i++) {
        enum expr_op op = e->steps[i].op;
        bool simple = op <= EXPR_MUL || (op >= EXPR_MIN && op <= EXPR_SIGN) || op == EXPR_SQUARE || op == EXPR_SELECT ||
                      op == EXPR_BFLOAT16;
        n += simple ? op > EXPR_CONST : CHEAP_STEPS_MAX + 1;
    }
    return n <= CHEAP_STEPS_MAX;
}

/* Does nothing but the consumer read the producer's results within the step? */
static bool only_reader(const struct uses *u, const struct step *producer, const struct step *consumer)
{
    for (int k = 0; k < producer->n_outputs; k++) {
        const struct value *v = producer->outputs[k];
        int here = 0;
        for (int i = 0; i < consumer->n_inputs; i++)
            here += consumer->inputs[i] == v;
        if (u->all[v->number] != here)
            return false;
    }
    return true;
}

static bool any_pinned(const struct uses *u, const struct step *step)
{
    for (int k = 0; k < step->n_outputs; k++)
        if (u->pinned[step->outputs[k]->number])
            return true;
    return false;
}

/* Results that only leave the step: new values of variables, totals. */
static bool is_update(const struct uses *u, const struct step *step)
{
    for (int k = 0; k < step->n_outputs; k++)
        if (u->all[step->outputs[k]->number] > 0)
            return false;
    return true;
}

/* Cheap to compute again from one whole tensor, and every reader can: then it is never stored. */
static bool cheap_for_all(const struct plan *plan, const struct uses *u, const struct step *producer)
{
    const struct value *v = producer->outputs[0];
    int whole = 0;
    for (int i = 0; i < producer->n_inputs; i++) {
        const struct value *in = producer->inputs[i];
        bool epilogue = takes_epilogue(plan->steps[u->producer[in->number]].node->op) && u->all[in->number] == 1;
        whole += epilogue ? 2 : shape_equal(in->shape, v->shape);
    }
    return producer->n_outputs == 1 && !u->pinned[v->number] && u->all[v->number] == u->by_maps[v->number] &&
           whole <= 1 && is_cheap(producer->node->attrs.expr);
}

/* Two maps becoming one: the second takes over. */
struct joined {
    struct value *inputs[2 * EXPR_MAX_INPUTS];
    int n_inputs;
    struct value
        *outputs[2 * EXPR_MAX_RESULTS]; /* the second's, then those of the first that are read after the step */
    int n_outputs;
    struct expr_builder b;
    int results[2 * EXPR_MAX_RESULTS];
};

static int slot_for(struct joined *j, struct value *v)
{
    for (int i = 0; i < j->n_inputs; i++)
        if (j->inputs[i] == v)
            return i;
    j->inputs[j->n_inputs] = v;
    return j->n_inputs++;
}

/* The second's results over the first's inputs and its own others. */
static void draft_join(struct uses *u, const struct step *first, const struct step *second, struct joined *j)
{
    int operands[EXPR_MAX_INPUTS], inner[EXPR_MAX_RESULTS];
    j->n_inputs = 0;
    j->n_outputs = second->n_outputs;
    memcpy(j->outputs, second->outputs, (size_t)second->n_outputs * sizeof *j->outputs);
    arena_reset(&u->drafts);
    expr_begin(&j->b, &u->drafts);
    for (int i = 0; i < first->n_inputs; i++)
        operands[i] = expr_input(&j->b, slot_for(j, first->inputs[i]));
    expr_inline(&j->b, first->node->attrs.expr, operands, inner);
    for (int i = 0; i < second->n_inputs; i++) {
        const struct value *v = second->inputs[i];
        operands[i] = v->node == first->node ? inner[v->output] : expr_input(&j->b, slot_for(j, second->inputs[i]));
    }
    expr_inline(&j->b, second->node->attrs.expr, operands, j->results);
    for (int k = 0; k < first->n_outputs; k++)
        if (u->pinned[first->outputs[k]->number]) {
            j->results[j->n_outputs] = inner[k];
            j->outputs[j->n_outputs++] = first->outputs[k];
        }
}

static void set_lists(struct plan *plan, struct uses *u, struct step *step, const struct joined *j, const int *used,
                      int n_used)
{
    struct node *node = step->node;
    node->inputs = step->inputs = arena_array(&plan->arena, (size_t)n_used, sizeof *step->inputs);
    node->n_inputs = step->n_inputs = n_used;
    for (int k = 0; k < n_used; k++)
        step->inputs[k] = j->inputs[used[k]];
    node->outputs = step->outputs = arena_array(&plan->arena, (size_t)j->n_outputs, sizeof *step->outputs);
    node->n_outputs = step->n_outputs = j->n_outputs;
    for (int k = 0; k < j->n_outputs; k++) {
        step->outputs[k] = j->outputs[k];
        step->outputs[k]->node = node;
        step->outputs[k]->output = k;
        u->producer[step->outputs[k]->number] = (int)(step - plan->steps);
    }
}

static const struct expr *keep_draft(struct plan *plan, const struct expr *draft)
{
    struct expr *e = arena_alloc(&plan->arena, sizeof *e);
    struct expr_step *steps = arena_array(&plan->arena, (size_t)draft->n_steps, sizeof *steps);
    memcpy(steps, draft->steps, (size_t)draft->n_steps * sizeof *steps);
    *e = *draft;
    e->steps = steps;
    return e;
}

/* False when the result would be too large. */
static bool join(struct plan *plan, struct uses *u, struct step *first, struct step *second)
{
    struct joined j;
    int used[EXPR_BUILDER_INPUTS], n_used;
    draft_join(u, first, second, &j);
    const struct expr *e = expr_finish_compact(&j.b, j.results, j.n_outputs, used, &n_used);
    if (!e || e->n_steps > FUSED_STEPS_MAX || n_used == 0)
        return false;
    count_inputs(u, second, -1);
    second->node->attrs.expr = keep_draft(plan, e);
    set_lists(plan, u, second, &j, used, n_used);
    count_inputs(u, second, 1);
    first->dead = true;
    for (int k = 0; k < first->n_outputs; k++)
        first->dead = first->dead && u->all[first->outputs[k]->number] == 0;
    if (first->dead)
        count_inputs(u, first, -1);
    return true;
}

/* The rules of joining the map behind input i: nobody else reads its results (where they are kept too, only an update
 * of variables takes them over), or it is cheap enough to be computed by every reader. */
static bool fuse_input(struct plan *plan, struct uses *u, struct step *consumer, int i)
{
    struct step *producer = &plan->steps[u->producer[consumer->inputs[i]->number]];
    if (!is_map(producer) || !shape_equal(producer->outputs[0]->shape, consumer->outputs[0]->shape))
        return false;
    bool alone = only_reader(u, producer, consumer) && (!any_pinned(u, producer) || is_update(u, consumer));
    return (alone || cheap_for_all(plan, u, producer)) && join(plan, u, producer, consumer);
}

/* The map's expression with the product as input 0. */
static const struct expr *product_first(struct plan *plan, const struct step *map, int product)
{
    struct expr_builder b;
    int operands[EXPR_MAX_INPUTS], results[EXPR_MAX_RESULTS];
    expr_begin(&b, &plan->arena);
    for (int i = 0; i < map->n_inputs; i++)
        operands[i] = expr_input(&b, i == product ? 0 : i < product ? i + 1 : i);
    expr_inline(&b, map->node->attrs.expr, operands, results);
    return expr_finish(&b, results, map->n_outputs, map->n_inputs);
}

static bool is_assigned(const struct plan *plan, const struct step *step)
{
    for (int i = 0; i < plan->n_assigns; i++)
        for (int k = 0; k < step->n_outputs; k++)
            if (plan->assigns[i].value == step->outputs[k])
                return true;
    return false;
}

/* May the step run where the map stands? Those in between that read its other results must be updates of variables: the
 * order puts them behind it. */
static bool can_wait(const struct plan *plan, const struct uses *u, const struct step *step, const struct step *map)
{
    for (const struct step *s = step + 1; s < map && step->n_outputs > 1; s++)
        for (int i = 0; i < s->n_inputs && !s->dead; i++)
            if (s->inputs[i]->node == step->node && !(is_update(u, s) && is_assigned(plan, s)))
                return false;
    return true;
}

/* The map's results, then what else the step gives. */
static struct value **join_outputs(struct plan *plan, struct uses *u, const struct step *map,
                                   const struct step *product)
{
    int n = map->n_outputs + product->n_outputs - 1;
    struct value **outputs = arena_array(&plan->arena, (size_t)n, sizeof *outputs);
    memcpy(outputs, map->outputs, (size_t)map->n_outputs * sizeof *outputs);
    for (int k = 1; k < product->n_outputs; k++) {
        outputs[map->n_outputs + k - 1] = product->outputs[k];
        u->producer[product->outputs[k]->number] = (int)(map - plan->steps);
    }
    return outputs;
}

/* Makes the map the epilogue of the product (norm, reduction, ...) that its input i is the first result of. */
static bool fuse_epilogue(struct plan *plan, struct uses *u, struct step *map, int i)
{
    struct step *product = &plan->steps[u->producer[map->inputs[i]->number]];
    const struct value *v = map->inputs[i];
    if (product->dead || product->epilogue || !takes_epilogue(product->node->op) || u->pinned[v->number] ||
        u->all[v->number] != 1 || !shape_equal(v->shape, map->outputs[0]->shape) ||
        product->n_inputs + map->n_inputs - 1 > KERNEL_MAX_INPUTS || v != product->outputs[0] ||
        product->n_outputs + map->n_outputs - 1 > KERNEL_MAX_OUTPUTS || !can_wait(plan, u, product, map))
        return false;
    const struct expr *epilogue = product_first(plan, map, i);
    if (!epilogue || !plan->backend->can_fuse(product->node, epilogue))
        return false;
    int n = product->n_inputs + map->n_inputs - 1, at = product->n_inputs;
    struct value **inputs = arena_array(&plan->arena, (size_t)n, sizeof *inputs);
    memcpy(inputs, product->inputs, (size_t)product->n_inputs * sizeof *inputs);
    for (int k = 0; k < map->n_inputs; k++)
        if (k != i)
            inputs[at++] = map->inputs[k];
    struct node *node = product->node;
    node->label = node->label ? node->label : map->node->label;
    *map = (struct step){.node = node,
                         .epilogue = epilogue,
                         .inputs = inputs,
                         .outputs = join_outputs(plan, u, map, product),
                         .n_inputs = n,
                         .n_outputs = map->n_outputs + product->n_outputs - 1};
    product->dead = true;
    return true;
}

/* Steps whose results nobody reads. */
static void drop_unread(struct plan *plan, struct uses *u)
{
    for (int s = plan->n_steps; s-- > 0;) {
        struct step *step = &plan->steps[s];
        bool read = step->dead || step->node->op == OP_INPUT;
        for (int k = 0; k < step->n_outputs; k++)
            read = read || u->all[step->outputs[k]->number] > 0 || u->pinned[step->outputs[k]->number];
        if (read)
            continue;
        step->dead = true;
        count_inputs(u, step, -1);
    }
}

/* Updates of one number each (totals, counters, rates) are one map. */
static void fuse_numbers(struct plan *plan, struct uses *u)
{
    struct step *last = NULL;
    for (int s = 0; s < plan->n_steps; s++) {
        struct step *step = &plan->steps[s];
        if (!is_map(step) || shape_elements(step->outputs[0]->shape) != 1 || !is_update(u, step))
            continue;
        if (last && shape_equal(last->outputs[0]->shape, step->outputs[0]->shape))
            join(plan, u, last, step);
        last = step;
    }
}

/* Constants that were repeated for ops which cannot broadcast by themselves. */
static void fold_broadcasts(struct plan *plan)
{
    for (int s = 0; s < plan->n_steps; s++) {
        struct step *step = &plan->steps[s];
        if (!step->dead && step->node->op == OP_BROADCAST && step->inputs[0]->node->op == OP_CONSTANT &&
            shape_elements(step->outputs[0]->shape) <= FOLD_ELEMENTS_MAX)
            plan_fold(plan, step);
    }
}

void plan_fuse(struct plan *plan)
{
    struct arena scratch = {0};
    struct uses u = count_uses(plan, &scratch);
    drop_unread(plan, &u);
    for (int s = 0; s < plan->n_steps && !plan->options.no_fusion; s++)
        for (int i = 0; is_map(&plan->steps[s]) && i < plan->steps[s].n_inputs; i++)
            if (fuse_input(plan, &u, &plan->steps[s], i))
                i = -1;
    for (int s = 0; s < plan->n_steps && !plan->options.no_fusion && plan->backend->can_fuse; s++)
        for (int i = 0; is_map(&plan->steps[s]) && i < plan->steps[s].n_inputs; i++)
            if (fuse_epilogue(plan, &u, &plan->steps[s], i))
                break;
    if (!plan->options.no_fusion)
        fuse_numbers(plan, &u);
    fold_broadcasts(plan);
    drop_unread(plan, &u);
    arena_release(&u.drafts);
    arena_release(&scratch);
}
