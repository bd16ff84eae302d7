/* work.h - how much a node computes and how much memory a kernel goes through: for profiles, and for backends that
 * choose by it. */
#ifndef ENGINE_PLAN_WORK_H
#define ENGINE_PLAN_WORK_H

#include "engine/plan/backend.h"

/* Of the products and convolutions in it, as if computed directly; 0 where there are none. */
int64_t work_multiply_adds(const struct node *node);
/* What a kernel reads and writes, each value once: its operands and results. Of `kernel` only the node, the epilogue
 * and in_value are needed. */
int64_t work_bytes(const struct kernel *kernel);

#endif
