/* drive_data.c - opens what each line of standard input asks for and answers with one line of JSON; driven by
 * test_data.py.
 *
 *     {"data": {...}, "folder": "/tmp/x"}                    -> {"n": [train, validation, test], "inputs": [...],
 * "targets": [...], "classes"}
 *     {"copy": "/tmp/x/a.npy", "to": "/tmp/x/b.npz"}         -> {} after reading and writing the array again
 *                                                            -> {"error": "..."}
 * An array is {"shape", "dtype", "values": of all training samples}.
 */
#include "base/arena.h"
#include "engine/data/dataset.h"
#include "persistence/files/npy_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *dump(const struct dataset *ds, const struct field *f, int index, bool target)
{
    int64_t n = ds->n_samples[SPLIT_TRAIN], elements = shape_elements(f->shape),
            *positions = xcalloc((size_t)n + 1, sizeof *positions);
    float *values = xcalloc((size_t)(n * elements) + 1, sizeof *values);
    for (int64_t i = 0; i < n; i++)
        positions[i] = i;
    if (target)
        dataset_gather_target(ds, SPLIT_TRAIN, index, positions, n, f->dtype, values);
    else
        dataset_gather_input(ds, SPLIT_TRAIN, index, positions, n, values);
    json_t *list = json_array(), *shape = json_array();
    for (int64_t i = 0; i < n * elements; i++)
        json_array_append_new(list, f->dtype == DTYPE_I32 ? json_integer(((int32_t *)(void *)values)[i])
                                                          : js_number((double)values[i]));
    for (int d = 0; d < f->shape.rank; d++)
        json_array_append_new(shape, json_integer(f->shape.dim[d]));
    free(values);
    free(positions);
    return json_pack("{s:o, s:s, s:o}", "shape", shape, "dtype", f->dtype == DTYPE_I32 ? "int32" : "float32", "values",
                     list);
}

static json_t *open_data(const json_t *request, struct err *err)
{
    struct dataset *ds =
        dataset_open(json_object_get(request, "data"), js_string(request, "folder", "."), 1, NULL, err);
    if (!ds)
        return NULL;
    json_t *inputs = json_array(), *targets = json_array(), *n = json_array();
    for (int i = 0; i < ds->n_inputs; i++)
        json_array_append_new(inputs, dump(ds, &ds->inputs[i], i, false));
    for (int i = 0; i < ds->n_targets; i++)
        json_array_append_new(targets, dump(ds, &ds->targets[i], i, true));
    for (int i = 0; i < SPLIT_COUNT; i++)
        json_array_append_new(n, json_integer(ds->n_samples[i]));
    json_t *answer = json_pack("{s:o, s:o, s:o, s:I}", "n", n, "inputs", inputs, "targets", targets, "classes",
                               (json_int_t)ds->n_classes);
    dataset_close(ds);
    return answer;
}

static json_t *copy_array(const json_t *request, struct err *err)
{
    struct npy a = {0};
    const char *to = js_string(request, "to", ""), *name = "x";
    bool ok = npy_open(js_string(request, "copy", ""), &a, err) &&
              (str_ends(to, ".npz") ? npz_write(to, &name, &a, 1, err) : npy_write(to, &a, err));
    npy_release(&a);
    return ok ? json_object() : NULL;
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t n; (n = getline(&line, &capacity, stdin)) > 0;) {
        struct err err = {0};
        json_t *request = js_parse(line, (size_t)n, "request", JS_STRICT, &err);
        json_t *answer = !request                           ? NULL
                         : json_object_get(request, "copy") ? copy_array(request, &err)
                                                            : open_data(request, &err);
        if (!answer)
            answer = json_pack("{s:s}", "error", err.text);
        char *text = js_text(answer, 0);
        puts(text);
        fflush(stdout);
        free(text);
        json_decref(answer);
        json_decref(request);
    }
    free(line);
    return 0;
}
