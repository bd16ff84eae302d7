/* measure.c - what this machine reaches now, for profiles. See kernels.h. */
#include "engine/cpu/gemm.h"
#include "engine/cpu/kernels.h"
#include "base/io.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 512, COPY_BYTES = 256 << 10, COPIES = 64, ROUNDS = 12, SLICES = 64 };

struct measure {
    float *a, *b, *c; /* SIDE x SIDE each; the slices of a round share them and write the same rows of their own of c */
    char *from, *to;  /* COPY_BYTES for each slice */
    int n_slices;
};

static void product_slice(void *context, int slice)
{
    const struct measure *m = context;
    int64_t row = slice_begin(SIDE, m->n_slices, slice), rows = slice_begin(SIDE, m->n_slices, slice + 1) - row;
    gemm_run(&(struct gemm){.m = rows,
                            .n = SIDE,
                            .k = SIDE,
                            .lda = SIDE,
                            .ldb = SIDE,
                            .ldc = SIDE,
                            .a = m->a + row * SIDE,
                            .b = m->b,
                            .c = m->c + row * SIDE,
                            .alpha = 1});
}

static void copy_slice(void *context, int slice)
{
    const struct measure *m = context;
    for (int i = 0; i < COPIES; i++)
        memcpy(m->to + (size_t)slice * COPY_BYTES, m->from + (size_t)slice * COPY_BYTES, COPY_BYTES);
}

/* Seconds of the fastest round. */
static double fastest(struct device *device, void (*work)(void *, int), struct measure *m)
{
    int64_t best = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = io->monotonic_ns();
        threads_run(device->threads, work, m, m->n_slices);
        int64_t elapsed = io->monotonic_ns() - start;
        best = elapsed < best ? elapsed : best;
    }
    return (double)best / 1e9;
}

void cpu_measure(struct device *device, double *gflops, double *gbytes_per_s)
{
    struct measure m = {.n_slices = device->n_threads < SLICES ? device->n_threads : SLICES};
    size_t matrix_bytes = (size_t)SIDE * SIDE * sizeof(float), copy_bytes = (size_t)m.n_slices * COPY_BYTES;
    char *memory = io_allocate(3 * matrix_bytes + 2 * copy_bytes, "a measurement", NULL);
    *gflops = *gbytes_per_s = 1;
    if (!memory)
        return;
    memset(memory, 0, 3 * matrix_bytes + 2 * copy_bytes);
    m.a = (float *)(void *)memory;
    m.b = m.a + SIDE * SIDE;
    m.c = m.b + SIDE * SIDE;
    m.from = memory + 3 * matrix_bytes;
    m.to = m.from + copy_bytes;
    for (int i = 0; i < 2 * SIDE * SIDE; i++)
        m.a[i] = (float)(i % 7) / 7;
    *gflops = 2.0 * SIDE * SIDE * SIDE / fastest(device, product_slice, &m) / 1e9;
    *gbytes_per_s = 2.0 * COPIES * (double)copy_bytes / fastest(device, copy_slice, &m) / 1e9;
    free(memory);
}
