/* hdf5_write_type.c - framing of messages, and datatypes as messages; see hdf5_writer.h */
#include "persistence/hdf5/hdf5_writer.h"

void hdf5_pad(struct str *out, size_t to)
{
    while (out->length % to)
        str_add_char(out, 0);
}

/* Messages are framed when their body is known: begin, body, end. */
size_t hdf5_message_begin(struct str *out, enum hdf5_message_type type, uint8_t flags)
{
    bytes_add(out, type, 2);
    bytes_add(out, 0, 2);
    bytes_add(out, flags, 4);
    return out->length;
}

void hdf5_message_end(struct str *out, size_t start)
{
    hdf5_pad(out, 8);
    bytes_put((uint8_t *)out->data + start - 6, out->length - start, 2);
}

static void add_float(struct str *out, size_t n, int exponent_bits, int mantissa_bits, uint32_t bias)
{
    bytes_add(out, 0x11, 1);
    bytes_add(out, 0x20, 1);
    bytes_add(out, 8 * n - 1, 2);
    bytes_add(out, n, 4);
    bytes_add(out, 0, 2);
    bytes_add(out, 8 * n, 2);
    bytes_add(out, (uint64_t)mantissa_bits, 1);
    bytes_add(out, (uint64_t)exponent_bits, 1);
    bytes_add(out, 0, 1);
    bytes_add(out, (uint64_t)mantissa_bits, 1);
    bytes_add(out, bias, 4);
}

static void add_integer(struct str *out, size_t n, bool is_signed)
{
    bytes_add(out, 0x10, 1);
    bytes_add(out, is_signed ? 8 : 0, 3);
    bytes_add(out, n, 4);
    bytes_add(out, 0, 2);
    bytes_add(out, 8 * n, 2);
}

static void add_bool(struct str *out)
{
    bytes_add(out, 0x18, 1);
    bytes_add(out, 2, 3);
    bytes_add(out, 1, 4);
    add_integer(out, 1, true);
    str_add_bytes(out, "FALSE\0\0\0TRUE\0\0\0\0\0\1", 18);
}

void hdf5_add_type(struct str *out, enum weight_dtype dtype)
{
    size_t start = hdf5_message_begin(out, HDF5_DATATYPE, 1), n = hdf5_element_bytes(dtype);
    switch (dtype) {
    case WEIGHT_F32:
        add_float(out, 4, 8, 23, 127);
        break;
    case WEIGHT_F64:
        add_float(out, 8, 11, 52, 1023);
        break;
    case WEIGHT_F16:
        add_float(out, 2, 5, 10, 15);
        break;
    case WEIGHT_BF16: /* opaque, as Keras writes it; the attribute says what it is */
        bytes_add(out, 0x15, 4);
        bytes_add(out, 2, 4);
        break;
    case WEIGHT_BOOL:
        add_bool(out);
        break;
    case WEIGHT_I8:
    case WEIGHT_I16:
    case WEIGHT_I32:
    case WEIGHT_I64:
        add_integer(out, n, true);
        break;
    case WEIGHT_U8:
    case WEIGHT_U16:
    case WEIGHT_U32:
    case WEIGHT_U64:
        add_integer(out, n, false);
        break;
    }
    hdf5_message_end(out, start);
}
