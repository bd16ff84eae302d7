/* result_matrix.c - the confusion matrix of an evaluation as shaded cells with counts, or what is confused most where
 * there is no room for it. */
#include "base/arena.h"
#include "tui/view_result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* text ends `gap` columns before the end of the cell. */
static void heat_cell(struct grid *grid, int x, int y, const char *text, int width, int gap, double share, bool colored)
{
    int length = (int)strlen(text);
    for (int i = 0; i < width; i++) {
        int at = i - (width - gap - length);
        uint32_t ch = at >= 0 && at < length ? (uint32_t)(unsigned char)text[at] : ' ';
        struct cell *cell = grid_at(grid, x + i, y);
        if (!cell)
            continue;
        cell->ch = ch;
        cell->style = colored ? STYLE_IMAGE : share > 0 ? STYLE_TEXT : STYLE_FAINT;
        cell->ground = (uint8_t)tile_heat(share, false);
        cell->ink = (uint8_t)tile_ink(share, false);
    }
}

/* The classes that are taken for another one most often: what a matrix too large to draw comes down to. */
static void draw_confused(const struct result_view *v, struct grid *grid, struct rect rect)
{
    size_t n = v->n_rows;
    bool *done = xcalloc(n * n + 1, sizeof *done);
    int name = (rect.w - 19) / 2; /* "   12   cat taken for dog" */
    grid_text(grid, rect_top(&rect, 1), 0, 0, STYLE_HEADER, "most often confused");
    while (rect.h > 0) {
        size_t worst = n * n;
        for (size_t k = 0; k < n * n; k++)
            if (k / n != k % n && !done[k] && v->confusion[k] &&
                (worst == n * n || v->confusion[k] > v->confusion[worst]))
                worst = k;
        if (worst == n * n)
            break;
        done[worst] = true;
        char is[60], said[60];
        struct rect row = rect_top(&rect, 1);
        snprintf(is, sizeof is, "%lld", (long long)v->confusion[worst]);
        grid_text_right(grid, row, 5, 0, STYLE_TEXT, is);
        grid_textf(grid, row, 8, 0, STYLE_TEXT, "%s taken for %s",
                   sample_class_within(&v->data, (int64_t)(worst / n), name, is, sizeof is),
                   sample_class_within(&v->data, (int64_t)(worst % n), name, said, sizeof said));
    }
    free(done);
}

static int digits(int64_t value)
{
    char text[24];
    return snprintf(text, sizeof text, "%lld", (long long)value);
}

struct matrix { /* columns */
    int label_width, width, gap;
};

static void draw_matrix_row(const struct app *app, const struct result_view *v, const struct matrix *m, int64_t is,
                            struct grid *grid, struct rect row)
{
    int64_t n = (int64_t)v->n_rows, whole = 0;
    char text[60];
    bool selected = v->n_rows && v->rows[v->classes.selected].label == is;
    for (int64_t said = 0; said < n; said++)
        whole += v->confusion[is * n + said];
    sample_class_within(&v->data, is, m->label_width - 1, text, sizeof text);
    struct rect label = rect_left(&row, m->label_width);
    grid_text(grid, (struct rect){label.x, label.y, label.w - 1, 1}, 0, 0, selected ? STYLE_STRONG : STYLE_FAINT, text);
    for (int64_t said = 0; said < n; said++) {
        int64_t count = v->confusion[is * n + said];
        double share = count && whole ? (double)count / (double)whole : 0;
        struct rect cell = rect_left(&row, m->width);
        snprintf(text, sizeof text, count ? "%lld" : ".", (long long)count);
        heat_cell(grid, cell.x, cell.y, text, m->width, m->gap, share, app->tiles == TILE_256 && !grid->ascii);
        if (is == said)
            grid_flag(grid, cell, CELL_BOLD);
    }
}

/* False: there is no room. */
static bool plan_matrix(const struct result_view *v, const struct grid *grid, struct rect rect, struct matrix *m)
{
    int64_t n = (int64_t)v->n_rows, most = 0;
    char name[60];
    *m = (struct matrix){.label_width = 6};
    for (int64_t k = 0; k < n * n; k++)
        most = v->confusion[k] > most ? v->confusion[k] : most;
    for (int64_t c = 0; c < n; c++) {
        int columns = grid_columns(grid, sample_class_within(&v->data, c, 12, name, sizeof name)) + 1;
        m->label_width = columns > m->label_width ? columns : m->label_width;
    }
    m->width = digits(most) + 1 > 3 ? digits(most) + 1 : 3;
    if (m->label_width + n * (digits(most) + 2) <= rect.w)
        m->width = digits(most) + 2, m->gap = 1;
    return m->label_width + n * m->width <= rect.w && n + 1 <= rect.h;
}

void result_draw_confusion(const struct app *app, const struct result_view *v, struct grid *grid, struct rect rect)
{
    struct matrix m;
    char name[60];
    if (!plan_matrix(v, grid, rect, &m)) {
        draw_confused(v, grid, rect);
        return;
    }
    struct rect head = rect_top(&rect, 1);
    grid_text(grid, head, 0, 0, STYLE_FAINT, "true");
    for (int64_t c = 0; c < (int64_t)v->n_rows; c++) {
        struct rect cell = {head.x + m.label_width + (int)c * m.width, head.y, m.width - m.gap, 1};
        grid_text_right(grid, cell, cell.w, 0, STYLE_FAINT,
                        sample_class_within(&v->data, c, cell.w, name, sizeof name));
    }
    for (int64_t is = 0; is < (int64_t)v->n_rows; is++)
        draw_matrix_row(app, v, &m, is, grid, rect_top(&rect, 1));
}
