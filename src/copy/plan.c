#include "copy/plan.h"

#include <math.h>
#include <string.h>

/* Beyond this a region gains nothing but waiting: progress and a stop come between regions. */
#define REGION_BYTES_ENOUGH ((uint64_t)32 << 20)
/* Regions of a dimension looked at one by one; from then on the rest is taken to be alike. */
#define LOOKED_AT 4096u

typedef struct dimension {
    uint64_t shape, source, target;
    uint64_t length; /* of a region: a multiple of target, or shape */
    double reads;    /* of source chunks, over all regions, in this dimension */
} dimension;

static uint64_t chunks_of(uint64_t shape, uint64_t chunk)
{
    return shape / chunk + (shape % chunk != 0);
}

/* How often a source chunk is met, summed over regions of that length. */
static double reads_of(const dimension *dim, uint64_t length)
{
    uint64_t regions = chunks_of(dim->shape, length);
    double sum = 0;
    uint64_t looked = 0;

    if (length >= dim->shape || length % dim->source == 0)
        return (double)chunks_of(dim->shape, dim->source);
    for (; looked < regions && looked < LOOKED_AT; looked++) {
        uint64_t first = looked * length;
        uint64_t last = dim->shape - first < length ? dim->shape - 1 : first + length - 1;

        sum += (double)(last / dim->source - first / dim->source + 1);
    }
    return looked == regions ? sum : sum / (double)looked * (double)regions;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

static uint64_t up_to(uint64_t value, uint64_t unit)
{
    uint64_t count = chunks_of(value, unit);
    uint64_t out;

    return __builtin_mul_overflow(count, unit, &out) ? UINT64_MAX : out;
}

static uint64_t cut(const dimension *dim, uint64_t length)
{
    return length < dim->shape ? length : dim->shape;
}

/* Bytes of a region; saturates. */
static uint64_t bytes_of(const dimension *dims, uint32_t ndim, size_t item)
{
    uint64_t bytes = item;

    for (uint32_t d = 0; d < ndim; d++)
        if (__builtin_mul_overflow(bytes, dims[d].length, &bytes))
            return UINT64_MAX;
    return bytes;
}

/* Try a longer region in one dimension; keep it in *best if it saves more for what it takes. */
static void consider(const dimension *dims, uint32_t ndim, uint32_t d, uint64_t length,
                     size_t item, uint64_t max_bytes, double *gain, dimension *best,
                     uint32_t *where)
{
    dimension changed[VVI_GRID_NDIM_MAX];
    double reads;
    double worth;

    length = cut(&dims[d], length);
    if (length <= dims[d].length)
        return;
    memcpy(changed, dims, ndim * sizeof(*dims));
    changed[d].length = length;
    if (bytes_of(changed, ndim, item) > max_bytes)
        return;
    reads = reads_of(&dims[d], length);
    if (reads >= dims[d].reads)
        return;
    worth = log(dims[d].reads / reads) / log((double)length / (double)dims[d].length);
    if (worth <= *gain)
        return;
    *gain = worth;
    changed[d].reads = reads;
    *best = changed[d];
    *where = d;
}

/* Lengths of one dimension that may be worth it: where both grids end, whole source chunks, and
 * doublings. */
static void consider_all(const dimension *dims, uint32_t ndim, uint32_t d, size_t item,
                         uint64_t max_bytes, double *gain, dimension *best,
                         uint32_t *where)
{
    const dimension *dim = &dims[d];
    uint64_t step = dim->source / gcd(dim->source, dim->target);
    uint64_t both;

    if (!__builtin_mul_overflow(step, dim->target, &both))
        consider(dims, ndim, d, up_to(dim->length + 1, both), item, max_bytes, gain, best,
                 where);
    consider(dims, ndim, d, up_to(up_to(dim->length + 1, dim->source), dim->target), item,
             max_bytes, gain, best, where);
    for (uint64_t times = 2; times <= 64; times *= 2)
        if (dim->length <= dim->shape / times)
            consider(dims, ndim, d, up_to(dim->length * times, dim->target), item,
                     max_bytes, gain, best, where);
    consider(dims, ndim, d, dim->shape, item, max_bytes, gain, best, where);
}

static void save_reads(dimension *dims, uint32_t ndim, size_t item, uint64_t max_bytes)
{
    for (;;) {
        dimension best = { .length = 0 };
        double gain = 0;
        uint32_t where = 0;

        for (uint32_t d = 0; d < ndim; d++)
            consider_all(dims, ndim, d, item, max_bytes, &gain, &best, &where);
        if (!best.length)
            return;
        dims[where] = best;
    }
}

/* Make a dimension of the region longer, unless that costs reads or too much memory. */
static bool try_longer(dimension *dims, uint32_t ndim, uint32_t d, uint64_t length,
                       size_t item, uint64_t most)
{
    dimension old = dims[d];

    dims[d].length = cut(&old, length);
    dims[d].reads = reads_of(&old, dims[d].length);
    if (dims[d].length > old.length && dims[d].reads <= old.reads &&
        bytes_of(dims, ndim, item) <= most)
        return true;
    dims[d] = old;
    return false;
}

/* Lengthen from the last dimension on, so that little work is not cut into tiny pieces. */
static void widen(dimension *dims, uint32_t ndim, size_t item, uint64_t max_bytes)
{
    uint64_t most = max_bytes < REGION_BYTES_ENOUGH ? max_bytes : REGION_BYTES_ENOUGH;

    for (uint32_t d = ndim; d-- > 0;) {
        uint64_t bytes = bytes_of(dims, ndim, item);
        uint64_t times = bytes && bytes < most ? most / bytes : 1;
        uint64_t length;

        if (dims[d].length < dims[d].shape &&
            !try_longer(dims, ndim, d, dims[d].shape, item, most))
            for (; times > 1; times /= 2)
                if (!__builtin_mul_overflow(dims[d].length, times, &length) &&
                    try_longer(dims, ndim, d, length, item, most))
                    break;
        if (dims[d].length < dims[d].shape)
            return;
    }
}

static uint64_t whole(double number)
{
    return number < 9e18 ? (uint64_t)number : UINT64_MAX;
}

vv_status vvi_plan_make(uint32_t ndim, const uint64_t *shape, const uint64_t *source,
                        const uint64_t *target, size_t item, uint64_t max_bytes,
                        vvi_plan *out, vv_error *err)
{
    dimension dims[VVI_GRID_NDIM_MAX];
    uint64_t lengths[VVI_GRID_NDIM_MAX];
    double chunks = 1;
    double reads = 1;
    bool empty = false;

    memset(out, 0, sizeof(*out));
    for (uint32_t d = 0; d < ndim; d++) {
        dims[d] = (dimension){ .shape = shape[d],
                               .source = source[d],
                               .target = target[d] };
        dims[d].length = target[d] < shape[d] ? target[d] : shape[d] ? shape[d] : 1;
        empty = empty || shape[d] == 0;
        dims[d].reads = shape[d] ? reads_of(&dims[d], dims[d].length) : 0;
    }
    out->region_bytes = bytes_of(dims, ndim, item);
    if (!empty && out->region_bytes > max_bytes)
        return vvi_fail(err, VV_ELIMIT,
                        "one chunk of the target is %" PRIu64
                        " bytes, more than the %" PRIu64 " bytes that a region may have",
                        out->region_bytes, max_bytes);
    if (!empty) {
        save_reads(dims, ndim, item, max_bytes);
        widen(dims, ndim, item, max_bytes);
        out->region_bytes = bytes_of(dims, ndim, item);
    }
    for (uint32_t d = 0; d < ndim; d++) {
        lengths[d] = dims[d].length;
        chunks *= (double)chunks_of(shape[d], source[d]);
        reads *= dims[d].reads;
    }
    out->source_chunks = whole(chunks);
    out->source_reads = whole(reads);
    return vvi_grid_init(&out->regions, ndim, shape, lengths, err);
}
