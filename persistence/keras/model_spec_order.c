/* model_spec_order.c - Keras' order of layers (map_graph in keras/src/ops/function.py), see model_spec.h
 *
 * (a) Depth-first from every output: an operation gets the next index when first met, a call is appended once its
 * inputs are. (b) From the last appended to the first: depth of a call = max(its own, its operation's so far); its
 * producers are at least one deeper. (c) Layers by falling depth, ties by index. Inputs that nothing uses: depth 0,
 * index -1.
 */
#include "persistence/keras/model_spec_internal.h"

#include <stdlib.h>
#include <string.h>

struct sorter {
    struct spec_builder *b;
    int *first_node;                /* number of call 0 of a layer; calls are numbered through */
    int *layer_of;                  /* by call number */
    int *state;                     /* by call number: 0 new, 1 in progress, 2 done */
    int *depth;                     /* by call number */
    int *layer_index, *layer_depth; /* -2 = not met */
    int *done;                      /* call numbers in order of completion */
    int n_nodes, n_done, n_index;
    struct frame {
        int node, next_input;
    } * stack;
};

static const struct call_spec *call_of(const struct sorter *s, int node)
{
    const struct layer_spec *layer = &s->b->spec->layers[s->layer_of[node]];
    return layer->n_calls ? &layer->calls[node - s->first_node[s->layer_of[node]]] : NULL;
}

static void number_calls(struct sorter *s)
{
    struct model_spec *spec = s->b->spec;
    struct arena *arena = spec->arena;
    size_t layers = (size_t)spec->n_layers;
    s->first_node = arena_array(arena, layers, sizeof(int));
    s->layer_index = arena_array(arena, layers, sizeof(int));
    s->layer_depth = arena_array(arena, layers, sizeof(int));
    for (int i = 0; i < spec->n_layers; i++) {
        s->first_node[i] = s->n_nodes;
        s->n_nodes += spec_is_input(&spec->layers[i]) ? 1 : spec->layers[i].n_calls;
        s->layer_index[i] = s->layer_depth[i] = -2;
    }
    size_t nodes = (size_t)s->n_nodes;
    s->layer_of = arena_array(arena, nodes, sizeof(int));
    s->state = arena_array(arena, nodes, sizeof(int));
    s->depth = arena_array(arena, nodes, sizeof(int));
    s->done = arena_array(arena, nodes, sizeof(int));
    s->stack = arena_array(arena, nodes, sizeof *s->stack);
    for (int i = 0; i < spec->n_layers; i++) {
        int end = i + 1 < spec->n_layers ? s->first_node[i + 1] : s->n_nodes;
        for (int n = s->first_node[i]; n < end; n++)
            s->layer_of[n] = i;
    }
}

static int push(struct sorter *s, int depth, int node)
{
    int layer = s->layer_of[node];
    if (s->layer_index[layer] == -2)
        s->layer_index[layer] = s->n_index++;
    s->state[node] = 1;
    s->stack[depth] = (struct frame){.node = node};
    return depth + 1;
}

static bool visit(struct sorter *s, int root, struct err *err)
{
    int depth = s->state[root] ? 0 : push(s, 0, root);
    while (depth) {
        struct frame *top = &s->stack[depth - 1];
        const struct call_spec *call = call_of(s, top->node);
        if (!call || top->next_input == call->n_inputs) {
            s->state[top->node] = 2;
            s->done[s->n_done++] = top->node;
            depth--;
            continue;
        }
        struct tensor_ref ref = call->inputs[top->next_input++];
        int node = s->first_node[ref.layer] + ref.node;
        if (s->state[node] == 1) {
            const struct layer_spec *layer = &s->b->spec->layers[ref.layer];
            return err_set(err, s->b->code, "%s: layer '%s' is part of a cycle: it needs its own output", layer->where,
                           layer->name);
        }
        if (!s->state[node])
            depth = push(s, depth, node);
    }
    return true;
}

static void compute_depths(struct sorter *s)
{
    for (int i = s->n_done - 1; i >= 0; i--) {
        int node = s->done[i], layer = s->layer_of[node];
        int depth = s->depth[node];
        if (depth < s->layer_depth[layer])
            depth = s->layer_depth[layer];
        s->layer_depth[layer] = s->depth[node] = depth;
        const struct call_spec *call = call_of(s, node);
        for (int k = 0; call && k < call->n_inputs; k++) {
            int *parent = &s->depth[s->first_node[call->inputs[k].layer] + call->inputs[k].node];
            if (*parent < depth + 1)
                *parent = depth + 1;
        }
    }
}

