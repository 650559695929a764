/* An open data set, from inside. */
#ifndef VVI_H5_DATASET_H
#define VVI_H5_DATASET_H

#include "h5/inner.h"

/* Larger chunks are refused. */
#define VVI_H5_CHUNK_MAX ((uint64_t)1 << 31)

struct vvi_h5_dataset {
    const vvi_h5 *file;
    vvi_h5_dataset_info info;
    uint64_t bytes;   /* of all elements */
    uint8_t *fill;    /* one element, as in the file */
    vv_buf compact;   /* COMPACT: the elements */
    uint64_t address; /* CONTIGUOUS; VVI_H5_NONE: nothing was written */
    vvi_h5_chunking chunking;
    bool edges_unfiltered; /* chunks that reach past the extent are stored as they are */
};

#endif
