/* blas.c - see blas.h. cublasLt is column-major: it computes C' = op(B)' op(A)', the same memory. */
#include "engine/cuda/blas.h"

#include <cublasLt.h>
#include <stdlib.h>

enum { WORKSPACE_BYTES = 32 << 20, ALIGNMENT = 64 };

struct blas {
    cublasLtHandle_t handle;
    void *workspace;
};

struct blas_plan { /* the descriptors lie in the same arena */
    cublasLtMatmulDesc_t how;
    cublasLtMatrixLayout_t a, b, c;
    cublasLtMatmulAlgo_t algorithm;
    size_t workspace_bytes;
    float beta;
};

static bool succeeded(struct device *device, cublasStatus_t status, const char *what)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return true;
    if (!device->failure.code)
        err_set(&device->failure, status == CUBLAS_STATUS_ALLOC_FAILED ? ERR_NOMEM : ERR_DEVICE,
                "cuda:%d (%s) failed at %s: %s (%s)", device->number, device->name, what,
                cublasLtGetStatusString(status), cublasLtGetStatusName(status));
    return false;
}

bool blas_open(struct device *device)
{
    device->blas = xcalloc(1, sizeof *device->blas);
    return succeeded(device, cublasLtCreate(&device->blas->handle), "opening cublasLt") &&
           cuda_succeeded(device, cudaMalloc(&device->blas->workspace, WORKSPACE_BYTES), "its workspace");
}

void blas_close(struct device *device)
{
    struct blas *blas = device->blas;
    if (!blas)
        return;
    if (blas->handle)
        cublasLtDestroy(blas->handle);
    if (blas->workspace)
        cudaFree(blas->workspace);
    free(blas);
    device->blas = NULL;
}

/* Preparing */

static cublasStatus_t set_layout(cublasLtMatrixLayout_t layout, cudaDataType_t type, int64_t rows, int64_t columns,
                                 int64_t ld, int32_t batch, int64_t stride)
{
    cublasStatus_t status = cublasLtMatrixLayoutInit(layout, type, (uint64_t)columns, (uint64_t)rows, ld);
    if (!status)
        status = cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch);
    if (!status)
        status = cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
                                                  sizeof stride);
    return status;
}

static cublasStatus_t describe(struct blas_plan *plan, const struct blas_product *p)
{
    const int32_t of_a = p->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, of_b = p->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    cudaDataType_t type = p->bfloat16 ? CUDA_R_16BF : CUDA_R_32F;
    cublasStatus_t status = cublasLtMatmulDescInit(plan->how, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    if (!status) /* its first operand is our second */
        status = cublasLtMatmulDescSetAttribute(plan->how, CUBLASLT_MATMUL_DESC_TRANSA, &of_b, sizeof of_b);
    if (!status)
        status = cublasLtMatmulDescSetAttribute(plan->how, CUBLASLT_MATMUL_DESC_TRANSB, &of_a, sizeof of_a);
    if (!status)
        status = set_layout(plan->a, type, p->transpose_a ? p->k : p->m, p->transpose_a ? p->m : p->k, p->lda,
                            (int32_t)p->batch, p->stride_a);
    if (!status)
        status = set_layout(plan->b, type, p->transpose_b ? p->n : p->k, p->transpose_b ? p->k : p->n, p->ldb,
                            (int32_t)p->batch, p->stride_b);
    if (!status)
        status = set_layout(plan->c, CUDA_R_32F, p->m, p->n, p->ldc, (int32_t)p->batch, p->stride_c);
    return status;
}

/* What every matrix of a batch is aligned to. */
static uint32_t aligned(const struct blas_product *p, int64_t stride, int64_t element_bytes)
{
    uint64_t all = (uint64_t)p->alignment | (p->batch > 1 ? (uint64_t)(stride * element_bytes) : 0);
    return (uint32_t)(all & -all);
}

static cublasStatus_t prefer(cublasLtMatmulPreference_t preference, const struct blas_product *p)
{
    int64_t bytes = p->bfloat16 ? 2 : 4;
    const uint64_t most = WORKSPACE_BYTES;
    const uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
    const uint32_t a = aligned(p, p->stride_a, bytes), b = aligned(p, p->stride_b, bytes),
                   c = aligned(p, p->stride_c, 4);
    const struct {
        cublasLtMatmulPreferenceAttributes_t what;
        const void *value;
        size_t size_bytes;
    } wishes[] = {{CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most},
                  {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes},
                  {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &b, sizeof b},
                  {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &a, sizeof a},
                  {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &c, sizeof c},
                  {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &c, sizeof c}};
    cublasStatus_t status = cublasLtMatmulPreferenceInit(preference);
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes && !status; i++)
        status =
            cublasLtMatmulPreferenceSetAttribute(preference, wishes[i].what, wishes[i].value, wishes[i].size_bytes);
    return status;
}

