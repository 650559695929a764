/* Trajectories of kUPS and of the recorder into stores, and what is there held to what the file says. */
#include "support/support.h"

#include "util/fault.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>

static vv_error err;

static vv_traj *open_file(const char *path)
{
    vv_traj *traj = NULL;

    assert_vv_ok(vv_traj_open(path, &traj, &err));
    return traj;
}

/* What publishing refuses, and why. */
static const struct {
    const char *name;
    vv_status status;
} refused[] = {
    { "k30_damaged_chunk", VV_ECORRUPT },
    { "k31_zstd_bomb", VV_ECORRUPT },
    { "k32_unknown_filter", VV_EUNSUPPORTED },
    { "k33_bad_header_checksum", VV_ECORRUPT },
};

static vv_status status_of(const char *path)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (strstr(path, refused[i].name))
            return refused[i].status;
    return VV_OK;
}

static void all_files_of_kups_come_in_equal(void **state)
{
    glob_t files = { 0 };
    size_t published = 0;

    (void)state;
    assert_int_equal(glob(VECTORS "/trajectory/t*.h5", 0, NULL, &files), 0);
    assert_int_equal(glob(VECTORS "/trajectory-1.0.8/k*.h5", GLOB_APPEND, NULL, &files),
                     0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        vv_transfer_result result;
        vv_traj *traj = NULL;
        vv_store *store;
        vv_status status;

        if (vv_traj_open(files.gl_pathv[i], &traj, NULL))
            continue; /* damaged ones */
        assert_vv_ok(vv_memory_store_new(&store, &err));
        status = vv_traj_publish(traj, store, "a/run", NULL, &result, &err);
        if (status != status_of(files.gl_pathv[i]))
            fail_msg("%s: %s (%s)", files.gl_pathv[i], vv_status_name(status),
                     err.message);
        assert_true(status || result.verified);
        published += !status;
        vv_store_free(store);
        vv_traj_close(traj);
    }
    assert_true(published > 40);
    globfree(&files);
}

static bool never(void *ctx, int64_t step)
{
    (void)ctx;
    (void)step;
    return false;
}

static vv_status nowhere(void *ctx, int64_t step, uint64_t *index, vv_error *e)
{
    (void)ctx;
    (void)step;
    (void)index;
    (void)e;
    return VV_EINVAL;
}

static vv_status shape_of_moves(void *ctx, int64_t total, uint32_t *ndim, uint64_t *shape,
                                vv_error *e)
{
    const vv_traj_group *group;
    size_t number;

    (void)total;
    assert_int_equal(vv_traj_find(ctx, "moves", &number, NULL, e), VV_OK);
    group = vv_traj_group_at(ctx, number);
    *ndim = group->extent_ndim;
    memcpy(shape, group->extent, group->extent_ndim * sizeof(*shape));
    return VV_OK;
}

static void a_recording_comes_in_with_its_steps_and_goes_on(void **state)
{
    static const uint64_t start[VV_NDIM_MAX];
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;
    vv_traj *traj = open_file(RECORDINGS "/closed.h5");
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
    vv_transfer_result result;
    vv_recorder *recorder = NULL;
    vv_schema *schema = NULL;
    vv_array *array;
    vv_store *store;
    size_t group;
    int64_t steps[2][64];
    char path[300];

    (void)state;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    assert_vv_ok(vv_traj_publish(traj, store, "", NULL, &result, &err));
    assert_true(result.verified && !result.has_root);
    assert_vv_ok(vv_traj_find(traj, "step", &group, NULL, &err));
    assert_vv_ok(vv_traj_get_rows(traj, group, &rows, &err));
    assert_true(rows.has_steps && rows.rows > 1 && rows.rows <= 64);
    assert_vv_ok(vv_traj_read_steps(traj, group, 0, rows.rows, steps[0], &err));
    snprintf(path, sizeof(path), "%s/steps", vv_traj_group_at(traj, group)->path);
    assert_vv_ok(vv_array_open(store, path, &array, &err));
    assert_int_equal(vv_array_get_meta(array)->shape[0], rows.rows);
    assert_vv_ok(vv_array_read(array, start, &rows.rows, NULL, steps[1],
                               (size_t)rows.rows * 8, &err));
    assert_memory_equal(steps[0], steps[1], (size_t)rows.rows * 8);
    vv_array_free(array);
    /* A group of its writer's own frequency needs its functions to go on. */
    assert_int_equal(vv_recorder_append_zarr(store, "", NULL, -1, &options, NULL, NULL,
                                             &recorder, &err),
                     VV_EINVAL);
    assert_vv_ok(vv_traj_schema(traj, &schema, &err));
    assert_true(vv_schema_group_by_name(schema, "moves", &group));
    assert_vv_ok(vv_schema_set_frequency(
        schema, group,
        (vv_frequency){
            .due = never, .shape = shape_of_moves, .index = nowhere, .ctx = traj },
        &err));
    assert_vv_ok(vv_recorder_append_zarr(store, "", schema, -1, &options, NULL, NULL,
                                         &recorder, &err));
    vv_schema_free(schema);
    assert_vv_ok(vv_recorder_close(recorder, &err));
    vv_traj_close(traj);
    vv_store_free(store);
}

