/* growing_file.h - a file that somebody else is still appending to, read in order: what is not there yet is waited for
 * by asking again.
 *
 *     struct growing_file file;
 *     if (!growing_open(&file, path, err)) ...
 *     while ((found = growing_want(&file, 12, &data, err)) == 1) {
 *         ... growing_skip(&file, 12);                          what was not skipped is asked for again
 *     }
 *     found == 0: that much is not there now                    found == -1: err
 *     growing_close(&file);
 *
 * Reads blocks; holds no more than two of them and the largest piece that was asked for. Of a long file the next block
 * is read while the caller is busy with this one (POSIX AIO). A file that was cut or replaced is noticed by
 * growing_is_same.
 */
#ifndef PERSISTENCE_SOURCES_GROWING_FILE_H
#define PERSISTENCE_SOURCES_GROWING_FILE_H

#include "base/err.h"

#include <stdint.h>

struct growing_ahead;
struct growing_file {
    int fd; /* -1: closed */
    char *path;
    uint8_t *memory, *buffer; /* owned; inside it: bytes [start, start + filled) of the file */
    size_t filled, capacity;
    int64_t start, offset;       /* offset: what comes next */
    struct growing_ahead *ahead; /* NULL: nothing was read ahead yet */
};

/* ERR_NOT_FOUND, ERR_FAILED; ERR_FORMAT when it is no ordinary file. On failure the file is closed. */
bool growing_open(struct growing_file *file, const char *path, struct err *err) MUST_USE;
void growing_close(struct growing_file *file); /* of a closed one: nothing happens */
/* The next size_bytes at *data, lent until the next call. 1, 0 = so many are not there, -1 = err. */
int growing_want(struct growing_file *file, size_t size_bytes, const uint8_t **data, struct err *err);
void growing_skip(struct growing_file *file, int64_t size_bytes);
/* Gives the memory back until more is wanted: for one of many files whose end was reached. */
void growing_rest(struct growing_file *file);
/* Whether the path still names this file and it still holds what was skipped. */
bool growing_is_same(const struct growing_file *file);
int64_t growing_size(const struct growing_file *file); /* now; -1: unknown */

#endif
