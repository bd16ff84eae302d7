/* result_matrix.c - the confusion matrix of an evaluation: shaded cells with counts; where there is no room for them
 * shades alone, several classes to a cell if it must be, and beside them what is confused most. */
#include "base/arena.h"
#include "tui/results/view_result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct matrix_look {
    bool colored, light;
};

static struct matrix_look look_of(const struct app *app, const struct grid *grid)
{
    return (struct matrix_look){.colored = app->tiles <= TILE_256 && !grid->ascii, .light = app->light};
}

/* text ends `gap` columns before the end of the cell. */
static void heat_cell(struct grid *grid, int x, int y, const char *text, int width, int gap, double share,
                      struct matrix_look look)
{
    int length = (int)strlen(text);
    for (int i = 0; i < width; i++) {
        int at = i - (width - gap - length);
        uint32_t ch = at >= 0 && at < length ? (uint32_t)(unsigned char)text[at] : ' ';
        struct cell *cell = grid_at(grid, x + i, y);
        if (!cell)
            continue;
        cell->ch = ch;
        cell->style = look.colored ? STYLE_IMAGE : share > 0 ? STYLE_TEXT : STYLE_FAINT;
        cell->ground = (uint8_t)tile_heat(share, look.light);
        cell->ink = (uint8_t)tile_ink(share, look.light);
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

/* The greatest share of a true class, among `side` x `side` of them, that goes to one class. */
static double block_share(const struct result_view *v, int64_t is, int64_t said, int64_t side)
{
    int64_t n = (int64_t)v->n_rows;
    double most = 0;
    for (int64_t row = is * side; row < (is + 1) * side && row < n; row++) {
        int64_t whole = 0;
        for (int64_t k = 0; k < n; k++)
            whole += v->confusion[row * n + k];
        for (int64_t column = said * side; whole && column < (said + 1) * side && column < n; column++)
            most = fmax(most, (double)v->confusion[row * n + column] / (double)whole);
    }
    return most;
}

static void shade_cell(struct grid *grid, struct rect cell, double share, struct matrix_look look)
{
    for (int i = 0; i < cell.w; i++) {
        struct cell *at = grid_at(grid, cell.x + i, cell.y);
        if (!at)
            continue;
        bool blank = !(share > 0);
        uint32_t dot = i ? ' ' : grid->ascii ? '.' : 0xB7;
        at->ch = look.colored ? ' ' : blank ? dot : tile_shade(fmax(share, 0.2), grid->ascii);
        at->style = look.colored ? STYLE_IMAGE : blank ? STYLE_FAINT : STYLE_TEXT;
        at->ground = (uint8_t)tile_heat(share, look.light);
        at->ink = (uint8_t)tile_ink(share, look.light);
    }
}

/* Shades without numbers, `side` classes to a row and a column; returns the columns used, 0: not even that fits. */
static int draw_shades(const struct app *app, const struct result_view *v, struct grid *grid, struct rect rect)
{
    enum { LABEL = 13, LEAST_CELLS = 8 };
    int64_t n = (int64_t)v->n_rows, side = 1;
    int rows = rect.h - 1, columns = rect.w - LABEL;
    if (rows < LEAST_CELLS || columns < LEAST_CELLS)
        return 0;
    while ((n + side - 1) / side > rows || (n + side - 1) / side > columns)
        side++;
    int cells = (int)((n + side - 1) / side), width = 2 * cells <= columns ? 2 : 1;
    struct rect head = rect_top(&rect, 1);
    grid_textf(grid, head, 0, 0, STYLE_FAINT, "true");
    grid_textf(grid, rect_part(head, 0, 0, LABEL + cells * width, 1), LABEL, 0, STYLE_FAINT,
               side > 1 ? "said; %lld classes a cell" : "said", (long long)side);
    for (int is = 0; is < cells; is++) {
        struct rect row = rect_top(&rect, 1), label = rect_left(&row, LABEL);
        char name[60];
        bool selected = v->rows[v->classes.selected].label / side == is;
        grid_text(grid, rect_part(label, 0, 0, LABEL - 1, 1), 0, 0, selected ? STYLE_STRONG : STYLE_FAINT,
                  sample_class_within(&v->data, is * side, LABEL - 1, name, sizeof name));
        for (int said = 0; said < cells; said++)
            shade_cell(grid, rect_left(&row, width), block_share(v, is, said, side), look_of(app, grid));
    }
    return LABEL + cells * width;
}

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
    grid_text(grid, rect_part(label, 0, 0, label.w - 1, 1), 0, 0, selected ? STYLE_STRONG : STYLE_FAINT, text);
    for (int64_t said = 0; said < n; said++) {
        int64_t count = v->confusion[is * n + said];
        double share = count && whole ? (double)count / (double)whole : 0;
        struct rect cell = rect_left(&row, m->width);
        snprintf(text, sizeof text, count ? "%lld" : ".", (long long)count);
        heat_cell(grid, cell.x, cell.y, text, m->width, m->gap, share, look_of(app, grid));
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

/* Without room for numbers: shades, and the worst of it in words. */
static void draw_compact(const struct app *app, const struct result_view *v, struct grid *grid, struct rect rect)
{
    enum { LIST = 34, GAP = 3 };
    struct rect list = v->alone && rect.w < 2 * LIST ? (struct rect){0} : rect_right(&rect, LIST);
    if (rect.w > GAP)
        rect_right(&rect, list.w ? GAP : 0);
    int used = draw_shades(app, v, grid, rect);
    if (list.w && used)
        list = (struct rect){rect.x + used + GAP, list.y, list.w, list.h};
    else if (list.w)
        list = (struct rect){rect.x, list.y, list.x + list.w - rect.x, list.h};
    if (list.w)
        draw_confused(v, grid, list);
}

void result_draw_confusion(const struct app *app, const struct result_view *v, struct grid *grid, struct rect rect)
{
    struct matrix m;
    char name[60];
    if (!plan_matrix(v, grid, rect, &m)) {
        draw_compact(app, v, grid, rect);
        return;
    }
    struct rect head = rect_top(&rect, 1);
    grid_text(grid, head, 0, 0, STYLE_FAINT, "true");
    for (int64_t c = 0; c < (int64_t)v->n_rows; c++) {
        struct rect cell = rect_part(head, m.label_width + (int)c * m.width, 0, m.width - m.gap, 1);
        grid_text_right(grid, cell, cell.w, 0, STYLE_FAINT,
                        sample_class_within(&v->data, c, cell.w, name, sizeof name));
    }
    for (int64_t is = 0; is < (int64_t)v->n_rows; is++)
        draw_matrix_row(app, v, &m, is, grid, rect_top(&rect, 1));
}