static void a_part_of_the_rows_and_groups_can_be_chosen(void **state)
{
    static const uint64_t start[VV_NDIM_MAX];
    vv_transfer_options options = VV_TRANSFER_OPTIONS_INIT;
    vv_traj *traj = open_file(RECORDINGS "/closed.h5");
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
    vv_transfer_result result;
    vv_blockstore *blocks;
    vv_array *array;
    vv_store *store;
    size_t group;
    uint64_t left;
    int64_t all[64], some[64];
    char path[300];

    (void)state;
    assert_vv_ok(vv_traj_find(traj, "step", &group, NULL, &err));
    assert_vv_ok(vv_traj_get_rows(traj, group, &rows, &err));
    assert_vv_ok(vv_traj_read_steps(traj, group, 0, rows.rows, all, &err));
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    assert_vv_ok(vv_hamt_store_open(blocks, NULL, NULL, &store, &err));
    options.group = "step";
    options.rows = (vv_row_range){ 1, rows.rows - 1, 3 };
    assert_vv_ok(vv_traj_publish(traj, store, "x", &options, &result, &err));
    assert_true(result.verified && result.has_root && result.groups == 1);
    left = (rows.rows - 2 + 2) / 3;
    assert_int_equal(result.rows, left);
    vv_store_free(store);
    assert_vv_ok(vv_hamt_store_open(blocks, &result.root, NULL, &store, &err));
    snprintf(path, sizeof(path), "x/%s/steps", vv_traj_group_at(traj, group)->path);
    assert_vv_ok(vv_array_open(store, path, &array, &err));
    assert_vv_ok(vv_array_read(array, start, &left, NULL, some, (size_t)left * 8, &err));
    for (uint64_t i = 0; i < left; i++)
        assert_int_equal(some[i], all[1 + 3 * i]);
    vv_array_free(array);
    options.group = "no such group";
    assert_int_equal(vv_traj_publish(traj, store, "y", &options, &result, &err),
                     VV_ENOTFOUND);
    vv_traj_close(traj);
    vv_store_free(store);
    vv_blockstore_free(blocks);
}

static vv_status stop_after_some(void *ctx, const vv_progress *at)
{
    assert_true(at->bytes_done <= at->bytes_total);
    return ++*(int *)ctx == 3 ? VV_ECANCELED : VV_OK;
}

static void it_stops_when_it_is_asked_to(void **state)
{
    vv_transfer_options options = VV_TRANSFER_OPTIONS_INIT;
    vv_traj *traj = open_file(VECTORS "/trajectory-1.0.8/k06_chunks.h5");
    vv_store *store;
    int calls = 0;

    (void)state;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    options.progress = stop_after_some;
    options.ctx = &calls;
    assert_int_equal(vv_traj_publish(traj, store, "", &options, NULL, &err),
                     VV_ECANCELED);
    options.progress = NULL;
    assert_int_equal(vv_traj_publish(traj, store, "", &options, NULL, &err), VV_EEXISTS);
    options.overwrite = true;
    assert_vv_ok(vv_traj_publish(traj, store, "", &options, NULL, &err));
    vv_traj_close(traj);
    vv_store_free(store);
}

static vv_status publish_once(void *ctx)
{
    vv_transfer_options options = VV_TRANSFER_OPTIONS_INIT;
    vv_traj *traj = NULL;
    vv_store *store = NULL;
    vv_status status = vv_traj_open(ctx, &traj, &err);

    options.threads = 1;
    if (!status)
        status = vv_memory_store_new(&store, &err);
    if (!status)
        status = vv_traj_publish(traj, store, "run", &options, NULL, &err);
    vv_store_free(store);
    vv_traj_close(traj);
    return status;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    survives_failing_allocations(publish_once, RECORDINGS "/closed.h5");
}

/* A failure is an error, and what is there then can be replaced. */
static void any_file_call_may_fail(void **state)
{
    vvi_fault plan = { .calls = VVI_CALLS_ALL,
                       .kind = VVI_FAULT_ERROR,
                       .error_number = EIO };
    vv_status status = VV_EIO;

    (void)state;
    for (plan.after = 0; status; plan.after += 5) {
        vv_transfer_options options = VV_TRANSFER_OPTIONS_INIT;
        char *directory = make_directory();
        vv_traj *traj = NULL;
        vv_store *store = NULL;

        options.threads = 1;
        options.overwrite = true;
        vvi_fault_plan(&plan);
        status = vv_traj_open(RECORDINGS "/closed.h5", &traj, &err);
        if (!status)
            status = vv_directory_store_open(directory, false, &store, &err);
        if (!status)
            status = vv_traj_publish(traj, store, "run", &options, NULL, &err);
        vvi_fault_plan(NULL);
        vv_traj_close(traj);
        vv_store_free(store);
        if (status) {
            traj = open_file(RECORDINGS "/closed.h5");
            assert_vv_ok(vv_directory_store_open(directory, false, &store, &err));
            assert_vv_ok(vv_traj_publish(traj, store, "run", &options, NULL, &err));
            vv_traj_close(traj);
            vv_store_free(store);
        }
        remove_directory(directory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_files_of_kups_come_in_equal),
        cmocka_unit_test(a_recording_comes_in_with_its_steps_and_goes_on),
        cmocka_unit_test(a_part_of_the_rows_and_groups_can_be_chosen),
        cmocka_unit_test(it_stops_when_it_is_asked_to),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(any_file_call_may_fail),
    };

    watch_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
