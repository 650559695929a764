/* Counts in bins whose range grows. */
#include "stats/moments.h"

#include <math.h>
#include <string.h>

#define LEAST_EXPONENT (-1074) /* of the least double */

/* The bin, at this width, that holds the number. */
static int64_t place(double number, int exponent)
{
    double scaled = ldexp(number, -exponent);

    /* What is too small to be told from zero still lies below it. */
    return scaled == 0 && number < 0 ? -1 : (int64_t)floor(scaled);
}

/* Half of a place, rounded down, shift times. */
static int64_t halved(int64_t at, int shift)
{
    if (shift > 62)
        return at < 0 ? -1 : 0;
    return at >= 0 ? at >> shift : -((-at - 1) >> shift) - 1;
}

/* Make bins 2^shift times as wide, and let bin 0 be the one at first (of the new width). */
static void widen(vvi_histogram *self, int shift, int64_t first)
{
    uint64_t counts[VVI_HISTOGRAM_BINS] = { 0 };

    for (int64_t i = 0; i < VVI_HISTOGRAM_BINS; i++) {
        if (self->counts[i])
            counts[halved(self->first + i, shift) - first] += self->counts[i];
    }
    memcpy(self->counts, counts, sizeof(counts));
    self->exponent += shift;
    self->first = first;
}

/* First and last place that hold a count; false when none does. */
static bool span(const vvi_histogram *self, int64_t *low, int64_t *high)
{
    int64_t first = 0, last = VVI_HISTOGRAM_BINS - 1;

    while (first <= last && !self->counts[first])
        first++;
    while (last >= first && !self->counts[last])
        last--;
    *low = self->first + first;
    *high = self->first + last;
    return first <= last;
}

/* Let the bins reach from place low to place high, counted at self's width now. */
static void reach(vvi_histogram *self, int64_t low, int64_t high)
{
    int64_t mine_low, mine_high;
    int shift = 0;

    if (span(self, &mine_low, &mine_high)) {
        low = mine_low < low ? mine_low : low;
        high = mine_high > high ? mine_high : high;
    }
    if (low >= self->first && high < self->first + VVI_HISTOGRAM_BINS)
        return;
    while (halved(high, shift) - halved(low, shift) >= VVI_HISTOGRAM_BINS)
        shift++;
    widen(self, shift, halved(low, shift));
}

/* A number that has one bit at 2^(exponent + 52) is the place of 53 bits: all bins exact. */
static int exponent_for(double number)
{
    int exponent;

    if (number == 0)
        return LEAST_EXPONENT;
    frexp(number, &exponent);
    return exponent - 53 < LEAST_EXPONENT ? LEAST_EXPONENT : exponent - 53;
}

/* Bins at least so wide that places of numbers of this size are exact. */
static void coarsen(vvi_histogram *self, int exponent)
{
    if (self->exponent < exponent) {
        int shift = exponent - self->exponent;
        widen(self, shift, halved(self->first, shift));
    }
}

void vvi_histogram_add(vvi_histogram *histogram, double number, uint64_t count)
{
    int exponent = exponent_for(number);

    if (!histogram->begun) {
        histogram->begun = true;
        histogram->exponent = exponent;
        histogram->first = place(number, exponent);
    }
    coarsen(histogram, exponent);
    int64_t at = place(number, histogram->exponent);
    if (at < histogram->first || at >= histogram->first + VVI_HISTOGRAM_BINS) {
        int before = histogram->exponent;
        reach(histogram, at, at);
        at = halved(at, histogram->exponent - before);
    }
    histogram->counts[at - histogram->first] += count;
}

void vvi_histogram_merge(vvi_histogram *histogram, const vvi_histogram *other)
{
    int64_t low, high;

    if (!other->begun || !span(other, &low, &high))
        return;
    if (!histogram->begun) {
        *histogram = *other;
        return;
    }
    coarsen(histogram, other->exponent);
    int shift = histogram->exponent - other->exponent;
    reach(histogram, halved(low, shift), halved(high, shift));
    shift = histogram->exponent - other->exponent;
    for (int64_t i = 0; i < VVI_HISTOGRAM_BINS; i++) {
        if (other->counts[i])
            histogram->counts[halved(other->first + i, shift) - histogram->first] +=
                other->counts[i];
    }
}

uint32_t vvi_histogram_join(const vvi_histogram *histogram, uint32_t max, double *low,
                            double *width, uint64_t *counts)
{
    int64_t first, last;
    int shift = 0;

    memset(counts, 0, max * sizeof(*counts));
    if (!histogram->begun || !span(histogram, &first, &last))
        return 0;
    while (halved(last, shift) - halved(first, shift) >= (int64_t)max)
        shift++;
    int64_t begin = halved(first, shift);
    for (int64_t i = first; i <= last; i++)
        counts[halved(i, shift) - begin] += histogram->counts[i - histogram->first];
    *low = ldexp((double)begin, histogram->exponent + shift);
    *width = ldexp(1, histogram->exponent + shift);
    return (uint32_t)(halved(last, shift) - begin) + 1;
}
