/* zip_directory.c - the strict check of a zip directory; see zip_directory.h and zip_archive.h */
#include "persistence/files/zip_directory.h"

#include "base/arena.h"
#include "base/io.h"
#include "base/size.h"
#include "persistence/files/bytes.h"

#include <stdlib.h>
#include <sys/stat.h>

struct entry { /* one central header, as far as the checks need it */
    struct zip_member member;
    int64_t header; /* offset of the local header */
    uint16_t flags, method;
};

struct check {
    int fd;
    const char *path;
    int64_t file_bytes;
    struct zip_end end;
    struct entry *entries;
    size_t n_entries;
    struct err *err;
};

static bool refuse(const struct check *check, const char *name, const char *reason)
{
    struct str shown = {0};
    str_add_visible(&shown, name ? name : "");
    err_set(check->err, ERR_FORMAT,
            name ? "damaged or unsafe zip archive '%s': member '%s' %s" : "damaged or unsafe zip archive '%s':%s %s",
            check->path, str_text(&shown), reason);
    str_release(&shown);
    return false;
}

static bool find_end64(int fd, const char *path, int64_t end_at, struct zip_end *end, int64_t *directory_end,
                       struct err *err)
{
    uint8_t raw[ZIP_END64_BYTES];
    struct check check = {.path = path, .err = err};
    int64_t at = end_at - ZIP_LOCATOR_BYTES;
    if (at < ZIP_END64_BYTES)
        return refuse(&check, NULL, "its zip64 end record is missing");
    if (!io_pread_all(fd, raw, ZIP_LOCATOR_BYTES, at, path, err))
        return false;
    uint64_t end64 = bytes_get(raw + 8, 8);
    if (bytes_get(raw, 4) != ZIP_LOCATOR64 || bytes_get(raw + 4, 4) || bytes_get(raw + 16, 4) != 1 ||
        end64 != (uint64_t)(at - ZIP_END64_BYTES))
        return refuse(&check, NULL, "its zip64 locator is wrong");
    if (!io_pread_all(fd, raw, sizeof raw, at - ZIP_END64_BYTES, path, err))
        return false;
    if (bytes_get(raw, 4) != ZIP_END64 || bytes_get(raw + 4, 8) != ZIP_END64_BYTES - 12 || bytes_get(raw + 16, 8) ||
        bytes_get(raw + 24, 8) != bytes_get(raw + 32, 8) || bytes_get(raw + 40, 8) > INT64_MAX ||
        bytes_get(raw + 48, 8) > INT64_MAX || bytes_get(raw + 24, 8) > ZIP_MAX_MEMBERS)
        return refuse(&check, NULL, "its zip64 end record is wrong");
    *end = (struct zip_end){(int64_t)bytes_get(raw + 48, 8), (int64_t)bytes_get(raw + 40, 8),
                            (int64_t)bytes_get(raw + 24, 8)};
    *directory_end = at - ZIP_END64_BYTES;
    return true;
}

bool zip_find_end(int fd, const char *path, int64_t file_bytes, struct zip_end *end, struct err *err)
{
    uint8_t raw[ZIP_END_BYTES];
    struct check check = {.path = path, .err = err};
    int64_t at = file_bytes - ZIP_END_BYTES, directory_end = at;
    if (at < 0)
        return refuse(&check, NULL, "it is cut off");
    if (!io_pread_all(fd, raw, sizeof raw, at, path, err))
        return false;
    if (bytes_get(raw, 4) != ZIP_END || bytes_get(raw + 20, 2))
        return refuse(
            &check, NULL,
            "no zip directory at its end (cut off while it was written or copied, or something was appended)");
    if (bytes_get(raw + 4, 4) || bytes_get(raw + 8, 2) != bytes_get(raw + 10, 2))
        return refuse(&check, NULL, "it claims to be split over several disks");
    *end = (struct zip_end){(int64_t)bytes_get(raw + 16, 4), (int64_t)bytes_get(raw + 12, 4),
                            (int64_t)bytes_get(raw + 8, 2)};
    if ((end->offset == UINT32_MAX || end->size_bytes == UINT32_MAX || end->count == UINT16_MAX) &&
        !find_end64(fd, path, at, end, &directory_end, err))
        return false;
    if (end->count > ZIP_MAX_MEMBERS)
        return refuse(&check, NULL, "it has too many members");
    if (end->offset > directory_end || end->size_bytes != directory_end - end->offset)
        return refuse(&check, NULL, "its directory does not end where its end record starts");
    return true;
}

