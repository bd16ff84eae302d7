/* map.c - see map.h */
#include "engine/cpu/map.h"
#include "engine/cpu/map_fused.h"

#include <string.h>

enum load { LOAD_NONE, LOAD_DIRECT, LOAD_I32, LOAD_SCALAR, LOAD_BROADCAST };

struct operand { /* an input of the expression */
    enum load load;
    bool is_i32;
    bool is_row;  /* the same row of the last axis everywhere */
    int slot;     /* its tile, unless it is read in place */
    bool repeats; /* every tile of a run is the same: a row (a bias) that fits a tile a whole number of times */
    int64_t stride[RANK_MAX]; /* per dim of the collapsed output */
};

struct instruction {
    void (*apply)(float *out, const float *a, const float *b, const float *c, int n);
    int16_t a, b, c; /* slot numbers; inputs that are read in place are -1 - input */
    int16_t out;     /* slot */
    int16_t result;  /* -1, or the result this step may write straight into */
};

struct constant {
    int slot;
    float value;
};

struct map_program {
    const struct rows *rows;
    int n_inputs, n_results, n_instructions, n_constants, n_slots;
    struct operand *operands;
    struct instruction *instructions;
    struct constant *constants;
    int result_slot[EXPR_MAX_RESULTS]; /* slot (or -1 - input) to copy from; INT16_MAX when written directly */
    struct shape collapsed;            /* the output's dims after merging */
    bool is_fused;
    struct map_fused fused;
    int64_t row; /* length of the last axis */
};

enum { WRITTEN_DIRECTLY = INT16_MAX, ROW_MIN = 32 }; /* shorter rows do not pay for a call each */

static int64_t broadcast_stride(struct shape in, struct shape out, int dim)
{
    int d = dim - (out.rank - in.rank);
    if (d < 0 || (in.dim[d] == 1 && out.dim[dim] != 1))
        return 0;
    int64_t stride = 1;
    for (int i = d + 1; i < in.rank; i++)
        stride *= in.dim[i];
    return in.dim[d] == 1 ? 0 : stride;
}

/* Merges neighbouring dims that every broadcast operand walks through in one stride. */
static void collapse(struct map_program *p, struct shape out, const struct value *const *inputs)
{
    p->collapsed = (struct shape){0};
    for (int d = 0; d < out.rank; d++) {
        int last = p->collapsed.rank - 1;
        bool merge = last >= 0;
        for (int i = 0; i < p->n_inputs && merge; i++)
            merge = p->operands[i].stride[last] == broadcast_stride(inputs[i]->shape, out, d) * out.dim[d];
        if (!merge)
            p->collapsed.dim[last = p->collapsed.rank++] = 1;
        p->collapsed.dim[last] *= out.dim[d];
        for (int i = 0; i < p->n_inputs; i++)
            p->operands[i].stride[last] = broadcast_stride(inputs[i]->shape, out, d);
    }
}

static void find_repeats(struct map_program *p)
{
    bool rows = p->collapsed.rank == 2 && MAP_TILE % p->collapsed.dim[1] == 0;
    for (int i = 0; i < p->n_inputs; i++)
        p->operands[i].repeats = rows && p->operands[i].load == LOAD_BROADCAST && p->operands[i].stride[0] == 0;
}

static void choose_loads(struct map_program *p, struct shape out, const struct value *const *inputs)
{
    for (int i = 0; i < p->n_inputs; i++) {
        int64_t n = shape_elements(inputs[i]->shape);
        p->operands[i].is_i32 = inputs[i]->dtype == DTYPE_I32;
        p->operands[i].load = n == 1                     ? LOAD_SCALAR
                              : n != shape_elements(out) ? LOAD_BROADCAST
                              : p->operands[i].is_i32    ? LOAD_I32
                                                         : LOAD_DIRECT;
        struct shape s = inputs[i]->shape;
        p->operands[i].is_row = p->operands[i].load == LOAD_BROADCAST && !p->operands[i].is_i32 && n == p->row &&
                                n >= ROW_MIN && s.dim[s.rank - 1] == n;
    }
}

/* Slots are given out by a free list: a step's slot is free again after its last use. */
struct slots {
    int last_use[EXPR_MAX_STEPS];
    int slot[EXPR_MAX_STEPS]; /* of each step; -1 - input for one read in place */
    int free_slots[MAP_MAX_SLOTS], n_free, n_slots;
};

