/* fake_cuda.cc - see fake_cuda.h and cuda_shim.h */
#include "fake_cuda.h"
#include "cuda_shim.h"

#include <map>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

/* The device's memory */

struct piece {
    size_t bytes, pages;
};
static std::map<char *, piece> pieces;
enum { PAGE = 4096 };
/* What a variable of the environment says, else a machine as it should be. */
static int number_of(const char *name, int otherwise)
{
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

static const size_t device_bytes = (size_t)number_of("ANTLER_FAKE_CUDA_MEGABYTES", 2048) << 20;
static const size_t MOST_FILLED = (size_t)16 << 20; /* larger: a library's workspace, nothing reads it */
static size_t in_use;
static int opened; /* kernels may run inside of work */

static void protect(int how)
{
    for (auto &p : pieces)
        if (mprotect(p.first, p.second.pages, how))
            abort();
}

static void with_memory(const std::function<void()> &work)
{
    if (!opened++)
        protect(PROT_READ | PROT_WRITE);
    work();
    if (!--opened)
        protect(PROT_NONE);
}

static int n_calls;

static void count_calls(void)
{
    FILE *file = fopen(getenv("ANTLER_FAKE_CUDA_COUNT"), "w");
    if (file) {
        fprintf(file, "%d", n_calls);
        fclose(file);
    }
}

bool fake_fails(void)
{
    static const char *fail = getenv("ANTLER_FAKE_CUDA_FAIL"), *count = getenv("ANTLER_FAKE_CUDA_COUNT");
    n_calls++;
    if (count && n_calls == 1)
        atexit(count_calls);
    return fail && n_calls == atoi(fail);
}

extern "C" cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    if (fake_fails() || in_use + bytes > device_bytes)
        return cudaErrorMemoryAllocation;
    size_t pages = (bytes + PAGE - 1) / PAGE * PAGE + PAGE; /* and one that nobody has */
    char *at = (char *)mmap(NULL, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return cudaErrorMemoryAllocation;
    if (bytes <= MOST_FILLED)
        memset(at, 0xff, pages - PAGE);
    mprotect(at, pages, PROT_NONE);
    pieces[at] = {bytes, pages - PAGE};
    in_use += bytes;
    *memory = at;
    return cudaSuccess;
}

extern "C" cudaError_t cudaFree(void *memory)
{
    auto p = pieces.find((char *)memory);
    if (p == pieces.end())
        return memory ? cudaErrorInvalidValue : cudaSuccess;
    in_use -= p->second.bytes;
    munmap(memory, p->second.pages + PAGE);
    pieces.erase(p);
    return cudaSuccess;
}

extern "C" cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *all)
{
    *free_bytes = device_bytes - in_use;
    *all = device_bytes;
    return cudaSuccess;
}

/* Streams and graphs */

typedef std::vector<std::function<void()>> work_list;
struct CUstream_st {
    bool capturing;
    work_list recorded;
};
struct CUgraph_st {
    work_list work;
};
struct CUgraphExec_st {
    work_list work;
};
static cudaError_t last_error;

void fake_enqueue(void *stream, std::function<void()> work)
{
    CUstream_st *s = (CUstream_st *)stream;
    if (s && s->capturing)
        s->recorded.push_back(work);
    else
        with_memory(work);
}

void fake_enqueue_call(void *stream, void (*work)(const void *context), const void *context)
{
    fake_enqueue(stream, [=]() { work(context); });
}

extern "C" cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
    if (fake_fails())
        return cudaErrorMemoryAllocation;
    *stream = new CUstream_st();
    return cudaSuccess;
}

extern "C" cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    delete stream;
    return cudaSuccess;
}

extern "C" cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    if (stream->capturing)
        return cudaErrorStreamCaptureUnsupported;
    return fake_fails() ? cudaErrorLaunchFailure : cudaSuccess;
}

extern "C" cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode)
{
    if (stream->capturing)
        return cudaErrorStreamCaptureUnsupported;
    stream->capturing = true;
    return cudaSuccess;
}

