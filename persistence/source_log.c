/* source_log.c - our own history as a source: a run folder from anywhere, or the history.log in it. */
#include "persistence/history_frame.h"
#include "persistence/source.h"

#include "base/arena.h"
#include "base/io.h"

#include <stdlib.h>

static char *folder_of(const char *path)
{
    return path_is_folder(path) ? xstrdup(path) : path_folder(path);
}

static bool recognise(const char *path, const char *head)
{
    char *folder = folder_of(path), *log = path_join(folder, "history.log");
    bool ours =
        path_exists(log) && (path_is_folder(path) || (!strcmp(path_name(path), "history.log") && head[0] != 'e'));
    free(log);
    free(folder);
    return ours;
}

static struct source_reader *open_log(const char *path, struct err *err)
{
    char *folder = folder_of(path);
    struct history_reader *reader = history_open_reader(folder, 0, err);
    free(folder);
    return (struct source_reader *)reader;
}

static int next(struct source_reader *reader, struct record *record, struct err *err)
{
    return history_next((struct history_reader *)reader, record, err);
}

static void close_log(struct source_reader *reader)
{
    history_close_reader((struct history_reader *)reader);
}

const struct source source_log = {
    .name = "antler",
    .what = "a run folder",
    .recognise = recognise,
    .open = open_log,
    .next = next,
    .close = close_log,
};
