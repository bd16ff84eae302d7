/* map_text.c - see map_text.h */
#include "engine/cuda/map_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/graph/expr_internal.h"
#include "engine/plan/strides.h"

/* Of each operation, with A, B, C for its operands. sqrtf, + - * / are exact; sigmoid keeps its small values. */
static const char *const op_texts[EXPR_OP_COUNT] = {
    [EXPR_ADD] = "A + B",
    [EXPR_SUB] = "A - B",
    [EXPR_MUL] = "A * B",
    [EXPR_DIV] = "A / B",
    [EXPR_POW] = "powf(A, B)",
    [EXPR_MIN] = "A <= B || A != A ? A : B",
    [EXPR_MAX] = "A >= B || A != A ? A : B",
    [EXPR_LT] = "A < B ? 1.0f : 0.0f",
    [EXPR_LE] = "A <= B ? 1.0f : 0.0f",
    [EXPR_GT] = "A > B ? 1.0f : 0.0f",
    [EXPR_GE] = "A >= B ? 1.0f : 0.0f",
    [EXPR_EQ] = "A == B ? 1.0f : 0.0f",
    [EXPR_NE] = "A != B ? 1.0f : 0.0f",
    [EXPR_AND] = "A != 0.0f && B != 0.0f ? 1.0f : 0.0f",
    [EXPR_OR] = "A != 0.0f || B != 0.0f ? 1.0f : 0.0f",
    [EXPR_NEG] = "-A",
    [EXPR_NOT] = "A == 0.0f ? 1.0f : 0.0f",
    [EXPR_ABS] = "fabsf(A)",
    [EXPR_SIGN] = "A > 0.0f ? 1.0f : A < 0.0f ? -1.0f : A",
    [EXPR_SQRT] = "sqrtf(A)",
    [EXPR_RSQRT] = "rsqrtf(A)",
    [EXPR_SQUARE] = "A * A",
    [EXPR_EXP] = "expf(A)",
    [EXPR_EXPM1] = "expm1f(A)",
    [EXPR_LOG] = "logf(A)",
    [EXPR_LOG1P] = "log1pf(A)",
    [EXPR_SIN] = "sinf(A)",
    [EXPR_COS] = "cosf(A)",
    [EXPR_TANH] = "tanhf(A)",
    [EXPR_SIGMOID] = "sigmoid(A)",
    [EXPR_ERF] = "erff(A)",
    [EXPR_FLOOR] = "floorf(A)",
    [EXPR_CEIL] = "ceilf(A)",
    [EXPR_ROUND] = "rintf(A)",
    [EXPR_GELU] = "0.5f * A * erfcf(A * -0.707106781f)",
    [EXPR_GELU_SLOPE] = "gelu_slope(A)",
    [EXPR_BFLOAT16] = "bfloat16(A)",
    [EXPR_IS_FINITE] = "A - A == 0.0f ? 1.0f : 0.0f",
    [EXPR_SELECT] = "A != 0.0f ? B : C",
};

