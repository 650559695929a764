#include "convert/roles.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Names that the last part of a path may have; the first that is found is taken. */
static const struct {
    const char *name;
    const char *others[6];
} roles[VVI_ROLES] = {
    [VVI_ROLE_POSITIONS] = { "positions",
                             { "pos", "coordinates", "coords", "position", "xyz" } },
    [VVI_ROLE_VELOCITIES] = { "velocities", { "vel", "velocity" } },
    [VVI_ROLE_FORCES] = { "forces", { "force" } },
    [VVI_ROLE_BOX] = { "box", { "cell", "lattice", "lattice_vectors", "box_vectors" } },
    [VVI_ROLE_ENERGY] = { "energy", { "potential_energy", "total_energy", "energies" } },
    [VVI_ROLE_SPECIES] = { "species", { "atomic_numbers", "numbers", "types" } },
};

const char *vvi_role_name(vvi_role_kind role)
{
    return roles[role].name;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Is a leaf one that a frame of the group can have, and does it have the rows of its group? */
static bool is_of_frames(const vvi_roles *self, size_t group, bool *constant)
{
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;

    *constant = false;
    if (group == self->group)
        return true;
    if (vv_traj_get_rows(self->traj, group, &rows, NULL))
        return false;
    *constant = vv_traj_group_at(self->traj, group)->kind == VV_TRAJ_ONCE;
    return *constant && rows.rows == 1;
}

static vv_status take_leaf(vvi_roles *self, vvi_role_kind kind, size_t group, size_t leaf,
                           vv_error *err)
{
    vvi_role *role = &self->of[kind];
    bool constant;

    VVI_TRY(vv_traj_leaf_at(self->traj, group, leaf, &role->info, err));
    if (!is_of_frames(self, group, &constant))
        return vvi_fail(err, VV_EINVAL,
                        "%s: %s is neither of the group of the positions nor of one that "
                        "was logged once",
                        roles[kind].name, role->info.path);
    *role = (vvi_role){ .is_there = true,
                        .is_constant = constant,
                        .group = group,
                        .leaf = leaf,
                        .info = role->info,
                        .elements = 1 };
    for (uint32_t d = constant ? 0 : 1; d < role->info.ndim; d++)
        if (__builtin_mul_overflow(role->elements, role->info.shape[d], &role->elements))
            return vvi_fail(err, VV_ELIMIT, "%s: 2^64 elements", role->info.path);
    if (__builtin_mul_overflow((size_t)role->elements, role->info.item_size,
                               &role->value_bytes))
        return vvi_fail(err, VV_ELIMIT, "%s: a value of 2^64 bytes", role->info.path);
    return VV_OK;
}

/* ---- finding ------------------------------------------------------------------------------------- */

/* "positions=step/r": the path, NULL if the map does not name the role. */
static const char *mapped(const vv_frames_options *options, vvi_role_kind kind)
{
    size_t len = strlen(roles[kind].name);

    for (size_t i = 0; i < options->map_count; i++)
        if (strncmp(options->map[i], roles[kind].name, len) == 0 &&
            options->map[i][len] == '=')
            return options->map[i] + len + 1;
    return NULL;
}

static vv_status check_map(const vv_frames_options *options, vv_error *err)
{
    for (size_t i = 0; i < options->map_count; i++) {
        size_t len = strcspn(options->map[i], "=");
        bool known = false;

        for (int kind = 0; kind < VVI_ROLES; kind++)
            known = known || (strlen(roles[kind].name) == len &&
                              strncmp(roles[kind].name, options->map[i], len) == 0);
        if (!known || options->map[i][len] != '=')
            return vvi_fail(err, VV_EINVAL,
                            "'%s': a map is NAME=PATH; names are positions, velocities, "
                            "forces, box, energy and species",
                            options->map[i]);
    }
    return VV_OK;
}

/* Leaves that cannot be opened are passed by. Returns VV_OK with *leaf SIZE_MAX where there is none. */
static vv_status find_in_group(const vvi_roles *self, vvi_role_kind kind, size_t group,
                               size_t *leaf, vv_error *err)
{
    const vv_traj_group *in = vv_traj_group_at(self->traj, group);

    *leaf = SIZE_MAX;
    for (size_t name = 0; name < 7; name++) {
        const char *wanted = name ? roles[kind].others[name - 1] : roles[kind].name;

        for (size_t i = 0; wanted && i < in->leaf_count; i++) {
            vv_traj_leaf info;
            vv_status status = vv_traj_leaf_at(self->traj, group, i, &info, err);

            if (status == VV_ENOMEM || status == VV_EIO)
                return status;
            if (!status && strcmp(last_part(info.path), wanted) == 0) {
                *leaf = i;
                return VV_OK;
            }
        }
    }
    return VV_OK;
}

/* In the group of the frames first, then among what was logged once. */
static vv_status find_by_name(const vvi_roles *self, vvi_role_kind kind, size_t *group,
                              size_t *leaf, vv_error *err)
{
    size_t count = vv_traj_get_info(self->traj)->group_count;
    bool constant;

    *group = self->group;
    VVI_TRY(find_in_group(self, kind, self->group, leaf, err));
    for (size_t g = 0; g < count && *leaf == SIZE_MAX; g++) {
        *group = g;
        if (g != self->group && is_of_frames(self, g, &constant))
            VVI_TRY(find_in_group(self, kind, g, leaf, err));
    }
    return VV_OK;
}

static vv_status find_role(vvi_roles *self, const vv_frames_options *options,
                           vvi_role_kind kind, vv_error *err)
{
    const char *path = mapped(options, kind);
    size_t group, leaf;

    if (path) {
        VVI_TRY(vv_traj_find(self->traj, path, &group, &leaf, err));
        if (leaf == SIZE_MAX)
            return vvi_fail(err, VV_EINVAL, "%s: %s is a group, not a leaf",
                            roles[kind].name, path);
    } else {
        VVI_TRY(find_by_name(self, kind, &group, &leaf, err));
        if (leaf == SIZE_MAX)
            return VV_OK;
    }
    return take_leaf(self, kind, group, leaf, err);
}

/* The group that has the positions. */
static vv_status find_frames(vvi_roles *self, const vv_frames_options *options,
                             vv_error *err)
{
    const char *path = mapped(options, VVI_ROLE_POSITIONS);
    size_t count = vv_traj_get_info(self->traj)->group_count;
    size_t leaf;

    if (path)
        return vv_traj_find(self->traj, path, &self->group, &leaf, err);
    for (self->group = 0; self->group < count; self->group++) {
        vv_traj_rows rows = VV_TRAJ_ROWS_INIT;

        VVI_TRY(vv_traj_get_rows(self->traj, self->group, &rows, err));
        if (!rows.has_rows)
            continue;
        VVI_TRY(find_in_group(self, VVI_ROLE_POSITIONS, self->group, &leaf, err));
        if (leaf != SIZE_MAX)
            return VV_OK;
    }
    return vvi_fail(err, VV_ENOTFOUND,
                    "no group with rows has a leaf that is called positions; name it as "
                    "positions=PATH");
}

static vv_status check_shapes(vvi_roles *self, vv_error *err)
{
    const vvi_role *positions = &self->of[VVI_ROLE_POSITIONS];

    if (positions->info.ndim < 2 || positions->info.shape[positions->info.ndim - 1] != 3)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "%s: positions are rows of atoms with three coordinates each",
                        positions->info.path);
    self->atoms = positions->elements / 3;
    for (int kind = 0; kind < VVI_ROLES; kind++) {
        const vvi_role *role = &self->of[kind];
        uint64_t wanted = kind == VVI_ROLE_SPECIES  ? self->atoms
                          : kind == VVI_ROLE_ENERGY ? 1
                                                    : 3 * self->atoms;

        if (!role->is_there ||
            (kind == VVI_ROLE_BOX &&
             (role->elements == 1 || role->elements == 3 || role->elements == 9)) ||
            (kind != VVI_ROLE_BOX && role->elements == wanted))
            continue;
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "%s: %" PRIu64 " elements a frame are no %s of %" PRIu64
                        " atoms; name another leaf, or none, as %s=PATH",
                        role->info.path, role->elements, roles[kind].name, self->atoms,
                        roles[kind].name);
    }
    return VV_OK;
}

