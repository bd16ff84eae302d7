/* term_tell.c - what a terminal is told beside frames: the clipboard, the title of its window, notifications. See
 * term.h. */
#include "tui/terminal/term_internal.h"

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COPY_MAX_BYTES = 74994 / 4 * 3 };

static void add_base64(struct str *out, const char *text, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = (uint32_t)s[i] << 16 | (i + 1 < n ? (uint32_t)s[i + 1] << 8 : 0) | (i + 2 < n ? s[i + 2] : 0u);
        str_add_char(out, digits[bits >> 18]);
        str_add_char(out, digits[bits >> 12 & 63]);
        str_add_char(out, i + 1 < n ? digits[bits >> 6 & 63] : '=');
        str_add_char(out, i + 2 < n ? digits[bits & 63] : '=');
    }
}

bool term_copy(struct term *term, const char *text)
{
    size_t n = strlen(text);
    if (n > COPY_MAX_BYTES)
        return false;
    struct str out = {0};
    str_add(&out, "\033]52;c;");
    add_base64(&out, text, n);
    str_add(&out, "\033\\");
    if (term->facts.rich)
        term_queue(term, str_text(&out), out.length);
    str_release(&out);
    term_flush(term);
    return true;
}

void term_title(struct term *term, const char *text)
{
    if (!term->facts.titled || !term->entered || (term->title && !strcmp(term->title, text)))
        return;
    free(term->title);
    term->title = xstrdup(text);
    term_queue(term, "\033]2;", 4);
    term_queue(term, text, strlen(text));
    term_queue(term, "\033\\", 2);
    term_flush(term);
}

/* tmux drops what it does not know unless it was told to let it through. */
static bool tmux_lets_through(struct term *term)
{
    char answer[16] = "";
    if (!term->passes) {
        FILE *tmux = popen("tmux show-options -Apqv allow-passthrough 2>/dev/null", "re");
        if (tmux && !fgets(answer, sizeof answer, tmux))
            answer[0] = 0;
        if (tmux)
            pclose(tmux);
        term->passes = str_starts(answer, "on") || str_starts(answer, "all") ? 1 : -1;
    }
    return term->passes > 0;
}

void term_tell(struct term *term, const char *form, bool bell, const char *text)
{
    struct str safe = {0}, out = {0};
    bool tmux = *term_environment("TMUX"), wanted = term->facts.rich && strcmp(form, "off") != 0;
    bool sent = wanted && (!tmux || tmux_lets_through(term));
    str_add_visible(&safe, text);
    if (sent) {
        const char *escape = tmux ? "\033\033" : "\033"; /* inside tmux's envelope an escape is written twice */
        str_addf(&out, "%s%s]%s%s%s\\%s", tmux ? "\033Ptmux;" : "", escape,
                 !strcmp(form, "osc9") ? "9;" : "777;notify;antler;", str_text(&safe), escape, tmux ? "\033\\" : "");
    }
    if (bell || (wanted && !sent))
        str_add_char(&out, '\a');
    if (out.length && term->entered)
        term_queue(term, str_text(&out), out.length);
    term_flush(term);
    str_release(&out);
    str_release(&safe);
}
