#include "calendar/calendar.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 1e15
#define DAY         86400.0

bool vvi_calendar_by_name(const char *name, vvi_calendar *out)
{
    static const struct {
        const char *name;
        vvi_calendar calendar;
    } names[] = {
        { "standard", VVI_CALENDAR_STANDARD },
        { "gregorian", VVI_CALENDAR_STANDARD },
        { "proleptic_gregorian", VVI_CALENDAR_PROLEPTIC },
        { "julian", VVI_CALENDAR_JULIAN },
        { "noleap", VVI_CALENDAR_NOLEAP },
        { "365_day", VVI_CALENDAR_NOLEAP },
        { "all_leap", VVI_CALENDAR_ALL_LEAP },
        { "366_day", VVI_CALENDAR_ALL_LEAP },
        { "360_day", VVI_CALENDAR_360_DAY },
    };

    *out = VVI_CALENDAR_STANDARD;
    for (size_t i = 0; name && i < sizeof(names) / sizeof(*names); i++) {
        const char *a = name, *b = names[i].name;
        while (*a && tolower((unsigned char)*a) == *b) {
            a++;
            b++;
        }
        if (!*a && !*b) {
            *out = names[i].calendar;
            return true;
        }
    }
    return !name || !*name;
}

/* ---- days ------------------------------------------------------------------------------------ */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static const int month_days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

/* Days from March 1st to the beginning of a month, counted from March: leap days come last. */
static int64_t days_from_march(int64_t month)
{
    return (153 * month + 2) / 5;
}

static int64_t julian_days(int64_t year, int64_t month, int64_t day, bool gregorian)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;
    int64_t days = 365 * y + floor_div(y, 4) + days_from_march(m) + day - 1;

    /* Two days apart where both call the day March 1st of year 0. */
    return gregorian ? days - floor_div(y, 100) + floor_div(y, 400) : days - 2;
}

/* 1582-10-15, the first day of the Gregorian calendar, in days of either. */
static int64_t reform(void)
{
    return julian_days(1582, 10, 15, true);
}

int64_t vvi_days_of(vvi_calendar calendar, int64_t year, int64_t month, int64_t day)
{
    year += floor_div(month - 1, 12);
    month -= 12 * floor_div(month - 1, 12);
    switch (calendar) {
    case VVI_CALENDAR_360_DAY:
        return 360 * year + 30 * (month - 1) + day - 1;
    case VVI_CALENDAR_NOLEAP:
    case VVI_CALENDAR_ALL_LEAP: {
        bool leap = calendar == VVI_CALENDAR_ALL_LEAP;
        int64_t days = (leap ? 366 : 365) * year + day - 1;
        for (int64_t m = 1; m < month; m++)
            days += month_days[m - 1] + (leap && m == 2);
        return days;
    }
    case VVI_CALENDAR_JULIAN:
        return julian_days(year, month, day, false);
    case VVI_CALENDAR_PROLEPTIC:
        return julian_days(year, month, day, true);
    case VVI_CALENDAR_STANDARD:
        break;
    }
    bool after = year > 1582 ||
                 (year == 1582 && (month > 10 || (month == 10 && day > 4)));
    return julian_days(year, month, day, after);
}

double vvi_seconds_of(vvi_calendar calendar, const vvi_date *date)
{
    return (double)vvi_days_of(calendar, date->year, date->month, date->day) * DAY +
           date->hour * 3600.0 + date->minute * 60.0 + date->second;
}

/* Year and month by a guess that is at most a year off, and going on from there. */
static void split_days(vvi_calendar calendar, int64_t days, vvi_date *out)
{
    if (calendar == VVI_CALENDAR_STANDARD)
        calendar = days < reform() ? VVI_CALENDAR_JULIAN : VVI_CALENDAR_PROLEPTIC;
    double mean = calendar == VVI_CALENDAR_360_DAY    ? 360
                  : calendar == VVI_CALENDAR_NOLEAP   ? 365
                  : calendar == VVI_CALENDAR_ALL_LEAP ? 366
                  : calendar == VVI_CALENDAR_JULIAN   ? 365.25
                                                      : 365.2425;
    int64_t year = (int64_t)floor((double)days / mean);
    int month = 12;

    while (vvi_days_of(calendar, year, 1, 1) > days)
        year--;
    while (vvi_days_of(calendar, year + 1, 1, 1) <= days)
        year++;
    while (vvi_days_of(calendar, year, month, 1) > days)
        month--;
    out->year = year;
    out->month = month;
    out->day = (int)(days - vvi_days_of(calendar, year, month, 1)) + 1;
}

vvi_date vvi_date_of(vvi_calendar calendar, double seconds)
{
    vvi_date date = { .hour = 0 };

    if (!(fabs(seconds) < SECONDS_MAX))
        seconds = seconds < 0 ? -SECONDS_MAX : SECONDS_MAX;
    seconds = floor(seconds * 1000 + 0.5) / 1000; /* 59.9999999 s is the next minute */
    double days = floor(seconds / DAY), rest = seconds - days * DAY;
    split_days(calendar, (int64_t)days, &date);
    date.hour = (int)(rest / 3600);
    date.minute = (int)(rest / 60) % 60;
    date.second = rest - date.hour * 3600.0 - date.minute * 60.0;
    return date;
}

