/* blas.h - products of matrices on a GPU, by cublasLt. Everything is row-major, sums are true float32 (no TF32).
 *
 * A product is prepared once: its descriptors and its algorithm lie in an arena and own nothing, so nobody frees them.
 * Running it only launches: it may be recorded, and any number of times with other pointers.
 *
 *     const struct blas_plan *plan =
 *         blas_prepare(device, &(struct blas_product){.m = n, .n = 4 * u, .k = u}, arena, err);    in prepare
 *     blas_multiply(device, plan, h, recurrent, gates);                                            in run
 *
 * Libraries share one workspace, which the device's one stream makes safe. Algorithms that add up parts in the result
 * itself are left out: the same bytes every time.
 */
#ifndef ENGINE_CUDA_BLAS_H
#define ENGINE_CUDA_BLAS_H

#include "engine/cuda/device.h"

/* C = op(A) op(B), or C += it: op(A) is [m, k], op(B) [k, n], C [m, n]; `batch` of them at regular distances. */
struct blas_product {
    int64_t m, n, k;
    bool transpose_a, transpose_b; /* A lies as [k, m], B as [n, k] */
    int64_t lda, ldb, ldc;         /* elements between rows as they lie; 0 = dense */
    int64_t batch;                 /* 0 = 1 */
    int64_t stride_a, stride_b;    /* elements between the matrices of a batch; 0 = all take the same one */
    int64_t stride_c;              /* 0 = m rows of C */
    bool adds;                     /* C += op(A) op(B) */
    bool bfloat16;                 /* A and B lie as bfloat16 (2 bytes); C is float32 */
    int alignment;                 /* of the pointers in bytes, a power of two; 0 = 64, which memory of a plan has */
};

struct blas_plan;

/* In the arena. NULL and ERR_DEVICE where cublasLt has no algorithm for it. */
const struct blas_plan *blas_prepare(struct device *device, const struct blas_product *product, struct arena *arena,
                                     struct err *err);
/* Device pointers, aligned as promised. A failure is the device's. */
void blas_multiply(struct device *device, const struct blas_plan *plan, const void *a, const void *b, float *c);

/* The handle and the workspace, device->blas. False: the device's failure says why; blas_close cleans up. */
bool blas_open(struct device *device);
void blas_close(struct device *device);

#endif
