/* One reading of a region of a data set. */
#ifndef VVI_H5_READING_H
#define VVI_H5_READING_H

#include "grid/grid.h"
#include "h5/dataset.h"

typedef struct vvi_h5_reading {
    const vvi_h5_dataset *dataset;
    vvi_grid grid;
    vvi_region region;
    uint8_t *out;
    uint64_t strides[VVI_GRID_NDIM_MAX]; /* of out, in bytes */
    size_t item;
} vvi_h5_reading;

/* The region of a chunked data set, elements as they stand in the file. */
vv_status vvi_h5_read_chunks(const vvi_h5_reading *self, vv_error *err);

#endif
