/* fuzz_text - the input is a filter and, as a file, a foreign history. */
#include "persistence/index/run_filter.h"
#include "persistence/sources/source.h"

#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void filter(const char *text)
{
    static const struct run_summary run = {.id = "id", .name = "name", .state = RUN_FINISHED};
    struct err err = {0};
    struct run_filter *parsed = run_filter_parse(text, &err);
    if (parsed)
        run_filter_matches(parsed, &run, NULL, NULL);
    else if (err.code != ERR_USAGE)
        abort();
    run_filter_free(parsed);
}

static void source(const void *data, size_t size)
{
    char path[64];
    struct err err = {0};
    snprintf(path, sizeof path, "/tmp/fuzz-text-%d", (int)getpid());
    unlink(path);
    int fd = io_open(path, O_WRONLY | O_CREAT, 0600, NULL);
    if (fd < 0 || !io_write_all(fd, data, size, path, NULL))
        abort();
    close(fd);
    const struct source *kind = source_of(path, &err);
    struct source_reader *reader = kind ? kind->open(path, &err) : NULL;
    struct source_record record;
    int64_t last = 0;
    bool by_epoch = kind == &source_csvlogger;
    while (reader && kind->next(reader, &record, &err) == 1) {
        if (by_epoch && record.epoch <= last)
            abort();
        last = record.epoch;
    }
    if (reader)
        kind->close(reader);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    filter(text);
    free(text);
    source(data, size);
    return 0;
}
