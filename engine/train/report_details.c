/* report_details.c - see report.h: what an evaluation says beyond its metrics. */
#include "base/io.h"
#include "engine/train/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct hard { /* one of the hardest samples */
    int64_t position, predicted;
    double loss;
};

/* How the numbers of one sample are read: `rows` decisions between `width` classes (rows 0: none), with its targets. A
 * picture is one decision, a window of text one for every token. */
struct reading {
    const struct dataset *data;
    const struct report_output *of;
    enum split split;
    int64_t rows, width;
    float *targets; /* of one sample; rows > 1 */
};

enum { CALIBRATION_BINS = 10 };
struct tally {
    int64_t n_classes, *confusion; /* NULL: too many classes, or none */
    struct {
        int64_t n, right;
        double confidence;
    } bins[CALIBRATION_BINS];
    int64_t n;
};

static struct reading read_as_classes(const struct dataset *data, const struct report_output *o, enum split split,
                                      const struct prediction *p)
{
    struct reading r = {.data = data, .of = o, .split = split};
    const struct field *target = &data->targets[o->target];
    int64_t n_targets = shape_elements(target->shape);
    if (p->shape.rank == 1) {
        r.rows = 1;
        r.width = p->shape.dim[0];
    } else if (p->shape.rank == 2 && p->shape.dim[1] == o->n_classes && n_targets == p->shape.dim[0] &&
               target->integral) {
        r.rows = p->shape.dim[0];
        r.width = p->shape.dim[1];
        r.targets = xcalloc((size_t)n_targets + 1, sizeof *r.targets);
    }
    return r;
}

/* The true class of every row of a sample; -1: it is none. */
static int64_t true_class(const struct reading *r, int64_t position, int64_t row)
{
    if (!r->targets)
        return report_true_class(r->data, r->of, r->split, position);
    if (row == 0)
        dataset_gather_target(r->data, r->split, r->of->target, &position, 1, DTYPE_F32, r->targets);
    float class = r->targets[row];
    return class >= 0 && class < (float)r->of->n_classes ? (int64_t) class : -1;
}

static void tally_add(struct tally *t, int64_t label, int64_t predicted, double probability)
{
    int bin = (int)(probability * CALIBRATION_BINS);
    bin = bin < 0 ? 0 : bin >= CALIBRATION_BINS ? CALIBRATION_BINS - 1 : bin;
    t->bins[bin].n++;
    t->bins[bin].right += label == predicted;
    t->bins[bin].confidence += probability;
    t->n++;
    if (t->confusion)
        t->confusion[label * t->n_classes + predicted]++;
}

/* The expected calibration error: how far the share of right answers is from what the model was sure of, on average. */
static json_t *calibration_json(const struct tally *t)
{
    json_t *bins = json_array();
    double error = 0;
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        double n = (double)t->bins[b].n, confidence = t->bins[b].confidence / n, right = (double)t->bins[b].right / n;
        if (!t->bins[b].n)
            continue;
        error += n / (double)t->n * fabs(right - confidence);
        json_array_append_new(bins, json_pack("{s:f,s:f,s:I,s:f,s:f}", "from", (double)b / CALIBRATION_BINS, "to",
                                              (double)(b + 1) / CALIBRATION_BINS, "samples", (json_int_t)t->bins[b].n,
                                              "confidence", confidence, "accuracy", right));
    }
    return json_pack("{s:f,s:o}", "ece", error, "bins", bins);
}

/* How wrong one decision is: -log of the probability given to its class. */
static double class_loss(const float *values, int64_t n, int64_t label)
{
    double p = n == 1 ? (label ? values[0] : 1 - (double)values[0]) : report_class_probability(values, n, label);
    return -log(fmax(p, 1e-7));
}

/* The mean squared error of a sample of numbers; NAN when its targets are of another size. */
static double squared_loss(const float *values, const struct prediction *p, const struct reading *r, int64_t position)
{
    int64_t n = shape_elements(p->shape);
    if (shape_elements(r->data->targets[r->of->target].shape) != n)
        return NAN;
    float *target = xcalloc((size_t)n + 1, sizeof *target);
    dataset_gather_target(r->data, r->split, r->of->target, &position, 1, DTYPE_F32, target);
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (values[i] - (double)target[i]) * (values[i] - (double)target[i]);
    free(target);
    return sum / (double)n;
}

