/* fuzz_history - the input is a history: pieces become frames with right checksums, or, for an odd first byte, the file
 * as it is. The index ingests it and everything is read back. */
#include "persistence/index/index.h"
#include "persistence/runs/history_frame.h"
#include "persistence/runs/run_making.h"

#include "base/io.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64];

static void clean_up(void)
{
    run_remove_tree(folder);
}

static const char *home(void)
{
    if (!folder[0]) {
        atexit(clean_up);
        snprintf(folder, sizeof folder, "/dev/shm/fuzz-history-%d", (int)getpid());
        char run[128];
        snprintf(run, sizeof run, "%s/run/checkpoints", folder);
        if (!io_make_folders(run, NULL))
            abort();
    }
    return folder;
}

static void write_file(const char *name, const void *data, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/run/%s", home(), name);
    unlink(path);
    int fd = io_open(path, O_WRONLY | O_CREAT, 0600, NULL);
    if (fd < 0 || !io_write_all(fd, data, size, path, NULL))
        abort();
    close(fd);
}

static void add_frames(struct str *log, const uint8_t *data, size_t size)
{
    while (size) {
        size_t n = data[0] < size - 1 ? data[0] : size - 1;
        size_t start = log->length;
        frame_add(log, 0, FRAME_HEADER_BYTES);
        str_add_bytes(log, data + 1, n);
        frame_end(log, start);
        data += n + 1;
        size -= n + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str log = {0};
    struct err err = {0};
    struct arena arena = {0};
    if (size && data[0] & 1)
        str_add_bytes(&log, data, size);
    else if (size)
        add_frames(&log, data + 1, size - 1);
    write_file("history.log", str_text(&log), log.length);
    write_file("run.json", "{\"state\": \"finished\"}", 21);
    write_file("config.json", "{}", 2);
    struct index *index = index_open(home(), &err);
    const struct metric_series *series;
    const struct checkpoint_summary *checkpoints;
    const struct run_event *events;
    size_t n;
    if (!index || !index_refresh(index, NULL, &err) ||
        !index_history(index, "run", NULL, 0, &arena, &series, &n, &err) ||
        !index_checkpoints(index, "run", &arena, &checkpoints, &n, &err) ||
        !index_events(index, "run", &arena, &events, &n, &err))
        abort();
    index_close(index);
    arena_release(&arena);
    str_release(&log);
    return 0;
}
