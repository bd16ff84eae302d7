/* log_tail.c - see log_tail.h */
#include "tui/views/log_tail.h"

#include "base/io.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of the escape sequence at s: CSI up to its final byte, OSC up to BEL or ESC \, else ESC and one byte. */
static size_t escape_length(const char *s, size_t n)
{
    if (n < 2)
        return n;
    if (s[1] == '[') {
        for (size_t i = 2; i < n; i++)
            if (s[i] >= 0x40 && s[i] <= 0x7E)
                return i + 1;
        return n;
    }
    if (s[1] == ']') {
        for (size_t i = 2; i < n; i++)
            if (s[i] == 7 || (s[i] == 27 && i + 1 < n && s[i + 1] == '\\'))
                return i + (s[i] == 7 ? 1 : 2);
        return n;
    }
    return 2;
}

/* The last character, whatever its bytes. */
static void drop_last(struct str *out)
{
    while (out->length > 1 && ((unsigned char)out->data[out->length - 1] & 0xC0) == 0x80)
        out->length--;
    out->data[--out->length] = 0;
}

void log_clean(const char *line, size_t length, struct str *out)
{
    str_clear(out);
    while (length && line[length - 1] == '\r')
        length--;
    for (size_t i = 0; i < length; i++) {
        if (line[i] == 27)
            i += escape_length(line + i, length - i) - 1;
        else if (line[i] == '\r')
            str_clear(out);
        else if (line[i] == '\b' && out->length)
            drop_last(out);
        else if (line[i] == '\t')
            do
                str_add_char(out, ' ');
            while (out->length % 8);
        else if (line[i] != '\b')
            str_add_char(out, line[i] ? line[i] : ' '); /* a zero byte would end the line */
    }
}

static void split(const char *data, size_t size, struct arena *arena, const char ***lines, size_t *n)
{
    struct str clean = {0};
    size_t count = 1;
    for (size_t i = 0; i < size; i++)
        count += data[i] == '\n';
    *lines = arena_array(arena, count, sizeof **lines);
    *n = 0;
    for (const char *line = data, *end = data + size; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)((stop ? stop : end) - line);
        log_clean(line, length, &clean);
        (*lines)[(*n)++] = arena_strdup(arena, str_text(&clean));
        line += length + 1;
    }
    str_release(&clean);
}

bool log_tail(const char *path, size_t max_bytes, struct arena *arena, const char ***lines, size_t *n, bool *cut,
              struct err *err)
{
    struct err opening = {0};
    struct stat st;
    *n = 0;
    *cut = false;
    int fd = io_open(path, O_RDONLY | O_NONBLOCK, 0, &opening);
    if (fd < 0) {
        if (opening.code == ERR_NOT_FOUND)
            return true;
        *err = opening;
        return false;
    }
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (!ok)
        err_set(err, ERR_FORMAT, "'%s' is not a file", path);
    size_t size = ok ? (size_t)st.st_size : 0, skip = size > max_bytes ? size - max_bytes : 0;
    char *data = xmalloc(size - skip + 1);
    ok = ok && io_pread_all(fd, data, size - skip, (off_t)skip, path, err);
    close(fd);
    if (ok) {
        char *first = skip ? memchr(data, '\n', size - skip) : NULL; /* the first line may have lost its head */
        size_t lost = first ? (size_t)(first - data) + 1 : 0;
        split(data + lost, size - skip - lost, arena, lines, n);
        *cut = skip > 0;
    }
    free(data);
    return ok;
}
