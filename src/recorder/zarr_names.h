/* Where the groups and leaves of a recording lie in a Zarr hierarchy. */
#ifndef VVI_RECORDER_ZARR_NAMES_H
#define VVI_RECORDER_ZARR_NAMES_H

#include "pytree/paths.h"
#include "recorder/plan.h"

/* The array of a group of PLACED that says which places were written. */
#define VVI_ZARR_WRITTEN "written"

/* Paths begin at the recording: "step/positions". Zero is empty. */
typedef struct vvi_zarr_names {
    const char **groups; /* of the plan's groups; "": the recording itself is the group */
    const char ***leaves; /* leaves[group][leaf], the steps too */
    const char **written; /* of each group; NULL where it is not PLACED */
    const char **inner;   /* groups between those, parents first */
    size_t inner_count;
    size_t group_count;
    vvi_tree_paths paths; /* what those above point into */
} vvi_zarr_names;

/* Clear it also after a failure, VV_ENOMEM. */
vv_status vvi_zarr_names_make(const vvi_plan *plan, vvi_zarr_names *out, vv_error *err);
void vvi_zarr_names_clear(vvi_zarr_names *names);

#endif
