/* gemm_speed.c - products of one thread: gemm_speed SECONDS [WORD]
 *
 * For every shape of the table (whose name holds WORD): GFLOP/s of gemm_run, of gemm_run_packed with the right operand
 * packed beforehand, and of OpenBLAS (OPENBLAS_CORETYPE chooses its kernels), medians of interleaved rounds. The peak
 * is the rate of fused multiply-adds on registers alone for a millisecond right behind the products: processors lower
 * their clock while they multiply and raise it some milliseconds later, and the host of a virtual machine takes its
 * share of any time (here 5,000 pieces of 10 us a second). "clock" is the same rate in pieces of 2 us, the median:
 * without that share. Prints one JSON document. A program of ./dev bench gemm.
 */
#include "engine/cpu/gemm.h"
#include "engine/cpu/rows.h"
#include "base/io.h"
#include "base/str.h"

#include <cblas.h>
#undef I
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 7, PROBES = 512, PEAK_LOOPS = 1000, PEAK_CHAINS = 12 };

static const struct shape_row {
    const char *name, *kind; /* of the transposes: N or T for A and B */
    int m, n, k;
} shapes[] = {
    {"mlp 64-32-10, batch 16", "NN", 16, 32, 64},
    {"mlp 64-32-10, batch 16", "NN", 16, 10, 32},
    {"mlp 64-32-10, batch 16", "TN", 64, 32, 16},
    {"digits mlp, batch 32", "NN", 32, 128, 64},
    {"digits mlp, batch 32", "NN", 32, 10, 128},
    {"digits mlp, batch 32", "TN", 64, 128, 32},
    {"digits mlp, batch 32", "TN", 128, 10, 32},
    {"digits mlp, batch 32", "NT", 32, 128, 10},
    {"mlp 512, batch 32", "NN", 32, 512, 784},
    {"mlp 512, batch 32", "TN", 784, 512, 32},
    {"mlp 512, batch 32", "NT", 32, 512, 512},
    {"mlp 512, batch 128", "NN", 128, 512, 784},
    {"mlp 512, batch 128", "NN", 128, 512, 512},
    {"mlp 512, batch 128", "TN", 784, 512, 128},
    {"mlp 512, batch 128", "NT", 128, 512, 512},
    {"mlp 512, batch 128", "NN", 128, 10, 512},
    {"mlp 512, batch 128", "TN", 512, 10, 128},
    {"mlp 512, batch 128", "NT", 128, 512, 10},
    {"mlp 512, batch 512", "NN", 512, 512, 784},
    {"mlp 512, batch 512", "TN", 784, 512, 512},
    {"mlp 512, batch 512", "NT", 512, 512, 512},
    {"cnn dense, batch 64", "NN", 64, 128, 9216},
    {"cnn dense, batch 64", "TN", 9216, 128, 64},
    {"cnn dense, batch 64", "NT", 64, 9216, 128},
    {"lstm 128, batch 32", "NN", 32, 512, 128},
    {"lstm 128, batch 32", "NT", 32, 128, 512},
    {"lstm 128, batch 32", "TN", 128, 512, 2048},
    {"transformer", "NN", 2048, 192, 64},
    {"transformer", "NN", 2048, 64, 64},
    {"transformer", "NN", 2048, 256, 64},
    {"transformer", "NN", 2048, 64, 256},
    {"transformer", "NN", 2048, 65, 64},
    {"transformer", "NT", 2048, 256, 64},
    {"transformer", "NT", 2048, 64, 256},
    {"transformer", "TN", 64, 64, 2048},
    {"transformer", "TN", 64, 256, 2048},
    {"transformer", "TN", 256, 64, 2048},
    {"transformer", "TN", 64, 65, 2048},
    {"attention head", "NT", 64, 64, 16},
    {"attention head", "NN", 64, 16, 64},
    {"mlp 2048, batch 256", "NN", 256, 2048, 784},
    {"mlp 2048, batch 256", "NN", 256, 2048, 2048},
    {"mlp 2048, batch 256", "TN", 2048, 2048, 256},
    {"mlp 2048, batch 256", "NT", 256, 2048, 2048},
    {"mlp 2048, batch 256", "NN", 256, 10, 2048},
    {"mlp 2048, batch 256", "TN", 2048, 10, 256},
    {"square", "NN", 1024, 1024, 1024},
    {"square", "TN", 1024, 1024, 1024},
    {"square", "NT", 1024, 1024, 1024},
    {"square", "TT", 1024, 1024, 1024},
    {"one row", "NN", 1, 512, 784},
    {"one row", "NN", 1, 2048, 2048},
    {"one row", "NT", 1, 2048, 2048},
    {"four rows", "NN", 4, 2048, 2048},
    {"one column", "NN", 2048, 1, 2048},
    {"im2col", "NN", 784, 64, 288},
    {"im2col", "NN", 25088, 32, 9},
    {"im2col", "TN", 288, 64, 25088},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

struct bench {
    struct gemm g, packed;
    float *panels;
};

static void run_ours(const struct bench *b)
{
    gemm_run(&b->g);
}

static void run_packed(const struct bench *b)
{
    gemm_run_packed(&b->packed, 0);
}

static void run_openblas(const struct bench *b)
{
    const struct gemm *g = &b->g;
    cblas_sgemm(CblasRowMajor, g->transpose_a ? CblasTrans : CblasNoTrans, g->transpose_b ? CblasTrans : CblasNoTrans,
                (blasint)g->m, (blasint)g->n, (blasint)g->k, 1, g->a, (blasint)g->lda, g->b, (blasint)g->ldb, 0, g->c,
                (blasint)g->ldc);
}

static void (*const sides[])(const struct bench *b) = {run_ours, run_packed, run_openblas};
enum { N_SIDES = sizeof sides / sizeof *sides };

float gemm_speed_sums[16]; /* read by nobody, but the compiler cannot know */

/* Fused multiply-adds that wait for nothing. */
#define PEAK(name, isa, lanes, vec, set, fma, add)                                                                     \
    __attribute__((target(isa))) static double name(void)                                                              \
    {                                                                                                                  \
        vec sum[PEAK_CHAINS], x = set(1.0000001f), y = set(1e-9f);                                                     \
        _Pragma("GCC unroll 12") for (int i = 0; i < PEAK_CHAINS; i++) sum[i] = set((float)i);                         \
        int64_t start = io->monotonic_ns();                                                                            \
        for (int k = 0; k < PEAK_LOOPS; k++)                                                                           \
            _Pragma("GCC unroll 12") for (int i = 0; i < PEAK_CHAINS; i++) sum[i] = fma(sum[i], x, y);                 \
        double ns = (double)(io->monotonic_ns() - start);                                                              \
        _Pragma("GCC unroll 12") for (int i = 1; i < PEAK_CHAINS; i++) sum[0] = add(sum[0], sum[i]);                   \
        memcpy(gemm_speed_sums, &sum[0], sizeof sum[0]);                                                               \
        return 2.0 * lanes * PEAK_CHAINS * PEAK_LOOPS / ns;                                                            \
    }
#if defined(__x86_64__)
PEAK(peak_avx512, "avx512f", 16, __m512, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_add_ps)
PEAK(peak_avx2, "avx2,fma", 8, __m256, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps)
#endif

static double probe(void)
{
#if defined(__x86_64__)
    if (!strcmp(rows_choose()->name, "avx512"))
        return peak_avx512();
    if (!strcmp(rows_choose()->name, "avx2"))
        return peak_avx2();
#endif
    return 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, by_size);
    return x[n / 2];
}

