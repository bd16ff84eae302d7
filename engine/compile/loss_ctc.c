/* loss_ctc.c - connectionist temporal classification of sequences; see engine/plan/ctc.h */
#include "engine/compile/loss_class.h"

struct value *lower_ctc(const struct loss *loss, struct loss_call *call)
{
    struct graph *g = call->graph;
    const struct shape logits = call->y_pred->shape, labels = call->y_true->shape;
    if (logits.rank != 3)
        return graph_fail(g, ERR_USAGE, "%s: expected logits of shape (batch, steps, classes), the model gives %s",
                          loss->where, shape_text(&g->arena, logits));
    if (labels.rank != 2)
        return graph_fail(g, ERR_USAGE,
                          "%s: expected labels of shape (batch, length), 0 = none, found targets of shape %s",
                          loss->where, shape_text(&g->arena, labels));
    struct value *numbers = call->y_true->dtype == DTYPE_I32 ? call->y_true : op_cast_i32(g, call->y_true);
    return op_ctc(g, call->y_pred, numbers);
}
