/* chart_pane_export.c - what is seen, written to a file or said as the command that gives the same. The charts are made
 * anew as `antler plot` makes them: without cursor, as far as the data reach unless the chart is zoomed.
 */
#include "tui/charts/chart_pane_parts.h"
#include "tui/client/chart_export.h"
#include "tui/client/cli_request.h"

#include "base/io.h"
#include "persistence/runs/run_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_CHARTS = 32 };

struct export
{ /* the charts as they are written */
    struct arena arena;
    struct chart_options options;
    size_t n;
    struct curve_set sets[MOST_CHARTS];
    char titles[MOST_CHARTS][CHART_TITLE_SIZE];
    struct chart charts[MOST_CHARTS];
    const char *metrics[2 * MOST_CHARTS];
    size_t n_metrics;
    struct chart_mark *marks;
};

static bool any_run_has(const struct chart_pane *pane, const char *metric)
{
    for (size_t r = 0; r < pane->curves.n_held; r++)
        for (size_t m = 0; m < pane->curves.held[r]->n; m++)
            if (!strcmp(pane->curves.held[r]->series[m].name, metric))
                return true;
    return false;
}

static void add_chart(struct export *e, const struct chart_pane *pane, const char *family, enum curve_part asked)
{
    const char *validation = arena_printf(&e->arena, "val_%s", family);
    bool trains = any_run_has(pane, family), validates = any_run_has(pane, validation);
    trains = trains && (asked != CURVES_VALIDATION || !validates);
    validates = validates && (asked != CURVES_TRAIN || !trains);
    if (e->n == MOST_CHARTS || (!trains && !validates))
        return;
    struct curve_choice choice = chart_pane_choice(pane, family);
    choice.batches = true;
    choice.steps_per_epoch = 0;
    choice.part = trains && validates ? CURVES_BOTH : validates ? CURVES_VALIDATION : CURVES_TRAIN;
    if (trains)
        e->metrics[e->n_metrics++] = arena_strdup(&e->arena, family);
    if (validates)
        e->metrics[e->n_metrics++] = validation;
    size_t at = e->n++;
    curve_set_sibling(&e->sets[at], &pane->curves, &choice);
    if (pane->bright)
        curve_set_dim(&e->sets[at], pane->bright);
    chart_options_fill(&e->options, &e->sets[at], choice.part, &e->charts[at], e->titles[at]);
}

static struct export *export_new(const struct app *app, const struct chart_pane *pane)
{
    struct export *e = xcalloc(1, sizeof *e);
    e->options = chart_pane_options(app, pane);
    if (!pane->all || pane->first_other == 0)
        add_chart(e, pane, pane->curves.family, pane->shown_part);
    for (size_t k = 0; pane->all && k < pane->n_drawn; k++)
        add_chart(e, pane, pane->others[k].set.family, pane->shown_part);
    if (e->n && pane->n_ids == 1) {
        e->marks = xcalloc(chart_pane_n_marks(pane), sizeof *e->marks);
        e->charts[e->n - 1].marks = e->marks;
        e->charts[e->n - 1].n_marks = chart_marks(&e->sets[e->n - 1], pane->axis, pane->checkpoints,
                                                  pane->n_checkpoints, pane->events, pane->n_events, e->marks);
    }
    return e;
}

static void export_free(struct export *e)
{
    for (size_t k = 0; k < e->n; k++)
        curve_set_release(&e->sets[k]);
    free(e->marks);
    arena_release(&e->arena);
    free(e);
}

static void add_command(const struct app *app, const struct chart_pane *pane, const struct export *e, struct str *out)
{
    const char **runs = xcalloc(pane->n_ids + 1, sizeof *runs), **bright = xcalloc(pane->n_ids + 1, sizeof *bright);
    struct chart_command command = {.home = app_home_word(app),
                                    .runs = runs,
                                    .metrics = e->metrics,
                                    .bright = bright,
                                    .n_runs = pane->n_ids,
                                    .n_metrics = e->n_metrics,
                                    .options = &e->options};
    for (size_t r = 0; r < pane->n_ids; r++) {
        runs[r] = app_run_word(app, pane->ids[r]);
        if (pane->bright && pane->bright[r])
            bright[command.n_bright++] = runs[r];
    }
    chart_add_command(&command, out);
    free(runs);
    free(bright);
}

