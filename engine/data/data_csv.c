/* data_csv.c - format csv: which columns are inputs and labels, missing cells, text labels. Reading of cells:
 * csv_reader.h. */
#include "base/name_table.h"
#include "base/size.h"
#include "engine/data/csv_reader.h"
#include "engine/data/table.h"
#include "persistence/files/byte_stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum missing { MISSING_ERROR, MISSING_DROP, MISSING_ZERO, MISSING_MEAN };
enum { CLASSES_MAX = 65536 };

struct load {
    struct table *table;
    const struct source *from;
    struct csv_reader csv;
    const char *source;
    char **header; /* n_columns names, NULL when the file has none */
    size_t n_columns;
    const char *first_cell; /* of the first row */
    int64_t first_line;
    size_t *inputs, *labels; /* columns, in the table's arena */
    size_t n_inputs, n_labels;
    enum missing missing;
    double *x, *y;
    size_t x_capacity, y_capacity;
    int64_t n_rows;
    struct name_table labels_seen; /* texts of the only label; more than CLASSES_MAX are no classes */
    int32_t *codes;                /* their numbers by row */
    size_t codes_capacity;
    bool text_labels;
};

/* ---- columns ---- */

static bool cell_is_text(const char *cell)
{
    double value;
    return !csv_number(cell, &value) && !csv_missing(cell);
}

/* Advice for a table that came out as one column: another separator in its first line. */
static const char *other_delimiter(const struct load *l)
{
    static const char *const advice[] = {"; it seems to want \"delimiter\": \";\"",
                                         "; it seems to want \"delimiter\": \"\\t\"",
                                         "; it seems to want \"delimiter\": \"|\""};
    const char *found = l->n_columns == 1 ? strpbrk(l->first_cell, ";\t|") : NULL;
    return !found ? "" : advice[*found == ';' ? 0 : *found == '\t' ? 1 : 2];
}

/* auto: the first row is a header when none of its cells is a number, or when it has text above a number. */
static bool guess_header(char *const *first, size_t n_first, char *const *second, size_t n_second)
{
    size_t texts = 0;
    double value;
    for (size_t i = 0; i < n_first; i++) {
        bool text = cell_is_text(first[i]);
        texts += text;
        if (text && i < n_second && csv_number(second[i], &value))
            return true;
    }
    return texts == n_first;
}

static bool no_such_column(const struct load *l, const char *name, const char *key, struct err *err)
{
    struct str advice = {0};
    const char *nearest = str_nearest(name, (const char *const *)l->header, l->n_columns);
    if (nearest)
        str_addf(&advice, ", did you mean '%s'?", nearest);
    for (size_t i = 0; !nearest && i < l->n_columns && i < 12; i++)
        str_addf(&advice, i ? ", %s" : "; it has: %s", l->header[i]);
    if (!nearest && l->n_columns > 12)
        str_add(&advice, ", ...");
    err_set(err, ERR_USAGE, "data.%s: there is no column '%s' in %s%s", key, name, l->source, str_text(&advice));
    str_release(&advice);
    return false;
}

static bool find_named(const struct load *l, const char *name, const char *key, size_t *column, struct err *err)
{
    size_t found = 0;
    for (size_t i = l->n_columns; i-- > 0;)
        if (!strcmp(l->header[i], name)) {
            *column = i;
            found++;
        }
    if (found > 1)
        return err_set(err, ERR_USAGE, "data.%s: %zu columns of %s are called '%s'; use the index of the column", key,
                       found, l->source, name);
    return found || no_such_column(l, name, key, err);
}

static bool find_column(const struct load *l, const json_t *which, const char *key, size_t *column, struct err *err)
{
    if (json_is_integer(which)) {
        int64_t index = json_integer_value(which), n = (int64_t)l->n_columns;
        if (index < -n || index >= n)
            return err_set(err, ERR_USAGE,
                           "data.%s: there is no column %lld in %s, it has %lld: 0 to %lld, or -1 for the last", key,
                           (long long)index, l->source, (long long)n, (long long)n - 1);
        *column = (size_t)(index < 0 ? index + n : index);
        return true;
    }
    const char *name = json_string_value(which);
    if (!name)
        return err_set(err, ERR_USAGE, "data.%s: found %s, expected the name or the index of a column", key,
                       js_type_name(which));
    if (!l->header)
        return err_set(err, ERR_USAGE, "data.%s: found '%s', but %s has no line of names; use the index of the column",
                       key, name, l->source);
    return find_named(l, name, key, column, err);
}

static bool is_among(const size_t *columns, size_t n, size_t column)
{
    for (size_t i = 0; i < n; i++)
        if (columns[i] == column)
            return true;
    return false;
}

static bool find_columns(struct load *l, const json_t *list, const char *key, size_t **columns, size_t *n,
                         struct err *err)
{
    size_t count = json_array_size(list);
    *columns = arena_array(&l->table->arena, count + 1, sizeof **columns);
    *n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!find_column(l, json_array_get(list, i), key, &(*columns)[i], err))
            return false;
        if (is_among(*columns, i, (*columns)[i]))
            return err_set(err, ERR_USAGE, "data.%s: column %zu is named twice", key, (*columns)[i]);
        (*n)++;
    }
    return true;
}

