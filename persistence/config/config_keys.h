/* config_keys.h - looking up rows of the table of keys, for the files config_*.c. */
#ifndef PERSISTENCE_CONFIG_CONFIG_KEYS_H
#define PERSISTENCE_CONFIG_CONFIG_KEYS_H

#include "persistence/config/run_config.h"

/* The key's own name when the row belongs to `scope` ("", "fit", "data", "callbacks[]"), else NULL. format: the data
 * format whose keys count besides the common ones; "" = only those; NULL outside of data. */
const char *config_member(const struct config_key *row, const char *scope, const char *format);
/* The row of a key in a scope, or NULL. */
const struct config_key *config_find_key(const char *scope, const char *format, const char *name);

#endif
