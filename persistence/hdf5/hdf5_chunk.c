/* hdf5_chunk.c - where the values of a dataset lie: layouts, filters, chunk indexes; see hdf5_internal.h */
#include "persistence/hdf5/hdf5_internal.h"

#include "base/arena.h"
#include "base/size.h"

#include <stdlib.h>

enum { LAYOUT_COMPACT, LAYOUT_CONTIGUOUS, LAYOUT_CHUNKED, LAYOUT_VIRTUAL };
enum { INDEX_SINGLE = 1, INDEX_IMPLICIT, INDEX_FIXED, INDEX_EXTENSIBLE, INDEX_TREE2 };
enum { MAX_LEVELS = 8, GZIP_RATIO = 1032 };

struct chunks { /* a chunked dataset being read */
    struct hdf5_dataset *dataset;
    int64_t per_dim[WEIGHT_RANK_MAX]; /* chunks along each dimension */
    int64_t expected;                 /* in all */
    int64_t chunk_bytes;              /* of one, before filters */
    size_t capacity;
};

static bool read_filters(struct hdf5 *h5, struct cursor body, struct hdf5_dataset *dataset)
{
    uint8_t version = cursor_u8(&body), n = cursor_u8(&body);
    cursor_bytes(&body, version == 1 ? 6 : 0);
    if (body.bad || version < 1 || version > 2 || n > HDF5_MAX_FILTERS)
        return hdf5_refuse(h5, "its filters are damaged or too many");
    for (int i = 0; i < n; i++) {
        uint16_t id = cursor_u16(&body), name_bytes = version == 1 || id >= 256 ? cursor_u16(&body) : 0;
        cursor_u16(&body);
        uint16_t values = cursor_u16(&body);
        cursor_bytes(&body, version == 1 ? (name_bytes + 7u) / 8 * 8 : name_bytes);
        cursor_bytes(&body, 4u * (values + (version == 1 ? values % 2 : 0u)));
        if (body.bad)
            return hdf5_refuse(h5, "its filters are damaged");
        if (id != HDF5_GZIP && id != HDF5_SHUFFLE && id != HDF5_FLETCHER32)
            return hdf5_refuse(h5, "its values went through filter %d, expected gzip, shuffle or fletcher32", id);
        dataset->filters[dataset->n_filters++] = (enum hdf5_filter)id;
    }
    return true;
}

static bool has_gzip(const struct hdf5_dataset *dataset)
{
    for (int i = 0; i < dataset->n_filters; i++)
        if (dataset->filters[i] == HDF5_GZIP)
            return true;
    return false;
}

static bool keep_chunk(struct hdf5 *h5, struct chunks *chunks, uint64_t address, uint64_t stored_bytes,
                       uint32_t skipped, const int64_t *start)
{
    struct hdf5_dataset *dataset = chunks->dataset;
    struct hdf5_chunk chunk = {0};
    uint64_t most = (uint64_t)chunks->chunk_bytes + (uint64_t)chunks->chunk_bytes / 100 + 1024;
    if (stored_bytes > most || (!dataset->n_filters && stored_bytes != (uint64_t)chunks->chunk_bytes) ||
        (has_gzip(dataset) && (uint64_t)chunks->chunk_bytes / GZIP_RATIO > stored_bytes))
        return hdf5_refuse(h5, "a chunk of %llu bytes cannot hold what is declared (%lld bytes)",
                           (unsigned long long)stored_bytes, (long long)chunks->chunk_bytes);
    for (int i = 0; i < dataset->rank; i++)
        if (start[i] < 0 || start[i] % dataset->chunk_dim[i] || start[i] >= dataset->dim[i])
            return hdf5_refuse(h5, "a chunk lies outside of the shape");
    if (!hdf5_claim(h5, address, stored_bytes, "a chunk"))
        return false;
    chunk.offset = h5->base + (int64_t)address;
    chunk.stored_bytes = (int64_t)stored_bytes;
    chunk.skipped = skipped;
    memcpy(chunk.start, start, sizeof *start * (size_t)dataset->rank);
    dataset->chunks = xgrow(dataset->chunks, &chunks->capacity, dataset->n_chunks + 1, sizeof *dataset->chunks);
    dataset->chunks[dataset->n_chunks++] = chunk;
    return true;
}

