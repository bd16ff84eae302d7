/* Times loading every weight of a model file and saving them to another: keras_file_speed FILE OUT. Prints {"load_s",
 * "save_s", "durable_s"}: saving as Keras does it, left in the cache, and as we do it, on the disk when it is said to
 * be done. */
#include "base/arena.h"
#include "base/io.h"
#include "base/size.h"
#include "persistence/keras/keras_file.h"

#include <stdio.h>
#include <stdlib.h>

struct loaded {
    struct keras_file *file;
    struct weight *weights; /* with data */
    size_t n;
};

static bool load(const char *path, struct loaded *l, struct err *err)
{
    l->file = keras_file_open(path, err);
    if (!l->file)
        return false;
    const struct weight *weights = keras_file_weights(l->file, &l->n);
    l->weights = xcalloc(l->n, sizeof *l->weights);
    struct weight_target *targets = xcalloc(l->n, sizeof *targets);
    for (size_t i = 0; i < l->n; i++) {
        size_t bytes = 4;
        for (int d = 0; d < weights[i].rank; d++)
            if (!size_mul(bytes, (size_t)weights[i].dim[d], &bytes))
                return err_set(err, ERR_FORMAT, "'%s' is too large", weights[i].path);
        bool whole = weights[i].dtype == WEIGHT_I32 || weights[i].dtype == WEIGHT_I64;
        void *data = io_allocate(bytes, "weights", err);
        if (!data)
            return false;
        targets[i] = (struct weight_target){&weights[i], whole, weights[i].rank, weights[i].dim, data};
        l->weights[i] = weights[i];
        l->weights[i].dtype = whole ? WEIGHT_I32 : WEIGHT_F32;
        l->weights[i].data = data;
    }
    bool ok = keras_file_load(l->file, targets, l->n, err);
    free(targets);
    return ok;
}

static int no_fsync(int fd)
{
    (void)fd;
    return 0;
}

static void no_write_behind(int fd, off_t offset, off_t size_bytes)
{
    (void)fd, (void)offset, (void)size_bytes;
}

static bool save(const char *path, const struct loaded *l, const struct io_table *table, double *seconds,
                 struct err *err)
{
    const struct model_parts parts = {.config = keras_file_config(l->file), .weights = l->weights, .n_weights = l->n};
    double start = io_monotonic_seconds();
    io = table;
    bool ok = keras_file_write(path, &parts, err);
    io = &io_system;
    *seconds = io_monotonic_seconds() - start;
    return ok;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct loaded l = {0};
    struct io_table without_sync = io_system;
    without_sync.fsync = no_fsync;
    without_sync.write_behind = no_write_behind;
    double start = io_monotonic_seconds();
    if (argc != 3 || !load(argv[1], &l, &err)) {
        fprintf(stderr, "%s\n", argc == 3 ? err.text : "keras_file_speed FILE OUT");
        return 1;
    }
    double loaded = io_monotonic_seconds() - start, durable, cached;
    if (!save(argv[2], &l, &io_system, &durable, &err) || remove(argv[2]) ||
        !save(argv[2], &l, &without_sync, &cached, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("{\"load_s\": %.6f, \"save_s\": %.6f, \"durable_s\": %.6f}\n", loaded, cached, durable);
    for (size_t i = 0; i < l.n; i++)
        free((void *)l.weights[i].data);
    free(l.weights);
    keras_file_close(l.file);
    return 0;
}
