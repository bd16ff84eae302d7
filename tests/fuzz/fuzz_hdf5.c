/* fuzz_hdf5 - the input is an HDF5 file: read its structure, then every dataset that is small enough. */
#include "persistence/hdf5/hdf5_file.h"

#include "base/io.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_dataset(int fd, const struct hdf5_dataset *dataset)
{
    struct err err;
    int64_t size_bytes;
    if (!hdf5_data_bytes(dataset->dtype, dataset->rank, dataset->dim, &size_bytes) || size_bytes > 1 << 20)
        return;
    void *room = malloc((size_t)size_bytes + 1);
    if (!hdf5_read_values(fd, "input", dataset, 0, size_bytes / (int64_t)hdf5_element_bytes(dataset->dtype), room,
                          &err) &&
        !err.text[0])
        abort();
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct hdf5_tree tree;
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || !io_write_all(fd, data, size, "input", &err))
        abort();
    if (hdf5_read(fd, "input", 0, (int64_t)size, &tree, &err))
        for (size_t i = 0; i < tree.n_datasets; i++)
            read_dataset(fd, &tree.datasets[i]);
    hdf5_tree_release(&tree);
    close(fd);
    return 0;
}
