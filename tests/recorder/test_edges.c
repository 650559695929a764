/* What the recorder promises where it is tight: the cap, several groups, values without elements. */
#include "recorder/memory_sink.h"

#include "recorder/inner.h"
#include "util/thread.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static vv_schema *schema_of(const char *json)
{
    vv_error err = VV_ERROR_INIT;
    vv_schema *schema = NULL;

    assert_vv_ok(vv_schema_from_json(json, &schema, &err));
    return schema;
}

static vv_recorder_options calm(void)
{
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;

    options.flush_ms = 3600000;
    options.durability = VV_PROCESS;
    return options;
}

/* ---- the cap ------------------------------------------------------------------------------- */

/* Log for at most 10 ms into a sink that stands still, then some rows more. */
static void fill_up(memory_disk *disk, vv_recorder *recorder)
{
    uint64_t end = vvi_now_ns() + 10000000;
    int64_t step = 0;

    atomic_store(&disk->stands, true);
    while (vvi_now_ns() < end && !contract_log(recorder, step, NULL))
        step++;
    atomic_store(&disk->stands, false);
    for (int i = 0; i < 200; i++)
        step += contract_log(recorder, step, NULL) == VV_OK;
}

static void check_cap(const vv_schema *schema, bool checksum, uint64_t cap)
{
    memory_disk disk = { .count_only = true };
    vv_recorder_options options = calm();
    vv_recorder_estimate estimate = VV_RECORDER_ESTIMATE_INIT;
    vv_recorder_stats stats = VV_RECORDER_STATS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_recorder *recorder = NULL;
    vv_status status;

    options.memory_bytes = cap;
    options.when_full = VV_FULL_FAIL;
    options.threads = 2;
    options.checksum = checksum;
    status = vv_recorder_estimate_steps(schema, &options, 1000000, &estimate, &err);
    assert_int_equal(memory_create(&disk, schema, &options, &recorder, &err), status);
    if (status) {
        assert_int_equal(status, VV_ELIMIT);
        return;
    }
    fill_up(&disk, recorder);
    stats.struct_size = 0;
    assert_int_equal(vv_recorder_get_stats(recorder, &stats), VV_EINVAL);
    stats = VV_RECORDER_STATS_INIT;
    vv_recorder_get_stats(recorder, &stats);
    assert_in_range(stats.peak_memory_bytes, 1, cap);
    assert_in_range(stats.peak_memory_bytes, 1, estimate.memory_bytes);
    assert_vv_ok(vv_recorder_close(recorder, &err));
    memory_clear(&disk);
}

static void memory_stays_under_the_cap(void **state)
{
    static const char *const schemas[] = {
        "{\"groups\": {\"s\": {\"every\": 1, \"compression\": \"none\", \"leaves\":"
        "  [\"int8[60]\", \"int8\", \"int8\", \"int8\", \"int8\", \"int8\"]}}}",
        "{\"groups\": {\"s\": {\"every\": 1, \"leaves\": [\"int8[60]\", \"int8\"]}}}",
        "{\"groups\": {\"s\": {\"every\": 1, \"compression\": \"none\","
        "  \"leaves\": \"float64[1000]\"}}}",
        "{\"groups\": {\"s\": {\"every\": 1, \"leaves\": \"float64[1000]\"},"
        "  \"t\": {\"every\": 3, \"compression\": \"none\","
        "    \"leaves\": {\"e\": \"float64\", \"f\": \"float64[30]\"}}}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
        vv_schema *schema = schema_of(schemas[i]);

        for (uint64_t cap = 4000; cap < 4000000; cap += cap / 5)
            for (int checksum = 0; checksum < 2; checksum++)
                check_cap(schema, checksum, cap);
        vv_schema_free(schema);
    }
}

/* ---- dropping ------------------------------------------------------------------------------ */

/* The least cap for a schema, as the refusal says it. */
static uint64_t least_cap(const vv_schema *schema, vv_recorder_options options)
{
    vv_recorder_estimate estimate = VV_RECORDER_ESTIMATE_INIT;
    vv_error err = VV_ERROR_INIT;
    const char *at;

    options.memory_bytes = 1;
    assert_int_equal(vv_recorder_estimate_steps(schema, &options, 1, &estimate, &err),
                     VV_ELIMIT);
    at = strstr(err.message, "small; ");
    assert_non_null(at);
    return strtoull(at + strlen("small; "), NULL, 10);
}

