/* sample.c - see sample.h: reading. sample_draw.c draws. */
#include "base/arena.h"
#include "tui/app/human.h"
#include "tui/client/evaluation.h"
#include "tui/client/packed_picture.h"
#include "tui/results/sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char **read_names(const json_t *array, size_t *n, struct arena *arena)
{
    *n = json_array_size(array);
    const char **names = *n ? arena_array(arena, *n, sizeof *names) : NULL;
    for (size_t i = 0; i < *n; i++) {
        const char *name = json_string_value(json_array_get(array, i));
        names[i] = arena_strdup(arena, name ? name : "");
    }
    return names;
}

static const double *read_factors(const json_t *array, size_t *n, struct arena *arena)
{
    *n = json_array_size(array);
    double *out = arena_array(arena, *n + 1, sizeof *out);
    for (size_t i = 0; i < *n; i++)
        if (!js_to_double(json_array_get(array, i), &out[i]))
            out[i] = 1;
    return out;
}

void sample_data_read(struct sample_data *data, const json_t *json, struct arena *arena)
{
    *data = (struct sample_data){.total = js_int(json, "total", 0)};
    const json_t *learnt = json_object_get(json, "learnt"), *vocabulary = json_object_get(learnt, "vocabulary");
    const json_t *scale = json_array_get(json_object_get(learnt, "inputs"), 0);
    data->classes = read_names(json_object_get(learnt, "class_names"), &data->n_classes, arena);
    data->columns = read_names(json_object_get(learnt, "columns"), &data->n_columns, arena);
    data->vocabulary = read_names(vocabulary, &data->n_vocabulary, arena);
    data->bytes = json_is_string(vocabulary);
    size_t n_subtract, n_multiply;
    data->subtract = read_factors(json_object_get(scale, "subtract"), &n_subtract, arena);
    data->multiply = read_factors(json_object_get(scale, "multiply"), &n_multiply, arena);
    data->n_scale = n_subtract == n_multiply ? n_multiply : 0;
}

static size_t count_numbers(const json_t *json)
{
    size_t n = 0, i;
    const json_t *entry;
    if (!json_is_array(json))
        return json && !json_is_null(json);
    json_array_foreach((json_t *)json, i, entry)
        n += count_numbers(entry);
    return n;
}

static void copy_numbers(const json_t *json, float **out)
{
    size_t i;
    const json_t *entry;
    if (!json_is_array(json)) {
        double value = NAN;
        js_to_double(json, &value);
        *(*out)++ = (float)value;
        return;
    }
    json_array_foreach((json_t *)json, i, entry)
        copy_numbers(entry, out);
}

static void set_dims(struct numbers *numbers, const json_t *shape)
{
    numbers->rank = (int)json_array_size(shape);
    if (numbers->rank > SAMPLE_MAX_RANK) { /* drawn as plain numbers */
        numbers->rank = 1;
        numbers->dim[0] = (int)numbers->n;
        return;
    }
    for (int k = 0; k < numbers->rank; k++)
        numbers->dim[k] = (int)json_integer_value(json_array_get(shape, (size_t)k));
}

/* Nested arrays know their own shape. */
static void set_nested_dims(struct numbers *numbers, const json_t *json)
{
    numbers->rank = 0;
    for (; json_is_array(json) && numbers->rank < SAMPLE_MAX_RANK; json = json_array_get(json, 0))
        numbers->dim[numbers->rank++] = (int)json_array_size(json);
}

static void read_numbers(struct numbers *numbers, const json_t *values, const json_t *shape, const char *name,
                         struct arena *arena)
{
    *numbers = (struct numbers){.name = name ? arena_strdup(arena, name) : NULL, .n = count_numbers(values)};
    float *copy = arena_array(arena, numbers->n + 1, sizeof *copy), *to = copy;
    if (numbers->n)
        copy_numbers(values, &to);
    numbers->values = copy;
    if (shape)
        set_dims(numbers, shape);
    else
        set_nested_dims(numbers, values);
}

static void read_pixels(struct numbers *numbers, const char *pixels, const json_t *shape, const json_t *input,
                        struct arena *arena)
{
    const char *name = js_string(input, "name", NULL);
    double lo = js_double(input, "lo", 0), hi = js_double(input, "hi", 1);
    *numbers = (struct numbers){.name = name ? arena_strdup(arena, name) : NULL, .n = strlen(pixels) / 2};
    float *values = arena_array(arena, numbers->n + 1, sizeof *values);
    packed_read(pixels, numbers->n, lo, hi, values);
    numbers->values = values;
    set_dims(numbers, shape);
}

void sample_read(struct sample *sample, const json_t *detail, const json_t *output, struct arena *arena)
{
    *sample = (struct sample){.index = js_int(detail, "index", 0),
                              .label = js_int(detail, "label", -1),
                              .predicted = js_int(detail, "predicted", -1),
                              .probability = js_double(detail, "probability", NAN),
                              .loss = js_double(detail, "loss", NAN)};
    const json_t *inputs = json_object_get(detail, "inputs"), *input;
    size_t i;
    json_array_foreach((json_t *)inputs, i, input) {
        if (i == SAMPLE_MAX_INPUTS)
            break;
        const json_t *shown = json_object_get(input, "shown");
        const char *pixels = js_string(input, "pixels", NULL);
        if (pixels) {
            read_pixels(&sample->inputs[sample->n_inputs++], pixels, shown ? shown : json_object_get(input, "shape"),
                        input, arena);
            continue;
        }
        read_numbers(&sample->inputs[sample->n_inputs++], json_object_get(input, "values"),
                     shown ? shown : json_object_get(input, "shape"), js_string(input, "name", NULL), arena);
    }
    read_numbers(&sample->output, output ? output : json_object_get(detail, "output"), NULL, NULL, arena);
    read_numbers(&sample->target, json_object_get(detail, "target"), NULL, NULL, arena);
}

