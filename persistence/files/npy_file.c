/* npy_file.c - .npy files, see npy_file.h */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/atomic_file.h"
#include "persistence/files/byte_stream.h"
#include "persistence/files/npy_file.h"
#include "persistence/files/npy_header.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

float npy_half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023, bits;
    if (exponent == 31) {
        bits = sign | 0x7F800000 | fraction << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    } else {
        float value = (float)fraction * 0x1p-24f;
        memcpy(&bits, &value, 4);
        bits |= sign;
    }
    float out;
    memcpy(&out, &bits, 4);
    return out;
}

double npy_value(const struct npy *a, int64_t i)
{
    const void *p = a->data;
    switch (a->type) {
    case NPY_BOOL:
        return ((const uint8_t *)p)[i] != 0;
    case NPY_U8:
        return ((const uint8_t *)p)[i];
    case NPY_I8:
        return ((const int8_t *)p)[i];
    case NPY_U16:
        return ((const uint16_t *)p)[i];
    case NPY_I16:
        return ((const int16_t *)p)[i];
    case NPY_U32:
        return ((const uint32_t *)p)[i];
    case NPY_I32:
        return ((const int32_t *)p)[i];
    case NPY_U64:
        return (double)((const uint64_t *)p)[i];
    case NPY_I64:
        return (double)((const int64_t *)p)[i];
    case NPY_F16:
        return (double)npy_half_to_float(((const uint16_t *)p)[i]);
    case NPY_F32:
        return (double)((const float *)p)[i];
    case NPY_F64:
    case NPY_TYPE_COUNT:
        break;
    }
    return ((const double *)p)[i];
}

static void swap_bytes(unsigned char *p, int64_t n, size_t size)
{
    for (int64_t i = 0; i < n; i++, p += size)
        for (size_t k = 0; k < size / 2; k++) {
            unsigned char t = p[k];
            p[k] = p[size - 1 - k];
            p[size - 1 - k] = t;
        }
}

/* Fortran order to C order: walks the result row by row with the strides of the source. */
static void reorder(const unsigned char *from, unsigned char *to, const struct npy *a, size_t size)
{
    int64_t index[NPY_RANK_MAX] = {0}, stride[NPY_RANK_MAX] = {0}, offset = 0, step = 1;
    for (int d = 0; d < a->rank; d++) {
        stride[d] = step;
        step *= a->dim[d];
    }
    for (int64_t i = 0; i < a->n_elements; i++, to += size) {
        memcpy(to, from + (size_t)offset * size, size);
        for (int d = a->rank - 1; d >= 0; d--) {
            offset += stride[d];
            if (++index[d] < a->dim[d])
                break;
            offset -= stride[d] * a->dim[d];
            index[d] = 0;
        }
    }
}

static bool check_size(const struct npy_header *h, size_t size_bytes, const char *name, struct err *err)
{
    if (size_bytes - h->data_start == (size_t)h->data_bytes)
        return true;
    struct str shape = {0};
    for (int i = 0; i < h->rank; i++)
        str_addf(&shape, i ? ", %lld" : "%lld", (long long)h->dim[i]);
    err_set(err, ERR_FORMAT, "%s declares shape (%s) of %s, %lld bytes, but holds %zu", name, str_text(&shape),
            npy_type_name(h->type), (long long)h->data_bytes, size_bytes - h->data_start);
    str_release(&shape);
    return false;
}

/* Takes what is at `data` as it is, or makes a copy when order, byte order or alignment ask for one. */
static bool adopt(const struct npy_header *h, const unsigned char *data, const char *name, struct npy *a,
                  struct err *err)
{
    size_t size = npy_type_size(h->type);
    a->type = h->type;
    a->rank = h->rank;
    memcpy(a->dim, h->dim, sizeof a->dim);
    a->n_elements = h->n_elements;
    a->data = h->n_elements ? data : NULL;
    bool fortran = h->fortran && h->rank > 1;
    if (!a->data || (!fortran && !h->swapped && (uintptr_t)data % size == 0))
        return true;
    unsigned char *copy = io_allocate((size_t)h->data_bytes, name, err);
    if (!copy)
        return false;
    if (fortran)
        reorder(data, copy, a, size);
    else
        memcpy(copy, data, (size_t)h->data_bytes);
    if (h->swapped)
        swap_bytes(copy, h->n_elements, size);
    npy_release(a);
    *a = (struct npy){.type = h->type, .rank = h->rank, .n_elements = h->n_elements, .data = copy, .owned = copy};
    memcpy(a->dim, h->dim, sizeof a->dim);
    return true;
}

