/* file_tool - Keras files for test_files.py: what does antler see in a file, and what does it write?
 *
 *   file_tool dump FILE         one JSON document: format, config, metadata, weights with values, problems; exit 4 and
 *                               {"error"} when refused
 *   file_tool copy FILE TO      reads everything and writes it again (floats as float32, integers as int32)
 *   file_tool sample TO         a weights file with one dataset of every type
 *   file_tool image FILE MODE   {"height", "width", "pixels"}
 */
#include "persistence/keras/keras_file.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/image_file.h"
#include "persistence/hdf5/hdf5_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const struct err *err)
{
    json_t *json = json_pack("{s:s, s:i}", "error", err->text, "code", (int)err->code);
    char *text = js_text(json, 0);
    puts(text);
    free(text);
    json_decref(json);
    return err_exit_status(err->code);
}

static bool is_int(const struct weight *weight)
{
    return weight->dtype != WEIGHT_F32 && weight->dtype != WEIGHT_F16 && weight->dtype != WEIGHT_BF16 &&
           weight->dtype != WEIGHT_F64;
}

static int64_t count(const struct weight *weight)
{
    int64_t n = 1;
    for (int i = 0; i < weight->rank; i++)
        n *= weight->dim[i];
    return n;
}

static void add_weight(struct str *out, struct keras_file *file, const struct weight *weight)
{
    static const char *const dtypes[] = {"float32", "float16", "bfloat16", "float64", "int32",  "int64", "int8",
                                         "uint8",   "bool",    "int16",    "uint16",  "uint32", "uint64"};
    struct err err;
    int64_t n = count(weight);
    str_addf(out, "{\"path\": \"%s\", \"dtype\": \"%s\", \"shape\": [", weight->path, dtypes[weight->dtype]);
    for (int i = 0; i < weight->rank; i++)
        str_addf(out, "%s%lld", i ? ", " : "", (long long)weight->dim[i]);
    if (n > 1 << 22) {
        str_add(out, "], \"values\": null}");
        return;
    }
    float *values = xcalloc((size_t)n + 1, 4);
    if (!keras_file_read(file, weight, is_int(weight), weight->rank, weight->dim, values, &err)) {
        str_addf(out, "], \"unreadable\": \"%s\"}", err.text);
        free(values);
        return;
    }
    str_add(out, "], \"values\": [");
    for (int64_t i = 0; i < n; i++) {
        str_add(out, i ? ", " : "");
        if (is_int(weight))
            str_addf(out, "%d", ((const int32_t *)(const void *)values)[i]);
        else if (values[i] == values[i] && values[i] - values[i] == 0)
            str_add_float(out, values[i]);
        else
            str_addf(out, "\"%s\"", values[i] != values[i] ? "NaN" : values[i] > 0 ? "Infinity" : "-Infinity");
    }
    str_add(out, "]}");
    free(values);
}

static int dump(const char *path)
{
    struct err err;
    struct str out = {0};
    size_t n;
    struct keras_file *file = keras_file_open(path, &err);
    if (!file)
        return fail(&err);
    str_addf(&out, "{\"format\": \"%s\", \"config\": ", keras_file_format_name(keras_file_format(file)));
    js_write(&out, keras_file_config(file) ? keras_file_config(file) : json_null(), 0);
    str_add(&out, ", \"metadata\": ");
    js_write(&out, keras_file_metadata(file) ? keras_file_metadata(file) : json_null(), 0);
    str_add(&out, ", \"weights\": [");
    const struct weight *weights = keras_file_weights(file, &n);
    for (size_t i = 0; i < n; i++) {
        str_add(&out, i ? ",\n" : "\n");
        add_weight(&out, file, &weights[i]);
    }
    str_add(&out, "], \"problems\": ");
    json_t *problems = json_array();
    const char *const *texts = keras_file_problems(file, &n);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(problems, json_string(texts[i]));
    js_write(&out, problems, 0);
    str_add(&out, "}");
    puts(str_text(&out));
    json_decref(problems);
    str_release(&out);
    keras_file_close(file);
    return 0;
}

