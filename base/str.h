/* str.h - growable text, and the nearest known name for a misspelt one.
 *
 *     struct str s = {0};
 *     str_addf(&s, "%zu runs", n);
 *     puts(str_text(&s));
 *     str_release(&s);
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/err.h"

#include <stdint.h>

struct str {
    char *data; /* NULL while empty, else terminated */
    size_t length, capacity;
};

void str_add(struct str *s, const char *text);
void str_add_bytes(struct str *s, const void *bytes, size_t length);
void str_add_char(struct str *s, char c);
void str_addf(struct str *s, const char *format, ...) PRINTF(2, 3);
/* The shortest decimal text that reads back as exactly this double ("0.1", "1e-07", "NaN", "Infinity", "-Infinity"). */
void str_add_double(struct str *s, double value);
/* The same for a float: the shortest text that reads back as this float. */
void str_add_float(struct str *s, float value);
/* The text with C0, C1, DEL, bidi controls and invalid UTF-8 shown as \xHH or \u{HHHH}: safe for any terminal. */
void str_add_visible(struct str *s, const char *text);
/* Bytes of the character at the start of text when it could move a cursor or turn the direction of writing (control
 * characters, also those of two bytes; marks and separators of no width) and which it is; else 0. */
size_t str_unsafe_at(const char *text, uint32_t *point);
/* Is all of text UTF-8, as JSON wants it? */
bool str_is_utf8(const char *text);
/* Never NULL. */
const char *str_text(const struct str *s);
/* Hands the buffer over (free() it) and leaves s empty. Never NULL. */
char *str_take(struct str *s);
void str_clear(struct str *s);
void str_release(struct str *s);

/* For qsort and bsearch: the order of two elements of an array of texts, bytewise. */
int str_order(const void *a, const void *b);

bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);
/* Matches '*' and '?', case-sensitive. */
bool str_glob(const char *pattern, const char *text);
/* Reads all of text as a number; false when anything is left over, when it is empty or out of range. */
bool str_to_double(const char *text, double *out);
bool str_to_int64(const char *text, int64_t *out);

/* Edit distance (insert, delete, change, swap of neighbours; case costs nothing). */
size_t str_distance(const char *a, const char *b);
/* The candidate nearest to word, or NULL when none is near enough to be meant (distance > max(2,
 * a third of its length)). */
const char *str_nearest(const char *word, const char *const *candidates, size_t n_candidates);

#endif
