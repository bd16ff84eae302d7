/* text_file.c - see text_file.h */
#include "persistence/sources/text_file.h"

#include "base/arena.h"
#include "base/io.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { BLOCK_BYTES = 256 << 10, GZIP_WINDOW = 15 + 16 };

static bool is_gzip(const void *data, size_t n)
{
    return n > 2 && !memcmp(data, "\x1f\x8b\x08", 3);
}

size_t text_file_head(const void *data, size_t n, char *text, size_t size_bytes)
{
    z_stream stream = {.next_in = (Bytef *)data, .avail_in = (uInt)n};
    if (!is_gzip(data, n) || inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
        return 0;
    stream.next_out = (Bytef *)text;
    stream.avail_out = (uInt)(size_bytes - 1);
    inflate(&stream, Z_SYNC_FLUSH);
    size_t length = size_bytes - 1 - stream.avail_out;
    inflateEnd(&stream);
    text[length] = 0;
    return length;
}

/* Members one behind the other, as gzip itself reads them. */
static bool unpack(z_stream *stream, const char *path, size_t max_bytes, char **text, size_t *length, struct err *err)
{
    size_t capacity = 0;
    int code = Z_OK;
    while (code == Z_OK || code == Z_STREAM_END) {
        *text = xgrow(*text, &capacity, *length + BLOCK_BYTES + 1, 1);
        stream->next_out = (Bytef *)*text + *length;
        stream->avail_out = BLOCK_BYTES;
        if (code == Z_STREAM_END && (!is_gzip(stream->next_in, stream->avail_in) || inflateReset(stream) != Z_OK))
            break;
        code = inflate(stream, Z_NO_FLUSH);
        *length += BLOCK_BYTES - stream->avail_out;
        if (*length > max_bytes)
            return err_set(err, ERR_FORMAT, "'%s' holds more than the %zu bytes such a file may have", path, max_bytes);
    }
    (*text)[*length] = 0;
    return code == Z_STREAM_END || code == Z_BUF_ERROR /* cut off */ ||
           err_set(err, ERR_FORMAT, "'%s' is damaged: %s", path, stream->msg ? stream->msg : "not a gzip file");
}

static bool unpack_file(const char *path, size_t max_bytes, char **text, size_t *size_bytes, struct err *err)
{
    char *packed = *text;
    z_stream stream = {.next_in = (Bytef *)packed, .avail_in = (uInt)*size_bytes};
    *text = NULL;
    *size_bytes = 0;
    bool ok = inflateInit2(&stream, GZIP_WINDOW) == Z_OK || err_set(err, ERR_NOMEM, "no memory to unpack '%s'", path);
    if (ok) {
        ok = unpack(&stream, path, max_bytes, text, size_bytes, err);
        inflateEnd(&stream);
    }
    free(packed);
    return ok;
}

bool text_file_read(const char *path, size_t max_bytes, char **text, size_t *size_bytes, struct err *err)
{
    *text = NULL;
    if (!io_read_file(path, max_bytes, text, size_bytes, err))
        return false;
    if (is_gzip(*text, *size_bytes) && !unpack_file(path, max_bytes, text, size_bytes, err)) {
        free(*text);
        *text = NULL;
        return false;
    }
    if (!memchr(*text, 0, *size_bytes))
        return true;
    free(*text);
    *text = NULL;
    return err_set(err, ERR_FORMAT, "'%s' holds binary data, expected text", path);
}
