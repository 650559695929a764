/* The recorder's contract with its caller: checks, failures, time, threads, forks. */
#include "recorder/rows.h"

#include "util/thread.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what log refuses -------------------------------------------------------------------------- */

static void values_that_do_not_fit_are_refused_by_name(void **state)
{
    static const uint64_t shape[1] = { 1000 }, wrong[1] = { 999 };
    memory_disk disk = { 0 };
    vv_schema *schema = rows_schema();
    vv_recorder *recorder = begin(&disk, schema, NULL);
    static float row[1000];
    const void *leaf = row;
    struct {
        vv_value value;
        const char *message;
    } cases[] = {
        { { row, VV_FLOAT64, 1, shape }, "float64[1000], not float32[1000]" },
        { { row, VV_FLOAT32, 1, wrong }, "float32[999], not float32[1000]" },
        { { row, VV_FLOAT32, 0, NULL }, "float32, not float32[1000]" },
        { { row, VV_FLOAT32, 1, NULL }, "no shape" },
        { { row, (vv_dtype)77, 1, shape }, "no type" },
        { { NULL, VV_FLOAT32, 1, shape }, "no value" },
    };
    vv_value good = { row, VV_FLOAT32, 1, shape };
    vv_value two[2] = { good, good };
    vv_frame frame = { 0, two, 2 };
    vv_frame twice[2] = { { 0, &good, 1 }, { 0, &good, 1 } };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_frame bad = { 0, &cases[i].value, 1 };

        assert_int_equal(vv_recorder_log(recorder, 0, &bad, 1, &err), VV_EINVAL);
        if (!strstr(err.message, cases[i].message) ||
            !strstr(err.message, "group['s'], array['x']"))
            fail_msg("'%s' says nothing of '%s'", err.message, cases[i].message);
    }
    assert_int_equal(vv_recorder_log(recorder, 0, &frame, 1, &err), VV_EINVAL);
    assert_int_equal(vv_recorder_log(recorder, 0, twice, 2, &err), VV_EINVAL);
    assert_int_equal(vv_recorder_log(recorder, 0, NULL, 0, &err), VV_EINVAL);
    assert_non_null(strstr(err.message, "group['s'] is due at step 0"));
    frame = (vv_frame){ 1, two, 2 };
    assert_int_equal(vv_recorder_log(recorder, 0, &frame, 1, &err), VV_EINVAL);
    frame = (vv_frame){ 0, NULL, 1 };
    assert_int_equal(vv_recorder_log(recorder, 0, &frame, 1, &err), VV_EINVAL);
    assert_int_equal(vv_recorder_log_group(recorder, 0, 0, &leaf, 2, &err), VV_EINVAL);
    assert_int_equal(vv_recorder_log_group(recorder, 0, 0, NULL, 1, &err), VV_EINVAL);
    assert_int_equal(vv_recorder_log_group(recorder, 0, 7, &leaf, 1, &err), VV_EINVAL);
    assert_int_equal(stats_of(recorder).logged, 0);
    assert_vv_ok(vv_recorder_log_group(recorder, 0, 0, &leaf, 1, &err));
    assert_int_equal(vv_recorder_log_group(recorder, 0, 0, &leaf, 1, &err), VV_EINVAL);
    assert_non_null(strstr(err.message, "step 0 does not come after 0"));
    assert_int_equal(vv_recorder_log_group(recorder, -1, 0, &leaf, 1, &err), VV_EINVAL);
    assert_vv_ok(vv_recorder_log_group(recorder, 5, 0, &leaf, 1, &err));
    assert_int_equal(vv_recorder_log_group(recorder, 3, 0, &leaf, 1, &err), VV_EINVAL);
    end(recorder);
    assert_int_equal(disk.groups[0].committed, 2);
    assert_int_equal(disk.next_step, 6);
    memory_clear(&disk);
    vv_schema_free(schema);
}

