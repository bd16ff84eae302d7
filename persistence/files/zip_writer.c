/* zip_writer.c - writing stored members; see zip_archive.h */
#include "persistence/files/zip_archive.h"

#include "base/arena.h"
#include "base/hash.h"
#include "persistence/files/atomic_file.h"
#include "persistence/files/bytes.h"
#include "persistence/files/zip_directory.h"

#include <stdlib.h>

struct written {
    char *name;
    int64_t header, size_bytes;
    uint32_t crc;
};

struct zip_writer {
    struct atomic_file *file;
    struct written *members;
    size_t n_members, capacity;
    int64_t left; /* bytes the open member still wants */
    uint32_t crc;
};

/* A piece is still in the cache when it is written after its CRC. */
enum { PIECE_BYTES = 1 << 18 };
enum { CREATOR_UNIX = 3 << 8, ATTRIBUTES = 0600 };

struct zip_writer *zip_writer_new(struct atomic_file *file)
{
    struct zip_writer *zip = xcalloc(1, sizeof *zip);
    BUG_ON(atomic_file_size(file) != 0);
    zip->file = file;
    return zip;
}

void zip_writer_free(struct zip_writer *zip)
{
    if (!zip)
        return;
    for (size_t i = 0; i < zip->n_members; i++)
        free(zip->members[i].name);
    free(zip->members);
    free(zip);
}

static uint64_t narrow(int64_t value)
{
    return value >= UINT32_MAX ? UINT32_MAX : (uint64_t)value;
}

/* What local and central header share: version, flags, method, time, date, CRC, sizes, length of the name. */
static void add_common(struct str *out, const struct written *member, bool wide)
{
    bytes_add(out, wide ? 45 : 20, 2);
    bytes_add(out, 0, 2);
    bytes_add(out, ZIP_STORED, 2);
    bytes_add(out, 0, 2);
    bytes_add(out, ZIP_DATE_1980, 2);
    bytes_add(out, member->crc, 4);
    bytes_add(out, narrow(member->size_bytes), 4);
    bytes_add(out, narrow(member->size_bytes), 4);
    bytes_add(out, strlen(member->name), 2);
}

static void add_local(struct str *out, const struct written *member)
{
    bool wide = member->size_bytes >= UINT32_MAX;
    bytes_add(out, ZIP_LOCAL, 4);
    add_common(out, member, wide);
    bytes_add(out, wide ? 20 : 0, 2);
    str_add(out, member->name);
    if (wide) {
        bytes_add(out, 1, 2);
        bytes_add(out, 16, 2);
        bytes_add(out, (uint64_t)member->size_bytes, 8);
        bytes_add(out, (uint64_t)member->size_bytes, 8);
    }
}

static void add_central(struct str *out, const struct written *member)
{
    bool big = member->size_bytes >= UINT32_MAX, far = member->header >= UINT32_MAX;
    size_t extra = (big ? 16u : 0u) + (far ? 8u : 0u);
    bytes_add(out, ZIP_CENTRAL, 4);
    bytes_add(out, CREATOR_UNIX | (extra ? 45 : 20), 2);
    add_common(out, member, extra > 0);
    bytes_add(out, extra ? extra + 4 : 0, 2);
    bytes_add(out, 0, 6); /* comment, disk, internal attributes */
    bytes_add(out, (uint64_t)ATTRIBUTES << 16, 4);
    bytes_add(out, narrow(member->header), 4);
    str_add(out, member->name);
    if (extra) {
        bytes_add(out, 1, 2);
        bytes_add(out, extra, 2);
    }
    if (big) {
        bytes_add(out, (uint64_t)member->size_bytes, 8);
        bytes_add(out, (uint64_t)member->size_bytes, 8);
    }
    if (far)
        bytes_add(out, (uint64_t)member->header, 8);
}

bool zip_writer_begin(struct zip_writer *zip, const char *name, int64_t size_bytes, struct err *err)
{
    struct str header = {0};
    zip->members = xgrow(zip->members, &zip->capacity, zip->n_members + 1, sizeof *zip->members);
    struct written *member = &zip->members[zip->n_members++];
    *member = (struct written){xstrdup(name), atomic_file_size(zip->file), size_bytes, 0};
    zip->left = size_bytes;
    zip->crc = 0;
    add_local(&header, member);
    bool ok = atomic_file_write(zip->file, header.data, header.length, err);
    str_release(&header);
    return ok;
}

bool zip_writer_write(struct zip_writer *zip, const void *data, size_t size_bytes, struct err *err)
{
    BUG_ON((uint64_t)zip->left < size_bytes);
    zip->left -= (int64_t)size_bytes;
    for (const char *p = data; size_bytes;) {
        size_t part = size_bytes < PIECE_BYTES ? size_bytes : PIECE_BYTES;
        zip->crc = hash_crc32(zip->crc, p, part);
        if (!atomic_file_write(zip->file, p, part, err))
            return false;
        p += part;
        size_bytes -= part;
    }
    return true;
}

bool zip_writer_end(struct zip_writer *zip, struct err *err)
{
    uint8_t raw[4];
    struct written *member = &zip->members[zip->n_members - 1];
    BUG_ON(zip->left);
    member->crc = zip->crc;
    bytes_put(raw, member->crc, 4);
    return atomic_file_patch(zip->file, raw, 4, member->header + 14, err);
}

static void add_end64(struct str *out, uint64_t count, int64_t offset, int64_t size_bytes)
{
    bytes_add(out, ZIP_END64, 4);
    bytes_add(out, ZIP_END64_BYTES - 12, 8);
    bytes_add(out, CREATOR_UNIX | 45, 2);
    bytes_add(out, 45, 2);
    bytes_add(out, 0, 8);
    bytes_add(out, count, 8);
    bytes_add(out, count, 8);
    bytes_add(out, (uint64_t)size_bytes, 8);
    bytes_add(out, (uint64_t)offset, 8);
    bytes_add(out, ZIP_LOCATOR64, 4);
    bytes_add(out, 0, 4);
    bytes_add(out, (uint64_t)(offset + size_bytes), 8);
    bytes_add(out, 1, 4);
}

bool zip_writer_finish(struct zip_writer *zip, struct err *err)
{
    struct str out = {0};
    int64_t offset = atomic_file_size(zip->file);
    for (size_t i = 0; i < zip->n_members; i++)
        add_central(&out, &zip->members[i]);
    int64_t size_bytes = (int64_t)out.length;
    if (offset >= UINT32_MAX || size_bytes >= UINT32_MAX || zip->n_members >= UINT16_MAX)
        add_end64(&out, zip->n_members, offset, size_bytes);
    uint64_t count = zip->n_members >= UINT16_MAX ? UINT16_MAX : zip->n_members;
    bytes_add(&out, ZIP_END, 4);
    bytes_add(&out, 0, 4);
    bytes_add(&out, count, 2);
    bytes_add(&out, count, 2);
    bytes_add(&out, narrow(size_bytes), 4);
    bytes_add(&out, narrow(offset), 4);
    bytes_add(&out, 0, 2);
    bool ok = atomic_file_write(zip->file, out.data, out.length, err);
    str_release(&out);
    return ok;
}
