/* Trajectories rewritten as recordings, and as extended XYZ. */
#include "support/support.h"

#include "h5/h5.h"

#include <glob.h>
#include <stdio.h>
#include <unistd.h>

static vv_error err;

static vv_traj *open_file(const char *path)
{
    vv_traj *traj = NULL;

    assert_vv_ok(vv_traj_open(path, &traj, &err));
    return traj;
}

/* ---- recordings ----------------------------------------------------------------------------------- */

static bool has_hdf5(void)
{
    vv_traj *traj = open_file(RECORDINGS "/closed.h5");
    bool has = vv_traj_rewrite(traj, "/no/such/directory/x.h5", NULL, NULL, &err) !=
               VV_EUNSUPPORTED;

    vv_traj_close(traj);
    return has;
}

static void files_of_kups_become_recordings(void **state)
{
    char *directory = make_directory();
    char path[4096];
    glob_t files = { 0 };
    size_t written = 0;

    (void)state;
    snprintf(path, sizeof(path), "%s/out.h5", directory);
    assert_int_equal(glob(VECTORS "/trajectory/t*.h5", 0, NULL, &files), 0);
    assert_int_equal(glob(VECTORS "/trajectory-1.0.8/k*.h5", GLOB_APPEND, NULL, &files),
                     0);
    for (size_t i = 0; has_hdf5() && i < files.gl_pathc; i++) {
        vv_transfer_options options = VV_TRANSFER_OPTIONS_INIT;
        vv_transfer_result result;
        vv_traj *traj = NULL;
        vv_status status;

        if (vv_traj_open(files.gl_pathv[i], &traj, NULL))
            continue;
        options.overwrite = true;
        status = vv_traj_rewrite(traj, path, &options, &result, &err);
        vv_traj_close(traj);
        if (status) {
            /* Damaged ones, and those whose trees or groups are not all there. */
            assert_true(status == VV_ECORRUPT || status == VV_EUNSUPPORTED);
            continue;
        }
        assert_true(result.verified);
        written++;
        traj = open_file(path);
        vv_traj_check_report report = VV_TRAJ_CHECK_REPORT_INIT;
        assert_vv_ok(vv_traj_check(traj, NULL, &report, &err));
        if (report.problems || report.is_open)
            fail_msg("%s: %llu problems", files.gl_pathv[i],
                     (unsigned long long)report.problems);
        assert_true(vv_traj_get_info(traj)->is_recording);
        vv_traj_close(traj);
    }
    assert_true(!has_hdf5() || written > 40);
    globfree(&files);
    remove_directory(directory);
}

static void rows_groups_and_codecs_can_be_chosen(void **state)
{
    static const vv_compression plain = { .codec = VV_COMPRESS_NONE };
    vv_transfer_options options = VV_TRANSFER_OPTIONS_INIT;
    vv_traj *traj = open_file(RECORDINGS "/closed.h5");
    vv_transfer_result result;
    char *directory = make_directory();
    char path[4096];
    int64_t was[40], is[40];
    vv_traj *copy;
    vv_traj_leaf leaf;
    size_t group, number;

    (void)state;
    snprintf(path, sizeof(path), "%s/out.h5", directory);
    options.group = "step";
    options.rows = (vv_row_range){ 2, UINT64_MAX, 5 };
    options.compression = &plain;
    if (has_hdf5()) {
        assert_vv_ok(vv_traj_rewrite(traj, path, &options, &result, &err));
        assert_true(result.verified && result.rows == 7);
        assert_int_equal(vv_traj_rewrite(traj, path, &options, &result, &err),
                         VV_EEXISTS);
        copy = open_file(path);
        assert_int_equal(vv_traj_get_info(copy)->group_count, 1);
        assert_vv_ok(vv_traj_find(copy, "step/energy", &group, &number, &err));
        assert_vv_ok(vv_traj_leaf_at(copy, group, number, &leaf, &err));
        assert_string_equal(leaf.filters, "");
        assert_vv_ok(vv_traj_read_steps(copy, group, 0, 7, is, &err));
        assert_vv_ok(vv_traj_find(traj, "step", &group, NULL, &err));
        assert_vv_ok(vv_traj_read_steps(traj, group, 0, 37, was, &err));
        for (size_t i = 0; i < 7; i++)
            assert_int_equal(is[i], was[2 + 5 * i]);
        vv_traj_close(copy);
    }
    vv_traj_close(traj);
    remove_directory(directory);
}

/* ---- extended XYZ ----------------------------------------------------------------------------------- */

static vv_status keep(void *ctx, vv_bytes data, vv_error *e)
{
    vv_buf *out = ctx;
    uint8_t *grown = realloc(out->data, out->len + data.len + 1);

    (void)e;
    assert_non_null(grown);
    memcpy(grown + out->len, data.data, data.len);
    out->data = grown;
    out->len += data.len;
    grown[out->len] = '\0';
    return VV_OK;
}

