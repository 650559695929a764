/* What stands around a recording: the file it replaces, other names of it, readers that look late, and what is told of it. */
#include "hdf5/runs.h"

#include "util/fault.h"
#include "util/file.h"

#include <dirent.h>
#include <errno.h>
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

static size_t count_parts(const char *dir)
{
    DIR *list = opendir(dir);
    size_t n = 0;

    assert_non_null(list);
    for (const struct dirent *one = readdir(list); one; one = readdir(list))
        n += strstr(one->d_name, ".part-") && !strstr(one->d_name, ".journal");
    closedir(list);
    return n;
}

/* ---- overwriting --------------------------------------------------------------------------- */

static void a_failure_leaves_the_file_that_was_there(void **state)
{
    vv_schema *schema = run_schema();
    char *dir = make_directory();
    bool struck = true;
    char path[600];

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    for (unsigned n = 0; struck; n++) {
        /* When the names are taken, those and what makes them last are all that can fail. */
        const uint32_t names = VVI_CALL_BIT(VVI_CALL_RENAME) |
                               VVI_CALL_BIT(VVI_CALL_SYNC);
        vvi_fault plan = { .calls = n < 2 ? names
                                          : ~names & VVI_CALLS_ALL &
                                                ~VVI_CALL_BIT(VVI_CALL_UNLINK),
                           .after = n < 2 ? 0 : n / 2 - 1,
                           .forever = n % 2,
                           .kind = VVI_FAULT_ERROR,
                           .error_number = ENOSPC };
        vv_recorder_options options = run_options(VV_PROCESS);
        vv_recorder *recorder = begin(path, schema);
        int64_t next = 0;
        vv_status status;

        assert_vv_ok(run_log_many(recorder, 0, 9, &err));
        assert_vv_ok(vv_recorder_close(recorder, &err));
        options.overwrite = true;
        recorder = NULL;
        vvi_fault_plan(&plan);
        status = vv_recorder_create_hdf5(path, schema, &options, &recorder, &err);
        struck = vvi_fault_plan(NULL) > 0;
        vv_recorder_abandon(recorder);
        if (!status)
            continue;
        if (run_look(path, &next, &err) || next != 9)
            fail_msg("plan %u: what was there is gone", n);
        assert_int_equal(count_parts(dir), 0);
    }
    vv_schema_free(schema);
    remove_directory(dir);
}

/* ---- names --------------------------------------------------------------------------------- */

static bool is_there(const char *directory, const char *name)
{
    char path[700];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

static void unfinished_files_of_killed_calls_are_removed(void **state)
{
    static const char *const gone[] = { "a.h5.part-1-0", "a.h5.part-1-0.journal",
                                        "a.h5.part-99999-12" };
    static const char *const kept[] = { "a.h5.part-1", "a.h5.part-1-x",
                                        "a.h5.part-2-0.h5", "b.h5.part-1-0",
                                        "a.h5.part-3-0" };
    char *dir = make_directory();
    vv_schema *schema = run_schema();
    vvi_file held = VVI_FILE_INIT;
    char path[600];

    (void)state;
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, gone[i]);
        write_file(path, "x", 1);
    }
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, kept[i]);
        write_file(path, "x", 1);
    }
    /* The last has a writer. */
    assert_vv_ok(vvi_file_open(&held, path, VVI_FILE_WRITE, &err));
    assert_vv_ok(vvi_file_lock(&held, VVI_LOCK_SHARED, 0, &err));
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    assert_vv_ok(vv_recorder_close(begin(path, schema), &err));
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        assert_false(is_there(dir, gone[i]));
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        assert_true(is_there(dir, kept[i]));
    vvi_file_close(&held);
    vv_schema_free(schema);
    remove_directory(dir);
}

static void a_link_is_the_file_it_leads_to(void **state)
{
    vv_schema *schema = run_schema();
    vv_recorder_options options = run_options(VV_PROCESS);
    vv_recorder *recorder, *other = NULL;
    char *dir = make_directory();
    char path[600], name[600];
    int64_t next;

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    snprintf(name, sizeof(name), "%s/b.h5", dir);
    recorder = begin(path, schema);
    assert_int_equal(symlink("a.h5", name), 0);
    assert_vv_ok(run_log_many(recorder, 0, 40, &err));
    assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    assert_int_equal(vv_recorder_append_hdf5(name, NULL, -1, &options, &other, &err),
                     VV_EBUSY);
    assert_int_equal(vv_traj_repair(name, false, NULL, &err), VV_EBUSY);
    vv_recorder_abandon(recorder);
    assert_vv_ok(vv_recorder_append_hdf5(name, NULL, -1, &options, &other, &err));
    assert_vv_ok(run_log_many(other, 40, 60, &err));
    assert_vv_ok(vv_recorder_close(other, &err));
    assert_vv_ok(run_look(path, &next, &err));
    assert_int_equal(next, 60);
    vv_schema_free(schema);
    remove_directory(dir);
}

/* The commit stands in the journal and not in the file yet: it is found by every name of the file. */
static void the_journal_is_found_through_a_link(void **state)
{
    vv_schema *schema = run_schema();
    char *dir = make_directory();
    char path[600], name[600];
    bool struck = true;

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    snprintf(name, sizeof(name), "%s/b.h5", dir);
    assert_int_equal(symlink("a.h5", name), 0);
    for (unsigned n = 0; struck; n++) {
        vvi_fault plan = { .calls = VVI_CALL_BIT(VVI_CALL_WRITE),
                           .after = n,
                           .forever = true,
                           .kind = VVI_FAULT_ERROR,
                           .error_number = EIO };
        vv_recorder *recorder = begin(path, schema);
        int64_t by_path = -1, by_name = -2;

        assert_vv_ok(run_log_many(recorder, 0, 40, &err));
        assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
        assert_vv_ok(run_log_many(recorder, 40, 60, &err));
        vvi_fault_plan(&plan);
        (void)vv_recorder_flush(recorder, VV_PROCESS, 0, &err);
        struck = vvi_fault_plan(NULL) > 0;
        vv_recorder_abandon(recorder);
        assert_vv_ok(run_look(path, &by_path, &err));
        assert_vv_ok(run_look(name, &by_name, &err));
        assert_int_equal(by_name, by_path);
        unlink(path);
        snprintf(path, sizeof(path), "%s/a.h5.journal", dir);
        unlink(path);
        snprintf(path, sizeof(path), "%s/a.h5", dir);
    }
    vv_schema_free(schema);
    remove_directory(dir);
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
    vv_recorder_stats stats = VV_RECORDER_STATS_INIT;
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
        cmocka_unit_test(a_failure_leaves_the_file_that_was_there),
        cmocka_unit_test(unfinished_files_of_killed_calls_are_removed),
        cmocka_unit_test(a_link_is_the_file_it_leads_to),
        cmocka_unit_test(the_journal_is_found_through_a_link),
        cmocka_unit_test(rows_may_move_while_they_are_read),
        cmocka_unit_test(stored_bytes_are_those_of_the_file),
        cmocka_unit_test(attributes_of_the_recording_itself_are_refused),
    };

    run_in_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
