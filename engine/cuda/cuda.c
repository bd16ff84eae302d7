/* cuda.c - the table of the backend `cuda`: the device, its memory, and steps as CUDA graphs; see cuda.h */
#include "engine/cuda/blas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

static const struct op_kernels {
    cuda_run_op *run;
    cuda_prepare_op *prepare; /* NULL: nothing to prepare */
} ops[OP_COUNT] = {
    [OP_MAP] = {cuda_map, cuda_prepare_map},
    [OP_STOP] = {cuda_copy},
    [OP_RESHAPE] = {cuda_copy},
    [OP_CAST_I32] = {cuda_cast_i32},
    [OP_REDUCE] = {cuda_reduce, cuda_prepare_reduce},
    [OP_ARGMAX] = {cuda_argmax},
    [OP_SOFTMAX] = {cuda_softmax},
    [OP_SOFTMAX_DX] = {cuda_softmax_dx},
    [OP_XENT] = {cuda_xent},
    [OP_XENT_DX] = {cuda_xent_dx},
    [OP_SPARSE_XENT] = {cuda_sparse_xent},
    [OP_SPARSE_XENT_DX] = {cuda_sparse_xent_dx},
    [OP_BATCH_NORM] = {cuda_batch_norm, cuda_prepare_batch_norm},
    [OP_BATCH_NORM_DX] = {cuda_batch_norm_dx, cuda_prepare_batch_norm},
    [OP_LAYER_NORM] = {cuda_layer_norm},
    [OP_LAYER_NORM_DX] = {cuda_layer_norm_dx, cuda_prepare_layer_norm_dx},
    [OP_TOP_K_HIT] = {cuda_top_k_hit},
    [OP_HISTOGRAM] = {cuda_histogram, cuda_prepare_histogram},
    [OP_ADD_I32] = {cuda_add_i32},
    [OP_ATTENTION] = {cuda_attention, cuda_prepare_attention},
    [OP_ATTENTION_DX] = {cuda_attention_dx, cuda_prepare_attention_dx},
    [OP_RECURRENT] = {cuda_recurrent, cuda_prepare_recurrent},
    [OP_RECURRENT_DX] = {cuda_recurrent_dx, cuda_prepare_recurrent_dx},
    [OP_CTC] = {cuda_ctc, cuda_prepare_ctc},
    [OP_CTC_DX] = {cuda_ctc_dx, cuda_prepare_ctc},
    [OP_MATMUL] = {.prepare = cuda_prepare_matmul},
    [OP_CONV] = {.prepare = cuda_prepare_conv},
    [OP_CONV_DX] = {.prepare = cuda_prepare_conv_dx},
    [OP_CONV_DW] = {.prepare = cuda_prepare_conv_dw},
    [OP_TRANSPOSE] = {NULL, cuda_prepare_transpose},
    [OP_BROADCAST] = {NULL, cuda_prepare_broadcast},
    [OP_CONCAT] = {NULL, cuda_prepare_concat},
    [OP_SLICE] = {NULL, cuda_prepare_slice},
    [OP_PAD] = {NULL, cuda_prepare_pad},
    [OP_REVERSE] = {NULL, cuda_prepare_reverse},
    [OP_GATHER] = {NULL, cuda_prepare_gather},
    [OP_GATHER_DTABLE] = {NULL, cuda_prepare_gather_dtable},
    [OP_ONE_HOT] = {NULL, cuda_prepare_one_hot},
    [OP_DROPOUT] = {NULL, cuda_prepare_dropout},
    [OP_RANDOM] = {cuda_random},
    [OP_POOL] = {NULL, cuda_prepare_pool},
    [OP_POOL_DX] = {NULL, cuda_prepare_pool_dx},
};

bool cuda_succeeded(struct device *device, cudaError_t status, const char *what)
{
    if (status == cudaSuccess)
        return true;
    if (!device->failure.code)
        err_set(&device->failure, status == cudaErrorMemoryAllocation ? ERR_NOMEM : ERR_DEVICE,
                "cuda:%d (%s) failed at %s: %s (%s)", device->number, device->name, what, cudaGetErrorString(status),
                cudaGetErrorName(status));
    return false;
}

/* Opening */

/* A driver's number, or the runtime's: 13000 is 13.0. */
static int version_of(cudaError_t (*ask)(int *version))
{
    int version = 0;
    return ask(&version) == cudaSuccess ? version : 0;
}

