/* Numbers and text: formatting and parsing that no locale can change. */
#include "json/json.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static locale_t c_locale;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* The calling thread's locale becomes "C" until it is given back with uselocale(). */
static locale_t enter_c_locale(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_c_locale);
    return uselocale(c_locale);
}

static size_t format_special(double number, char *out)
{
    const char *name = isnan(number) ? "NaN" : number < 0 ? "-Infinity" : "Infinity";

    strcpy(out, name);
    return strlen(name);
}

/* An integral number needs a point to stay a floating-point number for its reader. */
static size_t keep_a_point(char *out, size_t len)
{
    if (strpbrk(out, ".e"))
        return len;
    memcpy(out + len, ".0", 3);
    return len + 2;
}

/* Add one to the last digit of "d.ddde±xx"; false: all are nines. */
static bool raise_last_digit(char *text)
{
    char *c = strchr(text, 'e');

    while (c-- > text) {
        if (*c == '.')
            continue;
        if (*c != '9') {
            ++*c;
            return true;
        }
        *c = '0';
    }
    return false;
}

/*
 * Does text, a number rounded, read back equal? Below a power of two doubles stand closer than above it, so
 * there the nearest decimal may fail and the one above it be right, though it is farther away.
 */
static bool reads_back(char *text, double number)
{
    double nearest = strtod(text, NULL);
    char above[VVI_DOUBLE_TEXT];

    if (nearest == number)
        return true;
    strcpy(above, text);
    if (nearest > number || !raise_last_digit(above) || strtod(above, NULL) != number)
        return false;
    strcpy(text, above);
    return true;
}

int vvi_double_digits(double number, char out[VVI_DOUBLE_DIGITS])
{
    locale_t before = enter_c_locale();
    char text[VVI_DOUBLE_TEXT];
    size_t len = 0;
    int precision = -1;

    do
        snprintf(text, sizeof(text), "%.*e", ++precision, number);
    while (precision < 16 && !reads_back(text, number));
    uselocale(before);
    for (const char *c = text; *c != 'e'; c++)
        if (*c != '.')
            out[len++] = *c;
    while (len > 1 && out[len - 1] == '0')
        len--;
    out[len] = '\0';
    return (int)strtol(strchr(text, 'e') + 1, NULL, 10);
}

size_t vvi_double_repr(double number, char out[VVI_DOUBLE_TEXT])
{
    const char *sign = signbit(number) ? "-" : "";
    char digits[VVI_DOUBLE_DIGITS];
    int exponent = vvi_double_digits(fabs(number), digits);
    int count = (int)strlen(digits);
    int len;

    if (exponent < -4 || exponent >= 16)
        len = snprintf(out, VVI_DOUBLE_TEXT, "%s%c%s%se%c%02d", sign, digits[0],
                       count > 1 ? "." : "", digits + 1, exponent < 0 ? '-' : '+',
                       abs(exponent));
    else if (exponent < 0)
        len = snprintf(out, VVI_DOUBLE_TEXT, "%s0.%.*s%s", sign, -exponent - 1, "0000",
                       digits);
    else if (count <= exponent + 1)
        len = snprintf(out, VVI_DOUBLE_TEXT, "%s%s%.*s.0", sign, digits,
                       exponent + 1 - count, "0000000000000000");
    else
        len = snprintf(out, VVI_DOUBLE_TEXT, "%s%.*s.%s", sign, exponent + 1, digits,
                       digits + exponent + 1);
    return (size_t)len;
}

size_t vvi_double_format(double number, char out[VVI_DOUBLE_TEXT])
{
    locale_t before;
    int len = 0;

    if (!isfinite(number))
        return format_special(number, out);
    before = enter_c_locale();
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(out, VVI_DOUBLE_TEXT, "%.*g", digits, number);
        if (strtod(out, NULL) == number)
            break;
    }
    uselocale(before);
    return keep_a_point(out, (size_t)len);
}

size_t vvi_float_format(float number, char out[VVI_DOUBLE_TEXT])
{
    locale_t before;
    int len = 0;

    if (!isfinite(number))
        return format_special((double)number, out);
    before = enter_c_locale();
    for (int digits = 6; digits <= 9; digits++) {
        len = snprintf(out, VVI_DOUBLE_TEXT, "%.*g", digits, (double)number);
        if (strtof(out, NULL) == number)
            break;
    }
    uselocale(before);
    return keep_a_point(out, (size_t)len);
}

bool vvi_double_parse(const char *text, double *out)
{
    locale_t before;
    char *end;
    double number;

    if (*text == '\0' || strspn(text, "+-0123456789.eENaInfity") != strlen(text))
        return false;
    before = enter_c_locale();
    number = strtod(text, &end);
    uselocale(before);
    if (*end != '\0')
        return false;
    *out = number;
    return true;
}

/* Bytes that follow the first byte of a sequence; -1: it cannot be first. */
static int follow_bytes(uint8_t first)
{
    if (first < 0x80)
        return 0;
    if (first >= 0xC2 && first <= 0xDF)
        return 1;
    if (first >= 0xE0 && first <= 0xEF)
        return 2;
    return first >= 0xF0 && first <= 0xF4 ? 3 : -1;
}

/* The second byte's range where the first narrows it (RFC 3629 section 4). */
static bool second_fits(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xE0:
        return second >= 0xA0;
    case 0xED:
        return second <= 0x9F;
    case 0xF0:
        return second >= 0x90;
    case 0xF4:
        return second <= 0x8F;
    default:
        return true;
    }
}

bool vvi_is_utf8(vv_bytes text)
{
    size_t i = 0;

    while (i < text.len) {
        uint8_t first = text.data[i++];
        int follow = follow_bytes(first);

        if (follow < 0 || (size_t)follow > text.len - i)
            return false;
        if (follow && !second_fits(first, text.data[i]))
            return false;
        for (; follow; follow--)
            if ((text.data[i++] & 0xC0) != 0x80)
                return false;
    }
    return true;
}
