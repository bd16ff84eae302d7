/* plugin.c - see plugin.h */
#include "engine/plan/plugin.h"
#include "base/io.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char file_name[] = "antler-cuda.so";

bool plugin_has_driver(const char *root)
{
    /* the second where the device files are made on first use; the third is Windows' */
    static const char *const names[] = {"/dev/nvidiactl", "/proc/driver/nvidia/version",
                                        "/usr/lib/wsl/lib/libcuda.so.1"};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !found; i++) {
        char *path = xprintf("%s%s", root, names[i]);
        found = !access(path, F_OK);
        free(path);
    }
    return found;
}

/* The folder of the running program; free() it. */
static char *program_folder(void)
{
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = 0;
    return path_folder(program);
}

/* free() it. */
static char *find_file(struct err *err)
{
    char *beside = program_folder(), *installed = path_join(beside, ANTLER_PLUGIN_FOLDER);
    char *path = NULL;
    for (int i = 0; i < 2 && !path; i++) {
        path = path_join(i ? installed : beside, file_name);
        if (access(path, F_OK)) {
            free(path);
            path = NULL;
        }
    }
    if (!path)
        err_set(
            err, ERR_DEVICE,
            "this build has no CUDA backend (there is no %s in '%s' or '%s'): build antler where nvcc is installed, "
            "or use cpu",
            file_name, beside, installed);
    free(beside);
    free(installed);
    return path;
}

/* dlerror's text is "<file>: <what is wrong with it>". */
static void *open_file(const char *path, struct err *err)
{
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *why = plugin ? "" : dlerror();
    if (plugin)
        return plugin;
    if (strstr(why, "undefined symbol"))
        return err_null(err, ERR_DEVICE,
                        "%s: it is of another build of antler than this program: install both from one", why);
    if (str_starts(why, path))
        return err_null(err, ERR_DEVICE, "cannot open the CUDA backend: %s", why);
    return err_null(err, ERR_DEVICE,
                    "%s: install the CUDA toolkit that antler was built with, or name the folder of its libraries in "
                    "LD_LIBRARY_PATH, or use cpu",
                    why);
}

const struct backend *plugin_cuda(struct err *err)
{
    static const struct backend *backend;
    if (backend)
        return backend;
    char *path = find_file(err);
    void *plugin = path ? open_file(path, err) : NULL;
    const struct backend *(*get)(int version) = NULL;
    if (plugin) {
        *(void **)&get = dlsym(plugin, "antler_cuda_backend");
        backend = get ? get(BACKEND_VERSION) : NULL;
        if (!backend) {
            dlclose(plugin);
            err_set(err, ERR_DEVICE, "'%s' is of another build of antler than this program: install both from one",
                    path);
        }
    }
    free(path);
    return backend;
}
