/* compare_export.c - the tables of the comparison as a file, or as the command that gives the same. */
#include "persistence/files/atomic_file.h"
#include "tui/client/cli_request.h"
#include "tui/client/train_request.h"
#include "tui/views/compare_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void compare_command(const struct app *app, const struct compare_view *v, struct str *out)
{
    const char *home = app_home_word(app);
    str_add(out, "antler");
    str_add(out, home ? " --home " : "");
    if (home)
        add_shell_word(out, home);
    str_add(out, " compare");
    for (size_t i = 0; i < v->n; i++) {
        str_add_char(out, ' ');
        add_shell_word(out, app_run_word(app, v->list[i].run->id));
    }
    str_add(out, " --metric ");
    add_shell_word(out, v->metric);
}

bool compare_save(struct compare_view *v, const char *path, struct err *err)
{
    struct str out = {0};
    size_t n_metrics;
    const char **metrics = compared_metrics(v->list, v->n, &v->arena, &n_metrics);
    const char **keys = compared_keys(v->list, v->n, false, &v->arena, &v->n_keys);
    compared_add_csv(v->list, v->n, v->labels, keys, v->n_keys, metrics, n_metrics, &out);
    bool ok = atomic_file_save(path, str_text(&out), out.length, err);
    str_release(&out);
    return ok;
}

static bool answer_path(struct app *app, const char *subject, const char *text, struct err *err)
{
    struct compare_view *v = app->stack[app->depth - 1].state; /* as in choose */
    char *path;
    (void)subject;
    if (!export_path(text, &path, err))
        return false;
    bool ok = compare_save(v, path, err);
    char *absolute = cli_absolute(path);
    if (ok)
        app_say(app, STYLE_GOOD, "written to %s", absolute);
    free(absolute);
    free(path);
    return ok;
}

static int choose(struct app *app, int line)
{
    struct compare_view *v = app->stack[app->depth - 1].state;
    struct str command = {0};
    compare_command(app, v, &command);
    if (line == 1)
        return app_copy(app, str_take(&command));
    char *name = export_free_name("compare", "csv"),
         *text = xprintf(
             "A line a run: all results, and every setting that differs. The same in a shell:\n%.1200s --csv FILE",
             str_text(&command));
    int flags = app_ask(app, DIALOG_TEXT, "write the table (CSV)", text, name, "csv", answer_path);
    str_release(&command);
    free(name);
    free(text);
    return flags;
}

int compare_export(struct app *app)
{
    snprintf(app->menu_lines[0], sizeof app->menu_lines[0], "the table, a line a run");
    snprintf(app->menu_hints[0], sizeof app->menu_hints[0], "CSV");
    snprintf(app->menu_lines[1], sizeof app->menu_lines[1], "copy the command that gives the same");
    snprintf(app->menu_hints[1], sizeof app->menu_hints[1], "antler compare");
    return app_menu(app, "write what is seen", 2, choose);
}
