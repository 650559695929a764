/* Which leaves of a trajectory are what other formats have names for: positions, box, energy. */
#ifndef VVI_CONVERT_ROLES_H
#define VVI_CONVERT_ROLES_H

#include <varvite/convert.h>

#include "util/error.h"

typedef enum vvi_role_kind {
    VVI_ROLE_POSITIONS,
    VVI_ROLE_VELOCITIES,
    VVI_ROLE_FORCES,
    VVI_ROLE_BOX,
    VVI_ROLE_ENERGY,
    VVI_ROLE_SPECIES,
    VVI_ROLES
} vvi_role_kind;

typedef struct vvi_role {
    bool is_there;
    bool is_constant; /* of a group that is logged once: one value for all frames */
    size_t group, leaf;
    vv_traj_leaf info;  /* shape with the rows, unless it is constant */
    uint64_t elements;  /* of a value */
    size_t value_bytes; /* of one */
} vvi_role;

/* Frames of a trajectory. */
typedef struct vvi_roles {
    vv_traj *traj;
    vvi_role of[VVI_ROLES];
    size_t group; /* that has the frames */
    uint64_t atoms;
    vv_row_range range;
    uint64_t frames;
    bool has_steps;
} vvi_roles;

/* "positions" */
const char *vvi_role_name(vvi_role_kind role);
/* Find them by the map, and what it does not name by the last part of their paths. Returns VV_EINVAL (the map),
 * VV_ENOTFOUND (no positions), VV_EUNSUPPORTED (a shape that is not of that role). */
vv_status vvi_roles_find(vv_traj *traj, const vv_frames_options *options, vvi_roles *out,
                         vv_error *err);
/* Read the value of a role in a frame. */
vv_status vvi_role_read(const vvi_roles *roles, vvi_role_kind role, uint64_t frame,
                        void *out, vv_error *err);
/* The step of a frame; where none is known, its row. */
vv_status vvi_roles_step(const vvi_roles *roles, uint64_t frame, int64_t *out,
                         vv_error *err);

#endif
