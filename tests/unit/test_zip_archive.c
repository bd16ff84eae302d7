/* Archives: what we write reads back; every trick that could make two zip readers see different things is refused. */
#include "persistence/files/zip_archive.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/io.h"
#include "persistence/files/atomic_file.h"
#include "persistence/files/bytes.h"
#include "tests/check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <zlib.h>

/* A forged archive: two members by default, every field open to change. */
struct forged {
    const char *name, *local_name;
    const char *data; /* the bytes as stored */
    size_t stored, size, local_size, flags, method, disk, mode, creator;
    uint32_t crc;
    const char *extra;
    size_t extra_bytes;
    bool descriptor, skip_data; /* skip_data: no local part of its own */
    int64_t header;             /* where the directory says the local header is; -1 = where it is */
};

static struct forged member(const char *name, const char *data)
{
    size_t n = strlen(data);
    return (struct forged){.name = name,
                           .data = data,
                           .stored = n,
                           .size = n,
                           .local_size = n,
                           .crc = hash_crc32(0, data, n),
                           .mode = 0100600,
                           .creator = 3,
                           .header = -1};
}

static void forge_local(struct str *out, const struct forged *m)
{
    const char *name = m->local_name ? m->local_name : m->name;
    bool later = m->descriptor;
    bytes_add(out, 0x04034b50, 4);
    bytes_add(out, 20, 2);
    bytes_add(out, m->flags | (later ? 8 : 0), 2);
    bytes_add(out, m->method, 2);
    bytes_add(out, 0x210000, 4);
    bytes_add(out, later ? 0 : m->crc, 4);
    bytes_add(out, later ? 0 : m->stored, 4);
    bytes_add(out, later ? 0 : m->local_size, 4);
    bytes_add(out, strlen(name), 2);
    bytes_add(out, 0, 2);
    str_add(out, name);
    str_add_bytes(out, m->data, m->stored);
    if (later) {
        bytes_add(out, 0x08074b50, 4);
        bytes_add(out, m->crc, 4);
        bytes_add(out, m->stored, 4);
        bytes_add(out, m->size, 4);
    }
}

static void forge_central(struct str *out, const struct forged *m, int64_t header)
{
    bytes_add(out, 0x02014b50, 4);
    bytes_add(out, 20 | m->creator << 8, 2);
    bytes_add(out, 20, 2);
    bytes_add(out, m->flags | (m->descriptor ? 8 : 0), 2);
    bytes_add(out, m->method, 2);
    bytes_add(out, 0x210000, 4);
    bytes_add(out, m->crc, 4);
    bytes_add(out, m->stored, 4);
    bytes_add(out, m->size, 4);
    bytes_add(out, strlen(m->name), 2);
    bytes_add(out, m->extra_bytes, 2);
    bytes_add(out, 0, 2);
    bytes_add(out, m->disk, 2);
    bytes_add(out, 0, 2);
    bytes_add(out, (uint64_t)m->mode << 16, 4);
    bytes_add(out, (uint64_t)(m->header >= 0 ? m->header : header), 4);
    str_add(out, m->name);
    str_add_bytes(out, m->extra, m->extra_bytes);
}

static struct str forge(const struct forged *members, size_t n)
{
    struct str out = {0};
    int64_t headers[64];
    for (size_t i = 0; i < n; i++) {
        headers[i] = (int64_t)out.length;
        if (!members[i].skip_data)
            forge_local(&out, &members[i]);
    }
    size_t start = out.length;
    for (size_t i = 0; i < n; i++)
        forge_central(&out, &members[i], headers[i]);
    size_t directory = out.length - start;
    bytes_add(&out, 0x06054b50, 4);
    bytes_add(&out, 0, 4);
    bytes_add(&out, n, 2);
    bytes_add(&out, n, 2);
    bytes_add(&out, directory, 4);
    bytes_add(&out, start, 4);
    bytes_add(&out, 0, 2);
    return out;
}

static struct zip_archive *open_bytes(const void *data, size_t n, const struct zip_rule *rules, size_t n_rules,
                                      struct err *err)
{
    static int fd = -1;
    if (fd >= 0)
        close(fd);
    fd = memfd_create("zip", MFD_CLOEXEC);
    CHECK_OK(io_write_all(fd, data, n, "zip", err), *err);
    return zip_archive_open(fd, "x.zip", rules, n_rules, err);
}

static void expect_refusal(struct str bytes, const char *words)
{
    struct err err = {0};
    struct zip_archive *zip = open_bytes(bytes.data, bytes.length, NULL, 0, &err);
    if (zip)
        CHECK_FAIL("accepted, expected a refusal with '%s'", words);
    else {
        CHECK_EQ(err.code, ERR_FORMAT);
        CHECK_HAS(err.text, words);
        CHECK_HAS(err.text, "x.zip");
    }
    zip_archive_close(zip);
    str_release(&bytes);
}

