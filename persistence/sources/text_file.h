/* text_file.h - a text file as a whole, plain or compressed with gzip (by content, not by name).
 *
 * What a gzip file claims to hold is not believed: it is read up to the limit. The end of a compressed file that is
 * still being written is left out.
 */
#ifndef PERSISTENCE_SOURCES_TEXT_FILE_H
#define PERSISTENCE_SOURCES_TEXT_FILE_H

#include "base/err.h"

/* Terminated by a 0 that is not counted; free() *text. ERR_FORMAT when it is larger than max_bytes, damaged, binary
 * (holds a 0), or no ordinary file. */
bool text_file_read(const char *path, size_t max_bytes, char **text, size_t *size_bytes, struct err *err) MUST_USE;
/* What the first bytes of a gzip file unpack to, into text (room for size_bytes, of which the last is a 0); the number
 * of bytes. 0: it is none. */
size_t text_file_head(const void *data, size_t n, char *text, size_t size_bytes);

#endif
