/* variables.c - storage of variables on a device, see plan.h */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "engine/plan/plan.h"

/* First values on the host: fill's, or zeros; none for what a file will bring. */
static bool fill(const struct variable *v, uint64_t seed, void *host, struct err *err)
{
    if (v->from_file)
        return true;
    memset(host, 0, variable_bytes(v));
    if (!v->fill || v->dtype == DTYPE_I32 || v->fill(v, seed, host, err))
        return true;
    return err_prefix(err, "variable '%s'", v->path);
}

static bool allocate(struct variable *v, const struct backend *backend, struct device *device, uint64_t seed,
                     struct err *err)
{
    char what[200];
    snprintf(what, sizeof what, "variable '%s'", v->path);
    void *memory = backend->allocate(device, variable_bytes(v), what, err);
    void *host = memory && !backend->host_memory ? io_allocate(variable_bytes(v), what, err) : memory;
    bool ok = host && fill(v, seed, host, err);
    if (ok && host != memory)
        backend->upload(device, memory, host, variable_bytes(v));
    if (host != memory)
        free(host);
    if (!ok && memory)
        backend->release(device, memory);
    v->data = ok ? memory : NULL;
    return ok;
}

bool variables_allocate(struct variable *const *variables, int n, const struct backend *backend, struct device *device,
                        uint64_t seed, struct err *err)
{
    bool *fresh = xcalloc((size_t)n + 1, sizeof *fresh), ok = true;
    for (int i = 0; i < n && ok; i++)
        if (!variables[i]->data)
            fresh[i] = ok = allocate(variables[i], backend, device, seed, err);
    for (int i = 0; i < n && !ok; i++)
        if (fresh[i])
            variables_release(&variables[i], 1, backend, device);
    free(fresh);
    return ok;
}

void variables_release(struct variable *const *variables, int n, const struct backend *backend, struct device *device)
{
    for (int i = 0; i < n; i++) {
        if (variables[i]->data)
            backend->release(device, variables[i]->data);
        variables[i]->data = NULL;
    }
}
