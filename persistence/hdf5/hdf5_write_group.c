/* hdf5_write_group.c - the names and the B-tree of a group; see hdf5_writer.h */
#include "persistence/hdf5/hdf5_writer.h"

#include "base/arena.h"

#include <stdlib.h>

enum { LEAF_ROOM = 2 * HDF5_LEAF_K, NODE_ROOM = 2 * HDF5_INTERNAL_K };

uint64_t hdf5_write_names(struct str *out, struct hdf5_member *members, size_t n)
{
    struct str names = {0};
    bytes_add(&names, 0, 8); /* the empty name in front of all others */
    for (size_t i = 0; i < n; i++) {
        members[i].name_at = names.length;
        str_add_bytes(&names, members[i].name, members[i].length);
        str_add_char(&names, 0);
        hdf5_pad(&names, 8);
    }
    hdf5_pad(out, 8);
    uint64_t address = out->length;
    str_add(out, "HEAP");
    bytes_add(out, 0, 4);
    bytes_add(out, names.length, 8);
    bytes_add(out, 1, 8); /* no free block */
    bytes_add(out, address + 32, 8);
    str_add_bytes(out, names.data, names.length);
    str_release(&names);
    return address;
}

static uint64_t write_leaf(struct str *out, const struct hdf5_member *members, size_t n)
{
    uint64_t address = out->length;
    str_add(out, "SNOD");
    bytes_add(out, 1, 2);
    bytes_add(out, n, 2);
    for (size_t i = 0; i < n; i++) {
        bool group = members[i].tree != HDF5_UNDEFINED;
        bytes_add(out, members[i].name_at, 8);
        bytes_add(out, members[i].header, 8);
        bytes_add(out, group, 8);
        bytes_add(out, group ? members[i].tree : 0, 8);
        bytes_add(out, group ? members[i].heap : 0, 8);
    }
    for (size_t i = n; i < LEAF_ROOM; i++)
        for (int k = 0; k < 5; k++)
            bytes_add(out, 0, 8);
    return address;
}

struct child { /* of a B-tree node: where it is and the last name in it */
    uint64_t address;
    size_t last_name_at;
};

static const size_t NODE_BYTES = 24 + (2 * NODE_ROOM + 1) * 8;

/* One level of nodes over n children; replaces children by the nodes and returns how many there are. */
static size_t write_level(struct str *out, struct child *children, size_t n, int level)
{
    size_t n_nodes = n ? (n + NODE_ROOM - 1) / NODE_ROOM : 1;
    uint64_t first = out->length;
    size_t name_before = 0;
    for (size_t k = 0; k < n_nodes; k++) {
        size_t from = k * NODE_ROOM, used = n - from < NODE_ROOM ? n - from : NODE_ROOM;
        str_add(out, "TREE");
        bytes_add(out, 0, 1);
        bytes_add(out, (uint64_t)level, 1);
        bytes_add(out, used, 2);
        bytes_add(out, k ? first + (k - 1) * NODE_BYTES : HDF5_UNDEFINED, 8);
        bytes_add(out, k + 1 < n_nodes ? first + (k + 1) * NODE_BYTES : HDF5_UNDEFINED, 8);
        bytes_add(out, name_before, 8);
        for (size_t i = 0; i < used; i++) {
            bytes_add(out, children[from + i].address, 8);
            bytes_add(out, children[from + i].last_name_at, 8);
            name_before = children[from + i].last_name_at;
        }
        for (size_t i = used; i < NODE_ROOM; i++) {
            bytes_add(out, 0, 8);
            bytes_add(out, 0, 8);
        }
        children[k] = (struct child){first + k * NODE_BYTES, name_before};
    }
    return n_nodes;
}

uint64_t hdf5_write_tree(struct str *out, const struct hdf5_member *members, size_t n)
{
    size_t n_children = (n + LEAF_ROOM - 1) / LEAF_ROOM;
    struct child *children = xcalloc(n_children + 1, sizeof *children);
    for (size_t i = 0; i < n_children; i++) {
        size_t from = i * LEAF_ROOM, used = n - from < LEAF_ROOM ? n - from : LEAF_ROOM;
        children[i].address = write_leaf(out, members + from, used);
        children[i].last_name_at = members[from + used - 1].name_at;
    }
    int level = 0;
    do
        n_children = write_level(out, children, n_children, level++);
    while (n_children > 1);
    uint64_t root = children[0].address;
    free(children);
    return root;
}