static void frames_become_extended_xyz(void **state)
{
    static const char *const map[] = { "velocities=step/positions", "box=init/box" };
    static const char start[] =
        "20\nLattice=\"10.0 0.0 0.0 0.0 10.0 0.0 0.0 0.0 10.0\" pbc=\"T T T\" "
        "Properties=species:S:1:pos:R:3:vel:R:3 energy=-1.5 step=10\n"
        "X 1.0 2.0 3.0 1.0 2.0 3.0\n";
    vv_frames_options options = VV_FRAMES_OPTIONS_INIT;
    vv_traj *traj = open_file(RECORDINGS "/closed.h5");
    vv_buf out = VV_BUF_INIT;
    uint64_t frames, lines = 0;

    (void)state;
    options.map = map;
    options.map_count = 2;
    options.rows = (vv_row_range){ 1, 36, 10 };
    assert_vv_ok(
        vv_traj_write_xyz(traj, &options, (vv_sink){ keep, &out }, &frames, &err));
    assert_int_equal(frames, 4);
    for (size_t i = 0; i < out.len; i++)
        lines += out.data[i] == '\n';
    assert_int_equal(lines, 4 * 22);
    assert_memory_equal(out.data, start, strlen(start));
    assert_non_null(strstr((char *)out.data, " step=310\n"));
    free(out.data);
    vv_traj_close(traj);
}

static void species_are_told_by_atomic_numbers(void **state)
{
    vv_frames_options options = VV_FRAMES_OPTIONS_INIT;
    vv_traj *traj = open_file(VECTORS "/trajectory-1.0.8/k40_md_argon.h5");
    vv_buf out = VV_BUF_INIT;
    uint64_t frames;

    (void)state;
    assert_vv_ok(
        vv_traj_write_xyz(traj, &options, (vv_sink){ keep, &out }, &frames, &err));
    assert_int_equal(frames, 12);
    assert_memory_equal(out.data, "256\n", 4);
    assert_non_null(strstr((char *)out.data, "\nAr "));
    assert_non_null(strstr((char *)out.data, " energy="));
    assert_non_null(strstr((char *)out.data, " row=11\n"));
    free(out.data);
    vv_traj_close(traj);
}

static void maps_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *map;
        vv_status status;
    } cases[] = {
        { "place=step/positions", VV_EINVAL },
        { "positions", VV_EINVAL },
        { "positions=step/energy", VV_EUNSUPPORTED },
        { "positions=step/nothing", VV_ENOTFOUND },
        { "positions=init/box", VV_EUNSUPPORTED },
        { "box=step/positions", VV_EUNSUPPORTED },
        { "energy=step", VV_EINVAL },
        { "species=step/energy", VV_EUNSUPPORTED },
        { "energy=", VV_OK },
    };
    vv_traj *traj = open_file(RECORDINGS "/closed.h5");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_frames_options options = VV_FRAMES_OPTIONS_INIT;
        vv_buf out = VV_BUF_INIT;
        vv_status status;

        options.map = &cases[i].map;
        options.map_count = 1;
        status = vv_traj_write_xyz(traj, &options, (vv_sink){ keep, &out }, NULL, &err);
        if (status != cases[i].status)
            fail_msg("%s: %s (%s)", cases[i].map, vv_status_name(status), err.message);
        assert_true(status || !strstr((char *)out.data, "energy="));
        free(out.data);
    }
    vv_traj_close(traj);
}

/* ---- H5MD ---------------------------------------------------------------------------------------- */

/* Read a data set of a file; the bytes that it has. */
static vv_buf read_path(vvi_h5 *file, const char *path)
{
    uint64_t at = vvi_h5_get_info(file)->root;
    uint64_t start[VVI_H5_RANK_MAX] = { 0 };
    const vvi_h5_dataset_info *info;
    vvi_h5_dataset *dataset = NULL;
    vv_buf out = VV_BUF_INIT;

    assert_vv_ok(vvi_h5_find(file, at, path, &at, &err));
    assert_vv_ok(vvi_h5_dataset_open(file, at, &dataset, &err));
    info = vvi_h5_dataset_get_info(dataset);
    out.len = info->type.item;
    for (uint32_t d = 0; d < info->space.rank; d++)
        out.len *= info->space.dims[d];
    out.data = malloc(out.len + 1);
    assert_vv_ok(
        vvi_h5_read(dataset, start, info->space.dims, NULL, out.data, out.len, &err));
    vvi_h5_dataset_free(dataset);
    return out;
}

