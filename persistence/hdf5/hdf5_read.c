/* hdf5_read.c - superblock, claims, and the entry to the reader; see hdf5_file.h and hdf5_internal.h */
#include "persistence/hdf5/hdf5_internal.h"

#include "base/arena.h"
#include "base/io.h"
#include "base/size.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

size_t hdf5_element_bytes(enum weight_dtype dtype)
{
    static const unsigned char sizes[] = {
        [WEIGHT_F32] = 4, [WEIGHT_F16] = 2, [WEIGHT_BF16] = 2, [WEIGHT_F64] = 8,  [WEIGHT_I32] = 4,
        [WEIGHT_I64] = 8, [WEIGHT_I8] = 1,  [WEIGHT_U8] = 1,   [WEIGHT_BOOL] = 1, [WEIGHT_I16] = 2,
        [WEIGHT_U16] = 2, [WEIGHT_U32] = 4, [WEIGHT_U64] = 8,
    };
    return sizes[dtype];
}

bool hdf5_data_bytes(enum weight_dtype dtype, int rank, const int64_t *dim, int64_t *size_bytes)
{
    int64_t n = (int64_t)hdf5_element_bytes(dtype);
    for (int i = 0; i < rank; i++)
        if (dim[i] < 0 || !int64_mul(n, dim[i], &n))
            return false;
    *size_bytes = n;
    return true;
}

bool hdf5_refuse(struct hdf5 *h5, const char *format, ...)
{
    char reason[512];
    struct str shown = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    str_add_visible(&shown, h5->path.length ? str_text(&h5->path) : "/");
    str_add(&shown, "': ");
    str_add_visible(&shown, reason);
    err_set(h5->err, ERR_FORMAT, "'%s', object '%.900s", h5->file, str_text(&shown));
    str_release(&shown);
    return false;
}

void hdf5_problem(struct hdf5 *h5, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct str shown = {0};
    str_add_visible(&shown, text);
    struct hdf5_tree *tree = h5->tree;
    tree->problems = xgrow(tree->problems, &tree->problems_capacity, tree->n_problems + 1, sizeof *tree->problems);
    tree->problems[tree->n_problems++] = xprintf("'%s': %s", str_text(&h5->path), str_text(&shown));
    str_release(&shown);
}

bool hdf5_claim(struct hdf5 *h5, uint64_t address, uint64_t n, const char *what)
{
    uint64_t size = (uint64_t)h5->size_bytes;
    if (!n)
        return true;
    if (address > size || n > size - address)
        return hdf5_refuse(
            h5, "%s lies outside of the file (address %llu, %llu bytes, the file has %llu): damaged or cut off", what,
            (unsigned long long)address, (unsigned long long)n, (unsigned long long)size);
    if (n > (uint64_t)(h5->size_bytes - h5->claimed))
        return hdf5_refuse(h5, "%s uses bytes that belong to something else", what);
    h5->claimed += (int64_t)n;
    h5->claims = xgrow(h5->claims, &h5->claims_capacity, h5->n_claims + 1, sizeof *h5->claims);
    h5->claims[h5->n_claims++] = (struct hdf5_claim){(int64_t)address, (int64_t)(address + n)};
    return true;
}

bool hdf5_peek(struct hdf5 *h5, uint64_t address, void *out, size_t n, const char *what)
{
    if (address > (uint64_t)h5->size_bytes || n > (uint64_t)h5->size_bytes - address)
        return hdf5_refuse(h5,
                           "%s lies outside of the file (address %llu, the file has %lld bytes): damaged or cut off",
                           what, (unsigned long long)address, (long long)h5->size_bytes);
    return io_pread_all(h5->fd, out, n, h5->base + (int64_t)address, h5->file, h5->err);
}

uint8_t *hdf5_load(struct hdf5 *h5, uint64_t address, uint64_t n, const char *what)
{
    if (!hdf5_claim(h5, address, n, what))
        return NULL;
    uint8_t *data = xmalloc((size_t)n + 1);
    if (hdf5_peek(h5, address, data, (size_t)n, what))
        return data;
    free(data);
    return NULL;
}