static void the_oldest_rows_make_room_whatever_the_writer_has_begun(void **state)
{
    vv_schema *schema = schema_of(
        "{\"groups\": {\"a\": {\"every\": 1, \"compression\": {\"chunk_bytes\": 640},"
        "  \"leaves\": \"float64[10]\"},"
        "\"b\": {\"every\": 4, \"leaves\": \"float64[100]\"}}}");
    vv_recorder_options options = calm();
    vv_error err = VV_ERROR_INIT;
    uint64_t cap;

    (void)state;
    options.when_full = VV_FULL_DROP_OLDEST;
    options.flush_ms = 20;
    options.threads = 8;
    cap = least_cap(schema, options);
    for (options.memory_bytes = cap; options.memory_bytes < 8 * cap;
         options.memory_bytes *= 2) {
        memory_disk disk = { .count_only = true, .delay_us = 100 };
        vv_recorder *recorder = NULL;
        vv_recorder_stats stats = VV_RECORDER_STATS_INIT;

        assert_vv_ok(memory_create(&disk, schema, &options, &recorder, &err));
        for (int64_t step = 0; step < 40000; step++) {
            assert_vv_ok(contract_log(recorder, step, &err));
            if (step % 16 == 0)
                usleep(1);
        }
        vv_recorder_get_stats(recorder, &stats);
        assert_int_equal(stats.refused, 0);
        assert_int_equal(stats.logged, 50000);
        assert_true(stats.dropped > 0);
        assert_vv_ok(vv_recorder_close(recorder, &err));
        memory_clear(&disk);
    }
    vv_schema_free(schema);
}

/* ---- values without elements ---------------------------------------------------------------- */

static void pointers_must_be_given_even_for_leaves_without_elements(void **state)
{
    vv_schema *schema = schema_of(
        "{\"groups\": {\"s\": {\"every\": 1, \"leaves\": [\"int8[0]\", \"float64[3,0]\"]}}}");
    const void *const nothing[2] = { NULL, NULL };
    vv_recorder_options options = calm();
    memory_disk disk = { 0 };
    vv_error err = VV_ERROR_INIT;
    vv_recorder *recorder = NULL;

    (void)state;
    assert_vv_ok(memory_create(&disk, schema, &options, &recorder, &err));
    assert_int_equal(vv_recorder_log_group(recorder, 0, 0, NULL, 2, &err), VV_EINVAL);
    assert_vv_ok(vv_recorder_log_group(recorder, 0, 0, nothing, 2, &err));
    assert_vv_ok(vv_recorder_close(recorder, &err));
    assert_int_equal(disk.groups[0].committed, 1);
    memory_clear(&disk);
    vv_schema_free(schema);
}

/* ---- extents ------------------------------------------------------------------------------- */

static bool never(void *ctx, int64_t step)
{
    (void)ctx, (void)step;
    return false;
}

static vv_status eight(void *ctx, int64_t total, uint32_t *ndim, uint64_t *shape,
                       vv_error *err)
{
    (void)ctx, (void)total, (void)err;
    *ndim = 8;
    for (int i = 0; i < 8; i++)
        shape[i] = 1;
    return VV_OK;
}

static vv_status nowhere(void *ctx, int64_t step, uint64_t *index, vv_error *err)
{
    (void)ctx, (void)step, (void)index;
    return vvi_fail(err, VV_EINVAL, "never asked");
}

static void extent_and_value_have_32_dimensions_at_most(void **state)
{
    static const vv_frequency frequency = { .due = never,
                                            .shape = eight,
                                            .index = nowhere };
    uint64_t shape[VV_RECORDER_NDIM_MAX];

    (void)state;
    for (uint32_t i = 0; i < VV_RECORDER_NDIM_MAX; i++)
        shape[i] = 1;
    for (uint32_t ndim = 0; ndim <= VV_RECORDER_NDIM_MAX; ndim++) {
        vv_recorder *recorder = NULL;
        vv_error err = VV_ERROR_INIT;
        vv_recorder_estimate estimate = VV_RECORDER_ESTIMATE_INIT;
        vv_schema *schema = NULL;
        vv_store *store = NULL;
        vv_status status;

        assert_vv_ok(vv_schema_new(&schema, &err));
        assert_vv_ok(vv_schema_add_group(schema, "s", frequency, NULL, NULL, &err));
        assert_vv_ok(
            vv_schema_add_leaf(schema, 0, "x", VV_INT8, ndim, shape, NULL, &err));
        assert_vv_ok(vv_memory_store_new(&store, &err));
        status = vv_recorder_create_zarr(store, "r", schema, NULL, NULL, NULL, &recorder,
                                         &err);
        assert_int_equal(status, ndim <= 24 ? VV_OK : VV_EINVAL);
        assert_int_equal(vv_recorder_estimate_steps(schema, NULL, 1, &estimate, &err),
                         status);
        assert_vv_ok(vv_recorder_close(recorder, &err));
        vv_store_free(store);
        vv_schema_free(schema);
    }
}

