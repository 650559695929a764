/* Frames as H5MD. */
#include "convert/roles.h"

#include "util/alloc.h"
#include "util/options.h"

#ifdef VV_HAVE_HDF5
#include "hdf5/h5md.h"
#endif

#include <stdio.h>
#include <string.h>

#ifdef VV_HAVE_HDF5

typedef struct h5md {
    vvi_roles roles;
    vvi_h5md_part parts[VVI_ROLES];
    vvi_role_kind kinds[VVI_ROLES];
    size_t count;
    char observable[128];
    uint8_t *value; /* of one role */
    size_t value_cap;
    vvi_h5md *file;
} h5md;

/* Zarr's and JAX's trees may have a value under more names than one dimension: the elements count. */
static void set_shape(const vvi_roles *roles, vvi_role_kind kind, vvi_h5md_part *part)
{
    uint64_t elements = roles->of[kind].elements;

    switch (kind) {
    case VVI_ROLE_ENERGY:
        part->ndim = 0;
        break;
    case VVI_ROLE_SPECIES:
        part->ndim = 1;
        part->shape[0] = roles->atoms;
        break;
    case VVI_ROLE_BOX: /* one length is a cube's, and is written three times */
        part->ndim = elements == 9 ? 2 : 1;
        part->shape[0] = part->shape[1] = 3;
        break;
    default:
        part->ndim = 2;
        part->shape[0] = roles->atoms;
        part->shape[1] = 3;
        break;
    }
}

static void plan_parts(h5md *self)
{
    static const char *const paths[VVI_ROLES] = {
        [VVI_ROLE_POSITIONS] = "particles/all/position",
        [VVI_ROLE_VELOCITIES] = "particles/all/velocity",
        [VVI_ROLE_FORCES] = "particles/all/force",
        [VVI_ROLE_BOX] = "particles/all/box/edges",
        [VVI_ROLE_SPECIES] = "particles/all/species"
    };

    for (int kind = 0; kind < VVI_ROLES; kind++) {
        const vvi_role *role = &self->roles.of[kind];
        vvi_h5md_part *part = &self->parts[self->count];

        if (!role->is_there)
            continue;
        part->path = paths[kind];
        if (kind == VVI_ROLE_ENERGY) {
            const char *slash = strrchr(role->info.path, '/');

            snprintf(self->observable, sizeof(self->observable), "observables/%.100s",
                     slash ? slash + 1 : role->info.path);
            part->path = self->observable;
        }
        part->dtype = role->info.dtype;
        part->units = role->info.units;
        /* An observable has a group above it only where it has frames. */
        part->is_fixed = role->is_constant && kind != VVI_ROLE_ENERGY;
        set_shape(&self->roles, (vvi_role_kind)kind, part);
        self->kinds[self->count++] = (vvi_role_kind)kind;
    }
}

static vv_status put_part(h5md *self, size_t i, uint64_t frame, vv_error *err)
{
    const vvi_role *role = &self->roles.of[self->kinds[i]];
    size_t item = role->info.item_size;

    VVI_TRY(vvi_role_read(&self->roles, self->kinds[i], frame, self->value, err));
    if (self->kinds[i] == VVI_ROLE_BOX && role->elements == 1) {
        memcpy(self->value + item, self->value, item);
        memcpy(self->value + 2 * item, self->value, item);
    }
    return vvi_h5md_put(self->file, i, frame, self->value, err);
}

static vv_status put_steps(h5md *self, vv_error *err)
{
    uint64_t frames = self->roles.frames;
    int64_t *steps = vvi_alloc_array((size_t)frames, sizeof(*steps));
    vv_status status = steps ? VV_OK : vvi_fail_nomem(err, (size_t)frames * 8);

    for (uint64_t i = 0; i < frames && !status; i++)
        status = vvi_roles_step(&self->roles, i, &steps[i], err);
    if (!status)
        status = vvi_h5md_put_steps(self->file, steps, err);
    vvi_free(steps);
    return status;
}

static vv_status put_all(h5md *self, const vv_frames_options *options, vv_error *err)
{
    vv_progress at = { .what = "frames", .items_total = self->roles.frames };

    for (size_t i = 0; i < self->count; i++)
        if (self->parts[i].is_fixed)
            VVI_TRY(put_part(self, i, 0, err));
    for (uint64_t frame = 0; frame < self->roles.frames; frame++) {
        for (size_t i = 0; i < self->count; i++)
            if (!self->parts[i].is_fixed)
                VVI_TRY(put_part(self, i, frame, err));
        at.items_done = frame + 1;
        if (options->progress && options->progress(options->ctx, &at))
            return vvi_fail(err, VV_ECANCELED, "stopped");
    }
    return put_steps(self, err);
}

static vv_status write_file(h5md *self, const char *path,
                            const vv_frames_options *options, vv_error *err)
{
    size_t bytes = 32; /* a box of one length becomes three */
    vv_status status, closed;

    plan_parts(self);
    for (size_t i = 0; i < self->count; i++)
        if (self->roles.of[self->kinds[i]].value_bytes > bytes)
            bytes = self->roles.of[self->kinds[i]].value_bytes;
    self->value = vvi_alloc(bytes);
    if (!self->value)
        return vvi_fail_nomem(err, bytes);
    status = vvi_h5md_create(path, self->roles.frames, self->parts, self->count,
                             &self->file, err);
    if (!status) {
        status = put_all(self, options, err);
        closed = vvi_h5md_close(self->file, !status, status ? NULL : err);
        status = status ? status : closed;
    }
    vvi_free(self->value);
    return status;
}

vv_status vv_traj_write_h5md(vv_traj *traj, const vv_frames_options *given,
                             const char *path, uint64_t *frames, vv_error *err)
{
    vv_frames_options options;
    h5md self = { .count = 0 };

    VVI_TRY(vvi_read_options(&options, sizeof(options), given, err));
    VVI_TRY(vvi_roles_find(traj, &options, &self.roles, err));
    VVI_TRY(write_file(&self, path, &options, err));
    if (frames)
        *frames = self.roles.frames;
    return VV_OK;
}

#else

vv_status vv_traj_write_h5md(vv_traj *traj, const vv_frames_options *options,
                             const char *path, uint64_t *frames, vv_error *err)
{
    (void)traj;
    (void)options;
    (void)frames;
    return vvi_fail(err, VV_EUNSUPPORTED, "%s: this build writes no HDF5", path);
}

#endif