struct peak {
    double clock[ROUNDS], rate[ROUNDS];
};

static void probe_peak(struct peak *p, int round)
{
    double rates[PROBES], sum = 0;
    for (int i = -1; i < PROBES;
         i++) { /* the first one warms up: a change of vectors' width halts the core for a moment */
        double rate = probe();
        if (i < 0)
            continue;
        rates[i] = rate;
        sum += 1 / rate;
    }
    p->rate[round] = PROBES / sum;
    p->clock[round] = median(rates, PROBES);
}

/* All operands lie in one piece, in huge pages, as in the arena of a plan. */
enum { MEMORY_FLOATS = 24 << 20 };
static float *memory;
static size_t in_use;

static float *numbers(size_t n)
{
    n = (n + 31) / 16 * 16;
    float *x = memory + in_use;
    in_use += n;
    if (in_use > MEMORY_FLOATS)
        exit(5);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(i % 13) / 13;
    return x;
}

static void open_bench(struct bench *b, const struct shape_row *s)
{
    struct gemm g = {.m = s->m, .n = s->n, .k = s->k, .ldc = s->n, .alpha = 1};
    g.transpose_a = s->kind[0] == 'T';
    g.transpose_b = s->kind[1] == 'T';
    g.lda = g.transpose_a ? g.m : g.k;
    g.ldb = g.transpose_b ? g.k : g.n;
    float *a = numbers((size_t)(g.m * g.k)), *right = numbers((size_t)(g.k * g.n));
    g.a = a, g.b = right, g.c = numbers((size_t)(g.m * g.n));
    b->panels = numbers(gemm_packed_b_floats(g.k, g.n));
    gemm_pack_b(b->panels, g.b, g.ldb, g.transpose_b, g.k, g.n);
    b->g = b->packed = g;
    b->packed.b = b->panels;
    b->packed.ldb = g.n;
}