static bool take_slot(struct slots *s, int *slot)
{
    if (s->n_free)
        *slot = s->free_slots[--s->n_free];
    else if (s->n_slots < MAP_MAX_SLOTS)
        *slot = s->n_slots++;
    else
        return false;
    return true;
}

static bool is_source(const struct expr_step *step)
{
    return step->op == EXPR_INPUT || step->op == EXPR_CONST;
}

static void find_last_uses(const struct expr *e, struct slots *s)
{
    for (int i = 0; i < e->n_steps; i++) {
        const struct expr_step *step = &e->steps[i];
        s->last_use[i] = i;
        if (is_source(step))
            continue;
        int operands[3] = {step->a, step->b, step->c};
        for (int k = 0; k < 3; k++)
            if (operands[k] >= 0)
                s->last_use[operands[k]] = i;
    }
    for (int r = 0; r < e->n_results; r++)
        s->last_use[e->results[r]] = e->n_steps;
}

/* A result may go straight to memory when nothing is read in place after it: the memory may be that of an input. */
static int direct_result(const struct expr *e, const struct map_program *p, int step)
{
    int result = -1;
    for (int r = 0; r < e->n_results; r++)
        if (e->results[r] == step)
            result = result < 0 ? r : -2;
    for (int i = step + 1; i < e->n_steps && result >= 0; i++) {
        const struct expr_step *later = &e->steps[i];
        int operands[3] = {later->a, later->b, later->c};
        for (int k = 0; k < 3 && !is_source(later); k++)
            if (operands[k] >= 0 && (operands[k] == step || (e->steps[operands[k]].op == EXPR_INPUT &&
                                                             p->operands[e->steps[operands[k]].a].load == LOAD_DIRECT)))
                result = -1;
    }
    /* results copied at the end must not read an input's memory that this one may have overwritten */
    for (int r = 0; r < e->n_results && result >= 0; r++)
        if (e->steps[e->results[r]].op == EXPR_INPUT)
            result = -1;
    return result < 0 ? -1 : result;
}

static bool place_source(struct map_program *p, const struct expr_step *step, struct slots *s, int i)
{
    if (step->op == EXPR_INPUT && p->operands[step->a].load == LOAD_DIRECT) {
        s->slot[i] = -1 - step->a;
        return true;
    }
    if (!take_slot(s, &s->slot[i]))
        return false;
    s->last_use[i] = EXPR_MAX_STEPS + 1; /* kept for all tiles */
    if (step->op == EXPR_CONST) {
        p->constants[p->n_constants].slot = s->slot[i];
        p->constants[p->n_constants++].value = step->value;
    } else {
        p->operands[step->a].slot = s->slot[i];
    }
    return true;
}

static bool place_step(struct map_program *p, const struct expr *e, struct slots *s, int i)
{
    const struct expr_step *step = &e->steps[i];
    struct instruction *in = &p->instructions[p->n_instructions++];
    int operands[3] = {step->a, step->b, step->c};
    int16_t *places[3] = {&in->a, &in->b, &in->c};
    for (int k = 0; k < 3; k++)
        *places[k] = (int16_t)(operands[k] >= 0 ? s->slot[operands[k]] : 0);
    /* An operand used for the last time gives its slot: a step may write over its operands. */
    for (int k = 0; k < 3; k++) {
        bool repeated = (k > 0 && operands[k] == operands[0]) || (k > 1 && operands[k] == operands[1]);
        if (operands[k] >= 0 && !repeated && s->last_use[operands[k]] == i && s->slot[operands[k]] >= 0)
            s->free_slots[s->n_free++] = s->slot[operands[k]];
    }
    if (!take_slot(s, &s->slot[i]))
        return false;
    in->apply = p->rows->step[step->op];
    in->out = (int16_t)s->slot[i];
    in->result = (int16_t)direct_result(e, p, i);
    return in->apply != NULL;
}

static bool plays_part(const void *context, int input, enum fused_part part)
{
    const struct operand *o = &((const struct map_program *)context)->operands[input];
    return part == FUSED_DENSE ? o->load == LOAD_DIRECT
           : part == FUSED_ROW ? o->is_row
                               : o->load == LOAD_SCALAR && !o->is_i32;
}

