/* scatter_read.h - a stretch of a file read once, front to back: pieces of it go where they belong, all of it into a
 * checksum.
 *
 * Made for loading weights: hundreds of megabytes, most of them in few large pieces that go unchanged into their
 * tensors. Those are read straight into place; what is small, or nobody's, passes through a block. A long stretch is
 * read by several threads, strip after strip, because fresh memory costs more than the disk's cache; the result is the
 * same for any number of them.
 *
 *     struct scatter_piece pieces[] = {{.offset = 800, .size_bytes = 4000, .to = kernel}, ...};
 *     uint32_t checksum;
 *     if (!scatter_read(fd, path, begin, end, pieces, 2, &checksum, err) || checksum != expected) ...
 */
#ifndef PERSISTENCE_KERAS_SCATTER_READ_H
#define PERSISTENCE_KERAS_SCATTER_READ_H

#include "base/err.h"

#include <stdint.h>

struct scatter_piece {
    int64_t offset, size_bytes; /* in the file */
    char *to;
};

/* pieces are sorted by offset, do not overlap and lie in begin .. end. checksum: the CRC-32 of the whole stretch; NULL
 * when it is not wanted, then what belongs to no piece is not read. path is for messages. On failure the contents of
 * the destinations are undefined. */
bool scatter_read(int fd, const char *path, int64_t begin, int64_t end, const struct scatter_piece *pieces,
                  size_t n_pieces, uint32_t *checksum, struct err *err) MUST_USE;

#endif
