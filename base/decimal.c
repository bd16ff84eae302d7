/* decimal.c - see decimal.h */
#include "base/decimal.h"

#include <float.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const bool little_endian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
enum { DIGITS_MAX = 19, POWER_MAX = 27, TEXT_MAX = 400 };

struct decimal {
    uint64_t digits; /* the first 19 significant ones */
    int exponent, n_digits;
    bool negative, cut; /* cut: there were more digits than fit */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Eight digits at once (Lemire, "Quickly parsing eight digits", 2018). */
static bool eight_digits(uint64_t word, uint64_t *value)
{
    if (((word & 0xF0F0F0F0F0F0F0F0u) | ((word + 0x0606060606060606u) & 0xF0F0F0F0F0F0F0F0u) >> 4) !=
        0x3333333333333333u)
        return false;
    word = (word & 0x0F0F0F0F0F0F0F0Fu) * 2561 >> 8;
    word = (word & 0x00FF00FF00FF00FFu) * 6553601 >> 16;
    *value = (word & 0x0000FFFF0000FFFFu) * 42949672960001u >> 32;
    return true;
}

static uint64_t eight_bytes(const char *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

/* The last n digits before `end`, 0 < n < 8, where eight bytes may be read that end there. */
static bool last_digits(const char *end, size_t n, uint64_t *value)
{
    uint64_t others = UINT64_MAX >> 8 * n;
    return eight_digits((eight_bytes(end - 8) & ~others) | (0x3030303030303030u & others), value);
}

static const char *take_digits(struct decimal *d, const char *p, const char *end, bool fraction, size_t *n)
{
    static const uint32_t power[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    const char *start = p;
    uint64_t eight;
    for (; !d->n_digits && p < end && *p == '0'; p++)
        d->exponent -= fraction;
    while (little_endian && end - p >= 8 && d->n_digits + 8 <= DIGITS_MAX && eight_digits(eight_bytes(p), &eight)) {
        d->digits = d->digits * 100000000 + eight;
        d->n_digits += 8;
        d->exponent -= fraction ? 8 : 0;
        p += 8;
    }
    size_t left = (size_t)(end - p);
    if (p - start >= 8 && left && left < 8 && d->n_digits + (int)left <= DIGITS_MAX && little_endian &&
        last_digits(end, left, &eight)) {
        d->digits = d->digits * power[left] + eight;
        d->n_digits += (int)left;
        d->exponent -= fraction ? (int)left : 0;
        p = end;
    }
    for (; p < end && is_digit(*p); p++) {
        if (d->n_digits < DIGITS_MAX) {
            d->digits = d->digits * 10 + (uint64_t)(*p - '0');
            d->n_digits++;
            d->exponent -= fraction;
        } else {
            d->cut |= *p != '0';
            d->exponent += !fraction;
        }
    }
    *n += (size_t)(p - start);
    return p;
}

static const char *take_exponent(struct decimal *d, const char *p, const char *end)
{
    bool negative = p < end && *p == '-';
    int exponent = 0;
    p += p < end && (*p == '-' || *p == '+');
    if (p == end || !is_digit(*p))
        return NULL;
    for (; p < end && is_digit(*p); p++)
        exponent = exponent < 100000 ? exponent * 10 + (*p - '0') : exponent;
    d->exponent += negative ? -exponent : exponent;
    return p;
}

static bool split(struct decimal *d, const char *p, const char *end)
{
    size_t n = 0;
    d->negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    p = take_digits(d, p, end, false, &n);
    if (p < end && *p == '.')
        p = take_digits(d, p + 1, end, true, &n);
    if (n && p < end && (*p == 'e' || *p == 'E'))
        p = take_exponent(d, p + 1, end);
    return n && p == end;
}

static bool slow(const char *text, size_t length, double *out)
{
    char copy[TEXT_MAX + 1], *longer = length > TEXT_MAX ? malloc(length + 1) : copy;
    if (!longer)
        return false;
    memcpy(longer, text, length);
    longer[length] = 0;
    *out = strtod(longer, NULL);
    if (longer != copy)
        free(longer);
    return true;
}

#if LDBL_MANT_DIG == 64
/* One operation on two exact numbers, rounded to 64 bits: rounding that to 53 is right unless it lies exactly in the
 * middle. */
static bool fast(const struct decimal *d, double *out)
{
    static const long double power[POWER_MAX + 1] = {
        1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
        1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
    if (d->cut || d->exponent > POWER_MAX || d->exponent < -POWER_MAX)
        return false;
    long double value =
        d->exponent < 0 ? (long double)d->digits / power[-d->exponent] : (long double)d->digits * power[d->exponent];
    uint64_t significand;
    memcpy(&significand, &value, sizeof significand);
    *out = (double)(d->negative ? -value : value);
    return (significand & 0x7FF) != 0x400;
}
#else
static bool fast(const struct decimal *d, double *out)
{
    (void)d, (void)out;
    return false;
}
#endif

bool decimal_parse(const char *text, size_t length, double *out)
{
    struct decimal d = {0};
    return split(&d, text, text + length) && (fast(&d, out) || slow(text, length, out));
}
