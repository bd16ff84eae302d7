/* backends.c - the backends there are, by name, see backend.h */
#include <string.h>

#include "engine/plan/backend.h"

/* The first is "auto". */
static const struct backend *const backends[] = {&backend_cpu, &backend_reference};
enum { N_BACKENDS = sizeof backends / sizeof backends[0] };

/* "cuda" or "cuda:K" */
static bool is_cuda(const char *name)
{
    if (!str_starts(name, "cuda"))
        return false;
    name += strlen("cuda");
    return !*name || (*name == ':' && name[1] && strspn(name + 1, "0123456789") == strlen(name + 1));
}

const struct backend *backend_find(const char *name, struct err *err)
{
    static const char *const names[] = {"auto", "cpu", "cuda"};
    if (!strcmp(name, "auto"))
        return backends[0];
    for (int i = 0; i < N_BACKENDS; i++)
        if (!strcmp(backends[i]->name, name))
            return backends[i];
    if (is_cuda(name))
        return err_null(err, ERR_DEVICE, "device '%s' is not available: this build has no CUDA backend; use cpu", name);
    err_set(err, ERR_DEVICE, "there is no device '%s', expected auto, cpu, cuda or cuda:K", name);
    err_nearest(err, str_nearest(name, names, sizeof names / sizeof names[0]));
    return NULL;
}
