/* graph.h - what is computed: values with static shapes and the ops between them. Knows no device and no Keras.
 *
 * A graph is built for one batch size (the batch is a number) by the op_* functions, which check and infer shapes.
 * Errors are sticky: after the first one every builder returns NULL, and accepts NULL inputs, so lowering code needs no
 * checks in between; graph_ok() at the end tells. Everything is owned by the graph's arena.
 *
 * Semantics are Keras/TensorFlow's: channels last, row-major, explicit padding (the layer computes `same`).
 * Variables live outside (struct variable), are read by op_variable and written by graph_assign: every read in a step
 * sees the value from before the step, whatever the order; the plan takes care. float32 everywhere except indices and
 * labels (int32).
 *
 *     struct graph *g = graph_new();
 *     struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(32, 64));
 *     struct value *y = op_add(g, op_matmul(g, x, op_variable(g, kernel), false, false), op_variable(g, bias));
 *     graph_keep(g, y);
 *     if (!graph_ok(g, err)) ...
 */
#ifndef ENGINE_GRAPH_GRAPH_H
#define ENGINE_GRAPH_GRAPH_H

#include "base/arena.h"
#include "engine/graph/expr.h"

#include <stdint.h>

enum { RANK_MAX = 8 };
enum dtype { DTYPE_F32, DTYPE_I32 };

struct shape {
    int rank;
    int64_t dim[RANK_MAX]; /* unused dims are 0 */
};
#define SHAPE(...)                                                                                                     \
    shape_make((const int64_t[]){__VA_ARGS__}, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))
struct shape shape_make(const int64_t *dims, int rank);
bool shape_equal(struct shape a, struct shape b);
int64_t shape_elements(struct shape s);                                  /* 1 for rank 0 */
bool shape_broadcast(struct shape a, struct shape b, struct shape *out); /* numpy's rule; false when they do not fit */
void shape_write(struct str *out, struct shape s);                       /* "(32, 64)" */
const char *shape_text(struct arena *arena, struct shape s);

/* A tensor that outlives a step: weights, optimizer slots, metric totals, the iteration counter. Created by the model
 * and by compile; storage is allocated by the trainer on its device. */
struct variable {
    const char *name;    /* "kernel": as Keras names it inside its layer */
    const char *path;    /* "dense/kernel": for messages */
    const char *h5_path; /* "layers/dense/vars/0", or "optimizer/vars/3"; NULL when it is not saved */
    enum dtype dtype;
    struct shape shape;
    bool trainable; /* takes part in the gradient (after freezing) */
    /* Writes the first value, dense; NULL = zeros. int32 variables always start as zeros. */
    bool (*fill)(const struct variable *variable, uint64_t seed, float *out, struct err *err);
    const void *initializer; /* for fill's own use; engine/layers/initializers.h */
    int64_t seed_number;     /* stream number for fill */
    bool from_file;          /* its first value is read from a file: none is written before */
    void *data;              /* device storage, NULL until allocated */
};
size_t variable_bytes(const struct variable *variable); /* dense; both types have 4 */

