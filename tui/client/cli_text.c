/* cli_text.c - see cli_text.h */
#include "tui/client/cli_text.h"
#include "tui/client/worker_client.h"

#include "base/arena.h"
#include "base/io.h"

#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

enum { GAP = 2 };

static bool use_colour(void)
{
    static int known = -1;
    if (known < 0) {
        const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
        known = isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
    }
    return known;
}

static const char *const style_codes[] = {"", "\033[2m", "\033[1m", "\033[32m", "\033[31m", "\033[36m"};

/* Columns a visible text takes on the screen. */
static int display_width(const char *text)
{
    wchar_t wide[512];
    size_t n = mbstowcs(wide, text, 512);
    int width = n == (size_t)-1 || n == 512 ? -1 : wcswidth(wide, n);
    return width < 0 ? (int)strlen(text) : width;
}

void text_table_column(struct text_table *table, const char *title, bool right)
{
    BUG_ON(table->n_columns == sizeof table->columns / sizeof table->columns[0]);
    table->columns[table->n_columns++] = (struct text_column){title, right};
}

void text_table_row(struct text_table *table)
{
    size_t n = table->n_columns;
    table->cells = xgrow(table->cells, &table->capacity, (table->n_rows + 1) * n, sizeof *table->cells);
    memset(table->cells + table->n_rows * n, 0, n * sizeof *table->cells);
    table->n_rows++;
    table->at = 0;
}

void text_table_cell(struct text_table *table, enum text_style style, const char *text)
{
    BUG_ON(table->at == table->n_columns);
    struct str visible = {0};
    str_add_visible(&visible, text ? text : "");
    table->cells[(table->n_rows - 1) * table->n_columns + table->at++] = (struct text_cell){str_take(&visible), style};
}

/* The beginning of a text that takes at most `width` columns, with a mark that it goes on. free() it. */
static char *clipped(const char *text, int width)
{
    wchar_t wide[512];
    size_t n = mbstowcs(wide, text, 512);
    bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
    if (n == (size_t)-1 || n == 512)
        return xstrndup(text, (size_t)width);
    while (n && wcswidth(wide, n) > width - 1)
        n--;
    wide[n] = utf8 ? 0x2026 : L'~';
    wide[n + 1 < 512 ? n + 1 : n] = 0;
    char out[2048];
    size_t bytes = wcstombs(out, wide, sizeof out);
    return bytes >= sizeof out ? xstrndup(text, (size_t)width) : xstrdup(out);
}

/* *spaces are owed since the last text: a line never ends with them. */
static void print_cell(const struct text_cell *cell, int width, bool right, int *spaces)
{
    char *cut = cell->text && display_width(cell->text) > width ? clipped(cell->text, width) : NULL;
    const char *text = cut ? cut : cell->text ? cell->text : "";
    int padding = width - display_width(text);
    const char *code = use_colour() ? style_codes[cell->style] : "";
    *spaces += right ? padding : 0;
    if (*text) {
        printf("%*s%s%s%s", *spaces, "", code, text, *code ? "\033[0m" : "");
        *spaces = 0;
    }
    *spaces += (right ? 0 : padding) + GAP;
    free(cut);
}

/* On a terminal that is too narrow the first column, which names the rows, gives way. */
static void fit_terminal(int *widths, size_t n)
{
    enum { FIRST_MIN = 10 };
    int total = -GAP, width = text_width();
    for (size_t c = 0; c < n; c++)
        total += widths[c] ? widths[c] + GAP : 0;
    if (!width || total <= width || widths[0] <= FIRST_MIN)
        return;
    widths[0] -= total - width;
    widths[0] = widths[0] < FIRST_MIN ? FIRST_MIN : widths[0];
}

