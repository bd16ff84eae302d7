/* json.h - JSON as the project reads and writes it, on top of jansson (whose json_t is the tree everywhere).
 *
 * Reading is strict and bounded: size and depth limits, no duplicate keys, UTF-8 only. Python writes bare NaN and
 * Infinity: JS_PYTHON turns them into the strings "NaN", "Infinity", "-Infinity", which is also how we write them.
 * Writing keeps the order of keys and gives the shortest text that reads back as the same number.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>

enum { JS_STRICT = 0, JS_PYTHON = 1 };
enum { JS_MAX_BYTES = 4 << 20, JS_MAX_DEPTH = 64 };

/* New reference, or NULL and ERR_FORMAT naming `name`, line and column. flags: JS_STRICT or JS_PYTHON. */
json_t *js_parse(const char *text, size_t length, const char *name, int flags, struct err *err);
/* The same for a file of at most JS_MAX_BYTES. */
json_t *js_read(const char *path, int flags, struct err *err);

/* Appends compact JSON (indent 0) or indented JSON. Any json_t, also a bare string or number. */
void js_write(struct str *out, const json_t *json, int indent);
/* free() it. */
char *js_text(const json_t *json, int indent);

/* A text as a string value, made visible where it is not UTF-8; null for NULL. New reference. */
json_t *js_text_value(const char *text);
/* A number as JSON: a real; NaN and the infinities as their strings. New reference. */
json_t *js_number(double value);
/* True when json is a number or one of the three strings; *out is the double. */
bool js_to_double(const json_t *json, double *out);

/* Dotted paths: "compile.optimizer.learning_rate", "model.layers[2].units" (or "model.layers.2.units").
 * js_at lends or returns NULL. js_put takes a reference to value, creates missing objects on the way, fails (ERR_USAGE)
 * on an index outside an array or a step into a scalar. */
json_t *js_at(const json_t *json, const char *path);
bool js_put(json_t *json, const char *path, json_t *value, struct err *err) MUST_USE;

/* The value of a key, or the default when it is missing, null or of another type. The string is lent. */
const char *js_string(const json_t *object, const char *key, const char *otherwise);
double js_double(const json_t *object, const char *key, double otherwise);
int64_t js_int(const json_t *object, const char *key, int64_t otherwise);
bool js_bool(const json_t *object, const char *key, bool otherwise);
/* "object", "array", "string", "integer", "number", "true", "false", "null": what was found, for messages. */
const char *js_type_name(const json_t *json);
/* Whether a and b mean the same (1 equals 1.0). */
bool js_equal(const json_t *a, const json_t *b);

#endif