enum op {
    OP_INPUT,    /* fed from the host before a step */
    OP_VARIABLE, /* value of a variable before the step */
    OP_CONSTANT, /* fixed data, in the graph's arena */
    OP_MAP,      /* n inputs, broadcast together -> m results of one shape: an expression; int32 is read as float */
    OP_CAST_I32, /* float -> int32, toward zero */
    OP_STOP,     /* identity without gradient */
    OP_RESHAPE,
    OP_TRANSPOSE,
    OP_BROADCAST,
    OP_CONCAT,
    OP_SLICE,
    OP_PAD,
    OP_REVERSE,
    OP_REDUCE,         /* sum, mean, max, min, prod over axes */
    OP_ARGMAX,         /* first maximum along the last axis -> int32 */
    OP_MATMUL,         /* [..., M, K] x [..., K, N], leading dims broadcast; either operand may be transposed */
    OP_CONV,           /* x [N, spatial..., C], w [k..., C/groups, O] -> [N, out..., O] */
    OP_CONV_DX,        /* dy, w -> x's gradient */
    OP_CONV_DW,        /* x, dy -> w's gradient */
    OP_POOL,           /* max or average over windows; average does not count padding */
    OP_POOL_DX,        /* average: dy; max: dy, x (the first maximum of a window gets all) -> x's gradient */
    OP_GATHER,         /* table [V, ...], indices int32 [...] -> [..., ...]; an index out of range gives NaN */
    OP_GATHER_DTABLE,  /* indices, dy -> the table's gradient */
    OP_ONE_HOT,        /* int32 [...] -> float [..., depth]; out of range: all zero */
    OP_SOFTMAX,        /* last axis */
    OP_SOFTMAX_DX,     /* y, dy */
    OP_XENT,           /* softmax cross-entropy of logits [..., C] with target probabilities [..., C] -> [...] */
    OP_XENT_DX,        /* logits, target, dy [...] -> logits' gradient: dy * (softmax * sum of the target - target) */
    OP_SPARSE_XENT,    /* the same with int32 labels [...]; label == ignore gives 0, any other out of range NaN */
    OP_SPARSE_XENT_DX, /* logits, labels, dy [...] */
    OP_BATCH_NORM,     /* x [..., C], gamma, beta [C] -> y, batch mean [C], biased batch variance [C] */
    OP_BATCH_NORM_DX,  /* x, gamma, mean, variance, dy -> dx, dgamma, dbeta */
    OP_LAYER_NORM,     /* x, over the last n_axes axes; gamma, beta of their shape -> y, mean, rstd (of the others) */
    OP_LAYER_NORM_DX,  /* x, gamma, mean, rstd, dy -> dx, dgamma, dbeta */
    /* q [N, T, H, D], k [N, S, G, D], v [N, S, G, E], then a mask and a step where the attributes ask for them
     * -> y [N, T, H, E], probabilities [N, H, T, S] before dropout; head h reads group h / (H / G) of k and v */
    OP_ATTENTION,
    OP_ATTENTION_DX, /* q, k, v, probabilities, dy, mask and step as above, then maybe dprobabilities -> dq, dk, dv */
    /* x, step int32 () -> x * mask / (1 - rate); kept where uniform(seed, stream, step, element) >= rate, the element
     * counted in noise_shape */
    OP_DROPOUT,
    OP_RANDOM,       /* step int32 () -> uniform [0,1) or normal numbers, from (seed, stream, step, element) */
    OP_TOP_K_HIT,    /* scores [N, C], labels int32 [N] -> float [N]: 1 when among the k largest (ties as in_top_k) */
    OP_HISTOGRAM,    /* x [n], weights [n] -> [n_thresholds + 1]: weights of x above exactly b of them, for AUC */
    OP_ADD_I32,      /* int32 x + k: counters, which float would stop at 2^24 */
    OP_RECURRENT,    /* a whole LSTM, GRU or simple recurrent layer over a sequence; see struct recurrent */
    OP_RECURRENT_DX, /* its gradient at the gates, and at the first states */
    OP_CTC,          /* temporal classification of logits [N, T, C] with int32 labels [N, L], class 0 = blank -> [N] */
    OP_CTC_DX,       /* logits, labels, dy [N] -> logits' gradient */
    OP_COUNT
};

enum reduce_kind { REDUCE_SUM, REDUCE_MEAN, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD };
enum pool_kind { POOL_MAX, POOL_AVERAGE };
enum random_kind { RANDOM_UNIFORM, RANDOM_NORMAL };

/* RECURRENT: x [N, T, F], kernel [F, G U], recurrent kernel [U, G U], bias [G U] (GRU that resets after: [2, 3 U],
 * input and recurrent), h [N, U] before the first step, for LSTM also c [N, U], a mask [N, T] if `masked` (0: the step
 * leaves the states as they are), and if `dropped` factors [N, G U] of h, for each gate its own, the same at every
 * step. `projected`: no kernel, x is x K already, [N, T, G U]
 * -> y [N, T, U] (h after each step), h [N, U] after the last one, for LSTM also c [N, U], and but for SIMPLE `saved`
 * [N, T, S U]: what the gradient needs (GRU: z r g and h R + b1 of the candidate, or r h; LSTM: i f g o c').
 *
 *     SIMPLE, G 1        h' = act(x K + b + h R)
 *     GRU, G 3, S 4      z, r = gate(x K + b0 + h R + b1)
 *         reset after    g = act(x K + b0 + r (h R + b1)), h' = z h + (1 - z) g
 *         reset_before   g = act(x K + b + (r h) R), h' as above
 *     LSTM, G 4, S 5     i, f, o = gate(...), g = act(x K + b + h R), c' = f c + i g, h' = o act(c'); columns i f g o
 *
 * RECURRENT_DX: recurrent kernel, bias, h and c before the first step, y, saved, mask, factors, and the gradients of y,
 * h, c that exist (with_*) -> dz [N, T, G U] (gradient of x K + b), dh [N, U], for LSTM dc [N, U], for GRU that resets
 * after dz at h R + b1, and at last the bias's. */