static void add_unused_inputs(struct sorter *s)
{
    struct model_spec *spec = s->b->spec;
    for (int i = 0; i < spec->n_inputs; i++) {
        int layer = spec->inputs[i].layer;
        if (s->layer_depth[layer] != -2)
            continue;
        s->layer_depth[layer] = 0;
        s->layer_index[layer] = -1;
        s->done[s->n_done++] = s->first_node[layer];
        s->state[s->first_node[layer]] = 2;
    }
}

struct rank {
    int depth, index, layer;
};

static int by_rank(const void *left, const void *right)
{
    const struct rank *a = left, *b = right;
    if (a->depth != b->depth)
        return a->depth > b->depth ? -1 : 1;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return a->layer - b->layer;
}

/* Moves the layers to their places, drops those that were not met, and renumbers every reference. */
static void apply(struct sorter *s, const struct rank *ranks, int n)
{
    struct model_spec *spec = s->b->spec;
    int *place = arena_array(spec->arena, (size_t)spec->n_layers, sizeof *place);
    struct layer_spec *sorted = xcalloc((size_t)n, sizeof *sorted);
    for (int i = 0; i < spec->n_layers; i++)
        place[i] = -1;
    for (int i = 0; i < n; i++) {
        sorted[i] = spec->layers[ranks[i].layer];
        place[ranks[i].layer] = i;
    }
    spec->order = arena_array(spec->arena, (size_t)s->n_done, sizeof *spec->order);
    for (int i = 0; i < s->n_done; i++) {
        int layer = s->layer_of[s->done[i]];
        spec->order[i] = (struct call_ref){place[layer], s->done[i] - s->first_node[layer]};
    }
    spec->n_order = s->n_done;
    for (int i = 0; i < spec->n_layers; i++)
        if (place[i] < 0)
            layer_spec_release(&spec->layers[i]);
    free(spec->layers);
    spec->layers = sorted;
    spec->n_layers = n;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < sorted[i].n_calls; k++)
            for (int m = 0; m < sorted[i].calls[k].n_inputs; m++) {
                int *layer = &sorted[i].calls[k].inputs[m].layer;
                *layer = place[*layer]; /* -1 only in calls that no output needs */
            }
    for (int i = 0; i < spec->n_inputs; i++)
        spec->inputs[i].layer = place[spec->inputs[i].layer];
    for (int i = 0; i < spec->n_outputs; i++)
        spec->outputs[i].layer = place[spec->outputs[i].layer];
}

static bool all_inputs_declared(struct sorter *s, struct err *err)
{
    struct model_spec *spec = s->b->spec;
    char *declared = arena_alloc(spec->arena, (size_t)spec->n_layers);
    for (int i = 0; i < spec->n_inputs; i++)
        declared[spec->inputs[i].layer] = 1;
    for (int i = 0; i < spec->n_layers; i++)
        if (s->layer_depth[i] != -2 && spec_is_input(&spec->layers[i]) && !declared[i])
            return err_set(err, s->b->code, "%s: layer '%s' feeds an output but is not among the model's inputs",
                           spec->layers[i].where, spec->layers[i].name);
    return true;
}

bool spec_sort(struct spec_builder *b, struct err *err)
{
    struct model_spec *spec = b->spec;
    struct sorter s = {.b = b};
    number_calls(&s);
    for (int i = 0; i < spec->n_outputs; i++)
        if (!visit(&s, s.first_node[spec->outputs[i].layer] + spec->outputs[i].node, err))
            return false;
    compute_depths(&s);
    add_unused_inputs(&s);
    if (!all_inputs_declared(&s, err))
        return false;
    struct rank *ranks = arena_array(spec->arena, (size_t)spec->n_layers, sizeof *ranks);
    int n = 0;
    for (int i = 0; i < spec->n_layers; i++)
        if (s.layer_depth[i] != -2)
            ranks[n++] = (struct rank){s.layer_depth[i], s.layer_index[i], i};
    if (!spec->sequential)
        qsort(ranks, (size_t)n, sizeof *ranks, by_rank);
    apply(&s, ranks, n);
    return true;
}
