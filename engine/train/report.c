/* report.c - see report.h */
#include "engine/train/report.h"
#include "base/io.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *nested(const float **values, const struct shape *shape, int axis)
{
    if (axis == shape->rank)
        return js_number(*(*values)++);
    json_t *array = json_array();
    for (int64_t i = 0; i < shape->dim[axis]; i++)
        json_array_append_new(array, nested(values, shape, axis + 1));
    return array;
}

json_t *report_values(const float *values, struct shape shape)
{
    return nested(&values, &shape, 0);
}

/* A picture made smaller so that it can be sent: the mean of blocks of `side` x `side` pixels, those at the edges of
 * what there is of them. */
static struct shape shrink_picture(const float *from, struct shape shape, int64_t side, float *to)
{
    int64_t h = shape.dim[0], w = shape.dim[1], channels = shape.rank == 3 ? shape.dim[2] : 1;
    struct shape small = shape;
    small.dim[0] = (h + side - 1) / side;
    small.dim[1] = (w + side - 1) / side;
    for (int64_t y = 0; y < small.dim[0]; y++)
        for (int64_t x = 0; x < small.dim[1]; x++)
            for (int64_t c = 0; c < channels; c++) {
                double sum = 0;
                int64_t n = 0;
                for (int64_t v = y * side; v < (y + 1) * side && v < h; v++)
                    for (int64_t u = x * side; u < (x + 1) * side && u < w; u++, n++)
                        sum += from[(v * w + u) * channels + c];
                *to++ = (float)(sum / (double)n);
            }
    return small;
}

/* The side of blocks that makes a picture fit; 0: it is no picture. */
static int64_t shrink_side(struct shape shape, enum dtype dtype)
{
    bool picture =
        dtype == DTYPE_F32 && (shape.rank == 2 || (shape.rank == 3 && (shape.dim[2] == 1 || shape.dim[2] == 3)));
    int64_t channels = shape.rank == 3 ? shape.dim[2] : 1, side = 1;
    while (picture &&
           ((shape.dim[0] + side - 1) / side) * ((shape.dim[1] + side - 1) / side) * channels > REPORT_SAMPLE_VALUES)
        side++;
    return picture ? side : 0;
}

/* "lo", "hi" and "pixels": two hexadecimal digits a number, from lo (00) to hi (ff). A screenful of pictures as JSON
 * numbers takes a reader half a second, so a few milliseconds. Values that are not finite are lo. */
static void add_pixels(json_t *json, const float *values, int64_t n)
{
    static const char digits[] = "0123456789abcdef";
    float lo = INFINITY, hi = -INFINITY;
    char *text = xmalloc(2 * (size_t)n + 1);
    for (int64_t i = 0; i < n; i++) {
        lo = isfinite(values[i]) ? fminf(lo, values[i]) : lo;
        hi = isfinite(values[i]) ? fmaxf(hi, values[i]) : hi;
    }
    for (int64_t i = 0; i < n; i++) {
        double share = hi > lo && isfinite(values[i]) ? ((double)values[i] - lo) / ((double)hi - lo) : 0;
        int byte = (int)(share * 255 + 0.5);
        text[2 * i] = digits[byte >> 4];
        text[2 * i + 1] = digits[byte & 15];
    }
    text[2 * n] = 0;
    json_object_set_new(json, "lo", js_number(lo));
    json_object_set_new(json, "hi", js_number(hi));
    json_object_set_new(json, "pixels", json_string(text));
    free(text);
}

/* Pictures as shapes say them, and flat squares such as 784. */
static bool is_picture(struct shape shape, int64_t n)
{
    int64_t side = (int64_t)lround(sqrt((double)n));
    return shape.rank == 2 || (shape.rank == 3 && (shape.dim[2] == 1 || shape.dim[2] == 3)) ||
           (shape.rank == 1 && side * side == n);
}

static json_t *input_json(const struct dataset *data, enum split split, int input, int64_t position, bool packed)
{
    const struct field *field = &data->inputs[input];
    int64_t n = shape_elements(field->shape),
            side = n > REPORT_SAMPLE_VALUES ? shrink_side(field->shape, field->dtype) : 1;
    struct shape shown = field->shape;
    json_t *json = json_object();
    if (field->name)
        json_object_set_new(json, "name", json_string(field->name));
    json_object_set_new(json, "shape", shape_json(field->shape));
    if (!side)
        return json;
    uint32_t *block = xcalloc((size_t)n + 1, sizeof *block); /* float32 or int32 */
    dataset_gather_input(data, split, input, &position, 1, block);
    if (side > 1) {
        shown = shrink_picture((const float *)block, field->shape, side, (float *)block);
        json_object_set_new(json, "shown", shape_json(shown));
        n = shape_elements(shown);
    }
    if (packed && n >= REPORT_PACKED && field->dtype == DTYPE_F32 && is_picture(shown, n)) {
        add_pixels(json, (const float *)block, n);
    } else {
        json_t *values = json_array();
        for (int64_t i = 0; i < n; i++) {
            float number;
            memcpy(&number, &block[i], sizeof number);
            json_array_append_new(values,
                                  field->dtype == DTYPE_I32 ? json_integer((int32_t)block[i]) : js_number(number));
        }
        json_object_set_new(json, "values", values);
    }
    free(block);
    return json;
}

static struct report_output first_target(const struct dataset *data)
{
    return (struct report_output){.n_classes = data->n_classes, .class_names = data->class_names};
}