/* GFLOP/s: runs for at least `ns`. */
static double measure_side(const struct bench *b, int side, int64_t ns)
{
    double flops = 2.0 * (double)b->g.m * (double)b->g.n * (double)b->g.k;
    int64_t start = io->monotonic_ns(), end, n = 0, batch = 1 + (int64_t)(2e6 / flops);
    do {
        for (int64_t i = 0; i < batch; i++)
            sides[side](b);
        n += batch;
        end = io->monotonic_ns();
    } while (end - start < ns);
    return flops * (double)n / (double)(end - start);
}

static void measure(const struct shape_row *s, int64_t ns, bool first)
{
    struct bench b;
    double rates[N_SIDES][ROUNDS];
    struct peak peak;
    open_bench(&b, s);
    for (int side = 0; side < N_SIDES; side++)
        sides[side](&b);
    for (int round = 0; round < ROUNDS; round++)
        for (int side = 0; side < N_SIDES; side++) {
            rates[side][round] = measure_side(&b, side, ns);
            if (side == 0)
                probe_peak(&peak, round);
        }
    printf(
        "%s\n  {\"name\": \"%s\", \"kind\": \"%s\", \"m\": %d, \"n\": %d, \"k\": %d, \"peak\": %.1f, \"clock\": %.1f, ",
        first ? "" : ",", s->name, s->kind, s->m, s->n, s->k, median(peak.rate, ROUNDS), median(peak.clock, ROUNDS));
    printf("\"ours\": %.1f, \"packed\": %.1f, \"openblas\": %.1f}", median(rates[0], ROUNDS), median(rates[1], ROUNDS),
           median(rates[2], ROUNDS));
    in_use = 0;
}

int main(int argc, char **argv)
{
    double seconds;
    if (argc < 2 || argc > 3 || !str_to_double(argv[1], &seconds))
        return fprintf(stderr, "usage: gemm_speed SECONDS [WORD]\n"), 2;
    gemm_hold_to_one_thread();
    memory = io->allocate(MEMORY_FLOATS * sizeof *memory);
    if (!memory)
        return 5;
    gemm_choose(rows_choose()->name);
    int chosen = 0, done = 0;
    for (int i = 0; i < N_SHAPES; i++)
        chosen += argc < 3 || strstr(shapes[i].name, argv[2]);
    int64_t ns = (int64_t)(seconds * 1e9 / (chosen ? chosen : 1) / (N_SIDES * ROUNDS));
    printf("{\"kernels\": \"%s\", \"openblas\": \"%s\", \"rows\": [", gemm_description(), openblas_get_corename());
    for (int i = 0; i < N_SHAPES; i++)
        if (argc < 3 || strstr(shapes[i].name, argv[2]))
            measure(&shapes[i], ns, !done++);
    printf("\n]}\n");
    return 0;
}