/* Start of the k-th chunk in row-major order. */
static void chunk_start(const struct chunks *chunks, int64_t k, int64_t *start)
{
    for (int i = chunks->dataset->rank - 1; i >= 0; i--) {
        start[i] = k % chunks->per_dim[i] * chunks->dataset->chunk_dim[i];
        k /= chunks->per_dim[i];
    }
}

static bool read_tree(struct hdf5 *h5, struct chunks *chunks, uint64_t address, int level)
{
    size_t rank = (size_t)chunks->dataset->rank, key = 8 + 8 * (rank + 1), room = 2 * h5->chunk_k;
    uint8_t *node = hdf5_load(h5, address, 24 + (room + 1) * key + room * 8, "a chunk index");
    if (!node)
        return false;
    size_t n = bytes_get(node + 6, 2);
    bool ok = (!memcmp(node, "TREE", 4) && node[4] == 1 && n <= room && node[5] < MAX_LEVELS &&
               (level < 0 || node[5] == level)) ||
              hdf5_refuse(h5, "its chunk index is damaged");
    level = node[5];
    for (size_t i = 0; ok && i < n; i++) {
        const uint8_t *entry = node + 24 + i * (key + 8);
        uint64_t child = bytes_get(entry + key, 8);
        int64_t start[WEIGHT_RANK_MAX] = {0};
        for (size_t d = 0; d < rank; d++)
            start[d] = (int64_t)bytes_get(entry + 8 + 8 * d, 8);
        ok = level ? read_tree(h5, chunks, child, level - 1)
                   : keep_chunk(h5, chunks, child, bytes_get(entry, 4), (uint32_t)bytes_get(entry + 4, 4), start);
    }
    free(node);
    return ok;
}

static bool read_implicit(struct hdf5 *h5, struct chunks *chunks, uint64_t address)
{
    if (chunks->dataset->n_filters)
        return hdf5_refuse(h5, "its chunk index cannot go with filters");
    for (int64_t k = 0; k < chunks->expected; k++) {
        int64_t start[WEIGHT_RANK_MAX] = {0}, shift;
        chunk_start(chunks, k, start);
        if (!int64_mul(k, chunks->chunk_bytes, &shift) ||
            !keep_chunk(h5, chunks, address + (uint64_t)shift, (uint64_t)chunks->chunk_bytes, 0, start))
            return false;
    }
    return true;
}

static bool read_fixed_entries(struct hdf5 *h5, struct chunks *chunks, struct cursor c, size_t entry_bytes)
{
    bool filtered = chunks->dataset->n_filters > 0;
    for (int64_t k = 0; k < chunks->expected; k++) {
        int64_t start[WEIGHT_RANK_MAX] = {0};
        uint64_t address = cursor_u64(&c), stored = (uint64_t)chunks->chunk_bytes;
        uint32_t skipped = 0;
        if (filtered) {
            stored = cursor_number(&c, entry_bytes - 12);
            skipped = cursor_u32(&c);
        }
        chunk_start(chunks, k, start);
        if (address != HDF5_UNDEFINED && !keep_chunk(h5, chunks, address, stored, skipped, start))
            return false;
    }
    return true;
}

static bool read_fixed(struct hdf5 *h5, struct chunks *chunks, uint64_t address)
{
    uint8_t *head = hdf5_load_checked(h5, address, 28, "FAHD", "a chunk index");
    if (!head)
        return false;
    size_t entry = head[6], page_bits = head[7];
    uint64_t n = bytes_get(head + 8, 8), at = bytes_get(head + 16, 8);
    bool filtered = chunks->dataset->n_filters > 0,
         sound = !head[4] && head[5] == filtered && (filtered ? entry > 12 && entry <= 20 : entry == 8);
    free(head);
    if (!sound || n != (uint64_t)chunks->expected)
        return hdf5_refuse(h5, "its chunk index is damaged");
    if (at == HDF5_UNDEFINED)
        return true;
    if (page_bits >= 32 || n > (uint64_t)1 << page_bits)
        return hdf5_refuse(h5,
                           "its chunk index has pages, which are not read: write the file with h5py's default format");
    uint8_t *block = hdf5_load_checked(h5, at, 14 + n * entry + 4, "FADB", "a chunk index");
    if (!block)
        return false;
    bool ok = read_fixed_entries(h5, chunks, (struct cursor){block + 14, (size_t)n * entry, 0, false}, entry);
    free(block);
    return ok;
}