static void a_forked_child_does_not_wait_for_the_counters(void **state)
{
    vv_schema *schema = schema_of(
        "{\"groups\": {\"s\": {\"every\": 1, \"leaves\": \"float64\"}}}");
    vv_recorder_options options = calm();
    memory_disk disk = { 0 };
    vv_error err = VV_ERROR_INIT;
    vv_recorder *recorder = NULL;
    int status = 1;
    pid_t child;

    (void)state;
    assert_vv_ok(memory_create(&disk, schema, &options, &recorder, &err));
    vvi_mutex_lock(&recorder->queue.lock); /* as a thread that is logging meanwhile */
    child = fork();
    if (child == 0) {
        vv_recorder_stats stats = VV_RECORDER_STATS_INIT;

        alarm(10);
        vv_recorder_get_stats(recorder, &stats);
        _exit(stats.failure == VV_EINVAL ? 0 : 2);
    }
    vvi_mutex_unlock(&recorder->queue.lock);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_vv_ok(vv_recorder_close(recorder, &err));
    memory_clear(&disk);
    vv_schema_free(schema);
}

static atomic_int handled;

static void handle(int number)
{
    (void)number;
    atomic_fetch_add(&handled, 1);
}

static void signals_are_left_to_the_threads_of_the_program(void **state)
{
    vv_schema *schema = schema_of(
        "{\"groups\": {\"s\": {\"every\": 1, \"leaves\": \"float64\"}}}");
    struct sigaction action = { .sa_handler = handle }, old;
    vv_recorder_options options = calm();
    memory_disk disk = { 0 };
    vv_error err = VV_ERROR_INIT;
    vv_recorder *recorder = NULL;
    sigset_t mine, before;

    (void)state;
    options.threads = 4;
    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    assert_vv_ok(memory_create(&disk, schema, &options, &recorder, &err));
    assert_vv_ok(contract_log(recorder, 0, &err));
    assert_vv_ok(
        vv_recorder_flush(recorder, VV_PROCESS, 0, &err)); /* all threads are there */
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mine, &before);
    kill(getpid(), SIGUSR1);
    usleep(50000);
    assert_int_equal(atomic_load(&handled), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL); /* now it comes, here */
    assert_int_equal(atomic_load(&handled), 1);
    assert_vv_ok(vv_recorder_close(recorder, &err));
    assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
    memory_clear(&disk);
    vv_schema_free(schema);
}

/* ---- before the run ------------------------------------------------------------------------- */

static void an_estimate_is_of_what_will_be_there(void **state)
{
    vv_schema *schema = schema_of(
        "{\"groups\": {\"i\": {\"every\": \"once\", \"leaves\": \"float64[4]\"},"
        "  \"s\": {\"every\": 1, \"compression\": \"none\", \"leaves\": \"float64[100]\"}}}");
    vv_recorder_estimate estimate = VV_RECORDER_ESTIMATE_INIT;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vv_recorder_estimate_steps(schema, NULL, 0, &estimate, &err));
    assert_int_equal(estimate.rows, 0);
    assert_int_equal(estimate.raw_bytes, 0);
    assert_vv_ok(vv_recorder_estimate_steps(schema, NULL, 1, &estimate, &err));
    assert_int_equal(estimate.rows, 2);
    assert_vv_ok(vv_recorder_estimate_steps(schema, NULL, 1000, &estimate, &err));
    assert_true(estimate.file_bytes_least > 1000 * 808); /* nothing makes them fewer */
    assert_vv_ok(vv_recorder_estimate_steps(schema, NULL, INT64_MAX, &estimate, &err));
    assert_true(estimate.raw_bytes == UINT64_MAX);
    assert_true(estimate.file_bytes_least == UINT64_MAX);
    estimate.struct_size = 0;
    assert_int_equal(vv_recorder_estimate_steps(schema, NULL, 1, &estimate, &err),
                     VV_EINVAL);
    assert_true(estimate.raw_bytes == UINT64_MAX);
    vv_schema_free(schema);
}