static int copy(const char *from, const char *to)
{
    struct err err;
    size_t n;
    struct keras_file *file = keras_file_open(from, &err);
    if (!file)
        return fail(&err);
    const struct weight *weights = keras_file_weights(file, &n);
    struct weight *copies = xcalloc(n + 1, sizeof *copies);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        void *data = xcalloc((size_t)count(&weights[i]) + 1, 4);
        copies[i] = weights[i];
        copies[i].dtype = is_int(&weights[i]) ? WEIGHT_I32 : WEIGHT_F32;
        copies[i].data = data;
        ok = keras_file_read(file, &weights[i], is_int(&weights[i]), weights[i].rank, weights[i].dim, data, &err);
    }
    json_t *ours = json_pack("{s:{s:i}}", "antler", "epoch", 3);
    struct model_parts parts = {keras_file_config(file), ours, copies, n, NULL, 0};
    double start = io_monotonic_seconds();
    ok = ok && keras_file_write(to, &parts, &err);
    fprintf(stderr, "written in %.3f s\n", io_monotonic_seconds() - start);
    for (size_t i = 0; i < n; i++)
        free((void *)copies[i].data);
    free(copies);
    json_decref(ours);
    keras_file_close(file);
    return ok ? 0 : fail(&err);
}

static int sample(const char *to)
{
    static const float f32[] = {1.5f, -2.0f};
    static const double f64[] = {1e300};
    static const uint16_t f16[] = {0x3c00, 0x0001, 0xfbff}, bf16[] = {0x3f80, 0x4049};
    static const int32_t i32[] = {-7};
    static const int64_t i64[] = {1LL << 40};
    static const int8_t i8[] = {-128, 127};
    static const uint8_t u8[] = {255}, truth[] = {0, 1};
    static const int16_t i16[] = {-300};
    static const uint16_t u16[] = {65535};
    static const uint32_t u32[] = {4294967295u};
    static const uint64_t u64[] = {18446744073709551615u};
    const struct weight weights[] = {
        {"layers/a/vars/0", WEIGHT_F32, 2, {1, 2}, f32}, {"layers/a/vars/1", WEIGHT_F64, 0, {0}, f64},
        {"layers/a/vars/2", WEIGHT_F16, 1, {3}, f16},    {"layers/b/vars/0", WEIGHT_BF16, 1, {2}, bf16},
        {"layers/b/vars/1", WEIGHT_I32, 0, {0}, i32},    {"layers/b/vars/2", WEIGHT_I64, 1, {1}, i64},
        {"layers/b/vars/3", WEIGHT_I8, 1, {2}, i8},      {"layers/b/vars/4", WEIGHT_U8, 1, {1}, u8},
        {"layers/b/vars/5", WEIGHT_BOOL, 1, {2}, truth}, {"layers/b/vars/6", WEIGHT_F32, 2, {0, 4}, f32},
        {"layers/b/vars/7", WEIGHT_I16, 1, {1}, i16},    {"layers/b/vars/8", WEIGHT_U16, 1, {1}, u16},
        {"layers/b/vars/9", WEIGHT_U32, 1, {1}, u32},    {"layers/b/vars/10", WEIGHT_U64, 1, {1}, u64},
    };
    static const char *const groups[] = {"layers/flatten/vars"};
    struct model_parts parts = {NULL, NULL, weights, sizeof weights / sizeof *weights, groups, 1};
    struct err err;
    return keras_file_write(to, &parts, &err) ? 0 : fail(&err);
}

static int image(const char *path, const char *mode)
{
    struct err err;
    struct image picture;
    enum image_color color;
    if (!image_color_parse(mode, &color))
        return 2;
    if (!image_read(path, color, &picture, &err))
        return fail(&err);
    printf("{\"height\": %d, \"width\": %d, \"pixels\": [", picture.height, picture.width);
    for (int i = 0; i < picture.height * picture.width * picture.channels; i++)
        printf("%s%d", i ? "," : "", picture.pixels[i]);
    puts("]}");
    image_release(&picture);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "dump"))
        return dump(argv[2]);
    if (argc == 4 && !strcmp(argv[1], "copy"))
        return copy(argv[2], argv[3]);
    if (argc == 3 && !strcmp(argv[1], "sample"))
        return sample(argv[2]);
    if (argc == 4 && !strcmp(argv[1], "image"))
        return image(argv[2], argv[3]);
    fprintf(stderr, "usage: file_tool dump FILE | copy FILE TO | sample TO | image FILE MODE\n");
    return 2;
}
