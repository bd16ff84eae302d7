/* cpu.c - the fast backend of the host: the table that backend.h asks for, and which op has which kernel. */
#include "engine/cpu/conv_kernels.h"
#include "engine/cpu/gemm_bfloat16.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/norm_kernels.h"
#include "engine/cpu/pool_kernels.h"
#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct rows rows_baseline;
#if defined(__x86_64__)
extern const struct rows rows_avx512, rows_avx2;
#endif

/* Named one by one: not every compiler knows "x86-64-v3" here. */
static int best_level(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2"))
        return 1;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl")
               ? 3
               : 2;
#else
    return 1;
#endif
}

const struct rows *rows_choose(void)
{
    const char *wanted = getenv("ANTLER_CPU");
    int level = wanted && !strcmp(wanted, "baseline") ? 1
                : wanted && !strcmp(wanted, "avx2")   ? 2
                                                      : 3,
        best = best_level();
    level = level > best ? best : level;
#if defined(__x86_64__)
    if (level >= 2)
        return level == 3 ? &rows_avx512 : &rows_avx2;
#endif
    return &rows_baseline;
}

/* The tables that belong to a table of rows. */
static void choose_tables(struct device *device)
{
#define TABLES(isa)                                                                                                    \
    device->conv = &conv_kernels_##isa, device->winograd = &winograd_kernels_##isa,                                    \
    device->pool = &pool_kernels_##isa, device->norm = &norm_kernels_##isa
    TABLES(baseline);
#if defined(__x86_64__)
    if (device->rows == &rows_avx512)
        TABLES(avx512);
    else if (device->rows == &rows_avx2)
        TABLES(avx2);
#endif
#undef TABLES
}

int slices_for(int64_t work, int64_t grain, int most)
{
    int64_t n = work / grain;
    n = n > most ? most : n;
    return n < 1 ? 1 : (int)n;
}

int64_t dims_between(struct shape s, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= s.dim[i];
    return n;
}

static struct device *cpu_open(const struct device_options *options, struct err *err)
{
    const char *wanted = getenv("ANTLER_CPU");
    if (wanted && strcmp(wanted, "baseline") != 0 && strcmp(wanted, "avx2") != 0 && strcmp(wanted, "avx512") != 0)
        return err_null(err, ERR_USAGE, "ANTLER_CPU is '%s', expected baseline, avx2 or avx512", wanted);
    int n_threads = options->n_threads > 0 ? options->n_threads : threads_allowed();
    struct threads *threads = threads_open(n_threads, err);
    if (!threads)
        return NULL;
    struct device *device = xcalloc(1, sizeof *device);
    device->threads = threads;
    device->n_threads = n_threads;
    gemm_hold_to_one_thread();
    device->rows = rows_choose();
    gemm_choose(device->rows->name);
    gemm_bfloat16_choose(device->rows->name, NULL);
    device->direct_convolutions = options->direct_convolutions;
    device->never_alone = options->never_alone;
    choose_tables(device);
    device->alone = xmalloc(sizeof *device->alone);
    *device->alone = *device;
    device->alone->threads = NULL;
    const char *bfloat16 = gemm_bfloat16_name();
    snprintf(device->description, sizeof device->description,
             "%s loops, %s products%s%s, %s convolutions, denormals %s, %d thread%s", device->rows->name,
             gemm_description(), bfloat16 ? ", for bfloat16 " : "", bfloat16 ? bfloat16 : "",
             device->direct_convolutions ? "direct" : "Winograd", threads_flush_denormals() ? "flushed" : "kept",
             n_threads, n_threads == 1 ? "" : "s");
    return device;
}

static void cpu_close(struct device *device)
{
    if (!device)
        return;
    threads_close(device->threads);
    free(device->alone);
    free(device);
}

static void *cpu_allocate(struct device *device, size_t size_bytes, const char *what, struct err *err)
{
    (void)device;
    return io_allocate(size_bytes, what, err);
}

static void cpu_release(struct device *device, void *memory)
{
    (void)device;
    free(memory);
}