/* Steps 0, 2, 4, … in an extent of 10; step 100 has no place, step 102 fails. */
static bool second(void *ctx, int64_t step)
{
    (void)ctx;
    return step % 2 == 0;
}

static vv_status ten(void *ctx, int64_t total, uint32_t *ndim, uint64_t *shape,
                     vv_error *err)
{
    (void)err;
    *(int64_t *)ctx = total;
    *ndim = 1;
    shape[0] = 10;
    return VV_OK;
}

static vv_status half(void *ctx, int64_t step, uint64_t *index, vv_error *err)
{
    (void)ctx;
    if (step == 102)
        return vvi_fail(err, VV_ENOTFOUND, "no place for it");
    index[0] = (uint64_t)step / 2;
    return VV_OK;
}

static void a_step_is_taken_by_all_its_groups_or_none(void **state)
{
    int64_t total = 0;
    vv_frequency places = { .due = second, .shape = ten, .index = half, .ctx = &total };
    vv_recorder_options options = options_of(VV_FULL_BLOCK, 0);
    memory_disk disk = { 0 };
    vv_error err = VV_ERROR_INIT;
    vv_schema *schema = NULL;
    vv_recorder *recorder;
    const void *leaf = &total;

    (void)state;
    assert_vv_ok(vv_schema_new(&schema, &err));
    assert_vv_ok(vv_schema_add_group(schema, "a", VV_EVERY(1), NULL, NULL, &err));
    assert_vv_ok(vv_schema_add_leaf(schema, 0, "x", VV_INT64, 0, NULL, NULL, &err));
    assert_vv_ok(vv_schema_add_group(schema, "b", places, NULL, NULL, &err));
    assert_vv_ok(vv_schema_add_leaf(schema, 1, "x", VV_INT64, 0, NULL, NULL, &err));
    options.total_steps = 104;
    recorder = begin(&disk, schema, &options);
    assert_int_equal(total, 104);
    assert_true(vv_recorder_due(recorder, 1, 4));
    assert_false(vv_recorder_due(recorder, 1, 5));
    assert_false(vv_recorder_due(recorder, 2, 4));
    assert_vv_ok(contract_log(recorder, 0, &err));
    assert_int_equal(vv_recorder_log_group(recorder, 2, 0, &leaf, 1, &err), VV_EINVAL);
    assert_non_null(strstr(err.message, "group['b'] is due at step 2 too"));
    assert_vv_ok(vv_recorder_log_group(recorder, 3, 0, &leaf, 1, &err));
    assert_int_equal(contract_log(recorder, 100, &err), VV_ERANGE);
    assert_non_null(strstr(err.message, "group['b'], step 100: place 50"));
    assert_int_equal(contract_log(recorder, 102, &err), VV_ENOTFOUND);
    assert_non_null(strstr(err.message, "group['b'], step 102: no place for it"));
    assert_int_equal(contract_log(recorder, 104, &err), VV_ERANGE);
    assert_vv_ok(contract_log(recorder, 103, &err));
    end(recorder);
    assert_int_equal(disk.groups[0].committed, 3);
    assert_int_equal(disk.groups[1].committed, 1);
    memory_clear(&disk);
    vv_schema_free(schema);
}

static void leaves_without_elements_and_groups_without_leaves_are_recorded(void **state)
{
    memory_disk disk = { 0 };
    vv_error err = VV_ERROR_INIT;
    vv_schema *schema = NULL;
    vv_recorder *recorder;

    (void)state;
    assert_vv_ok(vv_schema_from_json(
        "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"none\": \"float64[0,3]\", \"x\": "
        "\"int8\"}}, \"b\": {\"every\": 2, \"leaves\": {}}, \"c\": {\"every\": \"once\", "
        "\"leaves\": {\"none\": \"int8[0]\"}}}}",
        &schema, &err));
    recorder = begin(&disk, schema, NULL);
    for (int64_t step = 0; step < 100; step++)
        assert_vv_ok(contract_log(recorder, step, &err));
    assert_vv_ok(vv_recorder_flush(recorder, VV_DURABLE, 0, &err));
    end(recorder);
    assert_int_equal(disk.groups[0].committed, 100);
    assert_int_equal(disk.groups[1].committed, 50);
    assert_int_equal(disk.groups[2].committed, 1);
    memory_clear(&disk);
    vv_schema_free(schema);
}

