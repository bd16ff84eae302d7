/* snapshot.c - see snapshot.h */
#include "engine/train/snapshot.h"
#include "base/io.h"
#include "engine/train/weights.h"

#include <stdlib.h>
#include <string.h>

bool snapshot_is_large(const struct session *session)
{
    return session->backend->host_memory && weights_host_bytes(session) > SNAPSHOT_BYTES;
}

struct snapshot *snapshot_new(const struct snapshot_request *request, json_t *config, char **slots, int n_slots)
{
    struct snapshot *s = xcalloc(1, sizeof *s);
    s->request = *request;
    s->config = config;
    s->n_slots = n_slots;
    s->slots = xcalloc((size_t)n_slots + 1, sizeof *s->slots);
    memcpy(s->slots, slots, (size_t)n_slots * sizeof *s->slots);
    return s;
}

void snapshot_free(struct snapshot *s)
{
    for (int k = 0; s->owns_slots && k < s->n_slots; k++)
        free(s->slots[k]);
    atomic_file_abort(&s->file);
    free(s->slots);
    free(s->host);
    json_decref(s->config);
    json_decref(s->request.state);
    json_decref(s->request.metrics);
    free(s);
}

bool snapshot_copy(struct snapshot *s, struct session *session, char *spare, struct err *err)
{
    size_t slot_bytes = weights_model_bytes(session);
    char **lent = s->slots;
    s->slots = xcalloc((size_t)s->n_slots + 1, sizeof *s->slots);
    s->owns_slots = true;
    s->host = spare ? spare : io_allocate(weights_host_bytes(session), "a copy of the weights for a checkpoint", err);
    bool ok = s->host != NULL;
    for (int k = 0; ok && k < s->n_slots; k++) {
        if (!lent[k])
            continue;
        s->slots[k] = io_allocate(slot_bytes, "a copy of the best weights for a checkpoint", err);
        if ((ok = s->slots[k] != NULL))
            memcpy(s->slots[k], lent[k], slot_bytes);
    }
    if (ok)
        weights_download(session, s->host);
    free(lent);
    return ok && session_works(session, err);
}

/* Appends the kept weights behind the model's own: the model's variables again, under antler/slot_<s>/. */
static size_t describe_slots(const struct snapshot *s, const struct session *session, struct arena *arena,
                             struct weight *weights)
{
    size_t n = 0, n_model = (size_t)weights_n_model(session);
    struct weight *all = arena_array(arena, (size_t)session->n_saved + 1, sizeof *all);
    for (int k = 0; k < s->n_slots; k++) {
        if (!s->slots[k])
            continue;
        weights_describe(session, s->slots[k], all);
        for (size_t i = 0; i < n_model; i++) {
            weights[n] = all[i];
            weights[n++].path = arena_printf(arena, "antler/slot_%d/%zu", k, i);
        }
    }
    return n;
}

bool snapshot_write(struct snapshot *s, const struct session *session, const char *path, struct err *err)
{
    struct arena arena = {0};
    size_t n_saved = (size_t)session->n_saved, n_slots = (size_t)s->n_slots * (size_t)weights_n_model(session);
    struct weight *weights = arena_array(&arena, n_saved + n_slots + 1, sizeof *weights);
    if (s->host)
        weights_describe(session, s->host, weights);
    else
        weights_describe_live(session, weights);
    size_t n = n_saved + (s->request.weights_only ? 0 : describe_slots(s, session, &arena, weights + n_saved));
    json_t *metadata = s->request.weights_only ? NULL : json_pack("{s:O}", "antler", s->request.state);
    const struct model_parts parts = {.config = s->config,
                                      .metadata = metadata,
                                      .weights = weights,
                                      .n_weights = n,
                                      .groups = session->model->groups,
                                      .n_groups = (size_t)session->model->n_groups};
    s->file = keras_file_begin(path, &parts, err);
    json_decref(metadata);
    arena_release(&arena);
    return s->file != NULL;
}
