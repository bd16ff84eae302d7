/* alone.c - which kernels the calling thread does by itself, the others left out. See kernels.h.
 *
 * Sharing a kernel between threads costs 1 us to publish it and to wait for its end, and then every cache line of its
 * operands that another core wrote last: 4 ns where lines follow each other, up to 20 ns in packed panels. Half of a
 * megabyte of operands, or of a million multiply-adds, takes about as long as that; below it two threads took 0.4 to
 * 1.0 times the speed of one (two cores, 2 MiB of cache each; kernels of predictions and of training steps).
 */
#include "engine/cpu/kernels.h"
#include "engine/plan/work.h"

enum { FEW_BYTES = 300 * 1000, FEW_MULTIPLY_ADDS = 600 * 1000 };

/* Multiply-adds that take as long as all that a kernel computes for each one of its own: attention has a softmax
 * between its products. */
static int weight_of(enum op op)
{
    return op == OP_ATTENTION || op == OP_ATTENTION_DX ? 8 : 1;
}

bool cpu_works_alone(const struct kernel *kernel)
{
    return work_bytes(kernel) < FEW_BYTES &&
           work_multiply_adds(kernel->node) * weight_of(kernel->node->op) < FEW_MULTIPLY_ADDS;
}
