/* Days and seconds of calendars, and the units of times (CF conventions, section 4.4). */
#ifndef VVI_CALENDAR_CALENDAR_H
#define VVI_CALENDAR_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum vvi_calendar {
    VVI_CALENDAR_STANDARD, /* Julian up to 1582-10-04, Gregorian from 1582-10-15 on */
    VVI_CALENDAR_PROLEPTIC,
    VVI_CALENDAR_JULIAN,
    VVI_CALENDAR_NOLEAP,
    VVI_CALENDAR_ALL_LEAP,
    VVI_CALENDAR_360_DAY
} vvi_calendar;

typedef struct vvi_date {
    int64_t year;   /* 0 is the year before 1 */
    int month, day; /* from 1 */
    int hour, minute;
    double second;
} vvi_date;

/* What a number of an axis means: seconds = base + number × unit. Seconds are counted from an origin
 * of the calendar's own. */
typedef struct vvi_clock {
    vvi_calendar calendar;
    double base, unit;
} vvi_clock;

/* NULL and names of none: the standard one; false for these. */
bool vvi_calendar_by_name(const char *name, vvi_calendar *out);
/* False: units are no times, or the calendar is not known. */
bool vvi_clock_read(const char *units, const char *calendar, vvi_clock *out);

/* Days from the origin to the beginning of a date; months past 12 run on into the next years. */
int64_t vvi_days_of(vvi_calendar calendar, int64_t year, int64_t month, int64_t day);
double vvi_seconds_of(vvi_calendar calendar, const vvi_date *date);
/* seconds of at most some 10^15, else the date is that of the bound. */
vvi_date vvi_date_of(vvi_calendar calendar, double seconds);

#endif