static void frames_become_h5md(void **state)
{
    static const uint64_t start[3] = { 1, 0, 0 };
    static const uint64_t count[3] = { 12, 20, 3 };
    static const uint64_t stride[3] = { 3, 1, 1 };
    static const char *const map[] = { "forces=step/positions" };
    vv_frames_options options = VV_FRAMES_OPTIONS_INIT;
    vv_traj *traj = open_file(RECORDINGS "/closed.h5");
    char *directory = make_directory();
    char path[4096];
    float wanted[12 * 60];
    vvi_h5 *file = NULL;
    uint64_t frames = 0;
    vv_buf found;
    size_t group, leaf;

    (void)state;
    snprintf(path, sizeof(path), "%s/out.h5md", directory);
    options.rows = (vv_row_range){ 1, UINT64_MAX, 3 };
    options.map = map;
    options.map_count = 1;
    if (has_hdf5()) {
        assert_vv_ok(vv_traj_write_h5md(traj, &options, path, &frames, &err));
        assert_int_equal(frames, 12);
        assert_vv_ok(vv_traj_find(traj, "step/positions", &group, &leaf, &err));
        assert_vv_ok(vv_traj_read(traj, group, leaf, start, count, stride, wanted,
                                  sizeof(wanted), &err));
        assert_vv_ok(vvi_h5_open(path, &file, &err));
        found = read_path(file, "particles/all/position/value");
        assert_int_equal(found.len, sizeof(wanted));
        assert_memory_equal(found.data, wanted, sizeof(wanted));
        free(found.data);
        found = read_path(file, "particles/all/force/value");
        assert_memory_equal(found.data, wanted, sizeof(wanted));
        free(found.data);
        found = read_path(file, "observables/energy/step");
        for (size_t i = 0; i < 12; i++)
            assert_int_equal(((int64_t *)(void *)found.data)[i], 10 + 30 * (int64_t)i);
        free(found.data);
        found = read_path(file, "particles/all/box/edges");
        assert_int_equal(found.len, 9 * 8);
        free(found.data);
        vvi_h5_close(file);
        /* It is a trajectory as well. */
        vv_traj *again = open_file(path);
        float is[12 * 60];

        assert_vv_ok(vv_traj_find(again, "all/positions", &group, &leaf, &err));
        assert_vv_ok(vv_traj_read(again, group, leaf, (uint64_t[3]){ 0 }, count, NULL, is,
                                  sizeof(is), &err));
        assert_memory_equal(is, wanted, sizeof(is));
        vv_traj_close(again);
        assert_int_equal(
            vv_traj_write_h5md(traj, NULL, "/no/such/place/x.h5md", NULL, &err), VV_EIO);
    }
    vv_traj_close(traj);
    remove_directory(directory);
}

/* ---- units ---------------------------------------------------------------------------------------- */

static const char *units_of(vv_traj *traj, const char *path)
{
    vv_traj_leaf leaf;
    size_t group, number;

    assert_vv_ok(vv_traj_find(traj, path, &group, &number, &err));
    assert_vv_ok(vv_traj_leaf_at(traj, group, number, &leaf, &err));
    return leaf.units;
}

static void check_units(const char *path)
{
    vv_traj *traj = open_file(path);

    assert_string_equal(units_of(traj, "step/positions"), "\u00c5");
    assert_string_equal(units_of(traj, "step/energy"), "kJ mol-1");
    assert_null(units_of(traj, "step/n"));
    assert_string_equal(units_of(traj, "init/box"), "nm");
    vv_traj_close(traj);
}

static const char with_units[] =
    "{\"groups\": {\"step\": {\"every\": 1, \"leaves\": {"
    "\"positions\": {\"kind\": \"leaf\", \"dtype\": \"float32\", \"shape\": [2, 3], "
    "\"units\": \"\u00c5\"}, \"energy\": {\"kind\": \"leaf\", \"dtype\": \"float64\", "
    "\"units\": \"kJ mol-1\"}, \"n\": \"int32\"}}, \"init\": {\"every\": \"once\", \"leaves\": "
    "{\"box\": {\"kind\": \"leaf\", \"dtype\": \"float64\", \"shape\": [3], \"units\": "
    "\"nm\"}}}}}";

static void record_with_units(const char *path)
{
    static const float positions[6] = { 1, 2, 3, 4, 5, 6 };
    static const double energy = 1, box[3] = { 9, 9, 9 };
    static const int32_t n = 2;
    static const uint64_t shape[2] = { 2, 3 }, box_shape[1] = { 3 };
    const vv_value step[] = { { positions, VV_FLOAT32, 2, shape },
                              { &energy, VV_FLOAT64, 0, NULL },
                              { &n, VV_INT32, 0, NULL } };
    const vv_value init[] = { { box, VV_FLOAT64, 1, box_shape } };
    const vv_frame frames[] = { { 0, step, 3 }, { 1, init, 1 } };
    vv_recorder *recorder = NULL;
    vv_schema *schema = NULL;

    assert_vv_ok(vv_schema_from_json(with_units, &schema, &err));
    assert_vv_ok(vv_recorder_create_hdf5(path, schema, NULL, &recorder, &err));
    vv_schema_free(schema);
    for (int64_t at = 0; at < 3; at++)
        assert_vv_ok(vv_recorder_log(recorder, at, frames, at ? 1 : 2, &err));
    assert_vv_ok(vv_recorder_close(recorder, &err));
}

