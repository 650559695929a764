/* What is asked for: checks, the range of the values, and what was left open. */
#include "plot/figure.h"

#include <math.h>
#include <string.h>

/* Two-sided: the lesser arm is at least so much of the greater. */
#define EVEN 0.4

static vv_status check_field(vvi_request *self, vv_error *err)
{
    const vv_plot_field *field = &self->field;
    size_t lines = field->lines ? field->lines : 1;
    size_t other = field->y.count ? field->y.count : lines;

    if (self->kind == VV_PLOT_AUTO)
        self->kind = field->y.count ? VV_PLOT_MAP : VV_PLOT_LINE;
    if (self->kind == VV_PLOT_MAP && !field->y.count)
        return vvi_fail(err, VV_EINVAL, "a map has two dimensions, and here is one");
    if (self->kind == VV_PLOT_LINE && field->y.count)
        return vvi_fail(err, VV_EINVAL, "a line has one dimension, and here are two");
    if (self->kind == VV_PLOT_HISTOGRAM && self->log)
        return vvi_fail(err, VV_EINVAL, "a histogram has no logarithmic scale");
    if (self->kind > VV_PLOT_HISTOGRAM)
        return vvi_fail(err, VV_EINVAL, "kind %d of pictures", (int)self->kind);
    if (field->x.count && other > SIZE_MAX / sizeof(double) / field->x.count)
        return vvi_fail(err, VV_EINVAL, "more values than memory can hold");
    self->values = field->x.count * other;
    if (!self->values || !field->values)
        return vvi_fail(err, VV_EINVAL, "nothing to draw: there are no values");
    return VV_OK;
}

/* Infinite ones are missing in a picture, as are those that have no logarithm, and those so large that
 * differences of them are infinite. */
static bool is_shown(const vvi_request *self, double value)
{
    return fabs(value) <= VVI_NUMBER_MAX && (!self->log || value > 0);
}

static vv_status find_range(vvi_request *self, double *low, double *high, vv_error *err)
{
    *low = HUGE_VAL;
    *high = -HUGE_VAL;
    for (size_t i = 0; i < self->values; i++) {
        double value = self->field.values[i];
        if (!is_shown(self, value))
            continue;
        self->present++;
        *low = fmin(*low, value);
        *high = fmax(*high, value);
    }
    self->missing = self->values - self->present;
    if (self->present == 0)
        return vvi_fail(err, VV_EINVAL, "nothing to draw: all values are missing%s",
                        self->log ? " or not positive" : "");
    return VV_OK;
}

static vv_status set_range(vvi_request *self, double low, double high, vv_error *err)
{
    if (self->ranged &&
        (!(fabs(self->low) <= VVI_NUMBER_MAX) || !(fabs(self->high) <= VVI_NUMBER_MAX) ||
         self->low >= self->high || (self->log && self->low <= 0)))
        return vvi_fail(err, VV_EINVAL, "%g to %g is no range%s", self->low, self->high,
                        self->log ? " of a logarithmic scale" : "");
    if (self->ranged)
        return VV_OK;
    self->low = low;
    self->high = high;
    bool even = low < 0 && high > 0 && fmin(-low, high) >= EVEN * fmax(-low, high);
    if (self->kind == VV_PLOT_MAP && !self->colors && even)
        self->colors = vv_plot_color_map(1);
    if (self->kind == VV_PLOT_MAP && self->colors && low < 0 && high > 0 &&
        strcmp(self->colors, vv_plot_color_map(1)) == 0) {
        self->high = fmax(-low, high); /* zero is the colour of the middle */
        self->low = -self->high;
    }
    if (self->low == self->high && self->log) {
        self->low /= 2;
        self->high *= 2;
    } else if (self->low == self->high) {
        double half = low == 0 ? 0.5 : fabs(low) * 0.05;
        self->low -= half;
        self->high += half;
    }
    return VV_OK;
}

vv_status vvi_request_init(vvi_request *request, const vv_plot_field *field,
                           vv_plot_kind kind, bool ranged, double low, double high,
                           const char *colors, bool log, vv_error *err)
{
    double least, greatest;

    *request = (vvi_request){ .field = *field,
                              .kind = kind,
                              .ranged = ranged,
                              .low = low,
                              .high = high,
                              .log = log,
                              .colors = colors };
    VVI_TRY(check_field(request, err));
    VVI_TRY(find_range(request, &least, &greatest, err));
    VVI_TRY(set_range(request, least, greatest, err));
    if (!request->colors)
        request->colors = vv_plot_color_map(0);
    return VV_OK;
}

double vvi_request_share(const vvi_request *request, double value)
{
    double share;

    if (!is_shown(request, value))
        return (double)NAN;
    share = request->log ? log(value / request->low) / log(request->high / request->low)
                         : (value - request->low) / (request->high - request->low);
    return fmin(fmax(share, 0), 1);
}

void vvi_bins_count(const vvi_request *request, unsigned wanted, vvi_bins *out)
{
    double step = vvi_nice_step(request->high - request->low, wanted);
    double first = floor(request->low / step + 1e-9);

    *out = (vvi_bins){ .low = first * step, .width = step };
    out->count = (size_t)(ceil(request->high / step - 1e-9) - first);
    out->count = out->count < 1              ? 1
                 : out->count > VVI_BINS_MAX ? VVI_BINS_MAX
                                             : out->count;
    for (size_t i = 0; i < request->values; i++) {
        double value = request->field.values[i];
        if (!isfinite(value) || value < request->low || value > request->high)
            continue;
        double at = (value - out->low) / step;
        size_t bin = at < 0 ? 0 : at >= (double)out->count ? out->count - 1 : (size_t)at;
        if (++out->counts[bin] > out->most)
            out->most = out->counts[bin];
    }
}
