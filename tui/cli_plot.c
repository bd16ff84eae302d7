/* cli_plot.c - antler plot: curves of runs as text on the terminal, as SVG or as PNG. One panel per family of metrics.
 */
#include "tui/cli_commands.h"
#include "tui/cli_text.h"
#include "tui/curves.h"
#include "tui/term.h"

#include "persistence/atomic_file.h"
#include "persistence/image_file.h"
#include "persistence/system_log.h"
#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_RUNS = 32, MAX_PANELS = 16 };

struct source { /* one run */
    const struct run_summary *run;
    const struct metric_series *series;
    size_t n;
};

struct panel { /* one chart */
    const char *family;
    struct chart_line lines[CHART_MAX_LINES];
    struct series raw[CHART_MAX_LINES], smooth[CHART_MAX_LINES];
    size_t n;
    int monitor; /* the line whose best checkpoint is marked, -1 */
};

struct plot {
    struct arena arena;
    struct source sources[MAX_RUNS];
    size_t n_sources;
    struct panel *panels[MAX_PANELS];
    size_t n_panels;
    struct chart_mark *marks;
    size_t n_marks;
    enum curve_axis axis;
    double width, height, smooth; /* width, height: 0 = not given */
    bool log_y, ascii;
};

static bool read_options(const struct cli *cli, struct plot *plot, struct err *err)
{
    bool picture = cli_option(cli, "--svg") || cli_option(cli, "--png");
    plot->ascii = cli_option(cli, "--ascii") != NULL;
    plot->log_y = cli_option(cli, "--log-y") != NULL;
    if (!cli_number(cli, "--width", picture ? 100 : 1, picture ? 8192 : 1000, &plot->width, err) ||
        !cli_number(cli, "--height", picture ? 80 : 1, picture ? 8192 : 500, &plot->height, err) ||
        !cli_number(cli, "--smooth", 0, 0.9999, &plot->smooth, err))
        return false;
    if (cli->n_arguments > MAX_RUNS)
        return err_set(err, ERR_USAGE, "at most %d runs in one plot, found %zu", MAX_RUNS, cli->n_arguments);
    return true;
}

static bool asks_for_system(const struct cli *cli)
{
    const char *metric;
    for (size_t k = 0; (metric = cli_option_at(cli, "--metric", k)); k++)
        if (curve_is_system(metric))
            return true;
    return false;
}

/* What the machine did, behind the metrics of the run. */
static void add_system(const struct index *index, struct source *source, struct arena *arena)
{
    const struct metric_series *system;
    size_t n;
    char *folder = path_join(index_home(index), source->run->folder);
    system_read(folder, arena, &system, &n);
    struct metric_series *all = arena_array(arena, source->n + n + 1, sizeof *all);
    for (size_t i = 0; i < source->n + n; i++)
        all[i] = i < source->n ? source->series[i] : system[i - source->n];
    source->series = all;
    source->n += n;
    free(folder);
}

static bool load_runs(const struct cli *cli, struct index *index, struct plot *plot, struct err *err)
{
    bool with_system = asks_for_system(cli);
    for (; plot->n_sources < cli->n_arguments; plot->n_sources++) {
        struct source *source = &plot->sources[plot->n_sources];
        source->run = index_find(index, cli->arguments[plot->n_sources], &plot->arena, err);
        if (!source->run ||
            !index_history(index, source->run->id, NULL, 0, &plot->arena, &source->series, &source->n, err))
            return false;
        if (with_system)
            add_system(index, source, &plot->arena);
    }
    return true;
}

static bool has_metric(const struct plot *plot, const char *metric)
{
    for (size_t s = 0; s < plot->n_sources; s++)
        for (size_t m = 0; m < plot->sources[s].n; m++)
            if (!strcmp(plot->sources[s].series[m].name, metric))
                return true;
    return false;
}

