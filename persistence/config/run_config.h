/* run_config.h - the config of a run: JSON or YAML, checked against ONE table of keys that also prints `antler check
 * --help` and docs/config.md.
 *
 * Classes and their arguments (layers, losses, ...) are not known here: the worker checks those against its own tables.
 * Every unknown key names its place and the nearest known one. Paths stay relative to the config file; the resolved
 * config keeps "folder".
 *
 *     json_t *config = config_read("digits.json", err);
 *     if (!config || !config_set(config, "fit.epochs=5", err) || !config_check(config, "'digits.json'", err)) ...
 *     config_resolve(config, "/home/me/experiments");
 */
#ifndef PERSISTENCE_CONFIG_RUN_CONFIG_H
#define PERSISTENCE_CONFIG_RUN_CONFIG_H

#include "base/json.h"

/* The main type of a value: what a form edits. The full set of allowed types is the text in config_key.types. */
enum config_type { CONFIG_STRING, CONFIG_INT, CONFIG_NUMBER, CONFIG_BOOL, CONFIG_OBJECT, CONFIG_LIST, CONFIG_ANY };
struct config_key {
    const char *path; /* "fit.batch_size"; "data[csv].delimiter" belongs to one format, "data[].scale" to all of them;
                         "callbacks[].class" to every entry of a list */
    enum config_type type; /* alternatives joined in `types` text */
    const char *types;     /* "string or list of strings"; checked word for word. null is allowed where it says so */
    const char *initial;   /* default as JSON text, NULL = none */
    const char *help;
    bool required;
    double min, max;     /* of a number; both 0 = unchecked */
    const char *choices; /* of a string, separated by '|'; NULL = any */
};
/* In the order of the documentation: a key stands directly behind its parent or the parent's other keys. */
const struct config_key *config_keys(size_t *n);

/* Reads JSON or YAML (by content, suffix only as a hint). New reference, always an object. YAML has no tags, anchors
 * are expanded up to a bound (200,000 values), plain yes, no, on and off are strings, 1e-3 is a number. A missing or
 * unreadable file and every error of syntax is ERR_USAGE with line and column. */
json_t *config_read(const char *path, struct err *err);
/* The YAML half of config_read on text in memory; `name` is how messages call it. */
json_t *config_parse_yaml(const char *text, size_t length, const char *name, struct err *err);
/* "compile.optimizer.learning_rate=0.01": the value is JSON, or a string when it does not parse. A class named by a
 * mere word ("adam") becomes an object when an argument is given to it. */
bool config_set(json_t *config, const char *assignment, struct err *err) MUST_USE;
/* Keys, types, required ones; `where` names the file. ERR_USAGE. */
bool config_check(const json_t *config, const char *where, struct err *err) MUST_USE;
/* The same for a data object that stands alone (overrides of evaluate); `where` comes in front, places start with
 * "data". */
bool config_check_data(const json_t *data, const char *where, struct err *err) MUST_USE;
/* data.validation or data.test (`part`) with the keys it takes over from data itself: all of them, or only those that
 * every format has when it names another format. New reference; NULL when data has no such part. */
json_t *config_data_part(const json_t *data, const char *part);
/* Fills in the defaults of the table (not those of classes) and "folder" (absolute). A default of null is not written.
 */
void config_resolve(json_t *config, const char *folder);
/* docs/config.md and the text of check --help. */
void config_write_docs(struct str *out, bool markdown);

#endif
