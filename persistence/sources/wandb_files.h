/* wandb_files.h - the files of one run of Weights & Biases: those of the same id, in the order of their dates.
 *
 *   wandb/offline-run-<date>_<time>-<id>/run-<id>.wandb     and run-<date>_<time>-<id> beside it
 */
#ifndef PERSISTENCE_SOURCES_WANDB_FILES_H
#define PERSISTENCE_SOURCES_WANDB_FILES_H

#include <stddef.h>

/* All files of the run that this one belongs to, in order, at least itself; free() each and the list. */
char **wandb_files(const char *path, size_t *n);
/* The first of them; free() it. */
char *wandb_first_file(const char *path);

#endif
