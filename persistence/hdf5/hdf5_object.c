/* hdf5_object.c - a group or a dataset from its messages; see hdf5_internal.h */
#include "persistence/hdf5/hdf5_internal.h"

#include "base/arena.h"

#include <stdlib.h>

static bool read_attributes(struct hdf5 *h5, const struct hdf5_messages *messages)
{
    for (size_t i = 0; i < messages->n; i++) {
        struct cursor body = messages->list[i].body;
        if (messages->list[i].type == HDF5_ATTRIBUTE && !hdf5_attribute_read(h5, body))
            return false;
        if (messages->list[i].type != HDF5_ATTRIBUTE_INFO)
            continue;
        cursor_u8(&body);
        cursor_bytes(&body, cursor_u8(&body) & 1 ? 2 : 0);
        if (cursor_u64(&body) != HDF5_UNDEFINED)
            hdf5_problem(h5, "its many attributes are stored in a way that is not read");
    }
    return true;
}

/* A text attribute of the current object: those are the last ones of the tree, from `first` on. "" when there is none.
 */
static const char *own_text(const struct hdf5 *h5, size_t first, const char *name)
{
    for (size_t i = first; i < h5->tree->n_texts; i++)
        if (!strcmp(h5->tree->texts[i].name, name) && h5->tree->texts[i].n_values)
            return h5->tree->texts[i].values[0];
    return "";
}

/* Opaque 2-byte data is bfloat16 when the attribute beside it says so, as Keras writes it. */
static bool decide_type(struct hdf5 *h5, const struct hdf5_type *type, size_t own_texts, struct hdf5_dataset *dataset)
{
    dataset->dtype = type->dtype;
    if (type->kind == HDF5_WEIGHT)
        return true;
    if (type->kind == HDF5_OPAQUE16) {
        dataset->dtype = WEIGHT_BF16;
        if (!strcmp(own_text(h5, own_texts, "dtype"), "bfloat16"))
            return true;
    }
    hdf5_problem(h5, "left out, its values are of a type that is no weight (%s)", type->name);
    return false;
}

static void keep_dataset(struct hdf5 *h5, struct hdf5_dataset *dataset)
{
    struct hdf5_tree *tree = h5->tree;
    tree->datasets = xgrow(tree->datasets, &tree->datasets_capacity, tree->n_datasets + 1, sizeof *tree->datasets);
    dataset->path = xstrdup(str_text(&h5->path));
    tree->datasets[tree->n_datasets++] = *dataset;
}

static bool read_dataset(struct hdf5 *h5, const struct hdf5_messages *messages, size_t own_texts)
{
    struct hdf5_type type = {0};
    struct hdf5_dataset dataset = {0};
    int64_t size_bytes;
    const struct hdf5_message *space = hdf5_messages_find(messages, HDF5_DATASPACE);
    const struct hdf5_message *layout = hdf5_messages_find(messages, HDF5_LAYOUT);
    if (!space || !layout)
        return hdf5_refuse(h5, "a dataset without shape or layout");
    if (!hdf5_type_read(h5, hdf5_messages_find(messages, HDF5_DATATYPE)->body, &type) ||
        !hdf5_space_read(h5, space->body, &dataset.rank, dataset.dim))
        return false;
    if (dataset.rank < 0) {
        hdf5_problem(h5, "left out, it has no values (null dataspace)");
        return true;
    }
    if (!decide_type(h5, &type, own_texts, &dataset))
        return true;
    if (!hdf5_data_bytes(dataset.dtype, dataset.rank, dataset.dim, &size_bytes))
        return hdf5_refuse(h5, "its shape has more elements than any memory");
    if (!hdf5_layout_read(h5, layout, hdf5_messages_find(messages, HDF5_FILTERS), &dataset)) {
        free(dataset.chunks);
        return false;
    }
    if (dataset.storage == HDF5_ABSENT)
        hdf5_problem(h5, "no values are stored for this dataset (other readers see zeros)");
    keep_dataset(h5, &dataset);
    return true;
}

static void keep_group(struct hdf5 *h5)
{
    struct hdf5_tree *tree = h5->tree;
    if (!h5->path.length)
        return;
    tree->groups = xgrow(tree->groups, &tree->groups_capacity, tree->n_groups + 1, sizeof *tree->groups);
    tree->groups[tree->n_groups++] = xstrdup(str_text(&h5->path));
}

static bool read_symbol_group(struct hdf5 *h5, struct cursor body, uint64_t tree, uint64_t heap, int depth)
{
    uint64_t own_tree = cursor_u64(&body), own_heap = cursor_u64(&body);
    if (body.bad || (tree != HDF5_UNDEFINED && (tree != own_tree || heap != own_heap)))
        return hdf5_refuse(h5, "the group is described differently by itself and by its parent");
    return hdf5_symbols_read(h5, own_tree, own_heap, depth);
}

static bool read_link_group(struct hdf5 *h5, const struct hdf5_messages *messages, int depth)
{
    for (size_t i = 0; i < messages->n; i++)
        if (messages->list[i].type == HDF5_LINK && !hdf5_link_read(h5, messages->list[i].body, depth))
            return false;
    const struct hdf5_message *info = hdf5_messages_find(messages, HDF5_LINK_INFO);
    if (!info)
        return true;
    struct cursor body = info->body;
    uint8_t version = cursor_u8(&body), flags = cursor_u8(&body);
    cursor_bytes(&body, flags & 1 ? 8 : 0);
    uint64_t heap = cursor_u64(&body), index = cursor_u64(&body);
    if (body.bad || version)
        return hdf5_refuse(h5, "its link information is damaged");
    return heap == HDF5_UNDEFINED || hdf5_dense_links_read(h5, heap, index, depth);
}

static bool read_object(struct hdf5 *h5, const struct hdf5_messages *messages, uint64_t tree, uint64_t heap, int depth)
{
    const struct hdf5_message *symbols = hdf5_messages_find(messages, HDF5_SYMBOLS);
    bool links = hdf5_messages_find(messages, HDF5_LINK) || hdf5_messages_find(messages, HDF5_LINK_INFO);
    bool data = hdf5_messages_find(messages, HDF5_DATATYPE);
    if ((symbols != NULL) + links + data != 1)
        return hdf5_refuse(h5, "neither clearly a group nor clearly a dataset");
    if (data && tree != HDF5_UNDEFINED)
        return hdf5_refuse(h5, "a dataset, but its parent calls it a group");
    size_t own_texts = h5->tree->n_texts;
    if (!read_attributes(h5, messages))
        return false;
    if (data)
        return hdf5_messages_find(messages, HDF5_LAYOUT) ? read_dataset(h5, messages, own_texts)
                                                         : hdf5_refuse(h5, "a named type or a dataset without layout");
    keep_group(h5);
    return symbols ? read_symbol_group(h5, symbols->body, tree, heap, depth) : read_link_group(h5, messages, depth);
}

bool hdf5_object_read(struct hdf5 *h5, uint64_t address, uint64_t tree, uint64_t heap, int depth)
{
    struct hdf5_messages messages = {0};
    if (depth > HDF5_MAX_DEPTH)
        return hdf5_refuse(h5, "groups are nested more than %d deep", HDF5_MAX_DEPTH);
    bool ok = hdf5_messages_read(h5, address, &messages) && read_object(h5, &messages, tree, heap, depth);
    hdf5_messages_release(&messages);
    return ok;
}
