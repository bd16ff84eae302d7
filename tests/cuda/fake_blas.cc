/* fake_blas.cc - cublasLt by plain loops, for tests: what engine/cuda/blas.c calls of it. As strict as the header says:
 * types, shapes, leading dims, batches, workspaces and the alignment that was promised are checked. */
#include "fake_cuda.h"

#include <cublasLt.h>
#include <stdint.h>
#include <string.h>
#include <vector>

struct cublasLtContext {
    int unused;
};

enum { NEEDED_BYTES = 4096 }; /* of workspace, that a caller who forgets it is found */

struct layout {
    int32_t type, batch;
    uint64_t rows, columns;
    int64_t ld, stride;
};
struct operation {
    int32_t compute, scale, transpose[2];
};
struct wishes {
    uint64_t workspace_bytes;
    uint32_t schemes, alignment[4];
};
struct algorithm {
    uint64_t m, n, k, workspace_bytes;
    uint32_t alignment[4];
};
static_assert(sizeof(layout) <= sizeof(cublasLtMatrixLayoutOpaque_t), "");
static_assert(sizeof(operation) <= sizeof(cublasLtMatmulDescOpaque_t), "");
static_assert(sizeof(wishes) <= sizeof(cublasLtMatmulPreferenceOpaque_t), "");
static_assert(sizeof(algorithm) <= sizeof(cublasLtMatmulAlgo_t), "");

template <class T, class U> static T peek(const U *opaque)
{
    T t;
    memcpy(&t, opaque, sizeof t);
    return t;
}

extern "C" cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    if (fake_fails())
        return CUBLAS_STATUS_ALLOC_FAILED;
    *handle = new cublasLtContext();
    return CUBLAS_STATUS_SUCCESS;
}

extern "C" cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

extern "C" const char *cublasLtGetStatusName(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_NOT_SUPPORTED   ? "CUBLAS_STATUS_NOT_SUPPORTED"
           : status == CUBLAS_STATUS_INVALID_VALUE ? "CUBLAS_STATUS_INVALID_VALUE"
           : status == CUBLAS_STATUS_ALLOC_FAILED  ? "CUBLAS_STATUS_ALLOC_FAILED"
                                                   : "CUBLAS_STATUS_EXECUTION_FAILED";
}

extern "C" const char *cublasLtGetStatusString(cublasStatus_t)
{
    return "it was told to fail, or refused";
}

/* Descriptors */

extern "C" cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t to, size_t size, cudaDataType type,
                                                            uint64_t rows, uint64_t columns, int64_t ld)
{
    if (size < sizeof *to)
        return CUBLAS_STATUS_ALLOC_FAILED;
    struct layout l = {type, 1, rows, columns, ld, 0};
    memcpy(to, &l, sizeof l);
    return CUBLAS_STATUS_SUCCESS;
}

extern "C" cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t to, size_t size,
                                                          cublasComputeType_t compute, cudaDataType_t scale)
{
    if (size < sizeof *to)
        return CUBLAS_STATUS_ALLOC_FAILED;
    struct operation o = {compute, scale, {CUBLAS_OP_N, CUBLAS_OP_N}};
    memcpy(to, &o, sizeof o);
    return CUBLAS_STATUS_SUCCESS;
}

extern "C" cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t to, size_t size)
{
    if (size < sizeof *to)
        return CUBLAS_STATUS_ALLOC_FAILED;
    struct wishes w = {0, CUBLASLT_REDUCTION_SCHEME_MASK, {256, 256, 256, 256}};
    memcpy(to, &w, sizeof w);
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t set(void *opaque, size_t at, size_t size, const void *value, size_t value_size)
{
    if (!value || size != value_size)
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy((char *)opaque + at, value, size);
    return CUBLAS_STATUS_SUCCESS;
}

extern "C" cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                           cublasLtMatrixLayoutAttribute_t what, const void *value,
                                                           size_t size)
{
    if (what == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT)
        return set(layout, offsetof(struct layout, batch), sizeof(int32_t), value, size);
    if (what == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET)
        return set(layout, offsetof(struct layout, stride), sizeof(int64_t), value, size);
    return CUBLAS_STATUS_INVALID_VALUE;
}

