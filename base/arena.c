/* arena.c - see arena.h */
#include "base/arena.h"
#include "base/size.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t used_bytes, size_bytes;
    _Alignas(16) char data[];
};

enum { FIRST_BLOCK_BYTES = 4096 };

static void *or_die(void *memory, size_t size_bytes)
{
    if (!memory) {
        if (err_bug_hook)
            err_bug_hook();
        fprintf(stderr, "antler: out of memory (%zu bytes)\n", size_bytes);
        abort();
    }
    return memory;
}

void *xmalloc(size_t size_bytes)
{
    return or_die(malloc(size_bytes ? size_bytes : 1), size_bytes);
}

void *xcalloc(size_t count, size_t size_bytes)
{
    return or_die(calloc(count ? count : 1, size_bytes ? size_bytes : 1), count);
}

void *xrealloc(void *old, size_t size_bytes)
{
    return or_die(realloc(old, size_bytes ? size_bytes : 1), size_bytes);
}

void *xgrow(void *array, size_t *capacity, size_t need, size_t size_bytes)
{
    if (need <= *capacity)
        return array;
    size_t wanted = *capacity ? *capacity : 8, bytes;
    while (wanted < need)
        wanted *= 2;
    BUG_ON(!size_mul(wanted, size_bytes, &bytes));
    *capacity = wanted;
    return xrealloc(array, bytes);
}

char *xstrndup(const char *text, size_t length)
{
    char *copy = xmalloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

char *xstrdup(const char *text)
{
    return xstrndup(text, strlen(text));
}

char *xprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    return or_die(length < 0 ? NULL : text, 0);
}

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
    BUG_ON(size_bytes > SIZE_MAX / 4);
    size_t need = (size_bytes + 15) & ~(size_t)15;
    need = need ? need : 16;
    struct arena_block *block = arena->first;
    if (!block || block->size_bytes - block->used_bytes < need) {
        size_t size = block ? block->size_bytes * 2 : FIRST_BLOCK_BYTES;
        if (size > (size_t)1 << 20)
            size = (size_t)1 << 20;
        if (size < need)
            size = need;
        struct arena_block *fresh = xmalloc(sizeof *fresh + size);
        *fresh = (struct arena_block){.next = block, .size_bytes = size};
        arena->first = block = fresh;
        arena->total_bytes += size;
    }
    void *memory = block->data + block->used_bytes;
    block->used_bytes += need;
    return memset(memory, 0, need);
}

void *arena_array(struct arena *arena, size_t count, size_t size_bytes)
{
    size_t bytes;
    BUG_ON(!size_mul(count, size_bytes, &bytes));
    return arena_alloc(arena, bytes);
}

void *arena_copy(struct arena *arena, const void *array, size_t count, size_t size_bytes)
{
    void *copy = arena_array(arena, count, size_bytes);
    if (count)
        memcpy(copy, array, count * size_bytes);
    return copy;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    BUG_ON(length < 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void arena_release(struct arena *arena)
{
    for (struct arena_block *block = arena->first, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    *arena = (struct arena){0};
}

void arena_reset(struct arena *arena)
{
    struct arena_block *largest = NULL;
    for (struct arena_block *block = arena->first, *next; block; block = next) {
        next = block->next;
        if (!largest || block->size_bytes > largest->size_bytes) {
            free(largest);
            largest = block;
        } else {
            free(block);
        }
    }
    if (largest) {
        largest->next = NULL;
        largest->used_bytes = 0;
    }
    *arena = (struct arena){.first = largest, .total_bytes = largest ? largest->size_bytes : 0};
}
