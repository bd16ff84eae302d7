/* HDF5: what we write reads back exactly; what a hostile file does to the structure is refused. */
#include "persistence/hdf5/hdf5_file.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/bytes.h"
#include "tests/check.h"

#include <sys/mman.h>

static const float values[] = {1, 2, 3, 4, 5, 6};

static struct str build(const struct weight *weights, size_t n, const char *const *groups, size_t n_groups)
{
    struct err err;
    struct hdf5_layout layout;
    struct str out = {0};
    int64_t size_bytes;
    if (!hdf5_layout(weights, n, groups, n_groups, &layout, &err)) {
        CHECK_FAIL("%s", err.text);
        return out;
    }
    str_add_bytes(&out, layout.head, layout.head_bytes);
    for (size_t i = 0; i < n; i++) {
        while ((int64_t)out.length < layout.offsets[i])
            str_add_char(&out, 0);
        CHECK(hdf5_data_bytes(weights[i].dtype, weights[i].rank, weights[i].dim, &size_bytes));
        str_add_bytes(&out, weights[i].data, (size_t)size_bytes);
    }
    while ((int64_t)out.length < layout.size_bytes)
        str_add_char(&out, 0);
    CHECK_EQ(out.length, layout.size_bytes);
    hdf5_layout_release(&layout);
    return out;
}

static int fd_of(const struct str *bytes)
{
    static int fd = -1;
    struct err err;
    if (fd >= 0)
        close(fd);
    fd = memfd_create("h5", MFD_CLOEXEC);
    CHECK_OK(io_write_all(fd, bytes->data, bytes->length, "h5", &err), err);
    return fd;
}

static bool read_bytes(const struct str *bytes, struct hdf5_tree *tree, struct err *err)
{
    return hdf5_read(fd_of(bytes), "x.h5", 0, (int64_t)bytes->length, tree, err);
}

static const struct hdf5_dataset *find(const struct hdf5_tree *tree, const char *path)
{
    for (size_t i = 0; i < tree->n_datasets; i++)
        if (!strcmp(tree->datasets[i].path, path))
            return &tree->datasets[i];
    return NULL;
}

static void expect_refusal(struct str bytes, const char *words)
{
    struct err err = {0};
    struct hdf5_tree tree;
    if (read_bytes(&bytes, &tree, &err))
        CHECK_FAIL("accepted, expected a refusal with '%s'", words);
    else {
        CHECK_EQ(err.code, ERR_FORMAT);
        CHECK_HAS(err.text, words);
    }
    hdf5_tree_release(&tree);
    str_release(&bytes);
}

static const struct weight one[] = {{"a/vars/0", WEIGHT_F32, 2, {2, 3}, values}};

static struct str simple(void)
{
    return build(one, 1, NULL, 0);
}

/* Position of the k-th occurrence (from 0) of some bytes. */
static size_t position(const struct str *bytes, const char *wanted, size_t n, int k)
{
    for (size_t i = 0; i + n <= bytes->length; i++)
        if (!memcmp(bytes->data + i, wanted, n) && k-- == 0)
            return i;
    CHECK_FAIL("pattern not in the file");
    return 0;
}

/* The object header of the dataset: its dataspace message is the first with rank 2. */
static size_t dataset_header(const struct str *bytes)
{
    return position(bytes, "\x01\x00\x18\x00\x00\x00\x00\x00\x01\x02", 10, 0) - 16;
}

static size_t layout_message(const struct str *bytes)
{
    return position(bytes, "\x08\x00\x18\x00\x00\x00\x00\x00\x03\x01", 10, 0);
}

static void test_a_dataset_reads_back_in_place(void)
{
    struct err err;
    struct hdf5_tree tree;
    float back[6];
    struct str bytes = simple();
    CHECK_OK(read_bytes(&bytes, &tree, &err), err);
    const struct hdf5_dataset *d = find(&tree, "a/vars/0");
    CHECK(d && d->rank == 2 && d->dim[0] == 2 && d->dim[1] == 3 && d->dtype == WEIGHT_F32 && d->storage == HDF5_PLAIN);
    CHECK_OK(hdf5_read_values(fd_of(&bytes), "x.h5", d, 0, 6, back, &err), err);
    CHECK(!memcmp(back, values, sizeof back));
    CHECK_OK(hdf5_read_values(fd_of(&bytes), "x.h5", d, 4, 2, back, &err), err);
    CHECK_EQ(back[0], 5);
    CHECK_EQ(tree.n_groups, 2);
    hdf5_tree_release(&tree);
    str_release(&bytes);
}

