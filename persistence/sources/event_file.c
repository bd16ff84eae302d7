/* event_file.c - see event_file.h. Field numbers: summary.proto, event.proto and tensor.proto of TensorFlow,
 * plugin_data.proto and api.proto of the hparams plugin. */
#include "persistence/sources/event_file.h"

#include "base/arena.h"

#include <math.h>
#include <stdlib.h>

bool event_parse(const uint8_t *data, size_t size_bytes, struct event *event)
{
    struct wire w = wire_of(data, size_bytes);
    struct wire_field f;
    *event = (struct event){.time = NAN};
    while (wire_next(&w, &f)) {
        if (wire_is(&f, 1, WIRE_FIXED64))
            event->time = wire_double(&f);
        else if (wire_is(&f, 2, WIRE_VARINT))
            event->step = (int64_t)f.value;
        else if (wire_is(&f, 5, WIRE_BYTES))
            event->summary = wire_of(f.data, f.size_bytes);
    }
    return !w.bad;
}

static double half(uint16_t bits)
{
    double sign = bits >> 15 ? -1 : 1;
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31)
        return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}

static double brain_float(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

enum {
    DT_FLOAT = 1,
    DT_DOUBLE,
    DT_INT32,
    DT_UINT8,
    DT_INT16,
    DT_INT8,
    DT_STRING,
    DT_INT64 = 9,
    DT_BOOL,
    DT_BFLOAT16 = 14,
    DT_UINT16 = 17,
    DT_HALF = 19,
    DT_UINT32 = 22,
    DT_UINT64
};

/* A number in tensor_content, little-endian. */
static bool content_number(int64_t type, const uint8_t *data, size_t size_bytes, double *value)
{
    static const uint8_t widths[] = {
        [DT_FLOAT] = 4, [DT_DOUBLE] = 8, [DT_INT32] = 4, [DT_UINT8] = 1,    [DT_INT16] = 2,
        [DT_INT8] = 1,  [DT_INT64] = 8,  [DT_BOOL] = 1,  [DT_BFLOAT16] = 2, [DT_UINT16] = 2,
        [DT_HALF] = 2,  [DT_UINT32] = 4, [DT_UINT64] = 8};
    if (type < 0 || type > DT_UINT64 || !widths[type] || size_bytes != widths[type])
        return false;
    struct wire_field f = {.value = bytes_get(data, size_bytes)};
    switch (type) {
    case DT_FLOAT:
        *value = wire_float(&f);
        break;
    case DT_DOUBLE:
        *value = wire_double(&f);
        break;
    case DT_HALF:
        *value = half((uint16_t)f.value);
        break;
    case DT_BFLOAT16:
        *value = brain_float((uint16_t)f.value);
        break;
    case DT_INT8:
        *value = (int8_t)f.value;
        break;
    case DT_INT16:
        *value = (int16_t)f.value;
        break;
    case DT_INT32:
        *value = (int32_t)f.value;
        break;
    case DT_INT64:
        *value = (double)(int64_t)f.value;
        break;
    default:
        *value = (double)f.value;
        break;
    }
    return true;
}

/* An element of float_val, double_val, int_val, half_val, int64_val, bool_val, uint32_val or uint64_val. */
static bool element_number(const struct wire_field *f, int64_t type, double *value)
{
    static const uint8_t wide[] = {[5] = DT_FLOAT, [6] = DT_DOUBLE};
    uint64_t varint = f->value;
    bool is_float = f->number == 5 || f->number == 6;
    if (is_float && f->type == WIRE_BYTES) /* packed */
        return content_number(wide[f->number], f->data, f->size_bytes, value);
    if (is_float) {
        *value = f->number == 5 ? wire_float(f) : wire_double(f);
        return f->type == (f->number == 5 ? WIRE_FIXED32 : WIRE_FIXED64);
    }
    if (f->type == WIRE_BYTES) {
        struct wire packed = wire_of(f->data, f->size_bytes);
        if (!wire_varint(&packed, &varint) || packed.at != packed.end)
            return false;
    } else if (f->type != WIRE_VARINT) {
        return false;
    }
    *value = f->number == 13 ? (type == DT_BFLOAT16 ? brain_float((uint16_t)varint) : half((uint16_t)varint))
             : f->number == 17 || f->number == 16 ? (double)varint
                                                  : (double)(int64_t)varint;
    return true;
}

const char *event_image_suffix(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes > 8 && !memcmp(data, "\x89PNG", 4))
        return ".png";
    return size_bytes > 8 && !memcmp(data, "\xFF\xD8\xFF", 3) ? ".jpg" : NULL;
}

/* Also of a kind that is not kept, so that somebody counts it. */
static bool is_picture(const uint8_t *data, size_t size_bytes)
{
    return event_image_suffix(data, size_bytes) || (size_bytes > 8 && !memcmp(data, "GIF8", 4));
}

/* TensorProto: one number is a scalar; of strings, the first is text, or the third and all others behind width and
 * height are pictures. */
static void read_tensor(const uint8_t *data, size_t size_bytes, struct event_value *value)
{
    struct wire w = wire_of(data, size_bytes);
    struct wire_field f;
    int64_t type = 0;
    int n_numbers = 0, n_strings = 0;
    while (wire_next(&w, &f)) {
        double number;
        if (wire_is(&f, 1, WIRE_VARINT))
            type = (int64_t)(f.value & 0xFFFF);
        else if (wire_is(&f, 8, WIRE_BYTES)) {
            if (n_strings++ == 0 || n_strings == 3) {
                value->data = f.data;
                value->size_bytes = f.size_bytes;
                value->more = w;
            }
        } else if (wire_is(&f, 4, WIRE_BYTES) ? content_number(type, f.data, f.size_bytes, &number)
                   : f.number == 5 || f.number == 6 || f.number == 7 || f.number == 10 || f.number == 11 ||
                           f.number == 13 || f.number == 16 || f.number == 17
                       ? element_number(&f, type, &number)
                       : false) {
            value->scalar = number;
            n_numbers++;
        }
    }
    if (w.bad)
        return;
    if (n_strings)
        value->kind = n_strings >= 3 && is_picture(value->data, value->size_bytes) ? EVENT_IMAGE : EVENT_TEXT;
    else if (n_numbers == 1)
        value->kind = EVENT_SCALAR;
}

