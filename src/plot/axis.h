/* An axis as it is drawn: its range, marks and label, and where coordinates lie on it. */
#ifndef VVI_PLOT_AXIS_H
#define VVI_PLOT_AXIS_H

#include "plot/ticks.h"
#include "plot/units.h"
#include "util/error.h"

#include <varvite/plot.h>

/* Numbers are drawn up to here, so that a difference of two is finite. */
#define VVI_NUMBER_MAX 1e300

typedef enum vvi_axis_kind {
    VVI_AXIS_PLAIN,
    VVI_AXIS_LOG,
    VVI_AXIS_LATITUDE,
    VVI_AXIS_LONGITUDE,
    VVI_AXIS_DEGREES, /* of no side, as on a rotated pole */
    VVI_AXIS_DATES
} vvi_axis_kind;

typedef struct vvi_axis {
    vvi_axis_kind kind;
    vvi_clock clock;
    size_t count;
    const double *values; /* NULL: by index */
    double
        *edges; /* count + 1 bounds of the places, owned; NULL before vvi_axis_edges() */
    bool rising;
    double low, high; /* what is shown */
    bool down;        /* low is at the top or at the right */
    vvi_ticks ticks;
    char label[VVI_TEXT_SIZE];
} vvi_axis;

/* What kind of axis it is, by its units; which coordinates count. */
void vvi_axis_init(vvi_axis *axis, const vv_plot_axis *given);
void vvi_axis_clear(vvi_axis *axis);
/* Coordinate of place i. */
double vvi_axis_value(const vvi_axis *axis, size_t i);
/* For maps: places reach half way to their neighbours; the range is that of all places. */
vv_status vvi_axis_edges(vvi_axis *axis, vv_error *err);
/* For lines: the range is from the first to the last coordinate. */
void vvi_axis_points(vvi_axis *axis);
/* An axis of values from low to high. widen: on to the next marks. */
void vvi_axis_of_values(vvi_axis *axis, const char *name, const char *units, double low,
                        double high, bool log, bool widen, unsigned wanted);
/* Set the marks, about so many, and the label. */
void vvi_axis_mark(vvi_axis *axis, const char *name, const char *units, unsigned wanted);
/* Are they degrees both ways, so that a map keeps their proportions? */
bool vvi_axes_are_degrees(const vvi_axis *x, const vvi_axis *y);
/* 0 … 1 from low to high. */
double vvi_axis_share(const vvi_axis *axis, double value);
/* The place that holds a coordinate; count where none does. */
size_t vvi_axis_place(const vvi_axis *axis, double value);

#endif