static void test_wide_and_deep_groups_read_back(void)
{
    enum { N = 5000 };
    struct err err;
    struct hdf5_tree tree;
    struct weight *weights = xcalloc(N, sizeof *weights);
    for (int i = 0; i < N; i++)
        weights[i] =
            (struct weight){xprintf(i % 2 ? "layers/d_%d/vars/0" : "x/%d", i), WEIGHT_F32, 1, {1 + i % 5}, values};
    struct str bytes = build(weights, N, (const char *const[]){"a/b/c/d/e/f/g/h"}, 1);
    CHECK_OK(read_bytes(&bytes, &tree, &err), err);
    CHECK_EQ(tree.n_datasets, N);
    for (int i = 0; i < N; i += 97) {
        const struct hdf5_dataset *d = find(&tree, weights[i].path);
        CHECK(d && d->dim[0] == 1 + i % 5);
    }
    hdf5_tree_release(&tree);
    str_release(&bytes);
    for (int i = 0; i < N; i++)
        free((char *)(uintptr_t)weights[i].path);
    free(weights);
}

static void test_a_part_of_a_larger_file_is_read(void)
{
    struct err err;
    struct hdf5_tree tree;
    float back[6];
    struct str inner = simple(), outer = {0};
    str_add(&outer, "some other bytes in front");
    size_t offset = outer.length;
    str_add_bytes(&outer, inner.data, inner.length);
    str_add(&outer, "and behind");
    int fd = fd_of(&outer);
    CHECK_OK(hdf5_read(fd, "x", (int64_t)offset, (int64_t)inner.length, &tree, &err), err);
    CHECK_OK(hdf5_read_values(fd, "x", find(&tree, "a/vars/0"), 0, 6, back, &err), err);
    CHECK(!memcmp(back, values, sizeof back));
    hdf5_tree_release(&tree);
    str_release(&inner);
    str_release(&outer);
}

