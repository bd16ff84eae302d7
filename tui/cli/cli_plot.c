/* cli_plot.c - antler plot: curves of runs as text on the terminal, as SVG, PNG or CSV. One chart per family of
 * metrics.
 */
#include "tui/cli/cli_commands.h"
#include "tui/client/chart_export.h"
#include "tui/client/cli_text.h"
#include "tui/client/comparison.h"
#include "tui/terminal/term.h"

#include "base/io.h"
#include "persistence/config/settings.h"
#include "tui/terminal/theme.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RUNS = 200, MAX_PANELS = 32 };

struct panel { /* one chart */
    struct curve_set set;
    char family[64];
    bool train, validation; /* which of its two metrics were asked for */
    enum curve_part part;
    char title[CHART_TITLE_SIZE];
};

struct plot {
    struct arena arena;
    struct histories histories;
    struct chart_options options;
    const struct run_summary *runs[MAX_RUNS];
    const struct history *held[MAX_RUNS];
    size_t n_runs;
    bool bright[MAX_RUNS], cloud;
    struct panel *panels[MAX_PANELS];
    struct chart charts[MAX_PANELS];
    size_t n_panels;
    double width, height; /* 0: not given */
    bool ascii;
    enum theme_name theme;
};

static bool read_range(const struct cli *cli, struct chart_options *options, struct err *err)
{
    const char *text = cli_option(cli, "--x-range"), *colon = text ? strchr(text, ':') : NULL;
    if (!text)
        return true;
    char *lo = xstrndup(text, colon ? (size_t)(colon - text) : 0);
    bool ok = colon && (!*lo || str_to_double(lo, &options->lo)) &&
              (!colon[1] || str_to_double(colon + 1, &options->hi)) && !(options->lo >= options->hi);
    free(lo);
    return ok ||
           err_set(err, ERR_USAGE, "--x-range '%s': expected LO:HI, two numbers of which one may be left out", text);
}

static bool read_options(const struct cli *cli, struct plot *plot, struct err *err)
{
    bool picture = cli_option(cli, "--svg") || cli_option(cli, "--png");
    const char *axis = cli_option(cli, "--x");
    time_t now = time(NULL);
    struct tm local;
    plot->options = CHART_OPTIONS_INIT;
    plot->options.utc_offset_s = localtime_r(&now, &local) ? local.tm_gmtoff : 0;
    plot->ascii = cli_option(cli, "--ascii") != NULL;
    json_t *settings = settings_read(cli->home, NULL);
    plot->theme = theme_parse(js_string(settings, "screen.theme", "auto"));
    json_decref(settings);
    plot->options.log_y = cli_option(cli, "--log-y") != NULL;
    plot->options.log_x = cli_option(cli, "--log-x") != NULL;
    plot->options.clip = cli_option(cli, "--clip") != NULL;
    if (!cli_number(cli, "--width", picture ? 100 : 1, picture ? 8192 : 1000, &plot->width, err) ||
        !cli_number(cli, "--height", picture ? 80 : 1, picture ? 8192 : 500, &plot->height, err) ||
        !cli_number(cli, "--smooth", 0, 0.9999, &plot->options.smooth, err) || !read_range(cli, &plot->options, err) ||
        (axis && !curve_axis_parse(axis, &plot->options.axis, err)))
        return false;
    if (plot->options.log_x && !chart_axis_takes_log(plot->options.axis))
        return err_set(err, ERR_USAGE, "--log-x: an axis of time is never logarithmic, found --x %s", axis);
    if (cli_option(cli, "--dark") && !picture)
        return err_set(err, ERR_USAGE, "--dark belongs to --svg or --png");
    if (cli->n_arguments > MAX_RUNS)
        return err_set(err, ERR_USAGE, "at most %d runs in one plot, found %zu", MAX_RUNS, cli->n_arguments);
    return true;
}

static bool load_runs(const struct cli *cli, struct index *index, struct plot *plot, struct err *err)
{
    for (; plot->n_runs < cli->n_arguments; plot->n_runs++) {
        const struct run_summary *run = index_find(index, cli->arguments[plot->n_runs], &plot->arena, err);
        plot->runs[plot->n_runs] = run;
        plot->held[plot->n_runs] = run ? histories_take(&plot->histories, index, run, err) : NULL;
        if (!plot->held[plot->n_runs])
            return false;
        if (!cli_option(cli, "--x") &&
            curve_axis_for(plot->held[plot->n_runs]->series, plot->held[plot->n_runs]->n) == AXIS_STEP)
            plot->options.axis = AXIS_STEP;
    }
    return true;
}

