/* Calendars, marks, labels and colours. */
#include "support/support.h"

#include "plot/axis.h"
#include "plot/color.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

/* ---- calendars -------------------------------------------------------------------------------- */

static const vvi_calendar calendars[] = { VVI_CALENDAR_STANDARD, VVI_CALENDAR_PROLEPTIC,
                                          VVI_CALENDAR_JULIAN,   VVI_CALENDAR_NOLEAP,
                                          VVI_CALENDAR_ALL_LEAP, VVI_CALENDAR_360_DAY };

static void every_day_has_a_date_and_leads_to_the_next(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof(calendars) / sizeof(*calendars); c++) {
        vvi_calendar calendar = calendars[c];
        int64_t from = vvi_days_of(calendar, -8, 1, 1),
                to = vvi_days_of(calendar, 2105, 1, 1);
        vvi_date before = vvi_date_of(calendar, (double)(from - 1) * 86400);
        assert_true(before.year == -9 && before.month == 12 && before.day >= 30);
        for (int64_t day = from; day < to; day++) {
            vvi_date date = vvi_date_of(calendar, (double)day * 86400);
            bool reform = calendar == VVI_CALENDAR_STANDARD && date.year == 1582 &&
                          date.month == 10 && date.day == 15;
            bool next_day = date.month == before.month && date.day == before.day + 1;
            bool next_month = date.day == 1 && (date.month == before.month + 1 ||
                                                (date.month == 1 && before.month == 12 &&
                                                 date.year == before.year + 1));
            if (!next_day && !next_month && !reform)
                fail_msg("calendar %d: %d-%d-%d after %d-%d-%d", (int)calendar,
                         (int)date.year, date.month, date.day, (int)before.year,
                         before.month, before.day);
            assert_int_equal(vvi_days_of(calendar, date.year, date.month, date.day), day);
            before = date;
        }
    }
}

static void the_calendar_of_today_is_that_of_the_system(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        time_t at = (time_t)(next_random(&seed) % 8000000000ull);
        vvi_clock clock;
        struct tm tm;
        gmtime_r(&at, &tm);
        assert_true(vvi_clock_read("seconds since 1970-01-01", NULL, &clock));
        vvi_date date = vvi_date_of(clock.calendar, clock.base + (double)at * clock.unit);
        assert_true(date.year == tm.tm_year + 1900 && date.month == tm.tm_mon + 1 &&
                    date.day == tm.tm_mday && date.hour == tm.tm_hour &&
                    date.minute == tm.tm_min && lrint(date.second) == tm.tm_sec);
    }
}

static void assert_date(const char *units, const char *calendar, double value,
                        const char *want)
{
    vv_plot_axis axis = { .units = units, .calendar = calendar };
    char text[64];

    vv_plot_coordinate(&axis, value, text, sizeof(text));
    assert_string_equal(text, want);
}

static void times_are_dates_of_their_calendar(void **state)
{
    vvi_clock clock;

    (void)state;
    assert_date("days since 2000-01-01", "standard", 59, "2000-02-29");
    assert_date("days since 2000-01-01", "noleap", 59, "2000-03-01");
    assert_date("days since 2000-01-01", "360_day", 59, "2000-02-30");
    assert_date("days since 2001-01-01", "all_leap", 59, "2001-02-29");
    assert_date("days since 1582-10-01", NULL, 3, "1582-10-04");
    assert_date("days since 1582-10-01", NULL, 4, "1582-10-15");
    assert_date("days since 1582-10-01", "proleptic_gregorian", 4, "1582-10-05");
    assert_date("days since 1900-02-28", "julian", 1, "1900-02-29");
    assert_date("days since 1900-02-28", "gregorian", 1, "1900-03-01");
    assert_date("hours since 1990-12-31 18:00:00", NULL, 6.5, "1991-01-01 00:30");
    assert_date("hours since 1990-12-31 18:00:00 +02:00", NULL, 0, "1990-12-31 16:00");
    assert_date("seconds since 1970-01-01T00:00:00Z", NULL, 86399.9999, "1970-01-02");
    assert_date("Minutes since 1970-1-1", NULL, 90.25, "1970-01-01 01:30:15");
    assert_date("months since 0003-01-01", "360_day", 13, "0004-02-01");
    assert_false(vvi_clock_read("days", NULL, &clock));
    assert_false(vvi_clock_read("days since", NULL, &clock));
    assert_false(vvi_clock_read("days since yesterday", NULL, &clock));
    assert_false(vvi_clock_read("furlongs since 1970-01-01", NULL, &clock));
    assert_false(vvi_clock_read("days since 1970-13-01", NULL, &clock));
    assert_false(vvi_clock_read("days since 99999999999999999999-01-01", NULL, &clock));
    assert_false(vvi_clock_read(NULL, NULL, &clock));
}

