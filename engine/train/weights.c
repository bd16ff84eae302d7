/* weights.c - see weights.h */
#include "engine/train/weights.h"
#include "engine/layers/arguments.h"
#include "base/io.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool load_one(struct session *s, struct keras_file *file, struct variable *v, const struct weight *w,
                     struct err *err)
{
    void *host = io_allocate(variable_bytes(v), v->path, err);
    bool ok = host && keras_file_read(file, w, v->dtype == DTYPE_I32, v->shape.rank, v->shape.dim, host, err);
    if (ok)
        session_upload(s, v, host);
    free(host);
    return ok;
}

static bool load_model(struct session *s, struct keras_file *file, bool skip_mismatch, struct err *err)
{
    int n = s->model->n_variables;
    void **host = xcalloc((size_t)n + 1, sizeof *host);
    struct str skipped = {0};
    bool ok = true;
    for (int i = 0; ok && i < n; i++) {
        host[i] = io_allocate(variable_bytes(s->model->variables[i]), s->model->variables[i]->path, err);
        ok = host[i] != NULL;
        if (ok && skip_mismatch)
            session_download(s, s->model->variables[i], host[i]);
    }
    ok = ok && model_read_weights(s->model, file, skip_mismatch, host, &skipped, err);
    for (int i = 0; i < n; i++) {
        if (ok)
            session_upload(s, s->model->variables[i], host[i]);
        free(host[i]);
    }
    free(host);
    if (ok && skipped.length)
        str_addf(&s->warnings, "weights left as they were: %s\n", str_text(&skipped));
    str_release(&skipped);
    return ok;
}

/* The class of an optimizer as given: a name, our short form or an envelope. */
static const char *optimizer_class(const json_t *compile)
{
    const char *name = NULL;
    const json_t *config;
    return class_reference(json_object_get(compile, "optimizer"), &name, &config) ? name : NULL;
}

/* Why the file's optimizer state cannot be taken over; NULL when it can. free() it. */
static char *optimizer_obstacle(const struct session *s, struct keras_file *file)
{
    const char *now = optimizer_class(s->compile_config);
    const char *then = optimizer_class(json_object_get(keras_file_config(file), "compile_config"));
    if (now && then && !class_name_equal(now, then))
        return xprintf("the file was trained with %s, this run uses %s", then, now);
    size_t n_file = 0, n;
    const struct weight *weights = keras_file_weights(file, &n);
    for (size_t i = 0; i < n; i++)
        n_file += str_starts(weights[i].path, "optimizer/vars/");
    if (!n_file)
        return xstrdup("the file has none");
    int wanted = s->compile->n_optimizer_variables;
    if ((size_t)wanted != n_file)
        return xprintf("the file has %zu optimizer variables, %s wants %d", n_file, now ? now : "the optimizer",
                       wanted);
    for (int i = 0; i < wanted; i++) {
        const struct variable *v = s->compile->optimizer_variables[i];
        const struct weight *w = keras_file_find(file, v->h5_path);
        if (!w || !variable_fits(v, w))
            return xprintf("'%s' does not fit '%s'", v->h5_path, v->path);
    }
    return NULL;
}

static bool load_optimizer(struct session *s, struct keras_file *file, struct err *err)
{
    char *obstacle = optimizer_obstacle(s, file);
    if (obstacle) {
        str_addf(&s->warnings, "optimizer state starts anew: %s (see docs/errors/missing-optimizer-state.md)\n",
                 obstacle);
        free(obstacle);
        return true;
    }
    for (int i = 0; i < s->compile->n_optimizer_variables; i++) {
        struct variable *v = s->compile->optimizer_variables[i];
        if (!load_one(s, file, v, keras_file_find(file, v->h5_path), err))
            return false;
    }
    s->optimizer_loaded = true;
    return true;
}

bool weights_load(struct session *s, struct err *err)
{
    s->config_learning_rate = NAN;
    if (s->compile && s->compile->learning_rate)
        session_download(s, s->compile->learning_rate, &s->config_learning_rate);
    const json_t *model = json_object_get(s->config, "model");
    bool has_weights = s->file && keras_file_format(s->file) != KERAS_JSON;
    if (has_weights && !load_model(s, s->file, false, err))
        return err_prefix(err, "%s", s->file_path);
    if (s->weights_file && !load_model(s, s->weights_file, js_bool(model, "skip_mismatch", false), err))
        return err_prefix(err, "model.weights");
    if (has_weights && s->compile && s->compile->n_optimizer_variables && s->wants_optimizer_state)
        return load_optimizer(s, s->file, err) || err_prefix(err, "%s", s->file_path);
    return true;
}

static size_t aligned(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

size_t weights_host_bytes(const struct session *session)
{
    size_t total = 0;
    for (int i = 0; i < session->n_saved; i++)
        total += aligned(variable_bytes(session->variables[i]));
    return total;
}

void weights_describe(const struct session *session, const char *host, struct weight *weights)
{
    for (int i = 0; i < session->n_saved; i++) {
        weights[i] = variable_weight(session->variables[i], host);
        host += aligned(variable_bytes(session->variables[i]));
    }
}

static void copy(struct session *s, int n, char *host, bool up)
{
    for (int i = 0; i < n; i++) {
        if (up)
            session_upload(s, s->variables[i], host);
        else
            session_download(s, s->variables[i], host);
        host += aligned(variable_bytes(s->variables[i]));
    }
}

void weights_download(struct session *session, char *host)
{
    copy(session, session->n_saved, host, false);
}

int weights_n_model(const struct session *session)
{
    int n = 0;
    for (int i = 0; i < session->model->n_variables; i++)
        n += session->model->variables[i]->h5_path != NULL;
    return n;
}

size_t weights_model_bytes(const struct session *session)
{
    size_t total = 0;
    for (int i = 0; i < weights_n_model(session); i++)
        total += aligned(variable_bytes(session->variables[i]));
    return total;
}

void weights_download_model(struct session *session, char *host)
{
    copy(session, weights_n_model(session), host, false);
}

void weights_upload_model(struct session *session, const char *host)
{
    copy(session, weights_n_model(session), (char *)host, true);
}