extern "C" cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    stream->capturing = false;
    *graph = new CUgraph_st{stream->recorded};
    stream->recorded.clear();
    return fake_fails() ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
}

extern "C" cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    if (fake_fails())
        return cudaErrorMemoryAllocation;
    *exec = new CUgraphExec_st{graph->work};
    return cudaSuccess;
}

extern "C" cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t)
{
    with_memory([exec]() {
        for (auto &work : exec->work)
            work();
    });
    return fake_fails() ? cudaErrorLaunchFailure : cudaSuccess;
}

extern "C" cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

extern "C" cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    delete exec;
    return cudaSuccess;
}

extern "C" cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind, cudaStream_t stream)
{
    if (fake_fails())
        return cudaErrorLaunchFailure;
    fake_enqueue(stream, [=]() { memcpy(to, from, bytes); });
    return cudaSuccess;
}

extern "C" cudaError_t cudaMemsetAsync(void *to, int byte, size_t bytes, cudaStream_t stream)
{
    if (fake_fails())
        return cudaErrorLaunchFailure;
    fake_enqueue(stream, [=]() { memset(to, byte, bytes); });
    return cudaSuccess;
}

/* The device */

extern "C" cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

extern "C" cudaError_t cudaDriverGetVersion(int *version)
{
    *version = number_of("ANTLER_FAKE_CUDA_DRIVER", 13000);
    return cudaSuccess;
}

extern "C" cudaError_t cudaGetDeviceCount(int *n)
{
    int driver = 0;
    cudaDriverGetVersion(&driver);
    *n = number_of("ANTLER_FAKE_CUDA_DEVICES", 1);
    return driver < 13000 ? cudaErrorInsufficientDriver : *n ? cudaSuccess : cudaErrorNoDevice;
}

extern "C" cudaError_t cudaSetDevice(int number)
{
    return number ? cudaErrorInvalidDevice : cudaSuccess;
}

extern "C" cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int)
{
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "no GPU, a loop");
    p->major = 9;
    p->multiProcessorCount = 4;
    p->totalGlobalMem = device_bytes;
    return cudaSuccess;
}

extern "C" cudaError_t cudaGetLastError(void)
{
    cudaError_t status = last_error;
    last_error = cudaSuccess;
    return status;
}

extern "C" const char *cudaGetErrorString(cudaError_t status)
{
    return status == cudaErrorMemoryAllocation ? "out of memory" : "it was told to fail";
}

extern "C" const char *cudaGetErrorName(cudaError_t status)
{
    return status == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "cudaErrorLaunchFailure";
}

/* Blocks and threads */

struct shim_place shim_grid, shim_block, shim_block_index, shim_thread_index;

enum waiting { RUNS, AT_BLOCK_BARRIER, AT_WARP_BARRIER, ENDED };
enum { MOST_THREADS = 1024, STACK_BYTES = 64 << 10, LANES = 32 };
struct place {
    void *words[5];
};
struct fiber {
    struct place place; /* where it goes on; it is there for the next block when it has ended */
    enum waiting waiting;
    uint32_t words[2], turn; /* given in turns: one is read by all before the next but one is given */
};
static struct fiber fibers[MOST_THREADS];
static int n_started;
static struct place scheduler;
static int current = -1;
static const char *kernel_name;
static const std::function<void()> *body;

#define UNCHECKED __attribute__((noinline, no_sanitize("address", "undefined")))

UNCHECKED static void go_to(struct place *to)
{
    __builtin_longjmp(to->words, 1);
}

/* Leaves a place, to be continued there; a system call for each of some millions would take most of the time. */
UNCHECKED static void change(struct place *from, struct place *to)
{
    if (!__builtin_setjmp(from->words))
        go_to(to);
}

