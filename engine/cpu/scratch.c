/* scratch.c - see scratch.h */
#include "engine/cpu/scratch.h"
#include "base/arena.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

enum { ALIGNMENT = 64 };

static _Thread_local void *memory[SCRATCH_COUNT], *aligned[SCRATCH_COUNT];
static pthread_key_t at_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void release(void *memories)
{
    for (int i = 0; i < SCRATCH_COUNT; i++)
        free(((void **)memories)[i]);
}

static void make_key(void)
{
    pthread_key_create(&at_end, release);
}

void *thread_scratch(enum scratch which, size_t size_bytes)
{
    if (aligned[which])
        return aligned[which];
    pthread_once(&once, make_key);
    memory[which] = xcalloc(1, size_bytes + ALIGNMENT);
    aligned[which] = (void *)(((uintptr_t)memory[which] + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    pthread_setspecific(at_end, memory);
    return aligned[which];
}
