/* Where the marks of an axis stand, and what is written at them. */
#ifndef VVI_PLOT_TICKS_H
#define VVI_PLOT_TICKS_H

#include "calendar/calendar.h"

#define VVI_TICKS_MAX  64
#define VVI_LABEL_SIZE 48

typedef struct vvi_tick {
    double value;
    char label[VVI_LABEL_SIZE]; /* UTF-8; empty for a small mark */
    char below[VVI_LABEL_SIZE]; /* a second line: the year below a month; mostly empty */
} vvi_tick;

typedef struct vvi_ticks {
    size_t count;
    vvi_tick ticks[VVI_TICKS_MAX]; /* rising */
    int exponent;                  /* labels are to be taken times 10^exponent */
} vvi_ticks;

/*
 * Marks from low to high (low < high, both within VVI_NUMBER_MAX), about wanted of them (2 … 20), at numbers that
 * people like.
 */
void vvi_ticks_plain(double low, double high, unsigned wanted, vvi_ticks *out);
void vvi_ticks_log(double low, double high, unsigned wanted,
                   vvi_ticks *out); /* 0 < low */
/* Steps of whole parts of a circle; labels 30°N, 120°W. */
typedef enum vvi_degrees {
    VVI_DEGREES_LATITUDE,
    VVI_DEGREES_LONGITUDE,
    VVI_DEGREES_PLAIN /* of no side */
} vvi_degrees;
void vvi_ticks_degrees(vvi_degrees kind, double low, double high, unsigned wanted,
                       vvi_ticks *out);
void vvi_ticks_dates(const vvi_clock *clock, double low, double high, unsigned wanted,
                     vvi_ticks *out);

/* The step of plain marks. */
double vvi_nice_step(double span, unsigned wanted);
/* With as many decimals, and the minus sign of print. */
void vvi_number_label(double value, int decimals, char out[VVI_LABEL_SIZE]);
void vvi_degree_label(vvi_degrees kind, double value, int decimals,
                      char out[VVI_LABEL_SIZE]);
/* "1990-01-16", "16 Jan" of year 0, which climatologies use for any; with the time of day if it has one that is not midnight. */
void vvi_date_label(const vvi_date *date, char out[VVI_LABEL_SIZE]);
/* 10⁶ */
void vvi_power_label(int exponent, char out[VVI_LABEL_SIZE]);

#endif