/* ---- flushes ---------------------------------------------------------------------------------- */

static void old_rows_are_flushed_unasked(void **state)
{
    memory_disk disk = { 0 };
    vv_recorder_options options = options_of(VV_FULL_BLOCK, 0);
    vv_schema *schema = rows_schema();
    vv_error err = VV_ERROR_INIT;
    vv_recorder *recorder;

    (void)state;
    options.flush_ms = 30;
    options.durability = VV_DURABLE;
    recorder = begin(&disk, schema, &options);
    for (int64_t step = 0; step < 3; step++) {
        assert_vv_ok(contract_log(recorder, step, &err));
        for (int i = 0; i < 500 && stats_of(recorder).durable <= (uint64_t)step; i++)
            nap_ms(10);
        assert_int_equal(stats_of(recorder).durable, step + 1);
    }
    nap_ms(100);
    assert_int_equal(stats_of(recorder).flushes, 3); /* not without rows */
    end(recorder);
    memory_clear(&disk);
    vv_schema_free(schema);
}

static void a_flush_waits_no_longer_than_asked(void **state)
{
    memory_disk disk = { .stands = true };
    vv_recorder_options options = options_of(VV_FULL_BLOCK, 0);
    vv_schema *schema = rows_schema();
    vv_recorder *recorder = begin(&disk, schema, &options);
    vv_error err = VV_ERROR_INIT;
    uint64_t before = now_ms();

    (void)state;
    assert_vv_ok(contract_log(recorder, 0, &err));
    assert_int_equal(vv_recorder_flush(recorder, VV_PROCESS, 50, &err), VV_ETIMEDOUT);
    assert_true(now_ms() - before >= 49);
    disk.stands = false;
    assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    assert_int_equal(disk.durable_commits, 0);
    assert_vv_ok(vv_recorder_flush(recorder, VV_DURABLE, 0, &err)); /* the same rows */
    assert_int_equal(disk.durable_commits, 1);
    assert_vv_ok(vv_recorder_flush(recorder, VV_DURABLE, 0, &err));
    assert_int_equal(disk.commits, 2);
    assert_int_equal(vv_recorder_flush(recorder, (vv_durability)9, 0, &err), VV_EINVAL);
    end(recorder);
    memory_clear(&disk);
    vv_schema_free(schema);
}

/* ---- failures ---------------------------------------------------------------------------------- */

/* The n-th call of the sink fails: the caller hears of it, and what was committed is as it was. */
static void each_failing_call_of_the_sink_reaches_the_caller(void **state)
{
    vv_schema *schema = contract_schema();
    vv_recorder_options options = options_of(VV_FULL_BLOCK, 0);
    bool any = true;

    (void)state;
    options.flush_ms = 5;
    for (uint64_t n = 1; any; n += 1 + n / 8) {
        memory_disk disk = { .fail_at = n };
        vv_recorder *recorder = begin(&disk, schema, &options);
        vv_error err = VV_ERROR_INIT;
        vv_status status = VV_OK;

        for (int64_t step = 0; step < 150 && !status; step++) {
            status = contract_log(recorder, step, &err);
            if (!status && step % 40 == 39)
                status = vv_recorder_flush(recorder, VV_PROCESS, 0, &err);
        }
        if (status) { /* and stays */
            assert_int_equal(status, VV_EIO);
            assert_non_null(strstr(err.message, "made to fail"));
            assert_int_equal(contract_log(recorder, 1000, &err), VV_EIO);
            assert_int_equal(vv_recorder_flush(recorder, VV_PROCESS, 0, &err), VV_EIO);
            assert_int_equal(stats_of(recorder).failure, VV_EIO);
            assert_int_equal(vv_recorder_close(recorder, &err), VV_EIO);
        } else {
            status = vv_recorder_close(recorder, &err);
            assert_true(status == VV_OK || status == VV_EIO);
        }
        any = status != VV_OK;
        assert_int_equal(disk.closed, !any);
        contract_check(&memory_kind, &disk, schema, disk.next_step);
        memory_clear(&disk);
    }
    vv_schema_free(schema);
}

