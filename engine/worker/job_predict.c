/* job_predict.c - outputs of a checkpoint for a file or a part of the run's data: in the answer, or written to a file.
 */
#include "base/io.h"
#include "engine/train/report.h"
#include "engine/worker/checkpoint_session.h"
#include "engine/worker/jobs.h"
#include "persistence/files/atomic_file.h"
#include "persistence/files/npy_file.h"

#include <stdlib.h>
#include <string.h>

struct range {                     /* samples first .. first + n of a split of a data set */
    struct dataset *data, *opened; /* opened: owned, of a file */
    enum split split;
    int64_t first, n;
};

/* "test[0:16]", "test[16:]", "test[3]", "test" -> split and bounds as Python slices them. False when it is no such
 * text. */
static bool parse_range(const char *text, enum split *split, int64_t *first, int64_t *end, bool *open)
{
    size_t length = strcspn(text, "[");
    *first = 0;
    *end = 0;
    *open = true;
    for (int s = 0; s <= SPLIT_COUNT; s++) {
        const char *name =
            s < SPLIT_COUNT ? split_names[s] : ""; /* "[0:16]": of the part evaluate takes when none is named */
        if (strlen(name) != length || strncmp(text, name, length) != 0 || !*text)
            continue;
        *split = (enum split)s;
        const char *rest = text + length;
        if (!*rest)
            return true;
        char *after = NULL;
        *first = rest[1] == ':' ? 0 : strtoll(rest + 1, &after, 10);
        const char *colon = rest[1] == ':' ? rest + 1 : after;
        if (*colon == ']' && colon > rest + 1) {
            *end = *first + 1;
            *open = false;
            return !colon[1];
        }
        if (*colon != ':')
            return false;
        *open = colon[1] == ']';
        *end = strtoll(colon + 1, &after, 10);
        const char *close = *open ? colon + 1 : after;
        return *close == ']' && !close[1];
    }
    return false;
}

static bool bound(struct range *range, int64_t first, int64_t end, bool open, const char *text, struct err *err)
{
    int64_t total = range->data->n_samples[range->split];
    first = first < 0 ? first + total : first;
    end = open ? total : end < 0 ? end + total : end;
    end = end > total ? total : end;
    if (first < 0 || first >= end)
        return err_set(err, ERR_USAGE, "'%s' holds no samples: the %s part has %lld", text, split_names[range->split],
                       (long long)total);
    range->first = first;
    range->n = end - first;
    return true;
}

static bool open_file(struct range *range, const struct checkpoint_session *cs, const char *path, struct err *err)
{
    const struct model *model = cs->session->model;
    struct field *fields = xcalloc((size_t)model->n_inputs + 1, sizeof *fields);
    for (int i = 0; i < model->n_inputs; i++)
        fields[i] = (struct field){
            .name = model->inputs[i].name, .shape = model->inputs[i].shape, .dtype = model->inputs[i].dtype};
    const json_t *scale = json_object_get(cs->session->antler, "data_scale");
    range->opened = dataset_open_input(path, cs->data, cs->folder, json_is_object(scale) ? scale : NULL, fields,
                                       model->n_inputs, err);
    free(fields);
    range->data = range->opened;
    range->split = SPLIT_TEST;
    return range->data && session_check_data(cs->session, range->data, path, err) &&
           bound(range, 0, 0, true, path, err);
}

static json_t *outputs_json(const struct predictions *p)
{
    json_t *outputs = json_object();
    for (int i = 0; i < p->n_outputs; i++) {
        const struct prediction *o = &p->outputs[i];
        struct shape all = {.rank = o->shape.rank + 1};
        all.dim[0] = p->n_samples;
        memcpy(all.dim + 1, o->shape.dim, (size_t)o->shape.rank * sizeof *all.dim);
        json_object_set_new(outputs, o->name, report_values(o->values, all));
    }
    return outputs;
}

