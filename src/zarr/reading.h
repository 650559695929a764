/* Reading of a selection, for the files that share it out. */
#ifndef VVI_ZARR_READING_H
#define VVI_ZARR_READING_H

#include "zarr/array.h"

/* Read what a part of the array's grid holds. alone: in this thread, as one of several that do so. */
vv_status vvi_read_part(const vvi_reading *self, const vvi_grid_part *part, bool alone,
                        vv_error *err);
/* The same from an open source. */
vv_status vvi_read_units(const vvi_reading *self, const vvi_stored *source,
                         const vvi_grid_part *part, vvi_desk *desk, bool alone,
                         vv_error *err);
void vvi_fill_part(const vvi_reading *self, const vvi_grid_part *part);
/* From a store with latency: values, and parts of shards, are fetched many at a time. values: how many
 * chunks of the grid the selection touches. */
vv_status vvi_read_far(const vvi_reading *self, uint64_t values, vv_error *err);

#endif
