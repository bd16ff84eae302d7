/* measure.c - what this GPU reaches: large products, and copies of its memory; see backend.h */
#include "engine/cuda/device.h"
#include "engine/cuda/blas.h"

#include "base/io.h"

enum { ROUNDS = 8, LEAST_ROWS = 256, ROWS_A_PROCESSOR = 32 };

/* Seconds of work() that the stream does, after one round that warms it up. */
static double seconds_of(struct device *d, void (*work)(struct device *d, const struct blas_plan *plan, float *memory),
                         const struct blas_plan *plan, float *memory)
{
    work(d, plan, memory);
    cuda_succeeded(d, cudaStreamSynchronize(d->stream), "a measurement");
    int64_t start_ns = io->monotonic_ns();
    for (int i = 0; i < ROUNDS; i++)
        work(d, plan, memory);
    cuda_succeeded(d, cudaStreamSynchronize(d->stream), "a measurement");
    return (double)(io->monotonic_ns() - start_ns) / 1e9 / ROUNDS;
}

static int64_t rows_for(const struct device *d)
{
    int64_t n = (int64_t)d->n_processors * ROWS_A_PROCESSOR / LEAST_ROWS * LEAST_ROWS;
    return n > LEAST_ROWS ? n : LEAST_ROWS;
}

static void multiply(struct device *d, const struct blas_plan *plan, float *memory)
{
    int64_t part = rows_for(d) * rows_for(d);
    blas_multiply(d, plan, memory, memory + part, memory + 2 * part);
}

static void copy(struct device *d, const struct blas_plan *plan, float *memory)
{
    int64_t part = rows_for(d) * rows_for(d);
    (void)plan;
    cuda_succeeded(
        d, cudaMemcpyAsync(memory + part, memory, (size_t)part * sizeof(float), cudaMemcpyDeviceToDevice, d->stream),
        "a measurement");
}

void cuda_measure(struct device *d, double *gflops, double *gbytes_per_s)
{
    int64_t n = rows_for(d);
    size_t bytes = (size_t)(n * n) * sizeof(float);
    struct arena arena = {0};
    struct err ignored = {0};
    float *memory = NULL;
    const struct blas_plan *plan = blas_prepare(d, &(struct blas_product){.m = n, .n = n, .k = n}, &arena, &ignored);
    if (plan && !d->failure.code && cudaMalloc((void **)&memory, 3 * bytes) == cudaSuccess) {
        cuda_succeeded(d, cudaMemsetAsync(memory, 0x3c, 3 * bytes, d->stream), "a measurement"); /* 0.0115 */
        *gflops = 2e-9 * (double)n * (double)n * (double)n / seconds_of(d, multiply, plan, memory);
        *gbytes_per_s = 2e-9 * (double)bytes / seconds_of(d, copy, plan, memory);
        cudaFree(memory);
    }
    cudaGetLastError(); /* memory that is not there is no fault of the device */
    arena_release(&arena);
}
