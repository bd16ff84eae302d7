/* memory.h - how much memory is left: asked before something large is taken, because Linux grants what it does not have
 * and ends whole processes later.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdint.h>

/* Bytes that could be used without swapping: the least of what the machine has (MemAvailable), what the process's
 * cgroup may still take, and what its limit on address space leaves. INT64_MAX when nothing is known. */
int64_t memory_available_bytes(void);

#endif
