#include "plot/units.h"

#include "plot/ticks.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A text of bounded length that is being written. */
typedef struct writer {
    char *out;
    size_t cap, len;
} writer;

static const char *const raised[] = { "⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹" };
static const char *const lowered[] = { "₀", "₁", "₂", "₃", "₄", "₅", "₆", "₇", "₈", "₉" };

/* Append as much of n bytes as fits, never half of a character. */
static void put_n(writer *self, const char *text, size_t n)
{
    if (self->len + n >= self->cap) {
        n = self->cap - self->len - 1;
        while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(self->out + self->len, text, n);
    self->len += n;
    self->out[self->len] = '\0';
}

static void put(writer *self, const char *text)
{
    put_n(self, text, strlen(text));
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *known_units(const char *units)
{
    static const struct {
        const char *name, *shown;
    } known[] = {
        { "degc", "°C" },
        { "deg c", "°C" },
        { "deg_c", "°C" },
        { "degree_c", "°C" },
        { "degrees_c", "°C" },
        { "celsius", "°C" },
        { "degrees c", "°C" },
        { "degree_celsius", "°C" },
        { "degrees celsius", "°C" },
        { "degrees_celsius", "°C" },
        { "degc.", "°C" },
        { "degree c", "°C" },
        { "degf", "°F" },
        { "kelvin", "K" },
        { "degk", "K" },
        { "degrees", "°" },
        { "degree", "°" },
        { "percent", "%" },
        { "meter", "m" },
        { "meters", "m" },
        { "metres", "m" },
        { "1", "" },
        { "-", "" },
        { "none", "" },
        { "m/s", "m s⁻¹" },
        { "kg/kg", "kg kg⁻¹" },
        { "g/kg", "g kg⁻¹" },
        { "m/sec", "m s⁻¹" },
        { "w/m2", "W m⁻²" },
        { "w/m^2", "W m⁻²" },
        { "w/m**2", "W m⁻²" },
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (strcasecmp(known[i].name, units) == 0)
            return known[i].shown;
    }
    return NULL;
}

/* ---- powers ---------------------------------------------------------------------------------- */

/* A number above the line, however it was written. */
typedef struct raised_number {
    bool minus;
    const char *digits;
    size_t count;
} raised_number;

/* "^-2", "^{-2}", "**2", "-2", "2": returns what follows, NULL where there is no whole number. A bare
 * one has one digit: PM10 is no power. */
static const char *read_power(const char *at, raised_number *out)
{
    bool marked = *at == '^' || (at[0] == '*' && at[1] == '*');

    at += *at == '^' ? 1 : marked ? 2 : 0;
    bool braced = marked && *at == '{';
    at += braced;
    out->minus = *at == '-';
    bool sign = out->minus || (marked && *at == '+');
    at += sign;
    out->digits = at;
    while (is_digit(*at))
        at++;
    out->count = (size_t)(at - out->digits);
    if (out->count == 0 || out->count > 3 || (*at == '.' && is_digit(at[1])) ||
        (!marked && !sign && out->count > 1) || (braced && *at != '}'))
        return NULL;
    return at + braced;
}

static void put_power(writer *self, const raised_number *at)
{
    put(self, at->minus ? "⁻" : "");
    for (size_t i = 0; i < at->count; i++)
        put(self, raised[at->digits[i] - '0']);
}

static int value_of(const raised_number *at)
{
    int n = 0;

    for (size_t i = 0; i < at->count; i++)
        n = 10 * n + (at->digits[i] - '0');
    return at->minus ? -n : n;
}

static const char *blanks(const char *at)
{
    return at + strspn(at, " ");
}

/* "x10^6", "*10**6", "10^6": what follows, or NULL. */
static const char *read_ten(const char *at, int *exponent)
{
    raised_number power;

    if (*at == 'x' || *at == '*')
        at = blanks(at + 1);
    else if (strncmp(at, "×", strlen("×")) == 0)
        at = blanks(at + strlen("×"));
    if (strncmp(at, "10", 2) != 0 || (at[2] != '^' && at[2] != '*'))
        return NULL;
    at = read_power(at + 2, &power);
    *exponent = at ? value_of(&power) : 0;
    return at;
}

/* "e11", "E-3" */
static const char *read_e(const char *at, int *exponent)
{
    size_t n;

    if (*at != 'e' && *at != 'E')
        return NULL;
    bool sign = at[1] == '-' || at[1] == '+';
    n = strspn(at + 1 + sign, "0123456789");
    if (n == 0 || n > 3 || is_letter(at[1 + sign + n]))
        return NULL;
    *exponent = atoi(at + 1);
    return at + 1 + sign + n;
}

/* "1", "1.", "1.0" */
static bool is_one(const char *number, size_t digits)
{
    return digits && *number == '1' && (digits == 1 || number[1] == '.') &&
           strspn(number + 1, ".0") >= digits - 1;
}

/* The factor in front of the units: *mantissa of *digits characters (1 where there are none) times
 * 10^*exponent. Returns what follows; at itself where there is no power of ten. */
static const char *read_factor(const char *at, const char **mantissa, size_t *digits,
                               int *exponent)
{
    const char *begin = blanks(at);

    *digits = 0;
    *mantissa = begin;
    const char *end = read_ten(begin, exponent);
    if (!end && is_digit(*begin)) {
        *digits = strspn(begin, "0123456789.");
        end = read_e(begin + *digits, exponent);
        if (!end)
            end = read_ten(blanks(begin + *digits), exponent);
        if (!end && strncmp(begin, "0.001", *digits) == 0 && *digits == 5) {
            *exponent = -3; /* as UDUNITS writes one in a thousand */
            *digits = 0;
            end = begin + 5;
        }
    }
    if (!end || is_digit(*end) || (*end == '.' && is_digit(end[1])))
        return at;
    if (is_one(begin, *digits))
        *digits = 0;
    end = blanks(end);
    return blanks(end + (*end == '*'));
}

/* ---- words ----------------------------------------------------------------------------------- */

/* Names in which a digit counts atoms, and logarithms to a base. */
static bool has_lowered_digits(const char *word, size_t len)
{
    static const char *const names[] = { "CO2",  "H2O",   "N2O",   "CH4",   "O2",
                                         "O3",   "NO2",   "NO3",   "SO2",   "SO4",
                                         "NH3",  "NH4",   "PO4",   "SF6",   "N2O5",
                                         "HNO3", "H2SO4", "CaCO3", "log10", "log2" };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strlen(names[i]) == len && strncasecmp(names[i], word, len) == 0)
            return true;
    }
    return false;
}

