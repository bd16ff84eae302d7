/* history_frame.h - the frames of history.log as bytes; shared by the writer and the reader, no files here.
 *
 *   u32 length | u32 crc | payload of `length` bytes, of which the first is the kind; all little-endian
 */
#ifndef PERSISTENCE_RUNS_HISTORY_FRAME_H
#define PERSISTENCE_RUNS_HISTORY_FRAME_H

#include "base/hash.h"
#include "base/str.h"

#include <stdbool.h>
#include <string.h>

enum { FRAME_HEADER_BYTES = 8, FRAME_MAX_BYTES = 8 << 20, FRAME_NAME_MAX_BYTES = 1000, FRAME_MAX_METRICS = 65535 };

static inline uint32_t frame_u32(const void *p)
{
    const unsigned char *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
static inline uint16_t frame_u16(const void *p)
{
    const unsigned char *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}
static inline uint64_t frame_u64(const void *p)
{
    return (uint64_t)frame_u32(p) | (uint64_t)frame_u32((const char *)p + 4) << 32;
}
static inline double frame_f64(const void *p)
{
    uint64_t bits = frame_u64(p);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline void frame_add(struct str *out, uint64_t value, size_t n_bytes)
{
    char raw[8];
    for (size_t i = 0; i < n_bytes; i++)
        raw[i] = (char)(value >> 8 * i);
    str_add_bytes(out, raw, n_bytes);
}
static inline void frame_add_f64(struct str *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    frame_add(out, bits, 8);
}
static inline void frame_add_values(struct str *out, const uint16_t *ids, const double *values, size_t n)
{
    enum { AT_ONCE = 32, BYTES = 10 };
    char raw[AT_ONCE * BYTES], *p = raw;
    for (size_t k = 0; k < n; k++, p += BYTES) {
        uint64_t bits;
        memcpy(&bits, &values[k], sizeof bits);
        if (p == raw + sizeof raw) {
            str_add_bytes(out, raw, sizeof raw);
            p = raw;
        }
        p[0] = (char)ids[k];
        p[1] = (char)(ids[k] >> 8);
        for (int i = 0; i < 8; i++)
            p[2 + i] = (char)(bits >> 8 * i);
    }
    str_add_bytes(out, raw, (size_t)(p - raw));
}
/* Opens a frame in `out`; returns where it starts. frame_end fills in length and crc. */
static inline size_t frame_begin(struct str *out, int kind)
{
    size_t start = out->length;
    frame_add(out, 0, FRAME_HEADER_BYTES);
    str_add_char(out, (char)kind);
    return start;
}
static inline void frame_end(struct str *out, size_t start)
{
    size_t length = out->length - start - FRAME_HEADER_BYTES;
    uint32_t crc = hash_crc32(0, out->data + start + FRAME_HEADER_BYTES, length);
    for (int i = 0; i < 4; i++) {
        out->data[start + (size_t)i] = (char)(length >> 8 * i);
        out->data[start + 4 + (size_t)i] = (char)(crc >> 8 * i);
    }
}
/* What the bytes at p (of which n are there, up to the end of the file) begin with. */
enum frame_look { FRAME_WHOLE, FRAME_SHORT, FRAME_BAD };
/* WHOLE: *length is the payload's. SHORT: the frame reaches behind the end. BAD: no frame, or its crc is wrong. */
static inline enum frame_look frame_look(const char *p, size_t n, size_t *length)
{
    if (n < FRAME_HEADER_BYTES)
        return FRAME_SHORT;
    *length = frame_u32(p);
    if (!*length || *length > FRAME_MAX_BYTES)
        return FRAME_BAD;
    if (*length > n - FRAME_HEADER_BYTES)
        return FRAME_SHORT;
    return hash_crc32(0, p + FRAME_HEADER_BYTES, *length) == frame_u32(p + 4) ? FRAME_WHOLE : FRAME_BAD;
}
/* Whether a whole frame starts anywhere behind the first byte: then what is broken at p is damage, not
 * a torn end. Bounded work. */
bool frame_follows(const char *p, size_t n);

#endif
