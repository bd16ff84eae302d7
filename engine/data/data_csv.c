/* data_csv.c - format csv: rows become samples; missing cells, text labels. Reading of cells: csv_reader.h; which
 * columns: csv_columns.c. */
#include "base/size.h"
#include "engine/data/csv_load.h"
#include "persistence/files/byte_stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES_MAX = 65536 };

/* ---- rows ---- */

static bool cell_error(const struct csv_load *l, int64_t line, size_t column, const char *cell, const char *expected,
                       struct err *err)
{
    struct str shown = {0};
    str_add_visible(&shown, cell);
    if (shown.length > 40)
        memcpy(shown.data + 37, "...", 4);
    err_set(err, ERR_FORMAT, "%s line %lld column %zu%s%s%s: found '%s', expected %s%s", l->source, (long long)line,
            column + 1, l->header ? " '" : "", l->header ? l->header[column] : "", l->header ? "'" : "",
            str_text(&shown), expected, csv_other_delimiter(l));
    str_release(&shown);
    return false;
}

/* *value is NaN for a missing cell that is filled later; *drop asks for the row to be left out. */
static bool read_input(const struct csv_load *l, int64_t line, size_t column, const char *cell, double *value,
                       bool *drop, struct err *err)
{
    if (csv_missing(cell)) {
        if (l->missing == MISSING_ERROR)
            return cell_error(l, line, column, cell,
                              "a number; \"missing\": \"drop\", \"zero\" or \"mean\" says what to do with such cells",
                              err);
        *drop = *drop || l->missing == MISSING_DROP;
        *value = l->missing == MISSING_ZERO ? 0 : (double)NAN;
        return true;
    }
    return csv_number(cell, value) || cell_error(l, line, column, cell,
                                                 "a number; choose the columns that hold numbers with \"columns\", "
                                                 "name the label with \"label\", or write this column as numbers",
                                                 err);
}

static bool read_label(struct csv_load *l, int64_t line, size_t k, const char *cell, double *value, bool *drop,
                       struct err *err)
{
    size_t column = l->labels[k];
    if (csv_missing(cell)) {
        *drop = l->missing == MISSING_DROP;
        return *drop || cell_error(l, line, column, cell, "a label; \"missing\": \"drop\" leaves such lines out", err);
    }
    if (csv_number(cell, value))
        return true;
    *value = (double)NAN;
    if (l->n_labels > 1)
        return cell_error(l, line, column, cell, "a number, as there are several label columns", err);
    l->text_labels = true;
    return true;
}

static bool add_row(struct csv_load *l, char *const *cells, size_t n_cells, int64_t line, struct err *err)
{
    if (n_cells != l->n_columns)
        return err_set(err, ERR_FORMAT, "%s line %lld: has %zu columns, line %lld has %zu", l->source, (long long)line,
                       n_cells, (long long)l->first_line, l->n_columns);
    size_t row = (size_t)l->n_rows;
    bool drop = false;
    l->x = xgrow(l->x, &l->x_capacity, (row + 1) * l->n_inputs, sizeof *l->x);
    l->y = xgrow(l->y, &l->y_capacity, (row + 1) * l->n_labels + 1, sizeof *l->y);
    l->codes = xgrow(l->codes, &l->codes_capacity, row + 1, sizeof *l->codes);
    for (size_t i = 0; i < l->n_inputs; i++)
        if (!read_input(l, line, l->inputs[i], cells[l->inputs[i]], &l->x[row * l->n_inputs + i], &drop, err))
            return false;
    for (size_t k = 0; k < l->n_labels && !drop; k++)
        if (!read_label(l, line, k, cells[l->labels[k]], &l->y[row * l->n_labels + k], &drop, err))
            return false;
    if (drop)
        return true;
    if (l->n_labels == 1 && l->labels_seen.n <= CLASSES_MAX) {
        const char *label = cells[l->labels[0]];
        l->codes[row] = (int32_t)name_table_id(&l->labels_seen, label, strlen(label));
    }
    l->n_rows++;
    return true;
}