static void a_failure_wakes_those_who_wait(void **state)
{
    memory_disk disk = { .stands = true, .fail_at = 1 };
    vv_recorder_options options = options_of(VV_FULL_BLOCK, 100000);
    vv_schema *schema = rows_schema();
    vv_recorder *recorder = begin(&disk, schema, &options);
    vv_error err = VV_ERROR_INIT;
    vv_status status = VV_OK;
    uint64_t before;

    (void)state;
    for (int64_t step = 0; step < 10; step++)
        assert_vv_ok(contract_log(recorder, step, &err));
    disk.stands = false;
    before = now_ms();
    for (int64_t step = 10; step < 10000 && !status; step++)
        status = contract_log(recorder, step, &err);
    assert_int_equal(status, VV_EIO);
    assert_true(now_ms() - before < 10000); /* not the 30 s of the policy */
    assert_int_equal(vv_recorder_close(recorder, &err), VV_EIO);
    memory_clear(&disk);
    vv_schema_free(schema);
}

static vv_status record_some(void *ctx)
{
    memory_disk disk = { 0 };
    vv_recorder_options options = options_of(VV_FULL_BLOCK, 300000);
    vv_recorder *recorder = NULL;
    vv_status status;

    options.threads = 2;
    status = memory_create(&disk, ctx, &options, &recorder, NULL);
    for (int64_t step = 0; step < 70 && !status; step++)
        status = contract_log(recorder, step, NULL);
    if (!status)
        status = vv_recorder_set_attributes(recorder, "{\"author\": \"me\"}", NULL);
    if (!status)
        status = vv_recorder_flush(recorder, VV_PROCESS, 0, NULL);
    if (recorder) {
        vv_status closed = vv_recorder_close(recorder, NULL);

        status = status ? status : closed;
    }
    if (!status) {
        status = memory_append(&disk, ctx, 66, &options, &recorder, NULL);
        if (!status)
            status = vv_recorder_close(recorder, NULL);
    }
    memory_clear(&disk);
    return status;
}

static void a_recording_survives_failing_allocations(void **state)
{
    vv_schema *schema = contract_schema();

    (void)state;
    survives_failing_allocations(record_some, schema);
    vv_schema_free(schema);
}

/* ---- closing ---------------------------------------------------------------------------------- */

static void a_close_waits_no_longer_than_asked(void **state)
{
    vv_schema *schema = rows_schema();

    (void)state;
    watch_allocations();
    for (int abandoned = 0; abandoned < 2; abandoned++) {
        memory_disk disk = { .stands = true };
        vv_recorder_options options = options_of(VV_FULL_BLOCK, 0);
        size_t held = live_allocations();
        vv_error err = VV_ERROR_INIT;
        vv_recorder *recorder;
        uint64_t before;

        options.close_ms = 60;
        recorder = begin(&disk, schema, &options);
        for (int64_t step = 0; step < 60; step++)
            assert_vv_ok(contract_log(recorder, step, &err));
        for (int i = 0; i < 1000 && !atomic_load(&disk.calls); i++)
            nap_ms(10); /* now the writer stands */
        before = now_ms();
        if (abandoned)
            vv_recorder_abandon(recorder);
        else
            assert_int_equal(vv_recorder_close(recorder, &err), VV_ETIMEDOUT);
        assert_true(now_ms() - before >= 59);
        assert_true(now_ms() - before < 20000);
        disk.stands = false; /* its thread comes back, and frees all */
        for (int i = 0; i < 1000 && live_allocations() > held; i++)
            nap_ms(10);
        assert_int_equal(live_allocations(), held);
        assert_false(disk.closed);
        memory_clear(&disk);
    }
    vv_schema_free(schema);
}

