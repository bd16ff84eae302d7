/* arena.h - memory that is freed all at once: one arena per screen frame, per load, per graph. And xmalloc.
 *
 * Small host memory comes from here and never fails (out of memory aborts with a message): a caller that can do with
 * less (tensors, device memory, anything sized by a file) uses io_allocate of base/io.h instead and reports ERR_NOMEM.
 *
 *     struct arena arena = {0};
 *     char *name = arena_printf(&arena, "%s_%d", base, k);
 *     ...
 *     arena_release(&arena);
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/err.h"

struct arena {
    struct arena_block *first; /* newest block */
    size_t total_bytes;        /* sum of block sizes, for reports */
};

/* Zeroed memory aligned to 16 bytes, valid until release or reset. size_bytes 0 gives a valid unique pointer. */
void *arena_alloc(struct arena *arena, size_t size_bytes);
/* count * size_bytes with overflow check (aborts: the caller must have bounded count). */
void *arena_array(struct arena *arena, size_t count, size_t size_bytes);
/* A copy of an array of count elements; it may be NULL when there are none. */
void *arena_copy(struct arena *arena, const void *array, size_t count, size_t size_bytes);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t length);
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF(2, 3);
/* Forgets everything, keeps the largest block for reuse. */
void arena_reset(struct arena *arena);
/* Frees everything; the arena is usable again (empty). */
void arena_release(struct arena *arena);

/* malloc that aborts when there is no memory; xcalloc zeroes and checks count * size. Free with free(). */
void *xmalloc(size_t size_bytes);
void *xcalloc(size_t count, size_t size_bytes);
void *xrealloc(void *old, size_t size_bytes);
/* Grows an array so that it holds at least `need` elements, doubling. xgrow(&array, &capacity, need, sizeof *array). */
void *xgrow(void *array, size_t *capacity, size_t need, size_t size_bytes);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length);
char *xprintf(const char *format, ...) PRINTF(1, 2);

#endif