static const char prelude[] =
    "#define FUNCTION __device__ __forceinline__\n"
    "FUNCTION float sigmoid(float x)\n"
    "{\n"
    "    const float e = expf(-fabsf(x));\n"
    "    return (x < 0.0f ? e : 1.0f) / (1.0f + e);\n"
    "}\n"
    "FUNCTION float gelu_slope(float x)\n"
    "{\n"
    "    return 0.5f * erfcf(x * -0.707106781f) + x * 0.398942280f * expf(-0.5f * x * x);\n"
    "}\n"
    "FUNCTION float bfloat16(float x)\n"
    "{\n"
    "    const unsigned bits = (unsigned)__float_as_int(x);\n"
    "    return x != x ? x : __int_as_float((int)((bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u));\n"
    "}\n"
    "FUNCTION void load(float *x, const float4 *from)\n"
    "{\n"
    "    const float4 v = *from;\n"
    "    x[0] = v.x, x[1] = v.y, x[2] = v.z, x[3] = v.w;\n"
    "}\n"
    "FUNCTION void load(float *x, const int4 *from)\n"
    "{\n"
    "    const int4 v = *from;\n"
    "    x[0] = (float)v.x, x[1] = (float)v.y, x[2] = (float)v.z, x[3] = (float)v.w;\n"
    "}\n"
    "FUNCTION void store(float4 *to, const float *y)\n"
    "{\n"
    "    float4 v;\n"
    "    v.x = y[0], v.y = y[1], v.z = y[2], v.w = y[3];\n"
    "    *to = v;\n"
    "}\n"
    "template <class N> FUNCTION void load(float *x, const float4 *from, N left)\n"
    "{\n"
    "    if (left >= 4)\n"
    "        load(x, from);\n"
    "    else\n"
    "        for (int j = 0; j < 4; j++)\n"
    "            x[j] = j < left ? ((const float *)from)[j] : 0.0f;\n"
    "}\n"
    "template <class N> FUNCTION void load(float *x, const int4 *from, N left)\n"
    "{\n"
    "    if (left >= 4)\n"
    "        load(x, from);\n"
    "    else\n"
    "        for (int j = 0; j < 4; j++)\n"
    "            x[j] = j < left ? (float)((const int *)from)[j] : 0.0f;\n"
    "}\n"
    "template <class N> FUNCTION void store(float4 *to, const float *y, N left)\n"
    "{\n"
    "    if (left >= 4)\n"
    "        store(to, y);\n"
    "    else\n"
    "        for (int j = 0; j < 3; j++)\n"
    "            if (j < left)\n"
    "                ((float *)to)[j] = y[j];\n"
    "}\n"
    "template <int INPUTS, int RESULTS> struct member {\n"
    "    const void *in[INPUTS ? INPUTS : 1];\n"
    "    void *out[RESULTS];\n"
    "    long long n;\n"
    "    unsigned first_block, n_blocks;\n"
    "};\n"
    "template <int INPUTS, int RESULTS, int MOST> struct group {\n"
    "    struct member<INPUTS, RESULTS> member[MOST];\n"
    "};\n";

/* How often a value is computed */
enum level { ONCE, EACH_TURN, EACH_ELEMENT };

struct layout { /* of a map: turns instead of elements along the last axis */
    struct strides s;
    int width; /* elements of a turn */
    bool flat;
    bool wide; /* indexes do not fit 32 bits */
    int64_t turns;
    bool used[EXPR_MAX_INPUTS];
    enum level input[EXPR_MAX_INPUTS], step[EXPR_MAX_STEPS];
};

static bool is_one_element(const struct value *v)
{
    return shape_elements(v->shape) == 1;
}

static void find_levels(struct layout *l, const struct map *m)
{
    for (int k = 0; k < m->expr->n_inputs; k++)
        l->input[k] = is_one_element(m->operand[k]) ? ONCE : l->width > 1 && l->s.inner[k] ? EACH_ELEMENT : EACH_TURN;
    for (int i = 0; i < m->expr->n_steps; i++) {
        const struct expr_step *s = &m->expr->steps[i];
        const int operand[3] = {s->a, s->b, s->c}, arity = expr_op_arity(s->op);
        l->step[i] = ONCE;
        if (s->op == EXPR_INPUT) {
            l->step[i] = l->input[s->a];
            l->used[s->a] = true;
        }
        for (int k = 0; k < 3 && k < arity; k++)
            l->step[i] = l->step[operand[k]] > l->step[i] ? l->step[operand[k]] : l->step[i];
    }
}

static void lay_out(struct layout *l, const struct map *m)
{
    *l = (struct layout){.width = 1};
    strides_of_values(&l->s, m->shape, m->operand, m->expr->n_inputs);
    int last = l->s.rank - 1;
    int64_t n = shape_elements(m->shape);
    l->flat = m->aligned && l->s.rank == 1;
    if (l->flat || (m->aligned && l->s.row % 4 == 0)) {
        l->width = 4;
        l->s.dim[last] = (l->s.dim[last] + 3) / 4;
        for (int k = 0; k < m->expr->n_inputs; k++) /* rows of an operand are as long, so its other strides divide */
            for (int axis = 0; axis < last && l->s.inner[k]; axis++)
                l->s.stride[k][axis] /= 4;
    }
    l->turns = strides_rows(&l->s) * l->s.dim[last];
    l->wide = n > INT32_MAX;
    find_levels(l, m);
}

