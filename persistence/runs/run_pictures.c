/* run_pictures.c - see run_pictures.h */
#include "persistence/runs/run_pictures.h"

#include "base/hash.h"
#include "base/io.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME_MAX_BYTES = 180, FILES_MAX = 20000, CAPTION_MAX_BYTES = 2000 };
static const char *const suffixes[] = {".png", ".jpg"};

#define CAPTION ".txt"

static bool is_plain(unsigned char c, bool utf8, bool first)
{
    bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || c == '_' || c == '-' || c == ' ' || (c == '.' && !first) || (c >= 0x80 && utf8);
}

/* Where a name may be cut: in front of a character, and not inside of %XX. */
static size_t cut_at(const struct str *name, size_t most)
{
    while (most && ((unsigned char)name->data[most] & 0xC0) == 0x80)
        most--;
    for (size_t back = 1; back <= 2 && back <= most; back++)
        if (name->data[most - back] == '%')
            return most - back;
    return most;
}

char *run_picture_name(const char *tag, int64_t step, const char *suffix)
{
    struct str name = {0};
    bool utf8 = str_is_utf8(tag);
    for (const char *c = tag; *c; c++)
        if (is_plain((unsigned char)*c, utf8, c == tag))
            str_add_char(&name, *c);
        else
            str_addf(&name, "%%%02X", (unsigned char)*c);
    if (name.length > NAME_MAX_BYTES) {
        name.length = cut_at(&name, NAME_MAX_BYTES);
        str_addf(&name, "~%08X", hash_crc32c(0, tag, strlen(tag)));
    }
    str_addf(&name, "@%lld%s", (long long)step, suffix);
    return str_take(&name);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Back from the name of a file. False: it is none of ours. */
static bool parse_name(const char *name, struct arena *arena, const char **tag, int64_t *step)
{
    const char *at = strrchr(name, '@'), *suffix = NULL;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        suffix = str_ends(name, suffixes[i]) ? name + strlen(name) - strlen(suffixes[i]) : suffix;
    if (!at || !suffix || suffix < at || name[0] == '.')
        return false;
    char *number = arena_strndup(arena, at + 1, (size_t)(suffix - at - 1));
    char *text = arena_alloc(arena, strlen(name) + 1);
    size_t n = 0;
    for (const char *c = name; c < at; c++) {
        bool escaped =
            c[0] == '%' && at - c > 2 && digit(c[1]) >= 0 && digit(c[2]) >= 0 && (digit(c[1]) || digit(c[2]));
        text[n++] = escaped ? (char)(16 * digit(c[1]) + digit(c[2])) : *c;
        c += escaped ? 2 : 0;
    }
    text[n] = 0;
    *tag = text;
    return str_to_int64(number, step);
}

char *run_pictures_folder(const char *folder)
{
    return path_join(folder, "pictures");
}

bool run_picture_write_caption(const char *pictures_folder, const char *file, const char *caption, struct err *err)
{
    char *path = xprintf("%s/%s" CAPTION, pictures_folder, file);
    size_t n = strnlen(caption, CAPTION_MAX_BYTES + 1);
    if (n > CAPTION_MAX_BYTES)
        for (n = CAPTION_MAX_BYTES; n && ((unsigned char)caption[n] & 0xC0) == 0x80;) /* not inside a character */
            n--;
    int fd = io_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0666, err);
    bool ok = fd >= 0 && io_write_all(fd, caption, n, path, err);
    if (fd >= 0)
        io->close(fd);
    free(path);
    return ok;
}

char *run_picture_caption(const char *pictures_folder, const char *file)
{
    char *path = xprintf("%s/%s" CAPTION, pictures_folder, file), *text;
    size_t size;
    struct err ignored;
    bool ok = io_read_file(path, CAPTION_MAX_BYTES, &text, &size, &ignored);
    free(path);
    return ok ? text : xstrdup("");
}

struct found {
    const char *tag;
    struct run_picture picture;
};

static int compare(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int order = strcmp(x->tag, y->tag);
    return order ? order : (x->picture.step > y->picture.step) - (x->picture.step < y->picture.step);
}

static struct found *find_all(DIR *dir, struct arena *arena, size_t *n)
{
    struct found *all = NULL;
    size_t capacity = 0;
    struct dirent *entry;
    struct stat st;
    *n = 0;
    while (*n < FILES_MAX && (entry = readdir(dir))) {
        struct found one = {0};
        if (!parse_name(entry->d_name, arena, &one.tag, &one.picture.step) ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
            continue;
        one.picture.file = arena_strdup(arena, entry->d_name);
        one.picture.size_bytes = st.st_size;
        all = xgrow(all, &capacity, *n + 1, sizeof *all);
        all[(*n)++] = one;
    }
    if (*n)
        qsort(all, *n, sizeof *all, compare);
    return all;
}

bool run_pictures_list(const char *folder, struct arena *arena, const struct picture_tag **tags, size_t *n,
                       struct err *err)
{
    char *path = run_pictures_folder(folder);
    DIR *dir = opendir(path);
    bool ok = dir || errno == ENOENT || err_errno(err, ERR_FAILED, errno, "cannot read '%s'", path);
    size_t n_found = 0;
    struct found *all = dir ? find_all(dir, arena, &n_found) : NULL;
    struct picture_tag *list = arena_array(arena, n_found + 1, sizeof *list);
    struct run_picture *pictures = arena_array(arena, n_found + 1, sizeof *pictures);
    *n = 0;
    for (size_t i = 0; i < n_found; i++) {
        pictures[i] = all[i].picture;
        if (!i || strcmp(all[i].tag, all[i - 1].tag) != 0)
            list[(*n)++] = (struct picture_tag){.tag = all[i].tag, .pictures = &pictures[i]};
        list[*n - 1].n++;
    }
    *tags = list;
    if (dir)
        closedir(dir);
    free(all);
    free(path);
    return ok;
}

int64_t run_pictures_stamp(const char *folder)
{
    struct stat st;
    char *path = run_pictures_folder(folder);
    int64_t stamp = stat(path, &st) ? 0 : (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec + 1;
    free(path);
    return stamp;
}

void run_pictures_clear(const char *folder)
{
    struct arena arena = {0};
    struct err ignored;
    const struct picture_tag *tags;
    size_t n = 0;
    char *home = run_pictures_folder(folder);
    if (!run_pictures_list(folder, &arena, &tags, &n, &ignored))
        n = 0;
    for (size_t t = 0; t < n; t++)
        for (size_t k = 0; k < tags[t].n; k++) {
            char *path = path_join(home, tags[t].pictures[k].file);
            io->unlink(path);
            free(path);
            path = xprintf("%s/%s" CAPTION, home, tags[t].pictures[k].file);
            io->unlink(path);
            free(path);
        }
    free(home);
    arena_release(&arena);
}
