/* jit_cache.c - see jit_cache.h */
#include "engine/cuda/jit_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "persistence/files/atomic_file.h"

enum { FILE_BYTES_MAX = 256 << 20 };
#define SUFFIX ".code"

struct header { /* then the key, then the code */
    char magic[8];
    uint64_t key_bytes, code_bytes;
    uint32_t crc; /* of key and code */
    uint32_t reserved;
};
static const char magic[8] = "antler1";

static char *cache_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/')
        return path_join(cache, "antler/cuda");
    return home && *home == '/' ? path_join(home, ".cache/antler/cuda") : NULL;
}

char *jit_cache_path(const char *key)
{
    char *folder = cache_folder();
    if (!folder)
        return NULL;
    char *path = xprintf("%s/%016" PRIx64 SUFFIX, folder, hash_mix(0, key, strlen(key)));
    free(folder);
    return path;
}

/* Whether the file's bytes are the code of the key. */
static bool is_code_of(const char *key, const char *data, size_t size_bytes)
{
    struct header h;
    if (size_bytes < sizeof h)
        return false;
    memcpy(&h, data, sizeof h);
    size_t content = size_bytes - sizeof h, key_bytes = strlen(key);
    return !memcmp(h.magic, magic, sizeof magic) && h.key_bytes == key_bytes && key_bytes < content &&
           h.code_bytes == content - key_bytes && !memcmp(data + sizeof h, key, key_bytes) &&
           h.crc == hash_crc32(0, data + sizeof h, content);
}

bool jit_cache_read(const char *key, void **code, size_t *size_bytes)
{
    char *path = jit_cache_path(key), *data = NULL;
    size_t bytes = 0, before = sizeof(struct header) + strlen(key);
    struct err err = {0};
    bool found = path && io_read_file(path, FILE_BYTES_MAX, &data, &bytes, &err) && is_code_of(key, data, bytes);
    if (found) {
        utimensat(AT_FDCWD, path, NULL, 0);
        *size_bytes = bytes - before;
        *code = xmalloc(*size_bytes);
        memcpy(*code, data + before, *size_bytes);
    }
    free(data);
    free(path);
    return found;
}

/* Of the cache's files, the one that was not used for longest; how many there are. */
static int oldest_file(const char *folder, char **oldest)
{
    int n = 0;
    struct timespec least = {0};
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        struct stat st;
        if (!str_ends(entry->d_name, SUFFIX) || fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        const struct timespec *t = &st.st_mtim;
        if (!n++ || t->tv_sec < least.tv_sec || (t->tv_sec == least.tv_sec && t->tv_nsec < least.tv_nsec)) {
            least = *t;
            free(*oldest);
            *oldest = path_join(folder, entry->d_name);
        }
    }
    if (dir)
        closedir(dir);
    return n;
}

static void make_room(const char *folder)
{
    char *oldest = NULL;
    while (oldest_file(folder, &oldest) >= JIT_CACHE_FILES_MAX && !io->unlink(oldest)) {
        free(oldest);
        oldest = NULL;
    }
    free(oldest);
}

void jit_cache_write(const char *key, const void *code, size_t size_bytes)
{
    char *path = jit_cache_path(key);
    if (!path)
        return;
    char *folder = path_folder(path);
    struct str file = {0};
    struct err err = {0};
    struct header h = {.key_bytes = strlen(key), .code_bytes = size_bytes};
    memcpy(h.magic, magic, sizeof magic);
    h.crc = hash_crc32(hash_crc32(0, key, strlen(key)), code, size_bytes);
    str_add_bytes(&file, &h, sizeof h);
    str_add(&file, key);
    str_add_bytes(&file, code, size_bytes);
    bool kept = io_make_folders(folder, &err);
    if (kept) {
        make_room(folder);
        kept = atomic_file_save_for_now(path, file.data, file.length, &err);
    }
    if (!kept)
        log_info("compiled kernels are not kept: %s", err.text);
    str_release(&file);
    free(folder);
    free(path);
}