/* The runs that stand out of a cloud; without any named all do. */
static bool choose_bright(const struct cli *cli, struct index *index, struct plot *plot, struct err *err)
{
    const char *name;
    for (size_t k = 0; (name = cli_option_at(cli, "--bright", k)); k++) {
        const struct run_summary *run = index_find(index, name, &plot->arena, err);
        bool found = false;
        if (!run)
            return false;
        for (size_t r = 0; r < plot->n_runs; r++)
            if (!strcmp(plot->runs[r]->id, run->id))
                plot->bright[r] = found = true;
        if (!found)
            return err_set(err, ERR_USAGE, "--bright '%s' is none of the runs that are drawn", name);
        plot->cloud = true;
    }
    return true;
}

static bool has_metric(const struct plot *plot, const char *metric)
{
    for (size_t r = 0; r < plot->n_runs; r++)
        for (size_t m = 0; m < plot->held[r]->n; m++)
            if (!strcmp(plot->held[r]->series[m].name, metric))
                return true;
    return false;
}

static bool refuse_metric(const struct plot *plot, const char *metric, struct err *err)
{
    struct str all = {0};
    for (size_t r = 0; r < plot->n_runs; r++)
        for (size_t m = 0; m < plot->held[r]->n; m++) {
            const char *name = plot->held[r]->series[m].name;
            bool earlier = false;
            for (size_t t = 0; t < r; t++)
                for (size_t k = 0; k < plot->held[t]->n; k++)
                    earlier |= !strcmp(plot->held[t]->series[k].name, name);
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
    snprintf(panel->family, sizeof panel->family, "%s", family);
    return plot->panels[plot->n_panels++] = panel;
}

static bool add_metric(struct plot *plot, const char *metric, struct err *err)
{
    if (!has_metric(plot, metric))
        return refuse_metric(plot, metric, err);
    struct panel *panel = panel_of(plot, curve_family(metric));
    if (!panel)
        return err_set(err, ERR_USAGE, "at most %d charts in one plot", MAX_PANELS);
    panel->validation |= curve_is_validation(metric);
    panel->train |= !curve_is_validation(metric);
    return true;
}

static bool choose_metrics(const struct cli *cli, struct plot *plot, struct err *err)
{
    const char *metric;
    size_t k = 0;
    for (; (metric = cli_option_at(cli, "--metric", k)); k++)
        if (!add_metric(plot, metric, err))
            return false;
    if (k > 0)
        return true;
    if (has_metric(plot, "loss") || has_metric(plot, "val_loss"))
        return (!has_metric(plot, "loss") || add_metric(plot, "loss", err)) &&
               (!has_metric(plot, "val_loss") || add_metric(plot, "val_loss", err));
    for (size_t r = 0; r < plot->n_runs; r++)
        if (plot->held[r]->n)
            return add_metric(plot, plot->held[r]->series[0].name, err);
    return err_set(err, ERR_NOT_FOUND, "nothing to plot: the history of '%s' is empty so far", plot->runs[0]->name);
}

static bool fill_panel(struct index *index, struct plot *plot, size_t p, struct err *err)
{
    struct panel *panel = plot->panels[p];
    panel->part = panel->train && panel->validation ? CURVES_BOTH
                  : panel->validation               ? CURVES_VALIDATION
                                                    : CURVES_TRAIN;
    struct curve_choice choice = {.family = panel->family,
                                  .axis = plot->options.axis,
                                  .smooth = plot->options.smooth,
                                  .part = panel->part,
                                  .batches = true,
                                  .labels = compared_labels(plot->runs, plot->n_runs, &plot->arena)};
    if (!curve_set_load(&panel->set, &plot->histories, index, plot->runs, plot->n_runs, &choice, err))
        return false;
    if (plot->cloud)
        curve_set_dim(&panel->set, plot->bright);
    chart_options_fill(&plot->options, &panel->set, panel->part, &plot->charts[p], panel->title);
    plot->charts[p].legend = panel->set.n > 6;
    return true;
}

/* Checkpoints and events of a single run, on the rail of the last chart. */
static bool add_marks(struct index *index, struct plot *plot, struct err *err)
{
    const struct checkpoint_summary *list;
    const struct run_event *all;
    const struct notable_event *events;
    size_t n, n_all, n_events;
    struct chart *chart = &plot->charts[plot->n_panels - 1];
    if (plot->n_runs != 1)
        return true;
    if (!index_checkpoints(index, plot->runs[0]->id, &plot->arena, &list, &n, err) ||
        !index_events(index, plot->runs[0]->id, &plot->arena, &all, &n_all, err))
        return false;
    n_events = events_notable(all, n_all, &plot->arena, &events);
    struct chart_mark *marks = arena_array(&plot->arena, n + n_events + 1, sizeof *marks);
    chart->marks = marks;
    chart->n_marks =
        chart_marks(&plot->panels[plot->n_panels - 1]->set, plot->options.axis, list, n, events, n_events, marks);
    return true;
}

static bool make_charts(struct index *index, struct plot *plot, struct err *err)
{
    size_t n = 0;
    for (size_t p = 0; p < plot->n_panels; p++) {
        if (!fill_panel(index, plot, p, err))
            return false;
        for (size_t k = 0; k < plot->panels[p]->set.n; k++)
            n += plot->panels[p]->set.raw[k].n > 0;
    }
    if (!n && plot->options.axis == AXIS_SAMPLES)
        return err_set(err, ERR_USAGE, "--x samples: the config of '%s' says no batch size", plot->runs[0]->name);
    return add_marks(index, plot, err);
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
    struct theme theme =
        theme_make(plot->theme, isatty(STDOUT_FILENO) && facts.usable ? facts.depth : COLORS_NONE, facts.light);
    if (theme.depth == COLORS_256 && !strstr(facts.type, "256") && !getenv("COLORTERM"))
        theme.depth = strstr(facts.type, "vt") == facts.type ? COLORS_NONE : COLORS_16;
    int width = plot->width > 0 ? (int)plot->width : text_width() > 0 ? text_width() : WIDTH;
    int height = plot->height > 0 ? (int)plot->height : plot->n_panels > 1 ? SMALLER_HEIGHT : HEIGHT;
    width = width > 1000 ? 1000 : width;
    struct chart_cell *cells = xcalloc((size_t)width * (size_t)height, sizeof *cells);
    for (size_t p = 0; p < plot->n_panels; p++) {
        chart_draw(&plot->charts[p], facts.ascii ? RUNG_ASCII : RUNG_BRAILLE, cells, width, height, width);
        print_cells(cells, width, height, theme);
    }
    free(cells);
}

static bool save(const struct cli *cli, const struct plot *plot, enum export_kind kind, const char *option,
                 struct err *err)
{
    struct chart_file file = {kind, cli_option(cli, option), (int)plot->width, (int)plot->height,
                              cli_option(cli, "--dark") != NULL};
    return !file.path || chart_save(&file, plot->charts, plot->n_panels, err);
}

static bool show(const struct cli *cli, const struct plot *plot, struct err *err)
{
    if (!cli_option(cli, "--svg") && !cli_option(cli, "--png") && !cli_option(cli, "--csv"))
        print_text(plot);
    return save(cli, plot, EXPORT_SVG, "--svg", err) && save(cli, plot, EXPORT_PNG, "--png", err) &&
           save(cli, plot, EXPORT_CSV, "--csv", err);
}

static void release(struct plot *plot)
{
    for (size_t p = 0; p < plot->n_panels; p++) {
        curve_set_release(&plot->panels[p]->set);
        free(plot->panels[p]);
    }
    for (size_t r = 0; r < plot->n_runs; r++)
        history_drop(plot->held[r]);
    histories_release(&plot->histories);
    arena_release(&plot->arena);
    free(plot);
}

bool cli_plot(struct cli *cli, struct err *err)
{
    struct plot *plot = xcalloc(1, sizeof *plot);
    struct index *index = NULL;
    bool ok = read_options(cli, plot, err) && (index = text_open_index(cli->home, err)) &&
              load_runs(cli, index, plot, err) && choose_bright(cli, index, plot, err) &&
              choose_metrics(cli, plot, err) && make_charts(index, plot, err) && show(cli, plot, err);
    index_close(index);
    release(plot);
    return ok;
}
