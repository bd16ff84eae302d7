/* runs_rows.c - which runs the list shows, and in which order: filtered, sorted, or as a tree of branches. */
#include "tui/views/runs_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who branched from whom, as places in app->runs. */
struct lineage {
    size_t *first, *next; /* child and sibling, oldest first; NOBODY behind the last */
    bool *has_parent, *done;
};
static const size_t NOBODY = SIZE_MAX;

/* app->runs is newest first: put in front one after the other, the oldest child ends up first. */
static struct lineage find_lineage(const struct app *app)
{
    size_t n = app->n_runs + 1;
    struct lineage l = {xcalloc(n, sizeof(size_t)), xcalloc(n, sizeof(size_t)), xcalloc(n, sizeof(bool)),
                        xcalloc(n, sizeof(bool))};
    for (size_t i = 0; i < n; i++)
        l.first[i] = l.next[i] = NOBODY;
    for (size_t i = 0; i < app->n_runs; i++) {
        const struct run_summary *parent = app_find_run(app, app->runs[i].parent_run);
        if (!parent || parent == &app->runs[i])
            continue;
        size_t p = (size_t)(parent - app->runs);
        l.has_parent[i] = true;
        l.next[i] = l.first[p];
        l.first[p] = i;
    }
    return l;
}

static void free_lineage(struct lineage *l)
{
    free(l->first);
    free(l->next);
    free(l->has_parent);
    free(l->done);
}

/* Children stand below their parent, oldest first. */
static void add_tree(const struct app *app, struct runs_view *v, struct lineage *l, size_t i, int depth,
                     const char *indent, bool last)
{
    struct runs_row *row = &v->rows[v->n_rows++];
    row->run = &app->runs[i];
    l->done[i] = true;
    snprintf(row->branch, sizeof row->branch, "%s%s", indent, depth ? (last ? "└ " : "├ ") : "");
    char deeper[sizeof row->branch];
    snprintf(deeper, sizeof deeper, "%s%s", indent, !depth || depth >= MAX_TREE_DEPTH ? "" : last ? "  " : "│ ");
    for (size_t c = l->first[i]; c != NOBODY; c = l->next[c])
        if (!l->done[c])
            add_tree(app, v, l, c, depth + 1, deeper, l->next[c] == NOBODY);
}

static void order_as_tree(const struct app *app, struct runs_view *v)
{
    struct lineage l = find_lineage(app);
    for (size_t i = 0; i < app->n_runs; i++)
        if (!l.has_parent[i])
            add_tree(app, v, &l, i, 0, "", true);
    for (size_t i = 0; i < app->n_runs; i++) /* parents in a circle: damaged, shown all the same */
        if (!l.done[i])
            add_tree(app, v, &l, i, 0, "", true);
    free_lineage(&l);
}

static bool read_rows(struct app *app, struct runs_view *v, const char *filter, const char *sort, struct err *err)
{
    const struct run_summary **picked = xcalloc(app->n_runs + 1, sizeof(const struct run_summary *));
    size_t n = 0;
    bool tree = !sort && !*filter,
         ok = tree || index_select(app->index, filter, sort, app->runs, app->n_runs, picked, &n, err);
    if (ok) {
        free(v->rows);
        v->rows = xcalloc(app->n_runs + 1, sizeof *v->rows);
        v->n_rows = 0;
        if (tree)
            order_as_tree(app, v);
        for (size_t i = 0; i < n; i++)
            v->rows[v->n_rows++].run = picked[i];
    }
    free(picked);
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
        v->n_rows = 0;
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
