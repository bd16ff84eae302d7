/* jit.c - see jit.h */
#include "engine/cuda/jit.h"

#include <nvrtc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/io.h"
#include "base/log.h"
#include "engine/cuda/jit_cache.h"

enum { OPTIONS = 3, ARCHITECTURES_MAX = 64 };
static const char *const fixed_options[OPTIONS - 1] = {"--std=c++17", "--fmad=false"};

bool jit_architecture(char out[24], int major, int minor, struct err *err)
{
    int n = 0, known[ARCHITECTURES_MAX], wanted = major * 10 + minor, best = 0;
    if (nvrtcGetNumSupportedArchs(&n) || n < 1 || n > ARCHITECTURES_MAX || nvrtcGetSupportedArchs(known))
        return err_set(err, ERR_DEVICE, "NVRTC does not say what it compiles for");
    for (int i = 0; i < n; i++)
        if (known[i] <= wanted && known[i] > best)
            best = known[i];
    if (!best)
        return err_set(err, ERR_DEVICE,
                       "the device has compute capability %d.%d, NVRTC here compiles for %d.%d and above", major, minor,
                       known[0] / 10, known[0] % 10);
    return snprintf(out, 24, "%s_%d", best == wanted ? "sm" : "compute", best) > 0;
}

static bool nvrtc_succeeded(nvrtcResult status, const char *what, struct err *err)
{
    return status == NVRTC_SUCCESS || err_set(err, status == NVRTC_ERROR_OUT_OF_MEMORY ? ERR_NOMEM : ERR_FAILED,
                                              "%s: NVRTC says '%s'", what, nvrtcGetErrorString(status));
}

/* Puts what the compiler said behind the error. */
static void add_log(nvrtcProgram program, struct err *err)
{
    size_t bytes = 0;
    if (nvrtcGetProgramLogSize(program, &bytes) || bytes < 2)
        return;
    char *log = xcalloc(bytes + 1, 1);
    if (!nvrtcGetProgramLog(program, log))
        err_set(err, err->code, "%s: %.1000s", err->text, log);
    free(log);
}

static bool take_code(nvrtcProgram program, bool binary, void **code, size_t *size_bytes, struct err *err)
{
    const char *what = "cannot read compiled kernels";
    nvrtcResult status = binary ? nvrtcGetCUBINSize(program, size_bytes) : nvrtcGetPTXSize(program, size_bytes);
    if (!nvrtc_succeeded(status, what, err))
        return false;
    *code = xmalloc(*size_bytes);
    status = binary ? nvrtcGetCUBIN(program, *code) : nvrtcGetPTX(program, *code);
    if (nvrtc_succeeded(status, what, err))
        return true;
    free(*code);
    *code = NULL;
    return false;
}

bool jit_compile(const char *text, const char *architecture, void **code, size_t *size_bytes, struct err *err)
{
    nvrtcProgram program = NULL;
    char chosen[64];
    snprintf(chosen, sizeof chosen, "--gpu-architecture=%s", architecture);
    const char *options[OPTIONS] = {chosen, fixed_options[0], fixed_options[1]};
    if (!nvrtc_succeeded(nvrtcCreateProgram(&program, text, "maps.cu", 0, NULL, NULL), "cannot compile kernels", err))
        return false;
    bool ok = nvrtc_succeeded(nvrtcCompileProgram(program, OPTIONS, options), "cannot compile kernels", err);
    if (ok)
        ok = take_code(program, str_starts(architecture, "sm_"), code, size_bytes, err);
    else
        add_log(program, err);
    nvrtcDestroyProgram(&program);
    return ok;
}

/* Everything that code is made from. */
static char *key_of(const char *text, const char *architecture)
{
    int major = 0, minor = 0;
    nvrtcVersion(&major, &minor);
    return xprintf("NVRTC %d.%d %s %s %s\n%s", major, minor, architecture, fixed_options[0], fixed_options[1], text);
}

static cudaError_t load(cudaLibrary_t *library, const void *code)
{
    return cudaLibraryLoadData(library, code, NULL, NULL, 0, NULL, NULL, 0);
}

/* From the disk; what is there but cannot be loaded is compiled again. */
static bool load_kept(const char *key, cudaLibrary_t *library)
{
    void *code = NULL;
    size_t size_bytes = 0;
    if (!jit_cache_read(key, &code, &size_bytes))
        return false;
    bool loaded = load(library, code) == cudaSuccess;
    if (!loaded)
        cudaGetLastError();
    free(code);
    return loaded;
}

bool jit_load(struct device *device, const char *text, cudaLibrary_t *library, struct err *err)
{
    char architecture[24];
    if (!jit_architecture(architecture, device->major, device->minor, err))
        return false;
    char *key = key_of(text, architecture);
    bool ok = load_kept(key, library);
    void *code = NULL;
    size_t size_bytes = 0;
    double start = io_monotonic_seconds();
    if (!ok && jit_compile(text, architecture, &code, &size_bytes, err)) {
        cudaError_t status = load(library, code);
        log_info("kernels for %s compiled in %.1f s", architecture, io_monotonic_seconds() - start);
        ok = status == cudaSuccess;
        if (ok)
            jit_cache_write(key, code, size_bytes);
        else
            err_set(err, status == cudaErrorMemoryAllocation ? ERR_NOMEM : ERR_DEVICE,
                    "cannot load compiled kernels on cuda:%d: %s (%s)", device->number, cudaGetErrorString(status),
                    cudaGetErrorName(status));
    }
    free(code);
    free(key);
    return ok;
}
