/* op_table.c - all ops: names, number of inputs, help, gradient rules, see graph.h */
#include "engine/graph/expr_internal.h"
#include "engine/graph/ops.h"

void gradient_refused(struct graph *g, struct node *node, struct value *const *douts, struct value **dinputs)
{
    (void)douts;
    (void)dinputs;
    graph_fail(g, ERR_FAILED, "'%s' is a gradient already and cannot be differentiated again", op_table[node->op].name);
}

const struct op_row op_table[OP_COUNT] = {
    [OP_INPUT] = {"input", 0, 0, "fed from the host before a step", NULL},
    [OP_VARIABLE] = {"variable", 0, 0, "a variable's value from before the step", NULL},
    [OP_CONSTANT] = {"constant", 0, 0, "fixed data", NULL},
    [OP_MAP] = {"map", 1, EXPR_MAX_INPUTS, "an elementwise expression over inputs broadcast together", gradient_map},
    [OP_CAST_I32] = {"cast_i32", 1, 1, "float to int32, toward zero", NULL},
    [OP_STOP] = {"stop_gradient", 1, 1, "the input, without gradient", NULL},
    [OP_RESHAPE] = {"reshape", 1, 1, "the same elements under another shape", gradient_reshape},
    [OP_TRANSPOSE] = {"transpose", 1, 1, "axes permuted", gradient_transpose},
    [OP_BROADCAST] = {"broadcast", 1, 1, "repeated along axes of size 1 and new leading axes", gradient_broadcast},
    [OP_CONCAT] = {"concat", 1, EXPR_MAX_INPUTS, "joined along an axis", gradient_concat},
    [OP_SLICE] = {"slice", 1, 1, "every stride-th element from begin to before end, per axis", gradient_slice},
    [OP_PAD] = {"pad", 1, 1, "surrounded, and spread apart, by a fill value", gradient_pad},
    [OP_REVERSE] = {"reverse", 1, 1, "one axis backwards", gradient_reverse},
    [OP_REDUCE] = {"reduce", 1, 1, "sum, mean, max, min or product over axes", gradient_reduce},
    [OP_ARGMAX] = {"argmax", 1, 1, "position of the first maximum along the last axis", NULL},
    [OP_MATMUL] = {"matmul", 2, 2, "matrix product over the last two axes", gradient_matmul},
    [OP_CONV] = {"conv", 2, 2, "convolution of [N, spatial..., C] with [k..., C / groups, O]", gradient_conv},
    [OP_CONV_DX] = {"conv_dx", 2, 2, "a convolution's gradient for its input; the transposed convolution",
                    gradient_conv_dx},
    [OP_CONV_DW] = {"conv_dw", 2, 2, "a convolution's gradient for its kernel", gradient_conv_dw},
    [OP_POOL] = {"pool", 1, 1, "maximum or average over windows, padding not counted", gradient_pool},
    [OP_POOL_DX] = {"pool_dx", 1, 2, "pooling's gradient; a maximum's goes to the first", gradient_pool_dx},
    [OP_GATHER] = {"gather", 2, 2, "rows of a table by index", gradient_gather},
    [OP_GATHER_DTABLE] = {"gather_dtable", 2, 2, "rows added up by index", gradient_gather_dtable},
    [OP_ONE_HOT] = {"one_hot", 1, 1, "a row with a 1 at the index", NULL},
    [OP_SOFTMAX] = {"softmax", 1, 1, "exp(x) over its sum along the last axis", gradient_softmax},
    [OP_SOFTMAX_DX] = {"softmax_dx", 2, 2, "softmax's gradient", gradient_refused},
    [OP_XENT] = {"xent", 2, 2, "cross-entropy of softmax(logits) with target probabilities", gradient_xent},
    [OP_XENT_DX] = {"xent_dx", 3, 3, "cross-entropy's gradient for the logits", gradient_refused},
    [OP_SPARSE_XENT] = {"sparse_xent", 2, 2, "cross-entropy of softmax(logits) with integer labels",
                        gradient_sparse_xent},
    [OP_SPARSE_XENT_DX] = {"sparse_xent_dx", 3, 3, "sparse cross-entropy's gradient for the logits", gradient_refused},
    [OP_BATCH_NORM] = {"batch_norm", 3, 3, "normalized over all axes but the last; also mean and biased variance",
                       gradient_batch_norm},
    [OP_BATCH_NORM_DX] = {"batch_norm_dx", 5, 5, "batch normalization's gradients for x, gamma, beta",
                          gradient_refused},
    [OP_LAYER_NORM] = {"layer_norm", 3, 3, "normalized over the last axes; also mean and 1 / deviation",
                       gradient_layer_norm},
    [OP_LAYER_NORM_DX] = {"layer_norm_dx", 5, 5, "layer normalization's gradients for x, gamma, beta",
                          gradient_refused},
    [OP_ATTENTION] = {"attention", 3, 5,
                      "softmax(scale * q k) v per head, with mask, causal, window and dropout; also the softmax",
                      gradient_attention},
    [OP_ATTENTION_DX] = {"attention_dx", 5, 8, "attention's gradients for q, k, v", gradient_refused},
    [OP_DROPOUT] = {"dropout", 2, 2, "elements zeroed at random, the others scaled up", gradient_dropout},
    [OP_RANDOM] = {"random", 1, 1, "uniform in [0, 1) or standard normal numbers", NULL},
    [OP_TOP_K_HIT] = {"top_k_hit", 2, 2, "1 where the label is among the k largest scores", NULL},
    [OP_HISTOGRAM] = {"histogram", 2, 2, "sums of weights by how many thresholds a value exceeds", NULL},
    [OP_ADD_I32] = {"add_i32", 1, 1, "an integer plus a fixed amount, exact", NULL},
    [OP_RECURRENT] = {"recurrent", 4, 8, "an LSTM, GRU or simple recurrent layer over a whole sequence",
                      gradient_recurrent},
    [OP_RECURRENT_DX] = {"recurrent_dx", 5, 11, "a recurrent layer's gradients at its gates, first states and bias",
                         gradient_refused},
    [OP_CTC] = {"ctc", 2, 2, "-log of the probability that steps spell labels, with blanks between them", gradient_ctc},
    [OP_CTC_DX] = {"ctc_dx", 3, 3, "ctc's gradient for the logits", gradient_refused},
};

