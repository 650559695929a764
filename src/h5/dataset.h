/* An open data set, from inside. */
#ifndef VVI_H5_DATASET_H
#define VVI_H5_DATASET_H

#include "h5/inner.h"

#include "util/thread.h"

/* Larger chunks are refused. */
#define VVI_H5_CHUNK_MAX ((uint64_t)1 << 31)

/*
 * Where the chunks lie that were looked up last, of a data set whose chunks follow one another along the first
 * dimension. A file that is being written has none: its chunks may move.
 */
#define VVI_H5_WINDOW 1024
typedef struct vvi_h5_window {
    vvi_mutex lock;
    uint64_t first, count; /* guarded by lock, as are the chunks */
    vvi_h5_chunk chunks[VVI_H5_WINDOW];
} vvi_h5_window;

struct vvi_h5_dataset {
    const vvi_h5 *file;
    vvi_h5_dataset_info info;
    uint64_t bytes;   /* of all elements */
    uint8_t *fill;    /* one element, as in the file */
    vv_buf compact;   /* COMPACT: the elements */
    uint64_t address; /* CONTIGUOUS; VVI_H5_NONE: nothing was written */
    vvi_h5_chunking chunking;
    bool edges_unfiltered; /* chunks that reach past the extent are stored as they are */
    uint64_t number;       /* for the cache */
    vvi_h5_window *window; /* NULL: chunks are looked up each time */
};

#endif
