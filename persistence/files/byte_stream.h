/* byte_stream.h - the bytes of a data file from front to back, plain or gzip; which of the two is seen in the content,
 * not in the name.
 *
 * Damaged gzip data, a stream that ends early and bytes after its end are ERR_FORMAT with the path and the position.
 * Memory is one buffer of 64 KiB whatever the file. Several gzip members in a row are one stream, as gzip itself has
 * it.
 *
 *     struct byte_stream *s = byte_stream_open("train-images.gz", err);
 *     while (s && byte_stream_read(s, block, sizeof block, &got, err) && got) ...
 *     byte_stream_close(s);
 */
#ifndef PERSISTENCE_FILES_BYTE_STREAM_H
#define PERSISTENCE_FILES_BYTE_STREAM_H

#include "base/err.h"

#include <stdint.h>

struct byte_stream;

/* NULL and err when the file is missing (ERR_USAGE: a config or a user named it), unreadable or a folder. */
struct byte_stream *byte_stream_open(const char *path, struct err *err);
void byte_stream_close(struct byte_stream *s);
/* Up to want bytes; *got < want only at the end. */
bool byte_stream_read(struct byte_stream *s, void *data, size_t want, size_t *got, struct err *err) MUST_USE;
/* Exactly want bytes; ending early is ERR_FORMAT that says how many of `what` are missing. */
bool byte_stream_exact(struct byte_stream *s, void *data, size_t want, const char *what, struct err *err) MUST_USE;
/* The next bytes (at most 64) without taking them; *got is how many there are. */
bool byte_stream_peek(struct byte_stream *s, const unsigned char **bytes, size_t want, size_t *got,
                      struct err *err) MUST_USE;
/* Nothing may follow: ERR_FORMAT if something does. */
bool byte_stream_expect_end(struct byte_stream *s, struct err *err) MUST_USE;
/* No more than this can come out of the whole file: its size, or 1032 times that for gzip (deflate's highest ratio). A
 * size that a header declares is compared with it before anything is allocated. */
int64_t byte_stream_limit(const struct byte_stream *s);
bool byte_stream_is_gzip(const struct byte_stream *s);

#endif
