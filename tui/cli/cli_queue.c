/* cli_queue.c - antler queue: what trains and what waits for a place, and changes to that. */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/config/run_config.h"
#include "persistence/config/settings.h"
#include "persistence/runs/run_queue.h"
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_request.h"
#include "tui/client/cli_text.h"
#include "tui/client/queue_plan.h"
#include "tui/client/worker_client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what there is ---- */

static json_t *item_json(const struct queue_item *item)
{
    json_t *json =
        json_pack("{s:o,s:o,s:s,s:s,s:I,s:I}", "run", js_text_value(item->run->id), "name",
                  js_text_value(item->run->name), "state", run_state_name(item->run->state), "device", item->device,
                  "epoch", (json_int_t)item->run->epoch, "epochs", (json_int_t)item->run->epochs);
    if (item->waits) {
        json_object_set_new(json, "place", json_integer(item->place));
        json_object_set_new(json, "starts_in_s", isfinite(item->starts_s) ? json_real(item->starts_s) : json_null());
    }
    json_object_set_new(json, item->waits ? "takes_s" : "left_s",
                        isfinite(item->left_s) ? json_real(item->left_s) : json_null());
    return json;
}

static void print_json(const struct queue_plan *plan)
{
    json_t *running = json_array(), *waiting = json_array();
    for (size_t i = 0; i < plan->n; i++)
        json_array_append_new(plan->items[i].waits ? waiting : running, item_json(&plan->items[i]));
    cli_print_json(json_pack("{s:b,s:I,s:o,s:o}", "held", plan->held, "slots", (json_int_t)plan->slots, "running",
                             running, "waiting", waiting));
}

static void add_row(struct text_table *table, const struct queue_item *item, bool held)
{
    char place[16] = "", epoch[64];
    if (item->waits)
        snprintf(place, sizeof place, "%d", item->place);
    snprintf(epoch, sizeof epoch, "%lld/%lld", (long long)item->run->epoch, (long long)item->run->epochs);
    text_table_row(table);
    text_table_cell(table, TEXT_PLAIN, place);
    text_table_cell(table, TEXT_BOLD, item->run->name);
    text_table_cell(table, text_state_style(item->run->state),
                    item->waits                      ? "waits"
                    : item->run->state == RUN_QUEUED ? "starting"
                                                     : run_state_name(item->run->state));
    text_table_cell(table, TEXT_PLAIN, epoch);
    text_table_cell(table, TEXT_PLAIN, item->device);
    text_table_cell(table, TEXT_PLAIN, text_duration(item->left_s).text);
    text_table_cell(table, TEXT_PLAIN, !item->waits ? "" : held ? "held" : text_duration(item->starts_s).text);
    text_table_cell(table, TEXT_DIM, item->run->id);
}

static void print_table(const struct queue_plan *plan)
{
    static const struct text_column columns[] = {{"", true},          {"name", false},   {"state", false},
                                                 {"epoch", true},     {"device", false}, {"time left", true},
                                                 {"starts in", true}, {"run", false}};
    struct text_table table = {0};
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
        text_table_column(&table, columns[c].title, columns[c].right);
    for (size_t i = 0; i < plan->n; i++)
        add_row(&table, &plan->items[i], plan->held);
    if (plan->n)
        text_table_print(&table);
    else
        puts("nothing trains and nothing waits (antler train CONFIG --queue)");
    text_table_release(&table);
    if (plan->held)
        puts("the queue is held: nothing starts by itself until antler queue release");
}

static bool list(struct cli *cli, struct err *err)
{
    struct index *index = text_open_index(cli->home, err);
    struct arena arena = {0};
    const struct run_summary *runs;
    size_t n, n_queued = 0;
    bool ok = index && index_list(index, "", NULL, &arena, &runs, &n, err);
    const char **queued = ok ? arena_array(&arena, n + 1, sizeof *queued) : NULL;
    for (size_t i = 0; ok && i < n; i++)
        if (runs[i].state == RUN_QUEUED)
            queued[n_queued++] = runs[i].id;
    if (ok && n_queued) /* one that is in no order is put there */
        worker_start_waiting(cli->home, queued, n_queued, NULL);
    ok = ok && index_refresh(index, NULL, err) && index_list(index, "", NULL, &arena, &runs, &n, err);
    if (ok) {
        struct queue_plan plan;
        queue_plan_make(&plan, cli->home, runs, n);
        json_decref(cli_settings_said(cli->home));
        if (cli->json)
            print_json(&plan);
        else
            print_table(&plan);
        queue_plan_release(&plan);
    }
    arena_release(&arena);
    index_close(index);
    return ok;
}

