/* keras_record.c - a survey as bytes and back; what comes back is not trusted; see keras_internal.h */
#include "persistence/keras/keras_internal.h"

#include "base/arena.h"
#include "persistence/files/bytes.h"

#include <stdlib.h>

enum { MAX_PATH_BYTES = 40 * 1024, MAX_ITEMS = 1 << 22, LAST_DTYPE = WEIGHT_U64 };

static void add_text(struct str *out, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    bytes_add(out, text != NULL, 1);
    bytes_add(out, n, 8);
    str_add_bytes(out, text ? text : "", n);
}

static void add_dataset(struct str *out, const struct hdf5_dataset *d)
{
    add_text(out, d->path);
    bytes_add(out, d->dtype, 1);
    bytes_add(out, (uint64_t)d->rank, 1);
    bytes_add(out, d->storage, 1);
    bytes_add(out, (uint64_t)d->n_filters, 1);
    for (int i = 0; i < d->n_filters; i++)
        bytes_add(out, d->filters[i], 1);
    bytes_add(out, (uint64_t)d->offset, 8);
    for (int i = 0; i < d->rank; i++) {
        bytes_add(out, (uint64_t)d->dim[i], 8);
        bytes_add(out, (uint64_t)d->chunk_dim[i], 8);
    }
    bytes_add(out, d->n_chunks, 8);
    for (size_t k = 0; k < d->n_chunks; k++) {
        bytes_add(out, (uint64_t)d->chunks[k].offset, 8);
        bytes_add(out, (uint64_t)d->chunks[k].stored_bytes, 8);
        bytes_add(out, d->chunks[k].skipped, 4);
        for (int i = 0; i < d->rank; i++)
            bytes_add(out, (uint64_t)d->chunks[k].start[i], 8);
    }
}

void keras_record_write(const struct keras_survey *survey, struct str *out)
{
    bytes_add(out, survey->format, 1);
    bytes_add(out, survey->inflated, 1);
    bytes_add(out, survey->has_crc, 1);
    bytes_add(out, (uint64_t)survey->offset, 8);
    bytes_add(out, (uint64_t)survey->bytes, 8);
    bytes_add(out, survey->crc, 4);
    add_text(out, survey->config);
    add_text(out, survey->metadata);
    bytes_add(out, survey->tree.n_problems, 8);
    for (size_t i = 0; i < survey->tree.n_problems; i++)
        add_text(out, survey->tree.problems[i]);
    bytes_add(out, survey->tree.n_datasets, 8);
    for (size_t i = 0; i < survey->tree.n_datasets; i++)
        add_dataset(out, &survey->tree.datasets[i]);
}

static char *take_text(struct cursor *c, size_t max_bytes)
{
    bool present = cursor_u8(c);
    uint64_t n = cursor_u64(c);
    if (n > max_bytes)
        c->bad = true;
    const char *text = (const char *)cursor_bytes(c, (size_t)n);
    if (!text || memchr(text, 0, (size_t)n))
        c->bad = true;
    return c->bad || !present ? NULL : xstrndup(text, (size_t)n);
}

/* A number of things of which each takes at least `least` bytes of the record. */
static size_t take_count(struct cursor *c, size_t least)
{
    uint64_t n = cursor_u64(c);
    if (n > MAX_ITEMS || n > cursor_left(c) / least)
        c->bad = true;
    return c->bad ? 0 : (size_t)n;
}

static bool in_bounds(int64_t offset, int64_t bytes, int64_t limit)
{
    return offset >= 0 && bytes >= 0 && offset <= limit && bytes <= limit - offset;
}

static bool chunks_fit(const struct hdf5_dataset *d, int64_t limit)
{
    int64_t expected = 1, chunk_bytes;
    if (!hdf5_data_bytes(d->dtype, d->rank, d->chunk_dim, &chunk_bytes) || chunk_bytes > HDF5_MAX_CHUNK_BYTES)
        return false;
    for (int i = 0; i < d->rank; i++) {
        if (d->chunk_dim[i] <= 0)
            return false;
        int64_t along = d->dim[i] / d->chunk_dim[i] + (d->dim[i] % d->chunk_dim[i] != 0);
        if (__builtin_mul_overflow(expected, along, &expected))
            return false;
    }
    if (expected != (int64_t)d->n_chunks)
        return false;
    for (size_t k = 0; k < d->n_chunks; k++) {
        const struct hdf5_chunk *chunk = &d->chunks[k];
        if (!in_bounds(chunk->offset, chunk->stored_bytes, limit) ||
            chunk->stored_bytes > 2 * (int64_t)HDF5_MAX_CHUNK_BYTES ||
            (!d->n_filters && chunk->stored_bytes != chunk_bytes))
            return false;
        for (int i = 0; i < d->rank; i++)
            if (chunk->start[i] < 0 || chunk->start[i] >= d->dim[i] || chunk->start[i] % d->chunk_dim[i])
                return false;
    }
    return true;
}