static bool no_driver(struct err *err)
{
    int driver = version_of(cudaDriverGetVersion), runtime = version_of(cudaRuntimeGetVersion);
    if (!driver)
        return err_set(err, ERR_DEVICE, "no driver of NVIDIA is installed (or this user may not use it): use cpu");
    return err_set(
        err, ERR_DEVICE,
        "the driver of NVIDIA is too old: it knows CUDA up to %d.%d, antler was built with %d.%d; update the "
        "driver, or use cpu",
        driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
}

static bool cuda_probe(int wanted, struct err *err)
{
    int n = 0;
    cudaError_t status = cudaGetDeviceCount(&n);
    if (status == cudaErrorInsufficientDriver)
        return no_driver(err);
    if (status == cudaErrorNoDevice || (status == cudaSuccess && !n))
        return err_set(err, ERR_DEVICE,
                       "the driver of NVIDIA finds no GPU (look at nvidia-smi and CUDA_VISIBLE_DEVICES): use cpu");
    if (status != cudaSuccess)
        return err_set(err, ERR_DEVICE, "no GPU can be used: %s (%s)", cudaGetErrorString(status),
                       cudaGetErrorName(status));
    if (wanted >= n)
        return err_set(err, ERR_DEVICE, "this machine has %d GPU%s, the last is cuda:%d", n, n == 1 ? "" : "s", n - 1);
    return true;
}

static bool describe_device(struct device *d)
{
    struct cudaDeviceProp p;
    if (!cuda_succeeded(d, cudaSetDevice(d->number), "choosing the device") ||
        !cuda_succeeded(d, cudaGetDeviceProperties(&p, d->number), "asking for its properties"))
        return false;
    snprintf(d->name, sizeof d->name, "%.*s", (int)sizeof d->name - 1, p.name);
    d->major = p.major;
    d->minor = p.minor;
    d->n_processors = p.multiProcessorCount;
    d->memory_bytes = p.totalGlobalMem;
    return true;
}

static void forget(struct replay *replay)
{
    if (replay->graph)
        cudaGraphExecDestroy(replay->graph);
}

static void cuda_close(struct device *d)
{
    for (int i = 0; i < d->n_replays; i++)
        forget(&d->replays[i]);
    blas_close(d);
    cuda_maps_close(d);
    if (d->stream)
        cudaStreamDestroy(d->stream);
    free(d->replays);
    free(d);
}

static struct device *cuda_open(const struct device_options *options, struct err *err)
{
    if (!cuda_probe(options->number, err))
        return NULL;
    struct device *d = xcalloc(1, sizeof *d);
    d->number = options->number;
    if (describe_device(d) && cuda_succeeded(d, cudaStreamCreate(&d->stream), "making a stream") && blas_open(d))
        return d;
    err_set(err, d->failure.code, "%s", d->failure.text);
    cuda_close(d);
    return NULL;
}

/* Memory */

static void *cuda_allocate(struct device *d, size_t size_bytes, const char *what, struct err *err)
{
    void *memory = NULL;
    cudaError_t status = cudaMalloc(&memory, size_bytes);
    if (status == cudaSuccess)
        return memory;
    size_t free_bytes = 0, all = 0;
    cudaGetLastError(); /* out of memory is no fault of the device */
    cudaMemGetInfo(&free_bytes, &all);
    return err_null(err, status == cudaErrorMemoryAllocation ? ERR_NOMEM : ERR_DEVICE,
                    "cannot allocate %zu bytes on cuda:%d for %s (%zu of %zu are free): %s", size_bytes, d->number,
                    what, free_bytes, all, cudaGetErrorString(status));
}

static void cuda_release(struct device *d, void *memory)
{
    cuda_succeeded(d, cudaFree(memory), "releasing memory");
}

static void cuda_upload(struct device *d, void *to, const void *from, size_t size_bytes)
{
    if (!d->failure.code)
        cuda_succeeded(d, cudaMemcpyAsync(to, from, size_bytes, cudaMemcpyHostToDevice, d->stream), "an upload");
}

/* What could not be computed reads as NaN. */
static void cuda_download(struct device *d, void *to, const void *from, size_t size_bytes)
{
    if (!d->failure.code &&
        cuda_succeeded(d, cudaMemcpyAsync(to, from, size_bytes, cudaMemcpyDeviceToHost, d->stream), "a download") &&
        cuda_succeeded(d, cudaStreamSynchronize(d->stream), "a step"))
        return;
    memset(to, 0xff, size_bytes);
}

/* Kernels */

static bool cuda_prepare_kernel(struct device *d, struct kernel *kernel, struct arena *arena, struct err *err)
{
    const struct op_kernels *row = &ops[kernel->node->op];
    if (!row->run && !row->prepare)
        return err_set(err, ERR_FAILED, "cuda has no kernel for '%s'", op_table[kernel->node->op].name);
    kernel->run = row->run;
    return !row->prepare || row->prepare(d, kernel, arena, err);
}

static void launch(struct device *d, const struct kernel *kernels, int n_kernels)
{
    for (int i = 0; i < n_kernels; i++)
        kernels[i].run(&kernels[i], d);
    cuda_succeeded(d, cudaGetLastError(), "launching kernels");
}

static struct replay *replay_of(struct device *d, const struct kernel *kernels)
{
    for (int i = 0; i < d->n_replays; i++)
        if (d->replays[i].kernels == kernels)
            return &d->replays[i];
    d->replays = xgrow(d->replays, &d->cap_replays, (size_t)d->n_replays + 1, sizeof *d->replays);
    d->replays[d->n_replays] = (struct replay){.kernels = kernels};
    return &d->replays[d->n_replays++];
}

static void record(struct device *d, struct replay *replay, int n_kernels)
{
    cudaGraph_t graph = NULL;
    if (!cuda_succeeded(d, cudaStreamBeginCapture(d->stream, cudaStreamCaptureModeThreadLocal), "recording a step"))
        return;
    launch(d, replay->kernels, n_kernels);
    if (cuda_succeeded(d, cudaStreamEndCapture(d->stream, &graph), "recording a step") && !d->failure.code)
        cuda_succeeded(d, cudaGraphInstantiate(&replay->graph, graph, 0), "making a graph of a step");
    if (graph)
        cudaGraphDestroy(graph);
}

/* A step: launched the first time (libraries then choose and load what they need), recorded the second. A kernel by
 * itself is one that is timed. */
static void cuda_run(struct device *d, const struct kernel *kernels, int n_kernels)
{
    if (d->failure.code || !n_kernels)
        return;
    if (n_kernels == 1) {
        launch(d, kernels, 1);
        cuda_succeeded(d, cudaStreamSynchronize(d->stream), op_table[kernels->node->op].name);
        return;
    }
    struct replay *replay = replay_of(d, kernels);
    if (!replay->warm) {
        launch(d, kernels, n_kernels);
        replay->warm = true;
        return;
    }
    if (!replay->graph)
        record(d, replay, n_kernels);
    if (replay->graph)
        cuda_succeeded(d, cudaGraphLaunch(replay->graph, d->stream), "replaying a step");
}

static void cuda_retire(struct device *d, const struct kernel *kernels)
{
    for (int i = 0; i < d->n_replays; i++)
        if (d->replays[i].kernels == kernels) {
            forget(&d->replays[i]);
            d->replays[i] = d->replays[--d->n_replays];
            return;
        }
}

static bool cuda_works(struct device *d, struct err *err)
{
    if (!d->failure.code)
        return true;
    return err_set(err, d->failure.code, "%s", d->failure.text);
}

static bool cuda_multiplies_bfloat16(const struct device *d)
{
    return d->major >= 8;
}

static void cuda_describe(struct device *d, struct str *out)
{
    str_addf(out, "%s, compute capability %d.%d, %d multiprocessors, %.1f GB", d->name, d->major, d->minor,
             d->n_processors, (double)d->memory_bytes / 1e9);
}

const struct backend backend_cuda = {
    .name = "cuda",
    .probe = cuda_probe,
    .open = cuda_open,
    .close = cuda_close,
    .allocate = cuda_allocate,
    .release = cuda_release,
    .upload = cuda_upload,
    .download = cuda_download,
    .prepare = cuda_prepare_kernel,
    .run = cuda_run,
    .ready = cuda_maps_ready,
    .retire = cuda_retire,
    .works = cuda_works,
    .bfloat16_products = cuda_multiplies_bfloat16,
    .measure = cuda_measure,
    .describe = cuda_describe,
};
