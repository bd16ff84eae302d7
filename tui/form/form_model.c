/* form_model.c - the right side of the form: what the worker found in the config: layers with their shapes, parameters,
 * memory, data, some samples. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/client/cli_text.h"
#include "tui/form/form_view.h"
#include "tui/results/sample.h"

enum { PICTURE_ROWS = 4, LEAST_PICTURE = 8 };

static void add_grouped(char *text, size_t size, long long value)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%lld", value), used = 0;
    for (int i = 0; i < n && used < (int)size - 2; i++) {
        if (i && (n - i) % 3 == 0 && digits[i - 1] != '-')
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = 0;
}

/* "8×8×16": a shape without the batch; of several outputs the first. */
static void shape_text(const json_t *shape, char *text, size_t size)
{
    size_t used = 0, from = json_is_null(json_array_get(shape, 0)) ? 1 : 0;
    if (json_is_array(json_array_get(shape, 0))) {
        shape_text(json_array_get(shape, 0), text, size);
        return;
    }
    *text = 0;
    for (size_t i = from; i < json_array_size(shape) && used < size; i++) {
        const json_t *dim = json_array_get(shape, i);
        used += (size_t)(json_is_integer(dim) ? snprintf(text + used, size - used, i > from ? "×%lld" : "%lld",
                                                         (long long)json_integer_value(dim))
                                              : snprintf(text + used, size - used, i > from ? "×?" : "?"));
    }
}

const json_t *form_view_layers(const struct form_view *v)
{
    return json_object_get(json_object_get(v->check, "model"), "layers");
}

static void draw_layer(struct grid *grid, struct rect line, const json_t *layer)
{
    char shape[64], params[32];
    int right = line.w - 1, middle = right - 9;
    shape_text(json_object_get(layer, "output_shape"), shape, sizeof shape);
    add_grouped(params, sizeof params, js_int(layer, "params", 0));
    bool has = js_int(layer, "params", 0) > 0;
    grid_text_right(grid, line, right, 0, has ? STYLE_TEXT : STYLE_FAINT, has ? params : "—");
    grid_text_right(grid, line, middle, 0, STYLE_FAINT, shape);
    int room = middle - grid_columns(grid, shape) - 2;
    grid_text(grid, rect_part(line, 0, 0, room > 0 ? room : 0, 1), 1, 0,
              js_bool(layer, "trainable", true) ? STYLE_TEXT : STYLE_FAINT, js_string(layer, "class", ""));
}

static void draw_layers(const struct form_view *v, struct grid *grid, struct rect *rest, int rows)
{
    const json_t *layers = form_view_layers(v);
    size_t n = json_array_size(layers), top = (size_t)v->model_top;
    if (n <= (size_t)rows)
        top = 0;
    else if (top + (size_t)rows > n)
        top = n - (size_t)rows;
    for (int i = 0; i < rows && top + (size_t)i < n; i++) {
        struct rect line = rect_top(rest, 1);
        bool more = i == rows - 1 && top + (size_t)rows < n;
        if (more)
            grid_textf(grid, line, 1, 0, STYLE_FAINT, "… %zu more", n - top - (size_t)i);
        else
            draw_layer(grid, line, json_array_get(layers, top + (size_t)i));
    }
}

static void draw_totals(const struct form_view *v, struct grid *grid, struct rect *rest)
{
    char params[32], trained[32];
    int64_t all = js_int(v->check, "params", 0), trainable = js_int(v->check, "trainable_params", all);
    add_grouped(params, sizeof params, all);
    add_grouped(trained, sizeof trained, trainable);
    struct rect line = rect_top(rest, 1);
    int x = 1 + grid_textf(grid, line, 1, 0, STYLE_STRONG, "%s", params);
    x += grid_text(grid, line, x, 0, STYLE_FAINT, " parameters");
    if (trainable != all && x + 10 + grid_columns(grid, trained) < line.w)
        grid_textf(grid, line, x, 0, STYLE_FAINT, ", %s trained", trained);
    grid_textf(grid, rect_top(rest, 1), 1, 0, STYLE_FAINT, "%s memory in training",
               text_size(js_int(v->check, "memory_bytes", 0)).text);
}

/* ---- data ---- */

static void draw_counts(const json_t *data, struct grid *grid, struct rect *rest)
{
    static const char *const parts[] = {"train", "validation", "test"};
    struct rect line = rect_top(rest, 1);
    int x = 1;
    for (int i = 0; i < 3; i++) {
        char count[32];
        add_grouped(count, sizeof count, js_int(data, parts[i], 0));
        if (!js_int(data, parts[i], 0))
            continue;
        x += grid_textf(grid, line, x, 0, STYLE_TEXT, "%s", count) + 1;
        x += grid_text(grid, line, x, 0, STYLE_FAINT, line.w < 36 && i == 1 ? "val" : parts[i]) + 2;
    }
    int64_t classes = js_int(data, "classes", 0);
    if (classes)
        grid_textf(grid, rect_top(rest, 1), 1, 0, STYLE_FAINT, "%lld classes", (long long)classes);
}