static size_t word_length(const char *at)
{
    size_t n = 0;

    while (is_letter(at[n]) || is_digit(at[n]))
        n++;
    return n;
}

static void put_lowered(writer *self, const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (is_digit(word[i]))
            put(self, lowered[word[i] - '0']);
        else
            put_n(self, word + i, 1);
    }
}

/* Is there a power anywhere? Then a point between two units is a product. */
static bool has_powers(const char *units)
{
    raised_number power;

    for (; *units; units++) {
        if (is_letter(*units) && !is_letter(units[1]) && read_power(units + 1, &power))
            return true;
    }
    return false;
}

/* "m s-1" */
static void put_units(writer *self, const char *units)
{
    bool powers = has_powers(units);
    bool braced = strstr(units, "^{") != NULL; /* as TeX has it, between dollars */
    char before = ' ';

    while (*units) {
        const char *end = NULL;
        raised_number power;
        size_t len = word_length(units);
        if (is_letter(before))
            end = read_power(units, &power);
        if (end) {
            put_power(self, &power);
            before = '0';
            units = end;
            continue;
        }
        if (!is_letter(before) && has_lowered_digits(units, len)) {
            put_lowered(self, units, len);
            before = '0';
            units += len;
            continue;
        }
        size_t n = 1;
        while (n < 4 && ((unsigned char)units[n] & 0xc0) == 0x80)
            n++;
        bool product = *units == '*' ||
                       (*units == '.' && powers && before != ' ' && is_letter(units[1]));
        if (product)
            put(self, "·");
        else if (*units != '$' || !braced)
            put_n(self, units, n);
        before = *units;
        units += n;
    }
}

