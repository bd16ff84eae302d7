/* csv_load.h - what the files that load a CSV file share: data_csv.c (rows, arrays), csv_columns.c (columns). */
#ifndef ENGINE_DATA_CSV_LOAD_H
#define ENGINE_DATA_CSV_LOAD_H

#include "base/name_table.h"
#include "engine/data/csv_reader.h"
#include "engine/data/table.h"

enum missing { MISSING_ERROR, MISSING_DROP, MISSING_ZERO, MISSING_MEAN };

struct csv_load {
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

/* Sets inputs and labels, once the header and the number of columns are known. ERR_USAGE names what is not there and
 * the nearest name. */
bool csv_choose_columns(struct csv_load *load, struct err *err) MUST_USE;
/* "header" is auto: the first row is one when none of its cells is a number, or when it has text above a number. */
bool csv_guess_header(char *const *first, size_t n_first, char *const *second, size_t n_second);
/* Advice for a table that came out as one column: another separator in its first line; "" where there is none. */
const char *csv_other_delimiter(const struct csv_load *load);

#endif
