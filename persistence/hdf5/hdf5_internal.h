/* hdf5_internal.h - between the files of the HDF5 reader.
 *
 *   hdf5_read.c      superblock, loading and claiming of bytes, the walk
 *   hdf5_message.c   object headers -> lists of messages
 *   hdf5_object.c    a group or a dataset from its messages
 *   hdf5_type.c      dataspaces, datatypes, text attributes
 *   hdf5_group.c     symbol tables and links
 *   hdf5_dense.c     links in fractal heaps
 *   hdf5_chunk.c     layouts and chunk indexes
 *   hdf5_values.c    copying and unfiltering data
 */
#ifndef PERSISTENCE_HDF5_HDF5_INTERNAL_H
#define PERSISTENCE_HDF5_HDF5_INTERNAL_H

#include "persistence/files/bytes.h"
#include "persistence/hdf5/hdf5_file.h"

#define HDF5_UNDEFINED UINT64_MAX
static const char HDF5_SIGNATURE[] = "\x89HDF\r\n\x1a\n"; /* 8 bytes */

struct hdf5_claim {
    int64_t start, end;
};
struct hdf5_heap { /* a global heap collection: shared by many attributes, loaded once */
    uint64_t address;
    uint8_t *data;
    size_t size_bytes;
};

struct hdf5 { /* one reading */
    int fd;
    const char *file; /* path, for messages */
    int64_t base, size_bytes;
    size_t leaf_k, internal_k, chunk_k; /* B-tree constants of the superblock */
    struct hdf5_claim *claims;
    size_t n_claims, claims_capacity;
    int64_t claimed; /* sum of all claims: never more than size_bytes */
    struct hdf5_heap *heaps;
    size_t n_heaps, heaps_capacity;
    size_t text_bytes;
    size_t steps;    /* spent on searching heaps: bounded */
    struct str path; /* of the object being read */
    struct hdf5_tree *tree;
    struct err *err;
};

/* ERR_FORMAT naming file and object. Returns false. */
bool hdf5_refuse(struct hdf5 *h5, const char *format, ...) PRINTF(2, 3);
void hdf5_problem(struct hdf5 *h5, const char *format, ...) PRINTF(2, 3);
/* Takes address .. address + n as the property of one structure. */
bool hdf5_claim(struct hdf5 *h5, uint64_t address, uint64_t n, const char *what) MUST_USE;
/* Claims and reads; free() it. NULL and err. */
uint8_t *hdf5_load(struct hdf5 *h5, uint64_t address, uint64_t n, const char *what);
/* The same for a structure whose last 4 bytes are the checksum of the others, when it starts with the 4 bytes of magic.
 */
uint8_t *hdf5_load_checked(struct hdf5 *h5, uint64_t address, uint64_t n, const char *magic, const char *what);
/* Reads without claiming: to learn a length. */
bool hdf5_peek(struct hdf5 *h5, uint64_t address, void *out, size_t n, const char *what) MUST_USE;
/* The checksum of the newer structures (Jenkins, lookup3, initial value 0). */
uint32_t hdf5_checksum(const void *data, size_t n);

enum hdf5_message_type {
    HDF5_NIL = 0x00,
    HDF5_DATASPACE = 0x01,
    HDF5_LINK_INFO = 0x02,
    HDF5_DATATYPE = 0x03,
    HDF5_LINK = 0x06,
    HDF5_EXTERNAL = 0x07,
    HDF5_LAYOUT = 0x08,
    HDF5_FILTERS = 0x0B,
    HDF5_ATTRIBUTE = 0x0C,
    HDF5_SHARED_TABLE = 0x0F,
    HDF5_CONTINUATION = 0x10,
    HDF5_SYMBOLS = 0x11,
    HDF5_ATTRIBUTE_INFO = 0x15,
    HDF5_REFERENCES = 0x16
};
struct hdf5_message {
    uint16_t type;
    uint8_t flags;
    struct cursor body; /* into a block */
    uint64_t address;   /* of the body in the file */
};
struct hdf5_messages {
    struct hdf5_message *list;
    size_t n, capacity;
    uint8_t **blocks;
    size_t n_blocks, blocks_capacity;
};
/* All messages of the object header at address. Release also on failure. */
bool hdf5_messages_read(struct hdf5 *h5, uint64_t address, struct hdf5_messages *messages) MUST_USE;
void hdf5_messages_release(struct hdf5_messages *messages);
/* The first of its type or NULL. */
const struct hdf5_message *hdf5_messages_find(const struct hdf5_messages *messages, enum hdf5_message_type type);

/* Reads the object at address as a member of the group that h5->path names. tree and heap are the addresses that the
 * symbol table entry has cached, or HDF5_UNDEFINED: they must be those of the object itself. */
bool hdf5_object_read(struct hdf5 *h5, uint64_t address, uint64_t tree, uint64_t heap, int depth) MUST_USE;
/* Descends into a link of the current group: checks the name, extends h5->path for the time being. */
bool hdf5_member_read(struct hdf5 *h5, const char *name, size_t length, uint64_t address, uint64_t tree, uint64_t heap,
                      int depth) MUST_USE;
bool hdf5_symbols_read(struct hdf5 *h5, uint64_t tree, uint64_t heap, int depth) MUST_USE;
/* One link message, from an object header or a heap. */
bool hdf5_link_read(struct hdf5 *h5, struct cursor body, int depth) MUST_USE;
bool hdf5_dense_links_read(struct hdf5 *h5, uint64_t heap, uint64_t index, int depth) MUST_USE;

enum hdf5_kind { HDF5_WEIGHT, HDF5_OPAQUE16, HDF5_TEXT, HDF5_TEXT_ON_HEAP, HDF5_OTHER };
struct hdf5_type {
    enum hdf5_kind kind;
    enum weight_dtype dtype; /* of HDF5_WEIGHT */
    size_t size_bytes;
    const char *name; /* for messages */
};
bool hdf5_type_read(struct hdf5 *h5, struct cursor body, struct hdf5_type *type) MUST_USE;
/* rank -1: a null dataspace. */
bool hdf5_space_read(struct hdf5 *h5, struct cursor body, int *rank, int64_t dim[WEIGHT_RANK_MAX]) MUST_USE;
/* Adds the attribute to the tree when it is text. */
bool hdf5_attribute_read(struct hdf5 *h5, struct cursor body) MUST_USE;
/* Fills in storage, offset, filters and chunks of a dataset whose type and shape are set. filters may be NULL. */
bool hdf5_layout_read(struct hdf5 *h5, const struct hdf5_message *layout, const struct hdf5_message *filters,
                      struct hdf5_dataset *dataset) MUST_USE;

#endif
