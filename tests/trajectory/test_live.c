/* Reading a recording while another process writes it, and after that was killed. */
#include "support/support.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ATOMS 200

static const char schema_text[] =
    "{\"groups\": {"
    "\"init\": {\"every\": \"once\", \"leaves\": {\"box\": \"float64[3,3]\"}},"
    "\"step\": {\"every\": 10, \"leaves\": {\"energy\": \"float64\","
    " \"positions\": \"float32[200,3]\"}},"
    "\"plain\": {\"every\": 20, \"compression\": \"none\", \"leaves\": {\"v\": \"float32[10]\"}}}}";

/* In a process of its own: log rows of values that tell their place. */
static int record(const char *path, int rows, bool closes)
{
    static const uint64_t box_shape[] = { 3, 3 }, shape[] = { ATOMS, 3 }, ten[] = { 10 };
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;
    float positions[3 * ATOMS], plain[10];
    vv_recorder *recorder = NULL;
    vv_schema *schema = NULL;
    double box[9] = { 1 };

    options.durability = VV_PROCESS;
    options.flush_ms = 10;
    if (vv_schema_from_json(schema_text, &schema, NULL) ||
        vv_recorder_create_hdf5(path, schema, &options, &recorder, NULL))
        return 1;
    for (int row = 0; row < rows; row++) {
        double energy = -1.5 * row;
        vv_value init = { box, VV_FLOAT64, 2, box_shape };
        vv_value step[2] = { { &energy, VV_FLOAT64, 0, NULL },
                             { positions, VV_FLOAT32, 2, shape } };
        vv_value values = { plain, VV_FLOAT32, 1, ten };
        vv_frame frames[3] = { { 0, &init, 1 }, { 1, step, 2 }, { 2, &values, 1 } };

        for (int i = 0; i < 3 * ATOMS; i++)
            positions[i] = (float)(row + i);
        for (int i = 0; i < 10; i++)
            plain[i] = (float)(10 * row + i);
        if (vv_recorder_log(recorder, 10 * row, frames, 3, NULL))
            return 2;
        usleep(500);
    }
    if (!closes) {
        vv_recorder_flush(recorder, VV_PROCESS, 0, NULL);
        kill(getpid(), SIGKILL);
    }
    vv_schema_free(schema);
    return vv_recorder_close(recorder, NULL) ? 3 : 0;
}

static void expect_writer(const char *path, bool is_open, bool is_written)
{
    vv_error err = VV_ERROR_INIT;
    bool found = !is_written;
    vv_traj *traj;

    assert_vv_ok(vv_traj_open(path, &traj, &err));
    assert_int_equal(vv_traj_get_info(traj)->is_open, is_open);
    assert_vv_ok(vv_traj_is_written(traj, &found, &err));
    assert_int_equal(found, is_written);
    vv_traj_close(traj);
}

static pid_t start(const char *path, int rows, bool closes)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(record(path, rows, closes));
    return child;
}

/* The file as soon as it has its name. */
static vv_traj *open_soon(const char *path)
{
    vv_error err = VV_ERROR_INIT;
    vv_traj *traj = NULL;
    vv_status status;

    for (int i = 0; i < 20000; i++) {
        status = vv_traj_open(path, &traj, &err);
        if (status != VV_ENOTFOUND)
            break;
        usleep(1000);
    }
    assert_vv_ok(status);
    return traj;
}

/* Rows first to stop are what the writer logged. */
static void check_rows(vv_traj *traj, uint64_t first, uint64_t stop)
{
    vv_error err = VV_ERROR_INIT;
    size_t group, energy, positions;
    float row[3 * ATOMS];

    assert_vv_ok(vv_traj_find(traj, "step/energy", &group, &energy, &err));
    assert_vv_ok(vv_traj_find(traj, "step/positions", &group, &positions, &err));
    for (uint64_t at = first; at < stop; at++) {
        int64_t step;
        double value;

        assert_vv_ok(
            vv_traj_read_rows(traj, group, positions, &at, 1, row, sizeof(row), &err));
        assert_vv_ok(vv_traj_read_rows(traj, group, energy, &at, 1, &value, 8, &err));
        assert_vv_ok(vv_traj_read_steps(traj, group, at, 1, &step, &err));
        assert_true(step == (int64_t)(10 * at) && value == -1.5 * (double)at);
        for (int i = 0; i < 3 * ATOMS; i++)
            assert_true(row[i] == (float)(at + (uint64_t)i));
    }
}

/* Follow until there are no more rows; how many there were. */
static uint64_t follow(vv_traj *traj, uint32_t timeout_ms, vv_status *end, size_t *looks)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t seen = 0, rows;
    size_t group;

    assert_vv_ok(vv_traj_find(traj, "step", &group, NULL, &err));
    for (*looks = 0;; ++*looks) {
        *end = vv_traj_follow(traj, group, seen, timeout_ms, &rows, &err);
        if (*end)
            break;
        assert_true(rows > seen);
        check_rows(traj, seen, rows);
        seen = rows;
    }
    check_rows(traj, 0, seen);
    return seen;
}