enum recurrent_kind { RECURRENT_SIMPLE, RECURRENT_GRU, RECURRENT_LSTM };
enum recurrent_function { FUNCTION_TANH, FUNCTION_SIGMOID, FUNCTION_RELU, FUNCTION_LINEAR, FUNCTION_HARD_SIGMOID };
struct recurrent {
    enum recurrent_kind kind;
    enum recurrent_function activation, gate;
    bool backwards; /* steps T - 1 ... 0; everything stays at the place of its step */
    bool masked, dropped, projected;
    bool reset_before; /* GRU: the reset gate acts on h, before the product */
    bool bfloat16; /* states are rounded to bfloat16 after every step; DX: so are dz and the gradients of the states */
    bool with_dy, with_dh, with_dc; /* DX */
};
enum { SPATIAL_MAX = 3 };

struct window { /* convolutions and pooling; spatial dims only, unused ones size 1, stride 1, dilation 1, pad 0 */
    int n_spatial;
    int64_t size[SPATIAL_MAX], stride[SPATIAL_MAX], dilation[SPATIAL_MAX];
    int64_t pad_before[SPATIAL_MAX], pad_after[SPATIAL_MAX];
    int64_t groups; /* convolutions */
};
/* Output size of one spatial dim; <= 0 when the window does not fit. */
int64_t window_out(const struct window *w, int axis, int64_t in);

/* How attention scores become probabilities: softmax over S of scale * q k, of the allowed positions only. */
struct attention {
    float scale, rate; /* rate: of dropout on the probabilities */
    int64_t window;    /* query i reads keys j with |i - j| < window; 0 = all */
    bool causal;       /* and only j <= i */
    bool masked;       /* and only where the mask, broadcast to [N, H, T, S], is not 0 */
    bool zero_empty;   /* a query without any allowed key gets probabilities 0 instead of 1 / S */
};

struct op_attrs {
    const struct expr *expr;   /* MAP */
    struct variable *variable; /* VARIABLE */
    const void *data;          /* CONSTANT */
    /* REDUCE (rising), TRANSPOSE (permutation), CONCAT and REVERSE (axes[0]), LAYER_NORM (n_axes); >= 0 */
    int n_axes, axes[RANK_MAX];
    bool keep_dims; /* REDUCE */
    enum reduce_kind reduce;
    bool transpose_a, transpose_b; /* MATMUL */
    /* MATMUL: the operands are rounded to bfloat16 as they are read, the result as it is written; CONV*: the operands
     * are bfloat16 numbers, the result is float32 */
    bool bfloat16;
    struct window window; /* CONV*, POOL* */
    enum pool_kind pool;
    /* SLICE; PAD: begin = before, end = after, stride = distance of neighbouring elements of x in the result (1 =
     * dense; the gaps get the fill too) */
    int64_t begin[RANK_MAX], end[RANK_MAX], stride[RANK_MAX];
    struct attention attention; /* ATTENTION, ATTENTION_DX */
    float value;                /* PAD fill, DROPOUT rate, norms epsilon */
    /* RESHAPE, BROADCAST, RANDOM, CONV_DX (x), CONV_DW (w), POOL_DX, GATHER_DTABLE: result */
    struct shape shape;
    struct shape noise_shape; /* DROPOUT: dims 1 share the mask */
    uint64_t seed;            /* DROPOUT, RANDOM, ATTENTION */
    uint32_t stream;
    enum random_kind random;
    int64_t k;               /* ONE_HOT depth, TOP_K_HIT k, ADD_I32 amount */
    int32_t ignore;          /* SPARSE_XENT: ignored label, INT32_MIN = none */
    const float *thresholds; /* HISTOGRAM: rising */
    int n_thresholds;
    struct recurrent recurrent; /* RECURRENT, RECURRENT_DX */
};

struct value {
    int number; /* position in graph->values */
    enum dtype dtype;
    struct shape shape;
    struct node *node; /* its producer */
    int output;        /* which output of it */
    bool bfloat16;     /* float32 in memory, but only numbers that bfloat16 can hold: see op_bfloat16 */
};

struct node {
    int number; /* position in graph->nodes: a topological order */
    enum op op;
    int n_inputs, n_outputs;
    struct value **inputs, **outputs;
    struct op_attrs attrs;
    const char *label; /* of graph->label when it was built: the layer, for profiles */
};