static void rows_too_large_to_count_are_not_small(void **state)
{
    static const uint64_t shape[] = { SIZE_MAX / 4 };
    vv_recorder_estimate estimate = VV_RECORDER_ESTIMATE_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_schema *schema = NULL;

    (void)state;
    assert_vv_ok(vv_schema_new(&schema, &err));
    assert_vv_ok(vv_schema_add_group(schema, "s", VV_EVERY(1), NULL, NULL, &err));
    for (int i = 0; i < 5; i++) {
        char name[2] = { (char)('a' + i), '\0' };

        assert_vv_ok(vv_schema_add_leaf(schema, 0, name, VV_INT8, 1, shape, NULL, &err));
    }
    assert_int_equal(vv_schema_add_leaf(schema, 0, "x", VV_INT8, 1, NULL, NULL, &err),
                     VV_EINVAL);
    assert_true(vv_schema_row_bytes(schema, 0) == UINT64_MAX);
    assert_int_equal(vv_recorder_estimate_steps(schema, NULL, 1, &estimate, &err),
                     VV_ELIMIT);
    vv_schema_free(schema);
}

static void no_cap_is_larger_than_memory_can_be(void **state)
{
    static const uint64_t lengths[] = { SIZE_MAX / 4, SIZE_MAX / 16 };

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        vv_recorder_options options = calm();
        memory_disk disk = { .count_only = true };
        vv_error err = VV_ERROR_INIT;
        vv_recorder *recorder = NULL;
        vv_schema *schema = NULL;

        options.memory_bytes = UINT64_MAX;
        assert_vv_ok(vv_schema_new(&schema, &err));
        assert_vv_ok(vv_schema_add_group(schema, "s", VV_EVERY(1), NULL, NULL, &err));
        for (int k = 0; k < 5; k++) {
            char name[2] = { (char)('a' + k), '\0' };

            assert_vv_ok(
                vv_schema_add_leaf(schema, 0, name, VV_INT8, 1, &lengths[i], NULL, &err));
        }
        assert_int_equal(memory_create(&disk, schema, &options, &recorder, &err),
                         VV_ELIMIT);
        memory_clear(&disk);
        vv_schema_free(schema);
    }
}

static void texts_of_json_end_where_they_end(void **state)
{
    static const char *const texts[] = {
        "\"leaves\": \"float32\\u0000[3]\"",
        "\"leaves\": {\"kind\": \"leaf\", \"dtype\": \"int8\\u00006\"}",
        "\"compression\": \"none\\u0000:3\", \"leaves\": \"int8\"",
        "\"compression\": {\"codec\": \"gzip\\u0000\"}, \"leaves\": \"int8\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vv_schema *schema = NULL;
        char json[200];

        snprintf(json, sizeof(json), "{\"groups\": {\"s\": {\"every\": 1, %s}}}",
                 texts[i]);
        assert_int_equal(vv_schema_from_json(json, &schema, &err), VV_EINVAL);
        assert_non_null(strstr(err.message, "zero character"));
    }
}

static void a_configuration_that_numbers_groups_otherwise_is_refused(void **state)
{
    static const int numbers[][2] = { { 0, 1 }, { 1, 0 }, { 1, 1 } }; /* of z, of a */

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vv_schema *schema = NULL;
        char json[400];

        snprintf(
            json, sizeof(json),
            "{\"groups\": {\"z\": {\"every\": 1, \"leaves\": \"int8\"},"
            " \"a\": {\"every\": 2, \"leaves\": \"int16\"}},"
            " \"config\": {\"kind\": \"dict\", \"keys\": [\"z\", \"a\"], \"children\":"
            " [{\"kind\": \"leaf\", \"leaf\": %d}, {\"kind\": \"leaf\", \"leaf\": %d}]}}",
            numbers[i][0], numbers[i][1]);
        if (i != 1) {
            assert_int_equal(vv_schema_from_json(json, &schema, &err), VV_EINVAL);
            continue;
        }
        assert_vv_ok(vv_schema_from_json(json, &schema, &err));
        assert_string_equal(vv_schema_group_name(schema, 0), "group['a']");
        vv_schema_free(schema);
    }
}

