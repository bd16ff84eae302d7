/* csv_reader.h - rows of cells out of delimited text (RFC 4180 with any line end), with line numbers for messages.
 * Knows no numbers. */
#ifndef ENGINE_DATA_CSV_READER_H
#define ENGINE_DATA_CSV_READER_H

#include "base/err.h"

#include <stdint.h>

struct csv_reader {
    const char *source; /* for messages: "'x.csv'" */
    char *text;         /* the whole file, 0-terminated; owned; cells are cut out of it in place */
    size_t length, next;
    char delimiter;
    int64_t line; /* of the row read last, from 1 */
    int64_t next_line;
    char **cells; /* of the row read last; the texts stay valid until release */
    size_t n_cells, capacity;
};

/* Reads the file (gzip too) and checks that it is UTF-8 text. source is lent. */
bool csv_open(struct csv_reader *csv, const char *path, const char *source, char delimiter, struct err *err) MUST_USE;
/* The next row that is not blank; n_cells is 0 at the end. */
bool csv_next(struct csv_reader *csv, struct err *err) MUST_USE;
void csv_release(struct csv_reader *csv);

/* A whole file as text for csv and text formats: UTF-8 without NUL when `utf8`; a byte order mark is skipped. free()
 * *text. */
bool text_read(const char *path, const char *source, bool utf8, char **text, size_t *length, struct err *err) MUST_USE;
/* Decimal text with blanks around it -> double; false when it is not a finite number. Correctly rounded. */
bool csv_number(const char *text, double *value);
/* An empty cell or one of the words for a missing value. */
bool csv_missing(const char *text);

#endif