static void take_chunks(struct cursor *c, struct hdf5_dataset *d)
{
    d->n_chunks = take_count(c, 20 + 8 * (size_t)d->rank);
    d->chunks = d->n_chunks ? xcalloc(d->n_chunks, sizeof *d->chunks) : NULL;
    for (size_t k = 0; k < d->n_chunks; k++) {
        d->chunks[k].offset = (int64_t)cursor_u64(c);
        d->chunks[k].stored_bytes = (int64_t)cursor_u64(c);
        d->chunks[k].skipped = cursor_u32(c);
        for (int i = 0; i < d->rank; i++)
            d->chunks[k].start[i] = (int64_t)cursor_u64(c);
    }
}

static void take_dataset(struct cursor *c, struct hdf5_dataset *d, int64_t limit)
{
    int64_t size_bytes;
    d->path = take_text(c, MAX_PATH_BYTES);
    unsigned dtype = cursor_u8(c), rank = cursor_u8(c), storage = cursor_u8(c), n_filters = cursor_u8(c);
    if (!d->path || dtype > LAST_DTYPE || rank > WEIGHT_RANK_MAX || storage > HDF5_CHUNKED ||
        n_filters > HDF5_MAX_FILTERS)
        c->bad = true;
    if (c->bad)
        return;
    d->dtype = (enum weight_dtype)dtype;
    d->rank = (int)rank;
    d->storage = (enum hdf5_storage)storage;
    d->n_filters = (int)n_filters;
    for (int i = 0; i < d->n_filters; i++) {
        unsigned filter = cursor_u8(c);
        c->bad |= filter < HDF5_GZIP || filter > HDF5_FLETCHER32;
        d->filters[i] = (enum hdf5_filter)filter;
    }
    d->offset = (int64_t)cursor_u64(c);
    for (int i = 0; i < d->rank; i++) {
        d->dim[i] = (int64_t)cursor_u64(c);
        d->chunk_dim[i] = (int64_t)cursor_u64(c);
    }
    take_chunks(c, d);
    if (c->bad || !hdf5_data_bytes(d->dtype, d->rank, d->dim, &size_bytes) ||
        (d->storage == HDF5_PLAIN && (!in_bounds(d->offset, size_bytes, limit) || d->n_filters || d->n_chunks)) ||
        (d->storage == HDF5_CHUNKED && !chunks_fit(d, limit)))
        c->bad = true;
}

static void take_tree(struct cursor *c, struct hdf5_tree *tree, int64_t limit)
{
    size_t n = take_count(c, 9);
    tree->problems = xcalloc(n + 1, sizeof *tree->problems);
    while (!c->bad && tree->n_problems < n)
        if (!(tree->problems[tree->n_problems++] = take_text(c, 1 << 16)))
            c->bad = true;
    n = take_count(c, 29);
    tree->datasets = xcalloc(n + 1, sizeof *tree->datasets);
    while (!c->bad && tree->n_datasets < n)
        take_dataset(c, &tree->datasets[tree->n_datasets++], limit);
}

bool keras_record_read(const void *data, size_t size_bytes, int64_t file_bytes, int64_t inflated_bytes,
                       struct keras_survey *survey)
{
    struct cursor c = {data, size_bytes, 0, false};
    *survey = (struct keras_survey){0};
    unsigned format = cursor_u8(&c), inflated = cursor_u8(&c), has_crc = cursor_u8(&c);
    if (format > KERAS_JSON || inflated > 1 || has_crc > 1)
        return false;
    survey->format = (enum keras_format)format;
    survey->inflated = inflated;
    survey->has_crc = has_crc;
    survey->offset = (int64_t)cursor_u64(&c);
    survey->bytes = (int64_t)cursor_u64(&c);
    survey->crc = cursor_u32(&c);
    survey->config = take_text(&c, 4 * (size_t)KERAS_CONFIG_MAX_BYTES);
    survey->metadata = take_text(&c, 4 * (size_t)KERAS_CONFIG_MAX_BYTES);
    take_tree(&c, &survey->tree, inflated ? inflated_bytes : file_bytes);
    if (!c.bad && !cursor_left(&c) && in_bounds(survey->offset, survey->bytes, file_bytes))
        return true;
    keras_survey_release(survey);
    return false;
}
