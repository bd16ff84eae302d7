/* kernels.h - what the kernel families of the cpu backend share: the device, slicing, and one prepare function per op.
 *
 * prepare_<op>(device, kernel, arena) fills kernel->run, ->prepared and ->workspace_bytes; false = no kernel for this
 * case (the plan takes the reference loop). Slices are cut by shape only.
 */
#ifndef ENGINE_CPU_KERNELS_H
#define ENGINE_CPU_KERNELS_H

#include "engine/cpu/map.h"
#include "engine/cpu/threads.h"
#include "engine/plan/backend.h"

struct device {
    struct threads *threads;
    int n_threads;
    const struct rows *rows;
    const struct conv_kernels *conv;
    const struct winograd_kernels *winograd;
    const struct pool_kernels *pool;
    const struct norm_kernels *norm;
    bool direct_convolutions, never_alone;
    struct device *alone; /* the same without threads: for kernels that the caller does by itself */
    char description[160];
};

enum { SLICE_ELEMENTS = 16384 }; /* elementwise work of one slice: about 5 us */

/* How many slices for `work` units when one slice should have `grain` of them; at most `most`, at least 1. */
int slices_for(int64_t work, int64_t grain, int most);
/* First of the n items that slice k of n_slices gets (slice n_slices gives n). */
static inline int64_t slice_begin(int64_t n, int n_slices, int slice)
{
    return n * slice / n_slices;
}
static inline const struct value *input_of(const struct kernel *k, int i)
{
    return k->node->inputs[i];
}
static inline struct shape output_shape(const struct kernel *k)
{
    return k->node->outputs[0]->shape;
}
/* Product of dims [from, to) */
int64_t dims_between(struct shape s, int from, int to);

/* The fused epilogue of a product: NULL when there is none. */
const struct map_program *epilogue_prepare(struct device *device, struct kernel *kernel, struct arena *arena);
/* Applies it to elements [start, start + n) of the product; the results go to the kernel's outputs. */
void epilogue_run(const struct map_program *epilogue, const struct kernel *kernel, const float *product, int64_t start,
                  int64_t n);
/* The same for a rectangle of the product, which lies at part->first. */
void epilogue_run_part(const struct map_program *epilogue, const struct kernel *kernel, const struct map_part *part);
/* Whether the product must not be computed in the first output: an output may be the memory of an operand that the
 * epilogue reads. */
bool epilogue_may_overwrite(const struct kernel *kernel);

/* alone.c: whether the calling thread is done with a prepared kernel sooner than several would be. The bits are the
 * same: slices stay as they were cut. */
bool cpu_works_alone(const struct kernel *kernel);

/* measure.c: see struct backend. */
void cpu_measure(struct device *device, double *gflops, double *gbytes_per_s);

typedef bool prepare_function(struct device *device, struct kernel *kernel, struct arena *arena);
prepare_function prepare_map, prepare_matmul, prepare_row_product, prepare_conv, prepare_conv_dx, prepare_conv_dw,
    prepare_pool, prepare_pool_dx, prepare_reduce, prepare_softmax, prepare_softmax_dx, prepare_xent, prepare_xent_dx,
    prepare_sparse_xent, prepare_sparse_xent_dx, prepare_batch_norm, prepare_batch_norm_dx, prepare_layer_norm,
    prepare_layer_norm_dx, prepare_dropout, prepare_random, prepare_gather, prepare_gather_dtable, prepare_transpose,
    prepare_broadcast, prepare_slice, prepare_reverse, prepare_concat, prepare_pad, prepare_recurrent,
    prepare_recurrent_dx, prepare_attention, prepare_attention_dx, prepare_ctc;

#endif
