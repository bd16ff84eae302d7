/* kept_results.c - see kept_results.h */
#include "persistence/runs/kept_results.h"

#include "base/hash.h"
#include "base/io.h"
#include "persistence/files/atomic_file.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const kinds_of[] = {"evaluate-", "predict-", "texts"}; /* in the order of the bits */

char *kept_path(const char *checkpoint, const char *what)
{
    return xprintf("%s.%s.json", checkpoint, what);
}

/* ---- what it was made of ---- */

/* Every text of the data object that is the name of a file or folder. */
static uint64_t mix_files(uint64_t print, const json_t *json, const char *folder)
{
    const char *text = json_string_value(json), *key;
    const json_t *item;
    json_t *value;
    size_t i;
    struct stat st;
    if (text && *text) {
        char *path = text[0] == '/' ? xstrdup(text) : path_join(folder, text);
        if (!stat(path, &st)) {
            int64_t facts[] = {st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec};
            print = hash_mix(print, facts, sizeof facts);
        }
        free(path);
    }
    json_array_foreach((json_t *)json, i, item)
        print = mix_files(print, item, folder);
    json_object_foreach((json_t *)json, key, value)
        print = mix_files(print, value, folder);
    return print;
}

/* Of the run the checkpoint lies in; 0: it lies in none. */
static uint64_t print_of_data(const char *checkpoint)
{
    struct err ignored;
    char *folder = path_folder(checkpoint), *run = path_folder(folder), *path = path_join(run, "config.json");
    json_t *config = path_exists(path) ? js_read(path, JS_STRICT, &ignored) : NULL;
    const json_t *data = json_object_get(config, "data");
    uint64_t print = 0;
    if (data) {
        char *text = js_text(data, 0);
        print = mix_files(hash_mix(1, text, strlen(text)), data, js_string(config, "folder", run));
        free(text);
    }
    json_decref(config);
    free(path);
    free(run);
    free(folder);
    return print;
}

/* New reference; NULL: there is no such file. */
static json_t *stamp(const char *checkpoint)
{
    struct stat st;
    char print[20];
    if (stat(checkpoint, &st))
        return NULL;
    snprintf(print, sizeof print, "%016llx", (unsigned long long)print_of_data(checkpoint));
    return json_pack("{s:I,s:f,s:s}", "size_bytes", (json_int_t)st.st_size, "modified",
                     (double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec, "data", print);
}

/* ---- the files ---- */

struct visit {
    const char *folder, *prefix; /* prefix: "epoch-0003.keras." */
    size_t prefix_length;
    DIR *dir;
};

static struct visit visit_open(const char *checkpoint)
{
    struct visit v = {.folder = path_folder(checkpoint), .prefix = xprintf("%s.", path_name(checkpoint))};
    v.prefix_length = strlen(v.prefix);
    v.dir = opendir(v.folder);
    return v;
}

static void visit_close(struct visit *v)
{
    if (v->dir)
        closedir(v->dir);
    free((char *)v->folder);
    free((char *)v->prefix);
}

static int kind_of(const char *what)
{
    for (int k = 0; k < 3; k++)
        if (!strncmp(what, kinds_of[k], strlen(kinds_of[k])))
            return k;
    return -1;
}

/* The part between prefix and ".json" of the next one; NULL: no more. free() it. */
static char *visit_next(struct visit *v)
{
    struct dirent *entry;
    while (v->dir && (entry = readdir(v->dir))) {
        size_t length = strlen(entry->d_name);
        if (length <= v->prefix_length + 5 || strncmp(entry->d_name, v->prefix, v->prefix_length) != 0 ||
            strcmp(entry->d_name + length - 5, ".json") != 0 || kind_of(entry->d_name + v->prefix_length) < 0)
            continue;
        return xstrndup(entry->d_name + v->prefix_length, length - 5 - v->prefix_length);
    }
    return NULL;
}

static int64_t bytes_beside(const char *checkpoint)
{
    struct visit v = visit_open(checkpoint);
    struct stat st;
    int64_t bytes = 0;
    for (char *what; (what = visit_next(&v)); free(what)) {
        char *path = kept_path(checkpoint, what);
        bytes += stat(path, &st) ? 0 : st.st_size;
        free(path);
    }
    visit_close(&v);
    return bytes;
}

bool kept_save(const char *checkpoint, const char *what, const json_t *result)
{
    json_t *of = stamp(checkpoint);
    if (!of)
        return false;
    json_t *all = json_pack("{s:f,s:o,s:O}", "made", io_wall_seconds(), "of", of, "result", (json_t *)result);
    char *path = kept_path(checkpoint, what), *text = js_text(all, 0);
    struct err ignored;
    struct stat st;
    int64_t size_bytes = (int64_t)strlen(text), replaced = stat(path, &st) ? 0 : st.st_size;
    bool ok = size_bytes <= KEPT_MAX_BYTES && bytes_beside(checkpoint) - replaced + size_bytes <= KEPT_ALL_MAX_BYTES &&
              atomic_file_save_for_now(path, text, strlen(text), &ignored);
    free(text);
    free(path);
    json_decref(all);
    return ok;
}

json_t *kept_read(const char *checkpoint, const char *what, double *made)
{
    struct err ignored;
    char *path = kept_path(checkpoint, what);
    json_t *all = path_exists(path) ? js_read(path, JS_STRICT, &ignored) : NULL, *of = all ? stamp(checkpoint) : NULL;
    bool fits = of && js_equal(json_object_get(all, "of"), of);
    json_t *result = fits ? json_incref(json_object_get(all, "result")) : NULL;
    if (result)
        *made = js_double(all, "made", 0);
    json_decref(of);
    json_decref(all);
    free(path);
    return result;
}

void kept_drop(const char *checkpoint, const char *what)
{
    char *path = kept_path(checkpoint, what);
    io->unlink(path);
    free(path);
}

size_t kept_list(const char *checkpoint, struct arena *arena, const char *const **list)
{
    struct visit v = visit_open(checkpoint);
    char **found = NULL;
    size_t n = 0, capacity = 0;
    for (char *what; (what = visit_next(&v));) {
        found = xgrow(found, &capacity, n + 1, sizeof *found);
        found[n++] = what;
    }
    if (n)
        qsort(found, n, sizeof *found, str_order);
    const char **out = arena_array(arena, n + 1, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        out[i] = arena_strdup(arena, found[i]);
        free(found[i]);
    }
    free(found);
    visit_close(&v);
    *list = out;
    return n;
}

void kept_remove(const char *checkpoint)
{
    struct arena arena = {0};
    const char *const *list;
    size_t n = kept_list(checkpoint, &arena, &list);
    for (size_t i = 0; i < n; i++)
        kept_drop(checkpoint, list[i]);
    arena_release(&arena);
}

void kept_kinds(const char *folder, const char *const *names, size_t n, unsigned *kinds)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    memset(kinds, 0, n * sizeof *kinds);
    while (dir && (entry = readdir(dir)))
        for (size_t i = 0; str_ends(entry->d_name, ".json") && i < n; i++) {
            size_t length = strlen(names[i]);
            bool its = !strncmp(entry->d_name, names[i], length) && entry->d_name[length] == '.';
            int kind = its ? kind_of(entry->d_name + length + 1) : -1;
            kinds[i] |= kind < 0 ? 0 : 1u << kind;
        }
    if (dir)
        closedir(dir);
}
