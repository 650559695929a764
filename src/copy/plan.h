/*
 * Which regions an array is read and written in.
 *
 * A region is whole chunks of the target, so each of those is encoded once. A chunk of the source is
 * decoded once for each region that it lies in; that is once in all where every region ends where a
 * source chunk ends too. The plan begins with one target chunk and lengthens, dimension by
 * dimension, what saves the most reads for the memory it takes, as long as the region fits; then,
 * from the last dimension on, what costs no read. When memory is short of a region that ends with
 * both grids, chunks are read again; source_reads says how often in all.
 */
#ifndef VVI_COPY_PLAN_H
#define VVI_COPY_PLAN_H

#include "grid/grid.h"

typedef struct vvi_plan {
    vvi_grid regions; /* a grid whose chunks are the regions */
    uint64_t region_bytes;
    uint64_t source_chunks, source_reads;
} vvi_plan;

/* source, target: shapes of what is decoded and of what is encoded as one. Returns VV_ELIMIT when
 * one target chunk is more than max_bytes. */
vv_status vvi_plan_make(uint32_t ndim, const uint64_t *shape, const uint64_t *source,
                        const uint64_t *target, size_t item, uint64_t max_bytes,
                        vvi_plan *out, vv_error *err);

#endif
