/* run_view_tabs.c - the texts beside the checkpoints: config as a tree, layers of the model, tail of the log, events in
 * words. */
#include "base/io.h"
#include "plots/format.h"
#include "tui/app/human.h"
#include "tui/app/views.h"
#include "tui/client/run_events.h"
#include "tui/views/config_text.h"
#include "tui/views/log_tail.h"
#include "tui/views/run_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const run_tab_names[TAB_COUNT] = {"config", "layers", "log", "events", "pictures"};
enum { LOG_BYTES = 64 << 10, EVENT_COLUMNS = 76 };

static void fill_config(struct app *app, struct run_view *v, const struct run_summary *run)
{
    struct err err = {0};
    char *folder = app_run_folder(app, run);
    json_t *config = run_read_config(folder, &err);
    if (config)
        config_text(&v->text, config);
    else
        page_field(&v->text, 0, NULL, 0, STYLE_ERROR, err.text);
    json_decref(config);
    free(folder);
}

/* "8×8×16": without the batch. */
static void shape_text(const json_t *shape, char *text, size_t size)
{
    const json_t *dim;
    size_t i, used = 0;
    if (json_is_array(json_array_get(shape, 0))) /* several outputs: the first stands for them */
        shape = json_array_get(shape, 0);
    snprintf(text, size, json_array_size(shape) > 1 ? "" : "scalar");
    json_array_foreach((json_t *)shape, i, dim) {
        if (!i || used >= size)
            continue;
        used += (size_t)snprintf(text + used, size - used, i > 1 ? "×" : "");
        if (used < size && json_is_integer(dim))
            used += (size_t)snprintf(text + used, size - used, "%lld", (long long)json_integer_value(dim));
        else if (used < size)
            used += (size_t)snprintf(text + used, size - used, "?");
    }
}