struct assignment {
    struct variable *variable;
    struct value *value; /* same shape and dtype */
};

/* A variable in a graph: its value, once it is read, and whether it is assigned. */
struct graph_variable {
    const struct variable *variable; /* NULL: this place of the table is free */
    struct value *value;
    bool assigned;
};

struct graph {
    struct arena arena;
    struct node **nodes;
    int n_nodes;
    struct value **values;
    int n_values;
    struct assignment *assigns;
    int n_assigns;
    struct value **kept; /* read by the host after a step */
    int n_kept;
    /* by address, open addressing: models of thousands of layers are planned in time */
    struct graph_variable *variables;
    size_t n_variables, cap_variables;
    const char *label;
    struct err error; /* the first one; code ERR_NONE while fine */
    size_t cap_nodes, cap_values, cap_assigns, cap_kept;
    struct graph_text *texts; /* expressions of op_expr, parsed once */
    const bool *active;       /* while graph_gradient runs: by value number, whether its gradient is asked for */
    int n_active;
};

struct graph *graph_new(void);
void graph_free(struct graph *g);
/* False and the first error. */
bool graph_ok(const struct graph *g, struct err *err);
/* Records an error of a builder or a lowering (the first wins). Returns NULL. */
struct value *graph_fail(struct graph *g, enum err_code code, const char *format, ...) PRINTF(3, 4);
/* After the step the variable holds the value. One assignment per variable. */
void graph_assign(struct graph *g, struct variable *variable, struct value *value);
/* The host will read it after each step. */
void graph_keep(struct graph *g, struct value *value);
/* For every wanted value: d loss / d value, a graph of the same ops; zeros when loss does not depend
 * on it. loss is a scalar. */
bool graph_gradient(struct graph *g, struct value *loss, struct value *const *wanted, int n_wanted,
                    struct value **gradients);
/* One line per node, for tests and whoever debugs a lowering: "%5 = matmul(%1, %2) (32, 10)  dense". */
void graph_write(struct str *out, const struct graph *g);

/* Sources. No value is empty: a dim of 0 is refused, as is a shape of more than 2^40 elements. */
struct value *op_input(struct graph *g, const char *name, enum dtype dtype, struct shape shape);
struct value *op_variable(struct graph *g, struct variable *variable); /* the same value for the same variable */
struct value *op_constant(struct graph *g, enum dtype dtype, struct shape shape, const void *data); /* copied */
struct value *op_scalar(struct graph *g, double value);
struct value *op_fill(struct graph *g, struct shape shape, double value);

/* Elementwise, broadcasting */
/* e NULL is an error ("too large"): what expr_gradient and expr_finish return for it may be passed on. */
struct value *op_map(struct graph *g, const struct expr *e, struct value *const *inputs, int n_inputs);
/* Several results. */
bool op_map_many(struct graph *g, const struct expr *e, struct value *const *inputs, int n_inputs,
                 struct value **results);
/* Text over a, b, c, d = the given inputs: op_expr(g, "a * (b - c)", x, y, z, NULL). Parsed once per text and graph. */
struct value *op_expr(struct graph *g, const char *text, struct value *a, struct value *b, struct value *c,
                      struct value *d);
struct value *op_add(struct graph *g, struct value *a, struct value *b);
struct value *op_sub(struct graph *g, struct value *a, struct value *b);
struct value *op_mul(struct graph *g, struct value *a, struct value *b);
struct value *op_div(struct graph *g, struct value *a, struct value *b);
struct value *op_scale(struct graph *g, struct value *x, double factor);
struct value *op_cast_i32(struct graph *g, struct value *x);
struct value *op_add_i32(struct graph *g, struct value *x, int32_t amount); /* int32 -> int32, exact, wraps around */
struct value *op_stop_gradient(struct graph *g, struct value *x);

/* bfloat16 (mixed_bfloat16 of Keras) is not a type of memory: values stay float32, and are rounded where Keras would
 * cast. A rounded value is marked (value->bfloat16), and so is what only moves or chooses its numbers. Products of two
 * marked values give marked values, summed in float32; everything else computes in float32 until it is rounded.
 * op_bfloat16: x rounded on the way forth, its gradient rounded on the way back; x itself when it is marked. */
struct value *op_bfloat16(struct graph *g, struct value *x);
/* x itself, no longer marked: a cast to float32. Its gradient is rounded where x is marked. */
struct value *op_float32(struct graph *g, struct value *x);