void text_table_print(const struct text_table *table)
{
    int widths[64] = {0};
    for (size_t c = 0; c < table->n_columns; c++) {
        for (size_t r = 0; r < table->n_rows; r++) {
            const char *text = table->cells[r * table->n_columns + c].text;
            int width = text ? display_width(text) : 0;
            widths[c] = width > widths[c] ? width : widths[c];
        }
        if (!widths[c])
            continue;
        int title = display_width(table->columns[c].title);
        widths[c] = title > widths[c] ? title : widths[c];
    }
    fit_terminal(widths, table->n_columns);
    for (size_t r = 0; table->n_rows && r <= table->n_rows; r++) {
        int spaces = 0;
        for (size_t c = 0; c < table->n_columns; c++) {
            struct text_cell title = {(char *)table->columns[c].title, TEXT_DIM};
            if (widths[c])
                print_cell(r ? &table->cells[(r - 1) * table->n_columns + c] : &title, widths[c],
                           table->columns[c].right, &spaces);
        }
        putchar('\n');
    }
}

void text_table_release(struct text_table *table)
{
    for (size_t i = 0; i < table->n_rows * table->n_columns; i++)
        free(table->cells[i].text);
    free(table->cells);
    *table = (struct text_table){0};
}

const char *text_missing(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") ? "-" : "\xE2\x80\x94";
}

struct text text_number(double value)
{
    struct text t;
    if (isnan(value))
        snprintf(t.text, sizeof t.text, "NaN");
    else if (isinf(value))
        snprintf(t.text, sizeof t.text, value < 0 ? "-Infinity" : "Infinity");
    else
        snprintf(t.text, sizeof t.text, "%.4g", value);
    return t;
}

struct text text_duration(double seconds)
{
    struct text t;
    long long s = isfinite(seconds) && seconds >= 0 && seconds < 1e15 ? (long long)seconds : -1;
    if (s < 0)
        snprintf(t.text, sizeof t.text, "%s", text_missing());
    else if (s < 10 && seconds > 0)
        snprintf(t.text, sizeof t.text, "%.1fs", seconds);
    else if (s < 60)
        snprintf(t.text, sizeof t.text, "%llds", s);
    else if (s < 3600)
        snprintf(t.text, sizeof t.text, "%lldm%02llds", s / 60, s % 60);
    else if (s < 86400)
        snprintf(t.text, sizeof t.text, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else
        snprintf(t.text, sizeof t.text, "%lldd%02lldh", s / 86400, s / 3600 % 24);
    return t;
}

struct text text_age(double then)
{
    double age = io_wall_seconds() - then;
    struct text t = {""};
    if (!(then > 0))
        return t;
    static const struct {
        double seconds;
        const char *unit;
    } units[] = {{31557600, "y"}, {86400, "d"}, {3600, "h"}, {60, "m"}};
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++)
        if (age >= units[u].seconds) {
            snprintf(t.text, sizeof t.text, "%.0f%s ago", floor(age / units[u].seconds), units[u].unit);
            return t;
        }
    snprintf(t.text, sizeof t.text, "now");
    return t;
}

struct text text_size(int64_t bytes)
{
    struct text t;
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    double size = (double)bytes;
    size_t u = 0;
    for (; size >= 1000 && u < 4; u++)
        size /= 1000;
    snprintf(t.text, sizeof t.text, size < 10 && u ? "%.1f %s" : "%.0f %s", size, units[u]);
    return t;
}

struct text text_clock(double then)
{
    struct text t = {""};
    time_t seconds = (time_t)then;
    struct tm tm;
    if (then > 0 && localtime_r(&seconds, &tm))
        strftime(t.text, sizeof t.text, "%Y-%m-%d %H:%M:%S", &tm);
    return t;
}

enum text_style text_state_style(enum run_state state)
{
    static const enum text_style styles[] = {
        [RUN_QUEUED] = TEXT_DIM,    [RUN_RUNNING] = TEXT_LIVE, [RUN_PAUSED] = TEXT_LIVE,     [RUN_FINISHED] = TEXT_GOOD,
        [RUN_STOPPED] = TEXT_PLAIN, [RUN_FAILED] = TEXT_BAD,   [RUN_INTERRUPTED] = TEXT_BAD,
    };
    return styles[state];
}