/* ---- changes ---- */

/* Several runs of one name are told apart by a number. */
static void number_name(const struct cli *cli, json_t *request, size_t number)
{
    const char *name = cli_option(cli, "--name");
    if (!name || cli->n_arguments <= 2)
        return;
    char *numbered = xprintf("%s-%zu", name, number);
    json_object_set_new(request, "name", json_string(numbered));
    free(numbered);
}

static bool add_one(struct cli *cli, size_t number, json_t *added, struct err *err)
{
    const char *path = cli->arguments[number];
    char *folder = NULL;
    json_t *config = cli_read_config(cli, path, &folder, err), *request = config ? cli_request(cli, err) : NULL,
           *queued = NULL;
    if (request) {
        json_object_set(request, "config", config);
        json_object_set_new(request, "folder", json_string(folder));
        json_object_set_new(request, "where", json_string(path));
        number_name(cli, request, number);
        queued = worker_enqueue("train", request, err);
    }
    if (queued && cli->json)
        json_array_append_new(added, json_string(js_string(queued, "run", "")));
    else if (queued)
        puts(js_string(queued, "run", ""));
    if (queued)
        cli_print_notes(json_object_get(queued, "notes"));
    bool ok = queued != NULL;
    json_decref(queued);
    json_decref(request);
    json_decref(config);
    free(folder);
    return ok;
}

static bool add(struct cli *cli, struct err *err)
{
    json_t *added = json_array();
    bool ok = true;
    for (size_t a = 1; ok && a < cli->n_arguments; a++)
        ok = add_one(cli, a, added, err);
    if (cli->json)
        cli_print_json(json_pack("{s:O}", "added", added));
    json_decref(added);
    return ok;
}

/* "up", "down", "first", "last", or a number from 1. */
static bool parse_place(const char *home, const char *id, const char *text, size_t *place, struct err *err)
{
    struct queue queue;
    size_t at = 0;
    int64_t number;
    queue_read(home, &queue);
    while (at < queue.n && strcmp(queue.waiting[at], id) != 0)
        at++;
    size_t last = queue.n ? queue.n - 1 : 0;
    queue_release(&queue);
    if (!strcmp(text, "first"))
        *place = 0;
    else if (!strcmp(text, "last"))
        *place = last;
    else if (!strcmp(text, "up"))
        *place = at ? at - 1 : 0;
    else if (!strcmp(text, "down"))
        *place = at + 1;
    else if (str_to_int64(text, &number) && number >= 1)
        *place = (size_t)number - 1;
    else
        return err_set(err, ERR_USAGE, "'%s': expected a place from 1, up, down, first or last", text);
    return true;
}

static bool move(struct cli *cli, const char *id, const char *folder, struct err *err)
{
    size_t place = 0;
    (void)folder;
    return parse_place(cli->home, id, cli->arguments[2], &place, err) && queue_move(cli->home, id, place, err);
}

static bool start(struct cli *cli, const char *id, const char *folder, struct err *err)
{
    (void)folder;
    char *program = worker_program(err);
    bool ok = program && queue_start(cli->home, program, id, err);
    free(program);
    return ok;
}

static bool edit(struct cli *cli, const char *id, const char *folder, struct err *err)
{
    if (!cli_option(cli, "--set"))
        return err_set(err, ERR_USAGE, "antler queue edit needs --set KEY=VALUE");
    char *where = xprintf("the config of %s", id);
    json_t *config = run_read_config(folder, err);
    bool ok = config && cli_apply_sets(cli, config, err) && config_check(config, where, err) &&
              queue_edit(cli->home, id, config, err);
    json_decref(config);
    free(where);
    return ok;
}

