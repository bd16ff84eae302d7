/* fuzz_source - the input is a history of another tool: the first byte says of which. Payloads of TensorBoard and
 * Weights & Biases get right frames and checksums for an even second byte; else the file is what it is. Everything is
 * copied into a run folder, which the index reads, and read a second time as the file that was cut in the middle and
 * grew. */
#include "persistence/files/bytes.h"
#include "persistence/index/index.h"
#include "persistence/runs/run_making.h"
#include "persistence/sources/source_copy.h"

#include "base/hash.h"
#include "base/io.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *file;
    const struct source *source;
} kinds[] = {{"events/events.out.tfevents.1", &source_events},
             {"run-x.wandb", &source_wandb},
             {"x.csv", &source_csvlogger},
             {"history.json", &source_history}};

static char folder[64];

static void clean_up(void)
{
    run_remove_tree(folder);
}

static const char *place(void)
{
    if (!folder[0]) {
        char inner[96];
        atexit(clean_up);
        snprintf(folder, sizeof folder, "/dev/shm/fuzz-source-%d", (int)getpid());
        snprintf(inner, sizeof inner, "%s/events", folder);
        if (!io_make_folders(inner, NULL))
            abort();
        snprintf(inner, sizeof inner, "%s/home/run", folder);
        if (!io_make_folders(inner, NULL))
            abort();
    }
    return folder;
}

static void write_file(const char *path, const void *data, size_t size)
{
    unlink(path);
    int fd = io_open(path, O_WRONLY | O_CREAT, 0600, NULL);
    if (fd < 0 || !io_write_all(fd, data, size, path, NULL))
        abort();
    close(fd);
}

static uint32_t masked(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

static void add_frame(struct str *file, size_t kind, const uint8_t *data, size_t n)
{
    uint8_t head[8], type = 1;
    if (kind == 0) {
        bytes_put(head, n, 8);
        str_add_bytes(file, head, 8);
        bytes_add(file, masked(hash_crc32c(0, head, 8)), 4);
        str_add_bytes(file, data, n);
        bytes_add(file, masked(hash_crc32c(0, data, n)), 4);
    } else {
        if (32768 - file->length % 32768 < n + 7)
            return;
        bytes_add(file, hash_crc32(hash_crc32(0, &type, 1), data, n), 4);
        bytes_add(file, n, 2);
        bytes_add(file, type, 1);
        str_add_bytes(file, data, n);
    }
}

static void fill(struct str *file, size_t kind, const uint8_t *data, size_t size)
{
    if (kind > 1 || !size || data[0] & 1) {
        str_add_bytes(file, data, size);
        return;
    }
    if (kind == 1)
        str_add_bytes(file, ":W&B\xe1\xbe\0", 7);
    for (data++, size--; size;) {
        size_t n = data[0] < size - 1 ? data[0] : size - 1;
        add_frame(file, kind, data + 1, n);
        data += n + 1;
        size -= n + 1;
    }
}

static void read_back(void)
{
    char home[96];
    struct err err = {0};
    struct arena arena = {0};
    const struct metric_series *series;
    size_t n;
    snprintf(home, sizeof home, "%s/home", place());
    struct index *index = index_open(home, &err);
    if (!index || !index_refresh(index, NULL, &err) || !index_history(index, "run", NULL, 0, &arena, &series, &n, &err))
        abort();
    for (size_t s = 0; s < n; s++)
        for (size_t i = 1; i < series[s].n; i++)
            if (series[s].step[i] <= series[s].step[i - 1])
                abort();
    index_close(index);
    arena_release(&arena);
}

static void copy(size_t kind, const char *path, const char *run, const struct str *file)
{
    struct source_copy copying;
    struct err err = {0};
    if (source_copy_open(&copying, kinds[kind].source, path, run, &err)) {
        source_copy_some(&copying, INFINITY, &err);
        write_file(path, str_text(file), file->length);
        if (kinds[kind].source->once) {
            if (source_copy_again(&copying, path, &err))
                source_copy_some(&copying, INFINITY, &err);
        } else if (kinds[kind].source->is_same(copying.reader)) {
            source_copy_some(&copying, INFINITY, &err);
        }
        struct source_about about = {.started = NAN};
        if (copying.reader && kinds[kind].source->about)
            kinds[kind].source->about(copying.reader, &about);
        source_copy_close(&copying);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    size_t kind = data[0] % (sizeof kinds / sizeof *kinds);
    struct str file = {0};
    char path[128], run[128], inner[160];
    fill(&file, kind, data + 1, size - 1);
    snprintf(path, sizeof path, "%s/%s", place(), kinds[kind].file);
    snprintf(run, sizeof run, "%s/home/run", place());
    snprintf(inner, sizeof inner, "%s/history.log", run);
    unlink(inner);
    snprintf(inner, sizeof inner, "%s/run.json", run);
    static const char run_json[] = "{\"state\": \"finished\", \"source\": \"x\"}";
    write_file(inner, run_json, sizeof run_json - 1);
    snprintf(inner, sizeof inner, "%s/config.json", run);
    write_file(inner, "{}", 2);
    write_file(path, str_text(&file), file.length / 2);
    copy(kind, path, run, &file);
    read_back();
    unlink(path);
    str_release(&file);
    return 0;
}