void sample_read_truth(struct sample *sample, const json_t *truth, struct arena *arena)
{
    sample->label = js_int(truth, "label", -1);
    sample->predicted = js_int(truth, "predicted", -1);
    sample->probability = js_double(truth, "probability", NAN);
    read_numbers(&sample->target, json_object_get(truth, "target"), NULL, NULL, arena);
}

static void add_numbers(struct str *text, const json_t *value, int *left)
{
    const json_t *item;
    size_t i;
    if (json_is_array(value)) {
        json_array_foreach((json_t *)value, i, item)
            add_numbers(text, item, left);
    } else if (--*left >= 0) { /* what is no number comes as its word */
        str_addf(text, "  %s",
                 json_is_number(value) ? human_metric(json_number_value(value)).text : json_string_value(value));
    }
}

void sample_add_other(struct sample *sample, const char *name, const json_t *output, struct arena *arena)
{
    enum { MOST_NUMBERS = 12 };
    struct str text = {0};
    int left = MOST_NUMBERS;
    if (sample->n_others == SAMPLE_MAX_OTHERS)
        return;
    add_numbers(&text, output, &left);
    sample->others[sample->n_others++] = arena_printf(arena, "%s%s%s", name, str_text(&text), left < 0 ? " …" : "");
    str_release(&text);
}

char *sample_class(const struct sample_data *data, int64_t label, char *text, size_t size)
{
    if (!data->plain_classes && label >= 0 && (size_t)label < data->n_classes)
        snprintf(text, size, "%s", evaluation_class_word(data->classes[label]));
    else if (!data->plain_classes && label >= 0 && (size_t)label < data->n_vocabulary)
        snprintf(text, size, "%s", evaluation_class_word(data->vocabulary[label]));
    else
        snprintf(text, size, "%lld", (long long)label);
    return text;
}

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xC0) != 0x80;
}

/* Bytes of the first n characters. */
static size_t bytes_of(const char *text, int n)
{
    size_t at = 0;
    for (; n > 0 && text[at]; n--)
        for (at++; text[at] && !begins_character(text[at]); at++)
            ;
    return at;
}

char *sample_class_within(const struct sample_data *data, int64_t label, int columns, char *text, size_t size)
{
    char whole[160];
    int n = 0, head = (columns - 1) / 2, tail = columns - 1 - head;
    sample_class(data, label, whole, sizeof whole);
    for (const char *at = whole; *at; at++)
        n += begins_character(*at);
    if (n <= columns || columns < 3)
        snprintf(text, size, "%s", whole);
    else
        snprintf(text, size, "%.*s…%s", (int)bytes_of(whole, head), whole, whole + bytes_of(whole, n - tail));
    return text;
}

char *sample_last_token(const struct sample_data *data, const struct numbers *numbers, bool scores, char *text,
                        size_t size)
{
    size_t width = scores && numbers->rank ? (size_t)numbers->dim[numbers->rank - 1] : 1;
    if ((!data->bytes && !data->n_vocabulary) || !width || numbers->n < width)
        return NULL;
    const float *last = numbers->values + numbers->n - width;
    size_t token = 0;
    for (size_t i = 1; scores && i < width; i++)
        token = last[i] > last[token] ? i : token;
    double value = scores ? (double)token : (double)*last;
    bool known = !data->bytes && value >= 0 && (size_t)value < data->n_vocabulary;
    const char *name = known ? data->vocabulary[(size_t)value] : NULL;
    char byte[2] = {data->bytes && value >= 0 && value < 127 ? (char)value : 0, 0};
    if (name || byte[0] == '\n' || byte[0] == '\t' || byte[0] >= ' ')
        snprintf(text, size, "%s", evaluation_class_word(name ? name : byte));
    else
        snprintf(text, size, "%.0f", value);
    return text;
}

bool sample_is_right(const struct sample *sample)
{
    return sample->label >= 0 && sample->label == sample->predicted;
}

double sample_error(const struct sample *sample)
{
    return sample->output.n == 1 && sample->target.n == 1
               ? fabs((double)sample->output.values[0] - (double)sample->target.values[0])
               : NAN;
}

bool sample_is_picture(const struct numbers *input, int *height, int *width, int *channels)
{
    enum { LEAST_SIDE = 6 };
    const int *dim = input->dim;
    *channels = input->rank == 3 ? dim[2] : 1;
    *height = input->rank >= 2 ? dim[0] : (int)lround(sqrt((double)input->n));
    *width = input->rank >= 2 ? dim[1] : *height;
    bool shaped = (input->rank == 2 || input->rank == 3) && (*channels == 1 || *channels == 3);
    return input->n && (shaped || input->rank == 1) && *height >= LEAST_SIDE && *width >= LEAST_SIDE &&
           (size_t)*height * (size_t)*width * (size_t)*channels == input->n;
}
