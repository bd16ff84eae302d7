/* vitals.c - see vitals.h */
#include "base/io.h"
#include "base/log.h"
#include "engine/worker/vitals.h"
#include "persistence/index/system_log.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const int64_t INTERVAL_NS = 1000000000;
static const double MB = 1048576;

struct vitals_meter {
    char *folder;
    int64_t batch_size;
    struct system_writer *log; /* opened with the first point */
    bool gave_up;
    int64_t at_ns, cpu_ns, step; /* at the last measurement */
    double machine_busy;         /* ticks of all processes */
};

struct vitals_meter *vitals_new(const char *run_folder, int64_t batch_size)
{
    struct vitals_meter *meter = xcalloc(1, sizeof *meter);
    *meter = (struct vitals_meter){.folder = xstrdup(run_folder), .batch_size = batch_size};
    return meter;
}

void vitals_free(struct vitals_meter *meter)
{
    if (!meter)
        return;
    system_close_writer(meter->log);
    free(meter->folder);
    free(meter);
}

/* The beginning of a small file of /proc; "" when it cannot be read. */
static void read_start(const char *path, char *text, size_t size)
{
    int fd = io->open(path, O_RDONLY, 0);
    ssize_t n = fd < 0 ? 0 : io->read(fd, text, size - 1);
    text[n > 0 ? n : 0] = 0;
    if (fd >= 0)
        io->close(fd);
}

static int64_t resident_bytes(void)
{
    char text[128];
    long long pages = 0;
    read_start("/proc/self/statm", text, sizeof text);
    return sscanf(text, "%*s %lld", &pages) == 1 ? pages * (int64_t)sysconf(_SC_PAGESIZE) : 0;
}

static int64_t process_cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000000) +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * INT64_C(1000);
}

/* user, nice, system, irq, softirq and steal of all cores, in ticks; NaN. */
static double machine_busy(void)
{
    char text[256];
    double t[8] = {0};
    read_start("/proc/stat", text, sizeof text);
    int n = sscanf(text, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]);
    return n >= 4 ? t[0] + t[1] + t[2] + t[5] + t[6] + t[7] : NAN;
}

static double machine_memory_mb(void)
{
    char text[512];
    double total = NAN, available = NAN;
    read_start("/proc/meminfo", text, sizeof text);
    const char *a = strstr(text, "MemTotal:"), *b = strstr(text, "MemAvailable:");
    if (!a || !b || sscanf(a, "MemTotal: %lf", &total) != 1 || sscanf(b, "MemAvailable: %lf", &available) != 1)
        return NAN;
    return (total - available) / 1024;
}

static void record(struct vitals_meter *meter, const struct system_point *point)
{
    struct err err = {0};
    if (!meter->log && !meter->gave_up)
        meter->log = system_open_writer(meter->folder, &err);
    if (meter->gave_up || (meter->log && system_add(meter->log, point, &err)))
        return;
    meter->gave_up = true;
    log_warn("what the machine does is not recorded any more: %s", err.text);
}

void vitals_measure(struct vitals_meter *meter, struct fit_vitals *vitals)
{
    int64_t now = io->monotonic_ns();
    if (now - meter->at_ns < INTERVAL_NS)
        return;
    struct run_live live = {0};
    bool known = run_live_read(meter->folder, &live);
    int64_t cpu = process_cpu_ns(), resident = resident_bytes();
    double busy = machine_busy(), seconds = (double)(now - meter->at_ns) / 1e9;
    atomic_store(&vitals->resident_bytes, resident);
    if (meter->at_ns) {
        atomic_store(&vitals->cpu_share_percent, (cpu - meter->cpu_ns) * 100 / (now - meter->at_ns));
        struct system_point point = {.epoch = live.epoch, .step = live.step, .time = io_wall_seconds()};
        point.value[SYSTEM_CPU] = (double)(cpu - meter->cpu_ns) / (double)(now - meter->at_ns) * 100;
        point.value[SYSTEM_MEMORY] = (double)resident / MB;
        point.value[SYSTEM_SAMPLES] = (double)((live.step - meter->step) * meter->batch_size) / seconds;
        point.value[SYSTEM_MACHINE_CPU] = (busy - meter->machine_busy) / (double)sysconf(_SC_CLK_TCK) / seconds * 100;
        point.value[SYSTEM_MACHINE_MEMORY] = machine_memory_mb();
        if (known && live.step >= meter->step)
            record(meter, &point);
    }
    meter->at_ns = now;
    meter->cpu_ns = cpu;
    meter->step = live.step;
    meter->machine_busy = busy;
}
