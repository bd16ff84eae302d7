/* wandb_media.c - see wandb_media.h */
#include "persistence/sources/wandb_media.h"

#include "base/arena.h"
#include "base/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PICTURE_MAX_BYTES = 64 << 20, WAITING_MAX = 4096, OF_ONE_ITEM_MAX = 64 };

struct named_picture {
    char *tag, *path, *caption; /* caption: NULL where there is none */
    const char *names[1];       /* as a record wants it */
    int64_t step, epoch;
    double time;
    size_t log;
};

static void add(struct wandb_media *media, const char *tag, const char *path, const char *caption, size_t log,
                const struct source_record *record)
{
    if (!path || media->n - media->at >= WAITING_MAX)
        return;
    media->list = xgrow(media->list, &media->capacity, media->n + 1, sizeof *media->list);
    media->list[media->n++] = (struct named_picture){.tag = xstrdup(tag),
                                                     .path = xstrdup(path),
                                                     .caption = caption && *caption ? xstrdup(caption) : NULL,
                                                     .step = record->step,
                                                     .epoch = record->epoch,
                                                     .time = record->time,
                                                     .log = log};
}

void wandb_media_add(struct wandb_media *media, const char *tag, const char *json, size_t length, size_t log,
                     const struct source_record *record)
{
    json_t *value = length && json[0] == '{' ? js_parse(json, length, tag, JS_PYTHON, NULL) : NULL;
    const char *type = js_string(value, "_type", "");
    if (media->at == media->n) /* all were given */
        wandb_media_release(media);
    const json_t *names = json_object_get(value, "filenames"), *captions = json_object_get(value, "captions"), *name;
    size_t i;
    if (!strcmp(type, "image-file"))
        add(media, tag, js_string(value, "path", NULL), js_string(value, "caption", NULL), log, record);
    if (!strcmp(type, "images/separated"))
        json_array_foreach((json_t *)names, i, name) {
            char *numbered = xprintf("%s/%zu", tag, i);
            if (i < OF_ONE_ITEM_MAX)
                add(media, json_array_size(names) > 1 ? numbered : tag, json_string_value(name),
                    json_string_value(json_array_get(captions, i)), log, record);
            free(numbered);
        }
    json_decref(value);
}

/* The entry of that name in a folder, -1: none that may be entered or read. */
static int enter(int folder, const char *name, size_t length, int flags)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = -1;
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;
    while (dir && found < 0 && (entry = readdir(dir)))
        if (strlen(entry->d_name) == length && !memcmp(entry->d_name, name, length) && entry->d_name[0] != '.')
            found = openat(folder, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags);
    if (dir)
        closedir(dir);
    else if (copy >= 0)
        close(copy);
    return found;
}

static int open_inside(const char *folder, const char *path)
{
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    while (at >= 0 && *path) {
        size_t length = strcspn(path, "/");
        bool last = !path[length];
        int next = length ? enter(at, path, length, last ? 0 : O_DIRECTORY) : -1;
        close(at);
        at = next;
        path += length + !last;
    }
    return at;
}

bool wandb_media_waits(const struct wandb_media *media, size_t *log)
{
    *log = media->at < media->n ? media->list[media->at].log : 0;
    return media->at < media->n;
}

static void forget(struct named_picture *picture)
{
    free(picture->tag);
    free(picture->path);
    free(picture->caption);
    *picture = (struct named_picture){0};
}

bool wandb_media_next(struct wandb_media *media, const char *log, struct source_record *record)
{
    struct named_picture *picture = &media->list[media->at++];
    char *home = path_folder(log), *files = path_join(home, "files");
    struct stat st;
    struct err ignored;
    int fd = open_inside(files, picture->path);
    bool ok = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= PICTURE_MAX_BYTES;
    free(media->bytes);
    media->bytes = ok ? xmalloc((size_t)st.st_size) : NULL;
    ok = ok && io_pread_all(fd, media->bytes, (size_t)st.st_size, 0, picture->path, &ignored);
    if (fd >= 0)
        close(fd);
    if (ok) {
        picture->names[0] = picture->tag;
        *record = (struct source_record){.kind = SOURCE_PICTURE,
                                         .epoch = picture->epoch,
                                         .step = picture->step,
                                         .time = picture->time,
                                         .n = 1,
                                         .names = picture->names,
                                         .caption = picture->caption,
                                         .text = media->bytes,
                                         .length = (size_t)st.st_size};
    } else {
        forget(picture);
    }
    free(files);
    free(home);
    return ok;
}

void wandb_media_release(struct wandb_media *media)
{
    for (size_t i = 0; i < media->n; i++)
        forget(&media->list[i]);
    free(media->list);
    free(media->bytes);
    *media = (struct wandb_media){0};
}
