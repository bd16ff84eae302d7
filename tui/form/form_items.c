/* form_items.c - the lists of a config that grow and shrink in a form: layers, callbacks, metrics. In a model whose
 * layers name their inputs a new layer goes into the chain, and one that is taken out leaves no gap.
 */
#include "tui/form/form.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which item ---- */

bool form_item_at(const struct form *form, const struct form_row *row, struct form_item *item)
{
    *item = (struct form_item){.index = -1};
    const char *bracket = strchr(row->path, '[');
    size_t length = bracket ? (size_t)(bracket - row->path) : strlen(row->path);
    if (length >= sizeof item->list)
        return false;
    memcpy(item->list, row->path, length);
    item->list[length] = 0;
    item->category = form_list_category(item->list);
    const json_t *list = js_at(form->config, item->list);
    if (!item->category || !(list ? json_is_array(list) : strcmp(item->list, "model.layers") != 0))
        return false;
    item->count = (int)json_array_size(list);
    if (bracket)
        item->index = atoi(bracket + 1);
    return item->index < item->count;
}

static json_t *list_of(struct form *form, const struct form_item *item, struct err *err)
{
    json_t *list = js_at(form->config, item->list);
    if (json_is_array(list))
        return list;
    return form_put(form, item->list, json_array(), err) ? js_at(form->config, item->list) : NULL;
}

/* ---- names and inputs of layers ---- */

static bool replace_name(json_t *names, const char *from, const json_t *to)
{
    bool found = false;
    for (size_t i = 0; i < json_array_size(names); i++) {
        json_t *name = json_array_get(names, i);
        if (json_is_array(name)) {
            found = replace_name(name, from, to) || found;
        } else if (json_is_string(name) && !strcmp(json_string_value(name), from)) {
            json_array_set(names, i, (json_t *)to);
            found = true;
        }
    }
    return found;
}

/* Whoever read `from` reads `to`: layers other than `except`, and the model's outputs. */
static void rewire(struct form *form, const json_t *layers, const json_t *except, const char *from, const json_t *to)
{
    const json_t *layer;
    size_t i;
    json_array_foreach((json_t *)layers, i, layer) {
        if (layer != except)
            replace_name(json_object_get(layer, "inputs"), from, to);
    }
    replace_name(js_at(form->config, "model.outputs"), from, to);
}

static bool name_is_free(const json_t *layers, const char *name)
{
    const json_t *layer;
    size_t i;
    json_array_foreach((json_t *)layers, i, layer) {
        if (!strcmp(js_string(layer, "name", ""), name))
            return false;
    }
    return true;
}

/* "dense", "dense_1": as Keras names them. New reference. */
static json_t *free_name(const json_t *layers, const char *class)
{
    char base[64], name[80];
    size_t n = 0;
    for (const char *c = class; *c && n < sizeof base - 2; c++) {
        if (c > class && isupper((unsigned char)*c) && islower((unsigned char)c[-1]))
            base[n++] = '_';
        base[n++] = (char)tolower((unsigned char)*c);
    }
    base[n] = 0;
    snprintf(name, sizeof name, "%s", base);
    for (int k = 1; !name_is_free(layers, name); k++)
        snprintf(name, sizeof name, "%s_%d", base, k);
    return json_string(name);
}

/* Behind the layer `before`, where that is one of a graph. */
static void join_graph(struct form *form, const json_t *layers, json_t *layer, const json_t *before)
{
    const json_t *name = json_object_get(before, "name");
    if (!json_is_string(name) ||
        (!json_object_get(before, "inputs") && strcmp(js_string(before, "class", ""), "InputLayer") != 0))
        return;
    json_t *own = free_name(layers, js_string(layer, "class", "layer"));
    json_object_set(layer, "name", own);
    rewire(form, layers, layer, json_string_value(name), own);
    json_object_set_new(layer, "inputs", json_pack("[O]", name));
    json_decref(own);
}

