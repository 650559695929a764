/* Dates as numbers of an axis, and back. */
#include "support/support.h"

#include <varvite/calendar.h>

#include <stdio.h>

static void assert_span(const char *units, const char *calendar, const char *text,
                        double first, double end)
{
    vv_error err = VV_ERROR_INIT;
    double a = -1, b = -1;

    assert_vv_ok(vv_calendar_span(units, calendar, text, &a, &b, &err));
    if (a != first || b != end)
        fail_msg("%s: %.17g to %.17g, not %.17g to %.17g", text, a, b, first, end);
}

static void a_date_is_as_long_as_it_says(void **state)
{
    const char *days = "days since 2000-01-01";

    (void)state;
    assert_span(days, NULL, "2000", 0, 366);
    assert_span(days, "", "2000-02", 31, 60);
    assert_span(days, "standard", "2000-02-29", 59, 60);
    assert_span(days, NULL, "2000-12", 335, 366);
    assert_span("hours since 2000-01-01", NULL, "2000-01-02T06", 30, 31);
    assert_span("minutes since 2000-01-01", NULL, "2000-01-01 06:30", 390, 391);
    assert_span("seconds since 2000-01-01", NULL, "2000-01-01T00:00:15.5", 15.5, 16.5);
    assert_span("hours since 2000-01-01", NULL, "2000-01-01T06Z", 6, 7);
    assert_span("hours since 2000-01-01", NULL, "2000-01-01T06+02", 4, 5);
    assert_span("minutes since 2000-01-01", NULL, "2000-01-01T06:00-0530", 690, 691);
    assert_span("hours since 2000-01-01 12:00:00", NULL, "2000-01-01", -12, 12);
}

static void calendars_have_days_of_their_own(void **state)
{
    const char *days = "days since 2000-01-01";

    (void)state;
    assert_span(days, "noleap", "2000", 0, 365);
    assert_span(days, "365_day", "2001-01", 365, 396);
    assert_span(days, "all_leap", "2001", 366, 732);
    assert_span(days, "360_day", "2000-02-30", 59, 60);
    assert_span(days, "360_day", "2001", 360, 720);
    assert_span("days since 0001-01-01", "julian", "0004-02-29", 1154, 1155);
    assert_span("days since 1582-10-04", "Gregorian", "1582-10-15", 1, 2);
    assert_span("days since 1582-10-04", "proleptic_gregorian", "1582-10-15", 11, 12);
    assert_span("days since 0000-01-01", NULL, "-0001", -365, 0);
}

static void assert_refused(const char *units, const char *calendar, const char *text,
                           vv_status status, const char *why)
{
    vv_error err = VV_ERROR_INIT;
    double a, b;

    if (vv_calendar_span(units, calendar, text, &a, &b, &err) != status)
        fail_msg("%s is not refused", text);
    if (!strstr(err.message, why))
        fail_msg("%s: %s", text, err.message);
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "82",
        "1982-",
        "1982-7",
        "1982-00",
        "1982-13",
        "1982-07-00",
        "1982-07-32",
        "1982-07-16T",
        "1982-07-16T24",
        "1982-07T12",
        "19820716",
        "1982-07-16T6",
        "1982-07-16x",
        "1982-07-16T12:",
        "+1982",
        "1982-07-16Z",
        "12345678-01",
        "1982-07-16T12:60",
        "july",
        "1982-07-16T12:00:60",
        "1982-07-16T12:00+",
        "1982-07-16T12:00+2:00",
    };
    const char *days = "days since 2000-01-01";

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_refused(days, NULL, wrong[i], VV_EINVAL, "is no date");
    assert_refused(days, NULL, "1982-02-29", VV_EINVAL, "'standard' has no day");
    assert_refused(days, NULL, "1582-10-10", VV_EINVAL, "has no day");
    assert_refused(days, "360_day", "1982-01-31", VV_EINVAL, "'360_day' has no day");
    assert_refused(days, "noleap", "2000-02-29", VV_EINVAL, "'noleap' has no day");
    assert_refused(days, "lunar", "1982", VV_EUNSUPPORTED, "'lunar' is not known");
    assert_refused("degrees_north", NULL, "1982", VV_EINVAL, "'degrees_north'");
    assert_refused(NULL, NULL, "1982", VV_EINVAL, "no units of times");
    assert_true(vv_calendar_is_time("days since 1-1-1"));
    assert_false(vv_calendar_is_time("days"));
    assert_false(vv_calendar_is_time(NULL));
}

static void assert_date(const char *calendar, double value, const char *want)
{
    char text[64];

    size_t n = vv_calendar_date("hours since 1999-12-31", calendar, value, text,
                                sizeof(text));
    assert_string_equal(text, want);
    assert_int_equal(n, strlen(want));
}

static void numbers_are_written_as_dates(void **state)
{
    char small[5];

    (void)state;
    assert_date(NULL, 0, "1999-12-31");
    assert_date("noleap", 24 * 60, "2000-03-01");
    assert_date("standard", 24 * 60, "2000-02-29");
    assert_date(NULL, 6.5, "1999-12-31T06:30");
    assert_date(NULL, 0.5 / 3600, "1999-12-31T00:00:00.5");
    assert_date(NULL, 2.0 / 3600, "1999-12-31T00:00:02");
    assert_date(NULL, -24 * 365.25 * 2000 - 24 * 20, "-0001-11-28");
    assert_date("lunar", 2.5, "2.5");
    assert_date(NULL, 1e200, "9.9999999999999997e+199");
    assert_int_equal(vv_calendar_date("days since 2000-01-01", NULL, 0, small, 5), 10);
    assert_string_equal(small, "2000");
}

/* Every date that is written is read as the number it was. */
static void dates_come_back(void **state)
{
    static const char *const calendars[] = { "standard", "proleptic_gregorian",
                                             "julian",   "noleap",
                                             "all_leap", "360_day" };
    uint64_t seed = 7;
    vv_error err = VV_ERROR_INIT;
    char text[64];
    double first, end;

    (void)state;
    for (int i = 0; i < 30000; i++) {
        const char *calendar = calendars[i % 6];
        double value = (double)(next_random(&seed) % 2000000000) - 1000000000;
        vv_calendar_date("minutes since 2000-01-01", calendar, value, text, sizeof(text));
        assert_vv_ok(vv_calendar_span("minutes since 2000-01-01", calendar, text, &first,
                                      &end, &err));
        if (first != value)
            fail_msg("%s: %s is %.17g, not %.17g", calendar, text, first, value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_date_is_as_long_as_it_says),
        cmocka_unit_test(calendars_have_days_of_their_own),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(numbers_are_written_as_dates),
        cmocka_unit_test(dates_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