extern "C" cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t how, cublasLtMatmulDescAttributes_t what,
                                                         const void *value, size_t size)
{
    if (what == CUBLASLT_MATMUL_DESC_TRANSA || what == CUBLASLT_MATMUL_DESC_TRANSB)
        return set(how, offsetof(operation, transpose) + (what == CUBLASLT_MATMUL_DESC_TRANSB) * sizeof(int32_t),
                   sizeof(int32_t), value, size);
    return CUBLAS_STATUS_INVALID_VALUE;
}

extern "C" cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                               cublasLtMatmulPreferenceAttributes_t what,
                                                               const void *value, size_t size)
{
    if (what == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
        return set(preference, offsetof(wishes, workspace_bytes), sizeof(uint64_t), value, size);
    if (what == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK)
        return set(preference, offsetof(wishes, schemes), sizeof(uint32_t), value, size);
    if (what >= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES && what <= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES)
        return set(preference,
                   offsetof(wishes, alignment) +
                       (size_t)(what - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES) * sizeof(uint32_t),
                   sizeof(uint32_t), value, size);
    return CUBLAS_STATUS_INVALID_VALUE;
}

/* Products */

struct product {
    struct operation how;
    struct layout a, b, c;
    uint64_t m, n, k;
};

static bool regular(const struct layout &l)
{
    return l.rows && l.columns && l.ld >= (int64_t)l.rows && l.batch >= 1 && l.stride >= 0;
}

static cublasStatus_t put_together(cublasLtMatmulDesc_t how, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                   cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, struct product *p)
{
    p->how = peek<operation>(how);
    p->a = peek<layout>(a);
    p->b = peek<layout>(b);
    p->c = peek<layout>(c);
    struct layout of_d = peek<layout>(d);
    bool ta = p->how.transpose[0] == CUBLAS_OP_T, tb = p->how.transpose[1] == CUBLAS_OP_T;
    p->m = ta ? p->a.columns : p->a.rows;
    p->k = ta ? p->a.rows : p->a.columns;
    p->n = tb ? p->b.rows : p->b.columns;
    if (!regular(p->a) || !regular(p->b) || !regular(p->c) || p->k != (tb ? p->b.columns : p->b.rows) ||
        p->m != p->c.rows || p->n != p->c.columns || memcmp(&of_d, &p->c, sizeof of_d) || p->a.batch != p->b.batch ||
        p->a.batch != p->c.batch)
        return CUBLAS_STATUS_INVALID_VALUE;
    bool floats = p->a.type == CUDA_R_32F && p->b.type == CUDA_R_32F;
    bool halves = p->a.type == CUDA_R_16BF && p->b.type == CUDA_R_16BF;
    if (p->how.compute != CUBLAS_COMPUTE_32F || p->how.scale != CUDA_R_32F || !(floats || halves) ||
        p->c.type != CUDA_R_32F)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    bool overlapping = p->c.batch > 1 && p->c.stride < (int64_t)p->m;
    return overlapping ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
}

static uint32_t element_bytes(const struct layout &l)
{
    return l.type == CUDA_R_16BF ? 2 : 4;
}

extern "C" cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t how,
                                                         cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                         cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                                         cublasLtMatmulPreference_t preference, int wanted,
                                                         cublasLtMatmulHeuristicResult_t results[], int *n)
{
    struct product p;
    struct wishes w = peek<wishes>(preference);
    cublasStatus_t status = wanted < 1 ? CUBLAS_STATUS_INVALID_VALUE : put_together(how, a, b, c, d, &p);
    *n = 0;
    if (status || fake_fails())
        return status ? status : CUBLAS_STATUS_NOT_SUPPORTED;
    if (w.alignment[0] < element_bytes(p.a) || w.alignment[1] < element_bytes(p.b) || w.alignment[2] < 4 ||
        w.alignment[3] < 4 || w.workspace_bytes < NEEDED_BYTES)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    struct algorithm algorithm = {p.m, p.n, p.k, NEEDED_BYTES, {}};
    memcpy(algorithm.alignment, w.alignment, sizeof w.alignment);
    memset(&results[0], 0, sizeof results[0]);
    memcpy(&results[0].algo, &algorithm, sizeof algorithm);
    results[0].workspaceSize = NEEDED_BYTES;
    results[0].state = CUBLAS_STATUS_SUCCESS;
    *n = 1;
    return CUBLAS_STATUS_SUCCESS;
}

