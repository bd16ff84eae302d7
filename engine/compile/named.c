/* named.c - see named.h */
#include "engine/compile/named.h"

#include "base/arena.h"

#include <string.h>
#include <strings.h>

const struct named_row *named_at(const struct named_table *table, size_t i)
{
    return (const struct named_row *)((const char *)table->rows + i * table->row_size);
}

/* The next name of "a|b|c": its length, and where the rest begins (NULL at the end). */
static size_t next_name(const char *list, const char **rest)
{
    size_t length = strcspn(list, "|");
    *rest = list[length] ? list + length + 1 : NULL;
    return length;
}

bool name_listed(const char *list, const char *name, bool any_case)
{
    size_t wanted = strlen(name);
    for (const char *rest; list; list = rest) {
        size_t length = next_name(list, &rest);
        if (length == wanted && !(any_case ? strncasecmp(list, name, length) : strncmp(list, name, length)))
            return true;
    }
    return false;
}

const struct named_row *named_find(const struct named_table *table, const char *name)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct named_row *row = named_at(table, i);
        if (name_listed(row->class.name, name, table->any_case) || name_listed(row->aliases, name, table->any_case))
            return row;
    }
    return NULL;
}

const struct named_row *named_get(const struct named_table *table, const char *name, const char *where, struct err *err)
{
    const struct named_row *row = named_find(table, name);
    if (row)
        return row;
    if (name_listed(table->elsewhere, name, true))
        return err_null(err, ERR_USAGE, "%s: the %s '%s' of Keras is not available here", where, table->kind, name);
    struct arena arena = {0};
    const char **names = arena_array(&arena, 8 * table->n, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < table->n; i++) {
        row = named_at(table, i);
        names[n++] = row->class.name;
        for (const char *list = row->aliases, *rest; list && n < 8 * table->n; list = rest) {
            size_t length = next_name(list, &rest);
            names[n++] = arena_strndup(&arena, list, length);
        }
    }
    err_set(err, ERR_USAGE, "%s: unknown %s '%s'", where, table->kind, name);
    err_nearest(err, str_nearest(name, names, n));
    arena_release(&arena);
    return NULL;
}

json_t *named_describe(const struct named_table *table)
{
    json_t *list = json_array();
    for (size_t i = 0; i < table->n; i++) {
        const struct named_row *row = named_at(table, i);
        json_t *class = class_describe(row->class.name, row->class.help, row->class.arguments);
        json_t *aliases = json_array();
        for (const char *names = row->aliases, *rest; names; names = rest) {
            size_t length = next_name(names, &rest);
            json_array_append_new(aliases, json_stringn(names, length));
        }
        json_object_set_new(class, "aliases", aliases);
        json_array_append_new(list, class);
    }
    return list;
}

bool named_float32(const json_t *config, const char *where, struct err *err)
{
    const json_t *dtype = json_object_get(config, "dtype");
    if (json_is_object(dtype))
        dtype = json_object_get(json_object_get(dtype, "config"), "name");
    if (!dtype || json_is_null(dtype) || (json_is_string(dtype) && !strcmp(json_string_value(dtype), "float32")))
        return true;
    return err_set(err, ERR_USAGE, "%s.dtype: only float32 is available, found '%s'", where,
                   json_is_string(dtype) ? json_string_value(dtype) : js_type_name(dtype));
}
