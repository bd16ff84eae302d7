/* config_list.h - the configs one may start from: files here, files in ./configs, those of recent runs, and the
 * examples that came with antler.
 *
 * A file that cannot be read as JSON or YAML is listed with its error; JSON that is no config (has neither data nor
 * model) is not listed.
 */
#ifndef TUI_FORM_CONFIG_LIST_H
#define TUI_FORM_CONFIG_LIST_H

#include "base/arena.h"
#include "persistence/index/index.h"

enum config_from { FROM_HERE, FROM_CONFIGS, FROM_RUN, FROM_EXAMPLES };
const char *config_from_name(enum config_from from); /* "here", "configs/", "run", "example" */

struct config_entry {
    enum config_from from;
    const char *path;                       /* of the file, as one would type it; the id of a run */
    const char *name, *description, *error; /* description, error: "" when there is none */
    char data[64], model[64];               /* "csv digits.csv.gz", "2 layers, Adam" */
};
struct config_list {
    struct arena arena;
    struct config_entry *entries;
    size_t n, capacity;
};

/* Reads them all: some milliseconds. runs: newest first; a config that a newer run has too is left out. */
void config_list_load(struct config_list *list, const char *home, const struct run_summary *runs, size_t n_runs);
void config_list_release(struct config_list *list);

#endif