static bool choose_as_configured(struct load *l, struct err *err)
{
    const json_t *label = json_object_get(l->from->data, "label"), *columns = json_object_get(l->from->data, "columns");
    json_t *list = json_array();
    if (!label)
        json_array_append_new(list, json_integer(-1));
    else if (json_is_array(label))
        json_array_extend(list, (json_t *)label);
    else if (!json_is_null(label))
        json_array_append(list, (json_t *)label);
    bool ok = find_columns(l, list, "label", &l->labels, &l->n_labels, err);
    json_decref(list);
    if (!ok || columns)
        return ok && find_columns(l, columns, "columns", &l->inputs, &l->n_inputs, err);
    l->inputs = arena_array(&l->table->arena, l->n_columns, sizeof *l->inputs);
    l->n_inputs = 0;
    for (size_t i = 0; i < l->n_columns; i++)
        if (!is_among(l->labels, l->n_labels, i))
            l->inputs[l->n_inputs++] = i;
    return true;
}

/* The columns a trained model knows by name; false when the file does not have them all. */
static bool choose_by_name(struct load *l, const json_t *names)
{
    struct err ignored;
    return l->header && json_array_size(names) && find_columns(l, names, "columns", &l->inputs, &l->n_inputs, &ignored);
}

/* For predict: by name, or all of them, or all but the label columns, whichever has as many as the model takes. */
static bool choose_for_model(struct load *l, struct err *err)
{
    int64_t want = l->from->want_columns;
    struct err ignored;
    if (choose_by_name(l, json_object_get(l->from->state, "columns")) && (int64_t)l->n_inputs == want)
        goto done;
    if ((int64_t)l->n_columns == want) {
        l->inputs = arena_array(&l->table->arena, l->n_columns, sizeof *l->inputs);
        for (l->n_inputs = 0; l->n_inputs < l->n_columns; l->n_inputs++)
            l->inputs[l->n_inputs] = l->n_inputs;
        goto done;
    }
    if (!choose_as_configured(l, &ignored) || (int64_t)l->n_inputs != want)
        return err_set(err, ERR_USAGE, "%s has %zu columns, the model takes %lld", l->source, l->n_columns,
                       (long long)want);
done:
    l->n_labels = 0;
    return true;
}

static bool choose_columns(struct load *l, struct err *err)
{
    if (l->from->want_columns)
        return choose_for_model(l, err);
    if (!choose_as_configured(l, err))
        return false;
    choose_by_name(l, json_object_get(l->from->state, "columns"));
    for (size_t i = 0; i < l->n_inputs; i++)
        if (is_among(l->labels, l->n_labels, l->inputs[i]))
            return err_set(err, ERR_USAGE, "data.columns: column %zu of %s is the label too", l->inputs[i], l->source);
    return l->n_inputs || err_set(err, ERR_USAGE, "%s has %zu column%s, all of them labels: nothing is left as input%s",
                                  l->source, l->n_columns, l->n_columns == 1 ? "" : "s", other_delimiter(l));
}

/* ---- rows ---- */

static bool cell_error(const struct load *l, int64_t line, size_t column, const char *cell, const char *expected,
                       struct err *err)
{
    struct str shown = {0};
    str_add_visible(&shown, cell);
    if (shown.length > 40)
        memcpy(shown.data + 37, "...", 4);
    err_set(err, ERR_FORMAT, "%s line %lld column %zu%s%s%s: found '%s', expected %s%s", l->source, (long long)line,
            column + 1, l->header ? " '" : "", l->header ? l->header[column] : "", l->header ? "'" : "",
            str_text(&shown), expected, other_delimiter(l));
    str_release(&shown);
    return false;
}

/* *value is NaN for a missing cell that is filled later; *drop asks for the row to be left out. */
static bool read_input(const struct load *l, int64_t line, size_t column, const char *cell, double *value, bool *drop,
                       struct err *err)
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

static bool read_label(struct load *l, int64_t line, size_t k, const char *cell, double *value, bool *drop,
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

static bool add_row(struct load *l, char *const *cells, size_t n_cells, int64_t line, struct err *err)
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

static bool read_rows(struct load *l, char **first, size_t n_first, struct err *err)
{
    const json_t *given = json_object_get(l->from->data, "header");
    bool header =
        json_is_boolean(given) ? json_is_true(given) : guess_header(first, n_first, l->csv.cells, l->csv.n_cells);
    l->header = header ? first : NULL;
    l->n_columns = n_first;
    l->first_cell = first[0];
    if (!choose_columns(l, err) || (!header && !add_row(l, first, n_first, l->first_line, err)))
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

static bool code_by_known_names(struct load *l, const json_t *known, int32_t *rank, struct err *err)
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
static void code_by_order(struct load *l, int32_t *rank)
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
static bool code_text_labels(struct load *l, struct err *err)
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

static bool build(struct load *l, struct err *err)
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
    struct load l = {.table = t, .from = from, .source = arena_printf(&t->arena, "'%s'", path)};
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