vv_status vvi_roles_find(vv_traj *traj, const vv_frames_options *options, vvi_roles *out,
                         vv_error *err)
{
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;

    memset(out, 0, sizeof(*out));
    out->traj = traj;
    out->range = options->rows;
    VVI_TRY(check_map(options, err));
    VVI_TRY(find_frames(out, options, err));
    VVI_TRY(vv_traj_get_rows(traj, out->group, &rows, err));
    if (!rows.has_rows)
        return vvi_fail(err, VV_EUNSUPPORTED, "%s has no rows that follow one another",
                        vv_traj_group_at(traj, out->group)->name);
    out->has_steps = rows.has_steps;
    if (out->range.stop == 0 && out->range.start == 0)
        out->range.stop = UINT64_MAX;
    if (out->range.step == 0)
        out->range.step = 1;
    if (out->range.stop > rows.rows)
        out->range.stop = rows.rows;
    if (out->range.start < out->range.stop)
        out->frames = (out->range.stop - out->range.start - 1) / out->range.step + 1;
    for (int kind = 0; kind < VVI_ROLES; kind++) {
        /* A name that is mapped to nothing is left out. */
        const char *path = mapped(options, (vvi_role_kind)kind);

        if (path && *path == '\0' && kind != VVI_ROLE_POSITIONS)
            continue;
        VVI_TRY(find_role(out, options, (vvi_role_kind)kind, err));
    }
    return check_shapes(out, err);
}

/* ---- reading ------------------------------------------------------------------------------------- */

vv_status vvi_role_read(const vvi_roles *self, vvi_role_kind kind, uint64_t frame,
                        void *out, vv_error *err)
{
    const vvi_role *role = &self->of[kind];
    uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 };
    uint64_t row = self->range.start + frame * self->range.step;

    if (!role->is_constant)
        return vv_traj_read_rows(self->traj, role->group, role->leaf, &row, 1, out,
                                 role->value_bytes, err);
    return vv_traj_read(self->traj, role->group, role->leaf, start,
                        role->info.ndim ? role->info.shape : start, NULL, out,
                        role->value_bytes, err);
}

vv_status vvi_roles_step(const vvi_roles *self, uint64_t frame, int64_t *out,
                         vv_error *err)
{
    uint64_t row = self->range.start + frame * self->range.step;

    *out = (int64_t)row;
    return self->has_steps ? vv_traj_read_steps(self->traj, self->group, row, 1, out, err)
                           : VV_OK;
}
