/* config_text.c - see config_text.h */
#include "tui/views/config_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 12, WIDEST_KEY = 22, STEP = 2 };

static bool is_leaf(const json_t *value)
{
    const json_t *item;
    size_t i;
    if (json_is_object(value))
        return json_object_size(value) == 0;
    json_array_foreach((json_t *)value, i, item)
        if (json_is_object(item) || !is_leaf(item))
            return false;
    return true;
}

static void leaf_text(const json_t *value, struct str *out)
{
    if (json_is_string(value))
        str_add(out, json_string_value(value));
    else
        js_write(out, value, 0);
}

static const char *class_of(const json_t *value)
{
    const char *class = js_string(value, "class", NULL);
    return class ? class : js_string(value, "class_name", NULL);
}

static bool is_class_key(const char *key)
{
    return !strcmp(key, "class") || !strcmp(key, "class_name");
}

/* "Conv2D  filters 16  kernel_size 3": an object whose members are all leaves. False: it is not such a one. */
static bool one_line(const json_t *object, struct str *out)
{
    const char *key, *class = class_of(object);
    const json_t *value;
    json_object_foreach((json_t *)object, key, value)
        if (!is_leaf(value))
            return false;
    if (!class)
        return false;
    str_add(out, class);
    json_object_foreach((json_t *)object, key, value) {
        if (is_class_key(key))
            continue;
        str_addf(out, "  %s ", key);
        leaf_text(value, out);
    }
    return true;
}

static void add_tree(struct page *page, const json_t *value, int depth);

static void add_member(struct page *page, const char *key, int column, const json_t *value, int depth)
{
    struct str text = {0};
    if (is_leaf(value))
        leaf_text(value, &text);
    if (is_leaf(value) || (json_is_object(value) && one_line(value, &text))) {
        page_field(page, depth * STEP, key, column, STYLE_TEXT, str_text(&text));
    } else {
        page_field(page, depth * STEP, key, column, STYLE_STRONG, class_of(value) ? class_of(value) : "");
        if (depth < DEEPEST)
            add_tree(page, value, depth + 1);
    }
    str_release(&text);
}

static void add_tree(struct page *page, const json_t *value, int depth)
{
    const char *key;
    const json_t *member;
    size_t i, column = 0;
    char number[24];
    json_object_foreach((json_t *)value, key, member)
        if (is_leaf(member) && strlen(key) + 2 > column && strlen(key) <= WIDEST_KEY)
            column = strlen(key) + 2;
    json_object_foreach((json_t *)value, key, member)
        if (!depth || !is_class_key(key))
            add_member(page, key, (int)column, member, depth);
    json_array_foreach((json_t *)value, i, member) {
        snprintf(number, sizeof number, "%zu", i);
        add_member(page, number, 4, member, depth);
    }
}

void config_text(struct page *page, const json_t *config)
{
    add_tree(page, config, 0);
}
