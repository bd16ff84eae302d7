/* trace.c - see trace.h */
#include "engine/train/trace.h"
#include "base/arena.h"
#include "base/io.h"
#include "base/json.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct event {
    int64_t start_ns, end_ns;
    const char *name, *detail;
    int lane;
    int64_t number; /* 0 = none */
};

struct events {
    struct event *array;
    size_t capacity, n, max;
    int64_t dropped;
};

struct trace {
    int64_t origin_ns;
    struct events kernels, spans, parts[TRACE_THREADS_MAX]; /* parts: of kernels, by thread */
    pthread_mutex_t mutex;                                  /* of the spans */
};

struct trace *trace_new(void)
{
    struct trace *trace = xcalloc(1, sizeof *trace);
    trace->origin_ns = io->monotonic_ns();
    trace->kernels.max = TRACE_EVENTS_MAX;
    for (int i = 0; i < TRACE_THREADS_MAX; i++)
        trace->parts[i].max = TRACE_PARTS_MAX;
    trace->spans.max = TRACE_SPANS_MAX;
    pthread_mutex_init(&trace->mutex, NULL);
    return trace;
}

void trace_free(struct trace *trace)
{
    if (!trace)
        return;
    pthread_mutex_destroy(&trace->mutex);
    for (int i = 0; i < TRACE_THREADS_MAX; i++)
        free(trace->parts[i].array);
    free(trace->kernels.array);
    free(trace->spans.array);
    free(trace);
}

static void add(struct events *events, const struct event *event)
{
    if (events->n == events->max) {
        events->dropped++;
        return;
    }
    events->array = xgrow(events->array, &events->capacity, events->n + 1, sizeof *events->array);
    events->array[events->n++] = *event;
}

void trace_add(struct trace *trace, const char *name, const char *detail, int64_t start_ns, int64_t end_ns)
{
    add(&trace->kernels, &(struct event){start_ns, end_ns, name, detail, TRACE_TRAINING, 0});
}

void trace_worked(void *context, int thread, int64_t start_ns, int64_t end_ns)
{
    struct trace *trace = context;
    if (thread < TRACE_THREADS_MAX)
        add(&trace->parts[thread], &(struct event){start_ns, end_ns, "part", "", TRACE_DEVICE + thread, 0});
}

void trace_span(struct trace *trace, enum trace_lane lane, const char *name, int64_t number, int64_t start_ns,
                int64_t end_ns)
{
    pthread_mutex_lock(&trace->mutex);
    add(&trace->spans, &(struct event){start_ns, end_ns, name, "", lane, number});
    pthread_mutex_unlock(&trace->mutex);
}

void trace_count(const struct trace *trace, int64_t *kept, int64_t *dropped)
{
    *kept = (int64_t)(trace->kernels.n + trace->spans.n);
    *dropped = trace->kernels.dropped + trace->spans.dropped;
    for (int i = 0; i < TRACE_THREADS_MAX; i++) {
        *kept += (int64_t)trace->parts[i].n;
        *dropped += trace->parts[i].dropped;
    }
}

/* Parts of kernels get the names of the kernels they fall into; both are in the order of time. */
static void name_parts(struct trace *trace, struct events *parts)
{
    const struct events *kernels = &trace->kernels;
    size_t k = 0;
    for (size_t i = 0; i < parts->n; i++) {
        struct event *part = &parts->array[i];
        while (k < kernels->n && kernels->array[k].end_ns <= part->start_ns)
            k++;
        if (k < kernels->n && kernels->array[k].start_ns <= part->start_ns) {
            part->name = kernels->array[k].name;
            part->detail = kernels->array[k].detail;
        }
    }
}

static void write_lane(struct str *out, int lane, const char *name)
{
    str_addf(out,
             "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":%d,\"args\":{\"name\":\"%s\"}},\n"
             "{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":1,\"tid\":%d,\"args\":{\"sort_index\":%d}},\n",
             lane, name, lane, lane);
}

static void write_text(struct str *out, const char *text)
{
    json_t *string = json_string(text);
    js_write(out, string, 0);
    json_decref(string);
}

static void write_event(struct str *out, const struct trace *trace, const struct event *e)
{
    str_addf(out, "{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"name\":", e->lane,
             (double)(e->start_ns - trace->origin_ns) / 1e3, (double)(e->end_ns - e->start_ns) / 1e3);
    if (e->number)
        str_addf(out, "\"%s %lld\"", e->name, (long long)e->number);
    else
        write_text(out, e->name);
    if (*e->detail) {
        str_add(out, ",\"args\":{\"layer\":");
        write_text(out, e->detail);
        str_add(out, "}");
    }
    str_add(out, "},\n");
}

static bool write_events(const struct trace *trace, const struct events *events, struct atomic_file *file,
                         struct err *err)
{
    struct str text = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < events->n; i++) {
        str_clear(&text);
        write_event(&text, trace, &events->array[i]);
        ok = atomic_file_write(file, str_text(&text), text.length, err);
    }
    str_release(&text);
    return ok;
}

bool trace_write(struct trace *trace, struct atomic_file *file, struct err *err)
{
    struct str head = {0}, tail = {0};
    str_add(&head, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
    write_lane(&head, TRACE_EPOCHS, "epochs");
    write_lane(&head, TRACE_TRAINING, "training");
    write_lane(&head, TRACE_CHECKPOINTS, "checkpoints");
    int64_t dropped_parts = 0;
    for (int i = 0; i < TRACE_THREADS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "thread %d", i + 1);
        if (trace->parts[i].n)
            write_lane(&head, TRACE_DEVICE + i, name);
        name_parts(trace, &trace->parts[i]);
        dropped_parts += trace->parts[i].dropped;
    }
    str_addf(&tail,
             "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":1,\"args\":{\"name\":\"antler-worker\"}}\n"
             "],\"otherData\":{\"dropped_kernels\":%lld,\"dropped_parts\":%lld,\"dropped_spans\":%lld}}\n",
             (long long)trace->kernels.dropped, (long long)dropped_parts, (long long)trace->spans.dropped);
    bool ok = atomic_file_write(file, str_text(&head), head.length, err) &&
              write_events(trace, &trace->spans, file, err) && write_events(trace, &trace->kernels, file, err);
    for (int i = 0; ok && i < TRACE_THREADS_MAX; i++)
        ok = write_events(trace, &trace->parts[i], file, err);
    ok = ok && atomic_file_write(file, str_text(&tail), tail.length, err);
    str_release(&head);
    str_release(&tail);
    return ok;
}