/* Counts the decisions of a sample. False: it holds one that is none between known classes, or says NaN. */
static bool read_sample(const struct reading *r, const float *values, struct tally *tally, struct hard *h)
{
    double sum = 0;
    for (int64_t row = 0; row < r->rows; row++) {
        int64_t label = true_class(r, h->position, row), predicted;
        double probability;
        const float *of_row = values + row * r->width;
        if (!report_class_of(of_row, SHAPE(r->width), r->of->n_classes, &predicted, &probability))
            return false;
        if (r->rows == 1)
            h->predicted = predicted;
        if (label < 0)
            return false;
        sum += class_loss(of_row, r->width, label);
        tally_add(tally, label, predicted, probability);
    }
    h->loss = sum / (double)r->rows;
    return r->rows > 0;
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

static json_t *hardest_json(const struct reading *r, const struct prediction *p, const struct hard *list, int n)
{
    json_t *all = json_array();
    int64_t elements = shape_elements(p->shape);
    for (int i = 0; i < n; i++) {
        json_t *sample = report_sample_of(r->data, r->of, r->split, list[i].position, true);
        if (list[i].predicted >= 0)
            report_set_class(sample, "predicted", "predicted_class", r->of, list[i].predicted);
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

static void add_classes(json_t *result, const struct report_output *o, const int64_t *confusion)
{
    int64_t n = o->n_classes;
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
        report_set_class(class, "label", "class", o, c);
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

/* True and predicted numbers of a model that says a few of them. */
static json_t *pairs_json(const struct reading *r, const struct prediction *p, int64_t n_samples)
{
    int64_t width = shape_elements(p->shape), step = n_samples * width / REPORT_PAIRS + 1;
    float target[REPORT_PAIR_WIDTH];
    json_t *pairs = json_array();
    for (int64_t i = 0; i < n_samples; i += step) {
        dataset_gather_target(r->data, r->split, r->of->target, &i, 1, DTYPE_F32, target);
        for (int64_t k = 0; k < width; k++)
            json_array_append_new(pairs, json_pack("[o,o]", js_number(target[k]), js_number(p->values[i * width + k])));
    }
    return pairs;
}

static bool tally_new(struct tally *t, int64_t n_classes, struct err *err)
{
    *t = (struct tally){.n_classes = n_classes};
    if (n_classes < 2 || n_classes > REPORT_MAX_CLASSES)
        return true;
    size_t bytes = (size_t)(n_classes * n_classes) * sizeof *t->confusion;
    t->confusion = io_allocate(bytes, "the confusion matrix", err);
    if (t->confusion)
        memset(t->confusion, 0, bytes);
    return t->confusion != NULL;
}

static bool output_details(const struct dataset *data, const struct report_output *o, enum split split,
                           const struct prediction *p, int64_t n_samples, json_t *result, struct err *err)
{
    struct tally tally;
    if (!tally_new(&tally, o->n_classes, err))
        return false;
    int64_t elements = shape_elements(p->shape);
    struct reading reading = read_as_classes(data, o, split, p);
    struct hard hardest[REPORT_HARDEST];
    int n_hardest = 0;
    bool classes = o->n_classes >= 2;
    for (int64_t i = 0; i < n_samples; i++) {
        struct hard h = {.position = i, .predicted = -1};
        const float *values = p->values + i * elements;
        if (!read_sample(&reading, values, &tally, &h)) {
            classes = false;
            h.loss = squared_loss(values, p, &reading, i);
        }
        insert_hard(hardest, &n_hardest, h);
    }
    if (classes && tally.confusion)
        add_classes(result, o, tally.confusion);
    if (classes && tally.n)
        json_object_set_new(result, "calibration", calibration_json(&tally));
    if (classes && reading.rows > 1)
        json_object_set_new(result, "unit", json_string("tokens"));
    if (!classes && elements <= REPORT_PAIR_WIDTH && shape_elements(data->targets[o->target].shape) == elements)
        json_object_set_new(result, "pairs", pairs_json(&reading, p, n_samples));
    json_object_set_new(result, "hardest", hardest_json(&reading, p, hardest, n_hardest));
    free(tally.confusion);
    free(reading.targets);
    return true;
}

bool report_details(const struct session *session, const struct dataset *data, enum split split,
                    const struct predictions *predictions, json_t *result, struct err *err)
{
    json_t *outputs = json_array();
    bool ok = true;
    for (int k = 0; ok && k < predictions->n_outputs; k++) {
        const struct prediction *p = &predictions->outputs[k];
        struct report_output o;
        json_t *of = json_pack("{s:s}", "name", p->name);
        if (report_output_of(session, data, k, &o))
            ok = output_details(data, &o, split, p, predictions->n_samples, k ? of : result, err);
        json_array_append_new(outputs, of);
    }
    if (ok && predictions->n_outputs > 1)
        json_object_set(result, "outputs", outputs);
    json_decref(outputs);
    return ok;
}
