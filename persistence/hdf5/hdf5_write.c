/* hdf5_write.c - the head of an HDF5 file in the oldest profile; see hdf5_file.h
 *
 * superblock | objects, children before their parents | global heap with "bfloat16" if needed | tensors
 * A group = its header, a local heap with the names, symbol table nodes of up to 8 members, a B-tree over them.
 */
#include "persistence/hdf5/hdf5_writer.h"

#include "base/arena.h"
#include "base/size.h"

#include <stdlib.h>

enum { SUPERBLOCK_BYTES = 96, HEAP_BYTES = 4096 };

struct entry { /* a path to write: a weight or a group */
    const char *path;
    int64_t weight; /* index, or -1: a group */
};
struct patch { /* where the address of a weight or of the global heap belongs */
    size_t at;
    int64_t weight; /* -1: the heap */
};
struct writer {
    struct str out;
    const struct weight *weights;
    struct entry *entries;
    size_t n_entries;
    struct patch *patches;
    size_t n_patches, patches_capacity;
    bool needs_heap;
    struct err *err;
};

static void patch_later(struct writer *w, int64_t weight)
{
    w->patches = xgrow(w->patches, &w->patches_capacity, w->n_patches + 1, sizeof *w->patches);
    w->patches[w->n_patches++] = (struct patch){w->out.length, weight};
    bytes_add(&w->out, HDF5_UNDEFINED, 8);
}

static size_t header_begin(struct str *out, size_t n_messages)
{
    hdf5_pad(out, 8);
    bytes_add(out, 1, 2);
    bytes_add(out, n_messages, 2);
    bytes_add(out, 1, 4);
    bytes_add(out, 0, 8);
    return out->length;
}

static void header_end(struct str *out, size_t start)
{
    bytes_put((uint8_t *)out->data + start - 8, out->length - start, 4);
}

/* dtype = "bfloat16", a string of variable length in the global heap: the only form that h5py reads back as str. */
static void add_bfloat16_attribute(struct writer *w)
{
    struct str *out = &w->out;
    size_t start = hdf5_message_begin(out, HDF5_ATTRIBUTE, 0);
    bytes_add(out, 1, 2);
    bytes_add(out, 6, 2);
    bytes_add(out, 16, 2);
    bytes_add(out, 8, 2);
    str_add_bytes(out, "dtype\0\0\0", 8);
    bytes_add(out, 0x010119, 4); /* variable length, string, UTF-8 */
    bytes_add(out, 16, 4);
    bytes_add(out, 0x1013, 4); /* of characters, UTF-8 */
    bytes_add(out, 1, 4);
    bytes_add(out, 1, 8); /* scalar */
    bytes_add(out, 8, 4);
    patch_later(w, -1);
    bytes_add(out, 1, 4);
    hdf5_message_end(out, start);
    w->needs_heap = true;
}

static bool write_dataset(struct writer *w, int64_t index, struct hdf5_member *member)
{
    const struct weight *weight = &w->weights[index];
    struct str *out = &w->out;
    int64_t size_bytes;
    if (weight->rank < 0 || weight->rank > WEIGHT_RANK_MAX ||
        !hdf5_data_bytes(weight->dtype, weight->rank, weight->dim, &size_bytes))
        return err_set(w->err, ERR_USAGE, "weight '%s' has an impossible shape", weight->path);
    size_t header = header_begin(out, weight->dtype == WEIGHT_BF16 ? 5 : 4);
    member->header = header - 16;
    member->tree = member->heap = HDF5_UNDEFINED;
    size_t start = hdf5_message_begin(out, HDF5_DATASPACE, 0);
    bytes_add(out, 1, 1);
    bytes_add(out, (uint64_t)weight->rank, 7);
    for (int i = 0; i < weight->rank; i++)
        bytes_add(out, (uint64_t)weight->dim[i], 8);
    hdf5_message_end(out, start);
    hdf5_add_type(out, weight->dtype);
    start = hdf5_message_begin(out, 0x05,
                               1); /* fill value: version 2, late allocation, written if set, undefined by the user */
    bytes_add(out, 0x01020202, 8);
    hdf5_message_end(out, start);
    start = hdf5_message_begin(out, HDF5_LAYOUT, 0);
    bytes_add(out, 0x0103, 2);
    if (size_bytes)
        patch_later(w, index);
    else
        bytes_add(out, HDF5_UNDEFINED, 8);
    bytes_add(out, (uint64_t)size_bytes, 8);
    hdf5_message_end(out, start);
    if (weight->dtype == WEIGHT_BF16)
        add_bfloat16_attribute(w);
    header_end(out, header);
    return true;
}

