/* A recorder that is full: policies, counters, memory. */
#include "recorder/rows.h"

#include <stdio.h>

/* ---- policies -------------------------------------------------------------------------------- */

static void a_full_recorder_fails_at_once_when_asked(void **state)
{
    memory_disk disk = { .stands = true };
    vv_recorder_options options = options_of(VV_FULL_FAIL, 200000);
    vv_schema *schema = rows_schema();
    vv_recorder *recorder = begin(&disk, schema, &options);
    vv_error err = VV_ERROR_INIT;
    vv_status status = VV_OK;
    int64_t step = 0;

    (void)state;
    while (step < 1000 && !(status = contract_log(recorder, step, &err)))
        step++;
    assert_int_equal(status, VV_ELIMIT);
    assert_non_null(strstr(err.message, "full"));
    assert_true(step > 20 && step < 50);
    assert_int_equal(stats_of(recorder).refused, 1);
    assert_int_equal(stats_of(recorder).logged, step);
    assert_true(stats_of(recorder).queued_bytes <= 200000);
    disk.stands = false;
    assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    assert_vv_ok(contract_log(recorder, step, &err)); /* the step was not taken */
    assert_true(stats_of(recorder).peak_memory_bytes <= 200000);
    end(recorder);
    assert_int_equal(disk.groups[0].committed, step + 1);
    check_rows(&disk, schema);
    memory_clear(&disk);
    vv_schema_free(schema);
}

static void a_full_recorder_waits_no_longer_than_its_deadline(void **state)
{
    memory_disk disk = { .stands = true };
    vv_recorder_options options = options_of(VV_FULL_BLOCK, 200000);
    vv_schema *schema = rows_schema();
    vv_error err = VV_ERROR_INIT;
    vv_status status = VV_OK;
    vv_recorder *recorder;
    int64_t step = 0;
    uint64_t before;

    (void)state;
    options.block_ms = 100;
    recorder = begin(&disk, schema, &options);
    for (before = now_ms(); step < 1000 && !status; before = now_ms()) {
        status = contract_log(recorder, step, &err);
        step += !status;
        if (status)
            break;
    }
    assert_int_equal(status, VV_ETIMEDOUT);
    assert_true(now_ms() - before >= 99);
    assert_true(stats_of(recorder).waits >= 1);
    assert_true(stats_of(recorder).wait_ns > 90000000);
    disk.stands = false;
    for (int i = 0; i < 500; i++) /* waits where it must, and goes on */
        assert_vv_ok(contract_log(recorder, step++, &err));
    assert_true(stats_of(recorder).peak_memory_bytes <= 200000);
    end(recorder);
    assert_int_equal(disk.groups[0].committed, step);
    check_rows(&disk, schema);
    memory_clear(&disk);
    vv_schema_free(schema);
}

static void the_oldest_rows_are_dropped_when_asked(void **state)
{
    memory_disk disk = { .stands = true };
    vv_recorder_options options = options_of(VV_FULL_DROP_OLDEST, 200000);
    vv_schema *schema = rows_schema();
    vv_recorder *recorder = begin(&disk, schema, &options);
    vv_error err = VV_ERROR_INIT;
    vv_recorder_stats stats = VV_RECORDER_STATS_INIT;

    (void)state;
    for (int64_t step = 0; step < 1000; step++)
        assert_vv_ok(contract_log(recorder, step, &err));
    stats = stats_of(recorder);
    assert_true(stats.dropped > 900);
    assert_int_equal(stats.logged, 1000);
    assert_int_equal(stats.waits, 0);
    assert_true(stats.queued_bytes <= 200000);
    disk.stands = false;
    assert_vv_ok(vv_recorder_flush(recorder, VV_DURABLE, 0, &err));
    stats = stats_of(recorder);
    assert_int_equal(stats.written + stats.dropped, 1000);
    assert_int_equal(stats.durable, stats.written);
    assert_int_equal(stats.queued_bytes, 0);
    assert_true(stats.peak_memory_bytes <= 200000);
    end(recorder);
    assert_int_equal(disk.groups[0].committed, stats.written);
    check_rows(&disk, schema);
    assert_int_equal(step_at(&disk, stats.written - 1), 999);
    assert_int_equal(step_at(&disk, stats.written - 20), 980);
    memory_clear(&disk);
    vv_schema_free(schema);
}