static void write_functions(struct str *out)
{
    size_t n;
    const struct expr_function *functions = expr_functions(&n);
    str_add(out, "\n## Functions of expressions\n\nCustom activations, losses and layers are written with these, the "
                 "operators of Python, and:");
    for (int op = 0; op < EXPR_OP_COUNT; op++)
        if (expr_op_is_call((enum expr_op)op))
            str_addf(out, " `%s`", expr_op_text((enum expr_op)op));
    str_add(out, ".\n\n| function | what it is | formula |\n|---|---|---|\n");
    for (size_t i = 0; i < n; i++)
        str_addf(out, "| `%s(%s)` | %s | `%s` |\n", functions[i].name, functions[i].parameters, functions[i].help,
                 functions[i].body);
}

void op_table_write(struct str *out)
{
    str_add(out,
            "# Ops\n\nWhat every layer, loss, metric and optimizer is made of. This page is printed from the tables of "
            "engine/graph.\n\n| op | inputs | what it gives | gradient |\n|---|---|---|---|\n");
    for (int op = 0; op < OP_COUNT; op++) {
        const struct op_row *row = &op_table[op];
        str_addf(out, row->min_inputs == row->max_inputs ? "| %s | %d" : "| %s | %d to %d", row->name, row->min_inputs,
                 row->max_inputs);
        str_addf(out, " | %s | %s |\n", row->help,
                 !row->gradient                      ? "none"
                 : row->gradient == gradient_refused ? "refused"
                                                     : "yes");
    }
    write_functions(out);
}