static bool read_rows(struct csv_load *l, char **first, size_t n_first, struct err *err)
{
    const json_t *given = json_object_get(l->from->data, "header");
    bool header =
        json_is_boolean(given) ? json_is_true(given) : csv_guess_header(first, n_first, l->csv.cells, l->csv.n_cells);
    l->header = header ? first : NULL;
    l->n_columns = n_first;
    l->first_cell = first[0];
    if (!csv_choose_columns(l, err) || (!header && !add_row(l, first, n_first, l->first_line, err)))
        return false;
    while (l->csv.n_cells)
        if (!add_row(l, l->csv.cells, l->csv.n_cells, l->csv.line, err) || !csv_next(&l->csv, err))
            return false;
    return l->n_rows ||
           err_set(err, ERR_FORMAT, "%s has no rows of data%s", l->source, header ? " below its line of names" : "");
}

/* ---- arrays ---- */

/* The smallest type that holds all values exactly, else float32. */
static enum npy_type compact_type(const double *values, size_t n)
{
    double low = 0, high = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(values[i] == floor(values[i])))
            return NPY_F32;
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    return low >= 0 && high <= 255 ? NPY_U8 : low >= INT32_MIN && high <= INT32_MAX ? NPY_I32 : NPY_F32;
}

static bool store(struct samples *s, const double *values, int64_t n_rows, struct shape shape, const char *source,
                  struct err *err)
{
    size_t n = (size_t)(n_rows * shape_elements(shape));
    enum npy_type type = compact_type(values, n);
    if (!samples_allocate(s, type, n_rows, shape, source, err))
        return false;
    void *out = s->array.owned;
    for (size_t i = 0; i < n; i++) {
        if (type == NPY_U8)
            ((uint8_t *)out)[i] = (uint8_t)values[i];
        else if (type == NPY_I32)
            ((int32_t *)out)[i] = (int32_t)values[i];
        else
            ((float *)out)[i] = (float)values[i];
    }
    return true;
}

static bool code_by_known_names(struct csv_load *l, const json_t *known, int32_t *rank, struct err *err)
{
    struct table *t = l->table;
    for (size_t i = 0; i < l->labels_seen.n; i++) {
        rank[i] = -1;
        for (size_t k = 0; k < json_array_size(known); k++)
            if (!strcmp(json_string_value(json_array_get(known, k)), l->labels_seen.list[i]))
                rank[i] = (int32_t)k;
        if (rank[i] < 0)
            return err_set(err, ERR_FORMAT, "%s has the label '%s', which the training part does not have", l->source,
                           l->labels_seen.list[i]);
    }
    t->n_class_names = (int64_t)json_array_size(known);
    t->class_names = arena_array(&t->arena, (size_t)t->n_class_names + 1, sizeof *t->class_names);
    for (int64_t k = 0; k < t->n_class_names; k++)
        t->class_names[k] = arena_strdup(&t->arena, json_string_value(json_array_get(known, (size_t)k)));
    return true;
}

/* As scikit-learn's LabelEncoder does. */
static void code_by_order(struct csv_load *l, int32_t *rank)
{
    struct table *t = l->table;
    size_t n = l->labels_seen.n;
    t->n_class_names = (int64_t)n;
    t->class_names = arena_array(&t->arena, n + 1, sizeof *t->class_names);
    for (size_t i = 0; i < n; i++)
        t->class_names[i] = arena_strdup(&t->arena, l->labels_seen.list[i]);
    qsort(t->class_names, n, sizeof *t->class_names, str_order);
    for (size_t i = 0; i < n; i++)
        rank[name_table_find(&l->labels_seen, t->class_names[i], strlen(t->class_names[i]))] = (int32_t)i;
}

