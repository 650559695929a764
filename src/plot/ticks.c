#include "plot/ticks.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MINUS "\xe2\x88\x92"

void vvi_number_label(double value, int decimals, char out[VVI_LABEL_SIZE])
{
    char text[VVI_LABEL_SIZE];

    snprintf(text, sizeof(text), "%.*f", decimals, fabs(value));
    bool zero = !text[strspn(text, "0.")];
    snprintf(out, VVI_LABEL_SIZE, "%s%.40s", value < 0 && !zero ? MINUS : "", text);
}

void vvi_power_label(int exponent, char out[VVI_LABEL_SIZE])
{
    static const char *const raised[] = {
        "⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"
    };
    char digits[16];

    snprintf(digits, sizeof(digits), "%d", exponent < 0 ? -exponent : exponent);
    strcpy(out, exponent < 0 ? "10⁻" : "10");
    for (const char *at = digits; *at; at++)
        strcat(out, raised[*at - '0']);
}

/* How many decimals a step needs so that its multiples differ as they should. */
static int decimals_of(double step)
{
    int decimals = 0;

    while (decimals < 12 && fabs(step - rint(step)) > 1e-6 * step) {
        step *= 10;
        decimals++;
    }
    return decimals;
}

double vvi_nice_step(double span, unsigned wanted)
{
    static const double nice[] = { 1, 2, 2.5, 5, 10 };
    double rough = span / wanted;
    double power = pow(10, floor(log10(rough)));

    for (size_t i = 0; i < sizeof(nice) / sizeof(*nice); i++) {
        if (rough <= nice[i] * power * (1 + 1e-9))
            return nice[i] * power;
    }
    return 10 * power;
}

static vvi_tick *add(vvi_ticks *ticks, double value)
{
    if (ticks->count == VVI_TICKS_MAX)
        return NULL;
    vvi_tick *tick = &ticks->ticks[ticks->count++];
    *tick = (vvi_tick){ .value = value };
    return tick;
}

/* Every multiple of step within the bounds, and as much past them as rounding takes. */
static void add_multiples(vvi_ticks *out, double low, double high, double step)
{
    double first = ceil(low / step - 1e-6), last = floor(high / step + 1e-6);

    out->count = 0;
    for (double k = first; k <= last && add(out, k * step); k++)
        ;
}

void vvi_ticks_plain(double low, double high, unsigned wanted, vvi_ticks *out)
{
    double step = vvi_nice_step(high - low, wanted);
    double size = fmax(fabs(low), fabs(high));

    out->exponent = 0;
    add_multiples(out, low, high, step);
    if (size >= 1e5 || size < 1e-3)
        out->exponent = 3 * (int)floor(log10(size) / 3);
    double unit = pow(10, out->exponent);
    int decimals = decimals_of(step / unit);
    for (size_t i = 0; i < out->count; i++)
        vvi_number_label(out->ticks[i].value / unit, decimals, out->ticks[i].label);
}

static void log_label(int power, int digit, char out[VVI_LABEL_SIZE])
{
    char raised[VVI_LABEL_SIZE];

    if (power >= -3 && power <= 4) {
        vvi_number_label(digit * pow(10, power), power < 0 ? -power : 0, out);
        return;
    }
    vvi_power_label(power, raised);
    if (digit == 1)
        strcpy(out, raised);
    else
        snprintf(out, VVI_LABEL_SIZE, "%d×%.40s", digit, raised);
}

void vvi_ticks_log(double low, double high, unsigned wanted, vvi_ticks *out)
{
    int first = (int)floor(log10(low)), last = (int)ceil(log10(high));
    int step = (int)ceil((last - first) / (double)wanted);
    bool few = high / low <= 200; /* also label 2 and 5 */

    out->count = 0;
    out->exponent = 0;
    step = step < 1 ? 1 : step;
    for (int power = first; power <= last; power += 1) {
        for (int digit = 1; digit < 10; digit++) {
            double value = digit * pow(10, power);
            bool labelled = (digit == 1 && power % step == 0) ||
                            (few && (digit == 2 || digit == 5));
            if (value < low * (1 - 1e-9) || value > high * (1 + 1e-9) ||
                (!labelled && last - first > 6))
                continue;
            vvi_tick *tick = add(out, value);
            if (tick && labelled)
                log_label(power, digit, tick->label);
        }
    }
}

/* ---- degrees --------------------------------------------------------------------------------- */

