/* settings.h - what a person sets once and keeps: one table of names with kind, default and help.
 *
 *   <home>/settings.json                        for everybody who uses this home; wins over
 *   $XDG_CONFIG_HOME/antler/settings.json       one's own (without the variable: ~/.config/antler/settings.json)
 *
 * A file is one JSON object with the names of the table as its keys: {"queue.slots": 2, "notify.bell": true}. A missing
 * file sets nothing. What cannot hold - an unknown key, which another version may know; a wrong value; a file that is
 * no JSON - is left out and named with its file, what was found and the nearest name; all the rest holds.
 *
 * A setting that is `personal` is a command that will be run. It is taken from one's own file only: a home is a folder
 * that is copied, unpacked and shared, and looking at it must never run what a stranger wrote there.
 *
 *     json_t *problems = json_array(), *settings = settings_read(home, problems);
 *     int64_t slots = js_int(settings, "queue.slots", 1);
 */
#ifndef PERSISTENCE_CONFIG_SETTINGS_H
#define PERSISTENCE_CONFIG_SETTINGS_H

#include "base/json.h"

enum setting_kind { SETTING_BOOL, SETTING_INT, SETTING_CHOICE, SETTING_TEXT };

struct setting {
    const char *name; /* "queue.slots" */
    enum setting_kind kind;
    const char *otherwise; /* the default as JSON text; "null": not set */
    int64_t min, max;      /* of an int */
    const char *choices;   /* "off|osc9|osc777" */
    bool personal;
    const char *help;
};
extern const struct setting settings_table[]; /* ends with a row without a name */

/* Every name of the table with the value that holds, defaults included. home NULL: one's own and the defaults. What was
 * left out is added to the array `problems` (may be NULL) as texts. New reference. */
json_t *settings_read(const char *home, json_t *problems);
/* Is the value one that the setting takes? ERR_USAGE names `where`. An unknown name is ERR_USAGE with the nearest. */
bool settings_check(const char *name, const json_t *value, const char *where, struct err *err) MUST_USE;
/* Sets one in the home's file, or in one's own (`own`, and always where the setting is personal); value NULL takes it
 * out of the file, even where it is no setting. What else the file holds stays in it; one that is no JSON object is
 * left as it is (ERR_USAGE). Durable; readers see the old file or the new one. */
bool settings_put(const char *home, bool own, const char *name, const json_t *value, struct err *err) MUST_USE;
/* The two files. free() it; the second is NULL where neither $XDG_CONFIG_HOME nor $HOME is set. */
char *settings_home_path(const char *home);
char *settings_own_path(void);

#endif
