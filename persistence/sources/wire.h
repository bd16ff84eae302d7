/* wire.h - the wire format of protocol buffers, read field by field, without a schema and without memory of its own.
 *
 *     struct wire message = wire_of(data, size_bytes);
 *     struct wire_field f;
 *     while (wire_next(&message, &f))
 *         if (f.number == 2 && f.type == WIRE_VARINT) step = (int64_t)f.value;
 *         else if (f.number == 5 && f.type == WIRE_BYTES) read_summary(wire_of(f.data, f.size_bytes));
 *     if (message.bad) ...          cut off, a number of more than 64 bits, a group or a field 0
 *
 * Nothing outside the message is read; what is nested is as safe as what holds it. Fields of unknown numbers or of
 * another type than expected are simply not looked at: that is how formats grow.
 */
#ifndef PERSISTENCE_SOURCES_WIRE_H
#define PERSISTENCE_SOURCES_WIRE_H

#include "persistence/files/bytes.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct wire {
    const uint8_t *at, *end;
    bool bad;
};
struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;      /* VARINT, FIXED64, FIXED32: the bits */
    const uint8_t *data; /* BYTES: points into the message */
    size_t size_bytes;
};

static inline struct wire wire_of(const void *data, size_t size_bytes)
{
    const uint8_t *at = data; /* NULL and 0: an empty message */
    return (struct wire){at, at ? at + size_bytes : at, false};
}

static inline bool wire_varint(struct wire *w, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 70 && w->at < w->end; shift += 7) {
        uint8_t byte = *w->at++;
        if (shift == 63 && byte > 1)
            break;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return true;
    }
    w->bad = true;
    return false;
}

static inline bool wire_take(struct wire *w, uint64_t size_bytes, struct wire_field *f)
{
    if (size_bytes > (uint64_t)(w->end - w->at)) {
        w->bad = true;
        return false;
    }
    f->data = w->at;
    f->size_bytes = (size_t)size_bytes;
    w->at += size_bytes;
    return true;
}

/* False at the end, or with bad set. */
static inline bool wire_next(struct wire *w, struct wire_field *f)
{
    uint64_t tag, size_bytes;
    if (w->bad || w->at == w->end || !wire_varint(w, &tag))
        return false;
    f->number = (uint32_t)(tag >> 3);
    f->type = (enum wire_type)(tag & 7);
    f->value = 0;
    f->data = NULL;
    f->size_bytes = 0;
    if (!f->number || tag >> 32)
        return !(w->bad = true);
    switch (f->type) {
    case WIRE_VARINT:
        return wire_varint(w, &f->value);
    case WIRE_FIXED64:
    case WIRE_FIXED32:
        if (!wire_take(w, f->type == WIRE_FIXED64 ? 8 : 4, f))
            return false;
        f->value = bytes_get(f->data, f->size_bytes);
        return true;
    case WIRE_BYTES:
        return wire_varint(w, &size_bytes) && wire_take(w, size_bytes, f);
    default:
        return !(w->bad = true);
    }
}

static inline bool wire_is(const struct wire_field *f, uint32_t number, enum wire_type type)
{
    return f->number == number && f->type == type;
}
static inline double wire_double(const struct wire_field *f) /* FIXED64 */
{
    double value;
    memcpy(&value, &f->value, sizeof value);
    return value;
}
static inline float wire_float(const struct wire_field *f) /* FIXED32 */
{
    uint32_t bits = (uint32_t)f->value;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline int64_t wire_zigzag(const struct wire_field *f) /* VARINT of a sint64 */
{
    return (int64_t)(f->value >> 1) ^ -(int64_t)(f->value & 1);
}
static inline bool wire_is_text(const struct wire_field *f, const char *text) /* BYTES */
{
    return f->size_bytes == strlen(text) && !memcmp(f->data, text, f->size_bytes);
}

#endif
