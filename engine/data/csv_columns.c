/* csv_columns.c - which columns of a CSV file are inputs and which are labels: as the config says, by their names, or
 * as the model wants them. */
#include "engine/data/csv_load.h"

#include <stdlib.h>
#include <string.h>

static bool cell_is_text(const char *cell)
{
    double value;
    return !csv_number(cell, &value) && !csv_missing(cell);
}

const char *csv_other_delimiter(const struct csv_load *l)
{
    static const char *const advice[] = {"; it seems to want \"delimiter\": \";\"",
                                         "; it seems to want \"delimiter\": \"\\t\"",
                                         "; it seems to want \"delimiter\": \"|\""};
    const char *found = l->n_columns == 1 ? strpbrk(l->first_cell, ";\t|") : NULL;
    return !found ? "" : advice[*found == ';' ? 0 : *found == '\t' ? 1 : 2];
}

bool csv_guess_header(char *const *first, size_t n_first, char *const *second, size_t n_second)
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

static bool no_such_column(const struct csv_load *l, const char *name, const char *key, struct err *err)
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

static bool find_named(const struct csv_load *l, const char *name, const char *key, size_t *column, struct err *err)
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

static bool find_column(const struct csv_load *l, const json_t *which, const char *key, size_t *column, struct err *err)
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

static bool find_columns(struct csv_load *l, const json_t *list, const char *key, size_t **columns, size_t *n,
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

static bool choose_as_configured(struct csv_load *l, struct err *err)
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
static bool choose_by_name(struct csv_load *l, const json_t *names)
{
    struct err ignored;
    return l->header && json_array_size(names) && find_columns(l, names, "columns", &l->inputs, &l->n_inputs, &ignored);
}

/* For predict: by name, or all of them, or all but the label columns, whichever has as many as the model takes. */
static bool choose_for_model(struct csv_load *l, struct err *err)
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

bool csv_choose_columns(struct csv_load *l, struct err *err)
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
                                  l->source, l->n_columns, l->n_columns == 1 ? "" : "s", csv_other_delimiter(l));
}