static void attributes_are_texts_and_put_at_the_end(void **state)
{
    memory_disk disk = { 0 };
    vv_schema *schema = rows_schema();
    vv_recorder *recorder = begin(&disk, schema, NULL);
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_int_equal(vv_recorder_set_attributes(recorder, "{\"a\": 1}", &err), VV_EINVAL);
    assert_int_equal(vv_recorder_set_attributes(recorder, "{\"a\": NaN}", &err),
                     VV_EINVAL);
    assert_int_equal(vv_recorder_set_attributes(recorder, "[]", &err), VV_EINVAL);
    assert_int_equal(vv_recorder_set_attributes(recorder, "{", &err), VV_EINVAL);
    assert_vv_ok(vv_recorder_set_attributes(recorder, "{\"a\": \"b\"}", &err));
    assert_vv_ok(vv_recorder_set_attributes(recorder, "{\"a\": \"c\"}", &err));
    end(recorder);
    assert_string_equal(disk.attributes, "{\"a\": \"c\"}");
    memory_clear(&disk);
    vv_schema_free(schema);
    end(NULL);
    vv_recorder_abandon(NULL);
}

static void count_calls(void *ctx, const vv_recorder_stats *stats)
{
    uint64_t *seen = ctx;

    seen[0]++;
    seen[1] = stats->written;
}

static void progress_is_told_at_the_end(void **state)
{
    uint64_t seen[2] = { 0 };
    memory_disk disk = { 0 };
    vv_recorder_options options = options_of(VV_FULL_BLOCK, 0);
    vv_schema *schema = rows_schema();
    vv_error err = VV_ERROR_INIT;
    vv_recorder *recorder;

    (void)state;
    options.progress = count_calls;
    options.ctx = seen;
    recorder = begin(&disk, schema, &options);
    for (int64_t step = 0; step < 10; step++)
        assert_vv_ok(contract_log(recorder, step, &err));
    end(recorder);
    assert_true(seen[0] >= 1);
    assert_int_equal(seen[1], 10);
    memory_clear(&disk);
    vv_schema_free(schema);
}

/* ---- forks and threads -------------------------------------------------------------------------- */

/* In a child: 0 when all but giving up is refused. */
static int be_a_child(vv_recorder *recorder)
{
    float row[1000] = { 0 };
    const void *leaf = row;
    vv_error err = VV_ERROR_INIT;
    bool good = vv_recorder_log_group(recorder, 1000, 0, &leaf, 1, &err) == VV_EINVAL &&
                strstr(err.message, "forked") &&
                vv_recorder_flush(recorder, VV_PROCESS, 0, &err) == VV_EINVAL &&
                vv_recorder_set_attributes(recorder, "{}", &err) == VV_EINVAL;

    vv_recorder_abandon(recorder);
    return good ? 0 : 1;
}

