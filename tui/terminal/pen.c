/* pen.c - see pen.h. On the terminals of today (ANSI, ECMA-48) looks are put together here, because terminfo only knows
 * how to drop all of them; others get what their entry says. */
#include "tui/terminal/pen_internal.h"

#include "base/arena.h"
#include "plots/tile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *capability(const char *name)
{
    const char *text = tigetstr(name);
    return text && text != (const char *)-1 && *text ? text : NULL;
}

static void read_entry(struct pen_terminal *t)
{
    const struct {
        const char **to;
        const char *name;
    } wanted[] = {{&t->cup, "cup"},     {&t->hpa, "hpa"},     {&t->vpa, "vpa"},     {&t->cuf, "cuf"},
                  {&t->cub, "cub"},     {&t->cuf1, "cuf1"},   {&t->cub1, "cub1"},   {&t->cud, "cud"},
                  {&t->cuu, "cuu"},     {&t->cr, "cr"},       {&t->el, "el"},       {&t->ech, "ech"},
                  {&t->clear, "clear"}, {&t->smcup, "smcup"}, {&t->rmcup, "rmcup"}, {&t->civis, "civis"},
                  {&t->cnorm, "cnorm"}, {&t->sgr0, "sgr0"},   {&t->bold, "bold"},   {&t->dim, "dim"},
                  {&t->rev, "rev"},     {&t->smul, "smul"},   {&t->setaf, "setaf"}, {&t->setab, "setab"}};
    for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++)
        *wanted[k].to = capability(wanted[k].name);
    const char *op = capability("op");
    t->ansi = t->cup && str_starts(t->cup, "\033[%i%p1%d;%p2%dH") && t->sgr0 && strstr(t->sgr0, "\033[");
    t->defaults = op && strstr(op, "39;49m");
    t->full_line = !tigetflag("am") || tigetflag("xenl");
    if (tigetnum("xmc") > 0) /* its attributes take cells */
        t->sgr0 = t->bold = t->dim = t->rev = t->smul = t->setaf = t->setab = NULL;
}

static enum color_depth depth_of(const struct pen_terminal *t, int colors, enum color_depth most)
{
    if (most == COLORS_NONE || colors < 8 || !t->setaf || !t->setab || !capability("op"))
        return COLORS_NONE;
    return colors >= 256 && most == COLORS_256 ? COLORS_256 : COLORS_16;
}

struct pen *pen_open(const char *terminal, enum color_depth depth, struct err *err)
{
    int found = 0;
    set_curterm(NULL);
    if (setupterm(terminal, STDOUT_FILENO, &found) != OK) {
        err_set(err, ERR_FAILED, "the terminal type '%s' is not known here", terminal);
        return NULL;
    }
    struct pen *pen = xcalloc(1, sizeof *pen);
    pen->terminal = xcalloc(1, sizeof *pen->terminal);
    pen->terminal->entry = cur_term;
    read_entry(pen->terminal);
    if (!pen->terminal->cup || !pen->terminal->clear) {
        err_set(err, ERR_FAILED, "the terminal type '%s' cannot move its cursor", terminal);
        pen_close(pen);
        return NULL;
    }
    pen->colors = tigetnum("colors");
    pen->depth = depth_of(pen->terminal, pen->colors, depth);
    pen->look = (struct look){-1, -1, 0};
    return pen;
}

void pen_close(struct pen *pen)
{
    if (!pen)
        return;
    del_curterm(pen->terminal->entry);
    free(pen->terminal);
    str_release(&pen->out);
    free(pen);
}

size_t pen_plain(const char *text, char *out, size_t size)
{
    size_t n = 0;
    while (text && *text && n + 1 < size) {
        if (text[0] == '$' && text[1] == '<') {
            const char *end = strchr(text, '>');
            text = end ? end + 1 : text + strlen(text);
        } else {
            out[n++] = *text++;
        }
    }
    out[n] = 0;
    return n;
}

static void add_capability(struct pen *pen, const char *text)
{
    char bytes[128];
    str_add_bytes(&pen->out, bytes, pen_plain(text, bytes, sizeof bytes));
}

size_t pen_format(const struct pen *pen, const char *text, int a, int b, char *out, size_t size)
{
    set_curterm(pen->terminal->entry);
    return text ? pen_plain(tparm(text, (long)a, (long)b, 0L, 0L, 0L, 0L, 0L, 0L, 0L), out, size) : 0;
}

bool look_equal(struct look a, struct look b)
{
    return a.ink == b.ink && a.ground == b.ground && a.attributes == b.attributes;
}

bool look_is_blank(struct look look)
{
    return look.ground < 0 && !(look.attributes & (LOOK_REVERSE | LOOK_UNDERLINE));
}

