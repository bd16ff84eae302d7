/* fuzz_zip - the input is a zip archive: check its directory, then read every member that is small enough. */
#include "persistence/files/zip_archive.h"

#include "base/io.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    size_t n = 0;
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || !io_write_all(fd, data, size, "input", &err))
        abort();
    struct zip_archive *zip = zip_archive_open(fd, "input", NULL, 0, &err);
    const struct zip_member *members = zip ? zip_archive_members(zip, &n) : NULL;
    for (size_t i = 0; i < n; i++) {
        if (members[i].size_bytes > 1 << 20)
            continue;
        void *room = malloc((size_t)members[i].size_bytes + 1);
        if (!zip_member_read(zip, &members[i], room, &err) && !err.text[0])
            abort();
        free(room);
    }
    zip_archive_close(zip);
    close(fd);
    return 0;
}
