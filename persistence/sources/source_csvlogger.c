/* source_csvlogger.c - the files of keras.callbacks.CSVLogger: a header "epoch,accuracy,loss,...", one line per epoch,
 * epochs from 0.
 *
 * Separator , ; or tab. An empty field, NA, nan of a skipped metric and a short line are missing values; a header
 * repeated in the file is passed over. The file may still be written: a last line without its end is left out, and
 * said.
 */
#include "persistence/sources/source.h"

#include "base/arena.h"
#include "persistence/sources/text_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CSV_MAX_BYTES = 256 << 20, COLUMNS_MAX = 4096, NAME_MAX_BYTES = 1000 };

struct row {
    int64_t epoch;  /* 1-based */
    size_t line;    /* of two with the same epoch the later wins */
    double *values; /* per column; NaN with `given` false = missing */
    bool *given;
};

struct source_reader {
    struct arena arena;
    const char *path;
    char separator;
    const char **columns; /* all of the header */
    size_t n_columns, epoch_column;
    struct row *rows;
    size_t n_rows, rows_capacity, at;
    const char **names; /* of the record at hand */
    double *values;
    bool unfinished;
};

static char separator_of(const char *header, size_t length)
{
    static const char candidates[] = ",;\t";
    char best = ',';
    size_t most = 0;
    for (size_t c = 0; c < 3; c++) {
        size_t n = 0;
        for (size_t i = 0; i < length; i++)
            n += header[i] == candidates[c];
        if (n > most) {
            most = n;
            best = candidates[c];
        }
    }
    return best;
}

/* Takes one field at *p (up to `end`), without quotes and spaces around it. */
static char *take_field(struct arena *arena, const char **p, const char *end, char separator)
{
    struct str field = {0};
    const char *at = *p;
    while (at < end && *at == ' ')
        at++;
    if (at < end && *at == '"') {
        for (at++; at < end && (*at != '"' || (at + 1 < end && at[1] == '"')); at++) {
            at += *at == '"';
            str_add_char(&field, *at);
        }
        while (at < end && *at != separator)
            at++;
    } else {
        for (; at < end && *at != separator; at++)
            str_add_char(&field, *at);
        while (field.length && field.data[field.length - 1] == ' ')
            field.data[--field.length] = 0;
    }
    *p = at < end ? at + 1 : NULL;
    char *text = arena_strdup(arena, str_text(&field));
    str_release(&field);
    return text;
}

static size_t split(struct arena *arena, const char *line, size_t length, char separator, const char **fields)
{
    size_t n = 0;
    const char *p = line, *end = line + length;
    while (p && n < COLUMNS_MAX)
        fields[n++] = take_field(arena, &p, end, separator);
    return n;
}

static size_t line_length(const char *text)
{
    return strcspn(text, "\r\n");
}

static bool recognise(const char *path, const char *head, size_t head_bytes)
{
    (void)path, (void)head_bytes;
    if (str_starts(head, "\xEF\xBB\xBF"))
        head += 3;
    size_t length = line_length(head);
    if (!head[length] || length > 4000) /* no whole line, or binary */
        return false;
    char separator = separator_of(head, length);
    struct arena arena = {0};
    const char **fields = arena_array(&arena, COLUMNS_MAX, sizeof *fields);
    size_t n = split(&arena, head, length, separator, fields);
    bool found = false;
    for (size_t i = 0; i < n; i++)
        found = found || !strcmp(fields[i], "epoch");
    arena_release(&arena);
    return found && n > 1;
}

static bool is_missing(const char *field)
{
    static const char *const words[] = {"", "NA", "N/A", "None", "null"};
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
        if (!strcmp(field, words[w]))
            return true;
    return false;
}

static bool parse_value(const char *field, double *value)
{
    static const char *const words[] = {"nan", "inf", "+inf", "-inf", "infinity", "-infinity"};
    const double values[] = {NAN, INFINITY, INFINITY, -INFINITY, INFINITY, -INFINITY};
    if (str_to_double(field, value))
        return true;
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
        if (!strcasecmp(field, words[w])) {
            *value = values[w];
            return true;
        }
    return false;
}

static bool wrong_field(const struct source_reader *csv, size_t line, size_t column, const char *found,
                        const char *expected, struct err *err)
{
    return err_set(err, ERR_FORMAT, "'%s' line %zu, column '%s': found '%.40s', expected %s", csv->path, line,
                   csv->columns[column], found, expected);
}

static bool add_row(struct source_reader *csv, const char **fields, size_t n, size_t line, struct err *err)
{
    if (n > csv->n_columns)
        return err_set(err, ERR_FORMAT, "'%s' line %zu: found %zu fields, expected %zu as in the header", csv->path,
                       line, n, csv->n_columns);
    double epoch;
    if (n <= csv->epoch_column || !str_to_double(fields[csv->epoch_column], &epoch) || epoch != floor(epoch) ||
        epoch < 0 || epoch > 1e12)
        return wrong_field(csv, line, csv->epoch_column, n <= csv->epoch_column ? "nothing" : fields[csv->epoch_column],
                           "the number of an epoch, from 0", err);
    struct row row = {.epoch = (int64_t)epoch + 1, .line = line};
    row.values = arena_array(&csv->arena, csv->n_columns, sizeof *row.values);
    row.given = arena_array(&csv->arena, csv->n_columns, sizeof *row.given);
    for (size_t c = 0; c < n; c++) {
        if (c == csv->epoch_column || is_missing(fields[c]))
            continue;
        if (!parse_value(fields[c], &row.values[c]))
            return wrong_field(csv, line, c, fields[c], "a number", err);
        row.given[c] = true;
    }
    csv->rows = xgrow(csv->rows, &csv->rows_capacity, csv->n_rows + 1, sizeof *csv->rows);
    csv->rows[csv->n_rows++] = row;
    return true;
}

