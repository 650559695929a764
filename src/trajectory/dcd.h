/*
 * DCD files, read only: the binary trajectories of CHARMM, NAMD, X-PLOR and what writes like them.
 *
 * Records of Fortran, each between two lengths, of 32 or 64 bits and either byte order: a header, a title, the number of
 * atoms, those that move where some do not, and for each frame the unit cell and x, y and z of all atoms. All frames but
 * the first are equally long, so any is found without the others. What is allocated is bounded by the file's length.
 *
 * Threads: an open file may be read by many at once.
 */
#ifndef VVI_TRAJECTORY_DCD_H
#define VVI_TRAJECTORY_DCD_H

#include "util/error.h"

typedef struct vvi_dcd vvi_dcd;

typedef struct vvi_dcd_info {
    uint64_t frames; /* whole ones that are there */
    uint64_t atoms, fixed;
    uint64_t said;      /* frames by the header; 0: it does not say */
    uint64_t rest;      /* bytes behind the last whole frame */
    int64_t first_step; /* of the first frame; -1: not known */
    int64_t step_by;    /* from one frame to the next, at least 1 */
    double delta;       /* a step, in the units of AKMA */
    bool has_cell;
    bool is_velocity; /* values are velocities, not positions */
    bool big_endian, is_wide;
    uint64_t size; /* of the file */
} vvi_dcd_info;

/* Returns VV_ENOTFOUND, VV_EUNSUPPORTED (not a DCD file), VV_ECORRUPT, VV_EIO, VV_ENOMEM. */
vv_status vvi_dcd_open(const char *path, vvi_dcd **out, vv_error *err);
void vvi_dcd_close(vvi_dcd *dcd); /* NULL is fine */
const vvi_dcd_info *vvi_dcd_get_info(const vvi_dcd *dcd);
/* Count the frames of a file that grows. */
vv_status vvi_dcd_refresh(vvi_dcd *dcd, vv_error *err);

/*
 * Positions of count[0] frames, count[1] atoms of each and count[2] coordinates, from start[i], every step[i]-th (NULL: 1).
 * Returns VV_ERANGE, VV_ECORRUPT (the frame), VV_EIO, VV_ENOMEM.
 */
vv_status vvi_dcd_read(const vvi_dcd *dcd, const uint64_t start[3],
                       const uint64_t count[3], const uint64_t *step, float *out,
                       vv_error *err);
/* The edges of a frame's unit cell, a vector a row, the first along x; zeros where the file has none. */
vv_status vvi_dcd_read_box(const vvi_dcd *dcd, uint64_t frame, double out[9],
                           vv_error *err);

#endif