/* ---- units ----------------------------------------------------------------------------------- */

/* Seconds of a unit by its name; 0 for none. Years and months are those of UDUNITS, but for the
 * calendar that knows their length. */
static double unit_of(const char *name, size_t len, vvi_calendar calendar)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {
        { "d", DAY },
        { "day", DAY },
        { "h", 3600 },
        { "hr", 3600 },
        { "hour", 3600 },
        { "min", 60 },
        { "minute", 60 },
        { "s", 1 },
        { "sec", 1 },
        { "second", 1 },
        { "msec", 1e-3 },
        { "millisecond", 1e-3 },
        { "ms", 1e-3 },
        { "week", 7 * DAY },
        { "microsecond", 1e-6 },
        { "us", 1e-6 },
        { "ns", 1e-9 },
        { "nanosecond", 1e-9 },
        { "month", 2629743.8 },
        { "year", 31556925.0 },
        { "yr", 31556925.0 },
    };
    char word[16];

    if (len == 0 || len >= sizeof(word))
        return 0;
    for (size_t i = 0; i < len; i++)
        word[i] = (char)tolower((unsigned char)name[i]);
    word[len] = '\0';
    for (int plural = 0; plural < 2; plural++) {
        for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
            if (strcmp(units[i].name, word) != 0)
                continue;
            bool exact = calendar == VVI_CALENDAR_360_DAY;
            return exact && word[0] == 'y'                ? 360 * DAY
                   : exact && strncmp(word, "mo", 2) == 0 ? 30 * DAY
                                                          : units[i].seconds;
        }
        if (len < 2 || word[len - 1] != 's')
            return 0;
        word[len - 1] = '\0';
    }
    return 0;
}

static const char *blanks(const char *at)
{
    return at + strspn(at, " \tT");
}

/* Digits as a number; NULL where there are none or too many. */
static const char *digits(const char *at, int64_t *out)
{
    size_t n = 0;

    for (*out = 0; n < 9 && isdigit((unsigned char)at[n]); n++)
        *out = *out * 10 + (at[n] - '0');
    return n && !isdigit((unsigned char)at[n]) ? at + n : NULL;
}

/* "12", "12:30", "12:30:15.5", and a zone behind it, "+2" or "-05:30". */
static bool read_time(const char *at, vvi_date *date)
{
    int64_t n, zone = 0, zone_minutes = 0;
    char *end;

    if (!*at)
        return true;
    if (!(at = digits(at, &n)) || n > 24)
        return false;
    date->hour = (int)n;
    if (*at == ':') {
        if (!(at = digits(at + 1, &n)) || n > 59)
            return false;
        date->minute = (int)n;
        if (*at == ':') {
            if (!isdigit((unsigned char)at[1]))
                return false;
            date->second = strtod(at + 1, &end);
            at = end;
            if (!(date->second <= 61))
                return false;
        }
    }
    at = blanks(at);
    if ((*at == '+' || *at == '-') && isdigit((unsigned char)at[1])) {
        int sign = *at == '-' ? -1 : 1;
        if (!(at = digits(at + 1, &zone)))
            return false;
        if (*at == ':' && !(at = digits(at + 1, &zone_minutes)))
            return false;
        if (zone >= 100) { /* 0530 */
            zone_minutes = zone % 100;
            zone /= 100;
        }
        date->hour -= sign * (int)(zone % 25);
        date->minute -= sign * (int)(zone_minutes % 60);
    }
    return true; /* "UTC", "Z" */
}

static bool read_date(const char *at, vvi_date *date)
{
    bool negative = *at == '-';
    int64_t n;

    *date = (vvi_date){ .month = 1, .day = 1 };
    if (!(at = digits(at + negative, &date->year)))
        return false;
    date->year = negative ? -date->year : date->year;
    if (*at == '-') {
        if (!(at = digits(at + 1, &n)) || n < 1 || n > 12)
            return false;
        date->month = (int)n;
        if (*at == '-') {
            if (!(at = digits(at + 1, &n)) || n < 1 || n > 31)
                return false;
            date->day = (int)n;
        }
    }
    return read_time(blanks(at), date);
}

bool vvi_clock_read(const char *units, const char *calendar, vvi_clock *out)
{
    vvi_date date;

    if (!units)
        return false;
    units += strspn(units, " ");
    size_t len = strcspn(units, " ");
    const char *since = units + len + strspn(units + len, " ");
    if (strncmp(since, "since", 5) != 0 && strncmp(since, "SINCE", 5) != 0 &&
        strncmp(since, "Since", 5) != 0)
        return false;
    if (!vvi_calendar_by_name(calendar, &out->calendar))
        return false;
    out->unit = unit_of(units, len, out->calendar);
    if (out->unit == 0 || !read_date(since + 5 + strspn(since + 5, " "), &date))
        return false;
    out->base = vvi_seconds_of(out->calendar, &date);
    return true;
}
