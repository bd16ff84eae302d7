/* memory.c - see memory.h */
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The number behind `key` in a file of lines "key number", or alone in the file when key is empty; -1 when there is
 * none. */
static int64_t number_in(const char *path, const char *key)
{
    char line[256];
    int64_t found = -1;
    FILE *file = fopen(path, "re");
    while (file && found < 0 && fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key)) && sscanf(line + strlen(key), " %" SCNd64, &found) != 1)
            found = -1;
    if (file)
        fclose(file);
    return found;
}

static int64_t left_of_machine(void)
{
    int64_t kib = number_in("/proc/meminfo", "MemAvailable:");
    return kib < 0 ? INT64_MAX : kib * 1024;
}

/* cgroup v2 as a container sees it. Cached file pages count as used but are given back. */
static int64_t left_of_cgroup(void)
{
    int64_t limit = number_in("/sys/fs/cgroup/memory.max", ""), used = number_in("/sys/fs/cgroup/memory.current", "");
    if (limit < 0 || used < 0)
        return INT64_MAX;
    int64_t cached = number_in("/sys/fs/cgroup/memory.stat", "inactive_file ");
    int64_t left = limit - used + (cached > 0 ? cached : 0);
    return left > 0 ? left : 0;
}

static int64_t left_of_address_space(void)
{
    struct rlimit limit;
    int64_t pages = number_in("/proc/self/statm", "");
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > INT64_MAX || pages < 0)
        return INT64_MAX;
    int64_t left = (int64_t)limit.rlim_cur - pages * sysconf(_SC_PAGESIZE);
    return left > 0 ? left : 0;
}

int64_t memory_available_bytes(void)
{
    int64_t machine = left_of_machine(), cgroup = left_of_cgroup(), space = left_of_address_space();
    int64_t least = machine < cgroup ? machine : cgroup;
    return least < space ? least : space;
}
