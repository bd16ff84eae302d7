/* byte_stream.c - see byte_stream.h */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/byte_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { BUFFER_BYTES = 65536, PEEK_MAX = 64, DEFLATE_RATIO_MAX = 1032 };

struct byte_stream {
    char *path;
    int fd;
    int64_t file_bytes, given_bytes; /* given: taken by the caller */
    bool gzip, member_open, file_end, end;
    z_stream z;
    unsigned char buffer[BUFFER_BYTES]; /* as in the file */
    size_t start, stop;                 /* unused part of buffer */
    unsigned char ahead[PEEK_MAX];      /* peeked, not yet taken */
    size_t n_ahead;
};

static bool refill(struct byte_stream *s, struct err *err)
{
    memmove(s->buffer, s->buffer + s->start, s->stop - s->start);
    s->stop -= s->start;
    s->start = 0;
    while (!s->file_end && s->stop < BUFFER_BYTES) {
        ssize_t done = io->read(s->fd, s->buffer + s->stop, BUFFER_BYTES - s->stop);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_errno(err, ERR_FAILED, errno, "cannot read '%s'", s->path);
        s->file_end = !done;
        s->stop += (size_t)done;
    }
    return true;
}

struct byte_stream *byte_stream_open(const char *path, struct err *err)
{
    struct err why = {0};
    struct stat st;
    int fd = io_open(path, O_RDONLY, 0, &why);
    if (fd < 0)
        return err_null(err, why.code == ERR_NOT_FOUND ? ERR_USAGE : why.code, "%s", why.text);
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        io->close(fd);
        return err_null(err, ERR_USAGE, "'%s' is %s, expected a file", path,
                        S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
    }
    struct byte_stream *s = xcalloc(1, sizeof *s);
    s->path = xstrdup(path);
    s->fd = fd;
    s->file_bytes = st.st_size;
    if (!refill(s, err))
        goto failed;
    s->gzip = s->stop > 2 && s->buffer[0] == 0x1F && s->buffer[1] == 0x8B && s->buffer[2] == 8;
    if (s->gzip && inflateInit2(&s->z, 15 + 16) != Z_OK) {
        err_set(err, ERR_NOMEM, "not enough memory to unpack '%s'", path);
        s->gzip = false;
        goto failed;
    }
    s->member_open = s->gzip;
    return s;
failed:
    byte_stream_close(s);
    return NULL;
}

void byte_stream_close(struct byte_stream *s)
{
    if (!s)
        return;
    if (s->gzip)
        inflateEnd(&s->z);
    io->close(s->fd);
    free(s->path);
    free(s);
}

static bool read_plain(struct byte_stream *s, unsigned char *data, size_t want, size_t *got, struct err *err)
{
    *got = 0;
    while (*got < want) {
        if (s->start == s->stop && !refill(s, err))
            return false;
        size_t n = s->stop - s->start;
        if (!n)
            break;
        n = n < want - *got ? n : want - *got;
        memcpy(data + *got, s->buffer + s->start, n);
        s->start += n;
        *got += n;
    }
    return true;
}

/* After the end of a gzip member: another one, the end of the file, or rubbish. */
static bool next_member(struct byte_stream *s, struct err *err)
{
    if (s->stop - s->start < 3 && !refill(s, err))
        return false;
    const unsigned char *p = s->buffer + s->start;
    size_t n = s->stop - s->start;
    s->member_open = n > 2 && p[0] == 0x1F && p[1] == 0x8B && p[2] == 8;
    s->end = !s->member_open;
    if (n && s->end)
        return err_set(err, ERR_FORMAT, "'%s' has bytes after the end of its gzip data", s->path);
    return !s->member_open || inflateReset(&s->z) == Z_OK;
}

static bool read_gzip(struct byte_stream *s, unsigned char *data, size_t want, size_t *got, struct err *err)
{
    *got = 0;
    while (*got < want && !s->end) {
        if (s->start == s->stop && !refill(s, err))
            return false;
        size_t part = want - *got > 1u << 30 ? 1u << 30 : want - *got, had = s->stop - s->start;
        s->z.next_in = s->buffer + s->start;
        s->z.avail_in = (uInt)had;
        s->z.next_out = data + *got;
        s->z.avail_out = (uInt)part;
        int status = inflate(&s->z, Z_NO_FLUSH);
        s->start += had - s->z.avail_in;
        *got += part - s->z.avail_out;
        if (status == Z_STREAM_END) {
            if (!next_member(s, err))
                return false;
        } else if (status == Z_BUF_ERROR && !had) {
            return err_set(err, ERR_FORMAT, "'%s' is cut off: its gzip data end early, after %lld unpacked bytes",
                           s->path, (long long)(s->given_bytes + (int64_t)*got));
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            return err_set(err, status == Z_MEM_ERROR ? ERR_NOMEM : ERR_FORMAT, "'%s' is damaged gzip data: %s",
                           s->path, s->z.msg ? s->z.msg : "unexpected end of a block");
        }
    }
    return true;
}

static bool read_more(struct byte_stream *s, unsigned char *data, size_t want, size_t *got, struct err *err)
{
    return s->gzip ? read_gzip(s, data, want, got, err) : read_plain(s, data, want, got, err);
}

bool byte_stream_read(struct byte_stream *s, void *data, size_t want, size_t *got, struct err *err)
{
    unsigned char *out = data;
    size_t ahead = want < s->n_ahead ? want : s->n_ahead;
    memcpy(out, s->ahead, ahead);
    memmove(s->ahead, s->ahead + ahead, s->n_ahead - ahead);
    s->n_ahead -= ahead;
    bool ok = read_more(s, out + ahead, want - ahead, got, err);
    *got += ahead;
    s->given_bytes += (int64_t)*got;
    return ok;
}

bool byte_stream_exact(struct byte_stream *s, void *data, size_t want, const char *what, struct err *err)
{
    size_t got;
    if (!byte_stream_read(s, data, want, &got, err))
        return false;
    if (got < want)
        return err_set(err, ERR_FORMAT, "'%s' ends too early: %zu of %zu bytes of %s are missing", s->path, want - got,
                       want, what);
    return true;
}

bool byte_stream_peek(struct byte_stream *s, const unsigned char **bytes, size_t want, size_t *got, struct err *err)
{
    BUG_ON(want > PEEK_MAX);
    size_t more = 0;
    if (s->n_ahead < want && !read_more(s, s->ahead + s->n_ahead, want - s->n_ahead, &more, err))
        return false;
    s->n_ahead += more;
    *bytes = s->ahead;
    *got = s->n_ahead < want ? s->n_ahead : want;
    return true;
}

bool byte_stream_expect_end(struct byte_stream *s, struct err *err)
{
    const unsigned char *bytes;
    size_t got;
    if (!byte_stream_peek(s, &bytes, 1, &got, err))
        return false;
    return !got || err_set(err, ERR_FORMAT, "'%s' goes on after the %lld bytes its header declares", s->path,
                           (long long)s->given_bytes);
}

int64_t byte_stream_limit(const struct byte_stream *s)
{
    return s->gzip ? s->file_bytes * DEFLATE_RATIO_MAX : s->file_bytes;
}

bool byte_stream_is_gzip(const struct byte_stream *s)
{
    return s->gzip;
}
