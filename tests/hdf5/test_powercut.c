/*
 * A power cut at any moment: the states that it may leave are read and repaired. support/powercut.h says what a disk may
 * do.
 *
 * test_hdf5_powercut N: so many random states for each prefix; default 1.
 */
#include "hdf5/runs.h"

#include "hdf5/driver.h"
#include "support/powercut.h"
#include "util/fault.h"

#include <stdio.h>
#include <unistd.h>

static vv_error err;
static unsigned variants = 1;
static bool late; /* nothing is promised before the first word */

/* Where the recording ends; it may end here or there while it is cut. */
static struct ack {
    int64_t acked, other;
} acks[64];
static size_t ack_count;

/* From here on the file ends at next or behind it, or, until the next word, exactly at other (-1: not). */
static void acknowledge(int64_t next, int64_t other)
{
    assert_true(ack_count < sizeof(acks) / sizeof(acks[0]));
    acks[ack_count] = (struct ack){ next, other };
    powercut_acknowledge(ack_count++);
}

/* ---- what the run does -------------------------------------------------------------------- */

static void flush(vv_recorder *recorder, int64_t next, vv_durability durability)
{
    assert_vv_ok(vv_recorder_flush(recorder, durability, 0, &err));
    acknowledge(next, -1);
}

static vv_recorder *go_on(const char *path, int64_t next_step)
{
    vv_recorder_options options = run_options(VV_DURABLE);
    vv_recorder *recorder = NULL;

    options.threads = 1;
    assert_vv_ok(
        vv_recorder_append_hdf5(path, NULL, next_step, &options, &recorder, &err));
    return recorder;
}

static vv_recorder *begin(const char *path)
{
    vv_recorder_options options = run_options(VV_DURABLE);
    vv_schema *schema = run_schema();
    vv_recorder *recorder = NULL;

    options.threads = 1;
    assert_vv_ok(vv_recorder_create_hdf5(path, schema, &options, &recorder, &err));
    vv_schema_free(schema);
    acknowledge(0, -1);
    return recorder;
}

/* Flushes that meet chunks at all places, one that need not be durable between them, and the end. */
static void plain_run(const char *path)
{
    static const int64_t ends[] = { 1, 2, 9, 13, 14, 27, 40, 41, 60, 110 };
    vv_recorder *recorder = begin(path);
    int64_t next = 0;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        assert_vv_ok(run_log_many(recorder, next, ends[i], &err));
        next = ends[i];
        flush(recorder, next, i == 4 ? VV_PROCESS : VV_DURABLE);
    }
    assert_vv_ok(run_log_many(recorder, next, next + 20, &err));
    assert_vv_ok(vv_recorder_close(recorder, &err));
    acknowledge(next + 20, -1);
}

/* Nothing is promised until a flush asks for it; what it covered stays whatever comes then. */
static void late_run(const char *path)
{
    vv_recorder_options options = run_options(VV_PROCESS);
    vv_schema *schema = run_schema();
    vv_recorder *recorder = NULL;

    options.threads = 1;
    assert_vv_ok(vv_recorder_create_hdf5(path, schema, &options, &recorder, &err));
    vv_schema_free(schema);
    for (int64_t next = 0; next < 30; next += 10) {
        assert_vv_ok(run_log_many(recorder, next, next + 10, &err));
        assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    }
    assert_vv_ok(run_log_many(recorder, 30, 35, &err));
    flush(recorder, 35, VV_DURABLE);
    for (int64_t next = 35; next < 75; next += 10) {
        assert_vv_ok(run_log_many(recorder, next, next + 10, &err));
        assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    }
    assert_vv_ok(vv_recorder_close(recorder, &err));
}

/* Closed, gone on with, cut back and gone on with. */
static void cut_run(const char *path)
{
    vv_recorder *recorder = begin(path);

    assert_vv_ok(run_log_many(recorder, 0, 50, &err));
    assert_vv_ok(vv_recorder_close(recorder, &err));
    acknowledge(50, -1);
    recorder = go_on(path, -1);
    assert_vv_ok(run_log_many(recorder, 50, 60, &err));
    flush(recorder, 60, VV_DURABLE);
    assert_vv_ok(vv_recorder_close(recorder, &err));
    acknowledge(60, 33);
    recorder = go_on(path, 33);
    acknowledge(33, -1);
    assert_vv_ok(run_log_many(recorder, 33, 45, &err));
    flush(recorder, 45, VV_DURABLE);
    assert_vv_ok(run_log_many(recorder, 45, 47, &err));
    assert_vv_ok(vv_recorder_close(recorder, &err));
    acknowledge(47, -1);
}