static struct npy npy_of(const struct prediction *o, int64_t n_samples)
{
    struct npy a = {.type = NPY_F32,
                    .rank = o->shape.rank + 1,
                    .n_elements = n_samples * shape_elements(o->shape),
                    .data = o->values};
    a.dim[0] = n_samples;
    memcpy(a.dim + 1, o->shape.dim, (size_t)o->shape.rank * sizeof *a.dim);
    return a;
}

/* One line per sample, one column per number: name_0, name_1, ... */
static bool write_csv(const char *path, const struct predictions *p, struct err *err)
{
    struct str text = {0};
    for (int i = 0; i < p->n_outputs; i++)
        for (int64_t k = 0; k < shape_elements(p->outputs[i].shape); k++)
            str_addf(&text, "%s%s_%lld", text.length ? "," : "", p->outputs[i].name, (long long)k);
    str_add(&text, "\n");
    for (int64_t s = 0; s < p->n_samples; s++) {
        bool first = true;
        for (int i = 0; i < p->n_outputs; i++) {
            int64_t n = shape_elements(p->outputs[i].shape);
            for (int64_t k = 0; k < n; k++, first = false) {
                if (!first)
                    str_add_char(&text, ',');
                str_add_float(&text, p->outputs[i].values[s * n + k]);
            }
        }
        str_add_char(&text, '\n');
    }
    bool ok = atomic_file_save(path, str_text(&text), text.length, err);
    str_release(&text);
    return ok;
}

static bool write_json(const char *path, const struct predictions *p, struct err *err)
{
    json_t *outputs = outputs_json(p);
    char *text = js_text(outputs, 0);
    bool ok = atomic_file_save(path, text, strlen(text), err);
    free(text);
    json_decref(outputs);
    return ok;
}

static bool write_npz(const char *path, const struct predictions *p, struct err *err)
{
    const char **names = xcalloc((size_t)p->n_outputs + 1, sizeof *names);
    struct npy *arrays = xcalloc((size_t)p->n_outputs + 1, sizeof *arrays);
    for (int i = 0; i < p->n_outputs; i++) {
        names[i] = p->outputs[i].name;
        arrays[i] = npy_of(&p->outputs[i], p->n_samples);
    }
    bool ok = npz_write(path, names, arrays, p->n_outputs, err);
    free(names);
    free(arrays);
    return ok;
}

static bool write_npy(const char *path, const struct predictions *p, struct err *err)
{
    if (p->n_outputs != 1)
        return err_set(err, ERR_USAGE, "the model has %d outputs, a .npy file holds one array: use .npz", p->n_outputs);
    struct npy a = npy_of(&p->outputs[0], p->n_samples);
    return npy_write(path, &a, err);
}

static const struct {
    const char *suffix;
    bool (*write)(const char *path, const struct predictions *predictions, struct err *err);
} writers[] = {{".npy", write_npy}, {".npz", write_npz}, {".csv", write_csv}, {".json", write_json}};

static bool check_output(const char *path, size_t *writer, struct err *err)
{
    for (*writer = 0; *writer < sizeof writers / sizeof *writers; ++*writer)
        if (str_ends(path, writers[*writer].suffix))
            return true;
    return err_set(err, ERR_USAGE,
                   "cannot write predictions to '%s': expected a name that ends in .npy, .npz, .csv or .json", path);
}

/* What is true and said of the outputs behind the first one, by their names. NULL: there are none. */
static json_t *others_json(const struct checkpoint_session *cs, const struct range *range, const struct predictions *p,
                           int64_t i)
{
    json_t *others = p->n_outputs > 1 ? json_object() : NULL;
    for (int k = 1; k < p->n_outputs; k++) {
        const struct prediction *o = &p->outputs[k];
        struct report_output of;
        int64_t predicted;
        double probability;
        json_t *json = json_object();
        if (!range->opened && report_output_of(cs->session, range->data, k, &of)) {
            report_add_truth(json, range->data, &of, range->split, range->first + i);
            if (report_class_of(o->values + i * shape_elements(o->shape), o->shape, of.n_classes, &predicted,
                                &probability)) {
                report_set_class(json, "predicted", "predicted_class", &of, predicted);
                json_object_set_new(json, "probability", js_number(probability));
            }
        }
        json_object_set_new(others, o->name, json);
    }
    return others;
}

