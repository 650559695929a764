/* A map in cells of equal size, whatever the spacing of its axes. */
#include "plot/figure.h"

#include "util/alloc.h"

#include <math.h>

/* The places that a cell shows: first … last, last < first where there are none. */
typedef struct places {
    size_t first, last;
} places;

/* low and high: the bounds of the cell on the axis. */
static places places_of(const vvi_axis *axis, double low, double high)
{
    double margin = (high - low) * 1e-6;
    size_t middle = vvi_axis_place(axis, (low + high) / 2);
    size_t a = vvi_axis_place(axis, low + margin),
           b = vvi_axis_place(axis, high - margin);

    if (middle >= axis->count)
        return (places){ 1, 0 };
    /* Up to two places: that which holds the middle, so that bounds stay sharp. */
    if (a >= axis->count || b >= axis->count || (a > b ? a - b : b - a) < 2)
        return (places){ middle, middle };
    return a < b ? (places){ a, b } : (places){ b, a };
}

static places *places_along(const vvi_axis *axis, size_t n, bool from_high, vv_error *err)
{
    places *out = vvi_alloc_array(n, sizeof(*out));
    double span = axis->high - axis->low;

    if (!out) {
        vvi_fail_nomem(err, n * sizeof(*out));
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = from_high ? n - 1 - i : i;
        out[i] = places_of(axis, axis->low + span * (double)at / (double)n,
                           axis->low + span * (double)(at + 1) / (double)n);
    }
    return out;
}

static double mean_of(const vvi_request *request, places x, places y)
{
    double sum = 0;
    size_t n = 0;

    for (size_t j = y.first; j <= y.last; j++) {
        for (size_t i = x.first; i <= x.last; i++) {
            double value = request->field.values[j * request->field.x.count + i];
            if (!isfinite(value))
                continue;
            sum += value;
            n++;
        }
    }
    return n ? sum / (double)n : (double)NAN;
}

vv_status vvi_raster(const vvi_request *request, const vvi_axis *x, const vvi_axis *y,
                     size_t iw, size_t ih, double *out, vv_error *err)
{
    places *columns = places_along(x, iw, x->down, err);
    places *rows = columns ? places_along(y, ih, !y->down, err) : NULL;

    for (size_t j = 0; rows && j < ih; j++) {
        for (size_t i = 0; i < iw; i++) {
            bool none = columns[i].last < columns[i].first ||
                        rows[j].last < rows[j].first;
            out[j * iw + i] = none ? -1
                                   : vvi_request_share(
                                         request, mean_of(request, columns[i], rows[j]));
        }
    }
    vvi_free(columns);
    vvi_free(rows);
    return rows ? VV_OK : VV_ENOMEM;
}
