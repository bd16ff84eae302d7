/* format.c - see format.h */
#include "plots/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* "1.250e-05" -> "1.250e-5" */
static void short_exponent(char *text)
{
    char *e = strchr(text, 'e');
    if (!e)
        return;
    char *to = e + 1, *from = e + 1;
    if (*from == '-')
        *to++ = *from++;
    else if (*from == '+')
        from++;
    while (*from == '0' && from[1])
        from++;
    memmove(to, from, strlen(from) + 1);
}

char *format_value(char *text, size_t size, double value, int digits)
{
    if (isnan(value)) {
        snprintf(text, size, "NaN");
    } else if (isinf(value)) {
        snprintf(text, size, value > 0 ? "inf" : "-inf");
    } else if (value == 0) {
        snprintf(text, size, "%.*f", digits > 1 ? digits - 1 : 0, 0.0);
    } else {
        char rounded[40]; /* the exponent after rounding: 0.99996 is 1.000 */
        snprintf(rounded, sizeof rounded, "%.*e", digits - 1, value);
        int exponent = 0;
        sscanf(strchr(rounded, 'e') + 1, "%d", &exponent);
        if (exponent >= -4 && exponent < 7) {
            int decimals = digits - 1 - exponent;
            snprintf(text, size, "%.*f", decimals > 0 ? decimals : 0, value);
        } else {
            short_exponent(rounded);
            snprintf(text, size, "%s", rounded);
        }
    }
    return text;
}

char *format_short(char *text, size_t size, double value)
{
    if (!isfinite(value))
        return format_value(text, size, value, 4);
    double magnitude = fabs(value);
    char plain[40], best[40];
    for (int digits = 1; digits <= 17; digits++) {
        double back = 0;
        snprintf(best, sizeof best, "%.*e", digits - 1, value);
        if (sscanf(best, "%lf", &back) == 1 && back == value)
            break;
    }
    short_exponent(best);
    snprintf(plain, sizeof plain, "%.15g", value);
    if (value == 0 || (magnitude > 0.00999 && magnitude < 1e6))
        snprintf(text, size, "%s", value == 0 ? "0" : plain);
    else
        snprintf(text, size, "%s", best);
    return text;
}

char *format_count(char *text, size_t size, int64_t n)
{
    char digits[32], out[48];
    snprintf(digits, sizeof digits, "%" PRId64, n);
    size_t length = strlen(digits), k = 0;
    for (size_t i = 0; i < length; i++) {
        out[k++] = digits[i];
        size_t left = length - 1 - i;
        if (left && left % 3 == 0 && digits[i] != '-')
            out[k++] = ',';
    }
    out[k] = 0;
    snprintf(text, size, "%s", out);
    return text;
}

char *format_duration(char *text, size_t size, double seconds)
{
    if (!isfinite(seconds) || fabs(seconds) > 1e11) {
        snprintf(text, size, "?");
        return text;
    }
    const char *sign = seconds < 0 ? "-" : "";
    double s = fabs(seconds);
    long long whole = (long long)(s + 0.5);
    if (s < 9.95)
        snprintf(text, size, "%s%.1fs", s < 0.05 ? "" : sign, s);
    else if (whole < 60)
        snprintf(text, size, "%s%llds", sign, whole);
    else if (whole < 3600)
        snprintf(text, size, "%s%lldm%02llds", sign, whole / 60, whole % 60);
    else if (whole < 86400)
        snprintf(text, size, "%s%lldh%02lldm", sign, whole / 3600, whole / 60 % 60);
    else
        snprintf(text, size, "%s%lldd%02lldh", sign, whole / 86400, whole / 3600 % 24);
    return text;
}

char *format_bytes(char *text, size_t size, int64_t bytes)
{
    static const char unit[] = "BKMGTPE";
    double value = (double)bytes;
    int k = 0;
    while (fabs(value) >= 1023.5 && unit[k + 1]) {
        value /= 1024;
        k++;
    }
    snprintf(text, size, k && fabs(value) < 9.95 ? "%.1f %c" : "%.0f %c", value, unit[k]);
    return text;
}