/* Given up and repaired, given up and gone on with. */
static void repair_run(const char *path)
{
    vv_recorder *recorder = begin(path);

    assert_vv_ok(run_log_many(recorder, 0, 20, &err));
    flush(recorder, 20, VV_DURABLE);
    assert_vv_ok(run_log_many(recorder, 20, 35, &err));
    flush(recorder, 35, VV_DURABLE);
    vv_recorder_abandon(recorder);
    assert_vv_ok(vv_traj_repair(path, false, NULL, &err));
    recorder = go_on(path, -1);
    assert_vv_ok(run_log_many(recorder, 35, 44, &err));
    flush(recorder, 44, VV_DURABLE);
    vv_recorder_abandon(recorder);
    acknowledge(44, 40);
    recorder = go_on(path, 40);
    acknowledge(40, -1);
    assert_vv_ok(run_log_many(recorder, 40, 48, &err));
    flush(recorder, 48, VV_DURABLE);
    vv_recorder_abandon(recorder);
}

/* ---- the checks ----------------------------------------------------------------------------- */

static void look(const char *path, const struct ack *ack, const char *when,
                 const char *how, vv_status (*with)(const char *, int64_t *, vv_error *),
                 int64_t *next)
{
    if (with(path, next, &err))
        fail_msg("%s, %s: %s", when, how, err.message);
    if (*next < ack->acked && *next != ack->other)
        fail_msg("%s, %s: %lld was acknowledged, and it ends at %lld", when, how,
                 (long long)ack->acked, (long long)*next);
}

static bool is_journal(const char *name)
{
    return strstr(name, ".journal") != NULL;
}

static void check_state(const char *dir, size_t acked, const char *when, uint64_t *seed)
{
    const struct ack *ack = acked == POWERCUT_NOTHING ? NULL : &acks[acked];
    int64_t before, after;
    char path[700];

    snprintf(path, sizeof(path), "%s/a.h5", dir);
    if (access(path, F_OK) != 0) {
        assert_true(!ack);
        return;
    }
    if (!ack && late)
        return;
    if (!ack) { /* not acknowledged: what begins may be there, and then it is whole */
        assert_vv_ok(run_look(path, &before, &err));
        return;
    }
    look(path, ack, when, "as it was left", run_look, &before);
    if (next_random(seed) % 4 == 0) { /* repair may fail, and is tried again */
        vvi_fault plan = { .calls = VVI_CALLS_ALL,
                           .after = next_random(seed) % 60,
                           .error_number = 5 };

        vvi_fault_plan(&plan);
        (void)vv_traj_repair(path, false, NULL, &err);
        vvi_fault_plan(NULL);
    }
    if (vv_traj_repair(path, false, NULL, &err))
        fail_msg("%s: repair: %s", when, err.message);
    look(path, ack, when, "repaired", run_look, &after);
    assert_int_equal(before, after);
    look(path, ack, when, "plainly", run_look_plainly, &after);
    assert_int_equal(before, after);
}

static void look_at(const char *what, void (*run)(const char *path))
{
    powercut cut = {
        .what = what, .variants = variants, .is_one = is_journal, .check = check_state
    };
    char *base = make_directory();
    char path[600];

    ack_count = 0;
    snprintf(path, sizeof(path), "%s/a.h5", base);
    powercut_listen(base);
    run(path);
    powercut_stop();
    assert_true(powercut_check(&cut) > 500);
    powercut_forget();
    remove_directory(base);
}

static void every_state_holds_what_durable_flushes_covered(void **state)
{
    (void)state;
    look_at("plain", plain_run);
}

static void a_durable_flush_covers_what_others_did_not(void **state)
{
    (void)state;
    late = true;
    look_at("late", late_run);
    late = false;
}

static void space_used_again_is_of_no_commit(void **state)
{
    uint64_t quarantine = vvi_hdf5_quarantine_ns;

    (void)state;
    vvi_hdf5_quarantine_ns = 0;
    look_at("space used again", plain_run);
    vvi_hdf5_quarantine_ns = quarantine;
}

static void going_on_and_cutting_is_one_step(void **state)
{
    (void)state;
    look_at("cut", cut_run);
}

static void a_repair_that_is_cut_off_is_done_again(void **state)
{
    (void)state;
    look_at("repair", repair_run);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_holds_what_durable_flushes_covered),
        cmocka_unit_test(a_durable_flush_covers_what_others_did_not),
        cmocka_unit_test(space_used_again_is_of_no_commit),
        cmocka_unit_test(going_on_and_cutting_is_one_step),
        cmocka_unit_test(a_repair_that_is_cut_off_is_done_again),
    };

    run_in_memory();
    if (argc > 1)
        variants = (unsigned)atoi(argv[1]);
    return cmocka_run_group_tests_name("hdf5/power cut", tests, NULL, NULL);
}
