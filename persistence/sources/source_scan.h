/* source_scan.h - which histories lie in a folder and below it.
 *
 *     struct source_list list = {0};
 *     if (!source_scan(path, &list, err)) ...    a file or a folder; for several paths, and again later
 *     list.found[i].path, .name, .source
 *     source_list_release(&list);
 *
 * What the files of one run are made of is found once, as the path that stands for the run. Files are looked into only
 * when their names make it likely that they are histories; hidden folders and links are not entered, a run folder of
 * antler is one run. Depth and number of entries are bounded: `cut` tells.
 */
#ifndef PERSISTENCE_SOURCES_SOURCE_SCAN_H
#define PERSISTENCE_SOURCES_SOURCE_SCAN_H

#include "base/name_table.h"
#include "persistence/sources/source.h"

struct source_found {
    const char *path, *name; /* name: the path below the folder that was looked through, without its ending */
    const struct source *source;
};
struct source_list {
    struct source_found *found;
    size_t n, capacity;
    struct name_table paths, names;
    size_t n_models; /* .keras and .h5 files that were passed by */
    bool cut;        /* there was more than was looked at */
    bool has_home, met_home;
    uint64_t home_device, home_inode; /* the folder that is passed by */
};

/* From now on this folder is not entered: the home, whose runs are there already. One that does not exist is fine. */
void source_list_pass_by(struct source_list *list, const char *home);
bool source_list_is_home(const struct source_list *list, const char *folder);

/* Adds those that are not in the list. ERR_NOT_FOUND when there is no such path; ERR_FORMAT when it is a file that is
 * no history. A folder without any is fine. */
bool source_scan(const char *path, struct source_list *list, struct err *err) MUST_USE;
void source_list_release(struct source_list *list);

/* By the ending of its name. */
bool source_is_model_name(const char *name);

#endif
