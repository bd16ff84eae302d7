/* hdf5_file.h - the part of HDF5 that model files are made of: an own strict reader and an own writer, no library.
 *
 * Reading is in two steps. hdf5_read checks every structure of a byte range (a whole file, or a stored member of an
 * archive) and returns flat records: datasets with type, shape and where their bytes lie, groups, text attributes,
 * oddities. hdf5_read_values then copies the bytes of one dataset. Accepted: superblocks 0 to 3 at offset 0; object
 * headers 1 and 2; groups by symbol table, link messages and dense links; little-endian integers of 1 to 8 bytes, IEEE
 * half, float and double, bfloat16 (a 2-byte opaque or float type), h5py's bool; contiguous, compact and chunked
 * layouts (B-tree 1, single chunk, implicit and fixed array indexes) with gzip, shuffle and fletcher32. Refused: soft,
 * external and user-defined links, external storage, virtual layouts, other filters, shared messages, reference counts
 * other than 1, checksums that do not fit, and any byte that two structures claim. Because every structure claims its
 * bytes once, cycles are impossible and the work is bounded by the size of the file. A dataset without stored bytes, or
 * of a type that is no weight, is reported among the problems; libhdf5 would read zeros for the former.
 *
 * Writing gives the oldest profile, which every HDF5 since 1998 opens: superblock 0, object headers 1, symbol tables,
 * contiguous data. All offsets follow from names and shapes beforehand: hdf5_layout first, then its head, then the
 * tensors in order; none is ever held.
 */
#ifndef PERSISTENCE_HDF5_HDF5_FILE_H
#define PERSISTENCE_HDF5_HDF5_FILE_H

#include "base/json.h"
#include "persistence/hdf5/weight.h"

enum { HDF5_MAX_DEPTH = 32, HDF5_MAX_FILTERS = 4, HDF5_MAX_CHUNK_BYTES = 1 << 30, HDF5_MAX_TEXT_BYTES = 32 << 20 };
enum hdf5_filter { HDF5_GZIP = 1, HDF5_SHUFFLE = 2, HDF5_FLETCHER32 = 3 }; /* their numbers in the format */
enum hdf5_storage {
    HDF5_ABSENT, /* no bytes are stored: not readable */
    HDF5_PLAIN,  /* offset, dense row-major */
    HDF5_CHUNKED
};

struct hdf5_chunk {
    int64_t offset, stored_bytes;   /* in the file descriptor, not the range */
    uint32_t skipped;               /* bit i: filter i was not applied */
    int64_t start[WEIGHT_RANK_MAX]; /* index of its first element */
};

struct hdf5_dataset {
    char *path; /* without a leading slash */
    enum weight_dtype dtype;
    int rank;
    int64_t dim[WEIGHT_RANK_MAX];
    enum hdf5_storage storage;
    int64_t offset; /* PLAIN: in the file descriptor */
    int n_filters;
    enum hdf5_filter filters[HDF5_MAX_FILTERS]; /* in the order of writing */
    int64_t chunk_dim[WEIGHT_RANK_MAX];
    struct hdf5_chunk *chunks;
    size_t n_chunks;
};

struct hdf5_text { /* a string attribute */
    char *path;    /* of the group or dataset; "" is the root */
    char *name;
    char **values;
    size_t n_values;
};

struct hdf5_tree {
    struct hdf5_dataset *datasets;
    size_t n_datasets, datasets_capacity;
    char **groups; /* all but the root */
    size_t n_groups, groups_capacity;
    struct hdf5_text *texts;
    size_t n_texts, texts_capacity;
    char **problems;
    size_t n_problems, problems_capacity;
};

/* Bytes of one element. */
size_t hdf5_element_bytes(enum weight_dtype dtype);
/* Product of dim and of the element size; false when it does not fit. */
bool hdf5_data_bytes(enum weight_dtype dtype, int rank, const int64_t *dim, int64_t *size_bytes);

/* Reads size_bytes at offset of fd. On failure *tree is empty. */
bool hdf5_read(int fd, const char *path, int64_t offset, int64_t size_bytes, struct hdf5_tree *tree,
               struct err *err) MUST_USE;
void hdf5_tree_release(struct hdf5_tree *tree);
/* The first value of a text attribute, or NULL. */
const char *hdf5_text(const struct hdf5_tree *tree, const char *path, const char *name);
/* Copies n elements from element `first` on, as stored, to dst. Chunked data is read whole only (first 0, n all). */
bool hdf5_read_values(int fd, const char *path, const struct hdf5_dataset *dataset, int64_t first, int64_t n, void *dst,
                      struct err *err) MUST_USE;

/* What will be written where. */
struct hdf5_layout {
    char *head; /* everything in front of the tensors; owned */
    size_t head_bytes;
    int64_t *offsets; /* of each weight; between them zeros */
    int64_t size_bytes;
};
enum { HDF5_ALIGNMENT = 8 };
/* Groups exist for every path; `groups` may name further ones. ERR_USAGE on impossible paths (empty or equal names, a
 * dataset as a group). */
bool hdf5_layout(const struct weight *weights, size_t n_weights, const char *const *groups, size_t n_groups,
                 struct hdf5_layout *layout, struct err *err) MUST_USE;
void hdf5_layout_release(struct hdf5_layout *layout);

#endif
