/* index_events.c - reads what happened to a run. */
#include "persistence/index/index_internal.h"

#include <stdlib.h>
#include <string.h>

struct events_call {
    const char *run_id;
    struct arena *arena;
    const struct run_event **events;
    size_t *n;
};

static bool read_events(struct index *index, void *context, struct err *err)
{
    struct events_call *call = context;
    int64_t run_id = index_run_id(index, call->run_id, err);
    if (run_id <= 0)
        return run_id < 0 ? false : err_set(err, ERR_NOT_FOUND, "there is no run '%s'", call->run_id);
    sqlite3_stmt *statement =
        index_query(index, err, "SELECT epoch, step, time, json FROM event WHERE run=? ORDER BY ordinal", "i", run_id);
    struct run_event *events = NULL;
    size_t capacity = 0, n = 0;
    int found = -1;
    while (statement && (found = index_step(index, statement, err)) == 1) {
        const char *json = index_text(statement, 3, call->arena);
        events = xgrow(events, &capacity, n + 1, sizeof *events);
        events[n++] = (struct run_event){.epoch = sqlite3_column_int64(statement, 0),
                                         .step = sqlite3_column_int64(statement, 1),
                                         .time = index_real(statement, 2),
                                         .json = json ? json : "{}"};
    }
    *call->events = arena_copy(call->arena, events, n, sizeof *events);
    *call->n = n;
    free(events);
    return found == 0;
}

bool index_events(struct index *index, const char *run_id, struct arena *arena, const struct run_event **events,
                  size_t *n, struct err *err)
{
    struct events_call call = {run_id, arena, events, n};
    return index_guarded(index_of_run(index, run_id), read_events, &call, err);
}