static void a_forked_child_can_only_give_the_recorder_up(void **state)
{
    memory_disk disk = { 0 };
    vv_schema *schema = rows_schema();
    vv_recorder_options options = options_of(VV_FULL_BLOCK, 0);
    vv_recorder *recorder;
    vv_error err = VV_ERROR_INIT;
    int64_t step = 0;

    (void)state;
    options.flush_ms = 1; /* its thread is busy when the child is made */
    recorder = begin(&disk, schema, &options);
    for (int i = 0; i < 20; i++) {
        int status = 0;
        pid_t child;

        for (int k = 0; k < 50; k++)
            assert_vv_ok(contract_log(recorder, step++, &err));
        child = fork();
        if (child == 0)
            _exit(be_a_child(recorder));
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    end(recorder);
    assert_int_equal(disk.groups[0].committed, step);
    check_rows(&disk, schema);
    memory_clear(&disk);
    vv_schema_free(schema);
}

typedef struct crowd {
    vv_recorder *recorder;
    atomic_llong step;
    atomic_llong taken;
    atomic_bool stop;
} crowd;

static void *log_many(void *arg)
{
    crowd *self = arg;

    for (int i = 0; i < 1500; i++) {
        int64_t step = atomic_fetch_add(&self->step, 1);
        vv_status status = contract_log(self->recorder, step, NULL);

        if (status != VV_OK && status != VV_EINVAL) /* another was faster */
            abort();
        atomic_fetch_add(&self->taken, status == VV_OK);
    }
    return NULL;
}

static void *flush_many(void *arg)
{
    crowd *self = arg;

    while (!atomic_load(&self->stop))
        if (vv_recorder_flush(self->recorder, VV_PROCESS, 0, NULL))
            abort();
    return NULL;
}

static void *look_often(void *arg)
{
    crowd *self = arg;
    vv_recorder_stats stats = VV_RECORDER_STATS_INIT;

    while (!atomic_load(&self->stop)) {
        vv_recorder_get_stats(self->recorder, &stats);
        if (stats.written > stats.logged || stats.flushed > stats.written)
            abort();
        nap_ms(1);
    }
    return NULL;
}

static void many_threads_log_into_several_recorders(void **state)
{
    memory_disk disks[2] = { { 0 }, { 0 } };
    crowd crowds[2] = { { 0 }, { 0 } };
    pthread_t threads[2][6];
    vv_schema *schema = rows_schema();
    vv_recorder_options options = options_of(VV_FULL_BLOCK, 300000);

    (void)state;
    options.flush_ms = 10;
    for (int k = 0; k < 2; k++) {
        crowds[k].recorder = begin(&disks[k], schema, &options);
        for (int i = 0; i < 6; i++)
            assert_int_equal(pthread_create(&threads[k][i], NULL,
                                            i < 4    ? log_many
                                            : i == 4 ? flush_many
                                                     : look_often,
                                            &crowds[k]),
                             0);
    }
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 4; i++)
            pthread_join(threads[k][i], NULL);
        atomic_store(&crowds[k].stop, true);
        pthread_join(threads[k][4], NULL);
        pthread_join(threads[k][5], NULL);
        end(crowds[k].recorder);
        assert_int_equal(disks[k].groups[0].committed, atomic_load(&crowds[k].taken));
        assert_true(disks[k].groups[0].committed > 100);
        check_rows(&disks[k], schema);
        memory_clear(&disks[k]);
    }
    vv_schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_that_do_not_fit_are_refused_by_name),
        cmocka_unit_test(a_step_is_taken_by_all_its_groups_or_none),
        cmocka_unit_test(leaves_without_elements_and_groups_without_leaves_are_recorded),
        cmocka_unit_test(old_rows_are_flushed_unasked),
        cmocka_unit_test(a_flush_waits_no_longer_than_asked),
        cmocka_unit_test(each_failing_call_of_the_sink_reaches_the_caller),
        cmocka_unit_test(a_failure_wakes_those_who_wait),
        cmocka_unit_test(a_recording_survives_failing_allocations),
        cmocka_unit_test(a_close_waits_no_longer_than_asked),
        cmocka_unit_test(attributes_are_texts_and_put_at_the_end),
        cmocka_unit_test(progress_is_told_at_the_end),
        cmocka_unit_test(a_forked_child_can_only_give_the_recorder_up),
        cmocka_unit_test(many_threads_log_into_several_recorders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