static bool refuse_metric(const struct plot *plot, const char *metric, struct err *err)
{
    struct str all = {0};
    for (size_t s = 0; s < plot->n_sources; s++)
        for (size_t m = 0; m < plot->sources[s].n; m++) {
            const char *name = plot->sources[s].series[m].name;
            bool earlier = false;
            for (size_t t = 0; t < s; t++)
                for (size_t k = 0; k < plot->sources[t].n; k++)
                    earlier |= !strcmp(plot->sources[t].series[k].name, name);
            if (!earlier)
                str_addf(&all, "%s%s", all.length ? ", " : "", name);
        }
    err_set(err, ERR_USAGE, "no metric '%s' here; there is %s", metric, all.length ? str_text(&all) : "none yet");
    str_release(&all);
    return false;
}

/* Metrics of the same family come into one panel, in the order in which they were asked for. */
static struct panel *panel_of(struct plot *plot, const char *family)
{
    for (size_t p = 0; p < plot->n_panels; p++)
        if (!strcmp(plot->panels[p]->family, family))
            return plot->panels[p];
    if (plot->n_panels == MAX_PANELS)
        return NULL;
    struct panel *panel = xcalloc(1, sizeof *panel);
    panel->family = family;
    panel->monitor = -1;
    return plot->panels[plot->n_panels++] = panel;
}

static void add_line(struct plot *plot, struct panel *panel, size_t s, const struct metric_series *series)
{
    const struct source *source = &plot->sources[s];
    if (panel->n == CHART_MAX_LINES)
        return;
    size_t at = panel->n++;
    struct chart_line *line = &panel->lines[at];
    bool validation = curve_is_validation(series->name);
    line->series = &panel->raw[at];
    line->fork_x = curve_fill(series, plot->axis, curve_origin(source->series, source->n), &panel->raw[at]);
    line->dashed = validation;
    line->color = plot->n_sources > 1 ? (int)s : validation;
    line->name = plot->n_sources == 1 ? series->name
                 : validation         ? arena_printf(&plot->arena, "%s val", source->run->name)
                                      : source->run->name;
    if (plot->smooth > 0) {
        series_smooth(&panel->raw[at], plot->smooth, &panel->smooth[at]);
        line->smooth = &panel->smooth[at];
    }
    if (source->run->monitor && !strcmp(series->name, source->run->monitor))
        panel->monitor = (int)at;
}

static bool add_metric(struct plot *plot, const char *metric, struct err *err)
{
    struct panel *panel = panel_of(plot, curve_family(metric));
    if (!has_metric(plot, metric))
        return refuse_metric(plot, metric, err);
    if (!panel)
        return err_set(err, ERR_USAGE, "at most %d charts in one plot", MAX_PANELS);
    for (size_t s = 0; s < plot->n_sources; s++)
        for (size_t m = 0; m < plot->sources[s].n; m++)
            if (!strcmp(plot->sources[s].series[m].name, metric))
                add_line(plot, panel, s, &plot->sources[s].series[m]);
    return true;
}

static bool choose_metrics(const struct cli *cli, struct plot *plot, struct err *err)
{
    const char *metric;
    size_t k = 0;
    plot->axis = AXIS_EPOCH;
    for (size_t s = 0; s < plot->n_sources; s++)
        if (curve_axis_for(plot->sources[s].series, plot->sources[s].n) == AXIS_STEP)
            plot->axis = AXIS_STEP;
    for (; (metric = cli_option_at(cli, "--metric", k)); k++)
        if (!add_metric(plot, metric, err))
            return false;
    if (k > 0)
        return true;
    if (has_metric(plot, "loss") || has_metric(plot, "val_loss"))
        return (!has_metric(plot, "loss") || add_metric(plot, "loss", err)) &&
               (!has_metric(plot, "val_loss") || add_metric(plot, "val_loss", err));
    for (size_t s = 0; s < plot->n_sources; s++)
        if (plot->sources[s].n)
            return add_metric(plot, plot->sources[s].series[0].name, err);
    return err_set(err, ERR_NOT_FOUND, "nothing to plot: the history of '%s' is empty so far",
                   plot->sources[0].run->name);
}