static bool name_is_safe(const char *name, size_t length)
{
    struct str shown = {0};
    bool same, safe = length && length < ZIP_MAX_NAME && strlen(name) == length && name[0] != '/' &&
                      !strchr(name, '\\') && !strchr(name, ':');
    str_add_visible(&shown, name);
    same = !strcmp(str_text(&shown), name);
    str_release(&shown);
    for (const char *part = name; safe && part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
        size_t n = strcspn(part, "/");
        safe = !(n == 2 && !strncmp(part, "..", 2)) && !(n == 1 && *part == '.') && (n || part == name + length);
    }
    return safe && same;
}

/* The zip64 field replaces, in this order, exactly those of the values that are all ones. A Unicode path field would
 * rename the member. */
static bool read_extra(const uint8_t *extra, size_t n, uint64_t *values[], size_t n_values)
{
    struct cursor c = {extra, n, 0, false};
    bool found = false;
    while (cursor_left(&c) >= 4) {
        uint16_t id = cursor_u16(&c), length = cursor_u16(&c);
        struct cursor field = {cursor_bytes(&c, length), length, 0, false};
        if (c.bad || id == 0x7075 || (id == 1 && found))
            return false;
        if (id != 1)
            continue;
        found = true;
        for (size_t i = 0; i < n_values; i++)
            if (*values[i] == UINT32_MAX)
                *values[i] = cursor_u64(&field);
        if (field.bad || cursor_left(&field))
            return false;
    }
    return !cursor_left(&c);
}

static bool check_central(struct check *check, struct entry *entry, struct cursor *c, const struct zip_rule *rules,
                          size_t n_rules)
{
    uint32_t magic = cursor_u32(c);
    uint16_t creator = cursor_u16(c), version = cursor_u16(c);
    entry->flags = cursor_u16(c);
    entry->method = cursor_u16(c);
    cursor_bytes(c, 4);
    uint32_t crc = cursor_u32(c);
    uint64_t stored = cursor_u32(c), size = cursor_u32(c);
    size_t name_bytes = cursor_u16(c), extra_bytes = cursor_u16(c), comment_bytes = cursor_u16(c), disk = cursor_u16(c);
    cursor_bytes(c, 2);
    uint32_t mode = cursor_u32(c) >> 16;
    uint64_t header = cursor_u32(c), *values[] = {&size, &stored, &header};
    const uint8_t *name = cursor_bytes(c, name_bytes), *extra = cursor_bytes(c, extra_bytes);
    cursor_bytes(c, comment_bytes);
    if (c->bad || magic != ZIP_CENTRAL)
        return refuse(check, NULL, "its directory is damaged");
    char *text = entry->member.name = xstrndup((const char *)name, name_bytes);
    if (!name_is_safe(text, name_bytes))
        return refuse(check, text, "has an unsafe name");
    if (!read_extra(extra, extra_bytes, values, 3))
        return refuse(check, text, "has damaged extra fields");
    if (entry->method != ZIP_STORED && entry->method != ZIP_DEFLATED)
        return refuse(check, text, "is compressed by an unknown method, expected stored or deflated");
    if (entry->flags & ~(ZIP_FLAG_DESCRIPTOR | ZIP_FLAG_UTF8 | 6) || version > 45)
        return refuse(check, text, "is encrypted or needs an unknown feature of zip");
    if (disk || comment_bytes || (creator >> 8 == 3 && (mode & S_IFMT) && !S_ISREG(mode) && !S_ISDIR(mode)))
        return refuse(check, text, "is a link, has a comment or lies on another disk");
    if (stored > (uint64_t)check->file_bytes || header > (uint64_t)check->file_bytes || size > INT64_MAX)
        return refuse(check, text, "lies outside of the file");
    if (entry->method == ZIP_STORED ? size != stored : size / 1032 > stored)
        return refuse(check, text, "declares a size that its bytes cannot have");
    size_t rule = 0;
    while (rule < n_rules && !str_glob(rules[rule].pattern, text))
        rule++;
    if (n_rules && rule == n_rules)
        return refuse(check, text, "does not belong into such an archive");
    if (n_rules && size > (uint64_t)rules[rule].max_bytes)
        return refuse(check, text, "is larger than such a member may be");
    entry->header = (int64_t)header;
    entry->member = (struct zip_member){text, entry->method == ZIP_DEFLATED, 0, (int64_t)stored, (int64_t)size, crc};
    return true;
}

