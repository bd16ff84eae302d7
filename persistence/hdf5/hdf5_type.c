/* hdf5_type.c - dataspaces, datatypes and text attributes; see hdf5_internal.h */
#include "persistence/hdf5/hdf5_internal.h"

#include "base/arena.h"

#include <stdlib.h>

enum {
    CLASS_INTEGER,
    CLASS_FLOAT,
    CLASS_TIME,
    CLASS_STRING,
    CLASS_BITS,
    CLASS_OPAQUE,
    CLASS_COMPOUND,
    CLASS_REFERENCE,
    CLASS_ENUM,
    CLASS_VLEN
};
enum { MAX_HEAPS = 4096, MAX_TEXTS = 1 << 20, MAX_STEPS = 1 << 26, MAX_ATTRIBUTES = 1000 };

bool hdf5_space_read(struct hdf5 *h5, struct cursor body, int *rank, int64_t dim[WEIGHT_RANK_MAX])
{
    uint8_t version = cursor_u8(&body), n = cursor_u8(&body), flags = cursor_u8(&body), type = 1;
    if (version == 1)
        cursor_bytes(&body, 5);
    else
        type = cursor_u8(&body);
    if (body.bad || version < 1 || version > 2 || flags & ~3)
        return hdf5_refuse(h5, "its dataspace is damaged or of an unknown version");
    if (n > WEIGHT_RANK_MAX)
        return hdf5_refuse(h5, "it has %d dimensions, expected at most %d", n, WEIGHT_RANK_MAX);
    for (int i = 0; i < n; i++) {
        uint64_t value = cursor_u64(&body);
        if (value > INT64_MAX)
            return hdf5_refuse(h5, "dimension %d is %llu", i, (unsigned long long)value);
        dim[i] = (int64_t)value;
    }
    cursor_bytes(&body, flags & 1 ? 8 * (size_t)n : 0);
    if (body.bad)
        return hdf5_refuse(h5, "its dataspace is damaged");
    *rank = version == 2 && type == 2 ? -1 : n;
    return true;
}

static bool read_integer(struct hdf5 *h5, uint32_t bits, struct cursor *body, struct hdf5_type *type)
{
    static const enum weight_dtype with_sign[] = {
        [1] = WEIGHT_I8, [2] = WEIGHT_I16, [4] = WEIGHT_I32, [8] = WEIGHT_I64};
    static const enum weight_dtype without[] = {[1] = WEIGHT_U8, [2] = WEIGHT_U16, [4] = WEIGHT_U32, [8] = WEIGHT_U64};
    uint16_t offset = cursor_u16(body), precision = cursor_u16(body);
    size_t n = type->size_bytes;
    if (body->bad || offset || precision != 8 * n || (n != 1 && n != 2 && n != 4 && n != 8))
        return hdf5_refuse(h5, "its integers have %u bits in %zu bytes, expected 8, 16, 32 or 64", precision, n);
    if (bits & 1 && n > 1)
        return hdf5_refuse(h5, "its numbers are big-endian, expected little-endian");
    type->kind = HDF5_WEIGHT;
    type->dtype = bits & 8 ? with_sign[n] : without[n];
    type->name = "integer";
    return true;
}

static bool read_float(struct hdf5 *h5, uint32_t bits, struct cursor *body, struct hdf5_type *type)
{
    static const struct {
        enum weight_dtype dtype;
        uint16_t precision;
        uint8_t exponent_at, exponent_bits, mantissa_at, mantissa_bits;
        uint32_t bias;
    } known[] = {
        {WEIGHT_F32, 32, 23, 8, 0, 23, 127},
        {WEIGHT_F16, 16, 10, 5, 0, 10, 15},
        {WEIGHT_F64, 64, 52, 11, 0, 52, 1023},
        {WEIGHT_BF16, 16, 7, 8, 0, 7, 127},
    };
    uint16_t offset = cursor_u16(body), precision = cursor_u16(body);
    uint8_t exponent_at = cursor_u8(body), exponent_bits = cursor_u8(body), mantissa_at = cursor_u8(body),
            mantissa_bits = cursor_u8(body);
    uint32_t bias = cursor_u32(body);
    type->name = "floating point of unusual layout";
    if (body->bad)
        return hdf5_refuse(h5, "its datatype is damaged");
    if (bits & 0x41)
        return hdf5_refuse(h5, "its numbers are big-endian, expected little-endian");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!offset && precision == known[i].precision && type->size_bytes == precision / 8 &&
            exponent_at == known[i].exponent_at && exponent_bits == known[i].exponent_bits &&
            mantissa_at == known[i].mantissa_at && mantissa_bits == known[i].mantissa_bits && bias == known[i].bias &&
            (bits >> 8 & 0xff) == (uint32_t)precision - 1 && (bits >> 4 & 3) == 2) {
            type->kind = HDF5_WEIGHT;
            type->dtype = known[i].dtype;
        }
    return true;
}

