/* chart_export.c - see chart_export.h */
#include "tui/client/chart_export.h"

#include "base/arena.h"
#include "persistence/files/atomic_file.h"
#include "persistence/files/image_file.h"
#include "tui/client/cli_text.h"
#include "tui/client/train_request.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const export_suffix[EXPORT_KINDS] = {"svg", "png", "csv"};

static void size_of(const struct chart_file *file, size_t n, int *width, int *height)
{
    *width = file->width > 0 ? file->width : EXPORT_WIDTH;
    *height = file->height > 0 ? file->height : n > 1 ? EXPORT_PANEL_HEIGHT : EXPORT_HEIGHT;
}

static enum chart_paper paper_of(const struct chart_file *file)
{
    return file->dark ? PAPER_DARK : PAPER_LIGHT;
}

static void add_svg(const struct chart_file *file, const struct chart *charts, size_t n, struct str *out)
{
    int width, height;
    size_of(file, n, &width, &height);
    if (n > 1)
        str_addf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\">\n", width,
                 height * (int)n);
    for (size_t p = 0; p < n; p++) {
        if (n > 1)
            str_addf(out, "<svg y=\"%d\">\n", height * (int)p);
        chart_svg(&charts[p], paper_of(file), width, height, out);
        str_add(out, n > 1 ? "</svg>\n" : "");
    }
    str_add(out, n > 1 ? "</svg>\n" : "");
}

static bool write_png(const struct chart_file *file, const struct chart *charts, size_t n, struct err *err)
{
    int width, height;
    size_of(file, n, &width, &height);
    if (height * (long)n > 32768)
        return err_set(err, ERR_USAGE, "%zu charts of %d pixels are too high for a PNG; choose a smaller --height", n,
                       height);
    size_t size = (size_t)width * (size_t)height * 3;
    struct image image = {height * (int)n, width, 3, xmalloc(size * n)};
    for (size_t p = 0; p < n; p++) {
        uint8_t *pixels = chart_pixels(&charts[p], paper_of(file), width, height);
        memcpy(image.pixels + p * size, pixels, size);
        free(pixels);
    }
    bool ok = image_write_png(file->path, &image, err);
    image_release(&image);
    return ok;
}

/* ---- CSV ---- */

struct csv_column {
    const struct chart_line *line;
    size_t at; /* the next sample */
};

static const char *column_name(const struct csv_column *column)
{
    const char *name = column->line->column ? column->line->column : column->line->name;
    return name ? name : "";
}

/* A curve may lie in two charts: the losses of batches behind those of epochs, and alone. It has one column. */
static bool has_column(const struct csv_column *columns, size_t n, const struct csv_column *one)
{
    for (size_t c = 0; c < n; c++)
        if (!strcmp(column_name(&columns[c]), column_name(one)))
            return true;
    return false;
}

/* The range that is seen: of the first chart, they share their axis. */
static void begin_columns(const struct chart *charts, size_t n, struct csv_column *columns, size_t *n_columns,
                          struct range *x)
{
    struct range y;
    *n_columns = 0;
    *x = (struct range){NAN, NAN};
    for (size_t p = 0; p < n; p++) {
        struct range one;
        chart_ranges(&charts[p], &one, &y);
        *x = range_join(*x, one);
    }
    for (size_t p = 0; p < n; p++)
        for (size_t k = 0; k < charts[p].n_lines; k++) {
            const struct chart_line *line = &charts[p].lines[k];
            columns[*n_columns] = (struct csv_column){line, series_lower(line->series, x->lo)};
            *n_columns += !has_column(columns, *n_columns, &columns[*n_columns]);
        }
}

static void add_header(const struct chart *charts, const struct csv_column *columns, size_t n, struct str *out)
{
    text_add_csv(out, charts[0].x_name ? charts[0].x_name : "x");
    for (size_t c = 0; c < n; c++) {
        const char *name = column_name(&columns[c]);
        str_add_char(out, ',');
        text_add_csv(out, name);
        if (columns[c].line->smooth) {
            char *smooth = xprintf("%s (smooth)", name);
            str_add_char(out, ',');
            text_add_csv(out, smooth);
            free(smooth);
        }
    }
    str_add_char(out, '\n');
}