/* Labels that are text become the numbers of their sorted names, or of the names known from the training part. */
static bool code_text_labels(struct csv_load *l, struct err *err)
{
    const json_t *known = json_object_get(l->from->state, "class_names");
    if (l->labels_seen.n > CLASSES_MAX)
        return err_set(err, ERR_FORMAT,
                       "%s has more than %d different texts as labels, expected at most so many classes", l->source,
                       CLASSES_MAX);
    int32_t *rank = xcalloc(l->labels_seen.n + 1, sizeof *rank);
    bool ok = true;
    if (json_array_size(known)) {
        ok = code_by_known_names(l, known, rank, err);
    } else {
        code_by_order(l, rank);
    }
    for (int64_t i = 0; ok && i < l->n_rows; i++)
        l->y[i] = rank[l->codes[i]];
    free(rank);
    return ok;
}

static bool build(struct csv_load *l, struct err *err)
{
    struct table *t = l->table;
    t->n_samples = l->n_rows;
    t->fill_mean = l->missing == MISSING_MEAN;
    if ((l->text_labels || json_array_size(json_object_get(l->from->state, "class_names"))) && l->n_labels == 1 &&
        !code_text_labels(l, err))
        return false;
    t->inputs = table_reserve(t, 1);
    t->targets = table_reserve(t, 1);
    if (!store(&t->inputs[0], l->x, l->n_rows, SHAPE((int64_t)l->n_inputs), l->source, err))
        return false;
    t->n_inputs = 1;
    const json_t *label = json_object_get(l->from->data, "label");
    struct shape target = json_is_array(label) ? SHAPE((int64_t)l->n_labels) : (struct shape){0};
    if (l->n_labels && !store(&t->targets[0], l->y, l->n_rows, target, l->source, err))
        return false;
    t->n_targets = l->n_labels > 0;
    for (size_t i = 0; l->header && i < l->n_inputs; i++) {
        if (!i)
            t->columns = arena_array(&t->arena, l->n_inputs, sizeof *t->columns);
        t->columns[i] = arena_strdup(&t->arena, l->header[l->inputs[i]]);
    }
    t->n_columns = l->header ? (int64_t)l->n_inputs : 0;
    return true;
}

static bool parse_delimiter(const json_t *data, char *delimiter, struct err *err)
{
    const char *text = js_string(data, "delimiter", ",");
    if (!strcmp(text, "\\t") || !strcmp(text, "tab"))
        text = "\t";
    *delimiter = text[0];
    bool usable = text[0] && !text[1] && text[0] > 0 && !strchr("\"\r\n.0123456789+-", text[0]);
    return usable ||
           err_set(err, ERR_USAGE, "data.delimiter: found '%s', expected one character such as , ; or \\t", text);
}

bool load_csv(struct table *t, const struct source *from, struct err *err)
{
    static const char *const words[] = {"error", "drop", "zero", "mean"};
    const char *path = source_path(t, from, "path");
    struct csv_load l = {.table = t, .from = from, .source = arena_printf(&t->arena, "'%s'", path)};
    char delimiter, **first = NULL;
    for (int i = 0; i < 4; i++)
        if (!strcmp(words[i], js_string(from->data, "missing", "error")))
            l.missing = (enum missing)i;
    bool ok = parse_delimiter(from->data, &delimiter, err) && csv_open(&l.csv, path, l.source, delimiter, err) &&
              csv_next(&l.csv, err);
    if (ok && !l.csv.n_cells)
        ok = err_set(err, ERR_FORMAT, "%s is empty", l.source);
    if (ok) {
        size_t n_first = l.csv.n_cells;
        first = arena_array(&t->arena, n_first, sizeof *first);
        memcpy(first, l.csv.cells, n_first * sizeof *first);
        l.first_line = l.csv.line;
        ok = csv_next(&l.csv, err) && read_rows(&l, first, n_first, err) && build(&l, err);
    }
    csv_release(&l.csv);
    name_table_release(&l.labels_seen);
    free(l.x);
    free(l.y);
    free(l.codes);
    return ok;
}
