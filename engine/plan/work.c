/* work.c - see work.h */
#include "engine/plan/work.h"
#include "engine/graph/recurrent.h"

int64_t work_multiply_adds(const struct node *node)
{
    if (node->op == OP_MATMUL) {
        struct shape a = node->inputs[0]->shape;
        return shape_elements(node->outputs[0]->shape) * a.dim[a.rank - (node->attrs.transpose_a ? 2 : 1)];
    }
    if (node->op == OP_ATTENTION || node->op == OP_ATTENTION_DX) { /* two products, and four for their gradients */
        struct shape q = node->inputs[0]->shape, v = node->inputs[2]->shape;
        int64_t products = node->op == OP_ATTENTION ? 1 : 2;
        return products * q.dim[0] * q.dim[1] * q.dim[2] * v.dim[1] * (q.dim[3] + v.dim[3]);
    }
    if (node->op == OP_RECURRENT || node->op == OP_RECURRENT_DX) {
        const struct recurrent_places p = recurrent_places(&node->attrs.recurrent);
        bool forward = node->op == OP_RECURRENT;
        struct shape x = node->inputs[0]->shape, r = node->inputs[forward ? p.recurrent_kernel : 0]->shape;
        int64_t rows = shape_elements(node->outputs[0]->shape) / node->outputs[0]->shape.dim[2];
        return rows * (shape_elements(r) + (forward && p.kernel >= 0 ? x.dim[2] * r.dim[1] : 0));
    }
    if (node->op != OP_CONV && node->op != OP_CONV_DX && node->op != OP_CONV_DW)
        return 0;
    /* outputs times taps times channels of a group */
    struct shape w = node->op == OP_CONV_DW ? node->attrs.shape : node->inputs[1]->shape;
    const struct value *y = node->op == OP_CONV      ? node->outputs[0]
                            : node->op == OP_CONV_DX ? node->inputs[0]
                                                     : node->inputs[1];
    return shape_elements(y->shape) * (shape_elements(w) / w.dim[w.rank - 1]);
}

static int64_t bytes_of(struct shape shape)
{
    return shape_elements(shape) * (int64_t)sizeof(float);
}

int64_t work_bytes(const struct kernel *kernel)
{
    int64_t bytes = 0;
    for (int i = 0; i < kernel->n_inputs; i++) {
        bool again = false;
        for (int e = 0; e < i; e++)
            again = again || kernel->in_value[e] == kernel->in_value[i];
        bytes += again ? 0 : bytes_of(kernel->in_value[i]->shape);
    }
    /* the results of an epilogue have the shape of the result that they take the place of */
    int of_epilogue = kernel->epilogue ? kernel->epilogue->n_results : 0, own = of_epilogue ? 1 : 0;
    bytes += of_epilogue * bytes_of(kernel->node->outputs[0]->shape);
    for (int i = own; i < kernel->node->n_outputs; i++)
        bytes += kernel->left_out[of_epilogue + i - own] ? 0 : bytes_of(kernel->node->outputs[i]->shape);
    return bytes;
}
