/* wandb_files.c - see wandb_files.h */
#include "persistence/sources/wandb_files.h"

#include "base/arena.h"
#include "base/io.h"
#include "base/str.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 256 };

/* "offline-run-20260101_120000-abc" -> "20260101_120000"; NULL: another name. */
static const char *date_of(const char *folder, const char *file)
{
    const char *id = str_starts(file, "run-") ? file + 4 : NULL, *name = path_name(folder), *date = NULL;
    size_t length = id ? strcspn(id, ".") : 0, n = strlen(name);
    if (str_starts(name, "offline-run-"))
        date = name + 12;
    else if (str_starts(name, "run-"))
        date = name + 4;
    return date && length && n > length && !strncmp(name + n - length, id, length) && name[n - length - 1] == '-'
               ? date
               : NULL;
}

static int compare_dates(const void *a, const void *b)
{
    char *const *x = a, *const *y = b;
    char *fx = path_folder(*x), *fy = path_folder(*y);
    const char *dx = date_of(fx, path_name(*x)), *dy = date_of(fy, path_name(*y));
    int order = dx && dy ? strcmp(dx, dy) : strcmp(*x, *y);
    free(fx);
    free(fy);
    return order;
}

char **wandb_files(const char *path, size_t *n)
{
    char **files = xcalloc(FILES_MAX, sizeof *files), *folder = path_folder(path), *above = path_folder(folder);
    DIR *dir = date_of(folder, path_name(path)) ? opendir(above) : NULL;
    struct dirent *entry;
    *n = 0;
    while (dir && *n < FILES_MAX && (entry = readdir(dir))) {
        if (entry->d_type == DT_LNK || !date_of(entry->d_name, path_name(path))) /* latest-run is a link */
            continue;
        char *file = xprintf("%s/%s/%s", above, entry->d_name, path_name(path));
        if (path_exists(file))
            files[(*n)++] = file;
        else
            free(file);
    }
    if (dir)
        closedir(dir);
    if (!*n)
        files[(*n)++] = xstrdup(path);
    qsort(files, *n, sizeof *files, compare_dates);
    free(above);
    free(folder);
    return files;
}

char *wandb_first_file(const char *path)
{
    size_t n;
    char **files = wandb_files(path, &n), *first = files[0];
    for (size_t i = 1; i < n; i++)
        free(files[i]);
    free(files);
    return first;
}
