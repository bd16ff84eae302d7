/* zip_archive.h - zip archives as model files use them: read with distrust, written stored and streamed.
 *
 * Reading: before any member is touched the whole directory is checked on the raw bytes: exactly one end record, at the
 * very end; every byte of the file belongs to exactly one member or to the directory (no overlap, no gap, nothing in
 * front or behind); local and central headers agree; no duplicate, absolute, climbing or control-character names;
 * stored or deflated only, no encryption, no links; sizes within the rules and within what the compressed bytes can
 * hold; zip64 only where it is well formed. What two zip readers could understand differently is refused. Then stored
 * members can be read in place (offset, size_bytes), deflated ones are inflated by libzip, bounded by the declared
 * size, CRC checked. Accepts what Python's zipfile writes (Keras, numpy.savez), also deflated and with data
 * descriptors.
 *
 *     static const struct zip_rule rules[] = {{"config.json", 4 << 20}, {"assets/" "*", INT64_MAX}};
 *     struct zip_archive *zip = zip_archive_open(fd, path, rules, 2, err);
 *     const struct zip_member *member = zip_archive_find(zip, "config.json");
 *     if (!zip_member_read(zip, member, buffer, err)) ...
 */
#ifndef PERSISTENCE_FILES_ZIP_ARCHIVE_H
#define PERSISTENCE_FILES_ZIP_ARCHIVE_H

#include "base/err.h"

#include <stdint.h>

enum { ZIP_MAX_MEMBERS = 4096, ZIP_MAX_NAME = 1024 };

struct zip_rule {        /* a kind of member that may occur */
    const char *pattern; /* str_glob */
    int64_t max_bytes;   /* of its content */
};

struct zip_member {
    char *name;
    bool deflated;        /* else stored: the content lies in the file at offset */
    int64_t offset;       /* of the (compressed) bytes in the file */
    int64_t stored_bytes; /* as they lie in the file */
    int64_t size_bytes;   /* of the content; equals stored_bytes unless deflated */
    /* CRC-32 of the content, as declared; checked by zip_member_read, of stored members by zip_check_crc */
    uint32_t crc;
};

struct zip_archive;

/* Checks the archive behind fd, which is borrowed and must stay open and be seekable; path is for messages. n_rules 0
 * allows any safe name of any size. NULL and ERR_FORMAT. */
struct zip_archive *zip_archive_open(int fd, const char *path, const struct zip_rule *rules, size_t n_rules,
                                     struct err *err);
void zip_archive_close(struct zip_archive *zip);
/* In the order of the directory. Lent. */
const struct zip_member *zip_archive_members(const struct zip_archive *zip, size_t *n);
/* NULL when there is none. */
const struct zip_member *zip_archive_find(const struct zip_archive *zip, const char *name);

/* Reads the whole content into dst (size_bytes of it) and checks its CRC. */
bool zip_member_read(struct zip_archive *zip, const struct zip_member *member, void *dst, struct err *err) MUST_USE;
/* The same to fd_out, in blocks, from its current position: for members too large for memory. */
bool zip_member_extract(struct zip_archive *zip, const struct zip_member *member, int fd_out, struct err *err) MUST_USE;
/* Reads a stored member once and compares its CRC. path is for messages. */
bool zip_check_crc(int fd, const char *path, const char *name, int64_t offset, int64_t size_bytes, uint32_t crc,
                   struct err *err) MUST_USE;
/* True when the file ends in a zip directory. Calls name(ctx, member name) for each member, without any further check;
 * name may be NULL. For messages about archives that are not ours. */
bool zip_peek_names(int fd, void (*name)(void *ctx, const char *text), void *ctx);

/* Writing: members are stored, dated 1980-01-01 (the clock does not matter), in the order given; zip64 only above 4
 * GiB. */
struct atomic_file;
struct zip_writer;
/* file is borrowed; the archive starts at its current end, which must be 0. */
struct zip_writer *zip_writer_new(struct atomic_file *file);
/* Starts a member of exactly size_bytes, which then arrive in any number of pieces, and ends it. */
bool zip_writer_begin(struct zip_writer *zip, const char *name, int64_t size_bytes, struct err *err) MUST_USE;
bool zip_writer_write(struct zip_writer *zip, const void *data, size_t size_bytes, struct err *err) MUST_USE;
bool zip_writer_end(struct zip_writer *zip, struct err *err) MUST_USE;
/* Writes the directory. The file still has to be committed. */
bool zip_writer_finish(struct zip_writer *zip, struct err *err) MUST_USE;
void zip_writer_free(struct zip_writer *zip);

#endif