void chart_pane_command(const struct app *app, const struct chart_pane *pane, struct str *out)
{
    struct export *e = export_new(app, pane);
    add_command(app, pane, e, out);
    export_free(e);
}

bool chart_pane_save(const struct app *app, const struct chart_pane *pane, enum export_kind kind, const char *path,
                     struct err *err)
{
    struct export *e = export_new(app, pane);
    bool ok = (e->n || err_set(err, ERR_NOT_FOUND, "nothing recorded yet")) &&
              chart_save(&(struct chart_file){.kind = kind, .path = path}, e->charts, e->n, err);
    export_free(e);
    return ok;
}

/* ---- the menu ---- */

char *export_free_name(const char *stem, const char *suffix)
{
    char clean[80];
    size_t n = 0;
    for (; *stem && n + 1 < sizeof clean; stem++)
        clean[n++] = strchr("/\\ \"'$", *stem) || (unsigned char)*stem < 0x20 ? '-' : *stem;
    clean[n] = 0;
    for (int k = 1;; k++) {
        char *name = k == 1 ? xprintf("%s.%s", clean, suffix) : xprintf("%s-%d.%s", clean, k, suffix);
        if (access(name, F_OK) || k > 999)
            return name;
        free(name);
    }
}

bool export_path(const char *text, char **path, struct err *err)
{
    const char *home = getenv("HOME");
    if (!*text)
        return err_set(err, ERR_USAGE, "a file needs a name");
    *path = str_starts(text, "~/") && home ? path_join(home, text + 2) : xstrdup(text);
    if (access(*path, F_OK))
        return true;
    err_set(err, ERR_USAGE, "'%s' is there already: choose another name", *path);
    free(*path);
    return false;
}

static bool answer_path(struct app *app, const char *subject, const char *text, struct err *err)
{
    const struct chart_pane *pane = app->stack[app->depth - 1].state; /* as in choose_export */
    enum export_kind kind = EXPORT_SVG;
    char *path;
    while (kind + 1 < EXPORT_KINDS && strcmp(export_suffix[kind], subject) != 0)
        kind++;
    if (!export_path(text, &path, err))
        return false;
    bool ok = chart_pane_save(app, pane, kind, path, err);
    if (ok) {
        char *absolute = cli_absolute(path);
        app_say(app, STYLE_GOOD, "written to %s", absolute);
        free(absolute);
    }
    free(path);
    return ok;
}

static int choose_export(struct app *app, int line)
{
    static const char *const titles[] = {"write a picture (SVG)", "write a picture (PNG)", "write the values (CSV)"};
    const struct chart_pane *pane = app->stack[app->depth - 1].state; /* its first member, see chart_pane.h */
    struct str command = {0};
    chart_pane_command(app, pane, &command);
    if (line >= EXPORT_KINDS)
        return app_copy(app, str_take(&command));
    char *stem = xprintf("%s-%s", pane->n_ids == 1 ? app_run_word(app, pane->ids[0]) : "compare",
                         pane->all ? "metrics" : pane->curves.family),
         *name = export_free_name(stem, export_suffix[line]);
    char *text = xprintf("The chart as it is shown now. The same in a shell:\n%.1200s --%s FILE", str_text(&command),
                         export_suffix[line]);
    int flags = app_ask(app, DIALOG_TEXT, titles[line], text, name, export_suffix[line], answer_path);
    str_release(&command);
    free(stem);
    free(name);
    free(text);
    return flags;
}

int chart_pane_export(struct app *app, const struct chart_pane *pane)
{
    static const char *const lines[][2] = {{"a picture for documents", "SVG"},
                                           {"a picture as pixels", "PNG"},
                                           {"the values, a column for every curve", "CSV"},
                                           {"copy the command that gives the same", "antler plot"}};
    enum { LINES = sizeof lines / sizeof *lines };
    if (!pane->n_moments) {
        app_say(app, STYLE_WARNING, "nothing recorded yet");
        return LOOP_DRAW;
    }
    for (int i = 0; i < LINES; i++) {
        snprintf(app->menu_lines[i], sizeof app->menu_lines[i], "%s", lines[i][0]);
        snprintf(app->menu_hints[i], sizeof app->menu_hints[i], "%s", lines[i][1]);
    }
    return app_menu(app, "write what is seen", LINES, choose_export);
}