/* The samples themselves, for drawing, with what the model says of each. */
static json_t *samples_json(const struct checkpoint_session *cs, const struct range *range, const struct predictions *p)
{
    const json_t *names = json_object_get(json_object_get(cs->session->antler, "data_scale"), "class_names");
    json_t *samples = json_array();
    const struct prediction *o = &p->outputs[0];
    for (int64_t i = 0; i < range->n; i++) {
        json_t *sample = report_sample(range->data, range->split, range->first + i, true);
        int64_t predicted;
        double probability;
        if (report_predicted_class(o->values + i * shape_elements(o->shape), o->shape, range->data, &predicted,
                                   &probability)) {
            json_object_set_new(sample, "predicted", json_integer(predicted));
            if (range->data->class_names)
                json_object_set_new(sample, "predicted_class", json_string(range->data->class_names[predicted]));
            /* a file of its own has no targets; the training data had */
            else if (json_array_get(names, (size_t)predicted))
                json_object_set(sample, "predicted_class", json_array_get(names, (size_t)predicted));
            json_object_set_new(sample, "probability", js_number(probability));
        }
        json_t *others = others_json(cs, range, p, i);
        if (others)
            json_object_set_new(sample, "outputs", others);
        json_array_append_new(samples, sample);
    }
    return samples;
}

static json_t *result_json(const json_t *request, const struct checkpoint_session *cs, const struct range *range,
                           const struct predictions *p)
{
    json_t *result = json_pack("{s:s,s:I}", "checkpoint", cs->checkpoint, "samples", (json_int_t)p->n_samples);
    const char *output = js_string(request, "output", NULL);
    if (output)
        json_object_set_new(result, "file", json_string(output));
    else
        json_object_set_new(result, "outputs", outputs_json(p));
    if (!range->opened)
        json_object_set_new(result, "split", json_string(split_names[range->split]));
    if (js_bool(request, "details", false)) {
        json_object_set_new(result, "details", samples_json(cs, range, p));
        json_object_set_new(result, "data", report_data(range->data, range->split));
    }
    return result;
}

bool job_predict(const json_t *request, struct answer *answer, struct err *err)
{
    const char *input = js_string(request, "input", NULL), *output = js_string(request, "output", NULL);
    struct range range = {0};
    int64_t first, end;
    bool open;
    size_t writer = 0;
    if (!input)
        return err_set(err, ERR_USAGE, "the request has no 'input'");
    if (output && !check_output(output, &writer, err))
        return false;
    bool of_split = parse_range(input, &range.split, &first, &end, &open);
    struct checkpoint_session cs;
    if (!checkpoint_session_open(&cs, request, !of_split, err))
        return false;
    range.data = cs.session->data;
    struct watcher watcher = answer_watcher(answer);
    struct predictions predictions = {0};
    bool named = !of_split || range.split < SPLIT_COUNT;
    bool ok = (named || checkpoint_session_split(&cs, NULL, &range.split, err)) &&
              (of_split ? bound(&range, first, end, open, input, err) : open_file(&range, &cs, input, err)) &&
              predict_split(cs.session, range.data, range.split, range.first, range.n, cs.batch, &watcher, &predictions,
                            err) &&
              (!output || writers[writer].write(output, &predictions, err));
    if (ok)
        answer_result(answer, result_json(request, &cs, &range, &predictions));
    predictions_release(&predictions);
    dataset_close(range.opened);
    checkpoint_session_close(&cs);
    return ok;
}
