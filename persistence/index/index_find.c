/* index_find.c - index_find: what RUN on a command line means. */
#include "persistence/index/index_internal.h"

#include "base/io.h"

#include <stdlib.h>
#include <string.h>

enum { CANDIDATES_NAMED = 6 };

struct find_call {
    const char *text;
    struct arena *arena;
    const struct run_summary *run;
};

/* "runs/2026-11-23_..." as a shell completes it: the last part, when the rest is the home. */
static char *without_home(const struct index *index, const char *text)
{
    char *name = xstrdup(text);
    for (size_t n = strlen(name); n > 1 && name[n - 1] == '/'; n--)
        name[n - 1] = 0;
    char *folder = path_folder(name), *absolute = strchr(name, '/') ? realpath(folder, NULL) : NULL;
    if (absolute && !strcmp(absolute, index->home)) {
        char *last = xstrdup(path_name(name));
        free(name);
        name = last;
    }
    free(absolute);
    free(folder);
    return name;
}

/* What was meant: a run whose name or id contains the text, else the nearest spelling. */
static const char *meant(const char *text, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcasestr(names[i], text))
            return names[i];
    return str_nearest(text, names, n);
}

static bool not_found(struct index *index, const char *text, struct err *err)
{
    enum { NAMES_MAX = 4000 };
    sqlite3_stmt *statement =
        index_query(index, err, "SELECT folder, name FROM run ORDER BY created DESC LIMIT 2000", "");
    struct arena arena = {0};
    const char **names = arena_array(&arena, NAMES_MAX, sizeof *names);
    size_t n = 0;
    while (statement && n + 2 <= NAMES_MAX && index_step(index, statement, err) == 1)
        for (int c = 0; c < 2; c++) {
            const char *name = index_text(statement, c, &arena);
            if (name)
                names[n++] = name;
        }
    const char *near = meant(text, names, n);
    if (near)
        err_set(err, ERR_NOT_FOUND, "there is no run '%s' in '%s', did you mean '%s'?", text, index->home, near);
    else
        err_set(err, ERR_NOT_FOUND, "there is no run '%s' in '%s' (%s)", text, index->home,
                n ? "antler list shows them all" : "it is empty");
    arena_release(&arena);
    return false;
}

static bool ambiguous(const char *text, char *const *ids, size_t n, struct err *err)
{
    struct str list = {0};
    for (size_t i = 0; i < n && i < CANDIDATES_NAMED; i++)
        str_addf(&list, "%s'%s'", i ? ", " : "", ids[i]);
    if (n > CANDIDATES_NAMED)
        str_addf(&list, " and %zu more", n - CANDIDATES_NAMED);
    err_set(err, ERR_NOT_FOUND, "'%s' fits %zu runs: %s", text, n, str_text(&list));
    str_release(&list);
    return false;
}

/* Row of the run, 0 and err when none or several fit. */
static int64_t find_row(struct index *index, const char *text, struct err *err)
{
    sqlite3_stmt *statement =
        index_query(index, err,
                    "SELECT id, folder, folder=?1 FROM run WHERE substr(folder, 1, length(?1))=?1 OR name=?1 "
                    "ORDER BY folder=?1 DESC, created DESC, folder DESC",
                    "s", text);
    char **ids = NULL;
    size_t n = 0, capacity = 0;
    int64_t row = 0;
    bool exact = false;
    int found = -1;
    while (statement && !exact && (found = index_step(index, statement, err)) == 1) {
        if (!n)
            row = sqlite3_column_int64(statement, 0);
        exact = sqlite3_column_int(statement, 2);
        ids = xgrow(ids, &capacity, n + 1, sizeof *ids);
        const char *id = (const char *)sqlite3_column_text(statement, 1);
        ids[n++] = xstrdup(id ? id : "");
    }
    if (statement)
        sqlite3_reset(statement);
    if (!statement || found == -1)
        row = 0;
    else if (!n)
        row = not_found(index, text, err);
    else if (n > 1)
        row = ambiguous(text, ids, n, err);
    for (size_t i = 0; i < n; i++)
        free(ids[i]);
    free(ids);
    return row;
}

static bool find_run(struct index *index, void *context, struct err *err)
{
    struct find_call *call = context;
    if (!*call->text)
        return err_set(err, ERR_USAGE, "an empty name is no run");
    char *text = without_home(index, call->text);
    int64_t row = find_row(index, text, err);
    free(text);
    call->run = row > 0 ? index_load_run(index, row, call->arena, err) : NULL;
    return call->run;
}

const struct run_summary *index_find(struct index *index, const char *run, struct arena *arena, struct err *err)
{
    struct find_call call = {run, arena, NULL};
    struct err why = {0};
    if (index_guarded(index, find_run, &call, index->watched ? &why : err))
        return call.run;
    if (!index->watched)
        return NULL;
    if (why.code == ERR_NOT_FOUND && index_guarded(index->watched, find_run, &call, NULL))
        return index_as_watched(index->watched, call.run, arena);
    return err_null(err, why.code, "%s", why.text);
}
