/* Rows of groups: how many count, the step of each, and which places were written. */
#include "trajectory/trajectory.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"
#include "util/options.h"

#include <string.h>

/* ---- what the file says ------------------------------------------------------------------------ */

/* A number of 8 bytes in a data set. */
static vv_status read_number(const vv_traj *traj, uint64_t group, const char *name,
                             uint64_t *out, vv_error *err)
{
    vv_buf value = VV_BUF_INIT;
    vvi_h5_type type;
    vv_status status = vvi_traj_read_small(traj, group, name, &value, &type, err);

    if (!status && (value.len != 8 || type.kind != VVI_H5_NUMBER))
        status = vvi_fail(err, VV_ECORRUPT, "'%s' is no number of 64 bits", name);
    if (!status)
        memcpy(out, value.data, sizeof(*out));
    vv_buf_clear(&value);
    return status;
}

/* A data set of numbers below a group, of at least n in all. *out NULL: there is none. */
static vv_status open_beside(const vv_traj *traj, uint64_t group, const char *name,
                             vv_dtype dtype, uint64_t n, vvi_h5_dataset **out,
                             vv_error *err)
{
    const vvi_h5_dataset_info *info;
    uint64_t address, elements = 1;
    vv_status status = vvi_h5_find(traj->file, group, name, &address, err);

    if (status)
        return status == VV_ENOTFOUND ? VV_OK : status;
    VVI_TRY(vvi_h5_dataset_open(traj->file, address, out, err));
    info = vvi_h5_dataset_get_info(*out);
    for (uint32_t d = 0; d < info->space.rank; d++)
        if (__builtin_mul_overflow(elements, info->space.dims[d], &elements))
            elements = UINT64_MAX;
    if (info->type.kind != VVI_H5_NUMBER || info->type.dtype.code != dtype ||
        info->space.is_null || elements < n)
        return vvi_fail(err, VV_ECORRUPT, "'%s' is not what a recording has", name);
    return VV_OK;
}

static uint64_t places_of(const vvi_traj_group *group)
{
    uint64_t places = 1;

    for (uint32_t d = 0; d < group->public.extent_ndim; d++)
        if (__builtin_mul_overflow(places, group->extent[d], &places))
            return UINT64_MAX;
    return places;
}

void vvi_traj_drop_rows(vvi_traj_group *group)
{
    vvi_h5_dataset_free(group->steps);
    vvi_h5_dataset_free(group->written);
    group->steps = group->written = NULL;
}

static vv_status load_group(vv_traj *traj, vvi_traj_group *group, vv_error *err)
{
    vvi_traj_drop_rows(group);
    VVI_TRY(read_number(traj, group->address, "rows", &group->rows, err));
    if (group->public.kind == VV_TRAJ_ROWS)
        return open_beside(traj, group->address, "steps", VV_INT64, group->rows,
                           &group->steps, err);
    if (group->public.kind == VV_TRAJ_ONCE && group->rows > 1)
        return vvi_fail(err, VV_ECORRUPT,
                        "%" PRIu64 " rows of a group that is logged once", group->rows);
    if (group->public.kind != VV_TRAJ_PLACED)
        return VV_OK;
    if (group->rows > places_of(group))
        return vvi_fail(err, VV_ECORRUPT,
                        "%" PRIu64 " rows were written in %" PRIu64 " places",
                        group->rows, places_of(group));
    return open_beside(traj, group->address, "written", VV_UINT8, places_of(group),
                       &group->written, err);
}

vv_status vvi_traj_load_rows(vv_traj *traj, vv_error *err)
{
    uint64_t next = 0;
    vv_status status;

    if (!traj->info.is_recording)
        return VV_OK;
    status = read_number(traj, vvi_h5_get_info(traj->file)->root, "next_step", &next,
                         err);
    if (status && status != VV_ENOTFOUND)
        return status;
    traj->info.has_next_step = status == VV_OK;
    memcpy(&traj->info.next_step, &next, sizeof(next));
    for (size_t g = 0; g < traj->info.group_count; g++) {
        status = load_group(traj, &traj->groups[g], err);
        if (status)
            return vvi_wrap(err, status == VV_ENOTFOUND ? VV_ECORRUPT : status, "%s",
                            traj->groups[g].name);
    }
    return VV_OK;
}

/* ---- counting ------------------------------------------------------------------------------- */

/* Of a file that does not say: the first dimension, where all leaves have the same. */
static vv_status count_extent(vv_traj *traj, size_t group, vv_traj_rows *out,
                              vv_error *err)
{
    for (size_t i = 0; i < traj->groups[group].public.leaf_count; i++) {
        vv_traj_leaf leaf;
        vv_status status = vv_traj_leaf_at(traj, group, i, &leaf, err);

        if (status == VV_ENOTFOUND || status == VV_EUNSUPPORTED)
            continue;
        if (status)
            return status;
        if (!leaf.ndim || (out->has_rows && out->rows != leaf.shape[0])) {
            out->has_rows = false;
            out->rows = 0;
            return VV_OK;
        }
        out->has_rows = true;
        out->rows = leaf.shape[0];
    }
    return VV_OK;
}