static int compare_rows(const void *pa, const void *pb)
{
    const struct row *a = pa, *b = pb;
    if (a->epoch != b->epoch)
        return a->epoch < b->epoch ? -1 : 1;
    return (a->line > b->line) - (a->line < b->line);
}

static void keep_latest(struct source_reader *csv)
{
    if (!csv->n_rows)
        return;
    qsort(csv->rows, csv->n_rows, sizeof *csv->rows, compare_rows);
    size_t kept = 0;
    for (size_t i = 0; i < csv->n_rows; i++)
        if (i + 1 == csv->n_rows || csv->rows[i].epoch != csv->rows[i + 1].epoch)
            csv->rows[kept++] = csv->rows[i];
    csv->n_rows = kept;
}

static bool take_header(struct source_reader *csv, const char **fields, size_t n, struct err *err)
{
    csv->columns = arena_array(&csv->arena, n + 1, sizeof *csv->columns);
    csv->epoch_column = SIZE_MAX;
    for (size_t c = 0; c < n; c++) {
        csv->columns[c] = fields[c];
        if (!strcmp(fields[c], "epoch") && csv->epoch_column == SIZE_MAX)
            csv->epoch_column = c;
        if (!*fields[c] || strlen(fields[c]) > NAME_MAX_BYTES)
            return err_set(err, ERR_FORMAT, "'%s' line 1: column %zu has no usable name", csv->path, c + 1);
        for (size_t d = 0; d < c; d++)
            if (!strcmp(fields[c], fields[d]))
                return err_set(err, ERR_FORMAT, "'%s' line 1: two columns are called '%s'", csv->path, fields[c]);
    }
    csv->n_columns = n;
    csv->names = arena_array(&csv->arena, n + 1, sizeof *csv->names);
    csv->values = arena_array(&csv->arena, n + 1, sizeof *csv->values);
    return csv->epoch_column != SIZE_MAX ||
           err_set(err, ERR_FORMAT, "'%s' line 1: there is no column 'epoch'", csv->path);
}

static bool is_header(const struct source_reader *csv, const char **fields, size_t n)
{
    for (size_t c = 0; c < n; c++)
        if (c >= csv->n_columns || strcmp(fields[c], csv->columns[c]) != 0)
            return false;
    return n == csv->n_columns;
}

static bool parse(struct source_reader *csv, const char *text, struct err *err)
{
    const char **fields = arena_array(&csv->arena, COLUMNS_MAX, sizeof *fields);
    size_t line = 0;
    if (str_starts(text, "\xEF\xBB\xBF"))
        text += 3;
    csv->separator = separator_of(text, line_length(text));
    while (*text) {
        size_t length = line_length(text);
        const char *end = text + length;
        line++;
        if (!*end && line > 1) { /* being written at this moment */
            csv->unfinished = true;
            break;
        }
        size_t n = split(&csv->arena, text, length, csv->separator, fields);
        bool ok = line == 1 ? take_header(csv, fields, n, err)
                            : !length || is_header(csv, fields, n) || add_row(csv, fields, n, line, err);
        if (!ok)
            return false;
        text = end + (*end == '\r' && end[1] == '\n' ? 2 : *end != 0);
    }
    keep_latest(csv);
    return true;
}

static void close_csv(struct source_reader *csv)
{
    if (!csv)
        return;
    free(csv->rows);
    arena_release(&csv->arena);
    free(csv);
}

static struct source_reader *open_csv(const char *path, struct err *err)
{
    char *text;
    size_t size;
    if (!text_file_read(path, CSV_MAX_BYTES, &text, &size, err))
        return NULL;
    struct source_reader *csv = xcalloc(1, sizeof *csv);
    csv->path = arena_strdup(&csv->arena, path);
    bool ok = parse(csv, text, err);
    free(text);
    if (ok)
        return csv;
    close_csv(csv);
    return NULL;
}

static int next(struct source_reader *csv, struct source_record *record, struct err *err)
{
    (void)err;
    if (csv->at == csv->n_rows)
        return 0;
    const struct row *row = &csv->rows[csv->at++];
    size_t n = 0;
    for (size_t c = 0; c < csv->n_columns; c++)
        if (row->given[c]) {
            csv->names[n] = csv->columns[c];
            csv->values[n++] = row->values[c];
        }
    *record = (struct source_record){.kind = SOURCE_METRICS,
                                     .epoch = row->epoch,
                                     .step = row->epoch,
                                     .time = NAN,
                                     .n = n,
                                     .names = csv->names,
                                     .values = csv->values};
    return 1;
}

static const char *remark(const struct source_reader *csv)
{
    return csv->unfinished ? "the last line has no end and was left out: it may still be written" : NULL;
}

const struct source source_csvlogger = {
    .name = "csvlogger",
    .what = "a Keras CSVLogger file (a header with the column epoch)",
    .recognise = recognise,
    .open = open_csv,
    .next = next,
    .remark = remark,
    .close = close_csv,
    .once = true,
};
