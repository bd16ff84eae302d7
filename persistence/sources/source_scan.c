/* source_scan.c - see source_scan.h */
#include "persistence/sources/source_scan.h"

#include "base/arena.h"
#include "base/io.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 8, ENTRIES_MAX = 200000 };

struct scan {
    struct source_list *list;
    size_t root_length; /* of the folder's path: what comes behind it is the name */
    size_t n_entries;
};

bool source_is_model_name(const char *name)
{
    return str_ends(name, ".keras") || str_ends(name, ".h5") || str_ends(name, ".hdf5");
}

static bool is_likely(const char *name)
{
    static const char *const endings[] = {".wandb", ".csv", ".csv.gz", ".tsv", ".tsv.gz"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (str_ends(name, endings[i]))
            return true;
    return strstr(name, "tfevents") ||
           (strstr(name, "hist") && (str_ends(name, ".json") || str_ends(name, ".json.gz")));
}

static void add(struct source_list *list, const char *path, const struct source *source, size_t root_length)
{
    size_t known = list->paths.n, id = name_table_id(&list->paths, path, strlen(path));
    if (id < known)
        return;
    char *last = source_name(path), *name;
    size_t length = strlen(path), tail = strlen(path_name(path));
    if (root_length && length > root_length + 1 + tail)
        name = xprintf("%.*s/%s", (int)(length - root_length - tail - 2), path + root_length + 1, last);
    else
        name = xstrdup(last);
    size_t name_id = name_table_id(&list->names, name, strlen(name));
    list->found = xgrow(list->found, &list->capacity, list->n + 1, sizeof *list->found);
    list->found[list->n++] = (struct source_found){list->paths.list[id], list->names.list[name_id], source};
    free(name);
    free(last);
}

static void look_at_file(struct scan *scan, const char *path)
{
    const struct source *source = source_of(path, NULL);
    char *whole = source && source->whole ? source->whole(path) : xstrdup(path);
    if (source)
        add(scan->list, whole, source, scan->root_length);
    free(whole);
}

void source_list_pass_by(struct source_list *list, const char *home)
{
    struct stat st;
    list->has_home = !stat(home, &st);
    list->home_device = list->has_home ? (uint64_t)st.st_dev : 0;
    list->home_inode = list->has_home ? (uint64_t)st.st_ino : 0;
}

bool source_list_is_home(const struct source_list *list, const char *folder)
{
    struct stat st;
    return list->has_home && !stat(folder, &st) && (uint64_t)st.st_dev == list->home_device &&
           (uint64_t)st.st_ino == list->home_inode;
}

static int skip_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void look_into(struct scan *scan, const char *folder, int depth)
{
    struct dirent **entries;
    if (source_list_is_home(scan->list, folder)) {
        scan->list->met_home = true;
        return;
    }
    char *log = path_join(folder, "history.log");
    bool is_run = path_exists(log);
    free(log);
    if (is_run && source_of(folder, NULL) == &source_log) {
        add(scan->list, folder, &source_log, scan->root_length);
        return;
    }
    int n = scandir(folder, &entries, skip_hidden, alphasort);
    for (int i = 0; i < n; i++) {
        char *path = path_join(folder, entries[i]->d_name);
        struct stat st;
        scan->list->cut = scan->list->cut || ++scan->n_entries > ENTRIES_MAX;
        bool seen = scan->n_entries <= ENTRIES_MAX && !lstat(path, &st);
        if (seen && S_ISDIR(st.st_mode)) {
            if (depth < DEPTH_MAX)
                look_into(scan, path, depth + 1);
            else
                scan->list->cut = true;
        } else if (seen && S_ISREG(st.st_mode)) {
            scan->list->n_models += source_is_model_name(entries[i]->d_name);
            if (is_likely(entries[i]->d_name))
                look_at_file(scan, path);
        }
        free(path);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

bool source_scan(const char *path, struct source_list *list, struct err *err)
{
    struct scan scan = {.list = list};
    if (!path_exists(path))
        return err_set(err, ERR_NOT_FOUND, "there is no '%s'", path);
    if (!path_is_folder(path)) {
        const struct source *source = source_of(path, err);
        char *whole = source && source->whole ? source->whole(path) : xstrdup(path);
        if (source)
            add(list, whole, source, 0);
        free(whole);
        return source != NULL;
    }
    char *folder = xstrdup(path);
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--)
        folder[n - 1] = 0;
    scan.root_length = strlen(folder);
    look_into(&scan, folder, 0);
    free(folder);
    return true;
}

void source_list_release(struct source_list *list)
{
    name_table_release(&list->paths);
    name_table_release(&list->names);
    free(list->found);
    *list = (struct source_list){0};
}
