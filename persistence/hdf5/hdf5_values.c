/* hdf5_values.c - copying the values of a dataset, through its filters; see hdf5_file.h */
#include "persistence/hdf5/hdf5_internal.h"

#include "base/arena.h"
#include "base/io.h"

#include <stdlib.h>
#include <zlib.h>

struct buffer {
    uint8_t *data;
    size_t size_bytes;
};

static bool damaged(const char *path, const struct hdf5_dataset *dataset, const char *reason, struct err *err)
{
    return err_set(err, ERR_FORMAT, "'%s', dataset '%s': %s", path, dataset->path, reason);
}

/* HDF5's variant: 16-bit words, most significant byte first. */
static uint32_t fletcher32(const uint8_t *data, size_t n)
{
    uint32_t low = 0, high = 0;
    for (size_t i = 0; i < n; i += 2) {
        low = (low + (uint32_t)(data[i] << 8 | (i + 1 < n ? data[i + 1] : 0))) % 65535;
        high = (high + low) % 65535;
    }
    return high << 16 | low;
}

static bool undo_gzip(struct buffer *buffer, size_t size_bytes)
{
    uLongf n = (uLongf)size_bytes;
    uint8_t *out = xmalloc(size_bytes + 1);
    int result = uncompress(out, &n, buffer->data, (uLong)buffer->size_bytes);
    if (result != Z_OK || n != size_bytes) {
        free(out);
        return false;
    }
    free(buffer->data);
    *buffer = (struct buffer){out, size_bytes};
    return true;
}

/* Byte k of all elements lies together: byte planes back to elements. */
static void undo_shuffle(struct buffer *buffer, size_t element)
{
    size_t n = buffer->size_bytes / element;
    uint8_t *out = xmalloc(buffer->size_bytes + 1);
    for (size_t k = 0; k < element; k++)
        for (size_t i = 0; i < n; i++)
            out[i * element + k] = buffer->data[k * n + i];
    memcpy(out + n * element, buffer->data + n * element, buffer->size_bytes - n * element);
    free(buffer->data);
    buffer->data = out;
}

static bool undo_filters(const struct hdf5_dataset *dataset, const struct hdf5_chunk *chunk, struct buffer *buffer,
                         size_t chunk_bytes)
{
    size_t before[HDF5_MAX_FILTERS]; /* bytes in front of each filter, when writing */
    size_t n = chunk_bytes;
    for (int i = 0; i < dataset->n_filters; i++) {
        before[i] = n;
        n += dataset->filters[i] == HDF5_FLETCHER32 && !(chunk->skipped >> i & 1) ? 4 : 0;
    }
    for (int i = dataset->n_filters - 1; i >= 0; i--) {
        if (chunk->skipped >> i & 1)
            continue;
        switch (dataset->filters[i]) {
        case HDF5_GZIP:
            if (!undo_gzip(buffer, before[i]))
                return false;
            break;
        case HDF5_SHUFFLE:
            undo_shuffle(buffer, hdf5_element_bytes(dataset->dtype));
            break;
        case HDF5_FLETCHER32:
            if (buffer->size_bytes < 4 ||
                fletcher32(buffer->data, buffer->size_bytes - 4) != bytes_get(buffer->data + buffer->size_bytes - 4, 4))
                return false;
            buffer->size_bytes -= 4;
            break;
        }
    }
    return buffer->size_bytes == chunk_bytes;
}

/* Copies the part of a chunk that lies inside the shape, dimension by dimension. */
static void place(const struct hdf5_dataset *dataset, const int64_t *start, int d, const uint8_t *from, uint8_t *to,
                  int64_t from_step, int64_t to_step)
{
    if (d == dataset->rank) {
        memcpy(to, from, (size_t)from_step);
        return;
    }
    int64_t left = dataset->dim[d] - start[d], n = left < dataset->chunk_dim[d] ? left : dataset->chunk_dim[d];
    from_step /= dataset->chunk_dim[d];
    to_step /= dataset->dim[d];
    if (d == dataset->rank - 1) {
        memcpy(to + start[d] * to_step, from, (size_t)(n * from_step));
        return;
    }
    for (int64_t i = 0; i < n; i++)
        place(dataset, start, d + 1, from + i * from_step, to + (start[d] + i) * to_step, from_step, to_step);
}

static bool read_chunked(int fd, const char *path, const struct hdf5_dataset *dataset, uint8_t *dst, int64_t size_bytes,
                         struct err *err)
{
    int64_t chunk_bytes;
    bool ok = hdf5_data_bytes(dataset->dtype, dataset->rank, dataset->chunk_dim, &chunk_bytes);
    for (size_t i = 0; ok && i < dataset->n_chunks; i++) {
        const struct hdf5_chunk *chunk = &dataset->chunks[i];
        struct buffer buffer = {xmalloc((size_t)chunk->stored_bytes + 1), (size_t)chunk->stored_bytes};
        ok = io_pread_all(fd, buffer.data, buffer.size_bytes, chunk->offset, path, err);
        if (ok && !undo_filters(dataset, chunk, &buffer, (size_t)chunk_bytes))
            ok = damaged(path, dataset, "a chunk of its values is damaged", err);
        if (ok)
            place(dataset, chunk->start, 0, buffer.data, dst, chunk_bytes, size_bytes);
        free(buffer.data);
    }
    return ok;
}

bool hdf5_read_values(int fd, const char *path, const struct hdf5_dataset *dataset, int64_t first, int64_t n, void *dst,
                      struct err *err)
{
    int64_t size_bytes, element = (int64_t)hdf5_element_bytes(dataset->dtype);
    BUG_ON(!hdf5_data_bytes(dataset->dtype, dataset->rank, dataset->dim, &size_bytes) || first < 0 || n < 0 ||
           first > size_bytes / element || n > size_bytes / element - first);
    if (dataset->storage == HDF5_ABSENT)
        return damaged(path, dataset, "no values are stored for it", err);
    if (dataset->storage == HDF5_PLAIN)
        return io_pread_all(fd, dst, (size_t)(n * element), dataset->offset + first * element, path, err);
    BUG_ON(first || n * element != size_bytes);
    return read_chunked(fd, path, dataset, dst, size_bytes, err);
}
