/* train_request.h - what `antler train` and the screen's form share: reading a config from a file, finding those that
 * came with antler, the request that starts it, and the --set assignments that lead from one config to another.
 */
#ifndef TUI_CLIENT_TRAIN_REQUEST_H
#define TUI_CLIENT_TRAIN_REQUEST_H

#include "base/json.h"

/* Reads CONFIG; a config without a name gets that of its file. Not checked. *folder: what its paths are relative to;
 * free() it. New reference. */
json_t *train_read_config(const char *path, char **folder, struct err *err);
/* The request of the worker's job `train`. New reference. */
json_t *train_request(const char *home, json_t *config, const char *folder, const char *where);

/* The folder of the examples: <prefix>/share/antler/configs, or configs/ beside or above the folder of this program.
 * free() it; NULL: there is none. */
char *train_examples_folder(void);

/* The assignments KEY=VALUE that make `changed` of `original`, in the order of `changed`: the deepest keys that differ;
 * a class that was not there and an object that lost a key are assigned whole. Calls take for each. */
void train_assignments(const json_t *original, const json_t *changed,
                       void (*take)(void *context, const char *assignment), void *context);
/* Appends text as one word of a POSIX shell. */
void add_shell_word(struct str *out, const char *text);

#endif