/* The checkpoints of a single run, on the rail. */
static bool load_marks(struct index *index, struct plot *plot, struct err *err)
{
    const struct checkpoint_summary *list;
    const struct source *source = &plot->sources[0];
    size_t n;
    if (plot->n_sources != 1)
        return true;
    if (!index_checkpoints(index, source->run->id, &plot->arena, &list, &n, err))
        return false;
    plot->marks = arena_array(&plot->arena, n + 1, sizeof *plot->marks);
    for (size_t i = 0; i < n; i++)
        if (!list[i].missing)
            plot->marks[plot->n_marks++] =
                (struct chart_mark){curve_x(plot->axis, curve_origin(source->series, source->n), list[i].epoch,
                                            list[i].step, list[i].created),
                                    list[i].best   ? MARK_BEST
                                    : list[i].last ? MARK_LAST
                                                   : MARK_CHECKPOINT,
                                    false};
    return true;
}

static struct chart chart_of(const struct plot *plot, const struct panel *panel, bool last)
{
    struct chart chart = CHART_INIT;
    chart.title = panel->family;
    chart.x_name = curve_axis_name(plot->axis);
    chart.x_kind = curve_axis_kind(plot->axis);
    chart.lines = panel->lines;
    chart.n_lines = panel->n;
    chart.log_y = plot->log_y;
    chart.legend = panel->n > 6;
    if (last) {
        chart.marks = plot->marks;
        chart.n_marks = plot->n_marks;
    }
    chart.mark_line = last ? panel->monitor : -1;
    return chart;
}

static void add_look(struct str *out, struct look look, enum color_depth depth)
{
    str_add(out, "\033[0");
    if (look.attributes & LOOK_BOLD)
        str_add(out, ";1");
    if (look.attributes & LOOK_FAINT)
        str_add(out, ";2");
    if (look.ink >= 0 && depth == COLORS_256)
        str_addf(out, ";38;5;%d", look.ink);
    else if (look.ink >= 0)
        str_addf(out, ";%d", look.ink < 8 ? 30 + look.ink : 90 + look.ink - 8);
    str_add_char(out, 'm');
}

/* Cells as text; on a terminal with colours, a sequence wherever the look changes. */
static void print_cells(const struct chart_cell *cells, int width, int height, struct theme theme)
{
    struct str out = {0}, plain = {0};
    for (int row = 0; row < height; row++) {
        const struct chart_cell *line = &cells[(size_t)row * (size_t)width];
        int end = width, shown = CHART_BLANK;
        while (end > 0 && line[end - 1].ch == ' ')
            end--;
        for (int col = 0; col < end; col++) {
            if (theme.depth != COLORS_NONE && line[col].ch != ' ' && line[col].style != shown)
                add_look(&out, theme_look(theme, theme_chart_style(shown = line[col].style), 0, 0, 0), theme.depth);
            if (line[col].ch == ' ') {
                str_add_char(&out, ' ');
                continue;
            }
            str_clear(&plain);
            chart_text(&line[col], 1, 1, 1, &plain);
            str_add_bytes(&out, plain.data, plain.length - 1);
        }
        str_add(&out, theme.depth != COLORS_NONE && shown != CHART_BLANK ? "\033[0m\n" : "\n");
    }
    fputs(str_text(&out), stdout);
    str_release(&out);
    str_release(&plain);
}

static void print_text(const struct plot *plot)
{
    enum { WIDTH = 80, HEIGHT = 20, SMALLER_HEIGHT = 14 };
    struct term_facts facts;
    term_look(COLOR_AUTO, plot->ascii, &facts);
    struct theme theme = {isatty(STDOUT_FILENO) && facts.usable ? facts.depth : COLORS_NONE, facts.light};
    if (theme.depth == COLORS_256 && !strstr(facts.type, "256") && !getenv("COLORTERM"))
        theme.depth = strstr(facts.type, "vt") == facts.type ? COLORS_NONE : COLORS_16;
    int width = plot->width > 0 ? (int)plot->width : text_width() > 0 ? text_width() : WIDTH;
    int height = plot->height > 0 ? (int)plot->height : plot->n_panels > 1 ? SMALLER_HEIGHT : HEIGHT;
    width = width > 1000 ? 1000 : width;
    struct chart_cell *cells = xcalloc((size_t)width * (size_t)height, sizeof *cells);
    for (size_t p = 0; p < plot->n_panels; p++) {
        struct chart chart = chart_of(plot, plot->panels[p], p + 1 == plot->n_panels);
        chart_draw(&chart, facts.ascii ? RUNG_ASCII : RUNG_BRAILLE, cells, width, height, width);
        print_cells(cells, width, height, theme);
    }
    free(cells);
}

