/* Going through a region of an array in pieces of bounded size. */
#ifndef VVI_STATS_CUTS_H
#define VVI_STATS_CUTS_H

#include "util/error.h"

#include <varvite/zarr.h>

/* About so many bytes, or one row of chunks. */
#define VVI_CUT_BYTES ((uint64_t)16 << 20)

/*
 * A piece is count[i] places from at[i] on, counted within the region, in C order: one place of the
 * dimensions before some dimension, a run of that one, all of those behind it. A run is a number of
 * whole chunks where that fits, so that chunks are decoded once.
 */
typedef struct vvi_cut {
    uint64_t at[VV_NDIM_MAX], count[VV_NDIM_MAX];
    uint64_t elements;
} vvi_cut;

typedef vv_status (*vvi_cut_fn)(void *ctx, const vvi_cut *piece, const void *elements,
                                vv_error *err);

/* step NULL: all 1. An empty region has no pieces. Returns what visit, vv_array_read() do. */
vv_status vvi_cuts_visit(vv_array *array, const uint64_t *start, const uint64_t *count,
                         const uint64_t *step, vvi_cut_fn visit, void *ctx,
                         vv_error *err);

#endif