/* Exactly one chunk at each place. Fewer: the rest was never written, and the dataset counts as not stored. */
static bool check_coverage(struct hdf5 *h5, struct chunks *chunks)
{
    struct hdf5_dataset *dataset = chunks->dataset;
    if ((int64_t)dataset->n_chunks != chunks->expected) {
        if ((int64_t)dataset->n_chunks > chunks->expected)
            return hdf5_refuse(h5, "it has %zu chunks, expected %lld", dataset->n_chunks, (long long)chunks->expected);
        dataset->storage = HDF5_ABSENT;
        return true;
    }
    uint8_t *seen = xcalloc(dataset->n_chunks + 1, 1);
    bool ok = true;
    for (size_t i = 0; ok && i < dataset->n_chunks; i++) {
        int64_t k = 0;
        for (int d = 0; d < dataset->rank; d++)
            k = k * chunks->per_dim[d] + dataset->chunks[i].start[d] / dataset->chunk_dim[d];
        ok = !seen[k] || hdf5_refuse(h5, "two chunks lie at the same place");
        seen[k] = 1;
    }
    free(seen);
    return ok;
}

static bool prepare(struct hdf5 *h5, struct chunks *chunks)
{
    struct hdf5_dataset *dataset = chunks->dataset;
    chunks->expected = 1;
    for (int i = 0; i < dataset->rank; i++) {
        if (dataset->chunk_dim[i] <= 0 || dataset->chunk_dim[i] > UINT32_MAX)
            return hdf5_refuse(h5, "its chunks have a side of %lld", (long long)dataset->chunk_dim[i]);
        chunks->per_dim[i] = dataset->dim[i] / dataset->chunk_dim[i] + (dataset->dim[i] % dataset->chunk_dim[i] != 0);
        if (!int64_mul(chunks->expected, chunks->per_dim[i], &chunks->expected))
            return hdf5_refuse(h5, "it has too many chunks");
    }
    if (!hdf5_data_bytes(dataset->dtype, dataset->rank, dataset->chunk_dim, &chunks->chunk_bytes) ||
        chunks->chunk_bytes > HDF5_MAX_CHUNK_BYTES)
        return hdf5_refuse(h5, "its chunks are larger than %d bytes", HDF5_MAX_CHUNK_BYTES);
    return true;
}

static bool read_chunked_v3(struct hdf5 *h5, struct cursor body, struct chunks *chunks)
{
    struct hdf5_dataset *dataset = chunks->dataset;
    uint8_t n = cursor_u8(&body);
    uint64_t address = cursor_u64(&body);
    for (int i = 0; i < dataset->rank; i++)
        dataset->chunk_dim[i] = cursor_u32(&body);
    uint32_t element = cursor_u32(&body);
    if (body.bad || n != dataset->rank + 1 || element != hdf5_element_bytes(dataset->dtype))
        return hdf5_refuse(h5, "its layout does not fit its shape or type");
    if (!prepare(h5, chunks))
        return false;
    return address == HDF5_UNDEFINED || read_tree(h5, chunks, address, -1);
}

