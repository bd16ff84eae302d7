/* zip_archive.c - reading members of a checked archive; see zip_archive.h */
#include "persistence/files/zip_archive.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/io.h"
#include "persistence/files/bytes.h"
#include "persistence/files/zip_directory.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <zip.h>

enum { BLOCK = 1 << 18 };

struct zip_archive {
    int fd;
    char *path;
    struct zip_directory directory;
    int64_t file_bytes, position; /* position: of libzip's own reading */
    zip_error_t error;
    zip_t *library; /* opened when the first deflated member is read */
};

struct zip_archive *zip_archive_open(int fd, const char *path, const struct zip_rule *rules, size_t n_rules,
                                     struct err *err)
{
    struct stat st;
    struct zip_archive *zip = xcalloc(1, sizeof *zip);
    zip->fd = fd;
    zip->path = xstrdup(path);
    zip_error_init(&zip->error);
    zip->file_bytes = fstat(fd, &st) ? 0 : st.st_size;
    if (zip_directory_read(&zip->directory, fd, path, rules, n_rules, err))
        return zip;
    zip_archive_close(zip);
    return NULL;
}

void zip_archive_close(struct zip_archive *zip)
{
    if (!zip)
        return;
    if (zip->library)
        zip_discard(zip->library);
    zip_error_fini(&zip->error);
    zip_directory_release(&zip->directory);
    free(zip->path);
    free(zip);
}

const struct zip_member *zip_archive_members(const struct zip_archive *zip, size_t *n)
{
    *n = zip->directory.n_members;
    return zip->directory.members;
}

const struct zip_member *zip_archive_find(const struct zip_archive *zip, const char *name)
{
    for (size_t i = 0; i < zip->directory.n_members; i++)
        if (!strcmp(zip->directory.members[i].name, name))
            return &zip->directory.members[i];
    return NULL;
}

static zip_int64_t source_read(struct zip_archive *zip, void *data, zip_uint64_t length)
{
    struct err err;
    int64_t left = zip->file_bytes - zip->position;
    if (left < 0 || length > (zip_uint64_t)left)
        length = left < 0 ? 0 : (zip_uint64_t)left;
    if (!io_pread_all(zip->fd, data, length, zip->position, zip->path, &err)) {
        zip_error_set(&zip->error, ZIP_ER_READ, 0);
        return -1;
    }
    zip->position += (int64_t)length;
    return (zip_int64_t)length;
}

