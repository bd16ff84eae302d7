/* reference.h - the backend `reference`: plain loops for every op, sums in double. The oracle the other backends are
 * tested against, and what the plan falls back to on host memory. Clear before fast.
 */
#ifndef ENGINE_REFERENCE_REFERENCE_H
#define ENGINE_REFERENCE_REFERENCE_H

#include "engine/plan/backend.h"

typedef void reference_run(const struct kernel *k, struct device *device);
reference_run reference_map, reference_cast_i32, reference_add_i32, reference_copy, reference_transpose,
    reference_broadcast, reference_concat, reference_slice, reference_pad, reference_reverse, reference_reduce,
    reference_argmax, reference_matmul, reference_conv, reference_conv_dx, reference_conv_dw, reference_pool,
    reference_pool_dx, reference_gather, reference_gather_dtable, reference_one_hot, reference_softmax,
    reference_softmax_dx, reference_xent, reference_xent_dx, reference_sparse_xent, reference_sparse_xent_dx,
    reference_batch_norm, reference_batch_norm_dx, reference_layer_norm, reference_layer_norm_dx, reference_dropout,
    reference_random, reference_top_k_hit, reference_histogram, reference_recurrent, reference_recurrent_dx,
    reference_attention, reference_attention_dx, reference_ctc, reference_ctc_dx;

/* Bytes that the two recurrent ops want. */
size_t reference_recurrent_workspace(const struct node *node);

/* Evaluates an expression over operands broadcast to a shape; int32 operands read as float. Results may be operands of
 * that shape. */
void reference_evaluate(const struct expr *e, struct shape shape, const struct value *const *values,
                        const void *const *operands, void *const *results);

#endif
