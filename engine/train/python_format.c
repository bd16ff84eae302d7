/* python_format.c - see python_format.h; rules: "Format Specification Mini-Language" of the Python library reference */
#include "engine/train/python_format.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void python_repr(struct str *out, double value)
{
    if (isnan(value) || isinf(value)) {
        str_add(out, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return;
    }
    char digits[64];
    int precision = 0;
    do
        snprintf(digits, sizeof digits, "%.*e", precision, value);
    while (strtod(digits, NULL) != value && ++precision < 17);
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent < -4 || exponent >= 16) {
        str_add(out, digits); /* "1e-05": C pads the exponent to two digits as Python does */
        return;
    }
    int decimals = precision - exponent;
    str_addf(out, "%.*f", decimals > 1 ? decimals : 1, value);
}

struct spec {
    char fill, align, sign, type;
    bool zero, has_precision;
    int width, precision;
};

static bool read_number(const char **at, int most, int *number)
{
    int n = 0;
    while (isdigit((unsigned char)**at)) {
        n = n * 10 + *(*at)++ - '0';
        if (n > most)
            return false;
    }
    *number = n;
    return true;
}

static bool read_spec(const char *text, struct spec *spec, struct err *err)
{
    *spec = (struct spec){.fill = ' ', .sign = '-'};
    const char *at = text;
    if (at[0] && at[1] && strchr("<>=^", at[1])) {
        spec->fill = *at++;
        spec->align = *at++;
    } else if (*at && strchr("<>=^", *at)) {
        spec->align = *at++;
    }
    if (*at && strchr("+- ", *at))
        spec->sign = *at++;
    if (*at == '0') {
        spec->zero = true;
        at++;
    }
    if (!read_number(&at, FORMAT_MAX_WIDTH, &spec->width))
        return err_set(err, ERR_USAGE, "format '%.40s': width must be at most %d", text, FORMAT_MAX_WIDTH);
    if (*at == '.') {
        at++;
        spec->has_precision = isdigit((unsigned char)*at);
        if (!spec->has_precision || !read_number(&at, FORMAT_MAX_WIDTH, &spec->precision))
            return err_set(err, ERR_USAGE, "format '%.40s': expected a precision of at most %d after '.'", text,
                           FORMAT_MAX_WIDTH);
    }
    if (*at && strchr("deEfFgG%", *at))
        spec->type = *at++;
    if (*at)
        return err_set(err, ERR_USAGE, "format '%.40s': '%c' is not understood; use for example 04d or .3f", text, *at);
    return true;
}

/* The digits without sign, fill and width. */
static bool write_body(struct str *out, const struct spec *spec, const struct format_value *value, const char *text,
                       struct err *err)
{
    double x = fabs(value->value);
    int precision = spec->has_precision ? spec->precision : 6;
    bool whole = value->integer && (!spec->type || spec->type == 'd');
    if (spec->type == 'd' && !value->integer)
        return err_set(err, ERR_USAGE, "format '%s' of '%s': d is for whole numbers, use for example .3f", text,
                       value->name);
    if (whole && spec->has_precision)
        return err_set(err, ERR_USAGE, "format '%s' of '%s': a whole number has no precision", text, value->name);
    if (!whole && (isnan(x) || isinf(x)))
        str_addf(out, "%s%s", isnan(x) ? "nan" : "inf", spec->type == '%' ? "%" : "");
    else if (whole)
        str_addf(out, "%.0f", x);
    else if (!spec->type && !spec->has_precision)
        python_repr(out, x);
    else if (spec->type == '%')
        str_addf(out, "%.*f%%", precision, 100 * x);
    else if (spec->type == 'e')
        str_addf(out, "%.*e", precision, x);
    else if (spec->type == 'E')
        str_addf(out, "%.*E", precision, x);
    else if (spec->type == 'f' || spec->type == 'F')
        str_addf(out, "%.*f", precision, x);
    else if (spec->type == 'G')
        str_addf(out, "%.*G", precision ? precision : 1, x);
    else
        str_addf(out, "%.*g", precision ? precision : 1, x);
    return true;
}

static bool write_value(struct str *out, const char *text, const struct format_value *value, struct err *err)
{
    struct spec spec;
    struct str body = {0};
    if (!read_spec(text, &spec, err) || !write_body(&body, &spec, value, text, err)) {
        str_release(&body);
        return false;
    }
    bool negative = signbit(value->value) && !isnan(value->value) && !(value->integer && value->value == 0);
    const char *sign = negative ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
    char align = spec.align ? spec.align : spec.zero ? '=' : '>', fill = spec.zero && !spec.align ? '0' : spec.fill;
    int missing = spec.width - (int)(body.length + strlen(sign));
    missing = missing > 0 ? missing : 0;
    int left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
    if (align == '=')
        str_add(out, sign);
    for (int i = 0; i < left; i++)
        str_add_char(out, fill);
    if (align != '=')
        str_add(out, sign);
    str_add(out, str_text(&body));
    for (int i = left; i < missing; i++)
        str_add_char(out, fill);
    str_release(&body);
    return true;
}

static bool unknown_name(const char *name, const struct format_value *values, size_t n, struct err *err)
{
    const char *names[128];
    size_t known = 0;
    for (; known < n && known < 128; known++)
        names[known] = values[known].name;
    err_set(err, ERR_USAGE, "there is no '%s' to put into the name", name);
    return err_nearest(err, str_nearest(name, names, known));
}

/* One field "{name:format}" from its opening brace; *at moves behind it. */
static bool write_field(struct str *out, const char **at, const struct format_value *values, size_t n, struct err *err)
{
    const char *start = *at + 1, *end = strchr(start, '}');
    if (!end)
        return err_set(err, ERR_USAGE, "'%.60s': '{' without '}'", *at);
    char field[256];
    size_t length = (size_t)(end - start);
    if (length >= sizeof field || memchr(start, '{', length))
        return err_set(err, ERR_USAGE, "'%.60s': not understood", *at);
    memcpy(field, start, length);
    field[length] = 0;
    char *colon = strchr(field, ':');
    if (colon)
        *colon++ = 0;
    *at = end + 1;
    if (!*field || strpbrk(field, "!.[ "))
        return err_set(err, ERR_USAGE, "'{%s}': expected the name of a value, such as {epoch} or {val_loss:.3f}",
                       field);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(values[i].name, field))
            return write_value(out, colon ? colon : "", &values[i], err);
    return unknown_name(field, values, n, err);
}

bool python_format(struct str *out, const char *format, const struct format_value *values, size_t n, struct err *err)
{
    for (const char *at = format; *at;) {
        if ((*at == '{' || *at == '}') && at[1] == *at) {
            str_add_char(out, *at);
            at += 2;
        } else if (*at == '{') {
            if (!write_field(out, &at, values, n, err))
                return false;
        } else if (*at == '}') {
            return err_set(err, ERR_USAGE, "'%.60s': '}' without '{'", at);
        } else {
            str_add_char(out, *at++);
        }
    }
    return true;
}