/* A data descriptor repeats CRC and sizes behind the data, in one of four forms. Returns its length, or -1. */
static int64_t descriptor_bytes(const struct check *check, const struct zip_member *member, int64_t at, int64_t room)
{
    uint8_t raw[24] = {0};
    struct err ignored;
    size_t n = room < (int64_t)sizeof raw ? (size_t)room : sizeof raw;
    if (room < 12 || !io_pread_all(check->fd, raw, n, at, check->path, &ignored))
        return -1;
    size_t skip = bytes_get(raw, 4) == ZIP_DESCRIPTOR ? 4 : 0;
    for (size_t width = 4; width <= 8; width += 4)
        if (skip + 4 + 2 * width <= n && bytes_get(raw + skip, 4) == member->crc &&
            bytes_get(raw + skip + 4, width) == (uint64_t)member->stored_bytes &&
            bytes_get(raw + skip + 4 + width, width) == (uint64_t)member->size_bytes &&
            (width == 8 || skip + 12 == n || bytes_get(raw + skip + 12, 4) != 0 || room == (int64_t)skip + 12))
            return (int64_t)(skip + 4 + 2 * width);
    return -1;
}

static bool read_local(struct check *check, struct entry *entry, struct cursor *c, uint8_t *variable)
{
    uint8_t raw[ZIP_LOCAL_BYTES];
    struct zip_member *member = &entry->member;
    if (check->end.offset - entry->header < ZIP_LOCAL_BYTES)
        return refuse(check, member->name, "has its header inside the directory");
    if (!io_pread_all(check->fd, raw, sizeof raw, entry->header, check->path, check->err))
        return false;
    size_t name_bytes = bytes_get(raw + 26, 2), extra_bytes = bytes_get(raw + 28, 2);
    member->offset = entry->header + ZIP_LOCAL_BYTES + (int64_t)(name_bytes + extra_bytes);
    if (member->offset > check->end.offset || member->stored_bytes > check->end.offset - member->offset)
        return refuse(check, member->name, "does not end before the directory");
    if (!io_pread_all(check->fd, variable, name_bytes + extra_bytes, entry->header + ZIP_LOCAL_BYTES, check->path,
                      check->err))
        return false;
    *c = (struct cursor){variable, name_bytes + extra_bytes, 0, false};
    const uint8_t *name = cursor_bytes(c, name_bytes);
    uint64_t crc = bytes_get(raw + 14, 4), stored = bytes_get(raw + 18, 4), size = bytes_get(raw + 22, 4),
             *values[] = {&size, &stored};
    bool described = entry->flags & ZIP_FLAG_DESCRIPTOR;
    if (!read_extra(variable + name_bytes, extra_bytes, values, 2))
        return refuse(check, member->name, "has damaged extra fields");
    bool same = bytes_get(raw, 4) == ZIP_LOCAL && bytes_get(raw + 6, 2) == entry->flags &&
                bytes_get(raw + 8, 2) == entry->method && name_bytes == strlen(member->name) &&
                !memcmp(name, member->name, name_bytes);
    bool sizes = crc == member->crc && stored == (uint64_t)member->stored_bytes && size == (uint64_t)member->size_bytes;
    if (!same || !(sizes || (described && !crc && !stored && !size)))
        return refuse(check, member->name, "is described differently by its own header and by the directory");
    return true;
}