/* h5py stores bool as an enumeration of FALSE = 0 and TRUE = 1 over a signed byte. */
static bool read_enum(struct hdf5 *h5, uint32_t bits, struct cursor *body, struct hdf5_type *type)
{
    struct hdf5_type over = {0};
    size_t n = bits & 0xffff;
    struct cursor base = *body;
    type->name = "enumeration";
    if (n != 2 || type->size_bytes != 1)
        return true;
    if (!hdf5_type_read(h5, base, &over) || over.size_bytes != 1 || cursor_left(body) < 12)
        return hdf5_refuse(h5, "its enumeration is damaged");
    cursor_bytes(body, 12);
    const char *rest = (const char *)body->data + body->used;
    size_t left = cursor_left(body);
    bool padded = left >= 18 && !memcmp(rest, "FALSE\0\0\0TRUE\0\0\0\0\0\1", 18);
    bool tight = left >= 13 && !memcmp(rest, "FALSE\0TRUE\0\0\1", 13);
    if (padded || tight) {
        type->kind = HDF5_WEIGHT;
        type->dtype = WEIGHT_BOOL;
    }
    return true;
}

bool hdf5_type_read(struct hdf5 *h5, struct cursor body, struct hdf5_type *type)
{
    static const char *const names[] = {
        "integer",     "floating point",          "time",  "text",   "bit field", "opaque", "compound", "reference",
        "enumeration", "list of variable length", "array", "complex"};
    uint8_t first = cursor_u8(&body);
    uint32_t bits = (uint32_t)cursor_number(&body, 3);
    unsigned class = first & 15, version = first >> 4;
    *type = (struct hdf5_type){
        .kind = HDF5_OTHER, .size_bytes = cursor_u32(&body), .name = class < 12 ? names[class] : "unknown"};
    if (body.bad || version < 1 || version > 5 || !type->size_bytes)
        return hdf5_refuse(h5, "its datatype is damaged or of an unknown version");
    switch (class) {
    case CLASS_INTEGER:
        return read_integer(h5, bits, &body, type);
    case CLASS_FLOAT:
        return read_float(h5, bits, &body, type);
    case CLASS_STRING:
        type->kind = HDF5_TEXT;
        return true;
    case CLASS_OPAQUE:
        type->kind = type->size_bytes == 2 ? HDF5_OPAQUE16 : HDF5_OTHER;
        return true;
    case CLASS_ENUM:
        return read_enum(h5, bits, &body, type);
    case CLASS_VLEN:
        type->kind = (bits & 15) == 1 && type->size_bytes == 16 ? HDF5_TEXT_ON_HEAP : HDF5_OTHER;
        return true;
    default:
        return true;
    }
}

static const struct hdf5_heap *global_heap(struct hdf5 *h5, uint64_t address)
{
    uint8_t prefix[16];
    for (size_t i = h5->n_heaps; i-- > 0;)
        if (h5->heaps[i].address == address)
            return &h5->heaps[i];
    if (!hdf5_peek(h5, address, prefix, sizeof prefix, "a heap of texts"))
        return NULL;
    uint64_t n = bytes_get(prefix + 8, 8);
    if (memcmp(prefix, "GCOL", 4) != 0 || prefix[4] != 1 || n < 16 || h5->n_heaps >= MAX_HEAPS) {
        hdf5_refuse(h5, "a heap of texts is damaged");
        return NULL;
    }
    uint8_t *data = hdf5_load(h5, address, n, "a heap of texts");
    if (!data)
        return NULL;
    h5->heaps = xgrow(h5->heaps, &h5->heaps_capacity, h5->n_heaps + 1, sizeof *h5->heaps);
    h5->heaps[h5->n_heaps] = (struct hdf5_heap){address, data, (size_t)n};
    return &h5->heaps[h5->n_heaps++];
}

/* Finds the object by walking the collection: a few dozen objects of at least 16 bytes. */
static const uint8_t *heap_object(struct hdf5 *h5, const struct hdf5_heap *heap, uint32_t index, size_t *n)
{
    struct cursor c = {heap->data, heap->size_bytes, 16, false};
    while (cursor_left(&c) >= 16 && ++h5->steps < MAX_STEPS) {
        uint16_t found = cursor_u16(&c);
        cursor_bytes(&c, 6);
        uint64_t size = cursor_u64(&c);
        if (!found || size > cursor_left(&c))
            return NULL;
        const uint8_t *data = cursor_bytes(&c, (size_t)size);
        if (found == index) {
            *n = (size_t)size;
            return data;
        }
        cursor_bytes(&c, (8 - size % 8) % 8);
    }
    return NULL;
}

