/* Times loading every weight of a model file and saving them to another: keras_file_speed FILE OUT. Prints {"load_s",
 * "save_s", "bytes"}. */
#include "base/arena.h"
#include "base/io.h"
#include "base/size.h"
#include "persistence/keras_file.h"

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
    for (size_t i = 0; i < l->n; i++) {
        size_t bytes = 4;
        for (int d = 0; d < weights[i].rank; d++)
            if (!size_mul(bytes, (size_t)weights[i].dim[d], &bytes))
                return err_set(err, ERR_FORMAT, "'%s' is too large", weights[i].path);
        bool whole = weights[i].dtype == WEIGHT_I32 || weights[i].dtype == WEIGHT_I64;
        void *data = io_allocate(bytes, "weights", err);
        if (!data || !keras_file_read(l->file, &weights[i], whole, weights[i].rank, weights[i].dim, data, err))
            return false;
        l->weights[i] = weights[i];
        l->weights[i].dtype = whole ? WEIGHT_I32 : WEIGHT_F32;
        l->weights[i].data = data;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct loaded l = {0};
    double start = io_monotonic_seconds();
    if (argc != 3 || !load(argv[1], &l, &err)) {
        fprintf(stderr, "%s\n", argc == 3 ? err.text : "keras_file_speed FILE OUT");
        return 1;
    }
    double loaded = io_monotonic_seconds();
    struct model_parts parts = {.config = keras_file_config(l.file), .weights = l.weights, .n_weights = l.n};
    if (!keras_file_write(argv[2], &parts, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("{\"load_s\": %.6f, \"save_s\": %.6f}\n", loaded - start, io_monotonic_seconds() - loaded);
    for (size_t i = 0; i < l.n; i++)
        free((void *)l.weights[i].data);
    free(l.weights);
    keras_file_close(l.file);
    return 0;
}
