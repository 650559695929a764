#include <varvite/metrics.h>

#include <math.h>
#include <stdlib.h>

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The sample at (n − 1)·p, rounded to the nearest place, ties to the even one. */
static double percentile(const double *sorted, size_t n, double p)
{
    double at = (double)(n - 1) * p;
    double below = floor(at);
    size_t place = (size_t)below;
    double over = at - below;

    if (over > 0.5 || (over == 0.5 && place % 2))
        place++;
    return sorted[place < n ? place : n - 1];
}

void vv_metrics_distribution(double *samples, size_t n, double total, uint64_t count,
                             vv_distribution *out)
{
    *out = (vv_distribution){ .count = count };
    if (count == 0)
        return;
    out->average = total / (double)count;
    out->sample_count = n;
    if (n == 0)
        return;
    qsort(samples, n, sizeof(*samples), compare_numbers);
    out->min = samples[0];
    out->p50 = n % 2 ? samples[n / 2] : (samples[n / 2 - 1] + samples[n / 2]) / 2;
    out->p95 = percentile(samples, n, 0.95);
    out->p99 = percentile(samples, n, 0.99);
    out->max = samples[n - 1];
}
