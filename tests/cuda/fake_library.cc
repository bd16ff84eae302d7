/* fake_library.cc - loading and launching code that fake_nvrtc.cc made: shared objects, whose kernels have the operands
 * of a map (engine/cuda/map_text.h) as their only parameter */
#include "cuda_shim.h"
#include "fake_cuda.h"
#include "fake_nvrtc.h"

#include <dlfcn.h>
#include <map>
#include <stdlib.h>
#include <string>
#include <unistd.h>

int fake_library_launches;

struct parameter {
    char bytes[4096];
};
struct CUkern_st {
    void (*function)(struct parameter);
    size_t parameter_bytes;
    std::string name;
};
static std::map<void *, CUkern_st> kernels; /* by function */

extern "C" cudaError_t cudaLibraryLoadData(cudaLibrary_t *library, const void *code, enum cudaJitOption *, void **,
                                           unsigned, enum cudaLibraryOption *, void **, unsigned)
{
    static const unsigned char elf[4] = {0x7f, 'E', 'L', 'F'};
    char path[] = "/tmp/antler-fake-library-XXXXXX";
    if (memcmp(code, elf, sizeof elf))
        return cudaErrorInvalidValue;
    const unsigned char *header = (const unsigned char *)code;
    uint64_t sections;
    uint16_t section_bytes, n_sections;
    memcpy(&sections, header + 40, 8);
    memcpy(&section_bytes, header + 58, 2);
    memcpy(&n_sections, header + 60, 2);
    size_t bytes = sections + (size_t)section_bytes * n_sections;
    int fd = mkstemp(path);
    bool written = fd >= 0 && write(fd, code, bytes) == (ssize_t)bytes;
    close(fd);
    *library = written ? (cudaLibrary_t)dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    unlink(path);
    return *library && !fake_fails() ? cudaSuccess : cudaErrorLaunchFailure;
}

extern "C" cudaError_t cudaLibraryUnload(cudaLibrary_t library)
{
    return dlclose((void *)library) ? cudaErrorInvalidValue : cudaSuccess;
}

extern "C" cudaError_t cudaLibraryGetKernel(cudaKernel_t *kernel, cudaLibrary_t library, const char *name)
{
    void *function = dlsym((void *)library, name);
    const unsigned long *bytes = (const unsigned long *)dlsym((void *)library, (std::string(name) + "_bytes").c_str());
    if (!function || !bytes || *bytes > sizeof(struct parameter))
        return cudaErrorSymbolNotFound;
    kernels[function] = {(void (*)(struct parameter))function, *bytes, name};
    *kernel = &kernels[function];
    return cudaSuccess;
}

extern "C" cudaError_t cudaLaunchKernel(const void *kernel, dim3 grid, dim3 block, void **parameters, size_t,
                                        cudaStream_t stream)
{
    const struct CUkern_st *k = (const struct CUkern_st *)kernel;
    struct parameter p;
    fake_library_launches++;
    memcpy(p.bytes, parameters[0], k->parameter_bytes);
    shim_launch(k->name.c_str(), grid.x, block.x, false, stream, [=]() { k->function(p); });
    return fake_fails() ? cudaErrorLaunchFailure : cudaSuccess;
}
