/* report.h - what a person wants to see of an evaluation beyond the numbers: confusion, per class, hardest samples; and
 * samples for drawing. */
#ifndef ENGINE_TRAIN_REPORT_H
#define ENGINE_TRAIN_REPORT_H

#include "engine/train/evaluate.h"

enum {
    REPORT_MAX_CLASSES = 100,
    REPORT_HARDEST = 20,
    REPORT_SAMPLE_VALUES = 4096,
    REPORT_PACKED = 256,
    REPORT_PAIRS = 2000,
    REPORT_PAIR_WIDTH = 16
};

/* One sample of a data set as JSON: {"index", "inputs": [{"name", "shape", "values"}], "label", "class", "target"}.
 * "label" is the number of the class and "class" its name where targets are classes; else "target" holds the numbers.
 * Pictures of more than REPORT_SAMPLE_VALUES numbers are made smaller ("shown": the shape of values then); of other
 * samples that large, values is left out. packed: pictures of at least REPORT_PACKED numbers have, instead of values,
 * "lo", "hi" and "pixels", two hexadecimal digits a number from lo (00) to hi (ff). New reference. */
json_t *report_sample(const struct dataset *data, enum split split, int64_t position, bool packed);

/* How an output is read: what it is compared with, and whether it decides between classes. */
struct report_output {
    int index, target;              /* among the model's outputs and the data's targets */
    int64_t n_classes;              /* 0: it says numbers */
    const char *const *class_names; /* of the first target, where they are known; NULL */
};
/* False: the data have nothing to compare it with. */
bool report_output_of(const struct session *session, const struct dataset *data, int output, struct report_output *o);
/* The same as report_sample, with the truth of another target. */
json_t *report_sample_of(const struct dataset *data, const struct report_output *o, enum split split, int64_t position,
                         bool packed);

/* Only the truth: "label" and "class", or "target". */
void report_add_truth(json_t *json, const struct dataset *data, const struct report_output *o, enum split split,
                      int64_t position);

/* Adds to result, of the first output: "confusion" (rows: true class), "per_class" and "calibration" ({"ece", "bins"})
 * where it decides between classes (a model of text for every token: "unit" is "tokens" then), or "pairs" ([true,
 * predicted], some REPORT_PAIRS, evenly taken) where it is a few numbers; and "hardest". predictions cover the whole
 * split. What does not apply (too many classes) is left out. A model with several outputs has "outputs" too, one object
 * each in their order: "name", and of all but the first one the same keys. */
bool report_details(const struct session *session, const struct dataset *data, enum split split,
                    const struct predictions *predictions, json_t *result, struct err *err) MUST_USE;

/* {"total": samples of the split, "parts": {split: samples}, "learnt": dataset_scale}: what a person needs to read
 * samples. New reference. */
json_t *report_data(const struct dataset *data, enum split split);

/* The class of a sample (a label, or the largest of a one-hot row); -1 when targets are no classes. */
int64_t report_true_class(const struct dataset *data, const struct report_output *o, enum split split,
                          int64_t position);
/* Sets a class's number and, where it has one, its name. */
void report_set_class(json_t *json, const char *key, const char *name_key, const struct report_output *o,
                      int64_t class);
/* The probability of a class: the value itself where the n outputs are probabilities, else their softmax (a model that
 * ends in logits). */
double report_class_probability(const float *values, int64_t n, int64_t class);
/* Nested arrays of one sample's output. New reference. */
json_t *report_values(const float *values, struct shape shape);
/* For an output that stands for classes (of the targets; without targets: probabilities of several): the class it says,
 * and how sure. False otherwise; NaN says nothing. */
bool report_predicted_class(const float *values, struct shape shape, const struct dataset *data, int64_t *predicted,
                            double *probability);
/* The same between so many classes. */
bool report_class_of(const float *values, struct shape shape, int64_t n_classes, int64_t *predicted,
                     double *probability);

#endif