static void wait_as(enum waiting waiting)
{
    if (current < 0) {
        fprintf(stderr, "%s: a thread waits for others, but was launched by itself (LAUNCH_TOGETHER)\n", kernel_name);
        abort();
    }
    fibers[current].waiting = waiting;
    change(&fibers[current].place, &scheduler);
}

void shim_block_barrier(void)
{
    wait_as(AT_BLOCK_BARRIER);
}

uint32_t shim_exchange(uint32_t, uint32_t word, int from)
{
    int me = current;
    uint32_t turn = 0;
    if (me >= 0) {
        turn = fibers[me].turn ^= 1;
        fibers[me].words[turn] = word;
    }
    wait_as(AT_WARP_BARRIER);
    return fibers[me / LANES * LANES + from].words[turn];
}

static void fiber_main(void)
{
    for (;;) {
        (*body)();
        fibers[current].waiting = ENDED;
        change(&fibers[current].place, &scheduler);
    }
}

UNCHECKED static void enter(ucontext_t *context)
{
    if (!__builtin_setjmp(scheduler.words))
        setcontext(context);
}

/* Runs a fiber until it waits. */
static void resume(int t)
{
    static ucontext_t context;
    current = t;
    shim_thread_index = {(unsigned)t, 0, 0};
    if (t < n_started) {
        change(&scheduler, &fibers[t].place);
        return;
    }
    n_started = t + 1;
    getcontext(&context);
    context.uc_stack.ss_sp = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    context.uc_stack.ss_size = STACK_BYTES;
    context.uc_link = NULL;
    makecontext(&context, fiber_main, 0);
    enter(&context);
}

/* Releases those of [from, to) that all wait as told; a thread that ended while others wait is a mistake. */
static bool release(int from, int to, enum waiting waiting)
{
    int n = 0, ended = 0;
    for (int t = from; t < to; t++) {
        n += fibers[t].waiting == waiting;
        ended += fibers[t].waiting == ENDED;
    }
    if (n && n + ended == to - from && ended) {
        fprintf(stderr, "%s: %d of %d threads wait where the others have ended\n", kernel_name, n, to - from);
        abort();
    }
    if (n != to - from)
        return false;
    for (int t = from; t < to; t++)
        fibers[t].waiting = RUNS;
    return true;
}

static void run_together(int n)
{
    for (int t = 0; t < n; t++) {
        fibers[t].waiting = RUNS;
        fibers[t].turn = 0;
    }
    for (bool some = true; some;) {
        some = false;
        for (int t = 0; t < n; t++) {
            if (fibers[t].waiting != RUNS)
                continue;
            some = true;
            resume(t);
        }
        for (int w = 0; w < n; w += LANES)
            some |= release(w, w + LANES < n ? w + LANES : n, AT_WARP_BARRIER);
        some |= release(0, n, AT_BLOCK_BARRIER);
    }
    current = -1;
    for (int t = 0; t < n; t++)
        if (fibers[t].waiting != ENDED) {
            fprintf(stderr, "%s: threads wait for each other at different places\n", kernel_name);
            abort();
        }
}

static void run_blocks(const char *name, unsigned n_blocks, unsigned n_threads, bool together,
                       const std::function<void()> &thread)
{
    kernel_name = name;
    body = &thread;
    shim_grid = {n_blocks, 1, 1};
    shim_block = {n_threads, 1, 1};
    for (unsigned b = 0; b < n_blocks; b++) {
        shim_block_index = {b, 0, 0};
        if (together) {
            run_together((int)n_threads);
            continue;
        }
        for (unsigned t = 0; t < n_threads; t++) {
            shim_thread_index = {t, 0, 0};
            thread();
        }
    }
}

void shim_launch(const char *name, unsigned n_blocks, unsigned n_threads, bool together, void *stream,
                 std::function<void()> thread)
{
    if (!n_blocks || !n_threads || n_threads > MOST_THREADS) {
        last_error = cudaErrorInvalidConfiguration;
        return;
    }
    fake_enqueue(stream, [=]() { run_blocks(name, n_blocks, n_threads, together, thread); });
}
