/* hdf5_writer.h - between the files of the HDF5 writer: pieces that are appended to the head of a file, in the oldest
 * profile. */
#ifndef PERSISTENCE_HDF5_HDF5_WRITER_H
#define PERSISTENCE_HDF5_HDF5_WRITER_H

#include "persistence/hdf5/hdf5_internal.h"

enum { HDF5_LEAF_K = 4, HDF5_INTERNAL_K = 16 }; /* a leaf has 2 * 4 members, a node of the B-tree 2 * 16 children */

struct hdf5_member { /* of the group being written */
    const char *name;
    size_t length;
    uint64_t header, tree, heap; /* tree, heap: HDF5_UNDEFINED for a dataset */
    size_t name_at;              /* in the local heap; set by hdf5_write_names */
};

/* Appends zeros up to a multiple of `to`. */
void hdf5_pad(struct str *out, size_t to);
/* A message: begin, its body, end(what begin returned). */
size_t hdf5_message_begin(struct str *out, enum hdf5_message_type type, uint8_t flags);
void hdf5_message_end(struct str *out, size_t start);
/* The datatype message of a weight. */
void hdf5_add_type(struct str *out, enum weight_dtype dtype);
/* The local heap with the names of the members; the leaves and the B-tree over members that are sorted by name. Return
 * the address. */
uint64_t hdf5_write_names(struct str *out, struct hdf5_member *members, size_t n);
uint64_t hdf5_write_tree(struct str *out, const struct hdf5_member *members, size_t n);

#endif
