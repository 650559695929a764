/* What the recorder promises where it is tight: the cap, several groups, values without elements. */
#include "recorder/memory_sink.h"

#include "util/thread.h"

#include <inttypes.h>

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
    vv_recorder_estimate estimate;
    vv_recorder_stats stats;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_stays_under_the_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