/* Indentation by how often it is computed. */
static void add_indent(struct str *out, enum level level)
{
    str_add(out, level == ONCE ? "    " : level == EACH_TURN ? "        " : "            ");
}

static void add_step(struct str *out, const struct expr_step *s, const char *input)
{
    if (s->op == EXPR_INPUT) {
        str_add(out, input);
    } else if (s->op == EXPR_CONST && isfinite(s->value)) {
        str_addf(out, "%af", (double)s->value);
    } else if (s->op == EXPR_CONST) {
        int32_t bits;
        memcpy(&bits, &s->value, sizeof bits);
        str_addf(out, "__int_as_float(%d)", bits);
    } else {
        for (const char *c = op_texts[s->op]; *c; c++)
            if (*c >= 'A' && *c <= 'C')
                str_addf(out, "s%d", *c == 'A' ? s->a : *c == 'B' ? s->b : s->c);
            else
                str_add_char(out, *c);
    }
}

/* The steps that are computed so often. */
static void add_steps(struct str *out, const struct map *m, const struct layout *l, enum level level)
{
    for (int i = 0; i < m->expr->n_steps; i++) {
        if (l->step[i] != level)
            continue;
        char input[32];
        snprintf(input, sizeof input, level == EACH_ELEMENT ? "x%d[j]" : "x%d", m->expr->steps[i].a);
        add_indent(out, level);
        str_addf(out, "const float s%d = ", i);
        add_step(out, &m->expr->steps[i], input);
        str_add(out, ";\n");
    }
}

/* Whether the operand's elements are where the result's are. */
static bool is_dense(const struct layout *l, int operand)
{
    int64_t step = 1;
    for (int axis = l->s.rank; axis-- > 0; step *= l->s.dim[axis])
        if (l->s.stride[operand][axis] != step)
            return false;
    return true;
}

/* The place of a turn along the axes that an operand is not dense in: c0, c1, ... */
static void add_coordinates(struct str *out, const struct map *m, const struct layout *l)
{
    bool wanted[RANK_MAX] = {false};
    for (int k = 0; k < m->expr->n_inputs; k++)
        for (int axis = 0; axis < l->s.rank; axis++)
            wanted[axis] |= l->used[k] && l->input[k] != ONCE && !is_dense(l, k) && l->s.stride[k][axis];
    int64_t below = 1; /* turns in a step along the axis */
    for (int axis = l->s.rank; axis-- > 0; below *= l->s.dim[axis]) {
        if (!wanted[axis])
            continue;
        str_addf(out, "        const at c%d = i", axis);
        if (below > 1)
            str_addf(out, " / (at)%lld", (long long)below);
        if (axis > 0)
            str_addf(out, " %% (at)%lld", (long long)l->s.dim[axis]);
        str_add(out, ";\n");
    }
}

static void add_index(struct str *out, const struct layout *l, int operand)
{
    const char *before = "";
    if (is_dense(l, operand)) {
        str_add_char(out, 'i');
        return;
    }
    for (int axis = 0; axis < l->s.rank; axis++) {
        int64_t stride = l->s.stride[operand][axis];
        if (!stride)
            continue;
        str_addf(out, "%sc%d", before, axis);
        if (stride > 1)
            str_addf(out, " * (at)%lld", (long long)stride);
        before = " + ";
    }
}

/* The operands that are read so often as a single number. */
static void add_reads(struct str *out, const struct map *m, const struct layout *l, enum level level)
{
    for (int k = 0; k < m->expr->n_inputs; k++) {
        if (!l->used[k] || l->input[k] != level)
            continue;
        const char *type = m->operand[k]->dtype == DTYPE_I32 ? "int" : "float";
        add_indent(out, level);
        str_addf(out, "const float x%d = (float)((const %s *)p.in[%d])[", k, type, k);
        if (level == ONCE)
            str_add_char(out, '0');
        else
            add_index(out, l, k);
        str_add(out, "];\n");
    }
}

/* The operands of which a turn reads four. */
static void add_loads(struct str *out, const struct map *m, const struct layout *l)
{
    for (int k = 0; k < m->expr->n_inputs; k++) {
        if (!l->used[k] || l->input[k] != EACH_ELEMENT)
            continue;
        const char *type = m->operand[k]->dtype == DTYPE_I32 ? "int4" : "float4";
        str_addf(out, "        float x%d[4];\n        load(x%d, &((const %s *)p.in[%d])[", k, k, type, k);
        add_index(out, l, k);
        str_add(out, l->flat ? "], left);\n" : "]);\n");
    }
}

