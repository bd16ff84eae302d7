/* ops.h - what the ops_*.c files share: appending nodes, checking inputs, the gradient rules of the table.
 *
 * To add an op: a row in enum op and op_table, a builder that checks shapes and appends the node, a gradient rule made
 * of builders, a kernel in engine/reference, and a case in tests/unit/test_graph_gradient.c.
 */
#ifndef ENGINE_GRAPH_OPS_H
#define ENGINE_GRAPH_OPS_H

#include "engine/graph/graph.h"

/* False when the graph has failed or an input is NULL (which is then the failure). */
bool inputs_ok(struct graph *g, enum op op, struct value *const *inputs, int n_inputs);
/* As inputs_ok, and the input has the dtype. */
bool input_is(struct graph *g, enum op op, const struct value *input, enum dtype dtype);
/* The variable's place in the graph, made if there is none. Valid until the next call. */
struct graph_variable *graph_variable(struct graph *g, const struct variable *variable);
/* A node of one output; inputs are copied, attrs may be NULL. NULL when the shape is empty or too large. */
struct value *node_1(struct graph *g, enum op op, struct value *const *inputs, int n_inputs,
                     const struct op_attrs *attrs, enum dtype dtype, struct shape shape);
/* A float node of several outputs, written to outputs. */
bool node_many(struct graph *g, enum op op, struct value *const *inputs, int n_inputs, const struct op_attrs *attrs,
               const struct shape *shapes, int n_outputs, struct value **outputs);
#define INPUTS(...)                                                                                                    \
    ((struct value *const[]){__VA_ARGS__}), (int)(sizeof((struct value *const[]){__VA_ARGS__}) / sizeof(struct value *))

/* Whether the new node's output holds bfloat16's numbers only, as far as its inputs tell. */
bool output_is_bfloat16(const struct node *node, int output);
/* In a gradient rule: is the gradient of this input asked for? */
bool wants(const struct graph *g, const struct node *node, int input);
/* Sums x over the dims along which a value of this shape was broadcast. */
struct value *sum_to(struct graph *g, struct value *x, struct shape shape);
/* Reduces to the shape with 1 in the reduced axes. */
struct value *reduce_keep(struct graph *g, enum reduce_kind kind, struct value *x, int axis);
/* The shape without its last axis, and with a 1 in place of it. */
struct shape shape_lead(struct shape s);
struct shape shape_lead_1(struct shape s);

struct value *op_conv_dw(struct graph *g, struct value *x, struct value *dy, const struct window *window,
                         struct shape w_shape);
/* Pads and spreads: neighbouring elements of x are spacing[axis] apart in the result. */
struct value *op_spread(struct graph *g, struct value *x, const int64_t *before, const int64_t *after,
                        const int64_t *spacing, double fill);

typedef void gradient_rule(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs);
gradient_rule gradient_map, gradient_reshape, gradient_transpose, gradient_broadcast, gradient_concat, gradient_slice,
    gradient_pad, gradient_reverse, gradient_reduce, gradient_matmul, gradient_conv, gradient_conv_dx, gradient_conv_dw,
    gradient_pool, gradient_pool_dx, gradient_gather, gradient_gather_dtable, gradient_softmax, gradient_xent,
    gradient_sparse_xent, gradient_batch_norm, gradient_layer_norm, gradient_dropout, gradient_recurrent,
    gradient_attention, gradient_ctc;
/* For ops that are themselves gradients and are not differentiated again: fails with their name instead of giving zero.
 */
gradient_rule gradient_refused;

#endif
