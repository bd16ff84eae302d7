/* scale.c - what is learnt from the training part: means for missing cells, scales; see parts.h */
#include "engine/data/parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- missing cells ---- */

struct moments {                    /* of one position of the last axis over the training part, NaN left out */
    double sum, squares, low, high; /* squares: of the distances to the mean */
    int64_t n;
};

/* period entries, free() them. Rows are walked in order, twice. */
static struct moments *collect(const struct dataset *ds, int input, int64_t period)
{
    const struct samples *s = &ds->parts->tables[0]->inputs[input];
    int64_t elements = shape_elements(s->shape);
    struct moments *all = xcalloc((size_t)period, sizeof *all);
    for (int64_t k = 0; k < period; k++)
        all[k] = (struct moments){.low = INFINITY, .high = -INFINITY};
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < ds->n_samples[SPLIT_TRAIN]; i++)
            for (int64_t e = 0, start = sample_start(s, i); e < elements; e++) {
                double value = npy_value(&s->array, start + e);
                struct moments *m = &all[e % period];
                if (isnan(value))
                    continue;
                if (pass) {
                    double d = value - m->sum / (double)m->n;
                    m->squares += d * d;
                } else {
                    m->sum += value;
                    m->low = fmin(m->low, value);
                    m->high = fmax(m->high, value);
                    m->n++;
                }
            }
    return all;
}

static json_t *training_means(const struct dataset *ds)
{
    int64_t width = ds->parts->tables[0]->inputs[0].stride;
    struct moments *m = collect(ds, 0, width);
    json_t *means = json_array();
    for (int64_t c = 0; c < width; c++)
        json_array_append_new(means, json_real((double)(float)(m[c].n ? m[c].sum / (double)m[c].n : 0)));
    free(m);
    return means;
}

bool fill_missing(struct dataset *ds, const json_t *state, struct err *err)
{
    struct table *first = ds->parts->tables[0];
    if (!first->fill_mean)
        return true;
    json_t *means = json_incref(json_object_get(state, "fill"));
    if (!means && !ds->n_samples[SPLIT_TRAIN])
        return err_set(err, ERR_FORMAT, "%s: the means for missing cells are not kept with this model",
                       first->inputs[0].source);
    if (!means)
        means = training_means(ds);
    bool ok = json_array_size(means) == (size_t)first->inputs[0].stride;
    if (!ok)
        err_set(err, ERR_FORMAT, "%s has %lld columns, the means kept for missing cells are %zu",
                first->inputs[0].source, (long long)first->inputs[0].stride, json_array_size(means));
    for (int k = 0; ok && k < SPLIT_COUNT; k++) {
        struct table *t = ds->parts->tables[k];
        float *values = t && t->inputs[0].array.type == NPY_F32 ? t->inputs[0].array.owned : NULL;
        for (int64_t i = 0; values && i < t->inputs[0].array.n_elements; i++)
            if (isnan(values[i]))
                values[i] = (float)json_number_value(json_array_get(means, (size_t)(i % t->inputs[0].stride)));
    }
    json_object_set_new(ds->parts->state, "fill", means);
    return ok;
}

/* ---- scale ---- */

static bool parse_factor(const json_t *value, double *factor)
{
    const char *text = json_string_value(value), *slash = text ? strchr(text, '/') : NULL;
    double top, bottom;
    char number[32];
    if (json_is_number(value)) {
        *factor = json_number_value(value);
        return true;
    }
    if (!slash || (size_t)(slash - text) >= sizeof number)
        return false;
    memcpy(number, text, (size_t)(slash - text));
    number[slash - text] = 0;
    bool ok = str_to_double(number, &top) && str_to_double(slash + 1, &bottom) && bottom != 0;
    *factor = ok ? top / bottom : 0;
    return ok;
}

/* A position that never changes is only shifted. */
static void fit_scale(const struct dataset *ds, int input, bool standard, struct input_scale *scale)
{
    struct moments *m = collect(ds, input, scale->period);
    for (int64_t k = 0; k < scale->period; k++) {
        double n = (double)m[k].n, spread = standard ? sqrt(m[k].squares / n) : m[k].high - m[k].low;
        scale->subtract[k] = (float)(standard ? m[k].sum / n : m[k].low);
        scale->multiply[k] = (float)(spread > 0 ? 1 / spread : 1);
    }
    free(m);
}

