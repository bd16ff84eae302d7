/* device.h - an opened GPU, inside engine/cuda only. What a kernel's run function needs: the stream to launch on, and
 * the libraries beside it.
 */
#ifndef ENGINE_CUDA_DEVICE_H
#define ENGINE_CUDA_DEVICE_H

#include "engine/cuda/cuda.h"
#include "engine/cuda/launches.h"

#include <cuda_runtime_api.h>

struct replay {                   /* a step as a CUDA graph */
    const struct kernel *kernels; /* of a plan: the step is known by them */
    bool warm;                    /* it ran once */
    cudaGraphExec_t graph;        /* NULL until it is recorded */
};

struct device {
    int number, major, minor; /* minor, major: of its compute capability */
    int n_processors;
    size_t memory_bytes;
    char name[256];
    cudaStream_t stream; /* everything runs on it, in order */
    struct blas *blas;   /* products of matrices: blas.h */
    struct maps *maps;   /* compiled kernels of maps; NULL until there are some */
    struct replay *replays;
    int n_replays;
    size_t cap_replays;
    struct err failure; /* the first call that failed; nothing is computed after it */
};

/* Whether a call of the CUDA runtime succeeded; records the first failure of the device. */
bool cuda_succeeded(struct device *device, cudaError_t status, const char *what);

typedef void cuda_run_op(const struct kernel *kernel, struct device *device);
/* Fills prepared and workspace_bytes where an op wants them, and may choose another run, as backend->prepare does. */
typedef bool cuda_prepare_op(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err);

/* Rows of the last n_axes axes. */
struct cuda_rows {
    int64_t n, width;
};
struct cuda_rows cuda_rows_of(struct shape shape, int n_axes);
/* How blocks share the columns of a matrix. */
struct columns columns_of(int64_t n_rows, int64_t width);
/* out[i] = the sum of parts[.][i], in a fixed order: what blocks left of a sum. */
void cuda_sum_parts(struct device *device, float *out, const float *parts, int64_t n_parts, int64_t n);
/* out[i] = the sum of x[.][i], x [n_rows, n]; parts: of as many numbers as cuda_column_parts says. */
void cuda_sum_columns(struct device *device, float *out, float *parts, const float *x, int64_t n_rows, int64_t n);
int64_t cuda_column_parts(int64_t n_rows, int64_t n);

/* One or both for each op: a row of the table in cuda.c. By file. */
cuda_run_op cuda_cast_i32, cuda_add_i32; /* elementwise.c */

cuda_run_op cuda_map; /* map.c */
cuda_prepare_op cuda_prepare_map;
/* As backend->ready: compiles and loads the kernels of maps that no earlier plan had. Close forgets all of them. */
bool cuda_maps_ready(struct device *device, const struct kernel *kernels, int n_kernels, struct err *err);
void cuda_maps_close(struct device *device);

cuda_run_op cuda_ctc, cuda_ctc_dx; /* ctc.c */
cuda_prepare_op cuda_prepare_ctc;

cuda_run_op cuda_recurrent, cuda_recurrent_dx; /* recurrent.c */
cuda_prepare_op cuda_prepare_recurrent, cuda_prepare_recurrent_dx;

cuda_run_op cuda_attention, cuda_attention_dx; /* attention.c */
cuda_prepare_op cuda_prepare_attention, cuda_prepare_attention_dx;

cuda_prepare_op cuda_prepare_matmul; /* matmul.c */

cuda_prepare_op cuda_prepare_conv, cuda_prepare_conv_dx, cuda_prepare_conv_dw; /* conv.c */

cuda_run_op cuda_copy; /* move.c */
cuda_prepare_op cuda_prepare_transpose, cuda_prepare_broadcast, cuda_prepare_concat, cuda_prepare_slice,
    cuda_prepare_pad, cuda_prepare_reverse;

cuda_prepare_op cuda_prepare_gather, cuda_prepare_gather_dtable, cuda_prepare_one_hot; /* index.c */

cuda_run_op cuda_random; /* random.c */
cuda_prepare_op cuda_prepare_dropout;

cuda_prepare_op cuda_prepare_pool, cuda_prepare_pool_dx; /* pool.c */

cuda_run_op cuda_reduce; /* reduce.c */
cuda_prepare_op cuda_prepare_reduce;

cuda_run_op cuda_softmax, cuda_softmax_dx; /* softmax.c */

cuda_run_op cuda_xent, cuda_xent_dx, cuda_sparse_xent, cuda_sparse_xent_dx; /* loss.c */

cuda_run_op cuda_batch_norm, cuda_batch_norm_dx, cuda_layer_norm, cuda_layer_norm_dx; /* norm.c */
cuda_prepare_op cuda_prepare_batch_norm, cuda_prepare_layer_norm_dx;

cuda_run_op cuda_argmax, cuda_top_k_hit, cuda_histogram; /* metrics.c */
cuda_prepare_op cuda_prepare_histogram;

/* backend->measure. */
void cuda_measure(struct device *device, double *gflops, double *gbytes_per_s); /* measure.c */

#endif