static bool take_out(struct cli *cli, const char *id, const char *folder, struct err *err)
{
    (void)folder;
    return queue_remove(cli->home, id, err);
}

static bool hold(struct cli *cli, struct err *err)
{
    return queue_hold(cli->home, true, err);
}

static bool release(struct cli *cli, struct err *err)
{
    if (!queue_hold(cli->home, false, err))
        return false;
    worker_start_waiting(cli->home, NULL, 0, NULL);
    return true;
}

/* One row a word: of the whole queue, or of each of its runs. */
static const struct verb {
    const char *word, *takes;
    size_t least, most;
    bool (*whole)(struct cli *cli, struct err *err);
    bool (*one)(struct cli *cli, const char *id, const char *folder, struct err *err);
    bool each;           /* every argument is a run */
    const char *options; /* those that mean something to it, besides --slots, --json and --home */
} verbs[] = {{"list", "", 0, 0, list, NULL, false, ""},
             {"add", "CONFIG...", 1, SIZE_MAX, add, NULL, false, "--set --name --tag --device --threads"},
             {"move", "RUN PLACE", 2, 2, NULL, move, false, ""},
             {"start", "RUN", 1, 1, NULL, start, false, ""},
             {"edit", "RUN --set KEY=VALUE", 1, 1, NULL, edit, false, "--set"},
             {"remove", "RUN...", 1, SIZE_MAX, NULL, take_out, true, ""},
             {"hold", "", 0, 0, hold, NULL, false, ""},
             {"release", "", 0, 0, release, NULL, false, ""}};
enum { N_VERBS = sizeof verbs / sizeof *verbs };

static const struct verb *find_verb(const char *word, struct err *err)
{
    const char *names[N_VERBS];
    for (size_t i = 0; i < N_VERBS; i++) {
        names[i] = verbs[i].word;
        if (!strcmp(verbs[i].word, word))
            return &verbs[i];
    }
    err_set(err, ERR_USAGE, "antler queue: '%s' is unknown", word);
    err_nearest(err, str_nearest(word, names, N_VERBS));
    return NULL;
}

static bool check_options(const struct cli *cli, const struct verb *verb, struct err *err)
{
    static const char *const some[] = {"--set", "--name", "--tag", "--device", "--threads"};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        if (cli_option(cli, some[i]) && !strstr(verb->options, some[i]))
            return err_set(err, ERR_USAGE, "antler queue %s takes no %s", verb->word, some[i]);
    return true;
}

static bool change_runs(struct cli *cli, const struct verb *verb, struct err *err)
{
    bool ok = true;
    for (size_t a = 1; ok && a < (verb->each ? cli->n_arguments : 2); a++) {
        char *folder = cli_find_run(cli, cli->arguments[a], err);
        ok = folder && verb->one(cli, path_name(folder), folder, err);
        free(folder);
    }
    return ok && (!cli->json || list(cli, err));
}

static bool set_slots(struct cli *cli, struct err *err)
{
    double slots = 0;
    if (!cli_number(cli, "--slots", 1, QUEUE_MAX_SLOTS, &slots, err))
        return false;
    if (!cli_option(cli, "--slots"))
        return true;
    json_t *value = json_integer((json_int_t)slots);
    bool ok = settings_put(cli->home, false, "queue.slots", value, err);
    json_decref(value);
    return ok;
}

bool cli_queue(struct cli *cli, struct err *err)
{
    const struct verb *verb = find_verb(cli->n_arguments ? cli->arguments[0] : "list", err);
    size_t n = cli->n_arguments ? cli->n_arguments - 1 : 0;
    if (!verb)
        return false;
    if (n < verb->least || n > verb->most)
        return err_set(err, ERR_USAGE, "antler queue %s takes %s", verb->word, *verb->takes ? verb->takes : "nothing");
    if (!check_options(cli, verb, err) || !set_slots(cli, err))
        return false;
    if (verb->one)
        return change_runs(cli, verb, err);
    bool listed = verb->whole == list || verb->whole == add;
    return verb->whole(cli, err) && (listed || !cli->json || list(cli, err));
}
