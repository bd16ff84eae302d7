/* fuzz_data - the first byte of the input chooses a format, the rest is the file: open it as a data set and gather
 * every sample. */
#include "base/io.h"
#include "engine/data/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const objects[] = {
    "{\"format\": \"csv\", \"path\": \"%s\", \"missing\": \"mean\", \"scale\": \"standard\"}",
    "{\"format\": \"csv\", \"path\": \"%s\", \"missing\": \"drop\", \"label\": 0, \"delimiter\": \";\", "
    "\"validation_split\": 0.5}",
    "{\"format\": \"npy\", \"x\": \"%s\", \"y\": \"%s\", \"scale\": \"minmax\"}",
    "{\"format\": \"npz\", \"path\": \"%s\"}",
    "{\"format\": \"idx\", \"images\": \"%s\", \"labels\": \"%s\", \"one_hot\": 10}",
    "{\"format\": \"cifar10\", \"path\": \"%s\"}",
    "{\"format\": \"text\", \"path\": \"%s\", \"sequence_length\": 3, \"stride\": 2}",
    "{\"format\": \"text\", \"path\": \"%s\", \"sequence_length\": 2, \"vocabulary\": \"bytes\"}",
};
enum { N_OBJECTS = sizeof objects / sizeof *objects };

static void gather_all(const struct dataset *ds)
{
    for (int split = 0; split < SPLIT_COUNT; split++)
        for (int64_t i = 0; i < ds->n_samples[split] && i < 100; i++) {
            for (int k = 0; k < ds->n_inputs; k++) {
                void *out = malloc((size_t)shape_elements(ds->inputs[k].shape) * 4 + 1);
                dataset_gather_input(ds, (enum split)split, k, &i, 1, out);
                free(out);
            }
            for (int k = 0; k < ds->n_targets; k++) {
                void *out = malloc((size_t)shape_elements(ds->targets[k].shape) * 4 + 1);
                dataset_gather_target(ds, (enum split)split, k, &i, 1, ds->targets[k].dtype, out);
                free(out);
            }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct err err = {0};
    char path[64], text[512];
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || !io_write_all(fd, data + 1, size - 1, "input", &err))
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int n = snprintf(text, sizeof text, objects[data[0] % N_OBJECTS], path, path);
#pragma GCC diagnostic pop
    json_t *object = js_parse(text, (size_t)n, "data", JS_STRICT, &err);
    struct dataset *ds = dataset_open(object, "/", 1, NULL, &err);
    if (!ds && !err.text[0])
        abort();
    if (ds)
        gather_all(ds);
    dataset_close(ds);
    json_decref(object);
    close(fd);
    return 0;
}