static void rows_are_thinned_when_asked(void **state)
{
    memory_disk disk = { .stands = true };
    vv_recorder_options options = options_of(VV_FULL_THIN, 400000);
    vv_schema *schema = rows_schema();
    vv_recorder *recorder = begin(&disk, schema, &options);
    vv_error err = VV_ERROR_INIT;
    vv_recorder_stats stats = VV_RECORDER_STATS_INIT;

    (void)state;
    for (int64_t step = 0; step < 2000; step++)
        assert_vv_ok(contract_log(recorder, step, &err));
    stats = stats_of(recorder);
    assert_int_equal(stats.logged + stats.thinned, 2000);
    assert_int_equal(stats.waits + stats.dropped + stats.refused, 0);
    assert_true(stats.logged > 50 && stats.logged < 110);
    disk.stands = false;
    end(recorder);
    assert_int_equal(disk.groups[0].committed, stats.logged);
    check_rows(&disk, schema);
    assert_int_equal(step_at(&disk, 30), 30); /* not from the beginning */
    assert_true(step_at(&disk, stats.logged - 1) > (int64_t)stats.logged + 50);
    memory_clear(&disk);
    vv_schema_free(schema);
}

/* Each policy, with random rows, slow calls and flushes: counters agree with what is there. */
static void counters_agree_with_what_was_recorded(void **state)
{
    uint64_t random = 99;

    (void)state;
    for (int round = 0; round < 24; round++) {
        memory_disk disk = { .delay_us = (unsigned)(next_random(&random) % 400) };
        vv_recorder_options options = options_of((vv_full_policy)(round % 4), 0);
        vv_schema *schema = rows_schema();
        vv_error err = VV_ERROR_INIT;
        uint64_t ok = 0, given = 300;
        vv_recorder *recorder;
        vv_recorder_stats stats = VV_RECORDER_STATS_INIT;

        options.memory_bytes = 100000 + next_random(&random) % 200000;
        options.flush_ms = 1 + (uint32_t)(next_random(&random) % 20);
        recorder = begin(&disk, schema, &options);
        for (uint64_t step = 0; step < given; step++) {
            vv_status status = contract_log(recorder, (int64_t)step, &err);

            assert_true(status == VV_OK || status == VV_ELIMIT);
            ok += status == VV_OK;
            if (next_random(&random) % 50 == 0)
                assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
        }
        assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
        stats = stats_of(recorder);
        assert_int_equal(stats.logged + stats.thinned, ok);
        assert_int_equal(stats.refused, given - ok);
        assert_int_equal(stats.written, stats.logged - stats.dropped);
        assert_int_equal(stats.flushed, stats.written);
        assert_int_equal(stats.raw_bytes, stats.written * (ROW_BYTES + 8));
        assert_true(stats.peak_memory_bytes <= options.memory_bytes);
        for (size_t i = 0; i < 24; i++)
            stats.written -= stats.lateness[i];
        assert_int_equal(stats.written, 0);
        end(recorder);
        assert_int_equal(disk.groups[0].committed, stats.flushed);
        check_rows(&disk, schema);
        memory_clear(&disk);
        vv_schema_free(schema);
    }
}

/* Rows of a group of steps: rising steps, all of which were logged, and their values. */
static void check_group(const memory_disk *disk, const vv_schema *schema, size_t g,
                        const bool *logged)
{
    const memory_group *group = &disk->groups[g];
    const memory_leaf *steps = &group->leaves[group->leaf_count - 1];
    uint8_t wanted[1024];
    int64_t last = -1;

    for (uint64_t row = 0; row < group->committed && group->kind == VVI_GROUP_ROWS;
         row++) {
        int64_t step;

        memcpy(&step, steps->rows + row * sizeof(step), sizeof(step));
        assert_true(step > last && logged[step]);
        last = step;
        for (size_t i = 0; i + 1 < group->leaf_count; i++) {
            const memory_leaf *leaf = &group->leaves[i];

            assert_true(leaf->row_bytes + 8 <= sizeof(wanted));
            contract_value(schema, g, leaf->given, step, wanted);
            assert_memory_equal(leaf->rows + row * leaf->row_bytes, wanted,
                                leaf->row_bytes);
        }
    }
}

/* Random schemas, policies, disks, caps and flushes: what is there was logged, and the counters say how much. */
static void random_recordings_agree_with_a_list_of_steps(void **state)
{
    enum {
        STEPS = 400
    };
    uint64_t random = 4711;

    (void)state;
    for (int round = 0; round < 60; round++) {
        vv_schema *schema = contract_random_schema(&random);
        memory_disk disk = { .delay_us = (unsigned)(next_random(&random) % 100) };
        vv_recorder_options options = options_of((vv_full_policy)(round % 4), 0);
        uint64_t rows = 0, kept = 0;
        vv_error err = VV_ERROR_INIT;
        bool logged[STEPS] = { false };
        vv_recorder *recorder = NULL;
        vv_recorder_stats stats = VV_RECORDER_STATS_INIT;
        vv_status status;

        options.flush_ms = 1 + (uint32_t)(next_random(&random) % 10);
        options.threads = 1 + (uint32_t)(next_random(&random) % 3);
        options.memory_bytes = 20000 + next_random(&random) % 40000;
        do { /* until the cap can hold what is needed */
            status = memory_create(&disk, schema, &options, &recorder, &err);
            options.memory_bytes *= 2;
        } while (status == VV_ELIMIT);
        assert_vv_ok(status);
        options.memory_bytes /= 2;
        for (int64_t step = 0; step < STEPS; step++) {
            status = contract_log(recorder, step, &err);
            assert_true(status == VV_OK || status == VV_ELIMIT);
            logged[step] = status == VV_OK;
            for (size_t g = 0; g < vv_schema_group_count(schema) && !status; g++)
                rows += vv_recorder_due(recorder, g, step);
            if (next_random(&random) % 60 == 0)
                assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
        }
        assert_vv_ok(vv_recorder_flush(recorder, VV_DURABLE, 0, &err));
        stats = stats_of(recorder);
        assert_int_equal(stats.logged + stats.thinned, rows);
        assert_int_equal(stats.durable, stats.logged - stats.dropped);
        assert_true(stats.peak_memory_bytes <= options.memory_bytes);
        end(recorder);
        for (size_t g = 0; g < vv_schema_group_count(schema); g++) {
            check_group(&disk, schema, g, logged);
            kept += disk.groups[g].committed;
        }
        assert_int_equal(kept, stats.durable);
        memory_clear(&disk);
        vv_schema_free(schema);
    }
}

