/* hdf5_dense.c - links of large groups in the newer format: a fractal heap of link messages, indexed by a B-tree 2; see
 * hdf5_internal.h */
#include "persistence/hdf5/hdf5_internal.h"

#include "base/arena.h"

#include <stdlib.h>

enum {
    MAX_LEVELS = 6,
    MAX_ROWS = 64,
    HEAP_HEAD_BYTES = 142 + 4,
    INDEX_HEAD_BYTES = 38,
    RECORD_BYTES = 11,
    NODE_FRAME = 10,
    LINK_NAME_INDEX = 5
};

struct block { /* a direct block of the heap, loaded */
    uint64_t start, size_bytes;
    uint8_t *data;
};
struct fractal {
    uint64_t address, first_block, largest_direct;
    size_t width, offset_bytes, length_bytes, prefix_bytes;
    bool checked;
    struct block *blocks;
    size_t n_blocks, capacity;
};
struct index {
    size_t node_bytes, count_bytes;
    size_t most[MAX_LEVELS],
        total_bytes[MAX_LEVELS]; /* of records in a node of this level; bytes of the number of records below it */
    const struct fractal *heap;
    int depth;
};

static size_t bytes_for(uint64_t limit)
{
    size_t n = 1;
    while (limit >>= 8)
        n++;
    return n;
}

static bool read_direct(struct hdf5 *h5, struct fractal *heap, uint64_t address, uint64_t start, uint64_t size_bytes)
{
    uint8_t *data = hdf5_load(h5, address, size_bytes, "a block of links");
    if (!data)
        return false;
    heap->blocks = xgrow(heap->blocks, &heap->capacity, heap->n_blocks + 1, sizeof *heap->blocks);
    heap->blocks[heap->n_blocks++] = (struct block){start, size_bytes, data};
    bool sound = size_bytes > heap->prefix_bytes && !memcmp(data, "FHDB", 4) && !data[4] &&
                 bytes_get(data + 5, 8) == heap->address && bytes_get(data + 13, heap->offset_bytes) == start;
    if (sound && heap->checked) { /* the checksum counts as zero while it is computed */
        uint8_t *sum = data + 13 + heap->offset_bytes;
        uint32_t declared = (uint32_t)bytes_get(sum, 4);
        memset(sum, 0, 4);
        sound = hdf5_checksum(data, (size_t)size_bytes) == declared;
    }
    return sound || hdf5_refuse(h5, "a block of links is damaged");
}

static uint64_t row_block_bytes(const struct fractal *heap, size_t row)
{
    return row < 2 ? heap->first_block : heap->first_block << (row - 1);
}

/* An indirect block lists blocks row by row; only rows of direct blocks occur below 2^26 links. */
static bool read_indirect(struct hdf5 *h5, struct fractal *heap, uint64_t address, size_t rows)
{
    size_t prefix = 13 + heap->offset_bytes, n = prefix + rows * heap->width * 8 + 4;
    uint8_t *data = hdf5_load_checked(h5, address, n, "FHIB", "a table of blocks of links");
    if (!data)
        return false;
    bool ok = (!data[4] && bytes_get(data + 5, 8) == heap->address && !bytes_get(data + 13, heap->offset_bytes)) ||
              hdf5_refuse(h5, "a table of blocks of links is damaged");
    uint64_t start = 0;
    for (size_t row = 0; ok && row < rows; row++) {
        uint64_t size_bytes = row_block_bytes(heap, row);
        if (size_bytes > heap->largest_direct)
            ok = hdf5_refuse(h5, "it has more members than are read in this format");
        for (size_t k = 0; ok && k < heap->width; k++, start += size_bytes) {
            uint64_t child = bytes_get(data + prefix + (row * heap->width + k) * 8, 8);
            if (child != HDF5_UNDEFINED)
                ok = read_direct(h5, heap, child, start, size_bytes);
        }
    }
    free(data);
    return ok;
}

static bool read_heap(struct hdf5 *h5, uint64_t address, struct fractal *heap)
{
    uint8_t *head = hdf5_load_checked(h5, address, HEAP_HEAD_BYTES, "FRHP", "a heap of links");
    if (!head)
        return false;
    struct cursor c = {head, HEAP_HEAD_BYTES, 5, false};
    uint16_t id_bytes = cursor_u16(&c), filter_bytes = cursor_u16(&c);
    uint8_t flags = cursor_u8(&c);
    uint32_t largest_object = cursor_u32(&c);
    cursor_bytes(&c, 96);
    heap->width = cursor_u16(&c);
    heap->first_block = cursor_u64(&c);
    heap->largest_direct = cursor_u64(&c);
    uint16_t heap_bits = cursor_u16(&c);
    cursor_u16(&c);
    uint64_t root = cursor_u64(&c);
    uint16_t rows = cursor_u16(&c);
    bool version = head[4] == 0;
    free(head);
    heap->address = address;
    heap->checked = flags & 2;
    heap->offset_bytes = (heap_bits + 7u) / 8;
    heap->prefix_bytes = 13 + heap->offset_bytes + (heap->checked ? 4 : 0);
    bool sound = version && id_bytes == 7 && !filter_bytes && heap_bits && heap_bits <= 64 && heap->width &&
                 heap->width <= 1024 && rows <= MAX_ROWS && heap->first_block >= 64 &&
                 heap->first_block <= heap->largest_direct && heap->largest_direct <= 1u << 30 && largest_object;
    if (!sound)
        return hdf5_refuse(h5, "its heap of links is damaged or of an unusual shape");
    size_t log2_direct = (size_t)(63 - __builtin_clzll(heap->largest_direct)), by_block = (log2_direct + 7) / 8,
           by_object = bytes_for(largest_object);
    heap->length_bytes = by_block < by_object ? by_block : by_object;
    if (1 + heap->offset_bytes + heap->length_bytes > id_bytes)
        return hdf5_refuse(h5, "its heap of links is damaged");
    if (root == HDF5_UNDEFINED)
        return true;
    return rows ? read_indirect(h5, heap, root, rows) : read_direct(h5, heap, root, 0, heap->first_block);
}

