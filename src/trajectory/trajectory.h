/* An open trajectory, from inside. */
#ifndef VVI_TRAJECTORY_TRAJECTORY_H
#define VVI_TRAJECTORY_TRAJECTORY_H

#include <varvite/trajectory.h>

#include "h5/h5.h"
#include "trajectory/dcd.h"
#include "util/thread.h"
#include "json/json.h"

/* Where the values of a leaf come from. */
typedef enum vvi_traj_source {
    VVI_TRAJ_DATASET,   /* a data set */
    VVI_TRAJ_LINE,      /* a number that grows by as much from row to row: float64 */
    VVI_TRAJ_DCD_ATOMS, /* positions or velocities of a DCD file */
    VVI_TRAJ_DCD_BOX    /* its unit cell as edges */
} vvi_traj_source;

/* A leaf; what it is of is opened when it is first asked for. */
typedef struct vvi_traj_leaf {
    const char *name;        /* belongs to the group's list of names */
    vvi_h5_dataset *dataset; /* guarded by the trajectory's lock; NULL: not opened yet */
    vvi_traj_source source;
    char *at;         /* DATASET: where it lies below the group; NULL: under its name */
    char *units;      /* NULL: not known */
    double first, by; /* LINE */
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
    /* Of formats of others: the step of row i is first_step + i × step_by, where by_rule. */
    bool by_rule;
    int64_t first_step, step_by;
} vvi_traj_group;

struct vv_traj {
    char *path;
    vvi_h5 *file;
    vvi_dcd *dcd; /* of a DCD file, where file is NULL */
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
/* Is there something of that name below a group? */
vv_status vvi_traj_has(const vv_traj *traj, uint64_t group, const char *name, bool *there,
                       vv_error *err);
/* Look for a group in the file and note where it is. */
vv_status vvi_traj_place_group(const vv_traj *traj, const char *name,
                               vvi_traj_group *group, vv_error *err);

/* A text attribute, terminated. VV_ENOTFOUND when there is none. */
vv_status vvi_traj_read_text(const vv_traj *traj, const vvi_h5_object *object,
                             const char *name, vv_buf *out, vv_error *err);

/* ---- formats of others (foreign.c, h5md.c) ----------------------------------------------------- */

/* A leaf and a group as they are to be; texts are copied. */
typedef struct vvi_traj_part {
    char *key; /* "positions" */
    vvi_traj_source source;
    char *at, *units; /* NULL: none */
    double first, by;
} vvi_traj_part;
typedef struct vvi_traj_made {
    char *key;
    bool is_once;
    uint64_t rows;
    vvi_h5_dataset *steps; /* taken; NULL: none */
    bool by_rule;
    int64_t first_step, step_by;
    vvi_traj_part *parts;
    size_t count, cap;
} vvi_traj_made;
void vvi_traj_made_clear(vvi_traj_made *groups, size_t count);
/* Add a part to a group as it is to be; all texts are copied. */
vv_status vvi_traj_made_add(vvi_traj_made *group, const char *key, const char *at,
                            const char *units, vvi_traj_part **out, vv_error *err);
/* Make the groups of the trajectory, with trees that are dicts; sorts them. */
vv_status vvi_traj_make_groups(vv_traj *traj, vvi_traj_made *groups, size_t count,
                               vv_error *err);
/* The groups of a DCD file, which is open. */
vv_status vvi_traj_read_dcd(vv_traj *traj, vv_error *err);
/* Look again at a DCD file that grows. */
vv_status vvi_traj_refresh_dcd(vv_traj *traj, vv_error *err);
/* The groups of a file of H5MD, which has an object h5md. */
vv_status vvi_traj_read_h5md(vv_traj *traj, vv_error *err);
/* What a leaf that is no data set is, and values of it. */
void vvi_traj_other_leaf(const vvi_traj_leaf *leaf, vv_traj_leaf *out);
vv_status vvi_traj_read_other(const vv_traj *traj, const vvi_traj_leaf *leaf,
                              const uint64_t *start, const uint64_t *count,
                              const uint64_t *step, void *out, size_t out_bytes,
                              vv_error *err);

/* ---- the schema of a recording (schema.c) ------------------------------------------------------ */

/* Groups, trees and leaves from the file's schema. VV_ENOTFOUND: it has none. */
vv_status vvi_traj_read_schema(vv_traj *traj, vv_error *err);

/* ---- readable paths (paths.c) ------------------------------------------------------------------ */

vv_status vvi_traj_make_paths(vv_traj *traj, vv_error *err);

/* ---- rows (rows.c) ----------------------------------------------------------------------------- */

/* Read what a recording says of the rows of each group. */
vv_status vvi_traj_load_rows(vv_traj *traj, vv_error *err);
void vvi_traj_drop_rows(vvi_traj_group *group);
/* Integers of any kind that a data set of one dimension has, from first on. */
vv_status vvi_traj_read_integers(const vvi_h5_dataset *dataset, uint64_t first,
                                 uint64_t count, int64_t *out, vv_error *err);
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

#endif
