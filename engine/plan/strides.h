/* strides.h - loops over dense row-major tensors of which some are broadcast or walked in another order.
 *
 *     struct strides s;
 *     strides_broadcast(&s, out->shape, shapes, n_inputs);
 *     for (int64_t row = 0; row < strides_rows(&s); row++)
 *         for each input k: p = in[k] + strides_row_offset(&s, k, row), step s.inner[k]
 *
 * The step of a row is 0 (one value for the whole row), 1 (dense), or more.
 * Axes of size 1 are dropped and neighbouring axes joined wherever every operand allows it, so a map over equal shapes
 * is one row and a bias over a batch is rows of its length.
 */
#ifndef ENGINE_PLAN_STRIDES_H
#define ENGINE_PLAN_STRIDES_H

#include "engine/plan/backend.h"

struct strides {
    int rank;              /* 1 or more */
    int64_t dim[RANK_MAX]; /* of the result */
    int n_operands;
    int64_t stride[KERNEL_MAX_INPUTS][RANK_MAX]; /* in elements */
    int64_t inner[KERNEL_MAX_INPUTS];            /* stride along the last axis: a row's step */
    int64_t row;                                 /* elements in a row: dim[rank - 1] */
};

/* Operands are broadcast (numpy's rule, aligned at the last axis) to the shape of the result. */
void strides_broadcast(struct strides *s, struct shape out, const struct shape *operands, int n_operands);
/* As above, from the operands' values. */
void strides_of_values(struct strides *s, struct shape out, const struct value *const *operands, int n_operands);
/* Number of rows of the result; they lie one after another in it. */
int64_t strides_rows(const struct strides *s);
/* Where row number `row` begins in an operand. */
int64_t strides_row_offset(const struct strides *s, int operand, int64_t row);
/* Row-major strides of a dense tensor. */
void shape_strides(struct shape shape, int64_t *strides);

/* Copies 4-byte elements: the element at coordinate c of dims goes from `from` + sum(c * from_stride) to `to` + sum(c *
 * to_stride). */
void strided_copy(struct shape dims, void *to, const int64_t *to_stride, const void *from, const int64_t *from_stride);

#endif