static void add_results(struct str *out, const struct map *m, const struct layout *l)
{
    const struct expr *e = m->expr;
    if (l->width == 1) {
        for (int r = 0; r < e->n_results; r++)
            if (!m->left_out[r])
                str_addf(out, "        ((float *)p.out[%d])[i] = s%d;\n", r, e->results[r]);
        return;
    }
    str_addf(out, "        float y[%d][4];\n", e->n_results);
    str_add(out, "        #pragma unroll\n        for (int j = 0; j < 4; j++) {\n");
    add_steps(out, m, l, EACH_ELEMENT);
    for (int r = 0; r < e->n_results; r++)
        str_addf(out, "            y[%d][j] = s%d;\n", r, e->results[r]);
    str_add(out, "        }\n");
    for (int r = 0; r < e->n_results; r++)
        if (!m->left_out[r])
            str_addf(out, "        store((float4 *)p.out[%d] + i, y[%d]%s);\n", r, r, l->flat ? ", left" : "");
}

/* A block finds the member that it works for: the last one that begins at it or before. */
static void add_group_head(struct str *out, const struct expr *e)
{
    int most = map_group_most(e);
    str_addf(out, "(const __grid_constant__ struct group<%d, %d, %d> g)\n{\n    int k = 0;\n", e->n_inputs,
             e->n_results, most);
    str_addf(out,
             "    for (int step = %d; step; step /= 2)\n"
             "        if (k + step < %d && blockIdx.x >= g.member[k + step].first_block)\n"
             "            k += step;\n"
             "    const struct member<%d, %d> &p = g.member[k];\n"
             "    const unsigned first = blockIdx.x - p.first_block, blocks = p.n_blocks;\n",
             MAP_GROUP_MAX / 2, most, e->n_inputs, e->n_results);
}

static void add_head(struct str *out, const struct map *map, const struct layout *l, bool grouped)
{
    if (grouped)
        add_group_head(out, map->expr);
    else
        str_add(out, "(const struct operands p)\n{\n    const unsigned first = blockIdx.x, blocks = gridDim.x;\n");
    str_addf(out, "    typedef %s at;\n", l->wide ? "long long" : "unsigned");
    if (l->flat)
        str_add(out, "    const at n = (at)p.n, turns = (n + 3) / 4;\n");
    else
        str_addf(out, "    const at turns = %lld;\n", (long long)l->turns);
}

void map_text(struct str *out, const struct map *map, bool grouped)
{
    struct layout l;
    lay_out(&l, map);
    BUG_ON(grouped && !l.flat);
    add_head(out, map, &l, grouped);
    add_reads(out, map, &l, ONCE);
    add_steps(out, map, &l, ONCE);
    str_addf(out, "    for (at i = (at)first * %d + threadIdx.x; i < turns; i += (at)blocks * %d) {\n", MAP_BLOCK,
             MAP_BLOCK);
    if (l.flat)
        str_add(out, "        const at left = n - i * 4;\n");
    add_coordinates(out, map, &l);
    add_reads(out, map, &l, EACH_TURN);
    add_loads(out, map, &l);
    add_steps(out, map, &l, EACH_TURN);
    add_results(out, map, &l);
    str_add(out, "    }\n}\n");
}

bool map_is_flat(const struct map *map)
{
    struct layout l;
    lay_out(&l, map);
    return l.flat;
}

int64_t map_turns(const struct map *map)
{
    struct layout l;
    lay_out(&l, map);
    return l.turns;
}

void map_text_program(struct str *out, const char *const *texts, int n)
{
    str_add(out, prelude);
    str_addf(out, "struct operands {\n    const void *in[%d];\n    void *out[%d];\n    long long n;\n};\n",
             EXPR_MAX_INPUTS, EXPR_MAX_RESULTS);
    for (int i = 0; i < n; i++)
        str_addf(out, "\nextern \"C\" __global__ void __launch_bounds__(%d) map_%d%s", MAP_BLOCK, i, texts[i]);
}
