/* cli_show.c - antler show: everything about one run */
#include "persistence/runs/run_pictures.h"
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_text.h"
#include "tui/client/run_events.h"

#include "base/io.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void line(const char *label, const char *text)
{
    if (!text || !*text)
        return;
    char padded[16];
    snprintf(padded, sizeof padded, "%-12s", label);
    text_print(TEXT_DIM, padded);
    text_print(TEXT_PLAIN, text);
    putchar('\n');
}

static void print_facts(const struct run_summary *run, const char *folder)
{
    struct str text = {0};
    text_print(TEXT_BOLD, run->name);
    fputs("  ", stdout);
    text_print(text_state_style(run->state), run_state_name(run->state));
    putchar('\n');
    line("run", run->id);
    line("folder", folder);
    line("error", run->error);
    str_addf(&text, "%lld", (long long)run->epoch);
    if (run->epochs)
        str_addf(&text, " of %lld", (long long)run->epochs);
    str_addf(&text, ", step %lld", (long long)run->step);
    line("epoch", str_text(&text));
    line("created", text_clock(run->created).text);
    line("time", run->source && !(run->duration_s > 0) ? NULL : text_duration(run->duration_s).text);
    line("device", run->device);
    line("imported", run->source);
    str_clear(&text);
    for (size_t t = 0; t < run->n_tags; t++)
        str_addf(&text, "%s%s", t ? " " : "", run->tags[t]);
    line("tags", str_text(&text));
    line("note", run->note);
    str_clear(&text);
    if (run->parent_run || run->parent_checkpoint)
        str_addf(&text, "%s%s%s (epoch %lld)", run->parent_run ? run->parent_run : "", run->parent_run ? ", " : "",
                 run->parent_checkpoint ? run->parent_checkpoint : "", (long long)run->parent_epoch);
    line("parent", str_text(&text));
    str_clear(&text);
    if (run->n_checkpoints)
        str_addf(&text, "%lld (antler checkpoints %s)", (long long)run->n_checkpoints, run->id);
    line("checkpoints", str_text(&text));
    str_release(&text);
}

static void print_metrics(const struct run_summary *run)
{
    struct text_table table = {0};
    text_table_column(&table, "metric", false);
    text_table_column(&table, "last", true);
    text_table_column(&table, "best", true);
    text_table_column(&table, "at epoch", true);
    for (size_t m = 0; m < run->n_metrics; m++) {
        const struct metric_summary *metric = &run->metrics[m];
        bool none = isnan(metric->best);
        char epoch[32];
        snprintf(epoch, sizeof epoch, "%lld", (long long)metric->best_epoch);
        text_table_row(&table);
        text_table_cell(&table, TEXT_PLAIN, metric->name);
        text_table_cell(&table, isnan(metric->last) ? TEXT_BAD : TEXT_PLAIN, text_number(metric->last).text);
        text_table_cell(&table, TEXT_PLAIN, none ? text_missing() : text_number(metric->best).text);
        text_table_cell(&table, TEXT_PLAIN, none ? text_missing() : epoch);
    }
    if (run->n_metrics)
        putchar('\n');
    text_table_print(&table);
    text_table_release(&table);
}

static void print_config(const json_t *config)
{
    char *text = js_text(config, 2), *rest = text, *next;
    printf("\nconfig\n");
    while (rest && *rest) {
        next = strchr(rest, '\n');
        if (next)
            *next++ = 0;
        text_print(TEXT_PLAIN, rest);
        putchar('\n');
        rest = next;
    }
    free(text);
}

static void print_pictures(const struct run_summary *run, const char *folder)
{
    struct arena arena = {0};
    struct err ignored;
    const struct picture_tag *tags;
    size_t n = 0, n_pictures = 0;
    char text[400];
    if (!run_pictures_list(folder, &arena, &tags, &n, &ignored))
        n = 0;
    for (size_t t = 0; t < n; t++)
        n_pictures += tags[t].n;
    snprintf(text, sizeof text, "%zu of %zu tag%s (antler pictures %s)", n_pictures, n, n == 1 ? "" : "s", run->id);
    line("pictures", n ? text : NULL);
    arena_release(&arena);
}

/* The last ones, as the screen says them. */
static void print_events(const struct run_event *events, size_t n)
{
    enum { MOST = 30, COLUMNS = 100 };
    struct str lines = {0};
    if (n)
        printf("\nevents\n");
    if (n > MOST)
        printf("... %zu earlier ones (--json has all)\n", n - MOST);
    for (size_t i = n > MOST ? n - MOST : 0; i < n; i++) {
        event_lines(&events[i], COLUMNS, &lines);
        for (char *line = lines.data, *next; line; line = next) {
            next = strchr(line, '\n');
            if (next)
                *next++ = 0;
            if (line == lines.data)
                printf("epoch %-4lld ", (long long)events[i].epoch);
            else
                fputs("           ", stdout);
            text_print(TEXT_PLAIN, line);
            putchar('\n');
        }
    }
    str_release(&lines);
}

static json_t *events_json(const struct run_event *events, size_t n)
{
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *event = js_parse(events[i].json, strlen(events[i].json), "event", JS_STRICT, NULL);
        json_array_append_new(all,
                              json_pack("{s:I, s:I, s:o, s:o*}", "epoch", (json_int_t)events[i].epoch, "step",
                                        (json_int_t)events[i].step, "time", js_number(events[i].time), "event", event));
    }
    return all;
}

bool cli_show(struct cli *cli, struct err *err)
{
    struct index *index = text_open_index(cli->home, err);
    struct arena arena = {0};
    const struct run_summary *run = index ? index_find(index, cli->arguments[0], &arena, err) : NULL;
    const struct run_event *events;
    size_t n_events;
    bool ok = run && index_events(index, run->id, &arena, &events, &n_events, err);
    if (ok) {
        char *home = realpath(cli->home, NULL), *folder = path_join(home ? home : cli->home, run->folder);
        struct err why = {0};
        json_t *config = run_read_config(folder, &why); /* damage is the run's error, told already */
        if (cli->json) {
            json_t *json = text_run_json(run);
            json_object_set_new(json, "config", config ? json_incref(config) : json_null());
            json_object_set_new(json, "error", js_text_value(run->error ? run->error : config ? NULL : why.text));
            json_object_set_new(json, "note", js_text_value(run->note));
            json_object_set_new(json, "dir", js_text_value(folder));
            json_object_set_new(json, "events", events_json(events, n_events));
            cli_print_json(json);
        } else {
            print_facts(run, folder);
            print_pictures(run, folder);
            print_metrics(run);
            if (config)
                print_config(config);
            print_events(events, n_events);
        }
        json_decref(config);
        free(folder);
        free(home);
    }
    arena_release(&arena);
    index_close(index);
    return ok;
}