/* op(A), or op(B), column by column: dense, float32. */
static void unfold(std::vector<float> &to, const struct layout &l, bool transposed, const void *from, int number)
{
    uint64_t rows = transposed ? l.columns : l.rows, columns = transposed ? l.rows : l.columns;
    uint64_t along = transposed ? (uint64_t)l.ld : 1, across = transposed ? 1 : (uint64_t)l.ld;
    const char *first = (const char *)from + (uint64_t)number * (uint64_t)l.stride * element_bytes(l);
    to.resize(rows * columns);
    for (uint64_t j = 0; j < columns; j++)
        for (uint64_t i = 0; i < rows; i++) {
            uint64_t at = i * along + j * across;
            uint32_t bits = l.type == CUDA_R_16BF ? (uint32_t)((const uint16_t *)first)[at] << 16
                                                  : ((const uint32_t *)first)[at];
            memcpy(&to[j * rows + i], &bits, sizeof bits);
        }
}

static void multiply(const struct product &p, float alpha, const void *a, const void *b, float beta, float *c)
{
    std::vector<float> left, right, sums(p.m);
    for (int number = 0; number < p.c.batch; number++) {
        unfold(left, p.a, p.how.transpose[0] == CUBLAS_OP_T, a, number);
        unfold(right, p.b, p.how.transpose[1] == CUBLAS_OP_T, b, number);
        for (uint64_t j = 0; j < p.n; j++) {
            float *column = c + (uint64_t)number * (uint64_t)p.c.stride + j * (uint64_t)p.c.ld;
            memset(sums.data(), 0, p.m * sizeof(float));
            for (uint64_t i = 0; i < p.k; i++) {
                float by = right[j * p.k + i], *sum = sums.data();
                const float *line = left.data() + i * p.m;
                for (uint64_t r = 0; r < p.m; r++)
                    sum[r] += by * line[r];
            }
            for (uint64_t r = 0; r < p.m; r++)
                column[r] = alpha * sums[r] + (beta == 0 ? 0 : beta * column[r]);
        }
    }
}

extern "C" cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t how, const void *alpha, const void *a,
                                         cublasLtMatrixLayout_t of_a, const void *b, cublasLtMatrixLayout_t of_b,
                                         const void *beta, const void *c, cublasLtMatrixLayout_t of_c, void *d,
                                         cublasLtMatrixLayout_t of_d, const cublasLtMatmulAlgo_t *algo, void *workspace,
                                         size_t workspace_bytes, cudaStream_t stream)
{
    struct product p;
    struct algorithm chosen = peek<algorithm>(algo);
    cublasStatus_t status = put_together(how, of_a, of_b, of_c, of_d, &p);
    if (status)
        return status;
    const void *pointers[4] = {a, b, c, d};
    for (int i = 0; i < 4; i++)
        if (!pointers[i] || (uintptr_t)pointers[i] % chosen.alignment[i])
            return CUBLAS_STATUS_INVALID_VALUE;
    if (chosen.m != p.m || chosen.n != p.n || chosen.k != p.k || c != d || workspace_bytes < chosen.workspace_bytes ||
        (uintptr_t)workspace % 16)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (fake_fails())
        return CUBLAS_STATUS_EXECUTION_FAILED;
    float by = *(const float *)alpha, plus = *(const float *)beta;
    fake_enqueue(stream, [=]() {
        memset(workspace, 0xff, workspace_bytes);
        multiply(p, by, a, b, plus, (float *)d);
    });
    return CUBLAS_STATUS_SUCCESS;
}
