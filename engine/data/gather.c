/* gather.c - samples out of their tables into dense batches: conversion, scale, one-hot. The only part of data/ that
 * runs while training. */
#include "engine/data/parts.h"

#include <string.h>

/* One loop for each pair of types, simple enough for the compiler to make vectors of. */
#define CONVERT(type_code, from_type, to_type, expression)                                                             \
    case type_code: {                                                                                                  \
        const from_type *x = (const from_type *)data + start;                                                          \
        for (int64_t i = 0; i < n; i++)                                                                                \
            out[i] = (to_type)(expression);                                                                            \
        break;                                                                                                         \
    }
#define CONVERT_INTEGERS(to_type)                                                                                      \
    CONVERT(NPY_BOOL, uint8_t, to_type, x[i] != 0)                                                                     \
    CONVERT(NPY_U8, uint8_t, to_type, x[i])                                                                            \
    CONVERT(NPY_I8, int8_t, to_type, x[i])                                                                             \
    CONVERT(NPY_U16, uint16_t, to_type, x[i])                                                                          \
    CONVERT(NPY_I16, int16_t, to_type, x[i])                                                                           \
    CONVERT(NPY_U32, uint32_t, to_type, x[i])                                                                          \
    CONVERT(NPY_U64, uint64_t, to_type, x[i])                                                                          \
    CONVERT(NPY_I64, int64_t, to_type, x[i])                                                                           \
    CONVERT(NPY_F16, uint16_t, to_type, npy_half_to_float(x[i]))                                                       \
    CONVERT(NPY_F64, double, to_type, x[i])

static void to_float(const struct npy *a, int64_t start, int64_t n, float *restrict out)
{
    const void *data = a->data;
    switch (a->type) {
        CONVERT_INTEGERS(float)
        CONVERT(NPY_I32, int32_t, float, x[i])
    case NPY_F32:
        memcpy(out, (const float *)data + start, (size_t)n * sizeof *out);
        break;
    case NPY_TYPE_COUNT:
        break;
    }
}

static void to_int(const struct npy *a, int64_t start, int64_t n, int32_t *restrict out)
{
    const void *data = a->data;
    switch (a->type) {
        CONVERT_INTEGERS(int32_t)
        CONVERT(NPY_F32, float, int32_t, x[i])
    case NPY_I32:
        memcpy(out, (const int32_t *)data + start, (size_t)n * sizeof *out);
        break;
    case NPY_TYPE_COUNT:
        break;
    }
}

static void rescale(const struct input_scale *scale, float *restrict out, int64_t n)
{
    if (scale->period == 1 && !scale->subtract) {
        for (int64_t i = 0; i < n; i++)
            out[i] *= scale->multiply[0];
        return;
    }
    for (int64_t i = 0; i < n; i += scale->period, out += scale->period)
        for (int64_t k = 0; k < scale->period; k++)
            out[k] = (out[k] - scale->subtract[k]) * scale->multiply[k];
}

/* Samples lie anywhere in a large array: the next one is fetched while this one is converted. Small
 * ones arrive soon enough. */
static void fetch_sample(const struct npy *a, int64_t start, int64_t n)
{
    enum { LINE = 64, LEAST = 8 * LINE, MOST = 128 * LINE };
    size_t size = npy_type_size(a->type), bytes = (size_t)n * size;
    const char *from = (const char *)a->data + (size_t)start * size;
    for (size_t at = 0; bytes >= LEAST && at < bytes && at < MOST; at += LINE)
        __builtin_prefetch(from + at);
}

void dataset_gather_input(const struct dataset *ds, enum split split, int input, const int64_t *positions, int64_t n,
                          void *out)
{
    const struct dataset_parts *p = ds->parts;
    const struct samples *s = &p->split[split].table->inputs[input];
    int64_t elements = shape_elements(s->shape), first = p->split[split].first;
    for (int64_t i = 0; i < n; i++) {
        int64_t start = sample_start(s, first + positions[i]);
        if (i + 1 < n)
            fetch_sample(&s->array, sample_start(s, first + positions[i + 1]), elements);
        if (ds->inputs[input].dtype == DTYPE_I32) {
            to_int(&s->array, start, elements, (int32_t *)out + i * elements);
            continue;
        }
        float *to = (float *)out + i * elements;
        to_float(&s->array, start, elements, to);
        if (p->scales[input].period)
            rescale(&p->scales[input], to, elements);
    }
}

static void one_hot(int64_t label, int64_t classes, enum dtype dtype, void *out)
{
    memset(out, 0, (size_t)classes * 4);
    if (dtype == DTYPE_I32)
        ((int32_t *)out)[label] = 1;
    else
        ((float *)out)[label] = 1;
}

void dataset_gather_target(const struct dataset *ds, enum split split, int target, const int64_t *positions, int64_t n,
                           enum dtype dtype, void *out)
{
    const struct dataset_parts *p = ds->parts;
    const struct samples *s = &p->split[split].table->targets[target];
    int64_t elements = shape_elements(ds->targets[target].shape), first = p->split[split].first;
    for (int64_t i = 0; i < n; i++) {
        int64_t start = sample_start(s, first + positions[i]);
        char *to = (char *)out + i * elements * 4;
        if (p->one_hot)
            one_hot((int64_t)npy_value(&s->array, start), p->one_hot, dtype, to);
        else if (dtype == DTYPE_I32)
            to_int(&s->array, start, elements, (int32_t *)(void *)to);
        else
            to_float(&s->array, start, elements, (float *)(void *)to);
    }
}

void dataset_gather_weight(const struct dataset *ds, enum split split, const int64_t *positions, int64_t n, float *out)
{
    const struct npy *weight = &ds->parts->split[split].table->weight;
    for (int64_t i = 0; i < n; i++)
        out[i] = weight->data ? (float)npy_value(weight, ds->parts->split[split].first + positions[i]) : 1;
}
