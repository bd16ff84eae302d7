/* source_log.c - our own history as a source: a run folder from anywhere, or the history.log in it. */
#include "persistence/runs/history_frame.h"
#include "persistence/sources/source.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/run_folder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *folder_of(const char *path)
{
    return path_is_folder(path) ? xstrdup(path) : path_folder(path);
}

static bool recognise(const char *path, const char *head, size_t head_bytes)
{
    (void)head_bytes;
    char *folder = folder_of(path), *log = path_join(folder, "history.log");
    bool ours =
        path_exists(log) && (path_is_folder(path) || (!strcmp(path_name(path), "history.log") && head[0] != 'e'));
    free(log);
    free(folder);
    return ours;
}

struct source_reader {
    char *folder;
    struct history_reader *log;
    json_t *run, *config; /* NULL: unreadable or not there */
};

static void close_log(struct source_reader *reader)
{
    if (!reader)
        return;
    history_close_reader(reader->log);
    json_decref(reader->run);
    json_decref(reader->config);
    free(reader->folder);
    free(reader);
}

static struct source_reader *open_log(const char *path, struct err *err)
{
    char *folder = folder_of(path);
    struct history_reader *log = history_open_reader(folder, 0, err);
    if (!log) {
        free(folder);
        return NULL;
    }
    struct source_reader *reader = xcalloc(1, sizeof *reader);
    *reader = (struct source_reader){folder, log, run_read(folder, NULL), run_read_config(folder, NULL)};
    return reader;
}

static int next(struct source_reader *reader, struct source_record *record, struct err *err)
{
    struct record found;
    int got;
    while ((got = history_next(reader->log, &found, err)) == 1) {
        if (found.kind == RECORD_CHECKPOINT) /* its file stays where it is */
            continue;
        bool metrics = found.kind == RECORD_METRICS;
        *record = (struct source_record){.kind = metrics ? SOURCE_METRICS : SOURCE_EVENT,
                                         .epoch = found.epoch,
                                         .step = found.step,
                                         .time = found.time,
                                         .n = found.n,
                                         .names = found.names,
                                         .values = found.values,
                                         .text = found.json,
                                         .length = found.json_length};
        return 1;
    }
    return got;
}

static void about(const struct source_reader *reader, struct source_about *about)
{
    enum run_state state = RUN_FINISHED;
    run_state_parse(js_string(reader->run, "state", NULL), &state);
    *about = (struct source_about){.name = js_string(reader->run, "name", NULL),
                                   .note = js_string(reader->run, "note", NULL),
                                   .config = reader->config,
                                   .tags = json_object_get(reader->run, "tags"),
                                   .end = state == RUN_FAILED ? SOURCE_FAILED : SOURCE_FINISHED,
                                   .started = js_double(reader->run, "created", NAN)};
}

static bool is_same(const struct source_reader *reader)
{
    int64_t frame;
    uint64_t header, now;
    return !history_last_frame(reader->log, &frame, &header) ||
           (history_frame_header(reader->folder, frame, &now) && now == header);
}

const struct source source_log = {
    .name = "antler",
    .what = "a run folder",
    .recognise = recognise,
    .whole = folder_of,
    .open = open_log,
    .next = next,
    .about = about,
    .is_same = is_same,
    .close = close_log,
};
