/* The contract of sinks, over HDF5 files, read back with the library's own reader. */
#include "recorder/sink_contract.h"

#include <stdio.h>

static void *make_place(void)
{
    char *dir = make_directory();
    size_t len = strlen(dir) + 8;
    char *path = malloc(len);

    assert_non_null(path);
    snprintf(path, len, "%s/a.h5", dir);
    free(dir);
    return path;
}

static void unmake_place(void *place)
{
    char *path = place;

    *strrchr(path, '/') = '\0';
    remove_directory(path); /* frees it too */
}

static vv_status create(void *place, const vv_schema *schema,
                        const vv_recorder_options *options, vv_recorder **out,
                        vv_error *err)
{
    return vv_recorder_create_hdf5(place, schema, options, out, err);
}

static vv_status append(void *place, const vv_schema *schema, int64_t next_step,
                        const vv_recorder_options *options, vv_recorder **out,
                        vv_error *err)
{
    return vv_recorder_append_hdf5(place, schema, next_step, options, out, err);
}

static void make_room(vv_buf *out, size_t bytes)
{
    vv_buf_clear(out);
    out->data = malloc(bytes + 1);
    assert_non_null(out->data);
    out->len = bytes;
    out->owner = out->data;
    out->release = free;
}

static vv_status read_leaf(vv_traj *traj, const vv_schema *schema, size_t g, size_t i,
                           uint64_t *rows, vv_buf *out, vv_error *err)
{
    vv_traj_rows there = VV_TRAJ_ROWS_INIT;
    const vv_traj_group *group;
    uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 };
    vv_traj_leaf leaf;
    size_t number, bytes;
    size_t gt;

    assert_true(vv_traj_group_by_name(traj, vv_schema_group_name(schema, g), &gt));
    group = vv_traj_group_at(traj, gt);
    if (vv_traj_get_rows(traj, gt, &there, err))
        return err->status;
    *rows = there.rows;
    if (i == CONTRACT_STEPS) {
        make_room(out, (size_t)there.rows * 8);
        return there.rows ? vv_traj_read_steps(traj, gt, 0, there.rows,
                                               (int64_t *)(void *)out->data, err)
                          : VV_OK;
    }
    assert_true(
        vv_traj_leaf_by_name(traj, gt, vv_schema_leaf_name(schema, g, i), &number));
    if (vv_traj_leaf_at(traj, gt, number, &leaf, err))
        return err->status;
    if (group->kind == VV_TRAJ_PLACED) {
        *rows = 1;
        for (uint32_t d = 0; d < group->extent_ndim; d++)
            *rows *= group->extent[d];
    }
    bytes = leaf.item_size;
    for (uint32_t d = 0; d < leaf.ndim; d++)
        bytes *= (size_t)leaf.shape[d];
    make_room(out, bytes);
    return bytes && *rows ? vv_traj_read(traj, gt, number, start, leaf.shape, NULL,
                                         out->data, bytes, err)
                          : VV_OK;
}

static vv_status read_place(void *place, const vv_schema *schema, size_t group,
                            size_t leaf, uint64_t *rows, vv_buf *out, vv_error *err)
{
    vv_traj *traj = NULL;
    vv_status status = vv_traj_open(place, &traj, err);

    if (!status)
        status = read_leaf(traj, schema, group, leaf, rows, out, err);
    vv_traj_close(traj);
    return status;
}

int main(void)
{
    static const sink_kind kind = {
        .name = "HDF5",
        .make = make_place,
        .unmake = unmake_place,
        .create = create,
        .append = append,
        .read = read_place,
    };

    return run_sink_contract(&kind);
}
