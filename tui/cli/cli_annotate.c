/* cli_annotate.c - antler tag, note: what a person adds to a run; allowed while it runs */
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_text.h"

#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_tag(json_t *tags, const char *tag)
{
    bool off = *tag == '-';
    const char *name = tag + (off || *tag == '+');
    size_t i;
    json_t *old;
    json_array_foreach(tags, i, old) {
        if (!strcmp(json_string_value(old), name)) {
            if (off)
                json_array_remove(tags, i);
            return;
        }
    }
    if (!off && *name)
        json_array_append_new(tags, js_text_value(name));
}

static bool change_tags(struct cli *cli, const struct run_summary *run, const char *folder, struct err *err)
{
    json_t *tags = json_array();
    for (size_t t = 0; t < run->n_tags; t++)
        json_array_append_new(tags, js_text_value(run->tags[t]));
    for (size_t a = 1; a < cli->n_arguments; a++)
        set_tag(tags, cli->arguments[a]);
    json_t *changes = json_pack("{s:o}", "tags", tags);
    bool ok = run_annotate(folder, changes, err);
    json_decref(changes);
    return ok;
}

static bool change_note(struct cli *cli, const char *folder, struct err *err)
{
    struct str text = {0};
    for (size_t a = 1; a < cli->n_arguments; a++)
        str_addf(&text, "%s%s", a > 1 ? " " : "", cli->arguments[a]);
    json_t *changes = json_pack("{s:o}", "note", js_text_value(str_text(&text)));
    bool ok = run_annotate(folder, changes, err);
    json_decref(changes);
    str_release(&text);
    return ok;
}

static bool annotate(struct cli *cli, bool tags, struct err *err)
{
    struct index *index = text_open_index(cli->home, err);
    struct arena arena = {0};
    const struct run_summary *run = index ? index_find(index, cli->arguments[0], &arena, err) : NULL;
    bool ok = run;
    if (run && cli->n_arguments > 1) {
        char *folder = path_join(cli->home, run->folder);
        ok = tags ? change_tags(cli, run, folder, err) : change_note(cli, folder, err);
        free(folder);
    } else if (run) {
        for (size_t t = 0; tags && t < run->n_tags; t++) {
            text_print(TEXT_PLAIN, run->tags[t]);
            putchar('\n');
        }
        if (!tags && run->note && *run->note) {
            text_print(TEXT_PLAIN, run->note);
            putchar('\n');
        }
    }
    arena_release(&arena);
    index_close(index);
    return ok;
}

bool cli_tag(struct cli *cli, struct err *err)
{
    return annotate(cli, true, err);
}

bool cli_note(struct cli *cli, struct err *err)
{
    return annotate(cli, false, err);
}
