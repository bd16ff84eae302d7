/* event_logs.c - see event_logs.h */
#include "persistence/sources/event_logs.h"

#include "base/arena.h"
#include "base/io.h"
#include "base/str.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 4096 };
static const char *const parts[] = {"", "train", "validation"};

static bool is_event_file(const char *name)
{
    return strstr(name, "tfevents") && !str_ends(name, ".profile-empty");
}

static int compare_logs(const void *a, const void *b)
{
    const struct event_log *x = a, *y = b;
    if ((x->part == PART_VALIDATION) != (y->part == PART_VALIDATION))
        return x->part == PART_VALIDATION ? 1 : -1;
    return strcmp(path_name(x->file.path), path_name(y->file.path));
}

static bool has_log(const struct event_logs *logs, const char *path)
{
    for (size_t i = 0; i < logs->n; i++)
        if (!strcmp(logs->list[i].file.path, path))
            return true;
    return false;
}

static void look_into(struct event_logs *logs, int part)
{
    char *folder = *parts[part] ? path_join(logs->folder, parts[part]) : xstrdup(logs->folder);
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) && logs->n < FILES_MAX) {
        if (!is_event_file(entry->d_name))
            continue;
        char *path = path_join(folder, entry->d_name);
        struct event_log log = {.part = part};
        if (!has_log(logs, path) && growing_open(&log.file, path, NULL)) {
            logs->list = xgrow(logs->list, &logs->capacity, logs->n + 1, sizeof *logs->list);
            logs->list[logs->n++] = log;
        }
        free(path);
    }
    if (dir)
        closedir(dir);
    free(folder);
}

void event_logs_look(struct event_logs *logs)
{
    size_t before = logs->n;
    for (int part = 0; part < N_PARTS; part++)
        look_into(logs, part);
    if (logs->n > before)
        qsort(logs->list, logs->n, sizeof *logs->list, compare_logs);
}

static bool folder_has_events(const char *folder, const char *part)
{
    char *path = path_join(folder, part);
    DIR *dir = opendir(path);
    struct dirent *entry;
    bool found = false;
    while (dir && !found && (entry = readdir(dir)))
        found = is_event_file(entry->d_name);
    if (dir)
        closedir(dir);
    free(path);
    return found;
}

bool event_logs_are_in(const char *folder)
{
    bool found = false;
    for (int part = 0; part < N_PARTS && !found; part++)
        found = folder_has_events(folder, parts[part]);
    return found;
}

char *event_logs_folder(const char *path)
{
    char *folder = path_is_folder(path) ? xstrdup(path) : path_folder(path);
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--)
        folder[n - 1] = 0;
    if (!strcmp(path_name(folder), parts[PART_TRAIN]) || !strcmp(path_name(folder), parts[PART_VALIDATION])) {
        char *above = path_folder(folder);
        free(folder);
        folder = above;
    }
    return folder;
}

void event_logs_release(struct event_logs *logs)
{
    for (size_t i = 0; i < logs->n; i++)
        growing_close(&logs->list[i].file);
    free(logs->list);
    free(logs->folder);
    *logs = (struct event_logs){0};
}