vv_status vv_traj_get_rows(vv_traj *traj, size_t group, vv_traj_rows *out, vv_error *err)
{
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
    size_t size = out->struct_size;
    const vvi_traj_group *in;

    if (size < sizeof(size) || size > sizeof(rows))
        return vvi_fail(err, VV_EINVAL, "vv_traj_rows: struct_size is %zu", size);
    if (group >= traj->info.group_count)
        return vvi_fail(err, VV_ERANGE, "%s: no group %zu", traj->path, group);
    in = &traj->groups[group];
    switch (in->public.kind) {
    case VV_TRAJ_UNKNOWN:
        VVI_TRY(count_extent(traj, group, &rows, err));
        break;
    case VV_TRAJ_ONCE:
        rows.is_known = true;
        rows.rows = in->rows;
        break;
    case VV_TRAJ_ROWS:
        rows.is_known = rows.has_rows = true;
        rows.has_steps = in->steps || in->by_rule;
        rows.rows = in->rows;
        break;
    case VV_TRAJ_PLACED:
        rows.is_known = rows.has_rows = true;
        rows.rows = in->public.extent_ndim ? in->extent[0] : 0;
        break;
    }
    rows.written = in->public.kind == VV_TRAJ_PLACED ? in->rows : rows.rows;
    rows.struct_size = size;
    memcpy(out, &rows, size);
    return VV_OK;
}

/* ---- steps and places --------------------------------------------------------------------------- */

static vv_status read_beside(vv_traj *traj, const vvi_traj_group *group, const char *name,
                             const vvi_h5_dataset *dataset, const uint64_t *start,
                             const uint64_t *count, void *out, size_t bytes,
                             vv_error *err)
{
    vv_status status = vvi_traj_read_dataset(traj, group, name, dataset, start, count,
                                             NULL, out, bytes, err);

    return status ? vvi_wrap(err, status, "%s: %s: '%s'", traj->path, group->name, name)
                  : VV_OK;
}

vv_status vvi_traj_read_integers(const vvi_h5_dataset *dataset, uint64_t first,
                                 uint64_t count, int64_t *out, vv_error *err)
{
    const vvi_h5_type *type = &vvi_h5_dataset_get_info(dataset)->type;
    uint8_t block[8 * 512];

    while (count) {
        uint64_t n = count < 512 ? count : 512;

        VVI_TRY(
            vvi_h5_read(dataset, &first, &n, NULL, block, (size_t)n * type->item, err));
        for (size_t i = 0; i < n; i++) {
            const uint8_t *at = block + i * type->item;
            int8_t narrow = (int8_t)*at;
            int16_t half;
            int32_t word;

            memcpy(&half, at, type->item >= 2 ? 2 : 0);
            memcpy(&word, at, type->item >= 4 ? 4 : 0);
            switch (type->item) {
            case 1:
                out[i] = type->is_signed ? narrow : (uint8_t)narrow;
                break;
            case 2:
                out[i] = type->is_signed ? half : (uint16_t)half;
                break;
            case 4:
                out[i] = type->is_signed ? word : (int64_t)(uint32_t)word;
                break;
            default:
                memcpy(&out[i], at, sizeof(*out));
                break;
            }
        }
        first += n;
        count -= n;
        out += n;
    }
    return VV_OK;
}

vv_status vv_traj_read_steps(vv_traj *traj, size_t group, uint64_t first, uint64_t count,
                             int64_t *out, vv_error *err)
{
    const vvi_traj_group *in;

    if (group >= traj->info.group_count)
        return vvi_fail(err, VV_ERANGE, "%s: no group %zu", traj->path, group);
    in = &traj->groups[group];
    if (!in->steps && !in->by_rule)
        return vvi_fail(err, VV_ENOTFOUND, "%s: %s: the steps of its rows are not there",
                        traj->path, in->name);
    if (first > in->rows || count > in->rows - first)
        return vvi_fail(err, VV_ERANGE,
                        "%s: %s: %" PRIu64 " rows from %" PRIu64 " on, of %" PRIu64,
                        traj->path, in->name, count, first, in->rows);
    for (uint64_t i = 0; in->by_rule && i < count; i++)
        out[i] = (int64_t)((uint64_t)in->first_step +
                           (first + i) * (uint64_t)in->step_by);
    if (in->by_rule)
        return VV_OK;
    if (!traj->info.is_recording)
        return vvi_traj_read_integers(in->steps, first, count, out, err);
    return read_beside(traj, in, "steps", in->steps, &first, &count, out,
                       (size_t)count * sizeof(*out), err);
}

vv_status vv_traj_row_of_step(vv_traj *traj, size_t group, int64_t step, uint64_t *row,
                              vv_error *err)
{
    uint64_t low = 0, high;
    int64_t found;

    VVI_TRY(vv_traj_read_steps(traj, group, 0, 0, &found, err));
    high = traj->groups[group].rows;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        VVI_TRY(vv_traj_read_steps(traj, group, middle, 1, &found, err));
        if (found < step)
            low = middle + 1;
        else
            high = middle;
    }
    *row = low;
    return VV_OK;
}

vv_status vv_traj_read_written(vv_traj *traj, size_t group, uint8_t *out, size_t n,
                               vv_error *err)
{
    const uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 };
    const vvi_h5_dataset_info *info;
    const vvi_traj_group *in;

    if (group >= traj->info.group_count)
        return vvi_fail(err, VV_ERANGE, "%s: no group %zu", traj->path, group);
    in = &traj->groups[group];
    if (!in->written)
        return vvi_fail(err, VV_ENOTFOUND, "%s: %s: not a group of places", traj->path,
                        in->name);
    if (n != places_of(in))
        return vvi_fail(err, VV_EINVAL, "%s: %s: %zu of %" PRIu64 " places", traj->path,
                        in->name, n, places_of(in));
    info = vvi_h5_dataset_get_info(in->written);
    return read_beside(traj, in, "written", in->written, start, info->space.dims, out, n,
                       err);
}