static bool write_group(struct writer *w, size_t from, size_t to, size_t prefix, int depth, struct hdf5_member *group);

/* The entries from .. to share the member's path: one weight, or a group with everything below it. */
static bool write_member(struct writer *w, size_t from, size_t to, size_t path_bytes, int depth,
                         struct hdf5_member *member)
{
    const struct entry *first = &w->entries[from];
    bool ends_here = strlen(first->path) == path_bytes;
    if (!member->length || (member->length <= 2 && !strncmp(member->name, "..", member->length)))
        return err_set(w->err, ERR_USAGE, "'%s' is no path for a weight", first->path);
    if (!ends_here || first->weight < 0)
        return write_group(w, from, to, path_bytes + 1, depth + 1, member);
    if (to - from > 1)
        return err_set(w->err, ERR_USAGE, "the path '%s' is used twice, or as a weight and as a group", first->path);
    return write_dataset(w, first->weight, member);
}

static bool write_group(struct writer *w, size_t from, size_t to, size_t prefix, int depth, struct hdf5_member *group)
{
    struct hdf5_member *members = xcalloc(to - from + 1, sizeof *members);
    size_t n = 0, next;
    bool ok = depth <= HDF5_MAX_DEPTH || err_set(w->err, ERR_USAGE, "'%s' is nested too deep", w->entries[from].path);
    for (size_t i = from; ok && i < to; i = next) {
        next = i + 1;
        if (prefix && strlen(w->entries[i].path) < prefix) { /* the group itself */
            if (w->entries[i].weight >= 0)
                ok = err_set(w->err, ERR_USAGE, "the path '%s' is used as a weight and as a group", w->entries[i].path);
            continue;
        }
        const char *name = w->entries[i].path + prefix;
        size_t length = strcspn(name, "/");
        while (next < to && strlen(w->entries[next].path) >= prefix &&
               !strncmp(w->entries[next].path + prefix, name, length) &&
               strcspn(w->entries[next].path + prefix, "/") == length)
            next++;
        members[n] = (struct hdf5_member){.name = name, .length = length};
        ok = write_member(w, i, next, prefix + length, depth, &members[n++]);
    }
    if (ok) {
        group->heap = hdf5_write_names(&w->out, members, n);
        group->tree = hdf5_write_tree(&w->out, members, n);
        size_t header = header_begin(&w->out, 1);
        group->header = header - 16;
        size_t start = hdf5_message_begin(&w->out, HDF5_SYMBOLS, 0);
        bytes_add(&w->out, group->tree, 8);
        bytes_add(&w->out, group->heap, 8);
        hdf5_message_end(&w->out, start);
        header_end(&w->out, header);
    }
    free(members);
    return ok;
}

/* Component by component: '/' comes before every other character. */
static int by_path(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    const unsigned char *p = (const unsigned char *)x->path, *q = (const unsigned char *)y->path;
    for (; *p && *p == *q; p++, q++)
        ;
    int left = *p == '/' ? 1 : *p ? *p + 1 : 0, right = *q == '/' ? 1 : *q ? *q + 1 : 0;
    return left != right ? left - right : (x->weight > y->weight) - (x->weight < y->weight);
}

static void write_superblock(struct str *out, const struct hdf5_member *root, int64_t size_bytes)
{
    uint8_t *p = (uint8_t *)out->data;
    memcpy(p, HDF5_SIGNATURE, 8);
    p[13] = p[14] = 8;
    bytes_put(p + 16, HDF5_LEAF_K, 2);
    bytes_put(p + 18, HDF5_INTERNAL_K, 2);
    bytes_put(p + 32, HDF5_UNDEFINED, 8);
    bytes_put(p + 40, (uint64_t)size_bytes, 8);
    bytes_put(p + 48, HDF5_UNDEFINED, 8);
    bytes_put(p + 64, root->header, 8);
    bytes_put(p + 72, 1, 4);
    bytes_put(p + 80, root->tree, 8);
    bytes_put(p + 88, root->heap, 8);
}