static bool recall_scale(const json_t *kept, struct input_scale *scale, const char *source, struct err *err)
{
    const json_t *subtract = json_object_get(kept, "subtract"), *multiply = json_object_get(kept, "multiply");
    size_t n = (size_t)scale->period;
    if (json_array_size(subtract) != n || json_array_size(multiply) != n)
        return err_set(err, ERR_FORMAT,
                       "%s: the scale kept with the model is for %zu positions of the last axis, the samples have %zu",
                       source, json_array_size(subtract), n);
    for (size_t k = 0; k < n; k++) {
        scale->subtract[k] = (float)json_number_value(json_array_get(subtract, k));
        scale->multiply[k] = (float)json_number_value(json_array_get(multiply, k));
    }
    return true;
}

static json_t *scale_state_of(const struct samples *s, const struct input_scale *scale, const char *kind)
{
    json_t *subtract = json_array(), *multiply = json_array();
    for (int64_t k = 0; k < scale->period; k++) {
        json_array_append_new(subtract, json_real((double)scale->subtract[k]));
        json_array_append_new(multiply, json_real((double)scale->multiply[k]));
    }
    return json_pack("{s:s?, s:s, s:o, s:o}", "name", s->name, "kind", kind, "subtract", subtract, "multiply",
                     multiply);
}

static bool make_scale(struct dataset *ds, int i, const json_t *value, const json_t *kept, struct err *err)
{
    struct dataset_parts *p = ds->parts;
    const struct samples *s = &p->tables[0]->inputs[i];
    struct input_scale *scale = &p->scales[i];
    const char *word = json_string_value(value);
    bool standard = word && !strcmp(word, "standard"), minmax = word && !strcmp(word, "minmax");
    double factor = 1;
    if (ds->inputs[i].dtype == DTYPE_I32)
        return err_set(err, ERR_USAGE, "data.scale: %s feeds int32 numbers, which are not scaled", s->source);
    if (!standard && !minmax && !parse_factor(value, &factor))
        return err_set(err, ERR_USAGE,
                       "data.scale: found '%s', expected a factor such as 0.5 or \"1/255\", \"minmax\" or \"standard\"",
                       word ? word : js_type_name(value));
    if (!isfinite((float)factor) || (float)factor == 0)
        return err_set(err, ERR_USAGE,
                       "data.scale: the factor is %g, expected one that float32 holds and that is not 0", factor);
    scale->period = standard || minmax ? (s->shape.rank ? s->shape.dim[s->shape.rank - 1] : 1) : 1;
    scale->multiply = arena_array(&p->arena, (size_t)scale->period, sizeof *scale->multiply);
    scale->multiply[0] = (float)factor;
    if (!standard && !minmax)
        return true;
    scale->subtract = arena_array(&p->arena, (size_t)scale->period, sizeof *scale->subtract);
    if (kept && strcmp(js_string(kept, "kind", word), word) != 0)
        kept = NULL; /* a branch that asks for another kind learns it anew */
    if (kept && !recall_scale(kept, scale, s->source, err))
        return false;
    if (!kept && !ds->n_samples[SPLIT_TRAIN])
        return err_set(err, ERR_FORMAT, "%s: the scale '%s' fitted in training is not kept with this model", s->source,
                       word);
    if (!kept)
        fit_scale(ds, i, standard, scale);
    return true;
}

/* What was kept for an input: by its name, else by its place. */
static const json_t *kept_scale(const json_t *state, const struct table *t, int i)
{
    const json_t *list = json_object_get(state, "inputs"), *kept = json_array_get(list, (size_t)i);
    for (size_t k = 0; t->inputs[i].name && k < json_array_size(list); k++)
        if (!strcmp(js_string(json_array_get(list, k), "name", ""), t->inputs[i].name))
            kept = json_array_get(list, k);
    return json_is_object(kept) ? kept : NULL;
}

bool make_scales(struct dataset *ds, const json_t *data, const json_t *state, struct err *err)
{
    struct dataset_parts *p = ds->parts;
    const struct table *t = p->tables[0];
    p->scales = arena_array(&p->arena, (size_t)ds->n_inputs, sizeof *p->scales);
    json_t *list = json_array();
    bool fitted = false, ok = true;
    for (int i = 0; ok && i < ds->n_inputs; i++) {
        const json_t *value = per_input(data, "scale", t, i);
        ok = !value || make_scale(ds, i, value, kept_scale(state, t, i), err);
        bool is_fitted = ok && p->scales[i].subtract;
        fitted = fitted || is_fitted;
        json_array_append_new(list, is_fitted ? scale_state_of(&t->inputs[i], &p->scales[i], json_string_value(value))
                                              : json_null());
    }
    if (fitted)
        json_object_set(p->state, "inputs", list);
    json_decref(list);
    return ok;
}