static int shape_columns(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static int widest(int width, int now, int most)
{
    return now > width ? (now < most ? now : most) : width;
}

static void fill_model(struct run_view *v)
{
    const json_t *layers = json_object_get(v->model, "layers"), *layer;
    int names = 5, classes = 5, shapes = 6;
    size_t i;
    char number[40], shape[96];
    if (!json_array_size(layers))
        layers = json_object_get(v->model, "model");
    json_array_foreach((json_t *)layers, i, layer) {
        shape_text(json_object_get(layer, "output_shape"), shape, sizeof shape);
        names = widest(names, (int)strlen(js_string(layer, "name", "")), 28);
        classes = widest(classes, (int)strlen(js_string(layer, "class", "")), 24);
        shapes = widest(shapes, shape_columns(shape), 24);
    }
    page_fieldf(&v->text, 0, NULL, 0, STYLE_FAINT, "%-*s  %-*s  %9s  %s", classes, "layer", shapes, "output", "params",
                "name");
    json_array_foreach((json_t *)layers, i, layer) {
        shape_text(json_object_get(layer, "output_shape"), shape, sizeof shape);
        int64_t params = js_int(layer, "params", 0);
        page_fieldf(&v->text, 0, NULL, 0, js_bool(layer, "trainable", true) ? STYLE_TEXT : STYLE_FAINT,
                    "%-*.*s  %s%*s  %9s  %.*s", classes, classes, js_string(layer, "class", "?"), shape,
                    shapes - shape_columns(shape), "",
                    params ? format_count(number, sizeof number, params) : text_missing(), names,
                    js_string(layer, "name", "?"));
    }
    const json_t *optimizer = json_object_get(v->model, "optimizer");
    page_fieldf(&v->text, 0, "parameters", 12, STYLE_STRONG, "%s",
                format_count(number, sizeof number, js_int(v->model, "params", 0)));
    if (json_is_object(optimizer))
        page_fieldf(&v->text, 0, "optimizer", 12, STYLE_TEXT, "%s", js_string(optimizer, "class", "?"));
}

static struct run_view *find_view(struct app *app, int job)
{
    for (int i = 0; i < app->depth; i++) {
        struct run_view *v = app->stack[i].state;
        if (app->stack[i].ops == &view_run && v->model_job == job)
            return v;
    }
    return NULL;
}

static void inspected(struct app *app, struct app_job *job)
{
    struct run_view *v = find_view(app, job->number);
    if (!v)
        return;
    v->model = job->state == JOB_DONE ? json_incref(job->result) : NULL;
    snprintf(v->model_error, sizeof v->model_error, "%.250s",
             v->model                   ? ""
             : job->state == JOB_FAILED ? job->error.text
                                        : "cancelled");
    v->text_is_old = true;
    run_view_fill_tab(app, v);
}

/* The model is the same in every checkpoint of a run: the newest one that is there is asked, once. */
static void ask_for_model(struct app *app, struct run_view *v, const struct run_summary *run)
{
    const struct checkpoint_summary *newest = NULL;
    struct err err = {0};
    for (size_t i = 0; i < v->n_checkpoints; i++)
        if (!v->checkpoints[i].missing && !v->checkpoints[i].weights_only)
            newest = &v->checkpoints[i];
    if (!newest || v->model_job || v->model_error[0])
        return;
    char *folder = app_run_folder(app, run), *path = xprintf("%s/checkpoints/%s", folder, newest->name);
    char title[160];
    snprintf(title, sizeof title, "layers of %.120s", run->name);
    struct app_job *job = app_start_job(app, "inspect", json_pack("{s:s}", "file", path), title, path, inspected, &err);
    if (job)
        v->model_job = job->number;
    else
        snprintf(v->model_error, sizeof v->model_error, "%.250s", err.text);
    free(path);
    free(folder);
}

static void fill_layers(struct app *app, struct run_view *v, const struct run_summary *run)
{
    if (!v->model)
        ask_for_model(app, v, run);
    if (v->model)
        fill_model(v);
    else if (v->model_error[0])
        page_field(&v->text, 0, NULL, 0, STYLE_ERROR, v->model_error);
    else
        page_field(&v->text, 0, NULL, 0, STYLE_FAINT,
                   v->model_job ? "reading the model ..." : "known when the first checkpoint is there");
}

static void fill_log(struct app *app, struct run_view *v, const struct run_summary *run)
{
    struct arena arena = {0};
    struct err err = {0};
    const char **lines;
    size_t n;
    bool cut;
    char *folder = app_run_folder(app, run), *path = path_join(folder, "log.txt");
    if (!log_tail(path, LOG_BYTES, &arena, &lines, &n, &cut, &err))
        page_field(&v->text, 0, NULL, 0, STYLE_ERROR, err.text);
    else if (!n)
        page_field(&v->text, 0, NULL, 0, STYLE_FAINT, "nothing was printed");
    if (cut)
        page_field(&v->text, 0, NULL, 0, STYLE_FAINT, "... (6 shows all of it)");
    for (size_t i = 0; i < n; i++)
        page_field(&v->text, 0, NULL, 0, STYLE_TEXT, lines[i]);
    arena_release(&arena);
    free(path);
    free(folder);
}

/* The label stands in front of the first one. */
static void add_lines(struct page *page, const char *label, enum style style, char *lines)
{
    enum { LABEL_COLUMNS = 18 };
    for (char *line = lines, *next; line; line = next, label = "") {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        page_field(page, 0, label, LABEL_COLUMNS, style, line);
    }
}

static void fill_events(struct app *app, struct run_view *v, const struct run_summary *run)
{
    struct arena arena = {0};
    struct str lines = {0};
    struct err err = {0};
    const struct run_event *events;
    size_t n;
    if (!index_events(app->index, run->id, &arena, &events, &n, &err)) {
        page_field(&v->text, 0, NULL, 0, STYLE_ERROR, err.text);
        n = 0;
    } else if (!n) {
        page_field(&v->text, 0, NULL, 0, STYLE_FAINT, "nothing happened yet");
    }
    for (size_t i = 0; i < n; i++) {
        char label[64], since[40];
        enum style style = event_lines(&events[i], EVENT_COLUMNS, &lines);
        double at = events[i].time - run->created;
        snprintf(label, sizeof label, "%5s  epoch %-3lld",
                 at >= 0 ? format_duration(since, sizeof since, at) : text_missing(), (long long)events[i].epoch);
        add_lines(&v->text, label, style, lines.data);
    }
    str_release(&lines);
    arena_release(&arena);
}

static void fill_pictures(struct app *app, struct run_view *v, const struct run_summary *run)
{
    (void)run;
    run_pictures_refresh(app, v, true);
}

int run_view_tab_count(const struct run_view *v)
{
    return v->pictures.there ? TAB_COUNT : TAB_PICTURES;
}

void run_view_fill_tab(struct app *app, struct run_view *v)
{
    typedef void fill_function(struct app * app, struct run_view * v, const struct run_summary *run);
    static fill_function *const fill[TAB_COUNT] = {
        [TAB_CONFIG] = fill_config, [TAB_LAYERS] = fill_layers,     [TAB_LOG] = fill_log,
        [TAB_EVENTS] = fill_events, [TAB_PICTURES] = fill_pictures,
    };
    const struct run_summary *run = run_view_run(app, v);
    if (!v->text_is_old || !run)
        return;
    page_clear(&v->text);
    fill[v->tab](app, v, run);
    v->text_is_old = false;
}
