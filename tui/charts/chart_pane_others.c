/* chart_pane_others.c - small charts of the other families of the same runs: beside the large one where there is room,
 * or all of them side by side. They share its x axis, its cursor and its checkpoints. */
#include "tui/app/human.h"
#include "tui/charts/chart_pane_parts.h"
#include "tui/charts/small_title.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_WIDTH = 38, LEAST_HEIGHT = 7, LEAST_BESIDE = 130, MOST_FAMILIES = 128, LABELS = SMALL_TITLE_COLUMN };

void chart_pane_release_others(struct chart_pane *pane)
{
    for (size_t k = 0; k < pane->n_drawn; k++)
        curve_set_release(&pane->others[k].set);
    free(pane->others);
    pane->others = NULL;
    pane->n_drawn = 0;
}

/* Families without the one that is drawn large. */
static size_t find_families(const struct chart_pane *pane, const char **families)
{
    size_t n = curve_set_families(&pane->curves, false, families, MOST_FAMILIES), kept = 0;
    for (size_t k = 0; k < n; k++)
        if (strcmp(families[k], pane->curves.family) != 0)
            families[kept++] = families[k];
    return kept;
}

/* Lines of runs that are dim in the large chart are dim here. */
static void dim_as(const struct curve_set *like, struct curve_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        for (size_t k = 0; like->n_held > 1 && k < like->n; k++)
            if (like->run_of[k] == set->run_of[i])
                set->lines[i].dim = like->lines[k].dim, set->lines[i].color = like->lines[k].color;
}

static void fill_other(const struct chart_pane *pane, struct other_chart *other, const char *family)
{
    bool same = !strcmp(other->set.family, family);
    struct curve_choice choice = chart_pane_choice(pane, family);
    curve_set_sibling(&other->set, &pane->curves, &choice);
    if (!other->set.n && choice.part == CURVES_VALIDATION) { /* it has none */
        choice.part = CURVES_BOTH;
        curve_set_sibling(&other->set, &pane->curves, &choice);
    }
    other->part = choice.part;
    dim_as(&pane->curves, &other->set);
    if (!pane->living) { /* as it is */
        other->held_y = (struct range){NAN, NAN};
        return;
    }
    struct chart chart = CHART_INIT;
    struct range x, y;
    chart.lines = other->set.lines;
    chart.n_lines = other->set.n;
    chart.clip = pane->clip;
    chart.log_y = pane->log_y;
    chart_ranges(&chart, &x, &y);
    other->held_y = range_hold(same ? other->held_y : (struct range){NAN, NAN}, y, pane->log_y);
}

size_t chart_pane_count_others(const struct chart_pane *pane)
{
    const char *families[MOST_FAMILIES];
    return find_families(pane, families);
}

/* The next `most` families from first_other on are ready to be drawn. */
static void prepare(struct chart_pane *pane, size_t most)
{
    const char *families[MOST_FAMILIES];
    pane->n_others = find_families(pane, families);
    if (pane->first_other >= pane->n_others)
        pane->first_other = 0;
    size_t n = pane->n_others - pane->first_other < most ? pane->n_others - pane->first_other : most;
    if (n != pane->n_drawn) {
        chart_pane_release_others(pane);
        pane->others = xcalloc(n + 1, sizeof *pane->others);
        pane->n_drawn = n;
        pane->others_old = true;
    }
    for (size_t k = 0; k < n; k++) {
        const char *family = families[pane->first_other + k];
        if (pane->others_old || strcmp(pane->others[k].set.family, family) != 0)
            fill_other(pane, &pane->others[k], family);
    }
    pane->others_old = false;
}

/* The marks lie on the line of the run whose checkpoints they are. */
static int marked_line(const struct curve_set *large, const struct curve_set *set)
{
    int run = large->monitor >= 0 ? large->run_of[large->monitor] : 0;
    int line = set->n ? (int)set->n - 1 : -1;
    for (size_t i = 0; i < set->n; i++)
        if (set->run_of[i] == run)
            line = (int)i;
    return set->monitor >= 0 ? set->monitor : line;
}