static int by_header(const void *a, const void *b)
{
    const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
    return (x->header > y->header) - (x->header < y->header);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct entry *const *)a)->member.name, (*(struct entry *const *)b)->member.name);
}

/* Every byte in front of the directory belongs to exactly one member. */
static bool check_extents(struct check *check, struct entry **order)
{
    uint8_t *variable = xmalloc(2 * 65536);
    int64_t at = 0;
    bool ok = true;
    qsort(order, check->n_entries, sizeof *order, by_header);
    for (size_t i = 0; ok && i < check->n_entries; i++) {
        struct cursor c;
        struct zip_member *member = &order[i]->member;
        int64_t next = i + 1 < check->n_entries ? order[i + 1]->header : check->end.offset;
        if (order[i]->header != at) {
            ok = refuse(check, member->name,
                        order[i]->header < at ? "overlaps another member" : "has unused bytes in front of it");
            break;
        }
        if (!(ok = read_local(check, order[i], &c, variable)))
            break;
        at = member->offset + member->stored_bytes;
        if (at < next && order[i]->flags & ZIP_FLAG_DESCRIPTOR) {
            int64_t n = descriptor_bytes(check, member, at, next - at);
            ok = n > 0 || refuse(check, member->name, "has a wrong data descriptor");
            at += n;
        }
    }
    if (ok && at != check->end.offset)
        ok = refuse(check, NULL, "bytes between its last member and its directory belong to nothing");
    free(variable);
    return ok;
}

static bool check_names(struct check *check, struct entry **order)
{
    qsort(order, check->n_entries, sizeof *order, by_name);
    for (size_t i = 1; i < check->n_entries; i++)
        if (!by_name(&order[i - 1], &order[i]))
            return refuse(check, order[i]->member.name, "occurs twice");
    return true;
}

static bool read_central(struct check *check, const struct zip_rule *rules, size_t n_rules)
{
    size_t count = (size_t)check->end.count;
    if (check->end.size_bytes > (int64_t)(count * (ZIP_CENTRAL_BYTES + 2 * ZIP_MAX_NAME)))
        return refuse(check, NULL, "its directory is larger than its members need");
    uint8_t *raw = xmalloc((size_t)check->end.size_bytes + 1);
    struct cursor c = {raw, (size_t)check->end.size_bytes, 0, false};
    bool ok = io_pread_all(check->fd, raw, c.size_bytes, check->end.offset, check->path, check->err);
    check->entries = xcalloc(count + 1, sizeof *check->entries);
    while (ok && check->n_entries < count)
        ok = check_central(check, &check->entries[check->n_entries++], &c, rules, n_rules);
    if (ok && cursor_left(&c))
        ok = refuse(check, NULL, "its directory has more entries than its end record says");
    free(raw);
    return ok;
}

bool zip_directory_read(struct zip_directory *directory, int fd, const char *path, const struct zip_rule *rules,
                        size_t n_rules, struct err *err)
{
    struct stat st;
    struct check check = {.fd = fd, .path = path, .err = err};
    *directory = (struct zip_directory){0};
    if (fstat(fd, &st))
        return err_set(err, ERR_FAILED, "cannot read '%s'", path);
    check.file_bytes = st.st_size;
    if (!zip_find_end(fd, path, check.file_bytes, &check.end, err))
        return false;
    bool ok = read_central(&check, rules, n_rules);
    struct entry **order = xcalloc(check.n_entries + 1, sizeof *order);
    for (size_t i = 0; i < check.n_entries; i++)
        order[i] = &check.entries[i];
    ok = ok && check_extents(&check, order) && check_names(&check, order);
    directory->members = xcalloc(check.n_entries + 1, sizeof *directory->members);
    for (size_t i = 0; i < check.n_entries; i++)
        directory->members[directory->n_members++] = check.entries[i].member;
    free(order);
    free(check.entries);
    return ok;
}

void zip_directory_release(struct zip_directory *directory)
{
    for (size_t i = 0; i < directory->n_members; i++)
        free(directory->members[i].name);
    free(directory->members);
    *directory = (struct zip_directory){0};
}
