/* plugin.c - the one name that antler-cuda.so gives away; engine/plan/plugin.h asks for it */
#include "engine/cuda/cuda.h"

__attribute__((visibility("default"))) const struct backend *antler_cuda_backend(int version)
{
    return version == BACKEND_VERSION ? &backend_cuda : NULL;
}