const struct map_program *map_prepare(struct arena *arena, const struct rows *rows, const struct expr *e,
                                      struct shape out, const struct value *const *inputs, int n_inputs)
{
    struct map_program *p = arena_alloc(arena, sizeof *p);
    *p = (struct map_program){.rows = rows, .n_inputs = n_inputs, .n_results = e->n_results};
    p->row = out.rank ? out.dim[out.rank - 1] : 1;
    p->operands = arena_array(arena, (size_t)n_inputs, sizeof *p->operands);
    p->instructions = arena_array(arena, (size_t)e->n_steps, sizeof *p->instructions);
    p->constants = arena_array(arena, (size_t)e->n_steps, sizeof *p->constants);
    choose_loads(p, out, inputs);
    p->is_fused = map_fused_find(&p->fused, e, plays_part, p);
    if (p->is_fused)
        return p;
    collapse(p, out, inputs);
    find_repeats(p);
    for (int i = 0; i < n_inputs; i++)
        p->operands[i].slot = -1; /* unused inputs stay so */
    struct slots *s = arena_alloc(arena, sizeof *s);
    find_last_uses(e, s);
    for (int i = 0; i < e->n_steps; i++) /* first, for they are loaded before any step writes */
        if (is_source(&e->steps[i]) && !place_source(p, &e->steps[i], s, i))
            return NULL;
    for (int i = 0; i < e->n_steps; i++)
        if (!is_source(&e->steps[i]) && !place_step(p, e, s, i))
            return NULL;
    p->n_slots = s->n_slots;
    for (int r = 0; r < e->n_results; r++) {
        p->result_slot[r] = s->slot[e->results[r]];
        for (int k = 0; k < p->n_instructions; k++)
            if (p->instructions[k].result == r)
                p->result_slot[r] = WRITTEN_DIRECTLY;
    }
    return p;
}

/* n consecutive output elements of a broadcast operand, from output position start. */
static void expand(const struct map_program *p, const struct operand *o, const void *in, float *out, int64_t start,
                   int n)
{
    int last = p->collapsed.rank - 1;
    int64_t at[RANK_MAX], offset = 0, rest = start;
    for (int d = last; d >= 0; d--) {
        at[d] = rest % p->collapsed.dim[d];
        rest /= p->collapsed.dim[d];
        offset += at[d] * o->stride[d];
    }
    while (n) {
        int64_t room = p->collapsed.dim[last] - at[last];
        int run = room < n ? (int)room : n;
        const float *from = (const float *)in + offset;
        if (o->is_i32)
            for (int i = 0; i < run; i++)
                out[i] = (float)((const int32_t *)in)[offset + i * o->stride[last]];
        else if (o->stride[last] == 1)
            memcpy(out, from, (size_t)run * sizeof *out);
        else if (o->stride[last] == 0)
            p->rows->fill(out, *from, run);
        else
            for (int i = 0; i < run; i++)
                out[i] = from[i * o->stride[last]];
        out += run;
        n -= run;
        at[last] += run;
        offset += run * o->stride[last];
        for (int d = last; d > 0 && at[d] == p->collapsed.dim[d]; d--) {
            offset += o->stride[d - 1] - at[d] * o->stride[d];
            at[d] = 0;
            at[d - 1]++;
        }
    }
}

static void load_tile(const struct map_program *p, const void *const *inputs, float tiles[][MAP_TILE], int64_t start,
                      int n, bool first)
{
    for (int i = 0; i < p->n_inputs; i++) {
        const struct operand *o = &p->operands[i];
        if (o->slot < 0 || (o->repeats && !first))
            continue;
        if (o->load == LOAD_I32)
            p->rows->from_i32(tiles[o->slot], (const int32_t *)inputs[i] + start, n);
        else if (o->load == LOAD_BROADCAST)
            expand(p, o, inputs[i], tiles[o->slot], start, n);
    }
}

/* place: where the tile begins in each input that is read in place. */
static void run_tile(const struct map_program *p, const float *const *place, float *const *outputs,
                     float tiles[][MAP_TILE], int64_t start, int n)
{
#define PLACE(slot) ((slot) >= 0 ? tiles[slot] : place[-1 - (slot)])
    for (int k = 0; k < p->n_instructions; k++) {
        const struct instruction *in = &p->instructions[k];
        float *out = in->result >= 0 ? outputs[in->result] + start : tiles[in->out];
        in->apply(out, PLACE(in->a), PLACE(in->b), PLACE(in->c), n);
    }
    for (int r = 0; r < p->n_results; r++)
        if (p->result_slot[r] != WRITTEN_DIRECTLY)
            memmove(outputs[r] + start, PLACE(p->result_slot[r]), (size_t)n * sizeof(float));
#undef PLACE
}

