/* hdf5_group.c - members of groups: symbol tables (B-tree 1, nodes, local heap) and link messages; see hdf5_internal.h
 */
#include "persistence/hdf5/hdf5_internal.h"

#include "base/arena.h"

#include <stdlib.h>

enum { MAX_LEVELS = 8, ENTRY_BYTES = 40, NODE_PREFIX = 24, MAX_NAME = 1024 };

/* Names reach screens and JSON: UTF-8 without control characters, or refused. */
static bool is_printable(const char *name, size_t length)
{
    struct str shown = {0};
    char *copy = xstrndup(name, length);
    str_add_visible(&shown, copy);
    bool same = !strcmp(str_text(&shown), copy);
    str_release(&shown);
    free(copy);
    return same;
}

bool hdf5_member_read(struct hdf5 *h5, const char *name, size_t length, uint64_t address, uint64_t tree, uint64_t heap,
                      int depth)
{
    size_t before = h5->path.length;
    if (!length || length > MAX_NAME || memchr(name, '/', length) || memchr(name, 0, length) ||
        (length <= 2 && !strncmp(name, "..", length)) || !is_printable(name, length))
        return hdf5_refuse(h5, "it has a member with an impossible name");
    if (before)
        str_add_char(&h5->path, '/');
    str_add_bytes(&h5->path, name, length);
    bool ok = hdf5_object_read(h5, address, tree, heap, depth + 1);
    if (!ok)
        return false;
    h5->path.length = before;
    h5->path.data[before] = 0;
    return true;
}

struct symbols {    /* one symbol-table group being read */
    uint8_t *names; /* data segment of the local heap, terminated */
    size_t names_bytes;
    const char *last; /* names must ascend: so no two are equal, and a search finds what a walk sees */
    int depth;
};

static uint8_t *load_names(struct hdf5 *h5, uint64_t heap, size_t *names_bytes)
{
    uint8_t *head = hdf5_load(h5, heap, 32, "a heap of names");
    if (!head)
        return NULL;
    uint64_t n = bytes_get(head + 8, 8), address = bytes_get(head + 24, 8);
    bool sound = !memcmp(head, "HEAP", 4) && !head[4];
    free(head);
    if (!sound || n < 8) {
        hdf5_refuse(h5, "its heap of names is damaged");
        return NULL;
    }
    uint8_t *names = hdf5_load(h5, address, n, "a heap of names");
    if (names)
        names[n] = 0;
    *names_bytes = (size_t)n;
    return names;
}

static bool read_entry(struct hdf5 *h5, struct symbols *symbols, const uint8_t *entry)
{
    uint64_t name_at = bytes_get(entry, 8), address = bytes_get(entry + 8, 8), cached = bytes_get(entry + 16, 4);
    uint64_t tree = HDF5_UNDEFINED, heap = HDF5_UNDEFINED;
    if (name_at >= symbols->names_bytes)
        return hdf5_refuse(h5, "a name of a member lies outside of the heap of names");
    const char *name = (const char *)symbols->names + name_at;
    if (cached == 2)
        return hdf5_refuse(h5, "its member '%.100s' is a link of kind soft, only hard links are followed", name);
    if (cached > 2)
        return hdf5_refuse(h5, "its member '%.100s' is of unknown kind %llu", name, (unsigned long long)cached);
    if (cached == 1) {
        tree = bytes_get(entry + 24, 8);
        heap = bytes_get(entry + 32, 8);
    }
    if (symbols->last && strcmp(symbols->last, name) >= 0)
        return hdf5_refuse(h5, "its members are not in order or occur twice ('%.100s')", name);
    symbols->last = name;
    return hdf5_member_read(h5, name, strlen(name), address, tree, heap, symbols->depth);
}

static bool read_leaf(struct hdf5 *h5, struct symbols *symbols, uint64_t address)
{
    size_t room = 2 * h5->leaf_k;
    uint8_t *node = hdf5_load(h5, address, 8 + room * ENTRY_BYTES, "a symbol table node");
    if (!node)
        return false;
    size_t n = bytes_get(node + 6, 2);
    bool ok =
        (!memcmp(node, "SNOD", 4) && node[4] == 1 && n <= room) || hdf5_refuse(h5, "a symbol table node is damaged");
    for (size_t i = 0; ok && i < n; i++)
        ok = read_entry(h5, symbols, node + 8 + i * ENTRY_BYTES);
    free(node);
    return ok;
}

static bool read_node(struct hdf5 *h5, struct symbols *symbols, uint64_t address, int level)
{
    size_t room = 2 * h5->internal_k;
    uint8_t *node = hdf5_load(h5, address, NODE_PREFIX + (2 * room + 1) * 8, "a B-tree node");
    if (!node)
        return false;
    size_t n = bytes_get(node + 6, 2);
    bool ok = (!memcmp(node, "TREE", 4) && !node[4] && n <= room && node[5] < MAX_LEVELS &&
               (level < 0 || node[5] == level)) ||
              hdf5_refuse(h5, "a B-tree node is damaged");
    level = node[5];
    for (size_t i = 0; ok && i < n; i++) {
        uint64_t child = bytes_get(node + NODE_PREFIX + 8 + i * 16, 8);
        ok = level ? read_node(h5, symbols, child, level - 1) : read_leaf(h5, symbols, child);
    }
    free(node);
    return ok;
}

bool hdf5_symbols_read(struct hdf5 *h5, uint64_t tree, uint64_t heap, int depth)
{
    struct symbols symbols = {.depth = depth};
    symbols.names = load_names(h5, heap, &symbols.names_bytes);
    bool ok = symbols.names && read_node(h5, &symbols, tree, -1);
    free(symbols.names);
    return ok;
}

bool hdf5_link_read(struct hdf5 *h5, struct cursor body, int depth)
{
    uint8_t version = cursor_u8(&body), flags = cursor_u8(&body);
    unsigned kind = flags & 8 ? cursor_u8(&body) : 0;
    cursor_bytes(&body, flags & 4 ? 8 : 0);
    cursor_bytes(&body, flags & 16 ? 1 : 0);
    size_t length = (size_t)cursor_number(&body, (size_t)1 << (flags & 3));
    const char *name = (const char *)cursor_bytes(&body, length);
    if (body.bad || version != 1)
        return hdf5_refuse(h5, "a link of it is damaged");
    if (kind)
        return hdf5_refuse(h5, "its member '%.*s' is a link of kind %s, only hard links are followed",
                           (int)(length < 100 ? length : 100), name,
                           kind == 1    ? "soft"
                           : kind == 64 ? "external"
                                        : "user-defined");
    uint64_t address = cursor_u64(&body);
    if (body.bad)
        return hdf5_refuse(h5, "a link of it is damaged");
    return hdf5_member_read(h5, name, length, address, HDF5_UNDEFINED, HDF5_UNDEFINED, depth);
}
