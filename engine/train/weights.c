/* weights.c - see weights.h */
#include "engine/train/weights.h"
#include "engine/layers/arguments.h"
#include "base/io.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static void expect_from_file(struct variable *v)
{
    if (v->h5_path)
        v->from_file = true;
}

bool weights_prepare(struct session *s, struct err *err)
{
    if (!s->file || keras_file_format(s->file) == KERAS_JSON)
        return true;
    if (!model_check_weights(s->model, s->file, false, NULL, err))
        return err_prefix(err, "%s", s->file_path);
    for (int i = 0; i < s->model->n_variables; i++)
        expect_from_file(s->model->variables[i]);
    if (!s->compile || !s->compile->n_optimizer_variables || !s->wants_optimizer_state)
        return true;
    char *obstacle = optimizer_obstacle(s, s->file);
    if (obstacle)
        str_addf(&s->warnings, "optimizer state starts anew: %s (see docs/errors/missing-optimizer-state.md)\n",
                 obstacle);
    for (int i = 0; !obstacle && i < s->compile->n_optimizer_variables; i++)
        if (s->compile->optimizer_variables[i] != s->compile->learning_rate) /* the config's value is looked at first */
            expect_from_file(s->compile->optimizer_variables[i]);
    s->optimizer_loaded = !obstacle;
    free(obstacle);
    return true;
}

/* Weights on their way from a file onto the device. */
struct transfer {
    struct variable **variables; /* of each target */
    struct weight_target *targets;
    size_t n;
};

/* Straight into the device's memory where that is the host's, else through a copy. */
static bool transfer_add(struct transfer *t, struct session *s, struct variable *v, const struct weight *w,
                         struct err *err)
{
    void *to = s->backend->host_memory ? v->data : io_allocate(variable_bytes(v), v->path, err);
    t->variables[t->n] = v;
    t->targets[t->n++] = variable_target(v, w, to);
    return to != NULL;
}

static bool transfer_run(struct transfer *t, struct session *s, struct keras_file *file, bool ok, struct err *err)
{
    ok = ok && keras_file_load(file, t->targets, t->n, err);
    for (size_t i = 0; !s->backend->host_memory && i < t->n; i++) {
        if (ok)
            session_upload(s, t->variables[i], t->targets[i].to);
        free(t->targets[i].to);
    }
    return ok;
}

static bool load(struct session *s, struct keras_file *file, bool skip_mismatch, bool optimizer, struct err *err)
{
    size_t n_model = (size_t)s->model->n_variables,
           n_optimizer = optimizer ? (size_t)s->compile->n_optimizer_variables : 0;
    const struct weight **found = xcalloc(n_model + 1, sizeof *found);
    struct transfer t = {xcalloc(n_model + n_optimizer + 1, sizeof *t.variables),
                         xcalloc(n_model + n_optimizer + 1, sizeof *t.targets), 0};
    struct str skipped = {0};
    bool ok = model_find_weights(s->model, file, skip_mismatch, found, &skipped, err);
    for (size_t i = 0; ok && i < n_model; i++)
        ok = !found[i] || transfer_add(&t, s, s->model->variables[i], found[i], err);
    for (size_t i = 0; ok && i < n_optimizer; i++) {
        struct variable *v = s->compile->optimizer_variables[i];
        ok = transfer_add(&t, s, v, keras_file_find(file, v->h5_path), err);
    }
    ok = transfer_run(&t, s, file, ok, err);
    if (ok && skipped.length)
        str_addf(&s->warnings, "weights left as they were: %s\n", str_text(&skipped));
    str_release(&skipped);
    free(t.variables);
    free(t.targets);
    free(found);
    return ok;
}

bool weights_load(struct session *s, struct err *err)
{
    s->config_learning_rate = NAN;
    if (s->compile && s->compile->learning_rate)
        session_download(s, s->compile->learning_rate, &s->config_learning_rate);
    const json_t *model = json_object_get(s->config, "model");
    bool has_weights = s->file && keras_file_format(s->file) != KERAS_JSON;
    if (has_weights && !load(s, s->file, false, s->optimizer_loaded, err))
        return err_prefix(err, "%s", s->file_path);
    return !s->weights_file || load(s, s->weights_file, js_bool(model, "skip_mismatch", false), false, err) ||
           err_prefix(err, "model.weights");
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

void weights_describe_live(const struct session *session, struct weight *weights)
{
    for (int i = 0; i < session->n_saved; i++)
        weights[i] = variable_weight(session->variables[i], session->variables[i]->data);
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