void vvi_degree_label(vvi_degrees kind, double value, int decimals,
                      char out[VVI_LABEL_SIZE])
{
    const char *side = "";
    char number[VVI_LABEL_SIZE];

    if (kind == VVI_DEGREES_LONGITUDE) {
        value = remainder(value, 360); /* -180 … 180 */
        side = value > 0 ? "E" : "W";
    } else if (kind == VVI_DEGREES_LATITUDE) {
        side = value > 0 ? "N" : "S";
    }
    vvi_number_label(kind == VVI_DEGREES_PLAIN ? value : fabs(value), decimals, number);
    bool zero = !number[strspn(number, "0.")];
    bool half = kind == VVI_DEGREES_LONGITUDE && fabs(value) == 180;
    snprintf(out, VVI_LABEL_SIZE, "%.40s°%s", zero ? "0" : number,
             zero || half ? "" : side);
}

void vvi_ticks_degrees(vvi_degrees kind, double low, double high, unsigned wanted,
                       vvi_ticks *out)
{
    static const double nice[] = { 1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 180 };
    double rough = (high - low) / wanted, step = 180;

    if (rough < 1)
        step = vvi_nice_step(high - low, wanted);
    for (size_t i = sizeof(nice) / sizeof(*nice); rough >= 1 && i-- > 0;) {
        if (rough <= nice[i] * (1 + 1e-9))
            step = nice[i];
    }
    out->exponent = 0;
    add_multiples(out, low, high, step);
    for (size_t i = 0; i < out->count; i++)
        vvi_degree_label(kind, out->ticks[i].value, decimals_of(step),
                         out->ticks[i].label);
}

/* ---- dates ----------------------------------------------------------------------------------- */

static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

void vvi_date_label(const vvi_date *date, char out[VVI_LABEL_SIZE])
{
    int year = (int)(date->year < 0 ? -date->year : date->year) % 1000000000;
    int n = date->year == 0 /* any year, in climatologies */
                ? snprintf(out, VVI_LABEL_SIZE, "%d %s", date->day,
                           months[date->month - 1])
                : snprintf(out, VVI_LABEL_SIZE, "%s%04d-%02d-%02d",
                           date->year < 0 ? MINUS : "", year, date->month, date->day);

    if (date->hour || date->minute || date->second >= 0.5)
        n += snprintf(out + n, VVI_LABEL_SIZE - (size_t)n, " %02d:%02d", date->hour,
                      date->minute);
    if (date->second >= 0.5 && date->second < 59.5)
        snprintf(out + n, VVI_LABEL_SIZE - (size_t)n, ":%02.0f", date->second);
}

/* What the steps of a date axis are counted in. */
typedef enum span {
    SPAN_SECOND,
    SPAN_MINUTE,
    SPAN_HOUR,
    SPAN_DAY,
    SPAN_MONTH,
    SPAN_YEAR
} span;

typedef struct date_step {
    span span;
    int64_t count;
} date_step;

static double seconds_of(date_step step)
{
    static const double seconds[] = {
        1, 60, 3600, 86400, 30.436875 * 86400, 365.2425 * 86400
    };

    return seconds[step.span] * (double)step.count;
}

static date_step step_for(double seconds, unsigned wanted)
{
    static const date_step steps[] = {
        { SPAN_SECOND, 1 },  { SPAN_SECOND, 2 },  { SPAN_SECOND, 5 },
        { SPAN_SECOND, 10 }, { SPAN_SECOND, 15 }, { SPAN_SECOND, 30 },
        { SPAN_MINUTE, 1 },  { SPAN_MINUTE, 2 },  { SPAN_MINUTE, 5 },
        { SPAN_MINUTE, 10 }, { SPAN_MINUTE, 15 }, { SPAN_MINUTE, 30 },
        { SPAN_HOUR, 1 },    { SPAN_HOUR, 2 },    { SPAN_HOUR, 3 },
        { SPAN_HOUR, 6 },    { SPAN_HOUR, 12 },   { SPAN_DAY, 1 },
        { SPAN_DAY, 2 },     { SPAN_DAY, 5 },     { SPAN_DAY, 10 },
        { SPAN_MONTH, 1 },   { SPAN_MONTH, 2 },   { SPAN_MONTH, 3 },
        { SPAN_MONTH, 6 },   { SPAN_YEAR, 1 },    { SPAN_YEAR, 2 },
        { SPAN_YEAR, 5 },
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        if (seconds / seconds_of(steps[i]) <= wanted)
            return steps[i];
    }
    double years = seconds / seconds_of((date_step){ SPAN_YEAR, 1 });
    double count = vvi_nice_step(years, wanted);
    return (date_step){ SPAN_YEAR, count < 10 ? 10 : (int64_t)count };
}