static bool keep_text(struct hdf5 *h5, struct hdf5_text *text, size_t *capacity, const uint8_t *data, size_t n)
{
    h5->text_bytes += n + sizeof(char *);
    if (h5->text_bytes > HDF5_MAX_TEXT_BYTES || text->n_values >= MAX_TEXTS)
        return hdf5_refuse(h5, "its text attributes are larger than %d bytes", HDF5_MAX_TEXT_BYTES);
    text->values = xgrow(text->values, capacity, text->n_values + 1, sizeof *text->values);
    text->values[text->n_values++] = xstrndup((const char *)data, strnlen((const char *)data, n));
    return true;
}

static bool read_text(struct hdf5 *h5, const struct hdf5_type *type, int64_t count, struct cursor data,
                      struct hdf5_text *text)
{
    size_t capacity = 0;
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *value = cursor_bytes(&data, type->size_bytes);
        size_t n = type->size_bytes;
        if (!value)
            return hdf5_refuse(h5, "attribute '%.100s' is shorter than its shape", text->name);
        if (type->kind == HDF5_TEXT_ON_HEAP) {
            uint64_t length = bytes_get(value, 4), address = bytes_get(value + 4, 8), index = bytes_get(value + 12, 4);
            const struct hdf5_heap *heap = length ? global_heap(h5, address) : NULL;
            if (length && !heap)
                return false;
            value = length ? heap_object(h5, heap, (uint32_t)index, &n) : (const uint8_t *)"";
            if (!value || length > n)
                return hdf5_refuse(h5, "attribute '%.100s' is not in its heap of texts", text->name);
            n = (size_t)length;
        }
        if (!keep_text(h5, text, &capacity, value, n))
            return false;
    }
    return true;
}

static void keep_attribute(struct hdf5 *h5, const struct hdf5_text *text)
{
    struct hdf5_tree *tree = h5->tree;
    tree->texts = xgrow(tree->texts, &tree->texts_capacity, tree->n_texts + 1, sizeof *tree->texts);
    tree->texts[tree->n_texts++] = *text;
}

/* The attributes of the current object are the last ones of the tree. */
static bool attribute_is_new(struct hdf5 *h5, const char *name)
{
    size_t n = 0;
    for (size_t i = h5->tree->n_texts; i-- > 0; n++) {
        if (strcmp(h5->tree->texts[i].path, str_text(&h5->path)) != 0)
            break;
        if (!strcmp(h5->tree->texts[i].name, name))
            return hdf5_refuse(h5, "attribute '%.100s' occurs twice", name);
        if (n > MAX_ATTRIBUTES)
            return hdf5_refuse(h5, "it has more than %d attributes", MAX_ATTRIBUTES);
    }
    return true;
}

bool hdf5_attribute_read(struct hdf5 *h5, struct cursor body)
{
    uint8_t version = cursor_u8(&body), flags = cursor_u8(&body);
    size_t name_bytes = cursor_u16(&body), type_bytes = cursor_u16(&body), space_bytes = cursor_u16(&body);
    if (version == 3)
        cursor_u8(&body);
    size_t step = version == 1 ? 8 : 1;
    const char *name = (const char *)cursor_bytes(&body, (name_bytes + step - 1) / step * step);
    struct cursor type_body = {cursor_bytes(&body, (type_bytes + step - 1) / step * step), type_bytes, 0, false};
    struct cursor space_body = {cursor_bytes(&body, (space_bytes + step - 1) / step * step), space_bytes, 0, false};
    struct hdf5_type type;
    int rank;
    int64_t dim[WEIGHT_RANK_MAX], count = 1;
    if (body.bad || version < 1 || version > 3 || !name_bytes || name[name_bytes - 1])
        return hdf5_refuse(h5, "an attribute of it is damaged");
    if (version > 1 && flags & 3)
        return hdf5_refuse(h5, "attribute '%.100s' uses a named type, which no model file does", name);
    if (!hdf5_type_read(h5, type_body, &type) || !hdf5_space_read(h5, space_body, &rank, dim))
        return false;
    if ((type.kind != HDF5_TEXT && type.kind != HDF5_TEXT_ON_HEAP) || rank < 0 || rank > 1)
        return true;
    if (rank == 1)
        count = dim[0];
    if (!attribute_is_new(h5, name))
        return false;
    struct hdf5_text text = {xstrdup(str_text(&h5->path)), xstrdup(name), NULL, 0};
    bool ok = read_text(h5, &type, count, body, &text);
    keep_attribute(h5, &text);
    return ok;
}
