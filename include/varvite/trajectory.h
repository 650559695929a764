/*
 * Trajectories: reading the HDF5 files that kUPS and the recorder write.
 *
 * A file holds groups; a group holds a tree of leaves, each an array whose first dimension counts rows.
 * Every version of kUPS is read, also files that a writer has open or left behind when it was killed.
 * Nothing in a file is executed, and no other file is opened. Source: docs/format/trajectory.md.
 *
 * Threads: an open trajectory may be read by any number at once, but for vv_traj_refresh(). Ownership:
 * close with vv_traj_close(); texts and trees that are handed out live as long as it.
 */
#ifndef VARVITE_TRAJECTORY_H
#define VARVITE_TRAJECTORY_H

#include <varvite/base.h>
#include <varvite/dtype.h>
#include <varvite/pytree.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VV_TRAJ_NDIM_MAX 32

typedef struct vv_traj vv_traj;

/**
 * Open a file.
 * @return VV_OK, VV_ENOTFOUND, VV_ECORRUPT (no HDF5 file, cut short, no trajectory), VV_EUNSUPPORTED,
 *         VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_traj_open(const char *path, vv_traj **out, vv_error *err);
VV_API void vv_traj_close(vv_traj *traj);

/** What is said of the whole file. */
typedef struct vv_traj_info {
    size_t group_count;
    bool is_open;          /* a writer has it open, or was killed */
    bool has_actual_steps; /* written when the file was closed */
    int64_t actual_steps;  /* the last step that was logged, and one more */
    const char
        *config_class; /* Python's name of the configuration's type; NULL: not there */
    const vv_tree *config;      /* leaves are groups; NULL: not there, or not decodable */
    const char *config_problem; /* why it is NULL; NULL: it is there */
    uint64_t file_bytes;
} vv_traj_info;
VV_API const vv_traj_info *vv_traj_get_info(const vv_traj *traj);

/** A group. One that the file names but does not hold has leaf_count 0 and a problem. */
typedef struct vv_traj_group {
    const char *name;       /* "group['step']" */
    const char *class_name; /* Python's name of the tree's type; NULL: not there */
    const vv_tree
        *tree; /* NULL: not decodable; leaves can still be read by their names */
    const char
        *problem; /* why it is NULL, or the group is not there; NULL: all is well */
    size_t leaf_count;
} vv_traj_group;
/** @return NULL past group_count */
VV_API const vv_traj_group *vv_traj_group_at(const vv_traj *traj, size_t group);
/** @return false: there is none of that name */
VV_API bool vv_traj_group_by_name(const vv_traj *traj, const char *name, size_t *group);

/** A leaf. */
typedef struct vv_traj_leaf {
    const char *name; /* "array['pos']" */
    vv_dtype
        dtype; /* VV_RAW for types that HDF5 has no name for, such as bfloat16 of kUPS */
    size_t item_size; /* bytes of an element */
    uint32_t ndim;
    const uint64_t *shape; /* rows first, where the group is logged more than once */
    const uint64_t
        *chunk; /* of what is compressed and read together; NULL: stored in one piece */
    const char *filters; /* "shuffle, zstd:1"; "" for none */
} vv_traj_leaf;
/**
 * @param leaf  its number in the tree
 * @return VV_OK, VV_ERANGE (no such number), VV_ENOTFOUND (named, but not in the file), VV_ECORRUPT,
 *         VV_EUNSUPPORTED (external files, types and layouts that no trajectory has), VV_EIO
 */
VV_API vv_status vv_traj_leaf_at(vv_traj *traj, size_t group, size_t leaf,
                                 vv_traj_leaf *out, vv_error *err);
/** The name of a leaf without opening it; NULL past the last. */
VV_API const char *vv_traj_leaf_name(const vv_traj *traj, size_t group, size_t leaf);
/** By its name, with or without "array" in front. @return false: there is none */
VV_API bool vv_traj_leaf_by_name(const vv_traj *traj, size_t group, const char *name,
                                 size_t *leaf);

/**
 * Read count[i] elements of a leaf from start[i], every step[i]-th, in C order and native byte order.
 * Rows that were never written read as zeros.
 * @param step       ndim steps ≥ 1; NULL: all 1
 * @param out_bytes  size of out, checked
 * @return VV_OK, VV_ERANGE, VV_EINVAL (out_bytes, a step of 0), VV_ECORRUPT (names the leaf and the
 *         chunk), VV_EUNSUPPORTED (a filter), VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_traj_read(vv_traj *traj, size_t group, size_t leaf,
                              const uint64_t *start, const uint64_t *count,
                              const uint64_t *step, void *out, size_t out_bytes,
                              vv_error *err);
/** Read n rows of a leaf by their numbers, in any order; out: n × the elements of a row. */
VV_API vv_status vv_traj_read_rows(vv_traj *traj, size_t group, size_t leaf,
                                   const uint64_t *rows, size_t n, void *out,
                                   size_t out_bytes, vv_error *err);

/** Look again at a file that is being written: its length, its end and the leaves' extents. */
VV_API vv_status vv_traj_refresh(vv_traj *traj, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
