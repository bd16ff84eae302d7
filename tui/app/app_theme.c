/* app_theme.c - the menu of themes. */
#include "persistence/config/settings.h"
#include "tui/app/app_parts.h"

#include <stdio.h>

static int look_at(struct app *app, int line)
{
    app->theme = line < 0 ? app->theme_kept : (enum theme_name)line;
    return LOOP_DRAW;
}

static int keep(struct app *app, int line)
{
    struct err err = {0};
    json_t *name = json_string(theme_table[line].name);
    app->theme = app->theme_kept = (enum theme_name)line;
    bool ok = settings_put(app->home, true, "screen.theme", name, &err);
    json_decref(name);
    if (ok)
        app_say(app, STYLE_GOOD, "the theme is %s, also next time", theme_table[line].name);
    else
        app_say(app, STYLE_WARNING, "the theme is %s, but it could not be kept: %s", theme_table[line].name, err.text);
    return LOOP_DRAW;
}

int app_theme_menu(struct app *app)
{
    for (int k = 0; k < THEME_COUNT; k++) {
        snprintf(app->menu_lines[k], sizeof app->menu_lines[k], "%s", theme_table[k].name);
        snprintf(app->menu_hints[k], sizeof app->menu_hints[k], "%s", theme_table[k].help);
    }
    app_menu(app, "colours", THEME_COUNT, keep);
    app->menu_moved = look_at;
    app->menu.list.selected = (int)app->theme;
    return LOOP_DRAW;
}
