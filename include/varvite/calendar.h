/*
 * Times as the CF conventions write them (section 4.4): numbers in "hours since 1990-01-01", with a
 * calendar.
 *
 * Calendars: standard (also gregorian), proleptic_gregorian, julian, noleap (365_day), all_leap
 * (366_day), 360_day. Threads: any; nothing is shared.
 */
#ifndef VARVITE_CALENDAR_H
#define VARVITE_CALENDAR_H

#include <varvite/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Are these units of times? NULL is none. */
VV_API bool vv_calendar_is_time(const char *units);

/**
 * What a date names on an axis of times. The text is ISO 8601 as far as it goes: "1982" is a year,
 * "1982-07" a month, "1982-07-16" a day, "1982-07-16T12" an hour, "1982-07-16T12:30" a minute,
 * "1982-07-16T12:30:15" a second; a blank may stand for the T, and "Z" or "+02:00" behind a time.
 * Years have four digits at least, and may be negative.
 *
 * @param units     of the axis
 * @param calendar  of the axis; NULL: standard
 * @param first     where the year, month, … begins, in these units
 * @param end       where the next one begins
 * @return VV_OK
 *         VV_EINVAL        the text is no date, or one that the calendar lacks; the units are none of
 *                          times
 *         VV_EUNSUPPORTED  a calendar that is not known; the message names it
 */
VV_API vv_status vv_calendar_span(const char *units, const char *calendar,
                                  const char *text, double *first, double *end,
                                  vv_error *err);

/** A number of an axis of times as a date, "1982-07-16" or "1982-07-16T12:30"; %.17g of the number
 *  where it is none. @return bytes needed without the end, as snprintf */
VV_API size_t vv_calendar_date(const char *units, const char *calendar, double value,
                               char *out, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