/* A record: hash of the name, then the heap id: kind, offset, length. */
static bool read_record(struct hdf5 *h5, const struct index *index, const uint8_t *record)
{
    const struct fractal *heap = index->heap;
    const uint8_t *id = record + 4;
    uint64_t offset = bytes_get(id + 1, heap->offset_bytes),
             length = bytes_get(id + 1 + heap->offset_bytes, heap->length_bytes);
    if (id[0])
        return hdf5_refuse(h5, "a link is stored in an unusual way");
    for (size_t i = 0; i < heap->n_blocks; i++) {
        const struct block *block = &heap->blocks[i];
        if (offset < block->start || offset - block->start >= block->size_bytes)
            continue;
        uint64_t at = offset - block->start;
        if (at < heap->prefix_bytes || length > block->size_bytes - at)
            break;
        return hdf5_link_read(h5, (struct cursor){block->data + at, (size_t)length, 0, false}, index->depth);
    }
    return hdf5_refuse(h5, "a link lies outside of its heap");
}

static bool read_index_node(struct hdf5 *h5, const struct index *index, uint64_t address, uint64_t n, int level)
{
    if (n > index->most[level])
        return hdf5_refuse(h5, "the index of its links is damaged");
    uint8_t *node = hdf5_load(h5, address, index->node_bytes, "an index of links");
    if (!node)
        return false;
    size_t pointer = 8 + index->count_bytes + (level > 1 ? index->total_bytes[level - 1] : 0);
    size_t used = 6 + (size_t)n * RECORD_BYTES + (level ? ((size_t)n + 1) * pointer : 0);
    bool ok = (!memcmp(node, level ? "BTIN" : "BTLF", 4) && !node[4] && node[5] == LINK_NAME_INDEX &&
               used + 4 <= index->node_bytes && hdf5_checksum(node, used) == bytes_get(node + used, 4)) ||
              hdf5_refuse(h5, "an index of links is damaged (its signature or checksum is wrong)");
    for (uint64_t i = 0; ok && i < n; i++)
        ok = read_record(h5, index, node + 6 + i * RECORD_BYTES);
    for (uint64_t i = 0; ok && level && i <= n; i++) {
        const uint8_t *child = node + 6 + n * RECORD_BYTES + i * pointer;
        ok = read_index_node(h5, index, bytes_get(child, 8), bytes_get(child + 8, index->count_bytes), level - 1);
    }
    free(node);
    return ok;
}

static bool prepare_levels(struct index *index, size_t depth)
{
    uint64_t total = index->most[0] = (index->node_bytes - NODE_FRAME) / RECORD_BYTES;
    index->count_bytes = bytes_for(total);
    for (size_t level = 1; level <= depth; level++) {
        size_t pointer = 8 + index->count_bytes + index->total_bytes[level - 1];
        if (index->node_bytes <= NODE_FRAME + pointer)
            return false;
        index->most[level] = (index->node_bytes - NODE_FRAME - pointer) / (RECORD_BYTES + pointer);
        total = (index->most[level] + 1) * total + index->most[level];
        index->total_bytes[level] = bytes_for(total);
    }
    return true;
}

static bool read_index(struct hdf5 *h5, uint64_t address, struct index *index)
{
    uint8_t *head = hdf5_load_checked(h5, address, INDEX_HEAD_BYTES, "BTHD", "an index of links");
    if (!head)
        return false;
    bool kind = !head[4] && head[5] == LINK_NAME_INDEX && bytes_get(head + 10, 2) == RECORD_BYTES;
    size_t depth = bytes_get(head + 12, 2);
    uint64_t root = bytes_get(head + 16, 8), n = bytes_get(head + 24, 2);
    index->node_bytes = bytes_get(head + 6, 4);
    free(head);
    if (!kind || depth >= MAX_LEVELS || index->node_bytes < 64 || index->node_bytes > 1 << 20 ||
        !prepare_levels(index, depth))
        return hdf5_refuse(h5, "the index of its links is damaged");
    return root == HDF5_UNDEFINED || read_index_node(h5, index, root, n, (int)depth);
}

bool hdf5_dense_links_read(struct hdf5 *h5, uint64_t heap_address, uint64_t index_address, int depth)
{
    struct fractal heap = {0};
    struct index index = {.heap = &heap, .depth = depth};
    bool ok = read_heap(h5, heap_address, &heap) && read_index(h5, index_address, &index);
    for (size_t i = 0; i < heap.n_blocks; i++)
        free(heap.blocks[i].data);
    free(heap.blocks);
    return ok;
}
