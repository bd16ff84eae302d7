/* zip_directory.h - inside zip_archive: the checked directory, and the numbers of the format. */
#ifndef PERSISTENCE_FILES_ZIP_DIRECTORY_H
#define PERSISTENCE_FILES_ZIP_DIRECTORY_H

#include "persistence/files/zip_archive.h"

enum {
    ZIP_LOCAL = 0x04034b50,
    ZIP_CENTRAL = 0x02014b50,
    ZIP_END = 0x06054b50,
    ZIP_END64 = 0x06064b50,
    ZIP_LOCATOR64 = 0x07064b50
};
enum {
    ZIP_DESCRIPTOR = 0x08074b50,
    ZIP_LOCAL_BYTES = 30,
    ZIP_CENTRAL_BYTES = 46,
    ZIP_END_BYTES = 22,
    ZIP_END64_BYTES = 56,
    ZIP_LOCATOR_BYTES = 20
};
enum { ZIP_STORED = 0, ZIP_DEFLATED = 8, ZIP_DATE_1980 = 0x21, ZIP_FLAG_DESCRIPTOR = 8, ZIP_FLAG_UTF8 = 0x800 };

struct zip_end { /* where the directory lies */
    int64_t offset, size_bytes, count;
};

struct zip_directory {
    struct zip_member *members;
    size_t n_members;
};

/* Finds the one end record. ERR_FORMAT. */
bool zip_find_end(int fd, const char *path, int64_t file_bytes, struct zip_end *end, struct err *err) MUST_USE;
/* Reads and checks everything. Release it also on failure. */
bool zip_directory_read(struct zip_directory *directory, int fd, const char *path, const struct zip_rule *rules,
                        size_t n_rules, struct err *err) MUST_USE;
void zip_directory_release(struct zip_directory *directory);

#endif
