/* atomic_file.h - a file that is either the old one or the whole new one, whatever happens in between.
 *
 * Protocol: a temporary file ".<name>.<pid>-<n>.tmp" in the same folder (O_EXCL, O_NOFOLLOW), written in blocks, fsync,
 * rename over the target, fsync of the folder. When commit returns true the new content survives a power cut. On any
 * failure the target is what it was and the temporary file is gone. A failed fsync is never retried on the same file
 * (the kernel has dropped the pages): write a new one. One case cannot be undone: when the last step, the fsync of the
 * folder, fails, the new name is already visible; commit returns false and says that its durability is unknown, so the
 * caller must neither announce the file nor delete its predecessor. A process that is killed leaves its temporary file
 * behind; names of the form above are never anything else.
 *
 *     struct atomic_file *file = atomic_file_open(path, err);
 *     if (!file || !atomic_file_write(file, data, size_bytes, err) || !atomic_file_commit(&file, err))
 *         return atomic_file_abort(&file), false;
 */
#ifndef PERSISTENCE_FILES_ATOMIC_FILE_H
#define PERSISTENCE_FILES_ATOMIC_FILE_H

#include "base/err.h"

#include <stdint.h>

struct atomic_file;

/* Starts a new version of `path` (copied). Mode 0666 less umask. NULL and err. */
struct atomic_file *atomic_file_open(const char *path, struct err *err);
/* Asks the file system for size_bytes beforehand, so that a full disk is noticed before anything is written. Optional;
 * a file system that cannot do this is no error. The file ends where the last write ends, not here. */
bool atomic_file_reserve(struct atomic_file *file, int64_t size_bytes, struct err *err) MUST_USE;
/* Appends. Small pieces are gathered into blocks of 256 KiB. */
bool atomic_file_write(struct atomic_file *file, const void *data, size_t size_bytes, struct err *err) MUST_USE;
/* Overwrites bytes that were appended before: for headers whose content is known only later. */
bool atomic_file_patch(struct atomic_file *file, const void *data, size_t size_bytes, int64_t offset,
                       struct err *err) MUST_USE;
/* Bytes appended so far. */
int64_t atomic_file_size(const struct atomic_file *file);
/* Makes the new version durable and visible. Frees *file and sets it to NULL, also on failure. */
bool atomic_file_commit(struct atomic_file **file, struct err *err) MUST_USE;
/* Removes the temporary file. *file may be NULL; it is NULL afterwards. */
void atomic_file_abort(struct atomic_file **file);

/* Removes what killed writers of files whose names end in `suffix` left behind in the folder. Only for who knows that
 * nobody writes such files there now. */
void atomic_file_sweep(const char *folder, const char *suffix);

/* All of it in one call, for small texts. */
bool atomic_file_save(const char *path, const void *data, size_t size_bytes, struct err *err) MUST_USE;
/* The same without waiting for the disk, for what can be made again: after a power cut it may be empty or half. */
bool atomic_file_save_for_now(const char *path, const void *data, size_t size_bytes, struct err *err) MUST_USE;

#endif