bool npy_take(void *bytes, size_t size_bytes, const char *name, struct npy *a, struct err *err)
{
    struct npy_header h;
    *a = (struct npy){.owned = bytes};
    if (npy_header_read(bytes, size_bytes, name, &h, err) && check_size(&h, size_bytes, name, err) &&
        adopt(&h, (unsigned char *)bytes + h.data_start, name, a, err))
        return true;
    npy_release(a);
    return false;
}

static bool map_file(const char *path, const char *name, struct npy *a, struct err *err)
{
    struct stat st;
    struct npy_header h;
    void *map = MAP_FAILED;
    bool ok = false;
    int fd = io_open(path, O_RDONLY, 0, err);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        err_set(err, ERR_FORMAT, "%s is %s, expected a file", name,
                S_ISDIR(st.st_mode) ? "a folder" : "not an ordinary file");
        goto done;
    }
    if (st.st_size < 12) {
        err_set(err, ERR_FORMAT, "%s is not a NumPy array (.npy): it has only %lld bytes", name, (long long)st.st_size);
        goto done;
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        err_set(err, ERR_NOMEM, "cannot map %s into memory", name);
        goto done;
    }
    *a = (struct npy){.mapped = map, .mapped_bytes = (size_t)st.st_size};
    ok = npy_header_read(map, (size_t)st.st_size, name, &h, err) && check_size(&h, (size_t)st.st_size, name, err) &&
         adopt(&h, (unsigned char *)map + h.data_start, name, a, err);
    if (!ok)
        npy_release(a);
done:
    io->close(fd);
    return ok;
}

/* The header first, so that memory is taken only for what the file can hold. */
static bool read_gzip(struct byte_stream *s, const char *name, struct npy *a, struct err *err)
{
    unsigned char *front = xmalloc(12 + NPY_HEADER_MAX), *bytes = NULL;
    size_t got, more;
    struct npy_header h;
    bool ok = false;
    if (!byte_stream_read(s, front, 12, &got, err))
        goto done;
    size_t header = got < 12 ? 0 : front[8] | (size_t)front[9] << 8;
    if (got == 12 && front[6] > 1)
        header |= (size_t)front[10] << 16 | (size_t)front[11] << 24;
    header = header > NPY_HEADER_MAX ? 0 : header;
    size_t rest = header > 2 && front[6] == 1 ? header - 2 : header;
    if (!byte_stream_read(s, front + got, rest, &more, err) || !npy_header_read(front, got + more, name, &h, err))
        goto done;
    if (h.data_bytes > byte_stream_limit(s)) {
        check_size(&h, got + more, name, err);
        goto done;
    }
    size_t total = h.data_start + (size_t)h.data_bytes;
    bytes = io_allocate(total, name, err);
    if (!bytes)
        goto done;
    memcpy(bytes, front, h.data_start);
    ok = byte_stream_exact(s, bytes + h.data_start, (size_t)h.data_bytes, "the array", err) &&
         byte_stream_expect_end(s, err);
    if (ok) {
        ok = npy_take(bytes, total, name, a, err);
        bytes = NULL;
    }
done:
    free(bytes);
    free(front);
    return ok;
}

bool npy_open(const char *path, struct npy *a, struct err *err)
{
    *a = (struct npy){0};
    struct byte_stream *s = byte_stream_open(path, err);
    if (!s)
        return false;
    char *name = xprintf("'%s'", path);
    bool ok = byte_stream_is_gzip(s) ? read_gzip(s, name, a, err) : map_file(path, name, a, err);
    free(name);
    byte_stream_close(s);
    return ok;
}

void npy_release(struct npy *a)
{
    free(a->owned);
    if (a->mapped)
        munmap(a->mapped, a->mapped_bytes);
    *a = (struct npy){0};
}

bool npy_write(const char *path, const struct npy *a, struct err *err)
{
    struct str header = {0};
    npy_header_write(&header, a);
    struct atomic_file *file = atomic_file_open(path, err);
    bool ok = file && atomic_file_write(file, header.data, header.length, err) &&
              atomic_file_write(file, a->data, (size_t)a->n_elements * npy_type_size(a->type), err) &&
              atomic_file_commit(&file, err);
    atomic_file_abort(&file);
    str_release(&header);
    return ok;
}