static void test_impossible_paths_are_our_own_mistake(void)
{
    static const struct {
        const char *a, *b;
    } pairs[] = {{"x", "x"}, {"x", "x/y"}, {"", "y"}, {"a//b", "y"}, {"../x", "y"}, {"/x", "y"}, {"x/", "y"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct err err = {0};
        struct hdf5_layout layout;
        struct weight weights[] = {{pairs[i].a, WEIGHT_F32, 0, {0}, values}, {pairs[i].b, WEIGHT_F32, 0, {0}, values}};
        if (hdf5_layout(weights, 2, NULL, 0, &layout, &err))
            CHECK_FAIL("'%s' and '%s' were accepted", pairs[i].a, pairs[i].b);
        CHECK_EQ(err.code, ERR_USAGE);
    }
}

static void test_two_links_to_one_object_are_refused(void)
{
    struct weight two[] = {{"a/0", WEIGHT_F32, 1, {2}, values}, {"a/1", WEIGHT_F32, 1, {2}, values}};
    struct str bytes = build(two, 2, NULL, 0);
    size_t entries = position(&bytes, "SNOD", 4, 0) + 8;
    memcpy(bytes.data + entries + 40 + 8, bytes.data + entries + 8, 8);
    expect_refusal(bytes, "share the bytes");
}

static void test_a_group_inside_itself_is_refused(void)
{
    struct str bytes = build(one, 1, NULL, 0);
    size_t entries =
        position(&bytes, "SNOD", 4, 0) + 8; /* of the group 'vars', the innermost; its member becomes 'a' itself */
    size_t outer = position(&bytes, "SNOD", 4, 1) + 8;
    memcpy(bytes.data + entries + 8, bytes.data + outer + 8, 32);
    expect_refusal(bytes, "");
}

static void test_soft_links_are_refused(void)
{
    struct str bytes = simple();
    bytes.data[position(&bytes, "SNOD", 4, 0) + 8 + 16] = 2;
    expect_refusal(bytes, "soft");
}

static void test_several_references_are_refused(void)
{
    struct str bytes = simple();
    bytes.data[dataset_header(&bytes) + 4] = 2;
    expect_refusal(bytes, "2 links lead to it");
}

static void test_declared_shapes_must_have_their_bytes(void)
{
    struct str bytes = simple();
    bytes_put((uint8_t *)bytes.data + dataset_header(&bytes) + 16 + 16, 1ull << 40, 8);
    expect_refusal(bytes, "its shape needs");
    bytes = simple();
    bytes_put((uint8_t *)bytes.data + dataset_header(&bytes) + 16 + 16, INT64_MAX, 8);
    expect_refusal(bytes, "more elements than any memory");
    bytes = simple();
    bytes_put((uint8_t *)bytes.data + dataset_header(&bytes) + 16 + 16, UINT64_MAX, 8);
    expect_refusal(bytes, "dimension 0 is 18446744073709551615");
}

static void test_values_without_bytes_are_a_problem_not_zeros(void)
{
    struct err err;
    float back[6];
    struct hdf5_tree tree;
    struct str bytes = simple();
    bytes_put((uint8_t *)bytes.data + layout_message(&bytes) + 8 + 2, UINT64_MAX, 8);
    CHECK_OK(read_bytes(&bytes, &tree, &err), err);
    CHECK_EQ(tree.n_problems, 1);
    CHECK_HAS(tree.n_problems ? tree.problems[0] : "", "'a/vars/0': no values are stored");
    CHECK(!hdf5_read_values(fd_of(&bytes), "x.h5", find(&tree, "a/vars/0"), 0, 6, back, &err));
    CHECK_HAS(err.text, "no values are stored");
    hdf5_tree_release(&tree);
    str_release(&bytes);
}

static void test_values_over_structures_are_refused(void)
{
    struct str bytes = simple();
    bytes_put((uint8_t *)bytes.data + layout_message(&bytes) + 8 + 2, 96, 8);
    expect_refusal(bytes, "share the bytes");
    bytes = simple();
    bytes_put((uint8_t *)bytes.data + layout_message(&bytes) + 8 + 2, bytes.length - 8, 8);
    expect_refusal(bytes, "outside of the file");
}

static void test_external_and_virtual_storage_are_refused(void)
{
    struct str bytes = simple();
    bytes.data[layout_message(&bytes) + 9] = 3;
    expect_refusal(bytes, "virtual layout");
    bytes = simple();
    bytes.data[position(&bytes, "\x05\x00\x08\x00\x01", 5, 0)] = 7;
    expect_refusal(bytes, "external storage");
}

static void test_unknown_messages_count_only_when_they_say_so(void)
{
    struct err err;
    struct hdf5_tree tree;
    struct str bytes = simple();
    size_t fill = position(&bytes, "\x05\x00\x08\x00\x01", 5, 0);
    bytes.data[fill] = 0x40;
    CHECK_OK(read_bytes(&bytes, &tree, &err), err);
    hdf5_tree_release(&tree);
    bytes.data[fill + 4] = (char)0x80;
    expect_refusal(bytes, "must be understood");
}

static void test_a_description_given_twice_is_refused(void)
{
    struct str bytes = simple();
    size_t header = dataset_header(&bytes) + 16, fill = position(&bytes, "\x05\x00\x08\x00\x01", 5, 0);
    (void)header;
    bytes.data[fill] = 8;
    expect_refusal(bytes, "twice");
}

static void test_names_are_checked(void)
{
    struct str bytes = simple();
    size_t name = position(&bytes, "vars\0", 5, 0);
    bytes.data[name + 1] = '/';
    expect_refusal(bytes, "impossible name");
    bytes = simple();
    name = position(&bytes, "vars\0", 5, 0);
    memcpy(bytes.data + name, "..\0\0", 4);
    expect_refusal(bytes, "impossible name");
    static const char *const hidden[] = {"\x1b]0x", "\xff\xfe!!", "a\nbc", "\x7f\x08zz"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        bytes = simple();
        memcpy(bytes.data + position(&bytes, "vars\0", 5, 0), hidden[i], 4);
        expect_refusal(bytes, "impossible name");
    }
}

static void test_depth_is_bounded(void)
{
    struct err err;
    struct hdf5_layout layout;
    struct str path = {0};
    for (int i = 0; i < 40; i++)
        str_add(&path, i ? "/g" : "g");
    struct weight deep = {str_text(&path), WEIGHT_F32, 0, {0}, values};
    CHECK(!hdf5_layout(&deep, 1, NULL, 0, &layout, &err));
    CHECK_HAS(err.text, "too deep");
    str_release(&path);
}

static void test_every_cut_is_refused(void)
{
    struct str bytes = simple();
    for (size_t cut = 0; cut < bytes.length; cut++) {
        struct err err = {0};
        struct hdf5_tree tree;
        struct str part = {bytes.data, cut, 0};
        CHECK(!read_bytes(&part, &tree, &err));
        CHECK_EQ(err.code, ERR_FORMAT);
    }
    str_release(&bytes);
}

static void read_all(const struct str *bytes, const struct hdf5_tree *tree)
{
    struct err err;
    for (size_t i = 0; i < tree->n_datasets; i++) {
        const struct hdf5_dataset *d = &tree->datasets[i];
        int64_t size_bytes, n = 0;
        if (!hdf5_data_bytes(d->dtype, d->rank, d->dim, &size_bytes) || size_bytes > (int64_t)bytes->length)
            continue;
        n = size_bytes / (int64_t)hdf5_element_bytes(d->dtype);
        char *room = xmalloc((size_t)size_bytes + 1);
        if (!hdf5_read_values(fd_of(bytes), "x.h5", d, 0, n, room, &err))
            CHECK(err.text[0]);
        free(room);
    }
}

static void test_any_changed_byte_is_refused_or_read_within_bounds(void)
{
    static const uint8_t masks[] = {1, 2, 4, 8, 16, 32, 64, 128, 0xff};
    struct weight two[] = {
        {"a/0", WEIGHT_F32, 1, {2}, values}, {"a/1", WEIGHT_BF16, 1, {2}, values}, {"b", WEIGHT_BOOL, 1, {2}, "\0\1"}};
    struct str bytes = build(two, 3, NULL, 0);
    for (size_t i = 0; i < bytes.length; i++) {
        if (i > 100 && !bytes.data[i] && !bytes.data[i - 1] && i % 7) /* the free space is large: a sample of it */
            continue;
        for (size_t k = 0; k < sizeof masks; k++) {
            struct err err = {0};
            struct hdf5_tree tree;
            bytes.data[i] ^= (char)masks[k];
            if (read_bytes(&bytes, &tree, &err))
                read_all(&bytes, &tree);
            else
                CHECK_EQ(err.code, ERR_FORMAT);
            hdf5_tree_release(&tree);
            bytes.data[i] ^= (char)masks[k];
        }
    }
    str_release(&bytes);
}

int main(void)
{
    RUN(test_a_dataset_reads_back_in_place);
    RUN(test_wide_and_deep_groups_read_back);
    RUN(test_a_part_of_a_larger_file_is_read);
    RUN(test_impossible_paths_are_our_own_mistake);
    RUN(test_two_links_to_one_object_are_refused);
    RUN(test_a_group_inside_itself_is_refused);
    RUN(test_soft_links_are_refused);
    RUN(test_several_references_are_refused);
    RUN(test_declared_shapes_must_have_their_bytes);
    RUN(test_values_without_bytes_are_a_problem_not_zeros);
    RUN(test_values_over_structures_are_refused);
    RUN(test_external_and_virtual_storage_are_refused);
    RUN(test_unknown_messages_count_only_when_they_say_so);
    RUN(test_a_description_given_twice_is_refused);
    RUN(test_names_are_checked);
    RUN(test_depth_is_bounded);
    RUN(test_every_cut_is_refused);
    RUN(test_any_changed_byte_is_refused_or_read_within_bounds);
    return check_done();
}