/* What is the same in every tile. */
static void load_scalars(const struct map_program *p, const void *const *inputs, float tiles[][MAP_TILE], int64_t n)
{
    int width = n < MAP_TILE ? (int)n : MAP_TILE;
    for (int k = 0; k < p->n_constants; k++)
        p->rows->fill(tiles[p->constants[k].slot], p->constants[k].value, width);
    for (int i = 0; i < p->n_inputs; i++)
        if (p->operands[i].load == LOAD_SCALAR && p->operands[i].slot >= 0)
            p->rows->fill(tiles[p->operands[i].slot],
                          p->operands[i].is_i32 ? (float)*(const int32_t *)inputs[i] : *(const float *)inputs[i],
                          width);
}

/* Where element `start` of the inputs lies that are read in place; input 0 begins at `first` when that is not NULL. */
static void find_places(const struct map_program *p, const void *const *inputs, const float *first, int64_t start,
                        const float **place)
{
    for (int i = 0; i < p->n_inputs; i++)
        if (p->operands[i].load == LOAD_DIRECT)
            place[i] = i == 0 && first ? first : (const float *)inputs[i] + start;
        else
            place[i] = inputs[i];
}

/* Within one row of the last axis when the expression has rows among its inputs. */
static void run_fused_part(const struct map_program *p, const void *const *inputs, float *const *outputs,
                           const float *first, int64_t start, int64_t n)
{
    const float *place[EXPR_MAX_INPUTS];
    float *out[EXPR_MAX_RESULTS];
    find_places(p, inputs, first, start, place);
    for (int i = 0; i < p->n_inputs; i++)
        if (p->operands[i].is_row)
            place[i] += start % p->row;
    for (int r = 0; r < p->n_results; r++)
        out[r] = outputs[r] + start;
    map_fused_run(&p->fused, p->rows, place, out, n);
}

static void run_fused(const struct map_program *p, const void *const *inputs, float *const *outputs, const float *first,
                      int64_t start, int64_t n)
{
    bool by_rows = map_fused_has_rows(&p->fused);
    for (int64_t done = 0, part; done < n; done += part) {
        int64_t at = start + done, room = p->row - at % p->row;
        part = by_rows && room < n - done ? room : n - done;
        run_fused_part(p, inputs, outputs, first ? first + done : NULL, at, part);
    }
}

static void run_range(const struct map_program *p, const void *const *inputs, float *const *outputs,
                      float tiles[][MAP_TILE], const float *first, int64_t start, int64_t n)
{
    if (p->is_fused) {
        run_fused(p, inputs, outputs, first, start, n);
        return;
    }
    for (int64_t done = 0; done < n; done += MAP_TILE) {
        int part = n - done < MAP_TILE ? (int)(n - done) : MAP_TILE;
        const float *place[EXPR_MAX_INPUTS];
        find_places(p, inputs, first ? first + done : NULL, start + done, place);
        load_tile(p, inputs, tiles, start + done, part, done == 0);
        run_tile(p, place, outputs, tiles, start + done, part);
    }
}

void map_run(const struct map_program *p, const void *const *inputs, float *const *outputs, int64_t start, int64_t n)
{
    _Alignas(64) float tiles[MAP_MAX_SLOTS][MAP_TILE];
    load_scalars(p, inputs, tiles, n);
    run_range(p, inputs, outputs, tiles, NULL, start, n);
}

void map_run_part(const struct map_program *p, const void *const *inputs, float *const *outputs,
                  const struct map_part *part)
{
    _Alignas(64) float tiles[MAP_MAX_SLOTS][MAP_TILE];
    bool joined = part->n == part->width && part->ld == part->width;
    int64_t rows = joined ? 1 : part->m, n = joined ? part->m * part->n : part->n;
    load_scalars(p, inputs, tiles, n);
    for (int64_t i = 0; i < rows; i++)
        run_range(p, inputs, outputs, tiles, part->first + i * part->ld, (part->row + i) * part->width + part->column,
                  n);
}