uint8_t *hdf5_load_checked(struct hdf5 *h5, uint64_t address, uint64_t n, const char *magic, const char *what)
{
    uint8_t *data = n < 8 ? NULL : hdf5_load(h5, address, n, what);
    if (!data)
        return NULL;
    if (!memcmp(data, magic, 4) && hdf5_checksum(data, (size_t)n - 4) == bytes_get(data + n - 4, 4))
        return data;
    hdf5_refuse(h5, "%s is damaged (its signature or checksum is wrong)", what);
    free(data);
    return NULL;
}

static uint32_t rotate(uint32_t x, int k)
{
    return x << k | x >> (32 - k);
}

uint32_t hdf5_checksum(const void *data, size_t n)
{
    const uint8_t *p = data;
    uint32_t a = 0xdeadbeef + (uint32_t)n, b = a, c = a;
    for (; n > 12; n -= 12, p += 12) {
        a += (uint32_t)bytes_get(p, 4);
        b += (uint32_t)bytes_get(p + 4, 4);
        c += (uint32_t)bytes_get(p + 8, 4);
        a = (a - c) ^ rotate(c, 4), c += b;
        b = (b - a) ^ rotate(a, 6), a += c;
        c = (c - b) ^ rotate(b, 8), b += a;
        a = (a - c) ^ rotate(c, 16), c += b;
        b = (b - a) ^ rotate(a, 19), a += c;
        c = (c - b) ^ rotate(b, 4), b += a;
    }
    if (!n)
        return c;
    uint8_t last[12] = {0};
    memcpy(last, p, n);
    a += (uint32_t)bytes_get(last, 4);
    b += (uint32_t)bytes_get(last + 4, 4);
    c += (uint32_t)bytes_get(last + 8, 4);
    c = (c ^ b) - rotate(b, 14);
    a = (a ^ c) - rotate(c, 11);
    b = (b ^ a) - rotate(a, 25);
    c = (c ^ b) - rotate(b, 16);
    a = (a ^ c) - rotate(c, 4);
    b = (b ^ a) - rotate(a, 14);
    return (c ^ b) - rotate(b, 24);
}

