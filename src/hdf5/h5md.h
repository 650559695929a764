/*
 * Files of H5MD 1.1: positions, velocities and forces of one set of particles, their box, and observables, frame by frame.
 *
 * Written by libhdf5 under another name and renamed when all of it is there. One thread at a time.
 */
#ifndef VVI_HDF5_H5MD_H
#define VVI_HDF5_H5MD_H

#include <varvite/dtype.h>

#include "util/error.h"

#define VVI_H5MD_NDIM_MAX 4

/* An element: "particles/all/position" with a value a frame. */
typedef struct vvi_h5md_part {
    const char *path;
    vv_dtype dtype; /* integers, float32, float64; others: VV_EUNSUPPORTED */
    uint32_t ndim;  /* without the frames */
    uint64_t shape[VVI_H5MD_NDIM_MAX];
    bool is_fixed;     /* one value for all frames */
    const char *units; /* NULL: not known */
} vvi_h5md_part;

typedef struct vvi_h5md vvi_h5md;

/* frames: of all elements that are not fixed. Returns VV_EUNSUPPORTED, VV_EIO, VV_ENOMEM. */
vv_status vvi_h5md_create(const char *path, uint64_t frames, const vvi_h5md_part *parts,
                          size_t count, vvi_h5md **out, vv_error *err);
/* Put the value of an element in a frame; of a fixed one, frame is passed by. */
vv_status vvi_h5md_put(vvi_h5md *file, size_t part, uint64_t frame, const void *value,
                       vv_error *err);
/* The step of each frame, all at once. Times are not known; MDAnalysis does not open a file without, so steps stand for
 * them. */
vv_status vvi_h5md_put_steps(vvi_h5md *file, const int64_t *steps, vv_error *err);
/* Let the file take its name, or with keep false remove what was written. Frees it. */
vv_status vvi_h5md_close(vvi_h5md *file, bool keep, vv_error *err);

#endif
