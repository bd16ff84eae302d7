/* backends.c - the backends there are, by name, see backend.h */
#include <string.h>

#include "engine/plan/backend.h"

/* The first is "auto". */
static const struct backend *const backends[] = {&backend_cpu, &backend_reference};
enum { N_BACKENDS = sizeof backends / sizeof backends[0] };

const struct backend *backend_find(const char *name, struct err *err)
{
    const char *names[N_BACKENDS + 1] = {"auto"};
    struct str known = {0};
    str_add(&known, "auto");
    for (int i = 0; i < N_BACKENDS; i++) {
        names[i + 1] = backends[i]->name;
        str_addf(&known, ", %s", backends[i]->name);
    }
    const struct backend *found = strcmp(name, "auto") ? NULL : backends[0];
    for (int i = 0; i < N_BACKENDS && !found; i++)
        if (!strcmp(backends[i]->name, name))
            found = backends[i];
    if (!found) {
        err_set(err, ERR_DEVICE, "no device '%s' in this build, there is: %s", name, str_text(&known));
        err_nearest(err, str_nearest(name, names, N_BACKENDS + 1));
    }
    str_release(&known);
    return found;
}
