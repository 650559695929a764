/* Dates of people as numbers of an axis. */
#include "calendar/calendar.h"
#include "util/error.h"

#include <varvite/calendar.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define YEAR_MAX 999999

/* What a date that was read is as long as. */
typedef enum precision {
    YEAR,
    MONTH,
    DAY,
    HOUR,
    MINUTE,
    SECOND
} precision;

typedef struct reading {
    vvi_date date;
    precision precision;
    int zone_minutes; /* east of Greenwich */
} reading;

/* From least to most digits as a number; NULL where there are none. */
static const char *digits(const char *at, int least, int most, int64_t *out)
{
    int n = 0;

    for (*out = 0; n < most && at[n] >= '0' && at[n] <= '9'; n++)
        *out = *out * 10 + (at[n] - '0');
    return n < least ? NULL : at + n;
}

/* Two digits from low to high. */
static const char *pair(const char *at, int64_t low, int64_t high, int *out)
{
    int64_t n;

    at = digits(at, 2, 2, &n);
    *out = (int)n;
    return at && n >= low && n <= high ? at : NULL;
}

/* ":15.5" behind a minute; the fraction may be left out. */
static const char *read_second(const char *at, reading *out)
{
    double unit = 1;
    int second = 0;

    at = pair(at, 0, 59, &second);
    out->date.second = second;
    out->precision = SECOND;
    if (!at || *at != '.')
        return at;
    for (at++; *at >= '0' && *at <= '9'; at++) {
        unit /= 10;
        out->date.second += unit * (*at - '0');
    }
    return at;
}

static const char *read_clock(const char *at, reading *out)
{
    at = pair(at, 0, 23, &out->date.hour);
    out->precision = HOUR;
    if (at && *at == ':') {
        at = pair(at + 1, 0, 59, &out->date.minute);
        out->precision = MINUTE;
        if (at && *at == ':')
            at = read_second(at + 1, out);
    }
    return at;
}

/* "Z", "+02", "+0200", "-05:30" */
static const char *read_zone(const char *at, reading *out)
{
    int hours, minutes = 0, sign = *at == '-' ? -1 : 1;

    if (*at == 'Z' || *at == 'z')
        return at + 1;
    if (*at != '+' && *at != '-')
        return at;
    at = pair(at + 1, 0, 14, &hours);
    if (at && *at) {
        at = pair(at + (*at == ':'), 0, 59, &minutes);
    }
    out->zone_minutes = sign * (60 * hours + minutes);
    return at;
}

static bool read_text(const char *at, reading *out)
{
    bool negative = *at == '-';

    *out = (reading){ .date = { .month = 1, .day = 1 }, .precision = YEAR };
    at = digits(at + negative, 4, 7, &out->date.year);
    if (!at || out->date.year > YEAR_MAX)
        return false;
    out->date.year = negative ? -out->date.year : out->date.year;
    if (*at == '-') {
        at = pair(at + 1, 1, 12, &out->date.month);
        out->precision = MONTH;
    }
    if (at && out->precision == MONTH && *at == '-') {
        at = pair(at + 1, 1, 31, &out->date.day);
        out->precision = DAY;
    }
    if (at && out->precision == DAY && (*at == 'T' || *at == 't' || *at == ' ')) {
        at = read_clock(at + 1, out);
        at = at ? read_zone(at, out) : NULL;
    }
    return at && *at == '\0';
}

/* The date behind one of its precision, in seconds. */
static double end_of(vvi_calendar calendar, const reading *read, double begin)
{
    static const double seconds[] = {
        [DAY] = 86400, [HOUR] = 3600, [MINUTE] = 60, [SECOND] = 1
    };
    vvi_date next = read->date;

    if (read->precision >= DAY)
        return begin + seconds[read->precision];
    next.year += read->precision == YEAR;
    next.month += read->precision == MONTH;
    return vvi_seconds_of(calendar, &next);
}

bool vv_calendar_is_time(const char *units)
{
    vvi_clock clock;

    return vvi_clock_read(units, NULL, &clock);
}

vv_status vv_calendar_span(const char *units, const char *calendar, const char *text,
                           double *first, double *end, vv_error *err)
{
    vvi_calendar known;
    vvi_clock clock;
    reading read;

    if (!vvi_calendar_by_name(calendar, &known))
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "the calendar '%.60s' is not known; there are standard, "
                        "proleptic_gregorian, julian, noleap, all_leap, 360_day",
                        calendar);
    if (!vvi_clock_read(units, calendar, &clock))
        return vvi_fail(err, VV_EINVAL, "'%.100s' are no units of times",
                        units ? units : "");
    if (!read_text(text, &read))
        return vvi_fail(err, VV_EINVAL,
                        "'%.60s' is no date, as in 1982-07-16 or 1982-07-16T12:00", text);
    double begin = vvi_seconds_of(known, &read.date);
    vvi_date back = vvi_date_of(known, begin);
    if (back.month != read.date.month || back.day != read.date.day)
        return vvi_fail(err, VV_EINVAL, "the calendar '%.60s' has no day '%.60s'",
                        calendar ? calendar : "standard", text);
    double after = end_of(known, &read, begin), zone = read.zone_minutes * 60.0;
    *first = (begin - zone - clock.base) / clock.unit;
    *end = (after - zone - clock.base) / clock.unit;
    return VV_OK;
}

size_t vv_calendar_date(const char *units, const char *calendar, double value, char *out,
                        size_t cap)
{
    vvi_clock clock;
    int n = 0;

    if (!isfinite(value) || !vvi_clock_read(units, calendar, &clock) ||
        !(fabs(clock.base + value * clock.unit) <= 1e14))
        return (size_t)snprintf(out, cap, "%.17g", value);
    vvi_date date = vvi_date_of(clock.calendar, clock.base + value * clock.unit);
    char text[96];
    n = snprintf(text, sizeof(text), "%s%04" PRId64 "-%02d-%02d",
                 date.year < 0 ? "-" : "", date.year < 0 ? -date.year : date.year,
                 date.month, date.day);
    if (date.hour || date.minute || date.second > 0)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "T%02d:%02d", date.hour,
                      date.minute);
    if (date.second > 0) {
        snprintf(text + n, sizeof(text) - (size_t)n, ":%06.3f", date.second);
        size_t len = strlen(text);
        while (text[len - 1] == '0')
            text[--len] = '\0';
        if (text[len - 1] == '.')
            text[len - 1] = '\0';
    }
    return (size_t)snprintf(out, cap, "%s", text);
}