static void cpu_copy(struct device *device, void *to, const void *from, size_t size_bytes)
{
    (void)device;
    memcpy(to, from, size_bytes);
}

/* Ops that are not here (argmax, one_hot, ...) are small: the plan runs the reference loops for them. */
static prepare_function *const prepare_table[OP_COUNT] = {
    [OP_MAP] = prepare_map,
    [OP_MATMUL] = prepare_matmul,
    [OP_CONV] = prepare_conv,
    [OP_CONV_DX] = prepare_conv_dx,
    [OP_CONV_DW] = prepare_conv_dw,
    [OP_POOL] = prepare_pool,
    [OP_POOL_DX] = prepare_pool_dx,
    [OP_REDUCE] = prepare_reduce,
    [OP_SOFTMAX] = prepare_softmax,
    [OP_SOFTMAX_DX] = prepare_softmax_dx,
    [OP_XENT] = prepare_xent,
    [OP_XENT_DX] = prepare_xent_dx,
    [OP_SPARSE_XENT] = prepare_sparse_xent,
    [OP_SPARSE_XENT_DX] = prepare_sparse_xent_dx,
    [OP_BATCH_NORM] = prepare_batch_norm,
    [OP_BATCH_NORM_DX] = prepare_batch_norm_dx,
    [OP_LAYER_NORM] = prepare_layer_norm,
    [OP_LAYER_NORM_DX] = prepare_layer_norm_dx,
    [OP_ATTENTION] = prepare_attention,
    [OP_ATTENTION_DX] = prepare_attention_dx,
    [OP_DROPOUT] = prepare_dropout,
    [OP_RANDOM] = prepare_random,
    [OP_GATHER] = prepare_gather,
    [OP_GATHER_DTABLE] = prepare_gather_dtable,
    [OP_TRANSPOSE] = prepare_transpose,
    [OP_BROADCAST] = prepare_broadcast,
    [OP_SLICE] = prepare_slice,
    [OP_REVERSE] = prepare_reverse,
    [OP_CONCAT] = prepare_concat,
    [OP_PAD] = prepare_pad,
    [OP_RECURRENT] = prepare_recurrent,
    [OP_RECURRENT_DX] = prepare_recurrent_dx,
    [OP_CTC] = prepare_ctc,
    [OP_CTC_DX] = prepare_ctc,
};

static bool cpu_prepare(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    prepare_function *prepare = prepare_table[kernel->node->op];
    if (!prepare || !prepare(device, kernel, arena))
        return err_set(err, ERR_FAILED, "the cpu backend has no kernel for this %s", op_table[kernel->node->op].name);
    kernel->alone = !device->never_alone && (kernel->alone || cpu_works_alone(kernel));
    return true;
}

static void cpu_run(struct device *device, const struct kernel *kernels, int n_kernels)
{
    for (int i = 0; i < n_kernels; i++)
        kernels[i].run(&kernels[i], kernels[i].alone ? device->alone : device);
}

static void cpu_spread(struct device *device, void (*work)(void *context, int slice), void *context, int n_slices)
{
    threads_run(device->threads, work, context, n_slices);
}

static void cpu_watch(struct device *device, const struct device_watch *watch)
{
    threads_watch(device->threads, watch->worked, watch->context);
}

static bool cpu_can_fuse(const struct node *node, const struct expr *epilogue)
{
    return node->op != OP_REDUCE && epilogue->n_steps <= 64;
}

static bool cpu_bfloat16_products(const struct device *device)
{
    (void)device;
    return gemm_bfloat16_name() != NULL;
}

static void cpu_describe(struct device *device, struct str *out)
{
    str_add(out, device->description);
}

const struct backend backend_cpu = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .allocate = cpu_allocate,
    .release = cpu_release,
    .upload = cpu_copy,
    .download = cpu_copy,
    .prepare = cpu_prepare,
    .run = cpu_run,
    .host_memory = true,
    .can_fuse = cpu_can_fuse,
    .bfloat16_products = cpu_bfloat16_products,
    .spread = cpu_spread,
    .watch = cpu_watch,
    .measure = cpu_measure,
    .describe = cpu_describe,
};