/* ---- marks ------------------------------------------------------------------------------------ */

static const char *joined(const vvi_ticks *ticks)
{
    static char text[2048];

    *text = '\0';
    for (size_t i = 0; i < ticks->count; i++) {
        const vvi_tick *tick = &ticks->ticks[i];
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s%s%s",
                 i ? " " : "", tick->label, *tick->below ? "/" : "", tick->below);
    }
    return text;
}

static void assert_plain(double low, double high, unsigned wanted, const char *want,
                         int exponent)
{
    static vvi_ticks ticks;

    vvi_ticks_plain(low, high, wanted, &ticks);
    assert_string_equal(joined(&ticks), want);
    assert_int_equal(ticks.exponent, exponent);
}

static void marks_stand_at_numbers_that_people_like(void **state)
{
    (void)state;
    assert_plain(0, 10, 5, "0 2 4 6 8 10", 0);
    assert_plain(-2.6, 33.15, 7, "0 10 20 30", 0);
    assert_plain(-7, 7, 7, "−6 −4 −2 0 2 4 6", 0);
    assert_plain(0, 1, 4, "0.00 0.25 0.50 0.75 1.00", 0);
    assert_plain(0.1, 0.3, 4, "0.10 0.15 0.20 0.25 0.30", 0);
    assert_plain(0, 3e6, 3, "0 1 2 3", 6);
    assert_plain(-4e-5, 4e-5, 4, "−40 −20 0 20 40", -6);
    assert_plain(101300, 101325, 5, "101.300 101.305 101.310 101.315 101.320 101.325", 3);
}

static void plain_marks_are_even_and_inside(void **state)
{
    static vvi_ticks ticks;
    uint64_t seed = 3;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        double size = pow(10, (double)(next_random(&seed) % 400) / 10 - 20);
        double low = ((double)(next_random(&seed) % 2001) - 1000) / 1000 * size;
        double span = size * (1 + (double)(next_random(&seed) % 1000)) / 1000;
        unsigned wanted = 2 + (unsigned)(next_random(&seed) % 12);
        vvi_ticks_plain(low, low + span, wanted, &ticks);
        assert_true(ticks.count >= 1 && ticks.count <= wanted + 2);
        for (size_t k = 0; k < ticks.count; k++) {
            assert_true(ticks.ticks[k].value >= low - span * 1e-5 &&
                        ticks.ticks[k].value <= low + span * (1 + 1e-5));
            double back = 0;
            char ascii[VVI_LABEL_SIZE];
            const char *label = ticks.ticks[k].label;
            bool minus = strncmp(label, "−", 3) == 0;
            snprintf(ascii, sizeof(ascii), "%s%s", minus ? "-" : "",
                     label + (minus ? 3 : 0));
            back = strtod(ascii, NULL) * pow(10, ticks.exponent);
            assert_true(fabs(back - ticks.ticks[k].value) <= span * 1e-3);
        }
    }
}

static void logarithmic_marks_stand_at_powers(void **state)
{
    static vvi_ticks ticks;

    (void)state;
    vvi_ticks_log(1, 1000, 5, &ticks);
    assert_int_equal(ticks.count, 28);
    assert_string_equal(ticks.ticks[0].label, "1");
    assert_string_equal(ticks.ticks[9].label, "10");
    assert_string_equal(ticks.ticks[27].label, "1000");
    vvi_ticks_log(0.8, 30, 5, &ticks);
    assert_string_equal(joined(&ticks), "  1 2   5     10 20 ");
    vvi_ticks_log(1e-12, 1e12, 6, &ticks);
    assert_string_equal(joined(&ticks), "10⁻¹² 10⁻⁸ 10⁻⁴ 1 10000 10⁸ 10¹²");
}