static uint64_t write_heap(struct str *out)
{
    hdf5_pad(out, 8);
    uint64_t address = out->length;
    str_add(out, "GCOL");
    bytes_add(out, 1, 4);
    bytes_add(out, HEAP_BYTES, 8);
    bytes_add(out, 1, 2);
    bytes_add(out, 1, 6);
    bytes_add(out, 8, 8);
    str_add(out, "bfloat16");
    size_t free_bytes = HEAP_BYTES - (out->length - address);
    bytes_add(out, 0, 8); /* object 0: the free rest */
    bytes_add(out, free_bytes, 8);
    while (out->length - address < HEAP_BYTES)
        str_add_char(out, 0);
    return address;
}

static bool place_weights(struct writer *w, size_t n_weights, struct hdf5_layout *layout)
{
    int64_t at = (int64_t)w->out.length, size_bytes;
    layout->offsets = xcalloc(n_weights + 1, sizeof *layout->offsets);
    for (size_t i = 0; i < n_weights; i++) {
        if (!hdf5_data_bytes(w->weights[i].dtype, w->weights[i].rank, w->weights[i].dim, &size_bytes))
            return err_set(w->err, ERR_USAGE, "weight '%s' has an impossible shape", w->weights[i].path);
        layout->offsets[i] = at;
        if (!int64_add(at, size_bytes, &at) ||
            !int64_add(at, (HDF5_ALIGNMENT - at % HDF5_ALIGNMENT) % HDF5_ALIGNMENT, &at))
            return err_set(w->err, ERR_USAGE, "the weights are too large for a file");
    }
    layout->size_bytes = at;
    return true;
}

static bool build(struct writer *w, size_t n_weights, struct hdf5_layout *layout)
{
    struct hdf5_member root = {0};
    for (size_t i = 0; i < SUPERBLOCK_BYTES / 8; i++)
        bytes_add(&w->out, 0, 8);
    if (!write_group(w, 0, w->n_entries, 0, 0, &root))
        return false;
    uint64_t heap = w->needs_heap ? write_heap(&w->out) : HDF5_UNDEFINED;
    hdf5_pad(&w->out, HDF5_ALIGNMENT);
    if (!place_weights(w, n_weights, layout))
        return false;
    for (size_t i = 0; i < w->n_patches; i++) {
        const struct patch *patch = &w->patches[i];
        bytes_put((uint8_t *)w->out.data + patch->at,
                  patch->weight < 0 ? heap : (uint64_t)layout->offsets[patch->weight], 8);
    }
    write_superblock(&w->out, &root, layout->size_bytes);
    return true;
}

bool hdf5_layout(const struct weight *weights, size_t n_weights, const char *const *groups, size_t n_groups,
                 struct hdf5_layout *layout, struct err *err)
{
    struct writer w = {.weights = weights, .err = err};
    *layout = (struct hdf5_layout){0};
    w.entries = xcalloc(n_weights + n_groups + 1, sizeof *w.entries);
    for (size_t i = 0; i < n_weights; i++)
        w.entries[w.n_entries++] = (struct entry){weights[i].path, (int64_t)i};
    for (size_t i = 0; i < n_groups; i++)
        w.entries[w.n_entries++] = (struct entry){groups[i], -1};
    qsort(w.entries, w.n_entries, sizeof *w.entries, by_path);
    bool ok = build(&w, n_weights, layout);
    layout->head_bytes = w.out.length;
    layout->head = str_take(&w.out);
    free(w.patches);
    free(w.entries);
    if (!ok)
        hdf5_layout_release(layout);
    return ok;
}

void hdf5_layout_release(struct hdf5_layout *layout)
{
    free(layout->head);
    free(layout->offsets);
    *layout = (struct hdf5_layout){0};
}
