/* An open trajectory, from inside. */
#ifndef VVI_TRAJECTORY_TRAJECTORY_H
#define VVI_TRAJECTORY_TRAJECTORY_H

#include <varvite/trajectory.h>

#include "h5/h5.h"
#include "util/thread.h"
#include "json/json.h"

/* A leaf; what it is of is opened when it is first asked for. */
typedef struct vvi_traj_leaf {
    const char *name;        /* belongs to the group's list of names */
    vvi_h5_dataset *dataset; /* guarded by the trajectory's lock; NULL: not opened yet */
    char *filters;
    char *path;
    vv_dtype said;        /* by the schema; VV_DTYPE_NONE: nothing is */
    vvi_json *said_shape; /* of a value; NULL: nothing is */
    uint64_t
        shape[VV_TRAJ_NDIM_MAX]; /* of what is open: rows that do not count left out */
} vvi_traj_leaf;

typedef struct vvi_traj_group {
    vv_traj_group public;
    char *name;
    vvi_json *paths; /* the names of its leaves */
    vv_buf class_name;
    vv_tree *tree;
    char *problem;
    uint64_t address; /* VVI_H5_NONE: not there */
    vvi_traj_leaf *leaves;
    char *path;
    uint64_t extent[VV_TRAJ_NDIM_MAX];
    /* Of a recording; read when it is opened and at each refresh. */
    uint64_t rows;
    vvi_h5_dataset *steps, *written; /* NULL: not there */
} vvi_traj_group;

struct vv_traj {
    char *path;
    vvi_h5 *file;
    vv_traj_info info;
    vv_buf config_class;
    vv_tree *config;
    char *config_problem;
    char *schema_problem;
    vvi_traj_group *groups;
    vvi_mutex lock;
};

/* ---- opening (open.c) ------------------------------------------------------------------------ */

/* Take the names of a group's leaves from a JSON list of texts, which belongs to it from here on. */
vv_status vvi_traj_list_leaves(vvi_traj_group *group, vvi_json *names, vv_error *err);
/* The elements of a data set of at most one dimension, below a group. VV_ENOTFOUND. */
vv_status vvi_traj_read_small(const vv_traj *traj, uint64_t group, const char *name,
                              vv_buf *out, vvi_h5_type *type, vv_error *err);
/* Look for a group in the file and note where it is. */
vv_status vvi_traj_place_group(const vv_traj *traj, const char *name,
                               vvi_traj_group *group, vv_error *err);

/* ---- the schema of a recording (schema.c) ------------------------------------------------------ */

/* Groups, trees and leaves from the file's schema. VV_ENOTFOUND: it has none. */
vv_status vvi_traj_read_schema(vv_traj *traj, vv_error *err);

/* ---- readable paths (paths.c) ------------------------------------------------------------------ */

vv_status vvi_traj_make_paths(vv_traj *traj, vv_error *err);

/* ---- rows (rows.c) ----------------------------------------------------------------------------- */

/* Read what a recording says of the rows of each group. */
vv_status vvi_traj_load_rows(vv_traj *traj, vv_error *err);
void vvi_traj_drop_rows(vvi_traj_group *group);
/* Have the leaves of a group rows in their first dimension? */
static inline bool vvi_traj_has_rows(const vvi_traj_group *group)
{
    return group->public.kind == VV_TRAJ_ROWS;
}

/* ---- leaves (read.c) ---------------------------------------------------------------------------- */

/* A leaf with its data set open; it stays so until the next refresh. */
vv_status vvi_traj_need_leaf(vv_traj *traj, size_t group, size_t leaf,
                             vvi_traj_leaf **out, vv_error *err);

/* Read of a data set of a group, as vvi_h5_read() does, also while a writer changes the file. */
vv_status vvi_traj_read_dataset(const vv_traj *traj, const vvi_traj_group *group,
                                const char *name, const vvi_h5_dataset *dataset,
                                const uint64_t *start, const uint64_t *count,
                                const uint64_t *step, void *out, size_t out_bytes,
                                vv_error *err);

/* Is what failed in a file that a writer has open worth another try? A commit may have been half there. Waits before
 * it says so: 1, 2, 4, … ms before try number i + 1, vvi_traj_tries times. */
bool vvi_traj_try_again(bool is_open, vv_status status, unsigned i);
/* 6; tests of damaged files set it to 0. */
extern unsigned vvi_traj_tries;
void vvi_traj_pause(uint64_t ns);
void vvi_traj_pause(uint64_t ns);

#endif
