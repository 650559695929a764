/*
 * Filters of chunks, on the writing side. They are registered with libhdf5 so that data sets can name them, but chunks
 * are encoded here, on any thread, and handed to it as they are stored.
 */
#ifndef VVI_HDF5_FILTERS_H
#define VVI_HDF5_FILTERS_H

#include "codec/pool.h"
#include "recorder/sink.h"

#include <hdf5.h>

enum {
    VVI_HDF5_DEFLATE = 1,
    VVI_HDF5_SHUFFLE = 2,
    VVI_HDF5_FLETCHER32 = 3,
    VVI_HDF5_LZF = 32000,
    VVI_HDF5_BLOSC = 32001,
    VVI_HDF5_ZSTD = 32015
};

/* The filters of one leaf's chunks, in their order. */
typedef struct vvi_hdf5_pipeline {
    vv_compression compression; /* codec NONE: no compressor */
    size_t item;                /* bytes of an element */
    size_t chunk_bytes;         /* of a whole chunk */
    bool shuffle, checksum;
    uint32_t count;    /* filters */
    vvi_pool *scratch; /* of vvi_hdf5_scratch; shared by all leaves */
} vvi_hdf5_pipeline;

void vvi_hdf5_pipeline_make(const vv_compression *compression, bool checksum, size_t item,
                            size_t chunk_bytes, vvi_pool *scratch,
                            vvi_hdf5_pipeline *out);
/* All filters left out: the mask of a chunk that is stored as it is. */
static inline uint32_t vvi_hdf5_raw_mask(const vvi_hdf5_pipeline *pipeline)
{
    return pipeline->count ? (1u << pipeline->count) - 1 : 0;
}

/* Encode a whole chunk. Where there is nothing to do out borrows chunk. Threads: any. */
vv_status vvi_hdf5_encode(const vvi_hdf5_pipeline *pipeline, const void *chunk,
                          vvi_encoded *out, vv_error *err);
void vvi_hdf5_scratch_clear(vvi_pool *scratch);

/* With libhdf5's lock held: make its filters known, and name them in a data set's properties. Negative: failed. */
herr_t vvi_hdf5_filters_register(void);
herr_t vvi_hdf5_filters_set(hid_t properties, const vvi_hdf5_pipeline *pipeline);

#endif
