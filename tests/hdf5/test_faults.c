/* Every file call and every allocation fails once: what a flush had covered stays, and the failure is told. */
#include "hdf5/runs.h"

#include "util/error.h"
#include "util/fault.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static vv_error err;

static vv_schema *schema;
static int64_t acked; /* one past the last step that is known to be safe */
static int64_t other; /* or exactly so many, while rows are cut */

static vv_status flush(vv_recorder *recorder, int64_t next)
{
    vv_status status = vv_recorder_flush(recorder, VV_DURABLE, 0, &err);

    if (!status)
        acked = next;
    return status;
}

static vv_status record(const char *path)
{
    vv_recorder_options options = run_options(VV_DURABLE);
    vv_recorder *recorder = NULL;
    vv_status status;

    options.threads = 1;
    options.overwrite = true;
    status = vv_recorder_create_hdf5(path, schema, &options, &recorder, &err);
    if (status)
        return status;
    status = run_log_many(recorder, 0, 5, &err);
    if (!status)
        status = flush(recorder, 5);
    if (!status)
        status = run_log_many(recorder, 5, 25, &err);
    if (!status)
        status = flush(recorder, 25);
    if (!status)
        status = run_log_many(recorder, 25, 30, &err);
    if (status) {
        vv_error again;

        (void)vv_recorder_close(recorder, &again);
        return status;
    }
    status = vv_recorder_close(recorder, &err);
    if (!status)
        acked = 30;
    return status;
}

static vv_status go_on(const char *path)
{
    vv_recorder_options options = run_options(VV_DURABLE);
    vv_recorder *recorder = NULL;
    vv_status status;

    options.threads = 1;
    other = 17;
    status = vv_recorder_append_hdf5(path, NULL, 17, &options, &recorder, &err);
    if (status)
        return status;
    acked = 17;
    other = -1;
    status = run_log_many(recorder, 17, 40, &err);
    if (!status)
        status = flush(recorder, 40);
    vv_recorder_abandon(recorder);
    if (!status)
        status = vv_traj_repair(path, false, NULL, &err);
    return status;
}

static vv_status scenario(void *ctx)
{
    const char *path = ctx;
    vv_status status;

    acked = 0;
    other = -1;
    status = record(path);
    return status ? status : go_on(path);
}

/* What is there is whole and holds what was acknowledged, before and after a repair. */
static void check(const char *path, const char *when)
{
    int64_t next = 0;

    if (access(path, F_OK) != 0) {
        assert_int_equal(acked, 0);
        return;
    }
    if (run_look(path, &next, &err))
        fail_msg("%s: %s", when, err.message);
    if (next < acked && next != other)
        fail_msg("%s: %lld was acknowledged, and it ends at %lld", when, (long long)acked,
                 (long long)next);
    if (vv_traj_repair(path, false, NULL, &err))
        fail_msg("%s: repair: %s", when, err.message);
    if (run_look_plainly(path, &next, &err))
        fail_msg("%s: %s", when, err.message);
    if (next < acked && next != other)
        fail_msg("%s: %lld was acknowledged, and plainly it ends at %lld", when,
                 (long long)acked, (long long)next);
}

static void every_file_call_may_fail(void **state)
{
    static const struct {
        enum vvi_fault_kind kind;
        uint32_t calls;
        bool forever;
        unsigned step;
        const char *name;
    } plans[] = {
        { VVI_FAULT_ERROR, VVI_CALLS_ALL, false, 1, "one call" },
        { VVI_FAULT_ERROR, VVI_CALLS_ALL, true, 5, "all later calls" },
        { VVI_FAULT_TORN, VVI_CALL_BIT(VVI_CALL_WRITE), true, 1, "writes torn" },
        { VVI_FAULT_ERROR, VVI_CALL_BIT(VVI_CALL_SYNC), false, 1, "a sync" },
    };
    char *dir = make_directory();
    char path[600];

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    for (size_t p = 0; p < sizeof(plans) / sizeof(plans[0]); p++) {
        uint64_t struck = 1;
        unsigned n = 0;

        for (; struck; n += plans[p].step) {
            vvi_fault plan = { .calls = plans[p].calls,
                               .after = n,
                               .forever = plans[p].forever,
                               .kind = plans[p].kind,
                               .error_number = n % 2 ? ENOSPC : EIO };
            vv_status status;
            char when[600];

            unlink(path);
            vvi_fault_plan(&plan);
            status = scenario(path);
            struck = vvi_fault_plan(NULL);
            snprintf(when, sizeof(when), "%s, call %u: %s", plans[p].name, n,
                     status ? err.message : "no failure");
            check(path, when);
        }
        print_message("%s: up to call %u\n", plans[p].name, n - plans[p].step);
    }
    remove_directory(dir);
}

static void interrupted_and_short_calls_are_finished(void **state)
{
    static const enum vvi_fault_kind kinds[] = { VVI_FAULT_SHORT, VVI_FAULT_INTERRUPT };
    char *dir = make_directory();
    char path[600];

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    for (int i = 0; i < 2; i++) {
        vvi_fault plan = { .calls = VVI_CALLS_ALL, .forever = true, .kind = kinds[i] };

        vvi_fault_plan(&plan);
        assert_vv_ok(scenario(path));
        assert_true(vvi_fault_plan(NULL) > 10);
        check(path, "afterwards");
    }
    remove_directory(dir);
}

static void memory_may_end_anywhere(void **state)
{
    char *dir = make_directory();
    char path[600];

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    survives_failing_allocations(scenario, path);
    check(path, "in the end");
    remove_directory(dir);
}

/* A replacement that fails leaves what was there. */
static void a_failed_replacement_leaves_the_old_one(void **state)
{
    char *dir = make_directory();
    char path[600];
    uint64_t struck = 1;

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    assert_vv_ok(record(path));
    for (unsigned n = 0; struck; n++) {
        vvi_fault plan = { .calls = VVI_CALLS_ALL, .after = n, .error_number = EIO };
        vv_recorder_options options = run_options(VV_DURABLE);
        vv_recorder *recorder = NULL;
        int64_t next;
        vv_status status;

        options.overwrite = true;
        vvi_fault_plan(&plan);
        status = vv_recorder_create_hdf5(path, schema, &options, &recorder, &err);
        struck = vvi_fault_plan(NULL);
        vv_recorder_abandon(recorder);
        assert_vv_ok(run_look(path, &next, &err));
        if (status && next != 30 && next != 0)
            fail_msg("call %u: the old recording ends at %lld", n, (long long)next);
        if (next != 30) /* the new one had taken its place */
            assert_vv_ok(record(path));
    }
    remove_directory(dir);
}

/* test_hdf5_faults PATTERN: only these tests. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_call_may_fail),
        cmocka_unit_test(interrupted_and_short_calls_are_finished),
        cmocka_unit_test(memory_may_end_anywhere),
        cmocka_unit_test(a_failed_replacement_leaves_the_old_one),
    };

    int failed;

    run_in_memory();
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    schema = run_schema();
    failed = cmocka_run_group_tests_name("hdf5/faults", tests, NULL, NULL);
    vv_schema_free(schema);
    return failed;
}
