/* report.c - see report.h */
#include "engine/train/report.h"
#include "base/io.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *shape_json(struct shape shape)
{
    json_t *json = json_array();
    for (int k = 0; k < shape.rank; k++)
        json_array_append_new(json, json_integer(shape.dim[k]));
    return json;
}

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

/* The class of a sample's first target (a label, or the largest of a one-hot row); -1 when targets are no classes. */
static int64_t true_class(const struct dataset *data, enum split split, int64_t position)
{
    if (!data->n_targets || data->n_classes < 2)
        return -1;
    int64_t width = shape_elements(data->targets[0].shape);
    float *row = xcalloc((size_t)width + 1, sizeof *row);
    dataset_gather_target(data, split, 0, &position, 1, DTYPE_F32, row);
    int64_t best = 0;
    for (int64_t c = 1; c < width; c++)
        if (row[c] > row[best])
            best = c;
    int64_t class = width == 1 ? (int64_t)row[0] : width == data->n_classes ? best : -1;
    free(row);
    return class >= 0 && class < data->n_classes ? class : -1;
}

static void set_class(json_t *json, const char *key, const char *name_key, const struct dataset *data, int64_t class)
{
    json_object_set_new(json, key, json_integer(class));
    if (data->class_names && class < data->n_classes)
        json_object_set_new(json, name_key, json_string(data->class_names[class]));
}

static json_t *target_json(const struct dataset *data, enum split split, int64_t position)
{
    struct shape shape = data->targets[0].shape;
    int64_t n = shape_elements(shape);
    if (n > REPORT_SAMPLE_VALUES)
        return json_null();
    float *values = xcalloc((size_t)n + 1, sizeof *values);
    dataset_gather_target(data, split, 0, &position, 1, DTYPE_F32, values);
    json_t *json = report_values(values, shape);
    free(values);
    return json;
}

json_t *report_sample(const struct dataset *data, enum split split, int64_t position, bool packed)
{
    json_t *sample = json_pack("{s:I}", "index", (json_int_t)position), *inputs = json_array();
    for (int i = 0; i < data->n_inputs; i++)
        json_array_append_new(inputs, input_json(data, split, i, position, packed));
    json_object_set_new(sample, "inputs", inputs);
    int64_t class = true_class(data, split, position);
    if (class >= 0)
        set_class(sample, "label", "class", data, class);
    else if (data->n_targets)
        json_object_set_new(sample, "target", target_json(data, split, position));
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

/* The probability of a class: the value itself where the outputs are probabilities, else their softmax (a model that
 * ends in logits). */
static double class_probability(const float *values, int64_t n, int64_t class)
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
    for (int64_t i = 0; shape.rank == 1 && i < n; i++)
        if (isnan(values[i]))
            return false;
    if (shape.rank == 1 && n == 1 && data->n_classes == 2) {
        *predicted = values[0] > 0.5f;
        *probability = *predicted ? values[0] : 1 - values[0];
        return true;
    }
    bool without_targets = !data->n_targets && !data->n_classes && n >= 2 && are_probabilities(values, n);
    if (shape.rank != 1 || n < 2 || (n != data->n_classes && !without_targets))
        return false;
    *predicted = 0;
    for (int64_t c = 1; c < n; c++)
        if (values[c] > values[*predicted])
            *predicted = c;
    *probability = class_probability(values, n, *predicted);
    return true;
}

struct hard { /* one of the hardest samples */
    int64_t position, label, predicted;
    double loss;
};

/* How wrong one sample is: -log of the probability given to its class; mean squared error otherwise. */
static double sample_loss(const float *values, struct shape shape, const struct dataset *data, enum split split,
                          int64_t position, int64_t label)
{
    int64_t n = shape_elements(shape);
    if (label >= 0) {
        double p = n == 1 ? (label ? values[0] : 1 - (double)values[0]) : class_probability(values, n, label);
        return -log(fmax(p, 1e-7));
    }
    if (shape_elements(data->targets[0].shape) != n)
        return NAN;
    float *target = xcalloc((size_t)n + 1, sizeof *target);
    dataset_gather_target(data, split, 0, &position, 1, DTYPE_F32, target);
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (values[i] - (double)target[i]) * (values[i] - (double)target[i]);
    free(target);
    return sum / (double)n;
}

/* Keeps the list falling by loss. */
static void insert_hard(struct hard *list, int *n, struct hard h)
{
    if (isnan(h.loss))
        return;
    int at = *n < REPORT_HARDEST ? (*n)++ : REPORT_HARDEST;
    while (at > 0 && list[at - 1].loss < h.loss) {
        if (at < REPORT_HARDEST)
            list[at] = list[at - 1];
        at--;
    }
    if (at < REPORT_HARDEST)
        list[at] = h;
}

