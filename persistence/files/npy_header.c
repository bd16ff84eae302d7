/* npy_header.c - see npy_header.h */
#include "base/size.h"
#include "persistence/files/npy_header.h"

#include <string.h>

static const struct {
    const char *code, *name; /* descr without its byte order */
    size_t size;
} types[NPY_TYPE_COUNT] = {
    [NPY_BOOL] = {"b1", "bool", 1},   [NPY_U8] = {"u1", "uint8", 1},    [NPY_I8] = {"i1", "int8", 1},
    [NPY_U16] = {"u2", "uint16", 2},  [NPY_I16] = {"i2", "int16", 2},   [NPY_U32] = {"u4", "uint32", 4},
    [NPY_I32] = {"i4", "int32", 4},   [NPY_U64] = {"u8", "uint64", 8},  [NPY_I64] = {"i8", "int64", 8},
    [NPY_F16] = {"f2", "float16", 2}, [NPY_F32] = {"f4", "float32", 4}, [NPY_F64] = {"f8", "float64", 8},
};

size_t npy_type_size(enum npy_type type)
{
    return types[type].size;
}

const char *npy_type_name(enum npy_type type)
{
    return types[type].name;
}

bool npy_type_is_integer(enum npy_type type)
{
    return type < NPY_F16;
}

struct cursor {
    const char *p, *end;
};

static void skip_spaces(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t'))
        c->p++;
}

static bool take(struct cursor *c, const char *text)
{
    skip_spaces(c);
    size_t n = strlen(text);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
        return false;
    c->p += n;
    return true;
}

/* 'text' or "text" of at most size - 1 characters. */
static bool take_string(struct cursor *c, char *out, size_t size)
{
    skip_spaces(c);
    if (c->p == c->end || (*c->p != '\'' && *c->p != '"'))
        return false;
    const char *stop = memchr(c->p + 1, *c->p, (size_t)(c->end - c->p - 1));
    size_t n = stop ? (size_t)(stop - c->p - 1) : size;
    if (n >= size)
        return false;
    memcpy(out, c->p + 1, n);
    out[n] = 0;
    c->p = stop + 1;
    return true;
}

static bool take_shape(struct cursor *c, struct npy_header *h)
{
    if (!take(c, "("))
        return false;
    while (!take(c, ")")) {
        int64_t value = 0;
        skip_spaces(c);
        const char *start = c->p;
        for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++)
            if (!int64_mul(value, 10, &value) || !int64_add(value, *c->p - '0', &value))
                return false;
        if (c->p == start || h->rank == NPY_RANK_MAX)
            return false;
        take(c, "L");
        h->dim[h->rank++] = value;
        if (!take(c, ",") && !(c->p < c->end && *c->p == ')'))
            return false;
    }
    return true;
}

static bool read_descr(const char *descr, const char *name, struct npy_header *h, struct err *err)
{
    bool order = strchr("<>|=", descr[0]) && descr[0];
    for (int t = 0; order && t < NPY_TYPE_COUNT; t++)
        if (!strcmp(types[t].code, descr + 1)) {
            h->type = t;
            h->swapped = descr[0] == '>' && types[t].size > 1;
            return true;
        }
    const char *what = strchr("US", descr[order]) && descr[order]   ? "text"
                       : descr[order] == 'O'                        ? "Python objects"
                       : descr[order] == 'c'                        ? "complex numbers"
                       : strchr("Mm", descr[order]) && descr[order] ? "dates or times"
                                                                    : "values of an unknown type";
    return err_set(err, ERR_FORMAT, "%s holds %s (dtype '%s'), expected booleans, integers or floats up to 64 bits",
                   name, what, descr);
}

static bool read_dictionary(struct cursor *c, const char *name, struct npy_header *h, struct err *err)
{
    char key[32], descr[64] = "";
    bool has_order = false, has_shape = false;
    if (!take(c, "{"))
        goto bad;
    while (!take(c, "}")) {
        if (!take_string(c, key, sizeof key) || !take(c, ":"))
            goto bad;
        if (!strcmp(key, "descr") && take(c, "["))
            return err_set(err, ERR_FORMAT, "%s holds records with several fields, expected one number per element",
                           name);
        if (!strcmp(key, "descr") ? !take_string(c, descr, sizeof descr)
                                  : strcmp(key, "shape") != 0 && strcmp(key, "fortran_order") != 0)
            goto bad;
        if (!strcmp(key, "fortran_order")) {
            h->fortran = take(c, "True");
            has_order = h->fortran || take(c, "False");
        }
        if (!strcmp(key, "shape") && (has_shape || !(has_shape = take_shape(c, h))))
            goto bad;
        take(c, ",");
    }
    if (descr[0] && has_order && has_shape)
        return read_descr(descr, name, h, err);
bad:
    return err_set(err, ERR_FORMAT,
                   "%s has no readable header: expected descr, fortran_order and a shape of at most %d axes", name,
                   NPY_RANK_MAX);
}

bool npy_header_read(const unsigned char *bytes, size_t size_bytes, const char *name, struct npy_header *header,
                     struct err *err)
{
    *header = (struct npy_header){0};
    if (size_bytes < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return err_set(err, ERR_FORMAT, "%s is not a NumPy array (.npy): it does not start with its magic bytes", name);
    int version = bytes[6];
    size_t start = version == 1 ? 10 : 12, length = bytes[8] | (size_t)bytes[9] << 8;
    if (version < 1 || version > 3)
        return err_set(err, ERR_FORMAT, "%s has version %d of the .npy format, expected 1, 2 or 3", name, version);
    if (version > 1)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > NPY_HEADER_MAX || length > size_bytes - start)
        return err_set(err, ERR_FORMAT, "%s declares a header of %zu bytes, %s", name, length,
                       length > NPY_HEADER_MAX ? "expected at most 65536" : "more than the file has");
    struct cursor c = {(const char *)bytes + start, (const char *)bytes + start + length};
    if (!read_dictionary(&c, name, header, err))
        return false;
    header->data_start = start + length;
    header->n_elements = 1;
    bool fits = true;
    for (int i = 0; i < header->rank; i++)
        fits = fits && int64_mul(header->n_elements, header->dim[i], &header->n_elements);
    if (!fits || !int64_mul(header->n_elements, (int64_t)types[header->type].size, &header->data_bytes))
        return err_set(err, ERR_FORMAT, "%s declares more elements than any file can hold", name);
    return true;
}

void npy_header_write(struct str *out, const struct npy *a)
{
    struct str text = {0};
    str_addf(&text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", types[a->type].size == 1 ? '|' : '<',
             types[a->type].code);
    for (int i = 0; i < a->rank; i++)
        str_addf(&text, i ? ", %lld" : "%lld", (long long)a->dim[i]);
    str_add(&text, a->rank == 1 ? ",), }" : "), }");
    while ((10 + text.length + 1) % 64)
        str_add_char(&text, ' ');
    str_add_char(&text, '\n');
    unsigned char front[10] = "\x93NUMPY\x01";
    front[8] = (unsigned char)(text.length & 255);
    front[9] = (unsigned char)(text.length >> 8);
    str_add_bytes(out, front, sizeof front);
    str_add_bytes(out, text.data, text.length);
    str_release(&text);
}