void text_print(enum text_style style, const char *text)
{
    struct str visible = {0};
    str_add_visible(&visible, text);
    const char *code = use_colour() ? style_codes[style] : "";
    printf("%s%s%s", code, str_text(&visible), *code ? "\033[0m" : "");
    str_release(&visible);
}

void text_add_csv(struct str *out, const char *word)
{
    if (!strpbrk(word, ",\"\r\n")) {
        str_add(out, word);
        return;
    }
    str_add_char(out, '"');
    for (; *word; word++) {
        str_add(out, *word == '"' ? "\"" : "");
        str_add_char(out, *word);
    }
    str_add_char(out, '"');
}

int text_width(void)
{
    struct winsize size;
    return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? size.ws_col : 0;
}

json_t *text_run_json(const struct run_summary *run)
{
    json_t *json = json_object(), *tags = json_array(), *last = json_object(), *best = json_object(),
           *parent = json_null();
    for (size_t t = 0; t < run->n_tags; t++)
        json_array_append_new(tags, js_text_value(run->tags[t]));
    for (size_t m = 0; m < run->n_metrics; m++) {
        const struct metric_summary *metric = &run->metrics[m];
        json_object_set_new(last, metric->name, js_number(metric->last));
        if (!isnan(metric->best))
            json_object_set_new(
                best, metric->name,
                json_pack("{s:o, s:I}", "value", js_number(metric->best), "epoch", (json_int_t)metric->best_epoch));
    }
    if (run->parent_run || run->parent_checkpoint)
        parent = json_pack("{s:o, s:o, s:I}", "run", js_text_value(run->parent_run), "checkpoint",
                           js_text_value(run->parent_checkpoint), "epoch", (json_int_t)run->parent_epoch);
    json_object_set_new(json, "run", js_text_value(run->id));
    json_object_set_new(json, "name", js_text_value(run->name));
    json_object_set_new(json, "state", json_string(run_state_name(run->state)));
    json_object_set_new(json, "epoch", json_integer(run->epoch));
    json_object_set_new(json, "epochs", json_integer(run->epochs));
    json_object_set_new(json, "step", json_integer(run->step));
    json_object_set_new(json, "created", js_number(run->created));
    json_object_set_new(json, "duration_s", js_number(run->duration_s));
    json_object_set_new(json, "device", js_text_value(run->device));
    json_object_set_new(json, "learning_rate", isnan(run->learning_rate) ? json_null() : js_number(run->learning_rate));
    json_object_set_new(json, "tags", tags);
    json_object_set_new(json, "parent", parent);
    json_object_set_new(json, "last", last);
    json_object_set_new(json, "best", best);
    return json;
}

struct index *text_open_index(const char *home, struct err *err)
{
    struct index *index = index_open(home, err);
    if (index && !index_refresh(index, NULL, err)) {
        index_close(index);
        return NULL;
    }
    worker_start_waiting(home, NULL, 0, NULL);
    return index;
}

void text_add_shape(struct str *out, const json_t *shape)
{
    const json_t *dim;
    size_t i;
    if (json_is_null(shape) || !shape) {
        str_add(out, text_missing());
        return;
    }
    str_add(out, "(");
    json_array_foreach((json_t *)shape, i, dim) {
        str_add(out, i ? ", " : "");
        if (json_is_array(dim))
            text_add_shape(out, dim);
        else if (json_is_integer(dim))
            str_addf(out, "%lld", (long long)json_integer_value(dim));
        else
            str_add(out, "None");
    }
    str_add(out, json_array_size(shape) == 1 && !json_is_array(json_array_get(shape, 0)) ? ",)" : ")");
}