static bool read_chunked_v4(struct hdf5 *h5, struct cursor body, struct chunks *chunks)
{
    struct hdf5_dataset *dataset = chunks->dataset;
    uint8_t flags = cursor_u8(&body), n = cursor_u8(&body), width = cursor_u8(&body);
    if (body.bad || n != dataset->rank + 1 || width < 1 || width > 8)
        return hdf5_refuse(h5, "its layout does not fit its shape");
    for (int i = 0; i < dataset->rank; i++)
        dataset->chunk_dim[i] = (int64_t)cursor_number(&body, width);
    uint64_t element = cursor_number(&body, width);
    uint8_t index = cursor_u8(&body);
    if (body.bad || element != hdf5_element_bytes(dataset->dtype) || (flags & 1 && dataset->n_filters) ||
        !prepare(h5, chunks))
        return hdf5_refuse(h5, "its layout does not fit its type or uses unfiltered edges");
    uint64_t stored = (uint64_t)chunks->chunk_bytes;
    uint32_t skipped = 0;
    if (index == INDEX_SINGLE && flags & 2) {
        stored = cursor_u64(&body);
        skipped = cursor_u32(&body);
    }
    cursor_bytes(&body, index == INDEX_FIXED ? 1 : 0);
    if (index == INDEX_EXTENSIBLE || index == INDEX_TREE2)
        return hdf5_refuse(h5, "its shape can grow, which no weight needs: write the file with h5py's default format");
    uint64_t address = cursor_u64(&body);
    int64_t start[WEIGHT_RANK_MAX] = {0};
    if (body.bad || index < INDEX_SINGLE || index > INDEX_TREE2 || (index == INDEX_SINGLE && chunks->expected != 1))
        return hdf5_refuse(h5, "its layout is damaged");
    if (address == HDF5_UNDEFINED)
        return true;
    return index == INDEX_SINGLE     ? keep_chunk(h5, chunks, address, stored, skipped, start)
           : index == INDEX_IMPLICIT ? read_implicit(h5, chunks, address)
                                     : read_fixed(h5, chunks, address);
}

static bool read_plain(struct hdf5 *h5, uint64_t address, uint64_t stored, int64_t size_bytes,
                       struct hdf5_dataset *dataset)
{
    if (address == HDF5_UNDEFINED && size_bytes)
        return true;
    if (stored != (uint64_t)size_bytes)
        return hdf5_refuse(h5, "it has %llu bytes of values, its shape needs %lld", (unsigned long long)stored,
                           (long long)size_bytes);
    if (dataset->n_filters)
        return hdf5_refuse(h5, "filters on values that are not chunked");
    dataset->storage = HDF5_PLAIN;
    dataset->offset = size_bytes ? h5->base + (int64_t)address : h5->base;
    return hdf5_claim(h5, size_bytes ? address : 0, (uint64_t)size_bytes, "its values");
}

/* Compact values lie inside the object header, which has claimed them already. */
static bool read_compact(struct hdf5 *h5, const struct hdf5_message *layout, struct cursor body, int64_t size_bytes,
                         struct hdf5_dataset *dataset)
{
    uint16_t n = cursor_u16(&body);
    size_t at = body.used;
    cursor_bytes(&body, n);
    if (body.bad || n != size_bytes || dataset->n_filters)
        return hdf5_refuse(h5, "it has %u bytes of values, its shape needs %lld", n, (long long)size_bytes);
    dataset->storage = HDF5_PLAIN;
    dataset->offset = h5->base + (int64_t)(layout->address + at);
    return true;
}

bool hdf5_layout_read(struct hdf5 *h5, const struct hdf5_message *layout, const struct hdf5_message *filters,
                      struct hdf5_dataset *dataset)
{
    int64_t size_bytes;
    struct chunks chunks = {.dataset = dataset};
    struct cursor body = layout->body;
    uint8_t version = cursor_u8(&body), class = cursor_u8(&body);
    if (version < 3 || version > 5)
        return hdf5_refuse(h5, "its layout has version %d, expected 3 to 5", version);
    if (class == LAYOUT_VIRTUAL)
        return hdf5_refuse(h5, "its values are in another dataset or file (virtual layout), which is not followed");
    if (class > LAYOUT_VIRTUAL || !hdf5_data_bytes(dataset->dtype, dataset->rank, dataset->dim, &size_bytes))
        return hdf5_refuse(h5, "its layout is damaged");
    if (filters && !read_filters(h5, filters->body, dataset))
        return false;
    if (class == LAYOUT_CONTIGUOUS) {
        uint64_t address = cursor_u64(&body), stored = cursor_u64(&body);
        return body.bad ? hdf5_refuse(h5, "its layout is damaged")
                        : read_plain(h5, address, stored, size_bytes, dataset);
    }
    if (class == LAYOUT_COMPACT)
        return read_compact(h5, layout, body, size_bytes, dataset);
    dataset->storage = HDF5_CHUNKED;
    bool ok = version == 3 ? read_chunked_v3(h5, body, &chunks) : read_chunked_v4(h5, body, &chunks);
    return ok && check_coverage(h5, &chunks);
}