static void check_other_units_are_refused(const char *path)
{
    vv_recorder *recorder = NULL;
    vv_schema *schema = NULL;
    vv_leaf_type type;

    assert_vv_ok(vv_schema_from_json(with_units, &schema, &err));
    assert_vv_ok(vv_schema_set_units(schema, 0, 0, "nm", &err));
    assert_int_equal(vv_recorder_append_hdf5(path, schema, -1, NULL, &recorder, &err),
                     VV_EINVAL);
    assert_non_null(strstr(err.message, "positions"));
    assert_vv_ok(vv_schema_set_units(schema, 0, 0, NULL, &err)); /* the file's */
    assert_vv_ok(vv_recorder_append_hdf5(path, schema, -1, NULL, &recorder, &err));
    assert_true(vv_schema_leaf_type(vv_recorder_schema(recorder), 0, 0, &type));
    assert_string_equal(type.units, "\u00c5");
    assert_vv_ok(vv_recorder_close(recorder, &err));
    vv_schema_free(schema);
}

static void units_go_where_the_values_go(void **state)
{
    char *directory = make_directory();
    char path[4096], other[4096];
    vv_array *array;
    vv_store *store;
    vv_traj *traj;

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", directory);
    snprintf(other, sizeof(other), "%s/b.h5", directory);
    if (has_hdf5()) {
        record_with_units(path);
        check_units(path);
        check_other_units_are_refused(path);
        check_units(path);
        traj = open_file(path);
        assert_vv_ok(vv_traj_rewrite(traj, other, NULL, NULL, &err));
        check_units(other);
        assert_vv_ok(vv_memory_store_new(&store, &err));
        assert_vv_ok(vv_traj_publish(traj, store, "", NULL, NULL, &err));
        assert_vv_ok(vv_array_open(store, "step/energy", &array, &err));
        assert_non_null(strstr(vv_array_get_meta(array)->attributes, "\"units\""));
        assert_non_null(strstr(vv_array_get_meta(array)->attributes, "\"kJ mol-1\""));
        vv_array_free(array);
        assert_vv_ok(vv_array_open(store, "step/n", &array, &err));
        assert_null(strstr(vv_array_get_meta(array)->attributes, "units"));
        vv_array_free(array);
        vv_store_free(store);
        snprintf(other, sizeof(other), "%s/c.h5md", directory);
        assert_vv_ok(vv_traj_write_h5md(traj, NULL, other, NULL, &err));
        vv_traj_close(traj);
        traj = open_file(other);
        assert_string_equal(units_of(traj, "all/positions"), "\u00c5");
        assert_string_equal(units_of(traj, "all/energy"), "kJ mol-1");
        assert_string_equal(units_of(traj, "all_fixed/box"), "nm");
        /* And into a recording again. */
        snprintf(path, sizeof(path), "%s/d.h5", directory);
        assert_vv_ok(vv_traj_rewrite(traj, path, NULL, NULL, &err));
        vv_traj_close(traj);
        traj = open_file(path);
        assert_string_equal(units_of(traj, "all/positions"), "\u00c5");
        vv_traj_close(traj);
    }
    remove_directory(directory);
}

static vv_status drop(void *ctx, vv_bytes data, vv_error *e)
{
    (void)ctx;
    (void)data;
    (void)e;
    return VV_OK;
}

static vv_status write_xyz(void *ctx)
{
    vv_traj *traj = NULL;
    vv_status status = vv_traj_open(ctx, &traj, &err);

    if (!status)
        status = vv_traj_write_xyz(traj, NULL, (vv_sink){ drop, NULL }, NULL, &err);
    vv_traj_close(traj);
    return status;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    survives_failing_allocations(write_xyz, RECORDINGS "/closed.h5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_kups_become_recordings),
        cmocka_unit_test(rows_groups_and_codecs_can_be_chosen),
        cmocka_unit_test(frames_become_extended_xyz),
        cmocka_unit_test(species_are_told_by_atomic_numbers),
        cmocka_unit_test(maps_that_do_not_fit_are_refused),
        cmocka_unit_test(frames_become_h5md),
        cmocka_unit_test(units_go_where_the_values_go),
        cmocka_unit_test(any_allocation_may_fail),
    };

    watch_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
