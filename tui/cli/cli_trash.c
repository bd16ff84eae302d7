/* cli_trash.c - antler delete, restore: runs go to the trash of the home and come back */
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_text.h"

#include "base/io.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cli_delete(struct cli *cli, struct err *err)
{
    struct index *index = text_open_index(cli->home, err);
    struct arena arena = {0};
    const char **ids = arena_array(&arena, cli->n_arguments, sizeof *ids);
    bool ok = index;
    for (size_t a = 0; ok && a < cli->n_arguments; a++) { /* all are known before the first is moved */
        const struct run_summary *run = index_find(index, cli->arguments[a], &arena, err);
        ok = run;
        ids[a] = run ? run->id : NULL;
    }
    for (size_t a = 0; ok && a < cli->n_arguments; a++) {
        ok = run_delete(cli->home, ids[a], err);
        if (ok) {
            fputs("moved to the trash: ", stdout);
            text_print(TEXT_PLAIN, ids[a]);
            putchar('\n');
        }
    }
    arena_release(&arena);
    index_close(index);
    return ok;
}

static bool is_called(const char *trash, const char *id, const char *name)
{
    char *folder = path_join(trash, id);
    json_t *run = *name ? run_read(folder, NULL) : NULL;
    bool called = !strcmp(js_string(run, "name", ""), name);
    json_decref(run);
    free(folder);
    return called;
}

/* Ids in the trash that start with the text, and those of runs with this name. */
static size_t find_in_trash(const char *trash, const char *prefix, struct arena *arena, const char ***ids)
{
    DIR *dir = opendir(trash);
    struct dirent *entry;
    const char **list = NULL;
    size_t n = 0, capacity = 0;
    bool exact = false;
    while (dir && !exact && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || (!str_starts(entry->d_name, prefix) && !is_called(trash, entry->d_name, prefix)))
            continue;
        exact = *prefix && !strcmp(entry->d_name, prefix);
        n = exact ? 0 : n;
        list = xgrow(list, &capacity, n + 1, sizeof *list);
        list[n++] = arena_strdup(arena, entry->d_name);
    }
    if (dir)
        closedir(dir);
    *ids = arena_copy(arena, list, n, sizeof *list);
    free(list);
    return n;
}

static bool restore_one(const char *home, const char *trash, const char *prefix, struct arena *arena, struct err *err)
{
    const char **ids;
    size_t n = find_in_trash(trash, prefix, arena, &ids);
    if (!n)
        return err_set(err, ERR_NOT_FOUND, "there is no run '%s' in the trash '%s'", prefix, trash);
    if (n > 1)
        return err_set(err, ERR_NOT_FOUND, "'%s' fits %zu runs in the trash: '%s', '%s'%s", prefix, n, ids[0], ids[1],
                       n > 2 ? ", ..." : "");
    if (!run_restore(home, ids[0], err))
        return false;
    fputs("restored: ", stdout);
    text_print(TEXT_PLAIN, ids[0]);
    putchar('\n');
    return true;
}

bool cli_restore(struct cli *cli, struct err *err)
{
    struct arena arena = {0};
    char *trash = path_join(cli->home, "trash");
    bool ok = true;
    for (size_t a = 0; ok && a < cli->n_arguments; a++)
        ok = restore_one(cli->home, trash, cli->arguments[a], &arena, err);
    if (!cli->n_arguments) {
        const char **ids;
        size_t n = find_in_trash(trash, "", &arena, &ids);
        for (size_t i = 0; i < n; i++) {
            text_print(TEXT_PLAIN, ids[i]);
            putchar('\n');
        }
        if (!n)
            puts("the trash is empty");
    }
    free(trash);
    arena_release(&arena);
    return ok;
}
