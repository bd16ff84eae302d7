/* config_list.c - see config_list.h */
#include "base/io.h"
#include "persistence/config/run_config.h"
#include "tui/client/train_request.h"
#include "tui/form/config_list.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_FILES = 200, MOST_RUNS = 12, MOST_BYTES = 1 << 20 };

/* The one that a person who knows nothing should try: it takes some seconds, so that there is something to watch. */
static const char *const first_examples[] = {"digits-cnn", "digits-mlp"};

const char *config_from_name(enum config_from from)
{
    static const char *const names[] = {
        [FROM_HERE] = "here", [FROM_CONFIGS] = "configs/", [FROM_RUN] = "run", [FROM_EXAMPLES] = "example"};
    return names[from];
}

static struct config_entry *add_entry(struct config_list *list, enum config_from from, const char *path,
                                      const char *name)
{
    list->entries = xgrow(list->entries, &list->capacity, list->n + 1, sizeof *list->entries);
    struct config_entry *entry = &list->entries[list->n++];
    *entry = (struct config_entry){
        .from = from, .path = arena_strdup(&list->arena, path), .name = arena_strdup(&list->arena, name)};
    entry->description = entry->error = "";
    return entry;
}

static void describe_data(struct config_entry *entry, const json_t *data)
{
    static const char *const sources[] = {"path", "name", "images", "x"};
    const char *source = NULL;
    for (size_t i = 0; !source && i < sizeof sources / sizeof *sources; i++)
        source = js_string(data, sources[i], NULL);
    snprintf(entry->data, sizeof entry->data, "%s%s%s", js_string(data, "format", ""), source ? " " : "",
             source ? path_name(source) : "");
}

static void describe_model(struct config_entry *entry, const json_t *config)
{
    const json_t *model = json_object_get(config, "model"), *layers = json_object_get(model, "layers");
    const json_t *optimizer = js_at(config, "compile.optimizer");
    const char *file = js_string(model, "file", NULL),
               *class = json_is_string(optimizer) ? json_string_value(optimizer) : js_string(optimizer, "class", "");
    if (file)
        snprintf(entry->model, sizeof entry->model, "%s, %s", path_name(file), class);
    else if (layers)
        snprintf(entry->model, sizeof entry->model, "%zu layers, %s", json_array_size(layers), class);
    else
        snprintf(entry->model, sizeof entry->model, "%s, %s", js_string(model, "class_name", ""), class);
}

static void describe(struct config_list *list, struct config_entry *entry, const json_t *config)
{
    entry->name = arena_strdup(&list->arena, js_string(config, "name", entry->name));
    entry->description = arena_strdup(&list->arena, js_string(config, "description", ""));
    describe_data(entry, json_object_get(config, "data"));
    describe_model(entry, config);
}

/* By the run's name, which tells it from others of the same config. */
static void describe_run(struct config_list *list, const struct run_summary *run, const json_t *config)
{
    struct config_entry *entry = add_entry(list, FROM_RUN, run->id, run->name);
    describe(list, entry, config);
    entry->name = arena_strdup(&list->arena, run->name);
}

static bool is_config_name(const char *name)
{
    return name[0] != '.' && (str_ends(name, ".json") || str_ends(name, ".yaml") || str_ends(name, ".yml"));
}

static void add_file(struct config_list *list, enum config_from from, const char *path)
{
    struct stat facts;
    struct err err = {0};
    char *folder = NULL;
    if (stat(path, &facts) || !S_ISREG(facts.st_mode) || facts.st_size > MOST_BYTES)
        return;
    json_t *config = train_read_config(path, &folder, &err);
    if (!config)
        add_entry(list, from, path, path_name(path))->error = arena_strdup(&list->arena, err.text);
    else if (json_object_get(config, "model") || json_object_get(config, "data"))
        describe(list, add_entry(list, from, path, path_name(path)), config);
    json_decref(config);
    free(folder);
}

static void add_folder(struct config_list *list, enum config_from from, const char *folder)
{
    char *names[MOST_FILES];
    size_t n = 0;
    DIR *dir = opendir(folder);
    const struct dirent *item;
    while (dir && n < MOST_FILES && (item = readdir(dir)))
        if (is_config_name(item->d_name))
            names[n++] = path_join(strcmp(folder, ".") ? folder : "", item->d_name);
    if (dir)
        closedir(dir);
    qsort(names, n, sizeof *names, str_order);
    for (size_t i = 0; i < n; i++) {
        add_file(list, from, names[i]);
        free(names[i]);
    }
}

/* Runs whose configs differ in more than what every run has of its own. */
static bool is_new(json_t *seen, json_t *config)
{
    const json_t *other;
    size_t i;
    json_array_foreach(seen, i, other) {
        if (js_equal(other, config))
            return false;
    }
    json_array_append(seen, config);
    return true;
}

static void add_runs(struct config_list *list, const char *home, const struct run_summary *runs, size_t n_runs)
{
    json_t *seen = json_array();
    for (size_t i = 0; i < n_runs && json_array_size(seen) < MOST_RUNS; i++) {
        struct err ignored;
        char *folder = path_join(home, runs[i].folder);
        json_t *config = runs[i].source ? NULL : run_read_config(folder, &ignored);
        if (config && json_object_get(config, "data") && is_new(seen, config))
            describe_run(list, &runs[i], config);
        json_decref(config);
        free(folder);
    }
    json_decref(seen);
}

static int rank_of(const struct config_entry *entry)
{
    int n = (int)(sizeof first_examples / sizeof *first_examples);
    for (int i = 0; i < n; i++)
        if (!strcmp(entry->name, first_examples[i]))
            return i;
    return n;
}

static int by_rank(const void *a, const void *b)
{
    const struct config_entry *x = a, *y = b;
    int by = rank_of(x) - rank_of(y);
    return by ? by : strcmp(x->path, y->path);
}

void config_list_load(struct config_list *list, const char *home, const struct run_summary *runs, size_t n_runs)
{
    config_list_release(list);
    char *examples = train_examples_folder(), *here = realpath("configs", NULL), *dot = realpath(".", NULL);
    add_folder(list, FROM_HERE, ".");
    if (here && (!examples || strcmp(here, examples) != 0))
        add_folder(list, FROM_CONFIGS, "configs");
    add_runs(list, home, runs, n_runs);
    size_t first = list->n;
    if (examples && (!dot || strcmp(dot, examples) != 0))
        add_folder(list, FROM_EXAMPLES, examples);
    if (list->n > first)
        qsort(list->entries + first, list->n - first, sizeof *list->entries, by_rank);
    free(examples);
    free(here);
    free(dot);
}

void config_list_release(struct config_list *list)
{
    arena_release(&list->arena);
    free(list->entries);
    *list = (struct config_list){0};
}