/* libzip reads through our own descriptor: it opens nothing and cannot write. */
static zip_int64_t source(void *context, void *data, zip_uint64_t length, zip_source_cmd_t command)
{
    struct zip_archive *zip = context;
    switch (command) {
    case ZIP_SOURCE_OPEN:
        zip->position = 0;
        return 0;
    case ZIP_SOURCE_READ:
        return source_read(zip, data, length);
    case ZIP_SOURCE_SEEK:
        zip->position = zip_source_seek_compute_offset((zip_uint64_t)zip->position, (zip_uint64_t)zip->file_bytes, data,
                                                       length, &zip->error);
        return zip->position < 0 ? -1 : 0;
    case ZIP_SOURCE_TELL:
        return zip->position;
    case ZIP_SOURCE_STAT: {
        zip_stat_t *stat = data;
        zip_stat_init(stat);
        stat->valid = ZIP_STAT_SIZE;
        stat->size = (zip_uint64_t)zip->file_bytes;
        return sizeof *stat;
    }
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&zip->error, data, length);
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_SEEKABLE;
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
        return 0;
    default:
        zip_error_set(&zip->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

static bool library_open(struct zip_archive *zip, struct err *err)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *from = zip_source_function_create(source, zip, &error);
    if (from)
        zip->library = zip_open_from_source(from, ZIP_RDONLY, &error);
    if (from && !zip->library)
        zip_source_free(from);
    bool ok = zip->library && (size_t)zip_get_num_entries(zip->library, 0) == zip->directory.n_members;
    if (!ok)
        err_set(err, ERR_FORMAT, "damaged or unsafe zip archive '%s': %s", zip->path, zip_error_strerror(&error));
    zip_error_fini(&error);
    return ok;
}

/* Passes the content on in blocks of at most BLOCK bytes. */
static bool stream(struct zip_archive *zip, const struct zip_member *member,
                   bool (*take)(void *ctx, const void *data, size_t n, struct err *err), void *ctx, struct err *err)
{
    char *block = xmalloc(BLOCK);
    zip_file_t *file = NULL;
    uint32_t crc = 0;
    int64_t done = 0;
    bool ok = !member->deflated || zip->library || library_open(zip, err);
    if (ok && member->deflated &&
        !(file = zip_fopen_index(zip->library, (zip_uint64_t)(member - zip->directory.members), 0)))
        ok = err_set(err, ERR_FORMAT, "cannot read member '%s' of '%s': %s", member->name, zip->path,
                     zip_strerror(zip->library));
    while (ok && done < member->size_bytes) {
        size_t want = member->size_bytes - done < BLOCK ? (size_t)(member->size_bytes - done) : BLOCK;
        if (!member->deflated)
            ok = io_pread_all(zip->fd, block, want, member->offset + done, zip->path, err);
        else if (zip_fread(file, block, want) != (zip_int64_t)want)
            ok = err_set(err, ERR_FORMAT, "member '%s' of '%s' is damaged: %s", member->name, zip->path,
                         zip_file_strerror(file));
        if (!ok)
            break;
        crc = hash_crc32(crc, block, want);
        done += (int64_t)want;
        ok = take(ctx, block, want, err);
    }
    if (ok && (crc != member->crc || (member->deflated && zip_fread(file, block, 1) != 0)))
        ok = err_set(err, ERR_FORMAT, "member '%s' of '%s' is damaged: its checksum or length is wrong", member->name,
                     zip->path);
    if (file)
        zip_fclose(file);
    free(block);
    return ok;
}

static bool take_memory(void *ctx, const void *data, size_t n, struct err *err)
{
    char **to = ctx;
    (void)err;
    memcpy(*to, data, n);
    *to += n;
    return true;
}

static bool take_file(void *ctx, const void *data, size_t n, struct err *err)
{
    return io_write_all(*(int *)ctx, data, n, "the inflated member", err);
}

bool zip_member_read(struct zip_archive *zip, const struct zip_member *member, void *dst, struct err *err)
{
    char *to = dst;
    return stream(zip, member, take_memory, &to, err);
}

bool zip_member_extract(struct zip_archive *zip, const struct zip_member *member, int fd_out, struct err *err)
{
    return stream(zip, member, take_file, &fd_out, err);
}

bool zip_check_crc(int fd, const char *path, const char *name, int64_t offset, int64_t size_bytes, uint32_t crc,
                   struct err *err)
{
    char *block = xmalloc(BLOCK);
    uint32_t found = 0;
    bool ok = true;
    for (int64_t done = 0; ok && done < size_bytes; done += BLOCK) {
        size_t want = size_bytes - done < BLOCK ? (size_t)(size_bytes - done) : BLOCK;
        ok = io_pread_all(fd, block, want, offset + done, path, err);
        if (ok)
            found = hash_crc32(found, block, want);
    }
    free(block);
    if (ok && found != crc)
        return err_set(err, ERR_FORMAT, "member '%s' of '%s' is damaged: its CRC is %08x, the directory says %08x",
                       name, path, found, crc);
    return ok;
}

bool zip_peek_names(int fd, void (*name)(void *ctx, const char *text), void *ctx)
{
    struct stat st;
    struct zip_end end;
    struct err ignored;
    if (fstat(fd, &st) || !zip_find_end(fd, "", st.st_size, &end, &ignored) || end.size_bytes > 8 << 20)
        return false;
    uint8_t *raw = xmalloc((size_t)end.size_bytes + 1);
    struct cursor c = {raw, (size_t)end.size_bytes, 0, false};
    bool ok = io_pread_all(fd, raw, c.size_bytes, end.offset, "", &ignored);
    while (ok && cursor_left(&c)) {
        const uint8_t *header = cursor_bytes(&c, ZIP_CENTRAL_BYTES);
        size_t n = header ? bytes_get(header + 28, 2) : 0;
        const uint8_t *text = cursor_bytes(&c, n);
        cursor_bytes(&c, header ? bytes_get(header + 30, 2) + bytes_get(header + 32, 2) : 0);
        if (c.bad || bytes_get(header, 4) != ZIP_CENTRAL)
            break;
        if (!name)
            continue;
        char *copy = xstrndup((const char *)text, n);
        name(ctx, copy);
        free(copy);
    }
    free(raw);
    return ok;
}
