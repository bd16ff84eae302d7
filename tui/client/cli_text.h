/* cli_text.h - how commands write for people: aligned tables, human numbers, times and sizes; and the JSON of a run
 * that several share.
 *
 *     struct text_table table = {0};
 *     text_table_column(&table, "name", false);
 *     text_table_column(&table, "loss", true);          // right-aligned
 *     text_table_row(&table);
 *     text_table_cell(&table, TEXT_PLAIN, "digits");
 *     text_table_cell(&table, TEXT_PLAIN, text_number(0.031).text);
 *     text_table_print(&table);
 *     text_table_release(&table);
 *
 * Every text that comes from a file or a user is made visible (no control characters) on the way. Colours only on a
 * terminal that wants them.
 */
#ifndef TUI_CLIENT_CLI_TEXT_H
#define TUI_CLIENT_CLI_TEXT_H

#include "base/json.h"
#include "persistence/index/index.h"

enum text_style { TEXT_PLAIN, TEXT_DIM, TEXT_BOLD, TEXT_GOOD, TEXT_BAD, TEXT_LIVE };

struct text_column {
    const char *title; /* lent */
    bool right;
};
struct text_cell {
    char *text;
    enum text_style style;
};
struct text_table {
    struct text_column columns[64];
    size_t n_columns;
    struct text_cell *cells; /* n_rows x n_columns; a row may end early */
    size_t n_rows, capacity, at;
};
void text_table_column(struct text_table *table, const char *title, bool right);
void text_table_row(struct text_table *table);
void text_table_cell(struct text_table *table, enum text_style style, const char *text);
/* Columns without any text are left out. */
void text_table_print(const struct text_table *table);
void text_table_release(struct text_table *table);

/* By value, for use in arguments. */
struct text {
    char text[64];
};
struct text text_number(double value);     /* 4 digits: "0.0312", "1.234e-07", "NaN" */
struct text text_duration(double seconds); /* "9s", "1m42s", "3h05m", "2d04h"; "—" for NaN */
struct text text_age(double then);         /* "9s ago" */
struct text text_size(int64_t bytes);      /* "287 KB" */
struct text text_clock(double then);       /* "2026-11-23 14:30:12" */
const char *text_missing(void);            /* "—", or "-" where the locale has none */
enum text_style text_state_style(enum run_state state);
/* "(None, 8, 8, 1)" as Keras writes shapes; an array of shapes with commas. */
void text_add_shape(struct str *out, const json_t *shape);
/* Prints text made visible, in a style. */
void text_print(enum text_style style, const char *text);
/* A word of comma-separated values, quoted where it must be. */
void text_add_csv(struct str *out, const char *word);
/* Columns of the terminal on standard output; 0 when it is none. */
int text_width(void);

/* One entry of `list --json`. New reference. */
json_t *text_run_json(const struct run_summary *run);

/* What every reading command starts with: opens the index of the home, brings it up to date, and starts what waits in
 * the queue and has a place. NULL and err. */
struct index *text_open_index(const char *home, struct err *err);

#endif
