#include "stats/moments.h"

#include <math.h>

/* Numbers whose mean is taken at once: small sums lose little, and parts are merged without loss. */
#define PART 4096

static bool is_real(vvi_number_kind kind)
{
    return kind == VVI_NUMBER_REAL || kind == VVI_NUMBER_COMPLEX;
}

/* Neumaier's sum: *rest collects what *sum cannot hold. */
static void add_real(double *sum, double *rest, double number)
{
    double next = *sum + number;

    *rest += fabs(*sum) >= fabs(number) ? (*sum - next) + number : (number - next) + *sum;
    *sum = next;
}

static double difference(vvi_int128 a, vvi_int128 b)
{
    return (double)(a - b);
}

/* The mean of integers as a whole part and a fraction below 1, so that a difference of two means
 * far from zero is exact. */
static void split_mean(vvi_int128 sum, uint64_t count, vvi_int128 *whole,
                       double *fraction)
{
    *whole = sum / (vvi_int128)count;
    *fraction = (double)(sum % (vvi_int128)count) / (double)count;
}

static bool less(vvi_number_kind kind, vvi_number a, vvi_number b)
{
    return kind == VVI_NUMBER_SINT   ? a.sint < b.sint
           : kind == VVI_NUMBER_UINT ? a.uint < b.uint
                                     : a.real < b.real;
}

/* ---- one part -------------------------------------------------------------------------------- */

static vvi_int128 whole_of(vvi_number_kind kind, vvi_number number)
{
    return kind == VVI_NUMBER_SINT ? (vvi_int128)number.sint : (vvi_int128)number.uint;
}

static void measure_integers(vvi_moments *part, vvi_number_kind kind,
                             const vvi_number *numbers)
{
    double squares = 0, sum = 0, fraction;
    vvi_int128 whole;

    for (uint64_t i = 0; i < part->count; i++)
        part->whole += whole_of(kind, numbers[i]);
    split_mean(part->whole, part->count, &whole, &fraction);
    for (uint64_t i = 0; i < part->count; i++) {
        double distance = difference(whole_of(kind, numbers[i]), whole);
        sum += distance;
        squares += distance * distance;
    }
    part->mean = (double)whole + fraction;
    part->distance = squares - sum * sum / (double)part->count;
}

/* The mean where the sum itself is past what a double holds. */
static double mean_of_huge(const vvi_number *numbers, uint64_t count, size_t stride)
{
    double sum = 0;

    for (uint64_t i = 0; i < count; i++)
        sum += numbers[i * stride].real / (double)count;
    return sum;
}

static void measure_reals(vvi_moments *part, const vvi_number *numbers, size_t stride)
{
    double squares = 0, sum = 0;

    for (uint64_t i = 0; i < part->count; i++)
        add_real(&part->sum, &part->rest, numbers[i * stride].real);
    part->mean = (part->sum + part->rest) / (double)part->count;
    if (!isfinite(part->mean))
        part->mean = mean_of_huge(numbers, part->count, stride);
    for (uint64_t i = 0; i < part->count; i++) {
        double distance = numbers[i * stride].real - part->mean;
        sum += distance;
        squares += distance * distance;
    }
    part->mean_rest = sum / (double)part->count;
    part->distance = squares - sum * sum / (double)part->count;
}

void vvi_moments_add(vvi_moments *moments, vvi_number_kind kind,
                     const vvi_number *numbers, size_t n, size_t stride)
{
    for (size_t at = 0; at < n; at += PART) {
        vvi_moments part = { .count = n - at < PART ? n - at : PART };
        const vvi_number *first = numbers + at * stride;

        part.min = part.max = *first;
        for (uint64_t i = 1; i < part.count; i++) {
            if (less(kind, first[i * stride], part.min))
                part.min = first[i * stride];
            if (less(kind, part.max, first[i * stride]))
                part.max = first[i * stride];
        }
        if (is_real(kind))
            measure_reals(&part, first, stride);
        else
            measure_integers(&part, kind, first);
        vvi_moments_merge(moments, kind, &part);
    }
}

void vvi_moments_repeat(vvi_moments *moments, vvi_number_kind kind, vvi_number number,
                        uint64_t count)
{
    vvi_moments part = { .count = count, .min = number, .max = number };

    if (count == 0)
        return;
    if (is_real(kind)) {
        part.mean = number.real;
        part.sum = number.real * (double)count;
        part.rest = fma(number.real, (double)count, -part.sum);
        if (!isfinite(part.sum))
            part.rest = 0;
    } else {
        part.whole = whole_of(kind, number) * (vvi_int128)count;
        part.mean = (double)whole_of(kind, number);
    }
    vvi_moments_merge(moments, kind, &part);
}

void vvi_moments_merge(vvi_moments *moments, vvi_number_kind kind,
                       const vvi_moments *other)
{
    double delta = (other->mean - moments->mean) +
                   (other->mean_rest - moments->mean_rest);
    double n = (double)moments->count, m = (double)other->count;

    if (other->count == 0)
        return;
    if (moments->count == 0) {
        *moments = *other;
        return;
    }
    if (!is_real(kind)) {
        vvi_int128 whole, other_whole;
        double fraction, other_fraction;
        split_mean(moments->whole, moments->count, &whole, &fraction);
        split_mean(other->whole, other->count, &other_whole, &other_fraction);
        delta = difference(other_whole, whole) + (other_fraction - fraction);
    }
    moments->distance += other->distance + delta * delta * (n / (n + m)) * m;
    double step = delta * (m / (n + m)), mean = moments->mean + step;
    moments->mean_rest += (moments->mean - mean) + step;
    moments->mean = mean;
    moments->count += other->count;
    moments->whole += other->whole;
    add_real(&moments->sum, &moments->rest, other->sum);
    moments->rest += other->rest;
    if (less(kind, other->min, moments->min))
        moments->min = other->min;
    if (less(kind, moments->max, other->max))
        moments->max = other->max;
}

double vvi_moments_mean(const vvi_moments *moments, vvi_number_kind kind)
{
    vvi_int128 whole;
    double fraction, mean;

    if (is_real(kind)) {
        mean = (moments->sum + moments->rest) / (double)moments->count;
        return isfinite(mean) ? mean : moments->mean;
    }
    split_mean(moments->whole, moments->count, &whole, &fraction);
    return (double)whole + fraction;
}