static int by_start(const void *a, const void *b)
{
    const struct hdf5_claim *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static bool check_claims(struct hdf5 *h5)
{
    if (h5->n_claims)
        qsort(h5->claims, h5->n_claims, sizeof *h5->claims, by_start);
    for (size_t i = 1; i < h5->n_claims; i++)
        if (h5->claims[i].start < h5->claims[i - 1].end)
            return hdf5_refuse(h5, "two structures share the bytes at address %lld", (long long)h5->claims[i].start);
    return true;
}

/* Superblocks 0 and 1 carry the symbol table entry of the root group. */
static bool read_old_superblock(struct hdf5 *h5, int version)
{
    size_t n = version ? 100 : 96;
    uint8_t *raw = hdf5_load(h5, 0, n, "the superblock");
    if (!raw)
        return false;
    struct cursor c = {raw, n, 16, false};
    h5->leaf_k = cursor_u16(&c);
    h5->internal_k = cursor_u16(&c);
    cursor_u32(&c);
    if (version) {
        h5->chunk_k = cursor_u16(&c);
        cursor_u16(&c);
    }
    uint64_t base = cursor_u64(&c), free_space = cursor_u64(&c), end = cursor_u64(&c), driver = cursor_u64(&c);
    cursor_u64(&c);
    uint64_t root = cursor_u64(&c);
    uint32_t cached = cursor_u32(&c);
    cursor_u32(&c);
    uint64_t tree = cursor_u64(&c), heap = cursor_u64(&c);
    bool plain = raw[9] == 0 && raw[10] == 0 && raw[12] == 0 && raw[13] == 8 && raw[14] == 8;
    free(raw);
    if (!plain || base || free_space != HDF5_UNDEFINED || driver != HDF5_UNDEFINED || cached > 1 || !h5->leaf_k ||
        !h5->internal_k || !h5->chunk_k)
        return hdf5_refuse(h5, "its superblock uses features that no model file has");
    if (end > (uint64_t)h5->size_bytes)
        return hdf5_refuse(h5, "the file is cut off: it has %lld bytes, expected %llu", (long long)h5->size_bytes,
                           (unsigned long long)end);
    return hdf5_object_read(h5, root, cached ? tree : HDF5_UNDEFINED, cached ? heap : HDF5_UNDEFINED, 0);
}

static bool read_new_superblock(struct hdf5 *h5)
{
    uint8_t *raw = hdf5_load(h5, 0, 48, "the superblock");
    if (!raw)
        return false;
    bool plain = raw[9] == 8 && raw[10] == 8 && !bytes_get(raw + 12, 8) && bytes_get(raw + 20, 8) == HDF5_UNDEFINED;
    bool sound = hdf5_checksum(raw, 44) == bytes_get(raw + 44, 4);
    uint64_t end = bytes_get(raw + 28, 8), root = bytes_get(raw + 36, 8);
    free(raw);
    if (!sound)
        return hdf5_refuse(h5, "its superblock is damaged (the checksum is wrong)");
    if (!plain)
        return hdf5_refuse(h5, "its superblock uses features that no model file has");
    if (end > (uint64_t)h5->size_bytes)
        return hdf5_refuse(h5, "the file is cut off: it has %lld bytes, expected %llu", (long long)h5->size_bytes,
                           (unsigned long long)end);
    return hdf5_object_read(h5, root, HDF5_UNDEFINED, HDF5_UNDEFINED, 0);
}

static bool read_superblock(struct hdf5 *h5)
{
    uint8_t start[9];
    if (!hdf5_peek(h5, 0, start, sizeof start, "the superblock"))
        return false;
    if (memcmp(start, HDF5_SIGNATURE, 8) != 0)
        return hdf5_refuse(h5, "no HDF5 signature");
    if (start[8] > 3)
        return hdf5_refuse(h5, "superblock version %d, expected 0 to 3", start[8]);
    return start[8] < 2 ? read_old_superblock(h5, start[8]) : read_new_superblock(h5);
}

bool hdf5_read(int fd, const char *path, int64_t offset, int64_t size_bytes, struct hdf5_tree *tree, struct err *err)
{
    struct hdf5 h5 = {.fd = fd, .file = path, .base = offset, .size_bytes = size_bytes, .tree = tree, .err = err};
    h5.leaf_k = 4;
    h5.internal_k = 16;
    h5.chunk_k = 32;
    *tree = (struct hdf5_tree){0};
    bool ok = read_superblock(&h5) && check_claims(&h5);
    for (size_t i = 0; i < h5.n_heaps; i++)
        free(h5.heaps[i].data);
    free(h5.heaps);
    free(h5.claims);
    str_release(&h5.path);
    if (!ok)
        hdf5_tree_release(tree);
    return ok;
}

static void free_texts(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
}

void hdf5_tree_release(struct hdf5_tree *tree)
{
    for (size_t i = 0; i < tree->n_datasets; i++) {
        free(tree->datasets[i].path);
        free(tree->datasets[i].chunks);
    }
    free(tree->datasets);
    for (size_t i = 0; i < tree->n_texts; i++) {
        free(tree->texts[i].path);
        free(tree->texts[i].name);
        free_texts(tree->texts[i].values, tree->texts[i].n_values);
    }
    free(tree->texts);
    free_texts(tree->groups, tree->n_groups);
    free_texts(tree->problems, tree->n_problems);
    *tree = (struct hdf5_tree){0};
}

const char *hdf5_text(const struct hdf5_tree *tree, const char *path, const char *name)
{
    for (size_t i = tree->n_texts; i-- > 0;)
        if (tree->texts[i].n_values && !strcmp(tree->texts[i].path, path) && !strcmp(tree->texts[i].name, name))
            return tree->texts[i].values[0];
    return NULL;
}