/* Shape */
struct value *op_reshape(struct graph *g, struct value *x, struct shape shape); /* one dim may be -1 */
struct value *op_transpose(struct graph *g, struct value *x, const int *permutation);
struct value *op_broadcast(struct graph *g, struct value *x, struct shape shape);
struct value *op_concat(struct graph *g, struct value *const *parts, int n_parts, int axis); /* axis may be negative */
/* stride NULL = 1, > 0 */
struct value *op_slice(struct graph *g, struct value *x, const int64_t *begin, const int64_t *end,
                       const int64_t *stride);
struct value *op_pad(struct graph *g, struct value *x, const int64_t *before, const int64_t *after, double fill);
struct value *op_reverse(struct graph *g, struct value *x, int axis);

/* Reductions and linear algebra. axes NULL with n_axes 0 = all; negative axes count from the end. */
struct value *op_reduce(struct graph *g, enum reduce_kind kind, struct value *x, const int *axes, int n_axes,
                        bool keep_dims);
struct value *op_sum_all(struct graph *g, struct value *x);
struct value *op_argmax(struct graph *g, struct value *x);
struct value *op_matmul(struct graph *g, struct value *a, struct value *b, bool transpose_a, bool transpose_b);
struct value *op_conv(struct graph *g, struct value *x, struct value *w, const struct window *window);
/* The transposed convolution is the gradient of a convolution: result has x_shape. */
struct value *op_conv_dx(struct graph *g, struct value *dy, struct value *w, const struct window *window,
                         struct shape x_shape);
struct value *op_pool(struct graph *g, enum pool_kind kind, struct value *x, const struct window *window);

/* Indexing, softmax, norms, random: as in enum op. gamma NULL = ones, beta NULL = zeros; rate 0 gives x itself;
 * noise_shape NULL = x's. mean and variance may be NULL. thresholds are copied. */
struct value *op_gather(struct graph *g, struct value *table, struct value *indices);
struct value *op_one_hot(struct graph *g, struct value *indices, int64_t depth);
struct value *op_softmax(struct graph *g, struct value *x);
struct value *op_xent(struct graph *g, struct value *logits, struct value *target);
struct value *op_sparse_xent(struct graph *g, struct value *logits, struct value *labels, int32_t ignore);
struct value *op_ctc(struct graph *g, struct value *logits, struct value *labels);
struct value *op_batch_norm(struct graph *g, struct value *x, struct value *gamma, struct value *beta, double epsilon,
                            struct value **mean, struct value **variance);
struct value *op_layer_norm(struct graph *g, struct value *x, int n_axes, struct value *gamma, struct value *beta,
                            double epsilon);
struct value *op_dropout(struct graph *g, struct value *x, struct value *step, double rate, uint64_t seed,
                         uint32_t stream, const struct shape *noise_shape);
/* mask NULL = none; step NULL where the rate is 0. probabilities may be NULL. */
struct value *op_attention(struct graph *g, struct value *q, struct value *k, struct value *v, struct value *mask,
                           struct value *step, const struct attention *how, uint64_t seed, uint32_t stream,
                           struct value **probabilities);
struct value *op_random(struct graph *g, enum random_kind kind, struct value *step, struct shape shape, uint64_t seed,
                        uint32_t stream);
/* As above OP_RECURRENT; kernel NULL = projected; c only for LSTM; mask and factors may be NULL. results: y, last h,
 * last c (NULL unless LSTM). */
bool op_recurrent(struct graph *g, const struct recurrent *recurrent, struct value *x, struct value *kernel,
                  struct value *recurrent_kernel, struct value *bias, struct value *h, struct value *c,
                  struct value *mask, struct value *factors, struct value *results[3]);
struct value *op_top_k_hit(struct graph *g, struct value *scores, struct value *labels, int64_t k);
struct value *op_histogram(struct graph *g, struct value *x, struct value *weights, const float *thresholds,
                           int n_thresholds);

/* The table: one row per op, printed in docs/ops.md. */
struct op_row {
    const char *name;
    int min_inputs, max_inputs;
    const char *help;
    /* Sets dinputs[i] to d loss / d inputs[i] (leaves NULL for "none"); douts[k] is NULL where that output has no
     * gradient. NULL rule: the gradient is zero. */
    void (*gradient)(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs);
};
extern const struct op_row op_table[OP_COUNT];
/* docs/ops.md: all ops, then all functions of expressions. */
void op_table_write(struct str *out);

#endif
