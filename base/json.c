/* json.c - see json.h */
#include "base/json.h"
#include "base/arena.h"
#include "base/io.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const python_words[] = {"NaN", "Infinity", "-Infinity"};

/* Outside strings, a bare NaN, Infinity or -Infinity becomes that word in quotes. */
static void quote_python_words(struct str *out, const char *text, size_t length)
{
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\' && i + 1 < length)
                str_add_char(out, text[i++]);
            else if (c == '"')
                in_string = false;
            str_add_char(out, text[i]);
            continue;
        }
        in_string = c == '"';
        size_t n = 0;
        for (size_t w = 0; w < 3 && !n; w++)
            if (length - i >= strlen(python_words[w]) && !memcmp(text + i, python_words[w], strlen(python_words[w])))
                n = strlen(python_words[w]);
        if (n) {
            str_add_char(out, '"');
            str_add_bytes(out, text + i, n);
            str_add_char(out, '"');
            i += n - 1;
        } else {
            str_add_char(out, c);
        }
    }
}

/* Checked before jansson sees the text: it recurses. */
static bool depth_is_fine(const char *text, size_t length, const char *name, struct err *err)
{
    size_t depth = 0, line = 1;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        line += c == '\n';
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JS_MAX_DEPTH)
                return err_set(err, ERR_FORMAT, "%s line %zu: nested deeper than %d levels", name, line, JS_MAX_DEPTH);
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        }
    }
    return true;
}

json_t *js_parse(const char *text, size_t length, const char *name, int flags, struct err *err)
{
    if (length > JS_MAX_BYTES)
        return err_null(err, ERR_FORMAT, "%s has %zu bytes of JSON, at most %d are read", name, length, JS_MAX_BYTES);
    struct str quoted = {0};
    if (flags & JS_PYTHON) {
        quote_python_words(&quoted, text, length);
        text = str_text(&quoted);
        length = quoted.length;
    }
    json_t *json = NULL;
    if (depth_is_fine(text, length, name, err)) {
        json_error_t why;
        json = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
        if (!json)
            err_set(err, ERR_FORMAT, "%s line %d column %d: %s", name, why.line, why.column,
                    json_error_code(&why) == json_error_null_character ? "a text holds the character \\u0000"
                                                                       : why.text);
    }
    str_release(&quoted);
    return json;
}

json_t *js_read(const char *path, int flags, struct err *err)
{
    char *text;
    size_t length;
    if (!io_read_file(path, JS_MAX_BYTES, &text, &length, err))
        return NULL;
    char *name = xprintf("'%s'", path);
    json_t *json = js_parse(text, length, name, flags, err);
    free(name);
    free(text);
    return json;
}

static void newline(struct str *out, int indent, int depth)
{
    if (indent) {
        str_add_char(out, '\n');
        for (int i = 0; i < indent * depth; i++)
            str_add_char(out, ' ');
    } else if (out->length && out->data[out->length - 1] == ',') {
        str_add_char(out, ' ');
    }
}

static void write_string(struct str *out, const char *text, size_t length)
{
    str_add_char(out, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        uint32_t point;
        size_t n = c >= 0x7F ? str_unsafe_at(text + i, &point) : 0;
        if (n) {
            str_addf(out, "\\u%04x", point);
            i += n - 1;
            continue;
        }
        if (c == '"' || c == '\\')
            str_addf(out, "\\%c", c);
        else if (c == '\n')
            str_add(out, "\\n");
        else if (c == '\t')
            str_add(out, "\\t");
        else if (c < 0x20)
            str_addf(out, "\\u%04x", c);
        else
            str_add_char(out, (char)c);
    }
    str_add_char(out, '"');
}

static void write_real(struct str *out, double value)
{
    size_t start = out->length;
    str_add_double(out, value);
    if (!strpbrk(out->data + start, ".eEnN"))
        str_add(out, ".0");
}

static void write_value(struct str *out, const json_t *json, int indent, int depth)
{
    size_t i, n = 0;
    const char *key;
    json_t *value;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        str_add_char(out, '{');
        json_object_foreach((json_t *)json, key, value) {
            if (n++)
                str_add_char(out, ',');
            newline(out, indent, depth + 1);
            write_string(out, key, strlen(key));
            str_add(out, ": ");
            write_value(out, value, indent, depth + 1);
        }
        if (n)
            newline(out, indent, depth);
        str_add_char(out, '}');
        break;
    case JSON_ARRAY:
        str_add_char(out, '[');
        for (i = 0; i < json_array_size(json); i++) {
            value = json_array_get(json, i);
            bool flat = !json_is_object(value) && !json_is_array(value);
            if (i)
                str_add_char(out, ',');
            if (flat && i)
                str_add_char(out, ' ');
            if (!flat)
                newline(out, indent, depth + 1);
            n += !flat;
            write_value(out, value, indent, depth + 1);
        }
        if (n)
            newline(out, indent, depth);
        str_add_char(out, ']');
        break;
    case JSON_STRING:
        write_string(out, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        str_addf(out, "%lld", (long long)json_integer_value(json));
        break;
    case JSON_REAL:
        write_real(out, json_real_value(json));
        break;
    case JSON_TRUE:
        str_add(out, "true");
        break;
    case JSON_FALSE:
        str_add(out, "false");
        break;
    case JSON_NULL:
        str_add(out, "null");
        break;
    }
}

