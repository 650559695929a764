/*
 * Trajectories into other forms: a Zarr hierarchy, another trajectory.
 *
 * Threads: a call uses the trajectory as any reader does, and works on several threads itself. Memory: bounded,
 * whatever the length of the trajectory; values of groups that are logged once are held whole.
 */
#ifndef VARVITE_CONVERT_H
#define VARVITE_CONVERT_H

#include <varvite/base.h>
#include <varvite/recorder.h>
#include <varvite/store.h>
#include <varvite/trajectory.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Rows from start on, below stop, every step-th. */
typedef struct vv_row_range {
    uint64_t start, stop; /* stop past the last row: to the last */
    uint64_t step;        /* 0: 1 */
} vv_row_range;
#define VV_ROW_RANGE_ALL ((vv_row_range){ 0, UINT64_MAX, 1 })

typedef struct vv_transfer_options {
    size_t struct_size;
    /* How chunks are stored, of all groups; NULL: zstd, shuffled. */
    const vv_compression *compression;
    vv_row_range rows;       /* of each group that has rows; all zero: all of them */
    const char *group;       /* only this one, by its name or its path; NULL: all */
    bool checksum;           /* a checksum a chunk */
    bool overwrite;          /* replace a recording that is there */
    bool unverified;         /* do not read back what was written and compare it */
    uint32_t threads;        /* 0: one a processor */
    uint64_t memory_bytes;   /* of rows in hand; 0: 64 MiB. At least one chunk */
    vv_progress_fn progress; /* bytes of rows, those read back too */
    void *ctx;
} vv_transfer_options;
#define VV_TRANSFER_OPTIONS_INIT \
    ((vv_transfer_options){ .struct_size = sizeof(vv_transfer_options) })

typedef struct vv_transfer_result {
    uint64_t groups, leaves;
    uint64_t rows;  /* of all groups */
    uint64_t bytes; /* of values */
    uint64_t stored_bytes;
    bool verified; /* all of it was read back and is equal */
    bool has_root; /* into a HAMT store: */
    vv_cid root;
} vv_transfer_result;

/**
 * Write a trajectory into a store as the recorder lays recordings out (docs/format/recording-zarr.md), and compare
 * what is there with it, element for element. Trajectories of kUPS have no steps, and what is published of them
 * cannot be gone on with.
 * @param path    of the recording's group; "" for the root
 * @param result  filled in whatever the status; NULL if not wanted
 * @return VV_OK, VV_EEXISTS, VV_ENOTFOUND (no such group), VV_EINVAL, VV_ECORRUPT (the trajectory, or what was read back),
 *         VV_EUNSUPPORTED, VV_EREADONLY, VV_EIO, VV_ENOMEM, or what progress returned
 */
VV_API vv_status vv_traj_publish(vv_traj *traj, vv_store *store, const char *path,
                                 const vv_transfer_options *options,
                                 vv_transfer_result *result, vv_error *err);

/**
 * A schema by which the recorder would record such a trajectory again.
 * @return VV_OK, VV_EUNSUPPORTED (of kUPS, which does not say when groups were logged; a group without its tree),
 *         VV_ECORRUPT, VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_traj_schema(vv_traj *traj, vv_schema **out, vv_error *err);

/**
 * Write a trajectory, or a part of it, into a new recording in HDF5: other compression, other chunks, fewer rows. What is
 * there is compared with it as by vv_traj_publish(). Rows of kUPS get their number for a step, as they have none.
 * @return as vv_traj_publish(); VV_EUNSUPPORTED also for a group without its tree, and built without HDF5
 */
VV_API vv_status vv_traj_rewrite(vv_traj *traj, const char *path,
                                 const vv_transfer_options *options,
                                 vv_transfer_result *result, vv_error *err);

/* ---- frames of atoms ---------------------------------------------------------------------------- */

typedef struct vv_frames_options {
    size_t struct_size;
    /* Which leaves are what: "positions=step/r", "velocities=…", "forces=…", "box=…", "energy=…", "species=…"; of these,
     * nothing behind the sign leaves it out. What is not named is found by the last part of its path ("positions", "pos",
     * "box", "cell", "atomic_numbers", …), in the group of the positions or in one that was logged once. */
    const char *const *map;
    size_t map_count;
    vv_row_range rows;       /* all zero: all of them */
    vv_progress_fn progress; /* items are frames */
    void *ctx;
} vv_frames_options;
#define VV_FRAMES_OPTIONS_INIT \
    ((vv_frames_options){ .struct_size = sizeof(vv_frames_options) })

/**
 * Write frames as extended XYZ: species by atomic numbers, positions, velocities, forces, the lattice, the energy and
 * the step of each.
 * @param frames  how many were written; NULL if not wanted
 * @return VV_OK, VV_ENOTFOUND (no positions), VV_EINVAL (map), VV_EUNSUPPORTED (shapes), VV_ECORRUPT, VV_EIO, VV_ENOMEM, or
 *         what the sink or progress returned
 */
VV_API vv_status vv_traj_write_xyz(vv_traj *traj, const vv_frames_options *options,
                                   vv_sink out, uint64_t *frames, vv_error *err);

/**
 * Write frames as H5MD 1.1: particles "all" with position, velocity, force, species and box, the energy as an observable, the
 * step of each frame. Units are stated where the leaf's are known. The file takes its name when all of it is there.
 * @return as vv_traj_write_xyz(); VV_EUNSUPPORTED also for elements that are neither integers nor float32 or float64, and
 *         built without HDF5
 */
VV_API vv_status vv_traj_write_h5md(vv_traj *traj, const vv_frames_options *options,
                                    const char *path, uint64_t *frames, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