static void picture_size(const struct plot *plot, int *width, int *height)
{
    enum { WIDTH = 900, HEIGHT = 440, PANEL_HEIGHT = 320 };
    *width = plot->width > 0 ? (int)plot->width : WIDTH;
    *height = plot->height > 0 ? (int)plot->height : plot->n_panels > 1 ? PANEL_HEIGHT : HEIGHT;
}

static bool write_svg(const struct plot *plot, const char *path, struct err *err)
{
    int width, height;
    struct str out = {0};
    picture_size(plot, &width, &height);
    bool several = plot->n_panels > 1;
    if (several)
        str_addf(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\">\n", width,
                 height * (int)plot->n_panels);
    for (size_t p = 0; p < plot->n_panels; p++) {
        struct chart chart = chart_of(plot, plot->panels[p], p + 1 == plot->n_panels);
        if (several)
            str_addf(&out, "<svg y=\"%d\">\n", height * (int)p);
        chart_svg(&chart, PAPER_LIGHT, width, height, &out);
        str_add(&out, several ? "</svg>\n" : "");
    }
    str_add(&out, several ? "</svg>\n" : "");
    bool ok = atomic_file_save(path, str_text(&out), out.length, err);
    str_release(&out);
    return ok;
}

static bool write_png(const struct plot *plot, const char *path, struct err *err)
{
    int width, height;
    picture_size(plot, &width, &height);
    if (height * (long)plot->n_panels > 32768)
        return err_set(err, ERR_USAGE, "%zu charts of %d pixels are too high for a PNG; choose a smaller --height",
                       plot->n_panels, height);
    size_t size = (size_t)width * (size_t)height * 3;
    struct image image = {height * (int)plot->n_panels, width, 3, xmalloc(size * plot->n_panels)};
    for (size_t p = 0; p < plot->n_panels; p++) {
        struct chart chart = chart_of(plot, plot->panels[p], p + 1 == plot->n_panels);
        uint8_t *pixels = chart_pixels(&chart, PAPER_LIGHT, width, height);
        memcpy(image.pixels + p * size, pixels, size);
        free(pixels);
    }
    bool ok = image_write_png(path, &image, err);
    image_release(&image);
    return ok;
}

static bool show(const struct cli *cli, const struct plot *plot, struct err *err)
{
    const char *svg = cli_option(cli, "--svg"), *png = cli_option(cli, "--png");
    if (svg && !write_svg(plot, svg, err))
        return false;
    if (png && !write_png(plot, png, err))
        return false;
    if (!svg && !png)
        print_text(plot);
    return true;
}

static void release(struct plot *plot)
{
    for (size_t p = 0; p < plot->n_panels; p++) {
        for (size_t k = 0; k < plot->panels[p]->n; k++) {
            series_release(&plot->panels[p]->raw[k]);
            series_release(&plot->panels[p]->smooth[k]);
        }
        free(plot->panels[p]);
    }
    arena_release(&plot->arena);
    free(plot);
}

bool cli_plot(struct cli *cli, struct err *err)
{
    struct plot *plot = xcalloc(1, sizeof *plot);
    struct index *index = NULL;
    bool ok = read_options(cli, plot, err) && (index = text_open_index(cli->home, err)) &&
              load_runs(cli, index, plot, err) && choose_metrics(cli, plot, err) && load_marks(index, plot, err) &&
              show(cli, plot, err);
    index_close(index);
    release(plot);
    return ok;
}