/* Colours outside of the palette only as ECMA-48 terminals take them. */
static int32_t own_color(const struct pen *pen, int32_t color)
{
    return color < TILE_RGB || pen->terminal->ansi ? color
                                                   : tile_palette(color >> 16 & 255, color >> 8 & 255, color & 255);
}

/* What the terminal can show of a look: the bright colours of one with eight are bold ones. */
static struct look shown_look(const struct pen *pen, struct look look)
{
    look.ink = own_color(pen, look.ink);
    look.ground = own_color(pen, look.ground);
    if (look.ground >= pen->colors && look.ground < 16) /* bright grounds are left to terminals with sixteen */
        look.ground = look.ground == 8 ? 0 : look.ground - 8;
    if (pen->depth == COLORS_NONE) {
        look.ink = look.ground = -1;
    } else if (look.ink >= pen->colors && look.ink < 16) {
        look.attributes |= look.ink == 8 ? LOOK_FAINT : LOOK_BOLD;
        look.ink = look.ink == 8 ? -1 : look.ink - 8;
    }
    return look;
}

/* ";38;5;74", ";36", ";39", ";38;2;255;0;0" */
static int color_code(char *out, size_t size, int32_t color, int base)
{
    if (color >= TILE_RGB)
        return snprintf(out, size, ";%d;2;%d;%d;%d", base + 8, color >> 16 & 255, color >> 8 & 255, color & 255);
    return color < 0    ? snprintf(out, size, ";%d", base + 9)
           : color < 8  ? snprintf(out, size, ";%d", base + color)
           : color < 16 ? snprintf(out, size, ";%d", base + 60 + color - 8)
                        : snprintf(out, size, ";%d;5;%d", base + 8, color);
}

/* From one look to another without dropping all of it first; false: that cannot be said. */
static bool change_look(const struct pen *pen, struct look from, struct look to, char *out, size_t size)
{
    static const struct {
        uint8_t bit;
        const char *on, *off;
    } attributes[] = {{LOOK_BOLD, ";1", ";22"},
                      {LOOK_FAINT, ";2", ";22"},
                      {LOOK_UNDERLINE, ";4", ";24"},
                      {LOOK_REVERSE, ";7", ";27"}};
    enum { WEIGHT = LOOK_BOLD | LOOK_FAINT }; /* dropped together */
    uint8_t kept = from.attributes, weight = from.attributes & WEIGHT;
    size_t n = 0;
    bool drops =
        from.attributes & ~to.attributes || (from.ink >= 0 && to.ink < 0) || (from.ground >= 0 && to.ground < 0);
    if (drops && !pen->terminal->defaults)
        return false;
    if (weight & ~to.attributes) {
        n += (size_t)snprintf(out + n, size - n, ";22");
        kept &= (uint8_t)~WEIGHT;
    }
    for (size_t k = 0; k < sizeof attributes / sizeof *attributes; k++) {
        bool is = kept & attributes[k].bit, wanted = to.attributes & attributes[k].bit;
        if (is != wanted)
            n += (size_t)snprintf(out + n, size - n, "%s", wanted ? attributes[k].on : attributes[k].off);
    }
    if (from.ink != to.ink)
        n += (size_t)color_code(out + n, size - n, to.ink, 30);
    if (from.ground != to.ground)
        color_code(out + n, size - n, to.ground, 40);
    return true;
}

static void ansi_look(struct pen *pen, struct look to)
{
    char change[64] = "", anew[64] = "";
    bool can = change_look(pen, pen->look, to, change, sizeof change);
    if (look_equal(to, (struct look){-1, -1, 0})) {
        str_add(&pen->out, "\033[m");
        return;
    }
    change_look(pen, (struct look){-1, -1, 0}, to, anew, sizeof anew);
    if (can && strlen(change) <= strlen(anew) + 2)
        str_addf(&pen->out, "\033[%sm", change + 1);
    else
        str_addf(&pen->out, "\033[0%sm", anew);
}

static void entry_look(struct pen *pen, struct look to)
{
    const struct pen_terminal *t = pen->terminal;
    char bytes[64];
    add_capability(pen, t->sgr0);
    add_capability(pen, to.attributes & LOOK_BOLD ? t->bold : NULL);
    add_capability(pen, to.attributes & LOOK_FAINT ? t->dim : NULL);
    add_capability(pen, to.attributes & LOOK_UNDERLINE ? t->smul : NULL);
    add_capability(pen, to.attributes & LOOK_REVERSE ? t->rev : NULL);
    if (to.ink >= 0)
        str_add_bytes(&pen->out, bytes, pen_format(pen, t->setaf, to.ink, 0, bytes, sizeof bytes));
    if (to.ground >= 0)
        str_add_bytes(&pen->out, bytes, pen_format(pen, t->setab, to.ground, 0, bytes, sizeof bytes));
}