static void read_metadata(const uint8_t *data, size_t size_bytes, struct event_value *value)
{
    struct wire w = wire_of(data, size_bytes);
    struct wire_field f, inner;
    while (wire_next(&w, &f)) {
        struct wire plugin = wire_of(f.data, f.size_bytes);
        while (wire_is(&f, 1, WIRE_BYTES) && wire_next(&plugin, &inner)) {
            if (wire_is(&inner, 1, WIRE_BYTES)) {
                value->plugin = (const char *)inner.data;
                value->plugin_length = inner.size_bytes;
            } else if (wire_is(&inner, 2, WIRE_BYTES)) {
                value->data = inner.data;
                value->size_bytes = inner.size_bytes;
            }
        }
    }
}

static void read_image(const uint8_t *data, size_t size_bytes, struct event_value *value)
{
    struct wire w = wire_of(data, size_bytes);
    struct wire_field f;
    while (wire_next(&w, &f))
        if (wire_is(&f, 4, WIRE_BYTES)) {
            value->kind = EVENT_IMAGE;
            value->data = f.data;
            value->size_bytes = f.size_bytes;
        }
}

static bool read_value(struct wire w, struct event_value *value)
{
    struct wire_field f, tensor = {0}, metadata = {0};
    *value = (struct event_value){.tag = "", .plugin = ""};
    while (wire_next(&w, &f)) {
        if (wire_is(&f, 1, WIRE_BYTES)) {
            value->tag = (const char *)f.data;
            value->tag_length = f.size_bytes;
        } else if (wire_is(&f, 2, WIRE_FIXED32)) {
            value->kind = EVENT_SCALAR;
            value->scalar = wire_float(&f);
        } else if (wire_is(&f, 4, WIRE_BYTES))
            read_image(f.data, f.size_bytes, value);
        else if (wire_is(&f, 8, WIRE_BYTES))
            tensor = f;
        else if (wire_is(&f, 9, WIRE_BYTES))
            metadata = f;
    }
    if (metadata.data) {
        struct event_value plugin = *value;
        read_metadata(metadata.data, metadata.size_bytes, &plugin);
        value->plugin = plugin.plugin;
        value->plugin_length = plugin.plugin_length;
        if (plugin.plugin_length == 7 && !memcmp(plugin.plugin, "hparams", 7)) {
            *value = plugin;
            value->kind = EVENT_HPARAMS;
            return !w.bad;
        }
    }
    if (tensor.data)
        read_tensor(tensor.data, tensor.size_bytes, value);
    return !w.bad;
}

bool event_next(struct wire *summary, struct event_value *value)
{
    struct wire_field f;
    while (wire_next(summary, &f))
        if (wire_is(&f, 1, WIRE_BYTES))
            return read_value(wire_of(f.data, f.size_bytes), value);
    return false;
}

bool event_next_image(struct event_value *image)
{
    struct wire_field f;
    while (wire_next(&image->more, &f))
        if (wire_is(&f, 8, WIRE_BYTES)) {
            image->data = f.data;
            image->size_bytes = f.size_bytes;
            return true;
        }
    return false;
}

/* google.protobuf.Value: a number, a string or a bool; new reference, NULL: none of them. */
static json_t *plain_value(const uint8_t *data, size_t size_bytes)
{
    struct wire w = wire_of(data, size_bytes);
    struct wire_field f;
    while (wire_next(&w, &f)) {
        if (wire_is(&f, 2, WIRE_FIXED64))
            return js_number(wire_double(&f));
        if (wire_is(&f, 3, WIRE_BYTES))
            return json_stringn((const char *)f.data, f.size_bytes);
        if (wire_is(&f, 4, WIRE_VARINT))
            return json_boolean(f.value);
    }
    return NULL;
}

/* An entry of map<string, Value>. */
static void take_setting(struct wire w, json_t *config)
{
    struct wire_field f;
    char *key = NULL;
    json_t *value = NULL;
    while (wire_next(&w, &f)) {
        if (wire_is(&f, 1, WIRE_BYTES) && !key)
            key = xstrndup((const char *)f.data, f.size_bytes);
        else if (wire_is(&f, 2, WIRE_BYTES) && !value)
            value = plain_value(f.data, f.size_bytes);
    }
    if (key && value)
        json_object_set_new(config, key, value); /* a key that is no UTF-8 is left out */
    else
        json_decref(value);
    free(key);
}

void event_hparams(const uint8_t *data, size_t size_bytes, json_t *config, int *end)
{
    struct wire w = wire_of(data, size_bytes);
    struct wire_field f, inner;
    *end = 0;
    while (wire_next(&w, &f)) {
        struct wire message = wire_of(f.data, f.size_bytes);
        if (f.type != WIRE_BYTES)
            continue;
        while (f.number == 3 && wire_next(&message, &inner)) /* session_start_info */
            if (wire_is(&inner, 1, WIRE_BYTES))
                take_setting(wire_of(inner.data, inner.size_bytes), config);
        while (f.number == 4 && wire_next(&message, &inner)) /* session_end_info */
            if (wire_is(&inner, 1, WIRE_VARINT))
                *end = inner.value == 1 || inner.value == 2 ? (int)inner.value : 0;
    }
}
