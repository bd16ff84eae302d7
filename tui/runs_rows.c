/* runs_rows.c - which runs the list shows, and in which order: filtered, sorted, or as a tree of branches. */
#include "tui/runs_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Children stand below their parent, oldest first. */
static void add_tree(struct runs_view *v, const struct run_summary **all, size_t n, bool *done, size_t i, int depth,
                     const char *indent, bool last)
{
    struct runs_row *row = &v->rows[v->n_rows++];
    row->run = all[i];
    done[i] = true;
    snprintf(row->branch, sizeof row->branch, "%s%s", indent, depth ? (last ? "└ " : "├ ") : "");
    char deeper[sizeof row->branch];
    snprintf(deeper, sizeof deeper, "%s%s", indent, !depth || depth >= MAX_TREE_DEPTH ? "" : last ? "  " : "│ ");
    size_t last_child = n;
    for (size_t c = 0; c < n; c++) /* all is newest first: the last child shown is the first found */
        if (!done[c] && all[c]->parent_run && !strcmp(all[c]->parent_run, all[i]->id)) {
            last_child = c;
            break;
        }
    for (size_t c = n; c-- > 0;)
        if (!done[c] && all[c]->parent_run && !strcmp(all[c]->parent_run, all[i]->id))
            add_tree(v, all, n, done, c, depth + 1, deeper, c == last_child);
}

static bool has_parent_among(const struct run_summary **all, size_t n, size_t i)
{
    for (size_t k = 0; all[i]->parent_run && k < n; k++)
        if (k != i && !strcmp(all[k]->id, all[i]->parent_run))
            return true;
    return false;
}

static void order_rows(struct runs_view *v, const struct run_summary **all, size_t n)
{
    if (v->sort >= 0 || v->filter.text.length) {
        for (size_t i = 0; i < n; i++)
            v->rows[v->n_rows++].run = all[i];
        return;
    }
    bool *done = xcalloc(n + 1, sizeof *done);
    for (size_t i = 0; i < n; i++)
        if (!done[i] && !has_parent_among(all, n, i))
            add_tree(v, all, n, done, i, 0, "", true);
    for (size_t i = 0; i < n; i++) /* parents in a circle: damaged, shown all the same */
        if (!done[i])
            add_tree(v, all, n, done, i, 0, "", true);
    free(done);
}

static void fill_rows(const struct app *app, struct runs_view *v, const struct run_summary **all, size_t n)
{
    free(v->rows);
    v->rows = xcalloc(n + 1, sizeof *v->rows);
    v->n_rows = 0;
    order_rows(v, all, n);
    for (size_t i = 0; i < v->n_rows; i++)
        tile_spark(v->rows[i].run->spark, v->rows[i].run->n_spark, app->rung == RUNG_ASCII, v->rows[i].spark,
                   SPARK_COLUMNS);
}

static bool read_rows(struct app *app, struct runs_view *v, const char *filter, const char *sort, struct err *err)
{
    struct arena arena = {0};
    const struct run_summary *found;
    size_t n, n_kept = 0;
    bool ok = index_list(app->index, filter, sort, &arena, &found, &n, err);
    if (ok) {
        const struct run_summary **kept = xcalloc(n + 1, sizeof *kept);
        for (size_t i = 0; i < n; i++) {
            kept[n_kept] = app_find_run(app, found[i].id);
            n_kept += kept[n_kept] != NULL;
        }
        fill_rows(app, v, kept, n_kept);
        free(kept);
    }
    arena_release(&arena);
    return ok;
}

bool runs_rows_find(struct app *app, struct runs_view *v, const char *sort)
{
    struct err err = {0}, ignored;
    v->filter_error[0] = 0;
    if (read_rows(app, v, edit_text(&v->filter), sort, &err)) {
        snprintf(v->good_filter, sizeof v->good_filter, "%s", edit_text(&v->filter));
        return true;
    }
    snprintf(v->filter_error, sizeof v->filter_error, "%s", err.text);
    if (!read_rows(app, v, v->good_filter, sort, &ignored))
        fill_rows(app, v, NULL, 0);
    return false;
}

void runs_rows_select(struct runs_view *v)
{
    v->list.count = (int)v->n_rows;
    for (size_t i = 0; i < v->n_rows; i++)
        if (!strcmp(v->rows[i].run->id, v->selected)) {
            v->list.selected = (int)i;
            return;
        }
    list_settle(&v->list, 1000);
}
