/* term_look.c - what can be told of a terminal before it is opened: its type, its colours, its size. See term.h. */
#include "tui/terminal/term_internal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool color_choice_parse(const char *text, enum color_choice *choice)
{
    static const char *const names[] = {"auto", "always", "never", "16", "256"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (!strcmp(text, names[k])) {
            *choice = (enum color_choice)k;
            return true;
        }
    return false;
}

const char *term_environment(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

static bool starts_with_any(const char *text, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (str_starts(text, *prefixes))
            return true;
    return false;
}

static void look_at_colors(enum color_choice color, struct term_facts *facts)
{
    facts->depth = COLORS_256;
    if (color == COLOR_NEVER || (color == COLOR_AUTO && *term_environment("NO_COLOR")))
        facts->depth = COLORS_NONE;
    else if (color == COLOR_16)
        facts->depth = COLORS_16;
    bool direct =
        !strcmp(term_environment("COLORTERM"), "truecolor") || !strcmp(term_environment("COLORTERM"), "24bit");
    facts->true_color = direct && facts->depth == COLORS_256 && color != COLOR_256;
    const char *ground = strrchr(term_environment("COLORFGBG"), ';');
    if (ground && ground[1]) {
        int k = atoi(ground + 1);
        facts->light_known = true;
        facts->light = k == 7 || k == 15;
    }
}

void term_size(int fd, int *width, int *height)
{
    struct winsize size = {0};
    *width = 80;
    *height = 24;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
        *width = size.ws_col;
        *height = size.ws_row;
    }
}

void term_look(enum color_choice color, bool ascii, struct term_facts *facts)
{
    static const char *const rich[] = {"xterm", "screen",  "tmux",    "rxvt", "alacritty", "foot",
                                       "kitty", "wezterm", "ghostty", "st-",  "vte",       NULL};
    static bool localized;
    if (!localized)
        setlocale(LC_ALL, "");
    localized = true;
    setlocale(LC_NUMERIC, "C"); /* numbers in files and on the screen have a point */
    *facts = (struct term_facts){0};
    snprintf(facts->type, sizeof facts->type, "%s", term_environment("TERM"));
    facts->usable = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && facts->type[0] && strcmp(facts->type, "dumb") != 0;
    facts->ascii = ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    const char *modern = *term_environment("COLORTERM") || color == COLOR_256 ? "-256color" : "";
    if (*modern && (!strcmp(facts->type, "xterm") || !strcmp(facts->type, "screen")))
        strncat(facts->type, modern, sizeof facts->type - strlen(facts->type) - 1);
    facts->rich = starts_with_any(facts->type, rich) || *term_environment("COLORTERM");
    bool gnu_screen = str_starts(facts->type, "screen") && !*term_environment("TMUX");
    facts->titled = starts_with_any(facts->type, rich) && !gnu_screen;
    look_at_colors(color, facts);
    term_size(STDOUT_FILENO, &facts->width, &facts->height);
}
