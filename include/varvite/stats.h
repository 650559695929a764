/*
 * Statistics of arrays, and arrays read as numbers.
 *
 * "Decoded" numbers are what the attributes say (CF conventions, sections 2.5.1 and 8.1): missing
 * are NaN, _FillValue and missing_value; scale_factor and add_offset are applied to the rest.
 * valid_range, valid_min and valid_max are not looked at. Threads: as reads of an array.
 */
#ifndef VARVITE_STATS_H
#define VARVITE_STATS_H

#include <varvite/base.h>
#include <varvite/zarr.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vv_stats_options {
    size_t struct_size;
    uint32_t threads; /* 0: one a processor */
    uint64_t
        memory_bytes; /* of decoded elements at once, one chunk a thread at least; 0: 256 MiB */
    uint32_t bins; /* of the histogram of values, at most VV_STATS_BINS_MAX; 0: none */
    vv_progress_fn progress; /* bytes of elements, decoded; items are chunks */
    void *ctx;
} vv_stats_options;
#define VV_STATS_OPTIONS_INIT \
    ((vv_stats_options){ .struct_size = sizeof(vv_stats_options) })

#define VV_STATS_BINS_MAX    64
#define VV_STATS_ELEMENT_MAX 16
/* Different elements are counted one by one up to so many. */
#define VV_STATS_DISTINCT_MAX 65536

/** What an array holds. Numbers are decoded; without any, they are NaN. Of dates and durations there are
 * the least and the greatest, as counts of their unit; mean and stddev are NaN. */
typedef struct vv_stats {
    size_t struct_size;
    vv_dtype dtype;
    bool packed; /* there is a scale or an offset */
    double scale, offset;

    uint64_t elements; /* = count + missing */
    uint64_t count;    /* not missing */
    uint64_t
        missing; /* NaN, NaT, _FillValue and missing_value; 0 where there are no numbers */
    uint64_t nan;      /* among the missing */
    uint64_t infinite; /* among the counted */

    /* Of the finite ones. Sums of integers are exact, those of floating-point numbers compensated.
     * The standard deviation is that of the whole (divided by count). Complex numbers have no
     * order: min and max stay NaN, and stddev is the root of the mean squared distance. */
    double min, max, mean, mean_imaginary, stddev;
    /* The least and the greatest as they are stored, native, where there is a finite one. */
    uint8_t min_element[VV_STATS_ELEMENT_MAX], max_element[VV_STATS_ELEMENT_MAX];

    uint64_t chunks,
        chunks_stored; /* in the grid, and in the store; others read as fill values */
    uint64_t decoded_bytes;                 /* of all elements, as long as they are */
    uint64_t stored_bytes;                  /* of the chunks in the store */
    uint64_t smallest_chunk, largest_chunk; /* stored bytes; 0 where none is */
    /* [i]: chunks of 2^i … 2^(i+1) - 1 stored bytes; [0] also those of none. */
    uint64_t chunk_sizes[64];

    /* Of the finite values, if asked for: bin i counts from bin_low + i × bin_width up to where the
     * next one begins. The width is a power of two (times the scale) and bins begin at multiples of it,
     * so that one pass is enough and every count is exact. A negative scale makes it negative. */
    uint32_t bins;
    double bin_low, bin_width;
    uint64_t bin_counts[VV_STATS_BINS_MAX];

    /* Of text and of bytes, which are no numbers: */
    bool has_lengths;
    uint64_t shortest,
        longest;       /* characters of text, else bytes; zeros behind do not count */
    uint64_t empty;    /* elements of no length */
    uint64_t distinct; /* different ones; VV_STATS_DISTINCT_MAX + 1: more than that */
} vv_stats;
#define VV_STATS_INIT ((vv_stats){ .struct_size = sizeof(vv_stats) })

/**
 * Look at every element of an array once, chunk by chunk on worker threads, in bounded memory.
 *
 * Chunks that are not stored are counted, not read. The result is the same with any number of
 * threads.
 * @return VV_OK, VV_ECORRUPT, VV_ERANGE (2^64 elements or more), VV_ECANCELED, VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_array_stats(vv_array *array, const vv_stats_options *options,
                                vv_stats *out, vv_error *err);

/** Is this a type of numbers, which the calls of this header can read? Complex ones count only for
 *  vv_array_stats(). */
VV_API bool vv_dtype_is_number(vv_dtype dtype);

/**
 * Read a region as decoded numbers; missing ones are NaN. Integers past 2^53 are rounded. Times are
 * read too, as counts of their unit.
 * @param n  room in out, which must be the product of count
 * @return as vv_array_read(), and VV_EUNSUPPORTED (complex, or no numbers)
 */
VV_API vv_status vv_array_read_numbers(vv_array *array, const uint64_t *start,
                                       const uint64_t *count, const uint64_t *step,
                                       double *out, size_t n, vv_error *err);

/** How vv_array_read_blocks() makes one number of a block. */
typedef enum vv_block_rule {
    VV_BLOCK_MEAN = 0, /* of what is not missing; NaN where all is */
    VV_BLOCK_MIN,
    VV_BLOCK_MAX
} vv_block_rule;

/**
 * Read a region reduced to blocks[i] blocks along each dimension, one number each, in bounded
 * memory: block k of dimension i holds the places k × count[i] / blocks[i] (rounded down) up to
 * where the next one begins.
 *
 * @param blocks  1 … count[i] each; 0 where count[i] is 0
 * @param n       room in out, which must be the product of blocks
 * @param progress  elements; NULL: not wanted
 */
VV_API vv_status vv_array_read_blocks(vv_array *array, const uint64_t *start,
                                      const uint64_t *count, const uint64_t *step,
                                      const uint64_t *blocks, vv_block_rule rule,
                                      double *out, size_t n, vv_progress_fn progress,
                                      void *ctx, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
