/* What stands around a recording: the file it replaces, other names of it, readers that look late, and what is told of it. */
#include "hdf5/runs.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static vv_error err;

static vv_recorder *begin(const char *path, vv_schema *schema)
{
    vv_recorder_options options = run_options(VV_PROCESS);
    vv_recorder *recorder = NULL;

    options.overwrite = true;
    assert_vv_ok(vv_recorder_create_hdf5(path, schema, &options, &recorder, &err));
    return recorder;
}

/* ---- readers ------------------------------------------------------------------------------- */

/* Rows that a reader knows of have moved to where the file had not been when it last looked. */
static void rows_may_move_while_they_are_read(void **state)
{
    vv_schema *schema = run_schema();
    char *dir = make_directory();
    vv_traj *traj = NULL;
    vv_recorder *recorder;
    uint64_t start[3] = { 0 }, count[3] = { 4, 50, 3 };
    float got[4 * 150];
    char path[600];
    size_t g, i;

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    recorder = begin(path, schema);
    assert_vv_ok(run_log_many(recorder, 0, 3, &err));
    assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    assert_vv_ok(run_log_many(recorder, 3, 4, &err));
    assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    assert_vv_ok(vv_traj_open(path, &traj, &err));
    assert_true(vv_traj_group_by_name(traj, "group['step']", &g));
    assert_true(vv_traj_leaf_by_name(traj, g, "['positions']", &i));
    assert_vv_ok(run_log_many(recorder, 4, 200, &err));
    assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    assert_vv_ok(vv_traj_read(traj, g, i, start, count, NULL, got, sizeof(got), &err));
    vv_traj_close(traj);
    assert_vv_ok(vv_recorder_close(recorder, &err));
    vv_schema_free(schema);
    remove_directory(dir);
}

/* ---- what is told -------------------------------------------------------------------------- */

static void stored_bytes_are_those_of_the_file(void **state)
{
    vv_schema *schema = run_schema();
    char *dir = make_directory();
    vv_recorder_stats stats;
    vv_recorder *recorder;
    struct stat facts;
    char path[600];

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    recorder = begin(path, schema);
    for (int64_t step = 0; step < 400; step++) {
        assert_vv_ok(run_log(recorder, step, &err));
        assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    }
    vv_recorder_get_stats(recorder, &stats);
    assert_vv_ok(vv_recorder_close(recorder, &err));
    assert_int_equal(stat(path, &facts), 0);
    /* Space of chunks that were moved is given back, but for the pages at its ends. */
    assert_in_range(stats.stored_bytes, (uint64_t)facts.st_blocks * 512 / 2,
                    (uint64_t)facts.st_blocks * 512);
    vv_schema_free(schema);
    remove_directory(dir);
}

static void attributes_of_the_recording_itself_are_refused(void **state)
{
    static const char *const refused[] = {
        "{\"actual_steps\": \"7\"}", "{\"a\": \"b\", \"group_names\": \"\"}",
        "{\"config_class_name\": \"x\"}", "{\"config_pytree\": \"x\"}", "{\"\": \"x\"}"
    };
    vv_schema *schema = run_schema();
    char *dir = make_directory();
    vv_recorder *recorder;
    char path[600];
    int64_t next;

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    recorder = begin(path, schema);
    assert_vv_ok(run_log_many(recorder, 0, 5, &err));
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(vv_recorder_set_attributes(recorder, refused[i], &err),
                         VV_EINVAL);
    assert_vv_ok(vv_recorder_set_attributes(recorder, "{\"a\": \"b\"}", &err));
    assert_vv_ok(vv_recorder_close(recorder, &err));
    assert_vv_ok(run_look_plainly(path, &next, &err));
    assert_int_equal(next, 5);
    vv_schema_free(schema);
    remove_directory(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_may_move_while_they_are_read),
        cmocka_unit_test(stored_bytes_are_those_of_the_file),
        cmocka_unit_test(attributes_of_the_recording_itself_are_refused),
    };

    run_in_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
