/* config_docs.c - docs/config.md and the text of `antler check --help`, printed from the table of run_config.h */
#include "base/arena.h"
#include "persistence/config/run_config.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_WIDTH = 100, TEXT_INDENT = 6 };

static const char introduction[] =
    "# The config file\n\n"
    "JSON, or YAML with the same keys. Paths are relative to the config file. An unknown key is an error that names "
    "its place and the nearest known\n"
    "one. Classes of layers, losses, metrics, optimizers and callbacks, their arguments and defaults are Keras 3's. "
    "`--set KEY=VALUE` changes any key:\n"
    "`--set compile.optimizer.learning_rate=0.01`. This page is printed from the table the program checks with.\n\n";

/* Length of the section's name in front of a path: "data[csv]" of "data[csv].path", "model" of "model.layers[].class",
 * nothing of "seed". A row for a format heads its own section. */
static size_t scope_length(const char *path)
{
    if (str_starts(path, "data["))
        return strcspn(path, "]") + 1;
    return strchr(path, '.') ? strcspn(path, "[.") : 0;
}

/* "data[csv].path" is written by users as data.path, "data[].scale" as data.scale. */
static void add_user_path(struct str *out, const char *path)
{
    bool data = str_starts(path, "data[");
    for (const char *p = path; *p; p++) {
        if (data && *p == '[')
            p += strcspn(p, "]");
        else
            str_add_char(out, *p);
    }
}

static void add_escaped(struct str *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            str_add_char(out, '\\');
        str_add_char(out, *text);
    }
}

static void add_heading(struct str *out, const struct config_key *row, size_t length, bool markdown)
{
    bool format = str_starts(row->path, "data[") && row->path[5] != ']';
    if (markdown && format)
        str_addf(out, "\n### data.format: %.*s\n\n%s\n\n", (int)length - 6, row->path + 5, row->help);
    else if (markdown)
        str_addf(out, "\n## %.*s\n\n", length ? (int)strcspn(row->path, "[.") : 9, length ? row->path : "Top level");
    else if (format)
        str_addf(out, "\nformat %.*s: %s\n", (int)length - 6, row->path + 5, row->help);
    else
        str_addf(out, "\n%.*s\n", length ? (int)strcspn(row->path, "[.") : 9, length ? row->path : "top level");
    if (markdown)
        str_add(out, "| key | value | default | meaning |\n|---|---|---|---|\n");
}

static void add_row_markdown(struct str *out, const struct config_key *row)
{
    str_add(out, "| `");
    add_user_path(out, row->path);
    str_addf(out, "` | %s", row->types);
    if (row->choices) {
        str_add(out, ": ");
        add_escaped(out, row->choices);
    }
    str_addf(out, " | %s%s%s | ", row->initial ? "`" : "",
             row->initial    ? row->initial
             : row->required ? "required"
                             : "",
             row->initial ? "`" : "");
    add_escaped(out, row->help);
    str_add(out, " |\n");
}

static void add_wrapped(struct str *out, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (!column || column + 1 + n > TEXT_WIDTH - TEXT_INDENT) {
            str_addf(out, column ? "\n%*s" : "%*s", TEXT_INDENT, "");
            column = 0;
        } else {
            str_add_char(out, ' ');
            column++;
        }
        str_add_bytes(out, text, n);
        column += n;
        text += n + (text[n] == ' ');
    }
    str_add_char(out, '\n');
}

static void add_row_text(struct str *out, const struct config_key *row)
{
    str_add(out, "  ");
    add_user_path(out, row->path);
    str_addf(out, "  %s", row->types);
    if (row->choices)
        str_addf(out, " (%s)", row->choices);
    if (row->initial)
        str_addf(out, ", default %s", row->initial);
    else if (row->required)
        str_add(out, ", required");
    str_add_char(out, '\n');
    add_wrapped(out, row->help);
}

/* Writes the rows of one scope; the first of them brings the heading. */
static void add_scope(struct str *out, const char *scope, size_t length, bool markdown)
{
    size_t n;
    const struct config_key *rows = config_keys(&n);
    bool headed = false;
    for (size_t i = 0; i < n; i++) {
        if (scope_length(rows[i].path) != length || strncmp(rows[i].path, scope, length) != 0)
            continue;
        if (!headed)
            add_heading(out, &rows[i], length, markdown);
        headed = true;
        if (rows[i].path[strlen(rows[i].path) - 1] == ']')
            continue;
        if (markdown)
            add_row_markdown(out, &rows[i]);
        else
            add_row_text(out, &rows[i]);
    }
}

void config_write_docs(struct str *out, bool markdown)
{
    size_t n;
    const struct config_key *rows = config_keys(&n);
    str_add(out, markdown ? introduction : "Keys of a config file (JSON, or YAML with the same keys):\n");
    for (size_t i = 0; i < n; i++) {
        size_t length = scope_length(rows[i].path);
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = scope_length(rows[k].path) == length && !strncmp(rows[k].path, rows[i].path, length);
        if (!seen)
            add_scope(out, rows[i].path, length, markdown);
    }
}
