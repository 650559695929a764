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
} vvi_traj_group;

struct vv_traj {
    char *path;
    vvi_h5 *file;
    vv_traj_info info;
    vv_buf config_class;
    vv_tree *config;
    char *config_problem;
    vvi_traj_group *groups;
    vvi_mutex lock;
};

#endif