/* Large rows that come too fast wait a little for the disk, and go on to the cap where it stands still. */
static void large_rows_wait_a_little_and_are_taken(void **state)
{
    static float row[1 << 20];
    memory_disk disk = { .stands = true };
    vv_recorder_options options = options_of(VV_FULL_BLOCK, 0);
    vv_error err = VV_ERROR_INIT;
    vv_schema *schema = NULL;
    const void *leaf = row;
    vv_recorder *recorder;
    uint64_t before;

    (void)state;
    assert_vv_ok(
        vv_schema_from_json("{\"groups\": {\"s\": {\"every\": 1, \"compression\": "
                            "\"none\", \"leaves\": \"float32[1048576]\"}}}",
                            &schema, &err));
    recorder = begin(&disk, schema, &options);
    before = now_ms();
    for (int64_t step = 0; step < 12; step++) {
        row[0] = (float)step;
        assert_vv_ok(vv_recorder_log_group(recorder, step, 0, &leaf, 1, &err));
    }
    assert_in_range(stats_of(recorder).waits, 4, 12);
    assert_true(now_ms() - before >= 4 * 16);
    disk.stands = false;
    end(recorder);
    assert_int_equal(disk.groups[0].committed, 12);
    for (size_t i = 0; i < 12; i++) {
        float first;

        memcpy(&first, disk.groups[0].leaves[0].rows + i * sizeof(row), sizeof(first));
        assert_true(first == (float)i);
    }
    memory_clear(&disk);
    vv_schema_free(schema);
}

/* ---- memory ----------------------------------------------------------------------------------- */

static uint64_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* A disk of 10 MB/s, rows as fast as they come: memory stays under the cap, and log does not wait. */
static void a_slow_disk_does_not_take_memory(void **state)
{
    enum {
        CAP = 16 << 20,
        ROWS = 30000
    };
    memory_disk disk = { .bytes_a_second = 10000000, .count_only = true };
    vv_recorder_options options = options_of(VV_FULL_DROP_OLDEST, CAP);
    vv_error err = VV_ERROR_INIT;
    vv_schema *schema = NULL;
    static float row[3000];
    const void *leaf = row;
    vv_recorder_stats stats = VV_RECORDER_STATS_INIT;
    vv_recorder *recorder;
    uint64_t before, after;

    (void)state;
    assert_vv_ok(vv_schema_from_json("{\"groups\": {\"s\": {\"every\": 1, \"leaves\": "
                                     "{\"x\": \"float32[1000,3]\"}}}}",
                                     &schema, &err));
    before = resident_bytes();
    recorder = begin(&disk, schema, &options);
    for (int64_t step = 0; step < ROWS; step++)
        assert_vv_ok(vv_recorder_log_group(recorder, step, 0, &leaf, 1, &err));
    after = resident_bytes();
    stats = stats_of(recorder);
    assert_true(stats.dropped > 0);
    assert_int_equal(stats.waits, 0);
    assert_true(stats.peak_memory_bytes <= CAP + sizeof(row));
#ifndef SANITIZED
    assert_true(after - before <= CAP + CAP / 20 + sizeof(row));
#endif
    (void)before, (void)after;
    vv_recorder_abandon(recorder);
    memory_clear(&disk);
    vv_schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_recorder_fails_at_once_when_asked),
        cmocka_unit_test(a_full_recorder_waits_no_longer_than_its_deadline),
        cmocka_unit_test(the_oldest_rows_are_dropped_when_asked),
        cmocka_unit_test(rows_are_thinned_when_asked),
        cmocka_unit_test(counters_agree_with_what_was_recorded),
        cmocka_unit_test(random_recordings_agree_with_a_list_of_steps),
        cmocka_unit_test(large_rows_wait_a_little_and_are_taken),
        cmocka_unit_test(a_slow_disk_does_not_take_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