static void degrees_have_sides(void **state)
{
    static vvi_ticks ticks;

    (void)state;
    vvi_ticks_degrees(VVI_DEGREES_LATITUDE, -90, 90, 7, &ticks);
    assert_string_equal(joined(&ticks), "90°S 60°S 30°S 0° 30°N 60°N 90°N");
    vvi_ticks_degrees(VVI_DEGREES_LONGITUDE, 20, 380, 6, &ticks);
    assert_string_equal(joined(&ticks), "60°E 120°E 180° 120°W 60°W 0°");
    vvi_ticks_degrees(VVI_DEGREES_LONGITUDE, -10, 10, 4, &ticks);
    assert_string_equal(joined(&ticks), "10°W 5°W 0° 5°E 10°E");
    vvi_ticks_degrees(VVI_DEGREES_PLAIN, -20, 20, 4, &ticks);
    assert_string_equal(joined(&ticks), "−20° −10° 0° 10° 20°");
    vvi_ticks_degrees(VVI_DEGREES_LATITUDE, 52, 52.5, 5, &ticks);
    assert_string_equal(joined(&ticks), "52.0°N 52.1°N 52.2°N 52.3°N 52.4°N 52.5°N");
}

static void assert_dates(const char *units, const char *calendar, double low, double high,
                         unsigned wanted, const char *want)
{
    static vvi_ticks ticks;
    vvi_clock clock;

    assert_true(vvi_clock_read(units, calendar, &clock));
    vvi_ticks_dates(&clock, low, high, wanted, &ticks);
    assert_string_equal(joined(&ticks), want);
}

static void dates_are_marked_by_what_changes(void **state)
{
    (void)state;
    assert_dates("days since 1990-01-01", NULL, 0, 3651, 6, "1990 1992 1994 1996 1998");
    assert_dates("days since 1990-11-01", NULL, 0, 150, 6,
                 "Nov/1990 Dec Jan/1991 Feb Mar");
    assert_dates("days since 2000-01-01", "360_day", 0, 359, 5, "Jan/2000 Apr Jul Oct");
    assert_dates("days since 2000-01-28", "noleap", 0, 40, 6,
                 "1/Feb 2000 11 21 1/Mar 2000");
    assert_dates("hours since 1999-12-31 12:00", NULL, 0, 24, 5,
                 "12:00/1999-12-31 18:00 00:00/2000-01-01 06:00 12:00");
    assert_dates("hours since 0000-01-01", NULL, 366, 8401, 6, "Mar May Jul Sep Nov");
    assert_dates("days since 0001-01-01", "standard", -5e5, 7e5, 6, "−1000 0 1000");
    /* Nothing that dates could be written for. */
    assert_dates("days since 2000-01-01", NULL, 1e30, 2e30, 4,
                 "1.00 1.25 1.50 1.75 2.00");
}

/* ---- axes ------------------------------------------------------------------------------------- */

static void places_reach_half_way_to_their_neighbours(void **state)
{
    const double depths[4] = { 0, 10, 30, 100 }, falling[3] = { 89, 87, 85 },
                 mess[3] = { 1, 3, 2 };
    vv_plot_axis given = { .values = depths, .count = 4 };
    vv_error err = VV_ERROR_INIT;
    vvi_axis axis;

    (void)state;
    vvi_axis_init(&axis, &given);
    assert_vv_ok(vvi_axis_edges(&axis, &err));
    assert_true(axis.edges[0] == -5 && axis.edges[1] == 5 && axis.edges[2] == 20 &&
                axis.edges[3] == 65 && axis.edges[4] == 135);
    assert_int_equal(vvi_axis_place(&axis, 19.9), 1);
    assert_int_equal(vvi_axis_place(&axis, 20), 2);
    assert_int_equal(vvi_axis_place(&axis, 136), 4);
    vvi_axis_clear(&axis);

    given = (vv_plot_axis){ .values = falling, .count = 3, .units = "degrees_north" };
    vvi_axis_init(&axis, &given);
    assert_int_equal(axis.kind, VVI_AXIS_LATITUDE);
    assert_vv_ok(vvi_axis_edges(&axis, &err));
    assert_true(axis.low == 84 && axis.high == 90); /* and not past the pole */
    assert_int_equal(vvi_axis_place(&axis, 89.5), 0);
    assert_int_equal(vvi_axis_place(&axis, 84.5), 2);
    vvi_axis_clear(&axis);

    given = (vv_plot_axis){ .values = mess, .count = 3, .units = "degrees_north" };
    vvi_axis_init(&axis, &given);
    assert_int_equal(axis.kind, VVI_AXIS_PLAIN);
    assert_null(axis.values);
}

