/* backends.c - the backends there are, by name, see backend.h */
#include <stdlib.h>
#include <string.h>

#include "engine/plan/plugin.h"

/* "cuda" or "cuda:K" */
static bool is_cuda(const char *name, int *number)
{
    int64_t k = 0;
    if (!str_starts(name, "cuda"))
        return false;
    name += strlen("cuda");
    bool numbered = *name == ':' && name[1] && strspn(name + 1, "0123456789") == strlen(name + 1);
    if (numbered && (!str_to_int64(name + 1, &k) || k > INT32_MAX))
        k = INT32_MAX; /* which no machine has */
    *number = (int)k;
    return !*name || numbered;
}

static bool find_cuda(struct device_choice *choice, struct err *err)
{
    const struct backend *cuda = plugin_cuda(err);
    if (!cuda || (cuda->probe && !cuda->probe(choice->number, err)))
        return false;
    choice->backend = cuda;
    return true;
}

static bool find_any(struct device_choice *choice)
{
    if (plugin_has_driver("") && find_cuda(choice, &choice->passed_over))
        return true;
    choice->backend = &backend_cpu;
    return true;
}

bool backend_find(const char *name, struct device_choice *choice, struct err *err)
{
    static const char *const names[] = {"auto", "cpu", "cuda"};
    static const struct backend *const backends[] = {&backend_cpu, &backend_reference};
    *choice = (struct device_choice){0};
    if (!strcmp(name, "auto"))
        return find_any(choice);
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
        if (!strcmp(backends[i]->name, name)) {
            choice->backend = backends[i];
            return true;
        }
    if (is_cuda(name, &choice->number))
        return find_cuda(choice, err) || err_prefix(err, "device '%s' is not available", name);
    err_set(err, ERR_DEVICE, "there is no device '%s', expected auto, cpu, cuda or cuda:K", name);
    return err_nearest(err, str_nearest(name, names, sizeof names / sizeof names[0]));
}
