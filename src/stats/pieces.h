/* Going through a region of an array in pieces of bounded size. */
#ifndef VVI_STATS_PIECES_H
#define VVI_STATS_PIECES_H

#include "util/error.h"

#include <varvite/zarr.h>

/*
 * A piece is count[i] places from at[i] on, counted within the region, in C order: one place of the
 * dimensions before some dimension, a run of that one, all of those behind it. A run is a number of
 * whole chunks where that fits, so that chunks are decoded once.
 */
typedef struct vvi_piece {
    uint64_t at[VV_NDIM_MAX], count[VV_NDIM_MAX];
    uint64_t elements;
} vvi_piece;

typedef vv_status (*vvi_piece_fn)(void *ctx, const vvi_piece *piece, const void *elements,
                                  vv_error *err);

/* step NULL: all 1. An empty region has no pieces. Returns what visit, vv_array_read() do. */
vv_status vvi_pieces_visit(vv_array *array, const uint64_t *start, const uint64_t *count,
                           const uint64_t *step, vvi_piece_fn visit, void *ctx,
                           vv_error *err);

#endif
