/* run_events.c - see run_events.h */
#include "tui/client/run_events.h"

#include "tui/client/cli_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static enum style say_started(const json_t *e, char *text, size_t size)
{
    snprintf(text, size, "started on %s", js_string(e, "device", "cpu"));
    return STYLE_TEXT;
}

static enum style say_resumed(const json_t *e, char *text, size_t size)
{
    snprintf(text, size, "resumed from %s on %s", js_string(e, "from", "its last checkpoint"),
             js_string(e, "device", "cpu"));
    return STYLE_TEXT;
}

static enum style say_branched(const json_t *e, char *text, size_t size)
{
    const char *parent = js_string(e, "parent", NULL);
    snprintf(text, size, "branched from %s%s%s", js_string(e, "from", "a checkpoint"), parent ? " of " : "",
             parent ? parent : "");
    return STYLE_TEXT;
}

static enum style say_finished(const json_t *e, char *text, size_t size)
{
    const char *reason = js_string(e, "reason", NULL);
    snprintf(text, size, "%s%s%s", js_string(e, "event", "finished"), reason ? ": " : "", reason ? reason : "");
    return strcmp(js_string(e, "event", ""), "stopped") != 0 ? STYLE_GOOD : STYLE_STOPPED;
}

static enum style say_failed(const json_t *e, char *text, size_t size)
{
    snprintf(text, size, "failed: %s", js_string(e, "error", "it did not say why"));
    return STYLE_ERROR;
}

static enum style say_warning(const json_t *e, char *text, size_t size)
{
    const char *about = js_string(e, "checkpoint", "");
    snprintf(text, size, "warning: %s%s%s", about, *about ? ": " : "", js_string(e, "text", ""));
    return STYLE_WARNING;
}

static enum style say_message(const json_t *e, char *text, size_t size)
{
    snprintf(text, size, "%s", js_string(e, "text", ""));
    return STYLE_TEXT;
}

static enum style say_removed(const json_t *e, char *text, size_t size)
{
    snprintf(text, size, "%s removed: more were kept than asked for", js_string(e, "checkpoint", "a checkpoint"));
    return STYLE_FAINT;
}

static const struct order {
    const char *command, *words;
    char letter; /* the key that gives it */
} orders[] = {{"stop", "asked to stop", 'S'},
              {"pause", "paused", 'P'},
              {"continue", "goes on", 'C'},
              {"checkpoint", "a checkpoint was asked for", 'K'},
              {"learning_rate", "learning rate", 'L'},
              {"epochs", "epochs in all", 'E'}};

static const struct order *order_of(const char *command)
{
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        if (!strcmp(orders[i].command, command))
            return &orders[i];
    return NULL;
}

/* An order of a person, and what became of it. */
static enum style say_command(const json_t *e, char *text, size_t size)
{
    const char *command = js_string(e, "command", "?"), *words = command, *signal = js_string(e, "signal", NULL);
    const struct order *order = order_of(command);
    if (order)
        words = order->words;
    double value = js_double(e, "value", NAN);
    size_t used = (size_t)snprintf(text, size, "%s", words);
    if (!isnan(value) && used < size)
        used += (size_t)snprintf(text + used, size - used, " %.6g", value);
    if (signal && used < size)
        used += (size_t)snprintf(text + used, size - used, " by %s", signal);
    if (js_bool(e, "ok", true))
        return STYLE_ACCENT;
    if (used < size)
        snprintf(text + used, size - used, ", refused: %s", js_string(e, "error", "it did not say why"));
    return STYLE_WARNING;
}

static const struct {
    const char *event;
    char letter; /* on a curve, 0: it is not shown there */
    enum style (*say)(const json_t *event, char *text, size_t size);
} kinds[] = {
    {"started", 0, say_started},   {"resumed", 'R', say_resumed}, {"branched", 0, say_branched},
    {"finished", 0, say_finished}, {"stopped", 0, say_finished},  {"failed", 'X', say_failed},
    {"warning", 'W', say_warning}, {"message", 0, say_message},   {"checkpoint_removed", 0, say_removed},
    {"command", '?', say_command}, {"signal", 'S', say_command},
};

static int kind_of(const json_t *json)
{
    const char *name = js_string(json, "event", "");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].event, name))
            return (int)i;
    return -1;
}

static char letter_of(const json_t *json)
{
    int kind = kind_of(json);
    const struct order *order = order_of(js_string(json, "command", ""));
    return kind < 0 ? 0 : kinds[kind].letter == '?' && order ? order->letter : kinds[kind].letter;
}

size_t events_notable(const struct run_event *events, size_t n, struct arena *arena,
                      const struct notable_event **notable)
{
    struct notable_event *out = arena_array(arena, n + 1, sizeof *out);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct err ignored;
        char words[200];
        json_t *json = js_parse(events[i].json, strlen(events[i].json), "event", JS_STRICT, &ignored);
        char letter = letter_of(json);
        json_decref(json);
        if (!letter)
            continue;
        event_words(&events[i], words, sizeof words);
        out[kept++] =
            (struct notable_event){events[i].epoch, events[i].step, events[i].time, letter, arena_strdup(arena, words)};
    }
    *notable = out;
    return kept;
}

enum style event_words(const struct run_event *event, char *text, size_t size)
{
    struct err ignored;
    enum style style = STYLE_FAINT;
    json_t *json = js_parse(event->json, strlen(event->json), "event", JS_STRICT, &ignored);
    int kind = kind_of(json);
    snprintf(text, size, "%s", event->json);
    if (kind >= 0)
        style = kinds[kind].say(json, text, size);
    for (char *c = text; *c; c++)
        *c = *c == '\n' ? ' ' : *c; /* said in one line */
    json_decref(json);
    return style;
}

/* Breaks at blanks; a word that is longer than the line stays whole. */
static void add_wrapped(struct str *out, const char *text, int columns)
{
    int column = 0;
    for (const char *c = text; *c; c++) {
        int word = 0;
        for (const char *w = c + 1; *c == ' ' && *w && *w != ' ' && *w != '\n'; w++)
            word += ((unsigned char)*w & 0xC0) != 0x80;
        bool breaks = *c == ' ' && column > 0 && column + 1 + word > columns;
        column = breaks || *c == '\n' ? 0 : column + (((unsigned char)*c & 0xC0) != 0x80);
        str_add_char(out, breaks ? '\n' : *c);
    }
}

enum style event_lines(const struct run_event *event, int columns, struct str *out)
{
    struct err ignored;
    char words[512];
    enum style style = event_words(event, words, sizeof words);
    json_t *json = js_parse(event->json, strlen(event->json), "event", JS_STRICT, &ignored);
    bool message = !strcmp(js_string(json, "event", ""), "message");
    str_clear(out);
    add_wrapped(out, message ? js_string(json, "text", words) : words, columns);
    json_decref(json);
    return style;
}