static void units_are_set_as_in_print(void **state)
{
    static const char *const pairs[][2] = {
        { "m s-1", "m s⁻¹" },
        { "W m-2", "W m⁻²" },
        { "kg m**2", "kg m²" },
        { "m^2/s", "m²/s" },
        { "degC", "°C" },
        { "Deg C", "°C" },
        { "1", "" },
        { "K", "K" },
        { "10^3 km", "10³ km" },
        { "10^6", "10⁶" },
        { "1E11 W", "10¹¹ W" },
        { "1e-3", "10⁻³" },
        { "0.001", "10⁻³" },
        { "1.e+06 m3 s-1", "10⁶ m³ s⁻¹" },
        { "1e6 degC", "10⁶ °C" },
        { "2.5e-3 kg m-2", "2.5×10⁻³ kg m⁻²" },
        { "10E11 W", "10×10¹¹ W" },
        { "x10**6 km^2", "10⁶ km²" },
        { "4 x 10^22 J", "4×10²² J" },
        { "1e0 m", "m" },
        { "100 m", "100 m" },
        { "W m^{-2}", "W m⁻²" },
        { "$m s^{-1}$", "m s⁻¹" },
        { "kg.m-2.s-1", "kg·m⁻²·s⁻¹" },
        { "kg*m", "kg·m" },
        { "a.u.", "a.u." },
        { "mol/m3", "mol/m³" },
        { "1/s", "s⁻¹" },
        { "LOG10 #OBS", "LOG₁₀ #OBS" },
        { "umol CO2 m-2 s-1", "umol CO₂ m⁻² s⁻¹" },
        { "PM10", "PM10" },
        { "PM2.5", "PM2.5" },
        { "m^", "m^" },
        { "m^{2", "m^{2" },
        { "m^99999", "m^99999" },
        { "1e99999 m", "1e99999 m" },
        { "1e", "1e" },
        { "kg m-2 s-1", "kg m⁻² s⁻¹" },
        { "µmol l-1", "µmol l⁻¹" },
    };
    char text[VVI_UNITS_SIZE], label[VVI_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        vvi_units_text(pairs[i][0], text, sizeof(text));
        assert_string_equal(text, pairs[i][1]);
    }
    vvi_units_text("°°°°", text, 4); /* never half of a character */
    assert_string_equal(text, "°");
    vvi_label_text("SST", "degC", label);
    assert_string_equal(label, "SST (°C)");
    vvi_label_text("SST", NULL, label);
    assert_string_equal(label, "SST");
}

/* Of numbers and units there is one power of ten. */
static void powers_of_numbers_and_units_are_one(void **state)
{
    char label[VVI_TEXT_SIZE], name[400];
    vvi_axis axis;

    (void)state;
    vvi_axis_of_values(&axis, "Heat", "1E11 W", 0, 3e6, false, false, 3);
    assert_string_equal(axis.label, "Heat (10¹⁷ W)");
    vvi_axis_of_values(&axis, "Heat", "1E11 W", 0, 30, false, false, 3);
    assert_string_equal(axis.label, "Heat (10¹¹ W)");
    vvi_axis_of_values(&axis, "Mass", "1e-6 kg", 0, 3e6, false, false, 3);
    assert_string_equal(axis.label, "Mass (kg)");
    vvi_axis_of_values(&axis, NULL, "W", 0, 3e6, false, false, 3);
    assert_string_equal(axis.label, "×10⁶ W");
    vvi_axis_of_values(&axis, "Area", NULL, 0, 3e6, false, false, 3);
    assert_string_equal(axis.label, "Area (10⁶)");
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    vvi_label_text(name, "1e3 m", label);
    assert_string_equal(strchr(label, ' '), " (10³ m)");
    vv_plot_coordinate(&(vv_plot_axis){ .units = "1E11 W" }, 2.5, label, sizeof(label));
    assert_string_equal(label, "2.5×10¹¹ W");
}