/* The date at or before this one at which a mark may stand. */
static vvi_date round_down(vvi_date date, date_step step)
{
    int64_t n = step.count;
    vvi_date out = { .year = date.year, .month = 1, .day = 1 };

    if (step.span == SPAN_YEAR)
        out.year -= ((date.year % n) + n) % n;
    if (step.span == SPAN_MONTH)
        out.month = (int)((date.month - 1) / n * n) + 1;
    if (step.span <= SPAN_DAY)
        out.month = date.month;
    if (step.span == SPAN_DAY)
        out.day = (int)((date.day - 1) / n * n) + 1;
    if (step.span <= SPAN_HOUR)
        out.day = date.day;
    if (step.span == SPAN_HOUR)
        out.hour = (int)(date.hour / n * n);
    if (step.span <= SPAN_MINUTE)
        out.hour = date.hour;
    if (step.span == SPAN_MINUTE)
        out.minute = (int)(date.minute / n * n);
    if (step.span == SPAN_SECOND) {
        out.minute = date.minute;
        out.second = floor(date.second / (double)n) * (double)n;
    }
    return out;
}

/* The next mark. Days begin anew with each month, and keep clear of its end. */
static vvi_date step_on(vvi_calendar calendar, vvi_date date, date_step step)
{
    if (step.span == SPAN_YEAR) {
        date.year += step.count;
        return date;
    }
    if (step.span == SPAN_MONTH) {
        int64_t month = date.month - 1 + step.count;
        date.year += month / 12;
        date.month = (int)(month % 12) + 1;
        return date;
    }
    vvi_date next = vvi_date_of(calendar,
                                vvi_seconds_of(calendar, &date) + seconds_of(step));
    if (step.span == SPAN_DAY && step.count > 1 &&
        (next.month != date.month || next.day + step.count / 2 > 31)) {
        vvi_date first = { .year = date.year, .month = date.month, .day = 1 };
        return step_on(calendar, first, (date_step){ SPAN_MONTH, 1 });
    }
    return next;
}

/* What changes more slowly than the marks, for the line below. */
static void slow_part(const vvi_date *date, span by, bool any_year,
                      char out[VVI_LABEL_SIZE])
{
    *out = '\0';
    if (by == SPAN_YEAR)
        return;
    if (by < SPAN_DAY && any_year)
        snprintf(out, VVI_LABEL_SIZE, "%d %s", date->day, months[date->month - 1]);
    else if (by < SPAN_DAY)
        vvi_date_label(
            &(vvi_date){ .year = date->year, .month = date->month, .day = date->day },
            out);
    else if (by == SPAN_DAY && any_year)
        snprintf(out, VVI_LABEL_SIZE, "%s", months[date->month - 1]);
    else if (by == SPAN_DAY)
        snprintf(out, VVI_LABEL_SIZE, "%s %" PRId64, months[date->month - 1], date->year);
    else if (!any_year)
        snprintf(out, VVI_LABEL_SIZE, "%" PRId64, date->year);
}

static void fast_part(const vvi_date *date, span by, char out[VVI_LABEL_SIZE])
{
    switch (by) {
    case SPAN_SECOND:
        snprintf(out, VVI_LABEL_SIZE, "%02d:%02d:%02.0f", date->hour, date->minute,
                 date->second);
        break;
    case SPAN_MINUTE:
    case SPAN_HOUR:
        snprintf(out, VVI_LABEL_SIZE, "%02d:%02d", date->hour, date->minute);
        break;
    case SPAN_DAY:
        snprintf(out, VVI_LABEL_SIZE, "%d", date->day);
        break;
    case SPAN_MONTH:
        snprintf(out, VVI_LABEL_SIZE, "%s", months[date->month - 1]);
        break;
    case SPAN_YEAR:
        vvi_number_label((double)date->year, 0, out);
        break;
    }
}

void vvi_ticks_dates(const vvi_clock *clock, double low, double high, unsigned wanted,
                     vvi_ticks *out)
{
    double from = clock->base + low * clock->unit, to = clock->base + high * clock->unit;
    char before[VVI_LABEL_SIZE] = "", slow[VVI_LABEL_SIZE];

    out->count = 0;
    out->exponent = 0;
    if (!(to - from >= (double)wanted / 2) || !(fabs(from) <= 1e14) ||
        !(fabs(to) <= 1e14)) {
        vvi_ticks_plain(low, high, wanted, out); /* no dates that people know */
        return;
    }
    date_step step = step_for(to - from, wanted);
    vvi_date first = vvi_date_of(clock->calendar, from),
             last = vvi_date_of(clock->calendar, to);
    bool any_year = first.year == 0 && last.year - first.year <= 1; /* of a climatology */
    double slack = (to - from) * 1e-9;
    for (vvi_date date = round_down(first, step);;
         date = step_on(clock->calendar, date, step)) {
        double seconds = vvi_seconds_of(clock->calendar, &date);
        if (seconds > to + slack)
            return;
        if (seconds < from - slack)
            continue;
        vvi_tick *tick = add(out, (seconds - clock->base) / clock->unit);
        if (!tick)
            return;
        fast_part(&date, step.span, tick->label);
        slow_part(&date, step.span, any_year, slow);
        if (strcmp(slow, before) != 0)
            strcpy(tick->below, slow);
        strcpy(before, slow);
    }
}
