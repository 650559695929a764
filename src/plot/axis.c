#include "plot/axis.h"

#include "util/alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- kinds ----------------------------------------------------------------------------------- */

/* "degrees_north", "degree_N", "degreesN": CF, sections 4.1 and 4.2. */
static bool are_degrees(const char *units, const char *side)
{
    if (!units || strncasecmp(units, "degree", 6) != 0)
        return false;
    units += 6;
    units += *units == 's' || *units == 'S';
    units += *units == '_' || *units == ' ';
    return strcasecmp(units, side) == 0 ||
           (strlen(units) == 1 && (units[0] | 0x20) == *side);
}

/* Do coordinates rise or fall throughout? */
static bool are_ordered(const double *values, size_t count, bool *rising)
{
    *rising = count < 2 || values[1] > values[0];
    for (size_t i = 0; i < count; i++) {
        if (!(fabs(values[i]) <= VVI_NUMBER_MAX))
            return false;
        if (i && (*rising ? !(values[i] > values[i - 1]) : !(values[i] < values[i - 1])))
            return false;
    }
    return true;
}

void vvi_axis_init(vvi_axis *axis, const vv_plot_axis *given)
{
    *axis = (vvi_axis){ .count = given->count, .rising = true, .down = given->down };
    if (!given->values || !are_ordered(given->values, given->count, &axis->rising)) {
        axis->rising = true;
        return;
    }
    axis->values = given->values;
    if (are_degrees(given->units, "north"))
        axis->kind = VVI_AXIS_LATITUDE;
    else if (are_degrees(given->units, "east"))
        axis->kind = VVI_AXIS_LONGITUDE;
    else if (given->units && (strcasecmp(given->units, "degrees") == 0 ||
                              strcasecmp(given->units, "degree") == 0))
        axis->kind = VVI_AXIS_DEGREES;
    else if (vvi_clock_read(given->units, given->calendar, &axis->clock))
        axis->kind = VVI_AXIS_DATES;
}

void vvi_axis_clear(vvi_axis *axis)
{
    vvi_free(axis->edges);
    axis->edges = NULL;
}

double vvi_axis_value(const vvi_axis *axis, size_t i)
{
    return axis->values ? axis->values[i] : (double)i;
}

/* ---- range ----------------------------------------------------------------------------------- */

static void set_range(vvi_axis *axis, double a, double b)
{
    axis->low = fmin(a, b);
    axis->high = fmax(a, b);
    if (axis->low < axis->high)
        return;
    double half = axis->low == 0 ? 0.5 : fabs(axis->low) * 0.01; /* one place alone */
    axis->low -= half;
    axis->high += half;
}

vv_status vvi_axis_edges(vvi_axis *axis, vv_error *err)
{
    size_t n = axis->count;

    axis->edges = vvi_alloc_array(n + 1, sizeof(double));
    if (!axis->edges)
        return vvi_fail_nomem(err, (n + 1) * sizeof(double));
    for (size_t i = 1; i < n; i++)
        axis->edges[i] = (vvi_axis_value(axis, i - 1) + vvi_axis_value(axis, i)) / 2;
    double first = vvi_axis_value(axis, 0), last = vvi_axis_value(axis, n - 1);
    axis->edges[0] = n > 1 ? 2 * first - axis->edges[1] : first - 0.5;
    axis->edges[n] = n > 1 ? 2 * last - axis->edges[n - 1] : last + 0.5;
    for (size_t i = 0; i <= n && axis->kind == VVI_AXIS_LATITUDE; i++)
        axis->edges[i] = fmin(fmax(axis->edges[i], -90), 90);
    set_range(axis, axis->edges[0], axis->edges[n]);
    return VV_OK;
}

void vvi_axis_points(vvi_axis *axis)
{
    set_range(axis, vvi_axis_value(axis, 0), vvi_axis_value(axis, axis->count - 1));
}