bool report_output_of(const struct session *session, const struct dataset *data, int output, struct report_output *o)
{
    int target = data->n_targets ? session_target_field(session, data, output) : -1;
    if (target < 0)
        return false;
    *o = first_target(data);
    if (target > 0)
        *o = (struct report_output){0};
    if (target > 0 && session->compile)
        o->n_classes = compile_output_classes(session->compile, output);
    o->index = output;
    o->target = target;
    return true;
}

int64_t report_true_class(const struct dataset *data, const struct report_output *o, enum split split, int64_t position)
{
    if (!data->n_targets || o->n_classes < 2)
        return -1;
    int64_t width = shape_elements(data->targets[o->target].shape);
    float *row = xcalloc((size_t)width + 1, sizeof *row);
    dataset_gather_target(data, split, o->target, &position, 1, DTYPE_F32, row);
    int64_t best = 0;
    for (int64_t c = 1; c < width; c++)
        if (row[c] > row[best])
            best = c;
    bool whole = o->target == 0 || row[0] == floorf(row[0]);
    int64_t class = width == 1 && whole ? (int64_t)row[0] : width == o->n_classes ? best : -1;
    free(row);
    return class >= 0 && class < o->n_classes ? class : -1;
}

void report_set_class(json_t *json, const char *key, const char *name_key, const struct report_output *o, int64_t class)
{
    json_object_set_new(json, key, json_integer(class));
    if (o->class_names && class < o->n_classes)
        json_object_set_new(json, name_key, json_string(o->class_names[class]));
}

static json_t *target_json(const struct dataset *data, int target, enum split split, int64_t position)
{
    struct shape shape = data->targets[target].shape;
    int64_t n = shape_elements(shape);
    if (n > REPORT_SAMPLE_VALUES)
        return json_null();
    float *values = xcalloc((size_t)n + 1, sizeof *values);
    dataset_gather_target(data, split, target, &position, 1, DTYPE_F32, values);
    json_t *json = report_values(values, shape);
    free(values);
    return json;
}

void report_add_truth(json_t *json, const struct dataset *data, const struct report_output *o, enum split split,
                      int64_t position)
{
    int64_t class = report_true_class(data, o, split, position);
    if (class >= 0)
        report_set_class(json, "label", "class", o, class);
    else if (data->n_targets)
        json_object_set_new(json, "target", target_json(data, o->target, split, position));
}

json_t *report_sample(const struct dataset *data, enum split split, int64_t position, bool packed)
{
    struct report_output o = first_target(data);
    return report_sample_of(data, &o, split, position, packed);
}

json_t *report_sample_of(const struct dataset *data, const struct report_output *o, enum split split, int64_t position,
                         bool packed)
{
    json_t *sample = json_pack("{s:I}", "index", (json_int_t)position), *inputs = json_array();
    for (int i = 0; i < data->n_inputs; i++)
        json_array_append_new(inputs, input_json(data, split, i, position, packed));
    json_object_set_new(sample, "inputs", inputs);
    report_add_truth(sample, data, o, split, position);
    return sample;
}

static bool are_probabilities(const float *values, int64_t n)
{
    double sum = 0;
    for (int64_t c = 0; c < n; c++) {
        if (!(values[c] >= 0 && values[c] <= 1))
            return false;
        sum += values[c];
    }
    return fabs(sum - 1) < 1e-3;
}

double report_class_probability(const float *values, int64_t n, int64_t class)
{
    if (are_probabilities(values, n))
        return values[class];
    double largest = values[0], exponentials = 0;
    for (int64_t c = 0; c < n; c++)
        largest = fmax(largest, values[c]);
    for (int64_t c = 0; c < n; c++)
        exponentials += exp(values[c] - largest);
    return exp(values[class] - largest) / exponentials;
}

bool report_predicted_class(const float *values, struct shape shape, const struct dataset *data, int64_t *predicted,
                            double *probability)
{
    int64_t n = shape_elements(shape);
    bool without_targets =
        !data->n_targets && !data->n_classes && shape.rank == 1 && n >= 2 && are_probabilities(values, n);
    return report_class_of(values, shape, without_targets ? n : data->n_classes, predicted, probability);
}

bool report_class_of(const float *values, struct shape shape, int64_t n_classes, int64_t *predicted,
                     double *probability)
{
    int64_t n = shape_elements(shape);
    for (int64_t i = 0; shape.rank == 1 && i < n; i++)
        if (isnan(values[i]))
            return false;
    if (shape.rank == 1 && n == 1 && n_classes == 2) {
        *predicted = values[0] > 0.5f;
        *probability = *predicted ? values[0] : 1 - values[0];
        return true;
    }
    if (shape.rank != 1 || n < 2 || n != n_classes)
        return false;
    *predicted = 0;
    for (int64_t c = 1; c < n; c++)
        if (values[c] > values[*predicted])
            *predicted = c;
    *probability = report_class_probability(values, n, *predicted);
    return true;
}

json_t *report_data(const struct dataset *data, enum split split)
{
    json_t *parts = json_object();
    for (int s = 0; s < SPLIT_COUNT; s++)
        json_object_set_new(parts, split_names[s], json_integer(data->n_samples[s]));
    return json_pack("{s:I,s:o,s:o}", "total", (json_int_t)data->n_samples[split], "parts", parts, "learnt",
                     dataset_scale(data));
}