static cublasStatus_t choose(const struct blas *blas, struct blas_plan *plan, const struct blas_product *p)
{
    cublasLtMatmulPreferenceOpaque_t preference;
    cublasLtMatmulHeuristicResult_t best = {0};
    int n = 0;
    cublasStatus_t status = prefer(&preference, p);
    if (!status)
        status = cublasLtMatmulAlgoGetHeuristic(blas->handle, plan->how, plan->b, plan->a, plan->c, plan->c,
                                                &preference, 1, &best, &n);
    if (status || !n)
        return status ? status : CUBLAS_STATUS_NOT_SUPPORTED;
    plan->algorithm = best.algo;
    plan->workspace_bytes = best.workspaceSize;
    return best.state;
}

static struct blas_product with_defaults(const struct blas_product *product)
{
    struct blas_product p = *product;
    p.lda = p.lda ? p.lda : p.transpose_a ? p.m : p.k;
    p.ldb = p.ldb ? p.ldb : p.transpose_b ? p.k : p.n;
    p.ldc = p.ldc ? p.ldc : p.n;
    p.batch = p.batch ? p.batch : 1;
    p.stride_c = p.stride_c ? p.stride_c : p.m * p.ldc;
    p.alignment = p.alignment ? p.alignment : ALIGNMENT;
    return p;
}

static struct blas_plan *new_plan(struct arena *arena)
{
    struct blas_plan *plan = arena_alloc(arena, sizeof *plan);
    plan->how = arena_alloc(arena, sizeof *plan->how);
    plan->a = arena_alloc(arena, sizeof *plan->a);
    plan->b = arena_alloc(arena, sizeof *plan->b);
    plan->c = arena_alloc(arena, sizeof *plan->c);
    return plan;
}

const struct blas_plan *blas_prepare(struct device *device, const struct blas_product *product, struct arena *arena,
                                     struct err *err)
{
    struct blas_product p = with_defaults(product);
    struct blas_plan *plan = new_plan(arena);
    plan->beta = p.adds ? 1 : 0;
    cublasStatus_t status = p.batch > INT32_MAX ? CUBLAS_STATUS_NOT_SUPPORTED : describe(plan, &p);
    if (!status)
        status = choose(device->blas, plan, &p);
    if (!status)
        return plan;
    return err_null(err, ERR_DEVICE, "cublasLt cannot compute %lld products of (%lld, %lld) and (%lld, %lld): %s",
                    (long long)p.batch, (long long)p.m, (long long)p.k, (long long)p.k, (long long)p.n,
                    cublasLtGetStatusName(status));
}

void blas_multiply(struct device *device, const struct blas_plan *plan, const void *a, const void *b, float *c)
{
    const float alpha = 1;
    if (device->failure.code)
        return;
    succeeded(device,
              cublasLtMatmul(device->blas->handle, plan->how, &alpha, b, plan->b, a, plan->a, &plan->beta, c, plan->c,
                             c, plan->c, &plan->algorithm, device->blas->workspace, plan->workspace_bytes,
                             device->stream),
              "a product of matrices");
}
