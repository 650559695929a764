/* Times: units, and counts of them as ISO 8601. */
#include "dtype/dtype.h"

#include <stdio.h>
#include <string.h>

/* Units below a day: how many make one, as a number of them a second, or of seconds in one. */
typedef struct unit_row {
    const char *name;
    char letter;      /* of a duration: "P5D" */
    uint32_t seconds; /* in one; 0: shorter than a second, or no fixed length */
    uint8_t digits;   /* of a fraction of a second */
} unit_row;

static const unit_row units[] = {
    [VVI_TIME_GENERIC] = { "generic", 0, 0, 0 },
    [VVI_TIME_YEAR] = { "Y", 'Y', 0, 0 },
    [VVI_TIME_MONTH] = { "M", 'M', 0, 0 },
    [VVI_TIME_WEEK] = { "W", 'W', 604800, 0 },
    [VVI_TIME_DAY] = { "D", 'D', 86400, 0 },
    [VVI_TIME_HOUR] = { "h", 'H', 3600, 0 },
    [VVI_TIME_MINUTE] = { "m", 'M', 60, 0 },
    [VVI_TIME_SECOND] = { "s", 'S', 1, 0 },
    [VVI_TIME_MS] = { "ms", 'S', 0, 3 },
    [VVI_TIME_US] = { "us", 'S', 0, 6 },
    [VVI_TIME_NS] = { "ns", 'S', 0, 9 },
    [VVI_TIME_PS] = { "ps", 'S', 0, 12 },
    [VVI_TIME_FS] = { "fs", 'S', 0, 15 },
    [VVI_TIME_AS] = { "as", 'S', 0, 18 },
};

#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

const char *vvi_time_unit_name(vvi_time_unit unit)
{
    return (size_t)unit < UNIT_COUNT ? units[unit].name : NULL;
}

bool vvi_time_unit_by_name(const char *name, vvi_time_unit *out)
{
    for (size_t i = 0; name && i < UNIT_COUNT; i++)
        if (strcmp(units[i].name, name) == 0) {
            *out = (vvi_time_unit)i;
            return true;
        }
    /* With the Greek letter, as U+03BC or as the micro sign U+00B5. */
    *out = VVI_TIME_US;
    return name && (strcmp(name, "\xce\xbcs") == 0 || strcmp(name, "\xc2\xb5s") == 0);
}

/* ---- the calendar ---------------------------------------------------------------------------- */

/* Division that rounds down, also below zero. */
static int64_t divide(int64_t number, int64_t by, int64_t *rest)
{
    int64_t whole = number / by;

    *rest = number % by;
    if (*rest >= 0)
        return whole;
    *rest += by;
    return whole - 1;
}

/* Days since 1970-01-01 in the Gregorian calendar. Years begin in March here, so that a leap day
 * is the last of its year. */
static size_t format_date(int64_t days, char *out)
{
    int64_t of_era, era, of_year, year, month;

    /* 719468 days from 0000-03-01; 146097 in 400 years. */
    era = divide(days, 146097, &of_era);
    of_era += 719468 % 146097;
    era += 719468 / 146097 + of_era / 146097;
    of_era %= 146097;
    year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year + year / 4 - year / 100);
    month = (5 * of_year + 2) / 153; /* 153 days in five months from March on */
    year += 400 * era + (month >= 10);
    return (size_t)sprintf(out, "%04" PRId64 "-%02d-%02d", year,
                           (int)(month < 10 ? month + 3 : month - 9),
                           (int)(of_year - (153 * month + 2) / 5 + 1));
}

static size_t format_clock(vvi_time_unit unit, int64_t second, int64_t fraction,
                           char *out)
{
    size_t len = (size_t)sprintf(out, "T%02d", (int)(second / 3600));

    if (unit >= VVI_TIME_MINUTE)
        len += (size_t)sprintf(out + len, ":%02d", (int)(second / 60 % 60));
    if (unit >= VVI_TIME_SECOND)
        len += (size_t)sprintf(out + len, ":%02d", (int)(second % 60));
    if (unit >= VVI_TIME_MS)
        len += (size_t)snprintf(out + len, 24, ".%0*" PRId64, units[unit].digits,
                                fraction);
    return len;
}

static int64_t parts_of_second(vvi_time_unit unit)
{
    int64_t parts = 1;

    for (int i = 0; i < units[unit].digits; i++)
        parts *= 10;
    return parts;
}

/* False: past what the calendar here holds. */
static bool format_moment(vvi_time_unit unit, int64_t count, char *out, size_t *len)
{
    int64_t seconds = count;
    int64_t fraction = 0;
    int64_t year, month;

    switch (unit) {
    case VVI_TIME_GENERIC:
        return false;
    case VVI_TIME_YEAR:
        if (__builtin_add_overflow(count, 1970, &year))
            return false;
        *len = (size_t)sprintf(out, "%04" PRId64, year);
        return true;
    case VVI_TIME_MONTH:
        year = divide(count, 12, &month) + 1970;
        *len = (size_t)sprintf(out, "%04" PRId64 "-%02d", year, (int)month + 1);
        return true;
    case VVI_TIME_WEEK:
    case VVI_TIME_DAY:
        if (__builtin_mul_overflow(count, unit == VVI_TIME_WEEK ? 7 : 1, &count))
            return false;
        *len = format_date(count, out);
        return true;
    default:
        if (units[unit].digits)
            seconds = divide(count, parts_of_second(unit), &fraction);
        else if (__builtin_mul_overflow(count, (int64_t)units[unit].seconds, &seconds))
            return false;
        *len = format_date(divide(seconds, 86400, &seconds), out);
        *len += format_clock(unit, seconds, fraction, out + *len);
        return true;
    }
}

/* "-P3D", "PT0.5S". */
static size_t format_duration(vvi_time_unit unit, int64_t count, char *out)
{
    uint64_t size = count < 0 ? 0 - (uint64_t)count : (uint64_t)count;
    uint64_t parts = (uint64_t)parts_of_second(unit);
    size_t len = (size_t)sprintf(out, "%sP%s%" PRIu64, count < 0 ? "-" : "",
                                 unit >= VVI_TIME_HOUR ? "T" : "", size / parts);
    uint64_t fraction = size % parts;
    int digits = units[unit].digits;

    for (; fraction && fraction % 10 == 0; digits--)
        fraction /= 10;
    if (fraction)
        len += (size_t)snprintf(out + len, 24, ".%0*" PRIu64, digits, fraction);
    out[len++] = units[unit].letter;
    out[len] = '\0';
    return len;
}

size_t vvi_time_format(const vvi_dtype *dtype, int64_t count, char out[VVI_TIME_TEXT])
{
    int64_t scaled;
    size_t len;

    if (count == VVI_TIME_NAT)
        return (size_t)sprintf(out, "NaT");
    if (dtype->unit != VVI_TIME_GENERIC &&
        !__builtin_mul_overflow(count, (int64_t)dtype->scale, &scaled)) {
        if (dtype->code == VV_TIMEDELTA64)
            return format_duration(dtype->unit, scaled, out);
        if (format_moment(dtype->unit, scaled, out, &len))
            return len;
    }
    len = (size_t)sprintf(out, "%" PRId64, count);
    if (dtype->unit != VVI_TIME_GENERIC)
        len += (size_t)sprintf(out + len, " x %" PRIu32 " %s", dtype->scale,
                               units[dtype->unit].name);
    return len;
}
