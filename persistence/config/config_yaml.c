/* config_yaml.c - YAML events to the same JSON tree that a JSON config gives, see config_parse_yaml in run_config.h.
 *
 * Plain scalars follow JSON with a little more: null and ~, true and false, decimal and 0x integers, every decimal
 * float (1e-3, .5, 1.), .inf and .nan. Whatever else YAML 1.1 makes of plain text (yes, on, 12:30, 007, dates) stays
 * text.
 */
#include "base/arena.h"
#include "persistence/config/run_config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { VALUES_MAX = 200000, ANCHORS_MAX = 1000 };

struct anchor {
    char *name;
    json_t *value;
};

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    bool has_event;
    const char *name;
    struct err *err;
    struct anchor *anchors;
    size_t n_anchors, anchors_capacity;
    size_t n_values; /* made so far, aliases expanded */
};

static void *fail_at(struct reader *r, yaml_mark_t mark, const char *text)
{
    return err_null(r->err, ERR_USAGE, "%s line %zu column %zu: %s", r->name, mark.line + 1, mark.column + 1, text);
}

static bool next_event(struct reader *r)
{
    if (r->has_event)
        yaml_event_delete(&r->event);
    r->has_event = yaml_parser_parse(&r->parser, &r->event);
    if (r->has_event)
        return true;
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_READER_ERROR)
        return err_set(r->err, ERR_USAGE, "%s at byte %zu: %s", r->name, p->problem_offset,
                       p->problem ? p->problem : "not text");
    fail_at(r, p->problem_mark, p->problem ? p->problem : "not YAML");
    return false;
}

static bool count_value(struct reader *r)
{
    if (++r->n_values <= VALUES_MAX)
        return true;
    fail_at(r, r->event.start_mark, "more than 200000 values once its aliases are expanded");
    return false;
}

/* A copy of its own, so that changing one place never changes another; counted, so that aliases of aliases end. */
static json_t *copy_counted(struct reader *r, const json_t *json)
{
    if (!count_value(r))
        return NULL;
    const char *key;
    json_t *value, *copy = json_is_object(json)  ? json_object()
                           : json_is_array(json) ? json_array()
                                                 : json_copy((json_t *)json);
    if (json_is_object(json))
        json_object_foreach((json_t *)json, key, value) {
            json_t *inner = copy_counted(r, value);
            if (!inner || json_object_set_new(copy, key, inner)) {
                json_decref(copy);
                return NULL;
            }
        }
    for (size_t i = 0; json_is_array(json) && i < json_array_size(json); i++) {
        json_t *inner = copy_counted(r, json_array_get(json, i));
        if (!inner || json_array_append_new(copy, inner)) {
            json_decref(copy);
            return NULL;
        }
    }
    return copy;
}

static bool is_one_of(const char *text, const char *const *words)
{
    while (*words && strcmp(*words, text) != 0)
        words++;
    return *words;
}

static bool is_integer(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    if (text[0] == '0' && text[1] == 'x')
        return text[2] && text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] == 0;
    size_t n = strspn(text, "0123456789");
    return n && !text[n] && (n == 1 || text[0] != '0');
}

static bool is_float(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    size_t whole = strspn(text, "0123456789"), fraction = 0;
    bool leading_zeros = whole > 1 && text[0] == '0';
    text += whole;
    if (*text == '.') {
        fraction = strspn(text + 1, "0123456789");
        text += 1 + fraction;
    }
    if (!(whole + fraction) || leading_zeros)
        return false;
    if (*text == 'e' || *text == 'E') {
        text += 1 + (text[1] == '-' || text[1] == '+');
        size_t n = strspn(text, "0123456789");
        return n && !text[n];
    }
    return !*text;
}

static json_t *plain_scalar(const char *text, size_t length)
{
    static const char
        *const nulls[] = {"", "~", "null", "Null", "NULL", NULL},
               *const trues[] = {"true", "True", "TRUE", NULL}, *const falses[] = {"false", "False", "FALSE", NULL},
               *const infinities[] = {".inf", "+.inf", ".Inf", "+.Inf", NULL},
               *const minus_infinities[] = {"-.inf", "-.Inf", NULL}, *const nans[] = {".nan", ".NaN", NULL};
    if (is_one_of(text, nulls))
        return json_null();
    if (is_one_of(text, trues) || is_one_of(text, falses))
        return json_boolean(is_one_of(text, trues));
    if (is_one_of(text, infinities))
        return json_string("Infinity");
    if (is_one_of(text, minus_infinities))
        return json_string("-Infinity");
    if (is_one_of(text, nans))
        return json_string("NaN");
    if (is_integer(text)) {
        errno = 0;
        long long value = strtoll(text, NULL, strchr(text, 'x') ? 16 : 10);
        if (!errno)
            return json_integer(value);
    }
    double number;
    if (is_float(text) && str_to_double(text, &number))
        return json_real(number);
    return json_stringn(text, length);
}

static json_t *read_scalar(struct reader *r)
{
    const char *text = (const char *)r->event.data.scalar.value;
    size_t length = r->event.data.scalar.length;
    if (memchr(text, 0, length))
        return fail_at(r, r->event.start_mark, "a NUL character in a text");
    bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    json_t *json = plain ? plain_scalar(text, length) : json_stringn(text, length);
    return json ? json : fail_at(r, r->event.start_mark, "text that is not UTF-8");
}

static json_t *read_value(struct reader *r, int depth);

static json_t *read_sequence(struct reader *r, int depth)
{
    json_t *list = json_array();
    while (next_event(r)) {
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return list;
        json_t *value = read_value(r, depth + 1);
        if (!value)
            break;
        json_array_append_new(list, value);
    }
    json_decref(list);
    return NULL;
}