void vvi_axis_mark(vvi_axis *axis, const char *name, const char *units, unsigned wanted)
{
    bool said = true; /* the units are in the labels of the marks */

    switch (axis->kind) {
    case VVI_AXIS_LATITUDE:
        vvi_ticks_degrees(VVI_DEGREES_LATITUDE, axis->low, axis->high, wanted,
                          &axis->ticks);
        break;
    case VVI_AXIS_LONGITUDE:
        vvi_ticks_degrees(VVI_DEGREES_LONGITUDE, axis->low, axis->high, wanted,
                          &axis->ticks);
        break;
    case VVI_AXIS_DEGREES:
        vvi_ticks_degrees(VVI_DEGREES_PLAIN, axis->low, axis->high, wanted, &axis->ticks);
        break;
    case VVI_AXIS_DATES:
        vvi_ticks_dates(&axis->clock, axis->low, axis->high, wanted, &axis->ticks);
        break;
    case VVI_AXIS_LOG:
        vvi_ticks_log(axis->low, axis->high, wanted, &axis->ticks);
        said = false;
        break;
    case VVI_AXIS_PLAIN:
        vvi_ticks_plain(axis->low, axis->high, wanted, &axis->ticks);
        said = false;
        break;
    }
    vvi_label_scaled(name, said ? NULL : units, axis->ticks.exponent, axis->label);
}

void vvi_axis_of_values(vvi_axis *axis, const char *name, const char *units, double low,
                        double high, bool log, bool widen, unsigned wanted)
{
    *axis = (vvi_axis){ .kind = log ? VVI_AXIS_LOG : VVI_AXIS_PLAIN, .rising = true };
    set_range(axis, low, high);
    if (log && axis->low <= 0)
        axis->low = axis->high / 10;
    if (widen && log) {
        axis->low = pow(10, floor(log10(axis->low) + 1e-9));
        axis->high = pow(10, ceil(log10(axis->high) - 1e-9));
    } else if (widen) {
        double step = vvi_nice_step(axis->high - axis->low, wanted);
        axis->low = step * floor(axis->low / step + 1e-6);
        axis->high = step * ceil(axis->high / step - 1e-6);
    }
    vvi_axis_mark(axis, name, units, wanted);
}

bool vvi_axes_are_degrees(const vvi_axis *x, const vvi_axis *y)
{
    return (x->kind == VVI_AXIS_LONGITUDE && y->kind == VVI_AXIS_LATITUDE) ||
           (x->kind == VVI_AXIS_DEGREES && y->kind == VVI_AXIS_DEGREES);
}

double vvi_axis_share(const vvi_axis *axis, double value)
{
    if (axis->kind == VVI_AXIS_LOG)
        return (log10(value) - log10(axis->low)) / (log10(axis->high) - log10(axis->low));
    return (value - axis->low) / (axis->high - axis->low);
}

size_t vvi_axis_place(const vvi_axis *axis, double value)
{
    size_t low = 0, high = axis->count;

    if (!(value >= axis->low && value <= axis->high))
        return axis->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (axis->rising ? value >= axis->edges[middle] : value < axis->edges[middle])
            low = middle;
        else
            high = middle;
    }
    return low;
}

size_t vv_plot_coordinate(const vv_plot_axis *given, double value, char *out, size_t cap)
{
    vv_plot_axis one = *given;
    char text[VVI_TEXT_SIZE];
    vvi_axis axis;

    one.values = &value;
    one.count = 1;
    vvi_axis_init(&axis, &one);
    if (axis.kind == VVI_AXIS_DATES) {
        vvi_date date = vvi_date_of(axis.clock.calendar,
                                    axis.clock.base + value * axis.clock.unit);
        vvi_date_label(&date, text);
    } else if (axis.kind == VVI_AXIS_LATITUDE || axis.kind == VVI_AXIS_LONGITUDE ||
               axis.kind == VVI_AXIS_DEGREES) {
        vvi_degrees kind = axis.kind == VVI_AXIS_LATITUDE    ? VVI_DEGREES_LATITUDE
                           : axis.kind == VVI_AXIS_LONGITUDE ? VVI_DEGREES_LONGITUDE
                                                             : VVI_DEGREES_PLAIN;
        int decimals = 0;
        while (decimals < 3 && fabs(rint(value * pow(10, decimals)) -
                                    value * pow(10, decimals)) > 1e-6 * pow(10, decimals))
            decimals++;
        vvi_degree_label(kind, value, decimals, text);
    } else {
        vvi_quantity_text(value, 7, given->units, text);
    }
    return (size_t)snprintf(out, cap, "%s", text);
}
