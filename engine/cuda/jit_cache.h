/* jit_cache.h - compiled code kept on the disk: $XDG_CACHE_HOME/antler/cuda/ (without the variable: ~/.cache/...).
 *
 * Code is found by its key, a text of everything it was made from; it is stored with its key and a checksum, so a file
 * that is damaged, of other content or of another version is as good as none. Nothing here is an error: code can be
 * made again. The files that were not used for longest are removed when there are too many.
 */
#ifndef ENGINE_CUDA_JIT_CACHE_H
#define ENGINE_CUDA_JIT_CACHE_H

#include <stdbool.h>
#include <stddef.h>

enum { JIT_CACHE_FILES_MAX = 256 };

/* free() *code. */
bool jit_cache_read(const char *key, void **code, size_t *size_bytes);
void jit_cache_write(const char *key, const void *code, size_t size_bytes);
/* Where the code of a key lies; NULL when there is no place. free() it. */
char *jit_cache_path(const char *key);

#endif
