/* logs.c - struct logs of callbacks.h */
#include "engine/train/callbacks.h"

#include <stdlib.h>
#include <string.h>

static struct log_entry *find(const struct logs *logs, const char *name)
{
    for (int i = 0; i < logs->n; i++)
        if (!strcmp(logs->entries[i].name, name))
            return &logs->entries[i];
    return NULL;
}

void logs_set(struct logs *logs, const char *name, double value)
{
    struct log_entry *entry = find(logs, name);
    if (!entry) {
        logs->entries = xgrow(logs->entries, &logs->capacity, (size_t)logs->n + 1, sizeof *logs->entries);
        entry = &logs->entries[logs->n++];
        entry->name = name;
    }
    entry->value = value;
}

bool logs_get(const struct logs *logs, const char *name, double *value)
{
    const struct log_entry *entry = find(logs, name);
    if (entry)
        *value = entry->value;
    return entry != NULL;
}

static int compare(const void *a, const void *b)
{
    const char *x = ((const struct log_entry *)a)->name, *y = ((const struct log_entry *)b)->name;
    bool x_validation = str_starts(x, "val_"), y_validation = str_starts(y, "val_");
    return x_validation != y_validation ? x_validation - y_validation : strcmp(x, y);
}

void logs_sort(struct logs *logs)
{
    if (logs->n)
        qsort(logs->entries, (size_t)logs->n, sizeof *logs->entries, compare);
}

void logs_clear(struct logs *logs)
{
    logs->n = 0;
}

void logs_release(struct logs *logs)
{
    free(logs->entries);
    *logs = (struct logs){0};
}
