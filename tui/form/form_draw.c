/* form_draw.c - the tree of fields, and below it what the selected one means and the command that does the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/human.h"
#include "tui/form/form_view.h"

enum { LABEL_LEAST = 16, LABEL_MOST = 30, HELP_FROM = 78, HELP_AT = 24 };

static int label_columns(const struct form_view *v, const struct grid *grid, int width)
{
    int most = LABEL_LEAST;
    for (size_t i = 0; i < v->form.n_rows; i++) {
        const struct form_row *row = &v->form.rows[i];
        int columns = 2 * row->depth + 5 + grid_columns(grid, row->label);
        most = columns > most && row->kind == FORM_FIELD ? columns : most;
    }
    most = most < LABEL_MOST ? most : LABEL_MOST;
    return most < width / 2 ? most : width / 2;
}

static void draw_start(const struct form_view *v, struct grid *grid, struct rect line)
{
    static const char *const words[] = {[FORM_OF_CONFIG] = "start this run",
                                        [FORM_OF_RUN] = "start this run",
                                        [FORM_OF_CHECKPOINT] = "start the branch",
                                        [FORM_OF_WAITING] = "save: it waits on"};
    int x = 1 + grid_text(grid, line, 1, 0, v->error[0] ? STYLE_WARNING : STYLE_GOOD, "▶ ");
    x += grid_text(grid, line, x, 0, STYLE_STRONG, words[v->source]);
    grid_text(grid, line, x + 2, 0, STYLE_FAINT, v->error[0] ? "once the error below is gone" : "Enter");
}

static enum style value_style(const struct form_row *row)
{
    return row->changed ? STYLE_CHANGED : row->given ? STYLE_TEXT : STYLE_FAINT;
}

static void draw_group(const struct form_view *v, const struct form_row *row, struct grid *grid, struct rect line,
                       int at)
{
    struct str text = {0};
    int x = 1 + 2 * row->depth;
    grid_put(grid, line, x, 0, STYLE_FAINT, row->open ? 0x25BE : 0x25B8);
    if (row->defaults) {
        str_addf(&text, "%d more", row->defaults);
        grid_text(grid, line, x + 2, 0, STYLE_FAINT, str_text(&text));
        str_release(&text);
        return;
    }
    x += 2 + grid_text(grid, line, x + 2, 0, row->changed && !row->open ? STYLE_CHANGED : STYLE_STRONG, row->label);
    if (!row->open) {
        form_summary(&v->form, row, &text);
        grid_text(grid, line, x + 2 > at ? x + 2 : at, 0, row->changed ? STYLE_CHANGED : STYLE_FAINT, str_text(&text));
    }
    str_release(&text);
}

static void draw_field(const struct form_view *v, const struct form_row *row, struct grid *grid, struct rect line,
                       int at, bool edited)
{
    struct rect label = line;
    label.w = at - 1 < line.w ? at - 1 : line.w;
    grid_text(grid, label, 3 + 2 * row->depth, 0, row->given ? STYLE_TEXT : STYLE_FAINT, row->label);
    struct rect value = line;
    rect_left(&value, at);
    if (edited) {
        edit_draw(&v->edit, grid, value, true, row->facts.types ? "empty: the default" : "empty: without it");
        return;
    }
    char *text = row->value ? form_text(row->value) : NULL;
    const char *shown = !text ? "—" : !*text ? "\"\"" : json_is_null(row->value) ? "none" : text;
    bool helped = line.w >= HELP_FROM && row->facts.help;
    int used = grid_text(grid, helped ? rect_part(value, 0, 0, HELP_AT - 1, 1) : value, 0, 0, value_style(row), shown);
    if (helped && used < HELP_AT)
        grid_text(grid, value, HELP_AT, 0, STYLE_FAINT, row->facts.help);
    free(text);
}

static int draw_row(const struct form_view *v, int i, struct grid *grid, struct rect rest, int at, bool focused)
{
    const struct form_row *row = &v->form.rows[i];
    bool chosen = i == v->list.selected, wrong = v->error_at[0] && !strcmp(row->path, v->error_at);
    struct rect line = rect_top(&rest, 1);
    if (row->kind == FORM_START)
        draw_start(v, grid, line);
    else if (row->kind == FORM_GROUP)
        draw_group(v, row, grid, line, at);
    else
        draw_field(v, row, grid, line, at, chosen && v->editing);
    if (wrong)
        grid_put(grid, line, 0, 0, STYLE_ERROR, '!');
    if (chosen && focused) {
        if (!v->editing) {
            grid_flag(grid, line, CELL_SELECTED);
            grid_cursor(grid, line, 0, 0, false);
        }
    }
    if (!wrong)
        return 1;
    struct rect box = rect_part(rest, 3 + 2 * row->depth, 0, rest.w - 4 - 2 * row->depth, 3);
    return 1 + (box.w > 0 ? grid_wrap(grid, box, 0, STYLE_ERROR, v->error) : 0);
}

/* Rows that an error takes below its field, so that the selection is not pushed out of sight. */
enum { ERROR_ROWS = 3 };

void form_draw_tree(const struct app *app, struct form_view *v, struct grid *grid, struct rect rect, bool focused)
{
    (void)app;
    grid_rule(grid, rect_top(&rect, 1), "config", focused);
    int at = label_columns(v, grid, rect.w), room = rect.h - (v->error_at[0] ? ERROR_ROWS : 0);
    v->list.count = (int)v->form.n_rows;
    list_settle(&v->list, room > 1 ? room : 1);
    v->tree = rect;
    memset(v->row_at, -1, sizeof v->row_at);
    for (int i = v->list.top; i < v->list.count && rect.h > 0; i++) {
        if (rect.y - v->tree.y < FORM_MOST_LINES)
            v->row_at[rect.y - v->tree.y] = (short)i;
        rect_top(&rect, draw_row(v, i, grid, rect, at, focused));
    }
}