static json_t *hardest_json(const struct dataset *data, enum split split, const struct prediction *p,
                            const struct hard *list, int n)
{
    json_t *all = json_array();
    int64_t elements = shape_elements(p->shape);
    for (int i = 0; i < n; i++) {
        json_t *sample = report_sample(data, split, list[i].position, true);
        if (list[i].predicted >= 0)
            set_class(sample, "predicted", "predicted_class", data, list[i].predicted);
        if (elements <= REPORT_SAMPLE_VALUES)
            json_object_set_new(sample, "output", report_values(p->values + list[i].position * elements, p->shape));
        json_object_set_new(sample, "loss", js_number(list[i].loss));
        json_array_append_new(all, sample);
    }
    return all;
}

static double ratio(int64_t part, int64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static void add_classes(json_t *result, const struct dataset *data, const int64_t *confusion)
{
    int64_t n = data->n_classes;
    json_t *rows = json_array(), *classes = json_array();
    for (int64_t c = 0; c < n; c++) {
        json_t *row = json_array(), *class = json_object();
        int64_t said = 0, is = 0, right = confusion[c * n + c];
        for (int64_t k = 0; k < n; k++) {
            json_array_append_new(row, json_integer(confusion[c * n + k]));
            is += confusion[c * n + k];
            said += confusion[k * n + c];
        }
        json_array_append_new(rows, row);
        set_class(class, "label", "class", data, c);
        double precision = ratio(right, said), recall = ratio(right, is);
        json_object_set_new(class, "samples", json_integer(is));
        json_object_set_new(class, "precision", js_number(precision));
        json_object_set_new(class, "recall", js_number(recall));
        json_object_set_new(class, "f1",
                            js_number(precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0));
        json_array_append_new(classes, class);
    }
    json_object_set_new(result, "confusion", rows);
    json_object_set_new(result, "per_class", classes);
}

json_t *report_data(const struct dataset *data, enum split split)
{
    json_t *parts = json_object();
    for (int s = 0; s < SPLIT_COUNT; s++)
        json_object_set_new(parts, split_names[s], json_integer(data->n_samples[s]));
    return json_pack("{s:I,s:o,s:o}", "total", (json_int_t)data->n_samples[split], "parts", parts, "learnt",
                     dataset_scale(data));
}

/* True and predicted value of a model that says one number. */
static json_t *pairs_json(const struct dataset *data, enum split split, const struct predictions *predictions)
{
    json_t *pairs = json_array();
    int64_t step = predictions->n_samples / REPORT_PAIRS + 1;
    for (int64_t i = 0; i < predictions->n_samples; i += step) {
        float target = 0;
        dataset_gather_target(data, split, 0, &i, 1, DTYPE_F32, &target);
        json_array_append_new(pairs,
                              json_pack("[o,o]", js_number(target), js_number(predictions->outputs[0].values[i])));
    }
    return pairs;
}

bool report_details(const struct session *session, const struct dataset *data, enum split split,
                    const struct predictions *predictions, json_t *result, struct err *err)
{
    if (!data->n_targets || !predictions->n_outputs || session_target_field(session, data, 0) != 0)
        return true;
    const struct prediction *p = &predictions->outputs[0];
    int64_t elements = shape_elements(p->shape), n_classes = data->n_classes;
    bool small = n_classes >= 2 && n_classes <= REPORT_MAX_CLASSES, classes = small;
    int64_t *confusion =
        small ? io_allocate((size_t)(n_classes * n_classes) * sizeof *confusion, "the confusion matrix", err) : NULL;
    if (small && !confusion)
        return false;
    if (confusion)
        memset(confusion, 0, (size_t)(n_classes * n_classes) * sizeof *confusion);
    struct hard hardest[REPORT_HARDEST];
    int n_hardest = 0;
    for (int64_t i = 0; i < predictions->n_samples; i++) {
        struct hard h = {.position = i, .label = true_class(data, split, i), .predicted = -1};
        double probability;
        bool says = report_predicted_class(p->values + i * elements, p->shape, data, &h.predicted, &probability);
        h.loss = sample_loss(p->values + i * elements, p->shape, data, split, i, says ? h.label : -1);
        classes = classes && says && h.label >= 0;
        if (classes)
            confusion[h.label * n_classes + h.predicted]++;
        insert_hard(hardest, &n_hardest, h);
    }
    if (classes)
        add_classes(result, data, confusion);
    else if (elements == 1 && shape_elements(data->targets[0].shape) == 1)
        json_object_set_new(result, "pairs", pairs_json(data, split, predictions));
    json_object_set_new(result, "hardest", hardest_json(data, split, p, hardest, n_hardest));
    free(confusion);
    return true;
}