/* The label of a sample under its picture; columns used, 0: it is no picture. */
static int draw_picture(const struct app *app, struct grid *grid, struct rect rect, const json_t *detail)
{
    struct arena arena = {0};
    struct sample sample;
    int h, w, channels, rows, cols = 0;
    sample_read(&sample, detail, NULL, &arena);
    if (sample.n_inputs && sample_is_picture(&sample.inputs[0], &h, &w, &channels)) {
        tile_fit(h, w, rect.h - 1, rect.w, &rows, &cols);
        sample_draw_picture(&sample, app, grid, rect_part(rect, 0, 0, cols, rows));
        struct rect label = rect_part(rect, 0, rows, cols, 1);
        const char *class = js_string(detail, "class", NULL);
        if (class)
            grid_text(grid, label, 0, 0, STYLE_FAINT, class);
        else if (sample.label >= 0)
            grid_textf(grid, label, 0, 0, STYLE_FAINT, "%lld", (long long)sample.label);
    }
    arena_release(&arena);
    return cols ? cols + 2 : 0;
}

static void draw_values(struct grid *grid, struct rect line, const json_t *sample)
{
    const json_t *values = json_object_get(json_array_get(json_object_get(sample, "inputs"), 0), "values"),
                 *target = json_object_get(sample, "target");
    struct str text = {0};
    double value;
    for (size_t i = 0; i < json_array_size(values) && i < 16; i++)
        if (js_to_double(json_array_get(values, i), &value))
            str_addf(&text, i ? "  %.3g" : "%.3g", value);
    const char *class = js_string(sample, "class", NULL);
    int x = 0;
    if (class)
        x = grid_textf(grid, line, 1, 0, STYLE_TEXT, "%s  ", class);
    else if (json_is_integer(json_object_get(sample, "label")))
        x = grid_textf(grid, line, 1, 0, STYLE_TEXT, "%lld  ", (long long)js_int(sample, "label", 0));
    else if (js_to_double(json_is_array(target) ? json_array_get(target, 0) : target, &value))
        x = grid_textf(grid, line, 1, 0, STYLE_TEXT, "%.4g  ", value);
    grid_text(grid, line, 1 + x, 0, STYLE_FAINT, str_text(&text));
    str_release(&text);
}

/* Pictures in rows, as many as there is room for; 0: the samples are none. */
static int draw_pictures(const struct app *app, const json_t *samples, struct grid *grid, struct rect rect)
{
    const json_t *sample;
    size_t i;
    int x = 1, drawn = 0;
    json_array_foreach((json_t *)samples, i, sample) {
        if (rect.w - x - 1 < LEAST_PICTURE) {
            rect_top(&rect, PICTURE_ROWS + 1);
            x = 1;
        }
        struct rect place = rect_part(rect, x, 0, rect.w - x - 1, PICTURE_ROWS + 1);
        int used = rect.h > PICTURE_ROWS ? draw_picture(app, grid, place, sample) : 0;
        if (!used)
            break;
        x += used;
        drawn++;
    }
    return drawn;
}

static void draw_samples(const struct app *app, const json_t *samples, struct grid *grid, struct rect rect)
{
    const json_t *sample;
    size_t i;
    if (draw_pictures(app, samples, grid, rect))
        return;
    json_array_foreach((json_t *)samples, i, sample) {
        if (rect.h > 0)
            draw_values(grid, rect_top(&rect, 1), sample);
    }
}

static void draw_warnings(const struct form_view *v, struct grid *grid, struct rect *rest)
{
    const json_t *warning;
    size_t i;
    json_array_foreach(json_object_get(v->check, "warnings"), i, warning) {
        struct rect box = {rest->x + 1, rest->y, rest->w - 2, rest->h < 3 ? rest->h : 3};
        if (box.h > 0 && json_is_string(warning))
            rect_top(rest, grid_wrap(grid, box, 0, STYLE_WARNING, json_string_value(warning)));
    }
}

void form_draw_model(const struct app *app, const struct form_view *v, struct grid *grid, struct rect rect,
                     bool focused)
{
    const json_t *data = json_object_get(v->check, "data");
    size_t layers = json_array_size(form_view_layers(v));
    rect_left(&rect, 1);
    grid_rule(grid, rect_top(&rect, 1),
              v->check_job              ? "model  checking …"
              : v->check && v->error[0] ? "model  before the error"
                                        : "model",
              focused);
    if (!v->check) {
        grid_text(grid, rect, 1, 0, STYLE_FAINT, v->error[0] ? "not known: the config has an error" : "");
        return;
    }
    int others = 2 + 1 + 2 + (rect.h > 16 ? PICTURE_ROWS + 2 : 0), rows = rect.h - others;
    draw_layers(v, grid, &rect, (int)layers < rows ? (int)layers : rows > 1 ? rows : 1);
    draw_totals(v, grid, &rect);
    draw_warnings(v, grid, &rect);
    if (rect.h < 2)
        return;
    grid_rule(grid, rect_top(&rect, 1), "data", false);
    draw_counts(data, grid, &rect);
    draw_samples(app, json_object_get(data, "samples"), grid, rect);
}
