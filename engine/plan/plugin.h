/* plugin.h - the backend `cuda`, opened at run time: the program links no library of CUDA, so it starts in milliseconds
 * and runs where there is none. What the plugin needs of the engine it finds in the program that opens it.
 *
 * The file is antler-cuda.so, beside the program (a build folder) or in ../lib/antler from there (installed); nowhere
 * else is looked. Once open it stays open until the process ends.
 */
#ifndef ENGINE_PLAN_PLUGIN_H
#define ENGINE_PLAN_PLUGIN_H

#include "engine/plan/backend.h"

/* NULL and ERR_DEVICE: there is no such file, one of its libraries is missing, or it is of another build. Takes some
 * 0.4 s the first time. */
const struct backend *plugin_cuda(struct err *err);
/* Is a driver of NVIDIA here, below `root` ("" = this machine)? Looks at three names, opens nothing. */
bool plugin_has_driver(const char *root);

#endif
