/* bytes.h - little-endian numbers in byte buffers, and a cursor that cannot leave its buffer. For the readers and
 * writers of file formats.
 *
 * A cursor that was asked for more than is left gives zeros from then on and has `bad` set: parse a whole structure,
 * test bad once.
 *
 *     struct cursor c = {data, size_bytes, 0, false};
 *     uint32_t magic = cursor_u32(&c);
 *     const uint8_t *name = cursor_bytes(&c, cursor_u16(&c));   // NULL when bad
 *     if (c.bad) ...
 */
#ifndef PERSISTENCE_FILES_BYTES_H
#define PERSISTENCE_FILES_BYTES_H

#include "base/str.h"

#include <string.h>

static inline uint64_t bytes_get(const uint8_t *p, size_t n) /* n at most 8 */
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value |= (uint64_t)p[i] << 8 * i;
    return value;
}

struct cursor {
    const uint8_t *data;
    size_t size_bytes, used;
    bool bad;
};

static inline const uint8_t *cursor_bytes(struct cursor *c, size_t n)
{
    if (c->bad || n > c->size_bytes - c->used) {
        c->bad = true;
        return NULL;
    }
    c->used += n;
    return c->data + c->used - n;
}
static inline uint64_t cursor_number(struct cursor *c, size_t n)
{
    const uint8_t *p = cursor_bytes(c, n);
    return p ? bytes_get(p, n) : 0;
}
static inline uint8_t cursor_u8(struct cursor *c)
{
    return (uint8_t)cursor_number(c, 1);
}
static inline uint16_t cursor_u16(struct cursor *c)
{
    return (uint16_t)cursor_number(c, 2);
}
static inline uint32_t cursor_u32(struct cursor *c)
{
    return (uint32_t)cursor_number(c, 4);
}
static inline uint64_t cursor_u64(struct cursor *c)
{
    return cursor_number(c, 8);
}
static inline size_t cursor_left(const struct cursor *c)
{
    return c->size_bytes - c->used;
}

/* Appends value as n little-endian bytes. */
static inline void bytes_add(struct str *out, uint64_t value, size_t n)
{
    uint8_t raw[8];
    for (size_t i = 0; i < n; i++)
        raw[i] = (uint8_t)(value >> 8 * i);
    str_add_bytes(out, raw, n);
}
static inline void bytes_put(uint8_t *p, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

#endif