/* The values at x, of those columns that have one there; false behind the last x. */
static bool add_row(struct csv_column *columns, size_t n, double end, struct str *out)
{
    double x = INFINITY;
    for (size_t c = 0; c < n; c++) {
        const struct series *series = columns[c].line->series;
        if (columns[c].at < series->n)
            x = fmin(x, series->x[columns[c].at]);
    }
    if (!(x <= end))
        return false;
    str_add_double(out, x);
    for (size_t c = 0; c < n; c++) {
        const struct chart_line *line = columns[c].line;
        size_t at = columns[c].at;
        bool here = at < line->series->n && line->series->x[at] == x;
        str_add_char(out, ',');
        if (here)
            str_add_double(out, line->series->y[at]);
        str_add(out, line->smooth ? "," : "");
        if (here && line->smooth && at < line->smooth->n)
            str_add_double(out, line->smooth->y[at]);
        columns[c].at += here;
    }
    str_add_char(out, '\n');
    return true;
}

void chart_add_csv(const struct chart *charts, size_t n, struct str *out)
{
    size_t n_columns = 0;
    struct range x;
    for (size_t p = 0; p < n; p++)
        n_columns += charts[p].n_lines;
    struct csv_column *columns = xcalloc(n_columns + 1, sizeof *columns);
    begin_columns(charts, n, columns, &n_columns, &x);
    if (n)
        add_header(charts, columns, n_columns, out);
    while (add_row(columns, n_columns, x.hi, out))
        ;
    free(columns);
}

bool chart_save(const struct chart_file *file, const struct chart *charts, size_t n, struct err *err)
{
    struct str out = {0};
    bool ok = true;
    if (file->kind == EXPORT_PNG)
        return write_png(file, charts, n, err);
    if (file->kind == EXPORT_SVG)
        add_svg(file, charts, n, &out);
    else
        chart_add_csv(charts, n, &out);
    if (file->kind == EXPORT_CSV && !strcmp(file->path, "-"))
        fputs(str_text(&out), stdout);
    else
        ok = atomic_file_save(file->path, str_text(&out), out.length, err);
    str_release(&out);
    return ok;
}

/* ---- the command line ---- */

static void add_option(struct str *out, const char *option, const char *value)
{
    str_addf(out, " %s ", option);
    add_shell_word(out, value);
}

static void add_range(struct str *out, const struct chart_options *options)
{
    if (isnan(options->lo) && isnan(options->hi))
        return;
    str_add(out, " --x-range=");
    if (!isnan(options->lo))
        str_add_double(out, options->lo);
    str_add_char(out, ':');
    if (!isnan(options->hi))
        str_add_double(out, options->hi);
}

void chart_add_command(const struct chart_command *command, struct str *out)
{
    const struct chart_options *options = command->options;
    str_add(out, "antler");
    if (command->home)
        add_option(out, "--home", command->home);
    str_add(out, " plot");
    for (size_t r = 0; r < command->n_runs; r++) {
        str_add_char(out, ' ');
        add_shell_word(out, command->runs[r]);
    }
    for (size_t m = 0; m < command->n_metrics; m++)
        add_option(out, "--metric", command->metrics[m]);
    for (size_t b = 0; b < command->n_bright; b++)
        add_option(out, "--bright", command->bright[b]);
    add_option(out, "--x", curve_axis_word(options->axis));
    add_range(out, options);
    str_add(out, options->log_x ? " --log-x" : "");
    str_add(out, options->log_y ? " --log-y" : "");
    str_add(out, options->clip ? " --clip" : "");
    if (options->smooth > 0) {
        str_add(out, " --smooth ");
        str_add_double(out, options->smooth);
    }
}