/* ---- colours ---------------------------------------------------------------------------------- */

static double far(vvi_rgb a, vvi_rgb b)
{
    vvi_oklab x = vvi_oklab_of(a), y = vvi_oklab_of(b);

    return sqrt((x.l - y.l) * (x.l - y.l) + (x.a - y.a) * (x.a - y.a) +
                (x.b - y.b) * (x.b - y.b));
}

static void colours_change_in_even_steps(void **state)
{
    static vvi_colors colors;
    const char *name;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t m = 0; (name = vv_plot_color_map(m)); m++) {
        bool arms = strcmp(name, "poles") == 0;
        double steps[16], least[2] = { 9, 9 }, most[2] = { 0, 0 };
        assert_vv_ok(vvi_colors_init(&colors, name, &err));
        for (int i = 0; i < 16; i++) {
            vvi_rgb a = vvi_colors_at(&colors, i / 16.0),
                    b = vvi_colors_at(&colors, (i + 1) / 16.0);
            int arm = arms && i >= 8;
            double rise = vvi_oklab_of(b).l - vvi_oklab_of(a).l;
            steps[i] = far(a, b);
            least[arm] = fmin(least[arm], steps[i]);
            most[arm] = fmax(most[arm], steps[i]);
            assert_true(arm ? rise < 0 : rise > 0); /* told apart without hue */
        }
        for (int arm = 0; arm <= arms; arm++) {
            if (most[arm] > 1.25 * least[arm])
                fail_msg("%s: steps of %g to %g", name, least[arm], most[arm]);
        }
    }
    assert_int_equal(vvi_colors_init(&colors, "rainbow", &err), VV_EINVAL);
    assert_non_null(strstr(err.message, "'rainbow'; there are tide"));
}

static void two_arms_meet_in_a_light_middle_and_are_alike(void **state)
{
    uint8_t middle[3], low[3], high[3];
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vv_plot_color("poles", 0.5, middle, &err));
    assert_true(middle[0] > 235 && middle[1] > 235 && middle[2] > 235);
    for (int i = 0; i <= 5; i++) {
        assert_vv_ok(vv_plot_color("poles", i / 10.0, low, &err));
        assert_vv_ok(vv_plot_color("poles", 1 - i / 10.0, high, &err));
        vvi_rgb a = { low[0], low[1], low[2] }, b = { high[0], high[1], high[2] };
        assert_true(fabs(vvi_oklab_of(a).l - vvi_oklab_of(b).l) < 0.03);
        assert_true(i == 5 ||
                    vvi_oklab_of(a).b < vvi_oklab_of(b).b); /* blue and not blue */
    }
}

static void colours_of_xterm_are_near(void **state)
{
    (void)state;
    assert_int_equal(vvi_xterm_of((vvi_rgb){ 0, 0, 0 }), 16);
    assert_int_equal(vvi_xterm_of((vvi_rgb){ 255, 255, 255 }), 231);
    assert_int_equal(vvi_xterm_of((vvi_rgb){ 255, 0, 0 }), 196);
    assert_int_equal(vvi_xterm_of((vvi_rgb){ 188, 188, 188 }), 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_has_a_date_and_leads_to_the_next),
        cmocka_unit_test(the_calendar_of_today_is_that_of_the_system),
        cmocka_unit_test(times_are_dates_of_their_calendar),
        cmocka_unit_test(marks_stand_at_numbers_that_people_like),
        cmocka_unit_test(plain_marks_are_even_and_inside),
        cmocka_unit_test(logarithmic_marks_stand_at_powers),
        cmocka_unit_test(degrees_have_sides),
        cmocka_unit_test(dates_are_marked_by_what_changes),
        cmocka_unit_test(places_reach_half_way_to_their_neighbours),
        cmocka_unit_test(units_are_set_as_in_print),
        cmocka_unit_test(powers_of_numbers_and_units_are_one),
        cmocka_unit_test(colours_change_in_even_steps),
        cmocka_unit_test(two_arms_meet_in_a_light_middle_and_are_alike),
        cmocka_unit_test(colours_of_xterm_are_near),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