static void expect_content(struct str bytes, const char *name, const char *content)
{
    struct err err = {0};
    char text[256] = "";
    struct zip_archive *zip = open_bytes(bytes.data, bytes.length, NULL, 0, &err);
    const struct zip_member *found = zip ? zip_archive_find(zip, name) : NULL;
    if (!found)
        CHECK_FAIL("no '%s': %s", name, err.text);
    else {
        CHECK_OK(zip_member_read(zip, found, text, &err), err);
        CHECK_STR(text, content);
    }
    zip_archive_close(zip);
    str_release(&bytes);
}

static struct forged deflated(const char *name, const char *text, char *room, size_t room_bytes)
{
    z_stream z = {0};
    CHECK_EQ(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = (Bytef *)room;
    z.avail_out = (uInt)room_bytes;
    CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
    struct forged m = member(name, text);
    m.data = room;
    m.stored = z.total_out;
    m.method = 8;
    deflateEnd(&z);
    return m;
}

static void test_written_members_read_back_in_place(void)
{
    struct err err;
    const char *path = check_path("w.zip");
    struct atomic_file *file = atomic_file_open(path, &err);
    struct zip_writer *writer = zip_writer_new(file);
    CHECK_OK(zip_writer_begin(writer, "a", 3, &err) && zip_writer_write(writer, "x", 1, &err) &&
                 zip_writer_write(writer, "yz", 2, &err) && zip_writer_end(writer, &err) &&
                 zip_writer_begin(writer, "b/c", 0, &err) && zip_writer_end(writer, &err) &&
                 zip_writer_finish(writer, &err) && atomic_file_commit(&file, &err),
             err);
    zip_writer_free(writer);
    int fd = open(path, O_RDONLY);
    size_t n;
    char text[4] = "", direct[4] = "";
    struct zip_archive *zip = zip_archive_open(fd, path, NULL, 0, &err);
    const struct zip_member *members = zip_archive_members(zip, &n);
    CHECK_EQ(n, 2);
    CHECK_STR(members[1].name, "b/c");
    CHECK_OK(zip_member_read(zip, &members[0], text, &err), err);
    CHECK_STR(text, "xyz");
    CHECK_EQ(pread(fd, direct, 3, members[0].offset), 3);
    CHECK_STR(direct, "xyz");
    zip_archive_close(zip);
    close(fd);
}

static void test_ordinary_archives_are_read(void)
{
    char room[256];
    struct forged two[] = {member("a", "first"), member("b", "second")};
    expect_content(forge(two, 2), "b", "second");
    two[0].descriptor = true;
    expect_content(forge(two, 2), "a", "first");
    two[0] = deflated("a", "first first first first", room, sizeof room);
    expect_content(forge(two, 2), "a", "first first first first");
    two[0].descriptor = true;
    expect_content(forge(two, 2), "a", "first first first first");
    expect_content(forge(two, 2), "b", "second");
}

static void test_names_that_could_leave_the_archive_are_refused(void)
{
    static const char *const names[] = {"../a", "/a",   "a/../b",   "a\\b", "c:a",      "a//b",
                                        "./a",  "a/..", "\x1b]0;x", "a\nb", "\xff\xfe", ".."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct forged one = member(names[i], "x");
        expect_refusal(forge(&one, 1), "unsafe name");
    }
}

static void test_duplicates_overlaps_and_gaps_are_refused(void)
{
    struct forged two[] = {member("a", "first"), member("a", "second")};
    expect_refusal(forge(two, 2), "occurs twice");
    two[1] = member("b", "first");
    two[1].skip_data = true;
    two[1].header = 0;
    expect_refusal(forge(two, 2), "overlaps");
    struct forged three[] = {member("a", "first"), member("gap", "hidden"), member("b", "second")};
    struct str whole = forge(three, 3), gap = {0};
    /* the same bytes with a directory that leaves the middle member out */
    size_t local = 30 + 1 + 5 + 30 + 3 + 6 + 30 + 1 + 6;
    str_add_bytes(&gap, whole.data, local);
    forge_central(&gap, &three[0], 0);
    forge_central(&gap, &three[2], 30 + 1 + 5 + 30 + 3 + 6);
    size_t directory = gap.length - local;
    bytes_add(&gap, 0x06054b50, 8);
    bytes_add(&gap, 2, 2);
    bytes_add(&gap, 2, 2);
    bytes_add(&gap, directory, 4);
    bytes_add(&gap, local, 4);
    bytes_add(&gap, 0, 2);
    expect_refusal(gap, "unused bytes");
    str_release(&whole);
}

static void test_headers_that_disagree_are_refused(void)
{
    struct forged one = member("a", "first");
    one.local_name = "b";
    expect_refusal(forge(&one, 1), "differently");
    one = member("a", "first");
    one.local_size = 4;
    expect_refusal(forge(&one, 1), "differently");
    one = member("a", "first");
    one.size = one.local_size = 50;
    expect_refusal(forge(&one, 1), "cannot have");
    one = member("a", "first");
    one.header = 1 << 30;
    expect_refusal(forge(&one, 1), "outside");
}

static void test_unknown_features_are_refused(void)
{
    struct forged one = member("a", "first");
    one.flags = 1;
    expect_refusal(forge(&one, 1), "encrypted");
    one = member("a", "first");
    one.method = 12;
    expect_refusal(forge(&one, 1), "unknown method");
    one = member("a", "first");
    one.mode = 0120777;
    expect_refusal(forge(&one, 1), "is a link");
    one = member("a", "first");
    one.disk = 1;
    expect_refusal(forge(&one, 1), "another disk");
    one = member("a", "first");
    one.extra = "\x75\x70\x01\x00z";
    one.extra_bytes = 5;
    expect_refusal(forge(&one, 1), "extra fields");
    one.extra = "\x01\x00\x08\x00\0\0\0\0\0\0\0\0";
    one.extra_bytes = 12;
    expect_refusal(forge(&one, 1), "extra fields");
}

static void test_bytes_before_and_behind_are_refused(void)
{
    struct forged two[] = {member("a", "first"), member("b", "second")};
    struct str bytes = forge(two, 2);
    str_add_char(&bytes, 'x');
    expect_refusal(bytes, "no zip directory at its end");
    struct str good = forge(two, 2), prefixed = {0};
    str_add(&prefixed, "#!/bin/sh\n");
    str_add_bytes(&prefixed, good.data, good.length);
    expect_refusal(prefixed, "does not end where");
    static const char second[22] = "PK\5\6";
    str_add_bytes(&good, second, 22);
    expect_refusal(good, "does not end where");
}

static void test_bombs_are_refused_by_rule_and_by_ratio(void)
{
    struct err err = {0};
    static const struct zip_rule rules[] = {{"config.json", 16}};
    struct forged one = member("config.json", "more than sixteen bytes");
    struct str bytes = forge(&one, 1);
    CHECK(!open_bytes(bytes.data, bytes.length, rules, 1, &err));
    CHECK_HAS(err.text, "larger than such a member may be");
    str_release(&bytes);
    one = member("evil.py", "x");
    bytes = forge(&one, 1);
    CHECK(!open_bytes(bytes.data, bytes.length, rules, 1, &err));
    CHECK_HAS(err.text, "does not belong");
    str_release(&bytes);
    one = member("a", "first");
    one.method = 8;
    one.size = one.local_size = 1 << 30;
    expect_refusal(forge(&one, 1), "cannot have");
}

static void test_a_member_longer_or_other_than_declared_is_damaged(void)
{
    struct err err = {0};
    char room[256], text[256];
    struct forged one = deflated("a", "first first first first", room, sizeof room);
    for (int k = 0; k < 3; k++) {
        struct forged bad = one;
        if (k == 0)
            bad.size = bad.local_size = 10;
        else if (k == 1)
            bad.size = bad.local_size = 40;
        else
            bad.crc ^= 1;
        struct str bytes = forge(&bad, 1);
        struct zip_archive *zip = open_bytes(bytes.data, bytes.length, NULL, 0, &err);
        CHECK(zip && !zip_member_read(zip, zip_archive_find(zip, "a"), text, &err));
        CHECK_HAS(err.text, "damaged");
        zip_archive_close(zip);
        str_release(&bytes);
    }
}

static void test_every_cut_is_refused_and_no_flip_changes_a_member_silently(void)
{
    char room[256], text[256];
    struct err err = {0};
    struct forged two[] = {deflated("a", "first first first", room, sizeof room), member("b", "second")};
    struct str bytes = forge(two, 2);
    for (size_t cut = 0; cut < bytes.length; cut++) {
        struct zip_archive *zip = open_bytes(bytes.data, cut, NULL, 0, &err);
        CHECK(!zip && err.code == ERR_FORMAT);
        zip_archive_close(zip);
    }
    for (size_t i = 0; i < bytes.length; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[i] ^= (char)(1 << bit);
            struct zip_archive *zip = open_bytes(bytes.data, bytes.length, NULL, 0, &err);
            const struct zip_member *b = zip ? zip_archive_find(zip, "b") : NULL;
            memset(text, 0, sizeof text);
            if (b && b->size_bytes < 256 && zip_member_read(zip, b, text, &err))
                CHECK_STR(text, "second");
            const struct zip_member *a = zip ? zip_archive_find(zip, "a") : NULL;
            memset(text, 0, sizeof text);
            if (a && a->size_bytes < 256 && zip_member_read(zip, a, text, &err))
                CHECK_STR(text, "first first first");
            zip_archive_close(zip);
            bytes.data[i] ^= (char)(1 << bit);
        }
    str_release(&bytes);
}

int main(void)
{
    RUN(test_written_members_read_back_in_place);
    RUN(test_ordinary_archives_are_read);
    RUN(test_names_that_could_leave_the_archive_are_refused);
    RUN(test_duplicates_overlaps_and_gaps_are_refused);
    RUN(test_headers_that_disagree_are_refused);
    RUN(test_unknown_features_are_refused);
    RUN(test_bytes_before_and_behind_are_refused);
    RUN(test_bombs_are_refused_by_rule_and_by_ratio);
    RUN(test_a_member_longer_or_other_than_declared_is_damaged);
    RUN(test_every_cut_is_refused_and_no_flip_changes_a_member_silently);
    return check_done();
}