/* ---- below the tree ---- */

static const char *optimizer_of(const json_t *config)
{
    const json_t *optimizer = js_at(config, "compile.optimizer");
    return json_is_string(optimizer) ? json_string_value(optimizer) : js_string(optimizer, "class", "");
}

/* A callback or a person has changed it since: the field in the config is not what the branch goes on with. */
static bool reached_another_rate(const struct form_view *v)
{
    double said = js_double(js_at(v->form.original, "compile.optimizer"), "learning_rate", NAN);
    return !isnan(v->rate) && !isnan(said) && fabs(said - v->rate) > 1e-6 * fabs(said);
}

static void add_kept(const struct form_view *v, struct str *kept, struct str *anew)
{
    const json_t *a = v->form.original, *b = v->form.config;
    bool same_model = js_equal(json_object_get(a, "model"), json_object_get(b, "model"));
    bool same_optimizer = !strcasecmp(optimizer_of(a), optimizer_of(b)) && same_model && !v->weights_only;
    str_add(kept, same_model ? "weights" : "weights of layers that fit");
    str_add(same_optimizer ? kept : anew, same_optimizer ? ", optimizer state" : "optimizer state");
    if (v->weights_only)
        str_add(anew, ", epochs");
    else
        str_addf(kept, ", epoch %lld, step %lld", (long long)v->epoch, (long long)v->step);
    if (!js_equal(js_at(a, "compile.optimizer.learning_rate"), js_at(b, "compile.optimizer.learning_rate")))
        str_add(anew, anew->length ? ", learning rate" : "learning rate");
    else if (same_optimizer && reached_another_rate(v))
        str_addf(kept, ", learning rate %s", human_rate(v->rate).text);
}

/* What the new run takes over from its parent, as far as that can be said before it starts. */
static void draw_kept(const struct form_view *v, struct grid *grid, struct rect *rest)
{
    struct str kept = {0}, anew = {0};
    add_kept(v, &kept, &anew);
    struct rect line = rect_top(rest, 1);
    int x = 1 + grid_text(grid, line, 1, 0, STYLE_FAINT, "kept  ");
    x += grid_text(grid, line, x, 0, STYLE_TEXT, str_text(&kept));
    if (anew.length) {
        x += grid_text(grid, line, x, 0, STYLE_FAINT, "   anew  ");
        grid_text(grid, line, x, 0, STYLE_CHANGED, str_text(&anew));
    }
    str_release(&kept);
    str_release(&anew);
}

static void draw_help(const struct form_view *v, struct grid *grid, struct rect *rest, int rows)
{
    const struct form_row *row = &v->form.rows[v->list.selected];
    struct rect box = rect_top(rest, rows);
    struct str text = {0};
    if (v->error[0] && (!v->error_at[0] || row->kind == FORM_START || !strcmp(row->path, v->error_at))) {
        struct rect inside = {box.x + 1, box.y, box.w - 2, box.h};
        str_addf(&text, "%s%s%s", v->error_at, v->error_at[0] ? ": " : "", v->error);
        grid_wrap(grid, inside, 0, STYLE_ERROR, str_text(&text));
    } else if (row->kind != FORM_START) {
        int x = 1 + grid_text(grid, box, 1, 0, STYLE_TEXT, row->defaults ? "keys at their defaults" : row->path);
        if (row->facts.types)
            x += 2 + grid_text(grid, box, x + 2, 0, STYLE_FAINT, row->facts.types);
        if (row->facts.initial && !row->changed && row->given) {
            char *initial = form_text(row->facts.initial);
            grid_textf(grid, box, x + 2, 0, STYLE_FAINT, "default %s", *initial ? initial : "\"\"");
            free(initial);
        }
        struct rect inside = {box.x + 1, box.y + 1, box.w - 2, box.h - 1};
        if (row->facts.help && inside.h > 0)
            grid_wrap(grid, inside, 0, STYLE_FAINT, row->facts.help);
    } else if (v->source != FORM_OF_CHECKPOINT) {
        const char *description = js_string(v->form.config, "description",
                                            "Enter starts the run; it goes on whatever happens to this terminal.");
        grid_wrap(grid, rect_part(box, 1, 0, box.w - 2, box.h), 0, STYLE_FAINT, description);
    }
    str_release(&text);
}

void form_draw_foot(const struct app *app, const struct form_view *v, struct grid *grid, struct rect rect)
{
    struct str command = {0};
    form_view_command(app, v, &command);
    form_command(&v->form, "", &command);
    grid_rule(grid, rect_top(&rect, 1), "", false);
    int width = rect.w - 3, rows = 1 + (grid_columns(grid, str_text(&command)) - 1) / (width > 1 ? width : 1);
    struct rect foot = rect_bottom(&rect, rows < rect.h ? rows : rect.h - 1 > 0 ? rect.h - 1 : 1);
    grid_text(grid, foot, 1, 0, STYLE_FAINT, "$");
    grid_wrap(grid, rect_part(foot, 3, 0, foot.w - 3, foot.h), 0, STYLE_TEXT, str_text(&command));
    if (v->source == FORM_OF_CHECKPOINT && rect.h > 1)
        draw_kept(v, grid, &rect);
    draw_help(v, grid, &rect, rect.h);
    str_release(&command);
}
