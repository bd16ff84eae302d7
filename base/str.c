/* str.c - see str.h */
#include "base/str.h"
#include "base/arena.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(struct str *s, size_t more)
{
    BUG_ON(more > SIZE_MAX / 4);
    s->data = xgrow(s->data, &s->capacity, s->length + more + 1, 1);
}

void str_add_bytes(struct str *s, const void *bytes, size_t length)
{
    reserve(s, length);
    if (length)
        memcpy(s->data + s->length, bytes, length);
    s->length += length;
    s->data[s->length] = 0;
}

void str_add(struct str *s, const char *text)
{
    str_add_bytes(s, text, strlen(text));
}

void str_add_char(struct str *s, char c)
{
    str_add_bytes(s, &c, 1);
}

void str_addf(struct str *s, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    BUG_ON(length < 0);
    reserve(s, (size_t)length);
    vsnprintf(s->data + s->length, (size_t)length + 1, format, again);
    va_end(again);
    s->length += (size_t)length;
}

static bool add_special(struct str *s, double value)
{
    if (isnan(value))
        str_add(s, "NaN");
    else if (isinf(value))
        str_add(s, value < 0 ? "-Infinity" : "Infinity");
    else
        return false;
    return true;
}

void str_add_double(struct str *s, double value)
{
    if (add_special(s, value))
        return;
    char text[40];
    /* a number of fewer digits than DBL_DIG comes out of it as well, %g drops the zeros; only
     * subnormal ones hold less */
    for (int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    str_add(s, text);
}

void str_add_float(struct str *s, float value)
{
    if (add_special(s, value))
        return;
    char text[40];
    for (int digits = fabsf(value) < FLT_MIN ? 1 : FLT_DIG; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtof(text, NULL) == value)
            break;
    }
    str_add(s, text);
}

/* Bytes of the UTF-8 sequence at p and its code point; 0 when invalid, overlong or a surrogate. */
static size_t utf8_decode(const unsigned char *p, uint32_t *point)
{
    size_t n = p[0] < 0x80 ? 1 : (p[0] >> 5) == 6 ? 2 : (p[0] >> 4) == 14 ? 3 : (p[0] >> 3) == 30 ? 4 : 0;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (n <= 1) {
        *point = p[0];
        return n;
    }
    uint32_t c = p[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3F);
    }
    *point = c;
    return c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000) ? 0 : n;
}

static bool unsafe_point(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
           (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) || c == 0x061C;
}

size_t str_unsafe_at(const char *text, uint32_t *point)
{
    size_t n = utf8_decode((const unsigned char *)text, point);
    return n && unsafe_point(*point) ? n : 0;
}

bool str_is_utf8(const char *text)
{
    uint32_t point;
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t n = utf8_decode(p, &point);
        if (!n)
            return false;
        p += n;
    }
    return true;
}

void str_add_visible(struct str *s, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        uint32_t point;
        size_t n = utf8_decode(p, &point);
        if (!n)
            str_addf(s, "\\x%02X", *p++);
        else if (unsafe_point(point))
            str_addf(s, point < 0x100 ? "\\x%02X" : "\\u{%04X}", point);
        else
            str_add_bytes(s, p, n);
        p += n;
    }
}

const char *str_text(const struct str *s)
{
    return s->data ? s->data : "";
}

char *str_take(struct str *s)
{
    char *text = s->data ? s->data : xstrdup("");
    *s = (struct str){0};
    return text;
}

void str_clear(struct str *s)
{
    s->length = 0;
    if (s->data)
        s->data[0] = 0;
}

void str_release(struct str *s)
{
    free(s->data);
    *s = (struct str){0};
}

int str_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool str_starts(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

bool str_ends(const char *text, const char *suffix)
{
    size_t n = strlen(text), k = strlen(suffix);
    return n >= k && !strcmp(text + n - k, suffix);
}

bool str_glob(const char *pattern, const char *text)
{
    const char *star = NULL, *mark = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            mark = text;
        } else if (*pattern && (*pattern == '?' || *pattern == *text)) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool str_to_double(const char *text, double *out)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return end != text && !*end && !isspace((unsigned char)*text) && !(errno == ERANGE && isinf(*out));
}

bool str_to_int64(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    *out = value;
    return end != text && !*end && !isspace((unsigned char)*text) && errno != ERANGE;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    return a < b ? (a < c ? a : c) : (b < c ? b : c);
}

size_t str_distance(const char *a, const char *b)
{
    enum { MAX = 63 };
    size_t n = strnlen(a, MAX), m = strnlen(b, MAX);
    size_t row[3][MAX + 1];
    for (size_t j = 0; j <= m; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) && tolower((unsigned char)a[i - 2]) == cb &&
                before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
    }
    return row[n % 3][m];
}

const char *str_nearest(const char *word, const char *const *candidates, size_t n_candidates)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < n_candidates; i++) {
        size_t distance = str_distance(word, candidates[i]), limit = strlen(candidates[i]) / 3;
        if (distance < best_distance && distance <= (limit < 2 ? 2 : limit)) {
            best = candidates[i];
            best_distance = distance;
        }
    }
    return best;
}
