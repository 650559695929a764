/* Files of H5MD as trajectories; who wrote the one that is read here is told in tests/data/trajectory/make_h5md.py. */
#include "support/support.h"

#include <stdio.h>

#define FILE_H5MD TRAJECTORIES "/particles.h5md"

static vv_error err;

static vv_traj *open_file(void)
{
    vv_traj *traj = NULL;

    assert_vv_ok(vv_traj_open(FILE_H5MD, &traj, &err));
    return traj;
}

static vv_traj_leaf leaf_of(vv_traj *traj, const char *path, size_t *group, size_t *leaf)
{
    vv_traj_leaf out;

    assert_vv_ok(vv_traj_find(traj, path, group, leaf, &err));
    assert_vv_ok(vv_traj_leaf_at(traj, *group, *leaf, &out, &err));
    return out;
}

static void read_leaf(vv_traj *traj, const char *path, void *out, size_t bytes)
{
    static const uint64_t start[3];
    size_t group, leaf;
    vv_traj_leaf what = leaf_of(traj, path, &group, &leaf);

    assert_vv_ok(vv_traj_read(traj, group, leaf, start, what.ndim ? what.shape : start,
                              NULL, out, bytes, &err));
}

static void check_steps(vv_traj *traj, const char *path, uint64_t rows, int64_t first,
                        int64_t by)
{
    vv_traj_rows have = VV_TRAJ_ROWS_INIT;
    int64_t steps[6];
    size_t group;

    assert_vv_ok(vv_traj_find(traj, path, &group, NULL, &err));
    assert_vv_ok(vv_traj_get_rows(traj, group, &have, &err));
    assert_true(have.is_known && have.has_steps);
    assert_int_equal(have.rows, rows);
    assert_vv_ok(vv_traj_read_steps(traj, group, 0, rows, steps, &err));
    for (uint64_t i = 0; i < rows; i++)
        assert_int_equal(steps[i], first + (int64_t)i * by);
}

static void what_has_the_same_steps_is_one_group(void **state)
{
    static const char *const paths[] = {
        "solute/positions",     "solute/velocities",    "solute/energy",
        "solute/time",          "solute_forces/forces", "solute_fixed/mass",
        "solute_fixed/species", "solute_fixed/box",     "solvent/positions",
        "solvent/time",         "observables/energy",   "observables_fixed/constant",
    };
    vv_traj *traj = open_file();
    size_t group, leaf, leaves = 0;

    (void)state;
    assert_string_equal(vv_traj_get_info(traj)->format, "H5MD");
    assert_int_equal(vv_traj_get_info(traj)->group_count, 6);
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
        (void)leaf_of(traj, paths[i], &group, &leaf);
    for (size_t g = 0; g < 6; g++)
        leaves += vv_traj_group_at(traj, g)->leaf_count;
    assert_int_equal(leaves, sizeof(paths) / sizeof(*paths));
    check_steps(traj, "solute", 6, 0, 10);
    check_steps(traj, "solute_forces", 3, 0, 20);
    check_steps(traj, "solvent", 6, 100, 5);
    check_steps(traj, "observables", 3, 1, 1);
    assert_int_equal(vv_traj_get_info(traj)->next_step, 126);
    vv_traj_close(traj);
}

static void values_times_and_units_are_read(void **state)
{
    vv_traj *traj = open_file();
    float positions[72];
    double times[6], constant;
    size_t group, leaf;

    (void)state;
    read_leaf(traj, "solute/positions", positions, sizeof(positions));
    for (size_t i = 0; i < 72; i++)
        assert_true(positions[i] == (float)i);
    read_leaf(traj, "solute/time", times, sizeof(times));
    assert_true(times[5] == 25);
    read_leaf(traj, "solvent/time", times, sizeof(times));
    assert_true(times[0] == 3 && times[5] == 4.25);
    read_leaf(traj, "observables_fixed/constant", &constant, sizeof(constant));
    assert_true(constant == 8.25);
    assert_string_equal(leaf_of(traj, "solute/velocities", &group, &leaf).units,
                        "nm ps-1");
    assert_string_equal(leaf_of(traj, "solute/time", &group, &leaf).units, "ps");
    assert_null(leaf_of(traj, "solute_fixed/mass", &group, &leaf).units);
    vv_traj_close(traj);
}

static void it_is_whole_and_a_store(void **state)
{
    vv_traj_check_report report = VV_TRAJ_CHECK_REPORT_INIT;
    vv_traj *traj = open_file();
    vv_store *store;
    vv_array *array;

    (void)state;
    assert_vv_ok(vv_traj_check(traj, NULL, &report, &err));
    assert_int_equal(report.problems, 0);
    vv_traj_close(traj);
    assert_vv_ok(vv_traj_store_open(FILE_H5MD, &store, &err));
    assert_vv_ok(vv_array_open(store, "solvent/positions", &array, &err));
    assert_non_null(strstr(vv_array_get_meta(array)->attributes, "\"units\""));
    vv_array_free(array);
    vv_store_free(store);
}

static vv_status open_and_close(void *ctx)
{
    vv_traj *traj = NULL;
    vv_status status = vv_traj_open(FILE_H5MD, &traj, &err);

    (void)ctx;
    vv_traj_close(traj);
    return status;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    survives_failing_allocations(open_and_close, NULL);
}

/* Cut or changed anywhere, it is refused or read, and nothing is lost on the way. */
static void damaged_files_are_refused_or_read(void **state)
{
    size_t len, before = live_allocations();
    uint8_t *file = read_file(FILE_H5MD, &len);
    char *directory = make_directory();
    char path[4096];
    uint64_t random = 9;

    (void)state;
    snprintf(path, sizeof(path), "%s/x.h5md", directory);
    for (int round = 0; round < 600; round++) {
        size_t at = next_random(&random) % len;
        uint8_t was = file[at];
        vv_traj *traj = NULL;

        file[at] = (uint8_t)next_random(&random);
        write_file(path, file, round % 3 ? len : at);
        (void)vv_traj_open(path, &traj, &err);
        vv_traj_close(traj);
        file[at] = was;
    }
    assert_int_equal(live_allocations(), before);
    free(file);
    remove_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_the_same_steps_is_one_group),
        cmocka_unit_test(values_times_and_units_are_read),
        cmocka_unit_test(it_is_whole_and_a_store),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(damaged_files_are_refused_or_read),
    };

    watch_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
