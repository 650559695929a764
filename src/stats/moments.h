/* Count, least, greatest, mean and spread of numbers, put together from parts. */
#ifndef VVI_STATS_MOMENTS_H
#define VVI_STATS_MOMENTS_H

#include "stats/decode.h"

__extension__ typedef __int128 vvi_int128;

/*
 * A plain value; all zeros is empty. Integers keep an exact sum, reals a compensated one. The sum of
 * squared distances from the mean is merged as Chan, Golub and LeVeque (1979) have it.
 */
typedef struct vvi_moments {
    uint64_t count;
    vvi_number min, max;
    vvi_int128 whole; /* sum of integers */
    double sum, rest; /* of reals: the sum, and what its rounding lost */
    double mean,
        mean_rest; /* what the mean's rounding lost: a small spread far from zero needs it */
    double distance; /* sum of squared distances from the mean */
} vvi_moments;

/* Numbers that are stride apart (2 for the parts of complex ones). */
void vvi_moments_add(vvi_moments *moments, vvi_number_kind kind,
                     const vvi_number *numbers, size_t n, size_t stride);
/* The same number count times. */
void vvi_moments_repeat(vvi_moments *moments, vvi_number_kind kind, vvi_number number,
                        uint64_t count);
void vvi_moments_merge(vvi_moments *moments, vvi_number_kind kind,
                       const vvi_moments *other);
/* Mean of what was added, which must not be nothing. */
double vvi_moments_mean(const vvi_moments *moments, vvi_number_kind kind);

/*
 * Counts in bins of equal width whose range need not be known: bins begin at multiples of their width,
 * 2^exponent, and pairs of them are joined when a number lies outside. So counts are exact, and do
 * not depend on the order of numbers or merges.
 */
#define VVI_HISTOGRAM_BINS 2048
typedef struct vvi_histogram {
    bool begun;
    int exponent;
    int64_t first; /* bin 0 begins at first × 2^exponent */
    uint64_t counts[VVI_HISTOGRAM_BINS];
} vvi_histogram;

void vvi_histogram_add(vvi_histogram *histogram, double number, uint64_t count);
void vvi_histogram_merge(vvi_histogram *histogram, const vvi_histogram *other);
/* Join bins to at most max, from the one with the first count to that with the last; how many. */
uint32_t vvi_histogram_join(const vvi_histogram *histogram, uint32_t max, double *low,
                            double *width, uint64_t *counts);

#endif