void js_write(struct str *out, const json_t *json, int indent)
{
    write_value(out, json, indent, 0);
}

char *js_text(const json_t *json, int indent)
{
    struct str out = {0};
    js_write(&out, json, indent);
    return str_take(&out);
}

json_t *js_text_value(const char *text)
{
    if (!text)
        return json_null();
    json_t *value = json_string(text);
    if (value)
        return value;
    struct str visible = {0};
    str_add_visible(&visible, text);
    value = json_string(str_text(&visible));
    str_release(&visible);
    return value;
}

json_t *js_number(double value)
{
    if (isnan(value))
        return json_string("NaN");
    if (isinf(value))
        return json_string(value < 0 ? "-Infinity" : "Infinity");
    return json_real(value);
}

bool js_to_double(const json_t *json, double *out)
{
    if (json_is_number(json)) {
        *out = json_number_value(json);
        return true;
    }
    const char *text = json_string_value(json);
    static const double values[] = {NAN, INFINITY, -INFINITY};
    for (size_t w = 0; text && w < 3; w++)
        if (!strcmp(text, python_words[w])) {
            *out = values[w];
            return true;
        }
    return false;
}

/* Reads one step of a dotted path; returns what follows, or NULL when the path is malformed. */
static const char *path_step(const char *path, char *key, size_t key_size, bool *bracket)
{
    *bracket = *path == '[';
    if (*path == '[' || *path == '.')
        path++;
    size_t n = strcspn(path, *bracket ? "]" : ".[");
    if (!n || n >= key_size)
        return NULL;
    memcpy(key, path, n);
    key[n] = 0;
    path += n;
    return *bracket ? (*path == ']' ? path + 1 : NULL) : path;
}

static bool array_index(const char *key, size_t *index)
{
    char *end;
    *index = strtoul(key, &end, 10);
    return isdigit((unsigned char)key[0]) && !*end;
}

static json_t *child(const json_t *json, const char *key)
{
    size_t index;
    if (json_is_array(json))
        return array_index(key, &index) ? json_array_get(json, index) : NULL;
    return json_object_get(json, key);
}

json_t *js_at(const json_t *json, const char *path)
{
    char key[256];
    bool bracket;
    while (json && path && *path) {
        path = path_step(path, key, sizeof key, &bracket);
        json = path ? child(json, key) : NULL;
    }
    return path ? (json_t *)json : NULL;
}

bool js_put(json_t *json, const char *path, json_t *value, struct err *err)
{
    const char *rest = path;
    char key[256];
    bool bracket;
    for (;;) {
        rest = path_step(rest, key, sizeof key, &bracket);
        if (!rest)
            return err_set(err, ERR_USAGE,
                           "'%s' is not a path like compile.optimizer.learning_rate or model.layers[0].units", path);
        size_t index = 0, size = json_array_size(json);
        if (json_is_array(json) && (!array_index(key, &index) || index >= size))
            return err_set(err, ERR_USAGE, "'%s': there is no entry '%s' in a list of %zu", path, key, size);
        if (!json_is_array(json) && !json_is_object(json))
            return err_set(err, ERR_USAGE, "'%s': '%s' is asked of a %s, expected an object", path, key,
                           js_type_name(json));
        if (!*rest)
            return json_is_array(json) ? !json_array_set(json, index, value) : !json_object_set(json, key, value);
        json_t *next = child(json, key);
        if ((!next || json_is_null(next)) && json_is_object(json)) {
            next = json_object();
            json_object_set_new(json, key, next);
        }
        json = next;
    }
}

const char *js_string(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : otherwise;
}

double js_double(const json_t *object, const char *key, double otherwise)
{
    double value;
    return js_to_double(json_object_get(object, key), &value) ? value : otherwise;
}

int64_t js_int(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_real(value) && json_real_value(value) == floor(json_real_value(value)) &&
        fabs(json_real_value(value)) < 1e15)
        return (int64_t)json_real_value(value);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool js_bool(const json_t *object, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

const char *js_type_name(const json_t *json)
{
    static const char *const names[] = {"object", "array", "string", "integer", "number", "true", "false", "null"};
    return json ? names[json_typeof(json)] : "nothing";
}

bool js_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    if (!a || !b || json_typeof(a) != json_typeof(b))
        return a == b;
    if (json_is_array(a)) {
        bool same = json_array_size(a) == json_array_size(b);
        for (size_t i = 0; same && i < json_array_size(a); i++)
            same = js_equal(json_array_get(a, i), json_array_get(b, i));
        return same;
    }
    if (json_is_object(a)) {
        const char *key;
        json_t *value;
        bool same = json_object_size(a) == json_object_size(b);
        json_object_foreach((json_t *)a, key, value)
            same = same && js_equal(value, json_object_get(b, key));
        return same;
    }
    return json_equal(a, b);
}