static void values_without_elements_make_nothing_smaller(void **state)
{
    static const char *const leaves[] = { "[\"float64[100000]\"]",
                                          "[\"float64[100000]\", \"int8[0]\"]" };
    uint64_t chunk_rows[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        vv_recorder_options options = calm();
        vvi_plan plan = { 0 };
        vv_error err = VV_ERROR_INIT;
        vv_schema *schema, *copy = NULL;
        char json[200];

        snprintf(json, sizeof(json),
                 "{\"groups\": {\"s\": {\"every\": 1,"
                 " \"compression\": {\"chunk_bytes\": 8000000}, \"leaves\": %s}}}",
                 leaves[i]);
        schema = schema_of(json);
        options.threads = 1;
        assert_vv_ok(vvi_schema_copy(schema, &copy, &err));
        assert_vv_ok(vvi_recorder_plan(copy, &options, &plan, &err));
        chunk_rows[i] = plan.groups[0].leaves[0].chunk_rows;
        vvi_plan_clear(&plan);
        vv_schema_free(copy);
        vv_schema_free(schema);
    }
    assert_int_equal(chunk_rows[0], chunk_rows[1]);
}

/* ---- many callers --------------------------------------------------------------------------- */

typedef struct watcher {
    vv_recorder *recorder;
    atomic_bool ended;
    bool flushes;
    int failures;
} watcher;

/* Looks at the counters, flushes and sets attributes while others log. */
static void *watch(void *arg)
{
    watcher *self = arg;

    while (!atomic_load(&self->ended)) {
        vv_recorder_stats stats = VV_RECORDER_STATS_INIT;

        vv_recorder_get_stats(self->recorder, &stats);
        self->failures += stats.written + stats.dropped > stats.logged;
        self->failures += stats.memory_bytes > stats.peak_memory_bytes;
        self->failures += stats.flushed > stats.written || stats.durable > stats.flushed;
        if (self->flushes)
            self->failures += vv_recorder_flush(self->recorder, VV_PROCESS, 5000, NULL) !=
                              VV_OK;
        self->failures += vv_recorder_set_attributes(self->recorder, "{\"a\": \"b\"}",
                                                     NULL) != VV_OK;
    }
    return NULL;
}

static void counters_agree_at_any_time(void **state)
{
    static const vv_full_policy policies[] = { VV_FULL_BLOCK, VV_FULL_DROP_OLDEST,
                                               VV_FULL_THIN };
    vv_schema *schema = schema_of(
        "{\"groups\": {\"a\": {\"every\": 1, \"compression\": {\"chunk_bytes\": 640},"
        "  \"leaves\": [\"float64[10]\", \"int8\"]},"
        "\"b\": {\"every\": 4, \"leaves\": \"float64[100]\"}}}");
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(policies) / sizeof(policies[0]); i++) {
        memory_disk disk = { .count_only = true };
        vv_recorder_options options = calm();
        watcher watchers[2] = { { .flushes = i % 2 } };
        vv_recorder *recorder = NULL;
        pthread_t threads[2];

        options.when_full = policies[i / 2];
        options.memory_bytes = 100000;
        options.flush_ms = 1;
        options.threads = 3;
        assert_vv_ok(memory_create(&disk, schema, &options, &recorder, &err));
        for (int k = 0; k < 2; k++) {
            watchers[k].recorder = recorder;
            assert_int_equal(pthread_create(&threads[k], NULL, watch, &watchers[k]), 0);
        }
        for (int64_t step = 0; step < 5000; step++)
            assert_vv_ok(contract_log(recorder, step, &err));
        for (int k = 0; k < 2; k++) {
            atomic_store(&watchers[k].ended, true);
            pthread_join(threads[k], NULL);
            assert_int_equal(watchers[k].failures, 0);
        }
        assert_vv_ok(vv_recorder_close(recorder, &err));
        memory_clear(&disk);
    }
    vv_schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_stays_under_the_cap),
        cmocka_unit_test(the_oldest_rows_make_room_whatever_the_writer_has_begun),
        cmocka_unit_test(counters_agree_at_any_time),
        cmocka_unit_test(a_forked_child_does_not_wait_for_the_counters),
        cmocka_unit_test(signals_are_left_to_the_threads_of_the_program),
        cmocka_unit_test(an_estimate_is_of_what_will_be_there),
        cmocka_unit_test(rows_too_large_to_count_are_not_small),
        cmocka_unit_test(no_cap_is_larger_than_memory_can_be),
        cmocka_unit_test(a_configuration_that_numbers_groups_otherwise_is_refused),
        cmocka_unit_test(texts_of_json_end_where_they_end),
        cmocka_unit_test(values_without_elements_make_nothing_smaller),
        cmocka_unit_test(extent_and_value_have_32_dimensions_at_most),
        cmocka_unit_test(pointers_must_be_given_even_for_leaves_without_elements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