static void draw_small(const struct app *app, const struct chart_pane *pane, const struct curve_set *set,
                       enum curve_part part, struct range y, struct grid *grid, struct rect rect)
{
    struct chart chart;
    struct chart_mark *marks = xcalloc(chart_pane_n_marks(pane), sizeof *marks);
    char title[CHART_TITLE_SIZE];
    chart_pane_fill(app, pane, &chart, marks, title);
    chart.small = true;
    chart.lines = set->lines;
    chart.n_lines = set->n;
    chart.mark_line = marked_line(&pane->curves, set);
    chart.y_lo = y.lo;
    chart.y_hi = y.hi;
    small_title_draw(set, part, &chart, grid, rect_top(&rect, 1));
    grid_chart(grid, rect, &chart, app->rung);
    free(marks);
}

int chart_pane_others_width(const struct chart_pane *pane, struct rect rect)
{
    const char *families[MOST_FAMILIES];
    if (rect.w < LEAST_BESIDE || rect.h < LEAST_HEIGHT || !find_families(pane, families))
        return 0;
    return rect.w * 3 / 10;
}

void chart_pane_draw_others(const struct app *app, struct chart_pane *pane, struct grid *grid, struct rect rect)
{
    pane->first_other = 0;
    prepare(pane, (size_t)(rect.h / LEAST_HEIGHT));
    rect_left(&rect, 2);
    for (size_t k = 0; k < pane->n_drawn; k++) {
        int height = rect.h / (int)(pane->n_drawn - k);
        struct rect one = rect_top(&rect, height);
        one.h -= k + 1 < pane->n_drawn && one.h > LEAST_HEIGHT;
        pane->others[k].drawn = one;
        draw_small(app, pane, &pane->others[k].set, pane->others[k].part, pane->others[k].held_y, grid, one);
    }
}

/* As few columns as show all. */
static void choose_tiles(int n, struct rect rect, int *columns, int *rows)
{
    int most_columns = rect.w / LEAST_WIDTH < 1 ? 1 : rect.w / LEAST_WIDTH,
        most_rows = rect.h / LEAST_HEIGHT < 1 ? 1 : rect.h / LEAST_HEIGHT;
    *columns = 1;
    while (*columns < most_columns && (*columns * most_rows < n || rect.w / *columns > 4 * rect.h * *columns / n))
        ++*columns;
    *rows = (n + *columns - 1) / *columns;
    *rows = *rows > most_rows ? most_rows : *rows;
}

void chart_pane_draw_all(const struct app *app, struct chart_pane *pane, struct grid *grid, struct rect rect)
{
    const char *families[MOST_FAMILIES];
    struct rect foot = rect_bottom(&rect, 1);
    int n = (int)find_families(pane, families) + 1, columns, rows;
    bool first = pane->first_other == 0;
    choose_tiles(n, rect, &columns, &rows);
    int tiles = columns * rows;
    prepare(pane, (size_t)(first ? tiles - 1 : tiles));
    for (int k = 0; k < tiles && k < (int)pane->n_drawn + first; k++) {
        int row = k / columns, column = k % columns;
        struct rect one = {rect.x + rect.w * column / columns, rect.y + rect.h * row / rows,
                           rect.w * (column + 1) / columns - rect.w * column / columns - 2,
                           rect.h * (row + 1) / rows - rect.h * row / rows};
        if (first && k == 0) {
            pane->drawn = one;
            draw_small(app, pane, &pane->curves, pane->shown_part, pane->held_y, grid, one);
            continue;
        }
        struct other_chart *other = &pane->others[k - first];
        other->drawn = one;
        draw_small(app, pane, &other->set, other->part, other->held_y, grid, one);
    }
    struct chart_moment moment = pane->moments[pane->cursor];
    char settings[120];
    struct chart_options options = chart_pane_options(app, pane);
    chart_options_words(&options, settings, sizeof settings);
    grid_textf(grid, foot, LABELS, 0, STYLE_FAINT, "epoch %lld  step %lld%s", (long long)moment.epoch,
               (long long)moment.step, settings);
    if ((int)pane->n_drawn + first < n) {
        snprintf(settings, sizeof settings, "%zu to %zu of %d metrics  PgDn PgUp", pane->first_other + (first ? 1 : 2),
                 pane->first_other + pane->n_drawn + 1, n);
        grid_text_right(grid, foot, foot.w - 2, 0, STYLE_FAINT, settings);
    }
}