/* "1/s" is "s⁻¹": what stands under the stroke, where it is one unit. */
static const char *inverse_of(const char *units)
{
    if (strncmp(units, "1/", 2) != 0 || !is_letter(units[2]))
        return NULL;
    for (const char *at = units + 2; *at; at++) {
        if (!is_letter(*at))
            return NULL;
    }
    return units + 2;
}

/* ---- the whole ------------------------------------------------------------------------------- */

void vvi_units_read(const char *units, vvi_units *out)
{
    const char *known = units ? known_units(units) : "", *mantissa, *inverse;
    writer self = { out->text, sizeof(out->text), 0 };
    char power[VVI_LABEL_SIZE];
    size_t digits;
    int exponent = 0;

    *out = (vvi_units){ .exponent = 0 };
    if (known) {
        put(&self, known);
        return;
    }
    const char *rest = read_factor(units, &mantissa, &digits, &exponent);
    if (rest != units && digits && exponent) {
        vvi_power_label(exponent, power);
        put_n(&self, mantissa, digits < 16 ? digits : 16);
        put(&self, "×");
        put(&self, power);
        put(&self, *rest ? " " : "");
    } else if (rest != units) {
        out->exponent = exponent;
    }
    inverse = inverse_of(rest);
    known = known_units(rest);
    if (known) {
        put(&self, known);
    } else if (inverse) {
        put(&self, inverse);
        put(&self, "⁻¹");
    } else {
        put_units(&self, rest);
    }
}

static void put_scaled(writer *self, const vvi_units *units, int exponent)
{
    char power[VVI_LABEL_SIZE] = "";

    if (exponent)
        vvi_power_label(exponent, power);
    put(self, power);
    put(self, *power && *units->text ? " " : "");
    put(self, units->text);
}

void vvi_units_text(const char *units, char *out, size_t cap)
{
    writer self = { out, cap, 0 };
    vvi_units read;

    *out = '\0';
    vvi_units_read(units, &read);
    put_scaled(&self, &read, read.exponent);
}

void vvi_label_scaled(const char *name, const char *units, int exponent,
                      char out[VVI_TEXT_SIZE])
{
    /* The units are never what is cut. */
    writer self = { out, VVI_TEXT_SIZE - VVI_UNITS_SIZE - VVI_LABEL_SIZE, 0 };
    bool named = name && *name;
    vvi_units read;

    out[0] = '\0';
    vvi_units_read(units, &read);
    exponent += read.exponent;
    put(&self, named ? name : "");
    if (!*read.text && !exponent)
        return;
    self.cap = VVI_TEXT_SIZE;
    put(&self, named ? " (" : exponent ? "×" : "");
    put_scaled(&self, &read, exponent);
    put(&self, named ? ")" : "");
}

void vvi_label_text(const char *name, const char *units, char out[VVI_TEXT_SIZE])
{
    vvi_label_scaled(name, units, 0, out);
}

void vvi_quantity_text(double value, int digits, const char *units,
                       char out[VVI_TEXT_SIZE])
{
    writer self = { out, VVI_TEXT_SIZE, 0 };
    char number[VVI_LABEL_SIZE];
    vvi_units read;

    vvi_units_read(units, &read);
    snprintf(number, sizeof(number), "%.*g", digits, value);
    put(&self, number);
    put(&self, read.exponent ? "×" : *read.text ? " " : "");
    put_scaled(&self, &read, read.exponent);
}