void pen_look(struct pen *pen, struct look look)
{
    look = shown_look(pen, look);
    if (look_equal(look, pen->look))
        return;
    if (pen->terminal->ansi)
        ansi_look(pen, look);
    else
        entry_look(pen, look);
    pen->look = look;
}

int pen_char_size(uint32_t ch)
{
    return ch < 0x80 ? 1 : ch < 0x800 ? 2 : ch < 0x10000 ? 3 : 4;
}

static void add_char(struct str *out, uint32_t ch)
{
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    int size = pen_char_size(ch);
    char bytes[4];
    for (int k = size - 1; k > 0; k--, ch >>= 6)
        bytes[k] = (char)(0x80 | (ch & 63));
    bytes[0] = (char)(lead[size < 2 ? 0 : size] | ch);
    str_add_bytes(out, bytes, (size_t)size);
}

void pen_put(struct pen *pen, uint32_t ch, int cells, struct look look)
{
    if (ch != ' ' || !look_is_blank(shown_look(pen, look)) || !look_is_blank(pen->look))
        pen_look(pen, look);
    bool last = pen->x + cells >= pen->width;
    if (last && pen->y == pen->height - 1 && !pen->terminal->full_line)
        return;
    add_char(&pen->out, ch);
    pen->x = last ? -1 : pen->x + cells; /* at the right edge terminals differ */
}

bool pen_repeat(struct pen *pen, uint32_t ch, int times)
{
    char bytes[32];
    int n = snprintf(bytes, sizeof bytes, "\033[%db", times);
    if (!pen->repeats || pen->x < 0 || n >= times * pen_char_size(ch))
        return false;
    str_add_bytes(&pen->out, bytes, (size_t)n);
    pen->x += times;
    return true;
}

bool pen_can_erase_rest(const struct pen *pen)
{
    return pen->terminal->el != NULL;
}

bool pen_erase_rest(struct pen *pen)
{
    if (!pen->terminal->el)
        return false;
    if (!look_is_blank(pen->look))
        pen_look(pen, (struct look){-1, -1, 0});
    add_capability(pen, pen->terminal->el);
    return true;
}

bool pen_erase(struct pen *pen, int cells)
{
    char bytes[64];
    size_t n = pen_format(pen, pen->terminal->ech, cells, 0, bytes, sizeof bytes);
    if (n == 0)
        return false;
    if (!look_is_blank(pen->look))
        pen_look(pen, (struct look){-1, -1, 0});
    str_add_bytes(&pen->out, bytes, n);
    return true;
}

void pen_show_cursor(struct pen *pen, bool shown)
{
    add_capability(pen, shown ? pen->terminal->cnorm : pen->terminal->civis);
}

void pen_enter(struct pen *pen, int width, int height)
{
    if (!pen->entered)
        add_capability(pen, pen->terminal->smcup);
    add_capability(pen, pen->terminal->sgr0);
    add_capability(pen, pen->terminal->clear);
    pen_show_cursor(pen, false);
    pen->look = (struct look){-1, -1, 0};
    pen->x = pen->y = 0;
    pen->width = width;
    pen->height = height;
    pen->entered = true;
}

void pen_ask_repeat(struct pen *pen)
{
    if (pen->terminal->ansi && pen->width > PEN_ASKED_COLUMN && pen->height > PEN_ASKED_ROW)
        str_addf(&pen->out, "\033[%dH\u283F\033[%db\033[6n\033[2K\033[H", PEN_ASKED_ROW + 1, PEN_ASKED_COLUMN - 1);
}

void pen_leave(struct pen *pen)
{
    if (!pen->entered)
        return;
    add_capability(pen, pen->terminal->sgr0);
    pen->look = (struct look){-1, -1, 0};
    pen->x = -1;
    pen_move(pen, 0, pen->height - 1);
    if (!pen->terminal->smcup) /* the shell goes on below what is left of the screen */
        pen_erase_rest(pen);
    add_capability(pen, pen->terminal->rmcup);
    pen_show_cursor(pen, true);
    pen->entered = false;
}

struct pen_mark pen_mark(const struct pen *pen)
{
    return (struct pen_mark){pen->out.length, pen->x, pen->y, pen->look};
}

void pen_resume(struct pen *pen, struct pen_mark mark)
{
    pen->x = mark.x;
    pen->y = mark.y;
    pen->look = mark.look;
}

void pen_drop(struct pen *pen, size_t begin, size_t end)
{
    memmove(pen->out.data + begin, pen->out.data + end, pen->out.length - end + 1);
    pen->out.length -= end - begin;
}
