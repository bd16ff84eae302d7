/* fake_nvrtc.h - NVRTC without CUDA, for tests: "code" is a shared object that the host's C++ compiler makes with
 * cuda_shim.h; fake_library.cc loads it as the CUDA runtime loads code.
 */
#ifndef TESTS_CUDA_FAKE_NVRTC_H
#define TESTS_CUDA_FAKE_NVRTC_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif
extern int fake_nvrtc_compilations; /* so many programs were compiled */
extern int fake_library_launches;   /* so many kernels were launched */
extern bool fake_nvrtc_broken;      /* no program is in order */
#ifdef __cplusplus
}
#endif

#endif