/* A file that is open has a writer, or one that is gone: its lock tells. */
static void a_live_writer_is_told_from_a_killed_one(void **state)
{
    vv_traj_check_report report = VV_TRAJ_CHECK_REPORT_INIT;
    char *directory = make_directory();
    vv_error err = VV_ERROR_INIT;
    vv_recorder *recorder = NULL;
    vv_schema *schema = NULL;
    vv_traj *traj;
    char path[300], link[300];

    (void)state;
    snprintf(path, sizeof(path), "%s/run.h5", directory);
    snprintf(link, sizeof(link), "%s/link.h5", directory);
    assert_int_equal(symlink("run.h5", link), 0);
    assert_vv_ok(vv_schema_from_json(schema_text, &schema, &err));
    assert_vv_ok(vv_recorder_create_hdf5(path, schema, NULL, &recorder, &err));
    expect_writer(path, true, true);
    expect_writer(link, true, true);
    assert_vv_ok(vv_traj_open(path, &traj, &err));
    assert_vv_ok(vv_traj_check(traj, NULL, &report, &err));
    assert_true(report.is_open && report.is_written);
    vv_traj_close(traj);
    vv_recorder_abandon(recorder);
    expect_writer(path, true, false);
    expect_writer(link, true, false);
    assert_vv_ok(vv_recorder_append_hdf5(path, NULL, -1, NULL, &recorder, &err));
    assert_vv_ok(vv_recorder_close(recorder, &err));
    expect_writer(path, false, false);
    vv_schema_free(schema);
    remove_directory(directory);
}

static void rows_are_read_while_they_are_written(void **state)
{
    char *dir = make_directory(), path[300];
    vv_status end;
    size_t looks;
    vv_traj *traj;
    pid_t child;
    int result;

    (void)state;
    snprintf(path, sizeof(path), "%s/run.h5", dir);
    child = start(path, 400, true);
    traj = open_soon(path);
    assert_true(vv_traj_get_info(traj)->is_open);
    assert_int_equal(follow(traj, 60000, &end, &looks), 400);
    assert_int_equal(end, VV_ENOTFOUND); /* it was closed */
    assert_true(looks > 2);
    assert_false(vv_traj_get_info(traj)->is_open);
    assert_true(vv_traj_get_info(traj)->has_actual_steps);
    assert_int_equal(vv_traj_get_info(traj)->actual_steps, 3991);
    vv_traj_close(traj);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    remove_directory(dir);
}

static void rows_that_a_killed_writer_flushed_are_there(void **state)
{
    vv_traj_check_report report = VV_TRAJ_CHECK_REPORT_INIT;
    char *dir = make_directory(), path[300];
    vv_error err = VV_ERROR_INIT;
    vv_status end;
    size_t looks;
    vv_traj *traj;
    pid_t child;
    int result;

    (void)state;
    snprintf(path, sizeof(path), "%s/run.h5", dir);
    child = start(path, 101, false);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result));
    traj = open_soon(path);
    assert_true(vv_traj_get_info(traj)->is_open);
    assert_int_equal(follow(traj, 50, &end, &looks), 101);
    assert_int_equal(end, VV_ETIMEDOUT);
    assert_vv_ok(vv_traj_check(traj, NULL, &report, &err));
    assert_int_equal(report.problems, 0);
    assert_true(report.is_open);
    vv_traj_close(traj);
    remove_directory(dir);
}

/* When a writer closes its file it gives back the space of unfinished chunks, which readers still know of. */
static void rows_are_right_when_the_file_was_closed_meanwhile(void **state)
{
    char *dir = make_directory(), path[300];
    vv_recorder *recorder = NULL;
    vv_schema *schema = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;
    double value;
    vv_traj *traj;
    uint64_t row;
    int64_t steps[5];

    (void)state;
    snprintf(path, sizeof(path), "%s/run.h5", dir);
    options.durability = VV_PROCESS;
    assert_vv_ok(vv_schema_from_json(
        "{\"groups\": {\"g\": {\"every\": 1, \"leaves\": {\"v\": \"float64\"}}}}",
        &schema, &err));
    assert_vv_ok(vv_recorder_create_hdf5(path, schema, &options, &recorder, &err));
    for (int i = 0; i < 5; i++) {
        const void *leaf = &value;

        value = i + 0.5;
        assert_vv_ok(vv_recorder_log_group(recorder, i, 0, &leaf, 1, &err));
    }
    assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    traj = open_soon(path);
    for (row = 0; row < 5; row++) {
        assert_vv_ok(vv_traj_read_rows(traj, 0, 0, &row, 1, &value, 8, &err));
        assert_true(value == (double)row + 0.5);
    }
    assert_vv_ok(vv_recorder_close(recorder, &err));
    vv_schema_free(schema);
    for (row = 0; row < 5; row++) {
        assert_vv_ok(vv_traj_read_rows(traj, 0, 0, &row, 1, &value, 8, &err));
        assert_true(value == (double)row + 0.5);
    }
    assert_vv_ok(vv_traj_read_steps(traj, 0, 0, 5, steps, &err));
    for (int i = 0; i < 5; i++)
        assert_int_equal(steps[i], i);
    assert_vv_ok(vv_traj_refresh(traj, &err));
    assert_false(vv_traj_get_info(traj)->is_open);
    vv_traj_close(traj);
    remove_directory(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_live_writer_is_told_from_a_killed_one),
        cmocka_unit_test(rows_are_read_while_they_are_written),
        cmocka_unit_test(rows_that_a_killed_writer_flushed_are_there),
        cmocka_unit_test(rows_are_right_when_the_file_was_closed_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
