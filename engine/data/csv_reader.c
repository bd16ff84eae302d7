/* csv_reader.c - see csv_reader.h */
#include "base/arena.h"
#include "base/str.h"
#include "engine/data/csv_reader.h"
#include "engine/data/table.h"
#include "persistence/files/byte_stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool check_utf8(const char *text, size_t length, const char *source, struct err *err)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t line = 1, column = 1;
    for (size_t i = 0; i < length; column++) {
        uint32_t code = p[i];
        int n = p[i] && p[i] < 0x80 ? 1 : utf8_read(p + i, length - i, &code);
        if (!n || !code) {
            const char *seems = content_name(p, length);
            return err_set(err, ERR_FORMAT, "%s line %zu column %zu: byte 0x%02x is not UTF-8 text%s%s", source, line,
                           column, p[i], seems ? ": the file seems to be " : "", seems ? seems : "");
        }
        i += (size_t)n;
        if (code == '\n') {
            line++;
            column = 0;
        }
    }
    return true;
}

bool text_read(const char *path, const char *source, bool utf8, char **text, size_t *length, struct err *err)
{
    enum { BLOCK = 1 << 20 };
    struct byte_stream *s = byte_stream_open(path, err);
    size_t capacity = 0, got = 1;
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    *text = NULL;
    *length = 0;
    bool ok = s != NULL;
    while (ok && got) {
        if ((double)*length * 4 > memory)
            ok = err_set(err, ERR_NOMEM, "%s is larger than this machine's memory allows", source);
        else if (capacity < *length + BLOCK + 1)
            *text = xgrow(*text, &capacity, *length + BLOCK + 1, 1);
        ok = ok && byte_stream_read(s, *text + *length, BLOCK, &got, err);
        bool binary = ok && utf8 && memchr(*text + *length, 0, got);
        *length += ok ? got : 0;
        got = binary ? 0 : got; /* refused below, without the rest */
    }
    byte_stream_close(s);
    if (ok)
        (*text)[*length] = 0;
    if (ok && utf8 && *length >= 3 && !memcmp(*text, "\xEF\xBB\xBF", 3)) {
        memmove(*text, *text + 3, *length - 2);
        *length -= 3;
    }
    ok = ok && (!utf8 || check_utf8(*text, *length, source, err));
    if (!ok) {
        free(*text);
        *text = NULL;
    }
    return ok;
}

bool csv_open(struct csv_reader *csv, const char *path, const char *source, char delimiter, struct err *err)
{
    *csv = (struct csv_reader){.source = source, .delimiter = delimiter, .next_line = 1};
    return text_read(path, source, true, &csv->text, &csv->length, err);
}

void csv_release(struct csv_reader *csv)
{
    free(csv->text);
    free(csv->cells);
    *csv = (struct csv_reader){0};
}

static void add_cell(struct csv_reader *csv, char *text)
{
    csv->cells = xgrow(csv->cells, &csv->capacity, csv->n_cells + 1, sizeof *csv->cells);
    csv->cells[csv->n_cells++] = text;
}

/* p stands behind the opening quote; the text is moved together over its doubled quotes. Returns what follows the
 * closing quote. */
static char *quoted_cell(struct csv_reader *csv, char *p, struct err *err)
{
    char *out = p;
    add_cell(csv, out);
    for (;; p++) {
        if (!*p) {
            err_set(err, ERR_FORMAT, "%s line %lld column %zu: a quoted cell that is never closed", csv->source,
                    (long long)csv->line, csv->n_cells);
            return NULL;
        }
        csv->next_line += *p == '\n';
        if (*p == '"' && *++p != '"')
            break;
        *out++ = *p;
    }
    char after = *p;
    *out = 0;
    if (after && after != csv->delimiter && after != '\n' && after != '\r') {
        err_set(err, ERR_FORMAT, "%s line %lld column %zu: text behind the closing quote", csv->source,
                (long long)csv->next_line, csv->n_cells);
        return NULL;
    }
    return p;
}

static bool read_row(struct csv_reader *csv, struct err *err)
{
    const char stops[] = {csv->delimiter, '\n', '\r', 0};
    char *p = csv->text + csv->next, stop;
    csv->n_cells = 0;
    csv->line = csv->next_line;
    do {
        if (*p == '"') {
            p = quoted_cell(csv, p + 1, err);
            if (!p)
                return false;
        } else {
            add_cell(csv, p);
            p += strcspn(p, stops);
        }
        stop = *p;
        *p = 0;
        p += stop != 0;
        p += stop == '\r' && *p == '\n';
    } while (stop == csv->delimiter);
    csv->next_line += stop == '\n' || stop == '\r';
    csv->next = (size_t)(p - csv->text);
    return true;
}

bool csv_next(struct csv_reader *csv, struct err *err)
{
    do {
        csv->n_cells = 0;
        if (csv->next >= csv->length)
            return true;
        if (!read_row(csv, err))
            return false;
    } while (csv->n_cells == 1 && !csv->cells[0][strspn(csv->cells[0], " \t")]);
    return true;
}

/* Up to 15 digits and a power of ten up to 22 are exact in double arithmetic (Clinger 1990); the rest goes to strtod.
 */
bool csv_number(const char *text, double *value)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *p = text + strspn(text, " \t");
    bool negative = *p == '-';
    p += *p == '-' || *p == '+';
    int64_t mantissa = 0;
    int digits = 0, fraction = 0, seen = 0;
    bool point = false;
    for (;; p++) {
        if (*p == '.' && !point) {
            point = true;
        } else if (*p >= '0' && *p <= '9') {
            seen++;
            digits += mantissa || *p != '0';
            if (digits <= 15)
                mantissa = mantissa * 10 + (*p - '0');
            fraction += point;
        } else {
            break;
        }
    }
    const char *rest = p + strspn(p, " \t");
    if (seen && !*rest && digits <= 15 && fraction <= 22) {
        *value = (negative ? -1 : 1) * ((double)mantissa / powers[fraction]);
        return true;
    }
    if (!seen || (*rest && *p != 'e' && *p != 'E'))
        return false;
    char number[400];
    const char *start = text + strspn(text, " \t");
    size_t n = strcspn(start, " \t");
    if (n >= sizeof number || start[n + strspn(start + n, " \t")])
        return false;
    memcpy(number, start, n);
    number[n] = 0;
    return str_to_double(number, value);
}

bool csv_missing(const char *text)
{
    static const char *const words[] = {"",    "NA",   "N/A",  "n/a",  "NaN",  "nan",
                                        "NAN", "null", "NULL", "None", "<NA>", "?"};
    text += strspn(text, " \t");
    size_t n = strlen(text);
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == n && !memcmp(words[i], text, n))
            return true;
    return false;
}
