/* source_aside.h - a source is copied in a thread of its own, while the caller takes what was copied already out of the
 * run folder. They share nothing but its files: until the thread is done, nobody else touches the copy.
 *
 *     struct source_aside *aside = source_aside_begin(&copy);
 *     while ((found = source_aside_wait(&aside, deadline, &err)) == SOURCE_AT_WORK)
 *         index_refresh(...);
 */
#ifndef PERSISTENCE_SOURCES_SOURCE_ASIDE_H
#define PERSISTENCE_SOURCES_SOURCE_ASIDE_H

#include "persistence/sources/source_copy.h"

enum { SOURCE_AT_WORK = 2 };

struct source_aside;
/* The copy stays where it is in memory until the end. NULL: there is no thread to be had; nothing has begun. */
struct source_aside *source_aside_begin(struct source_copy *copy);
/* Until it is done or the deadline (io_monotonic_seconds) has passed: SOURCE_AT_WORK, or what source_copy_some says at
 * the end of what is there (0, -1 and err); then *aside is NULL. */
int source_aside_wait(struct source_aside **aside, double deadline, struct err *err);
/* Ends it where it is; NULL is fine. */
void source_aside_end(struct source_aside **aside);

#endif