static bool is_graph(const json_t *layers)
{
    const json_t *layer;
    size_t i;
    json_array_foreach((json_t *)layers, i, layer) {
        if (json_object_get(layer, "inputs"))
            return true;
    }
    return false;
}

/* ---- which of them are unfolded ---- */

/* Where item i stands now; -1: nowhere any more. */
enum move_kind { ITEM_ADDED, ITEM_REMOVED, ITEM_SWAPPED };
static int place_now(enum move_kind kind, int at, int other, int i)
{
    switch (kind) {
    case ITEM_ADDED:
        return i >= at ? i + 1 : i;
    case ITEM_REMOVED:
        return i == at ? -1 : i > at ? i - 1 : i;
    case ITEM_SWAPPED:
        return i == at ? other : i == other ? at : i;
    }
    return i;
}

/* Folds go by path, and so by number: they follow their items. */
static void move_folds(struct form *form, const char *list, enum move_kind kind, int at, int other)
{
    json_t *moved = json_object(), *open;
    const char *path;
    size_t length = strlen(list);
    json_object_foreach(form->folds, path, open) {
        char *end;
        if (strncmp(path, list, length) != 0 || path[length] != '[') {
            json_object_set(moved, path, open);
            continue;
        }
        int now = place_now(kind, at, other, (int)strtol(path + length + 1, &end, 10));
        char *name = xprintf("%s[%d%s", list, now, end);
        if (now >= 0)
            json_object_set(moved, name, open);
        free(name);
    }
    json_decref(form->folds);
    form->folds = moved;
}

/* ---- changing ---- */

bool form_item_add(struct form *form, const struct form_item *item, const char *class, char path[256], struct err *err)
{
    json_t *list = list_of(form, item, err);
    if (!list)
        return false;
    size_t at = item->index >= 0 ? (size_t)item->index + 1 : json_array_size(list);
    bool words = !strcmp(item->category, "metrics"); /* names are enough where nothing is set */
    json_t *added = words ? json_string(class) : json_pack("{s:s}", "class", class),
           *before = at ? json_array_get(list, at - 1) : NULL;
    json_array_insert(list, at, added);
    if (!strcmp(item->category, "layers") && is_graph(list))
        join_graph(form, list, added, before);
    json_decref(added);
    move_folds(form, item->list, ITEM_ADDED, (int)at, 0);
    snprintf(path, 256, "%s[%zu]", item->list, at);
    json_object_set_new(form->folds, item->list, json_true());
    json_object_set_new(form->folds, path, json_true());
    return true;
}

bool form_item_remove(struct form *form, const struct form_item *item, struct err *err)
{
    json_t *list = js_at(form->config, item->list), *gone = json_array_get(list, (size_t)item->index);
    const char *name = js_string(gone, "name", NULL);
    const json_t *inputs = json_object_get(gone, "inputs"), *input = json_array_get(inputs, 0);
    if (item->index < 0 || !gone)
        return err_set(err, ERR_USAGE, "nothing to take out here: choose one of the list");
    if (name && json_is_string(input))
        rewire(form, list, gone, name, input);
    json_array_remove(list, (size_t)item->index);
    move_folds(form, item->list, ITEM_REMOVED, item->index, 0);
    return true;
}

bool form_item_move(struct form *form, const struct form_item *item, int by, struct err *err)
{
    json_t *list = js_at(form->config, item->list);
    int to = item->index + by;
    if (item->index < 0 || to < 0 || to >= item->count)
        return err_set(err, ERR_USAGE,
                       item->index < 0 ? "nothing to move here: choose one of the list"
                                       : "it is at the end of its list");
    if (!strcmp(item->category, "layers") && is_graph(list))
        return err_set(err, ERR_USAGE, "layers of a graph stand where their inputs say: change 'inputs' instead");
    json_t *moved = json_incref(json_array_get(list, (size_t)item->index));
    json_array_remove(list, (size_t)item->index);
    json_array_insert_new(list, (size_t)to, moved);
    move_folds(form, item->list, ITEM_SWAPPED, item->index, to);
    return true;
}