/* "<<": the keys of an object, or of a list of objects, where the mapping has none of its own. */
static bool merge(struct reader *r, json_t *object, json_t *value, yaml_mark_t mark)
{
    bool ok = json_is_object(value) || json_is_array(value);
    if (json_is_object(value))
        json_object_update_missing(object, value);
    for (size_t i = 0; ok && i < json_array_size(value); i++) {
        ok = json_is_object(json_array_get(value, i));
        if (ok)
            json_object_update_missing(object, json_array_get(value, i));
    }
    json_decref(value);
    if (!ok)
        fail_at(r, mark, "'<<' takes over the keys of a mapping, found something else");
    return ok;
}

static bool read_member(struct reader *r, json_t *object, json_t **merged, int depth)
{
    yaml_mark_t mark = r->event.start_mark;
    if (r->event.type != YAML_SCALAR_EVENT)
        return fail_at(r, mark, "a key must be plain text") != NULL;
    if (memchr(r->event.data.scalar.value, 0, r->event.data.scalar.length))
        return fail_at(r, mark, "a NUL character in a key") != NULL;
    char *key = xstrndup((const char *)r->event.data.scalar.value, r->event.data.scalar.length);
    bool ok = false, is_merge = !strcmp(key, "<<") && r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (json_object_get(object, key) || (is_merge && *merged)) {
        fail_at(r, mark, "duplicate key");
        err_prefix(r->err, "'%s'", key);
        goto done;
    }
    json_t *value = next_event(r) ? read_value(r, depth + 1) : NULL;
    if (!value)
        goto done;
    if (is_merge)
        *merged = value;
    ok = is_merge || !json_object_set_new(object, key, value) || fail_at(r, mark, "a key that is not UTF-8");
done:
    free(key);
    return ok;
}

static json_t *read_mapping(struct reader *r, int depth)
{
    json_t *object = json_object(), *merged = NULL;
    while (next_event(r)) {
        if (r->event.type == YAML_MAPPING_END_EVENT) {
            if (merged && !merge(r, object, merged, r->event.start_mark))
                break;
            return object;
        }
        if (!read_member(r, object, &merged, depth)) {
            json_decref(merged);
            break;
        }
    }
    json_decref(object);
    return NULL;
}

static bool keep_anchor(struct reader *r, const char *name, json_t *value, yaml_mark_t mark)
{
    if (r->n_anchors >= ANCHORS_MAX)
        return fail_at(r, mark, "more than 1000 anchors") != NULL;
    r->anchors = xgrow(r->anchors, &r->anchors_capacity, r->n_anchors + 1, sizeof *r->anchors);
    r->anchors[r->n_anchors++] = (struct anchor){xstrdup(name), json_incref(value)};
    return true;
}

static json_t *read_alias(struct reader *r)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    for (size_t i = r->n_anchors; i-- > 0;)
        if (!strcmp(r->anchors[i].name, name))
            return copy_counted(r, r->anchors[i].value);
    return fail_at(r, r->event.start_mark,
                   "an alias without its anchor (an anchor must be complete before it is used)");
}

/* The value that starts with the current event; leaves its last event current. */
static json_t *read_value(struct reader *r, int depth)
{
    const yaml_event_t *e = &r->event;
    yaml_mark_t mark = e->start_mark;
    if (depth > JS_MAX_DEPTH)
        return fail_at(r, mark, "nested deeper than 64 levels");
    if (e->type == YAML_ALIAS_EVENT)
        return read_alias(r);
    if (!count_value(r))
        return NULL;
    bool scalar = e->type == YAML_SCALAR_EVENT, sequence = e->type == YAML_SEQUENCE_START_EVENT;
    const yaml_char_t *tag = scalar     ? e->data.scalar.tag
                             : sequence ? e->data.sequence_start.tag
                                        : e->data.mapping_start.tag;
    const yaml_char_t *anchor = scalar     ? e->data.scalar.anchor
                                : sequence ? e->data.sequence_start.anchor
                                           : e->data.mapping_start.anchor;
    if (tag)
        return fail_at(r, mark, "tags (!...) are not used in configs");
    char *name = anchor ? xstrdup((const char *)anchor) : NULL;
    json_t *value = scalar ? read_scalar(r) : sequence ? read_sequence(r, depth) : read_mapping(r, depth);
    if (value && name && !keep_anchor(r, name, value, mark)) {
        json_decref(value);
        value = NULL;
    }
    free(name);
    return value;
}

static json_t *read_document(struct reader *r)
{
    bool begun = next_event(r); /* of the stream, then of the document */
    if (!begun || !next_event(r))
        return NULL;
    if (r->event.type == YAML_STREAM_END_EVENT)
        return err_null(r->err, ERR_USAGE, "%s is empty, expected keys such as data, model, compile and fit", r->name);
    json_t *value = next_event(r) ? read_value(r, 0) : NULL;
    if (value && next_event(r) && next_event(r)) {
        if (r->event.type == YAML_STREAM_END_EVENT)
            return value;
        fail_at(r, r->event.start_mark, "a second document, expected one");
    }
    json_decref(value);
    return NULL;
}

json_t *config_parse_yaml(const char *text, size_t length, const char *name, struct err *err)
{
    struct reader r = {.name = name, .err = err};
    if (length > JS_MAX_BYTES)
        return err_null(err, ERR_USAGE, "%s has %zu bytes, at most %d are read", name, length, JS_MAX_BYTES);
    if (!yaml_parser_initialize(&r.parser))
        return err_null(err, ERR_NOMEM, "not enough memory to read %s", name);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
    json_t *value = read_document(&r);
    if (r.has_event)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    for (size_t i = 0; i < r.n_anchors; i++) {
        free(r.anchors[i].name);
        json_decref(r.anchors[i].value);
    }
    free(r.anchors);
    return value;
}
