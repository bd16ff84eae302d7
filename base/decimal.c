/* decimal.c - see decimal.h */
#include "base/decimal.h"

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

/* The first 128 bits of 10^-27 .. 10^27: exact from 1 on, below that rounded up. */
struct power {
    uint64_t high, low;
};
static const struct power powers[2 * POWER_MAX + 1] = {
    {0x9E74D1B791E07E48, 0x775EA264CF55347E}, {0xC612062576589DDA, 0x95364AFE032A819E},
    {0xF79687AED3EEC551, 0x3A83DDBD83F52205}, {0x9ABE14CD44753B52, 0xC4926A9672793543},
    {0xC16D9A0095928A27, 0x75B7053C0F178294}, {0xF1C90080BAF72CB1, 0x5324C68B12DD6339},
    {0x971DA05074DA7BEE, 0xD3F6FC16EBCA5E04}, {0xBCE5086492111AEA, 0x88F4BB1CA6BCF585},
    {0xEC1E4A7DB69561A5, 0x2B31E9E3D06C32E6}, {0x9392EE8E921D5D07, 0x3AFF322E62439FD0},
    {0xB877AA3236A4B449, 0x09BEFEB9FAD487C3}, {0xE69594BEC44DE15B, 0x4C2EBE687989A9B4},
    {0x901D7CF73AB0ACD9, 0x0F9D37014BF60A11}, {0xB424DC35095CD80F, 0x538484C19EF38C95},
    {0xE12E13424BB40E13, 0x2865A5F206B06FBA}, {0x8CBCCC096F5088CB, 0xF93F87B7442E45D4},
    {0xAFEBFF0BCB24AAFE, 0xF78F69A51539D749}, {0xDBE6FECEBDEDD5BE, 0xB573440E5A884D1C},
    {0x89705F4136B4A597, 0x31680A88F8953031}, {0xABCC77118461CEFC, 0xFDC20D2B36BA7C3E},
    {0xD6BF94D5E57A42BC, 0x3D32907604691B4D}, {0x8637BD05AF6C69B5, 0xA63F9A49C2C1B110},
    {0xA7C5AC471B478423, 0x0FCF80DC33721D54}, {0xD1B71758E219652B, 0xD3C36113404EA4A9},
    {0x83126E978D4FDF3B, 0x645A1CAC083126EA}, {0xA3D70A3D70A3D70A, 0x3D70A3D70A3D70A4},
    {0xCCCCCCCCCCCCCCCC, 0xCCCCCCCCCCCCCCCD}, {0x8000000000000000, 0x0000000000000000},
    {0xA000000000000000, 0x0000000000000000}, {0xC800000000000000, 0x0000000000000000},
    {0xFA00000000000000, 0x0000000000000000}, {0x9C40000000000000, 0x0000000000000000},
    {0xC350000000000000, 0x0000000000000000}, {0xF424000000000000, 0x0000000000000000},
    {0x9896800000000000, 0x0000000000000000}, {0xBEBC200000000000, 0x0000000000000000},
    {0xEE6B280000000000, 0x0000000000000000}, {0x9502F90000000000, 0x0000000000000000},
    {0xBA43B74000000000, 0x0000000000000000}, {0xE8D4A51000000000, 0x0000000000000000},
    {0x9184E72A00000000, 0x0000000000000000}, {0xB5E620F480000000, 0x0000000000000000},
    {0xE35FA931A0000000, 0x0000000000000000}, {0x8E1BC9BF04000000, 0x0000000000000000},
    {0xB1A2BC2EC5000000, 0x0000000000000000}, {0xDE0B6B3A76400000, 0x0000000000000000},
    {0x8AC7230489E80000, 0x0000000000000000}, {0xAD78EBC5AC620000, 0x0000000000000000},
    {0xD8D726B7177A8000, 0x0000000000000000}, {0x878678326EAC9000, 0x0000000000000000},
    {0xA968163F0A57B400, 0x0000000000000000}, {0xD3C21BCECCEDA100, 0x0000000000000000},
    {0x84595161401484A0, 0x0000000000000000}, {0xA56FA5B99019A5C8, 0x0000000000000000},
    {0xCECB8F27F4200F3A, 0x0000000000000000}};

/* The first 128 of the 192 bits of a product: enough to round to 53 bits, except that further down a carry may be
 * missing. */
static unsigned __int128 product(uint64_t digits, const struct power *power)
{
    enum { BELOW = 0x1FF }; /* the bits of the upper half that are not in the result */
    unsigned __int128 first = (unsigned __int128)digits * power->high;
    if (((uint64_t)(first >> 64) & BELOW) == BELOW)
        first += ((unsigned __int128)digits * power->low) >> 64;
    return first;
}

/* Lemire, "Number parsing at a gigabyte per second", 2021, for exponents in which nothing overflows. */
static bool fast(const struct decimal *d, double *out)
{
    enum { MANTISSA_BITS = 52, BIAS = 1023 };
    if (d->cut || d->exponent > POWER_MAX || d->exponent < -POWER_MAX)
        return false;
    uint64_t bits = 0;
    if (d->digits) {
        int zeros = __builtin_clzll(d->digits);
        unsigned __int128 whole = product(d->digits << zeros, &powers[d->exponent + POWER_MAX]);
        uint64_t high = (uint64_t)(whole >> 64), low = (uint64_t)whole;
        int top = (int)(high >> 63), shift = top + 64 - MANTISSA_BITS - 3;
        uint64_t mantissa = high >> shift;                   /* with one bit more, to round by */
        bool exact = d->exponent >= -4 && d->exponent <= 23; /* else it cannot lie exactly between two */
        if (exact && low <= 1 && (mantissa & 3) == 1 && mantissa << shift == high) /* to the even one */
            mantissa &= ~UINT64_C(1);
        mantissa = (mantissa + (mantissa & 1)) >> 1;
        int power = ((152170 + 65536) * d->exponent >> 16) + 63 + top - zeros + BIAS;
        bits = ((uint64_t)power << MANTISSA_BITS) + (mantissa - (UINT64_C(1) << MANTISSA_BITS)); /* 2^53 carries */
    }
    bits |= (uint64_t)d->negative << 63;
    memcpy(out, &bits, sizeof bits);
    return true;
}

bool decimal_parse(const char *text, size_t length, double *out)
{
    struct decimal d = {0};
    return split(&d, text, text + length) && (fast(&d, out) || slow(text, length, out));
}
