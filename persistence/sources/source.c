/* source.c - see source.h: the table of formats */
#include "persistence/sources/source.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/sources/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const struct source *const sources[] = {&source_log,       &source_wandb,   &source_events,
                                        &source_csvlogger, &source_history, NULL};

enum { HEAD_BYTES = 4096 };

static bool read_head(const char *path, char head[HEAD_BYTES + 1], size_t *n_head, struct err *err)
{
    head[0] = 0;
    *n_head = 0;
    if (path_is_folder(path))
        return true;
    int fd = io_open(path, O_RDONLY | O_NONBLOCK, 0, err);
    if (fd < 0)
        return false;
    struct stat st;
    bool ordinary = !fstat(fd, &st) && S_ISREG(st.st_mode);
    ssize_t n = ordinary ? io->pread(fd, head, HEAD_BYTES, 0) : 0;
    int error = errno;
    *n_head = n > 0 ? (size_t)n : 0;
    head[*n_head] = 0;
    io->close(fd);
    if (!ordinary)
        return err_set(err, ERR_FORMAT, "'%s' is not an ordinary file", path);
    return n >= 0 || err_errno(err, ERR_FAILED, error, "cannot read '%s'", path);
}

static void name_formats(struct str *out)
{
    for (size_t s = 0; sources[s]; s++)
        str_addf(out, "%s%s", s ? ", " : "", sources[s]->what);
}

const struct source *source_of(const char *path, struct err *err)
{
    char head[HEAD_BYTES + 1], unpacked[HEAD_BYTES + 1];
    size_t n;
    if (!read_head(path, head, &n, err))
        return NULL;
    size_t n_unpacked = text_file_head(head, n, unpacked, sizeof unpacked);
    for (size_t s = 0; sources[s]; s++)
        if (sources[s]->recognise(path, n_unpacked ? unpacked : head, n_unpacked ? n_unpacked : n))
            return sources[s];
    struct str formats = {0};
    name_formats(&formats);
    err_set(err, ERR_FORMAT, "'%s' is nothing that can be imported; expected %s, or a model saved as .keras", path,
            str_text(&formats));
    str_release(&formats);
    return NULL;
}

char *source_name(const char *path)
{
    char *folder = path_folder(path), *name;
    if (!strcmp(path_name(path), "history.log")) {
        name = xstrdup(path_name(folder));
    } else {
        size_t n = strlen(path);
        while (n > 1 && path[n - 1] == '/')
            n--;
        char *trimmed = xstrndup(path, n);
        bool is_folder = path_is_folder(trimmed);
        name = xstrdup(path_name(trimmed));
        char *dot = is_folder ? NULL : strrchr(name, '.');
        if (dot && dot > name && !strcmp(dot, ".gz")) {
            *dot = 0;
            dot = strrchr(name, '.');
        }
        if (dot && dot > name)
            *dot = 0;
        free(trimmed);
    }
    free(folder);
    return name;
}
