/* Recorders of 4 kB rows over the sink in memory, for the tests of this directory. */
#ifndef VV_TESTS_RECORDER_ROWS_H
#define VV_TESTS_RECORDER_ROWS_H

#include "recorder/memory_sink.h"

#include "util/thread.h"

#include <unistd.h>

#define ROW_BYTES 4000u

/* One group of 4 kB rows, not encoded. */
static inline vv_schema *rows_schema(void)
{
    vv_error err = VV_ERROR_INIT;
    vv_schema *schema = NULL;

    assert_vv_ok(
        vv_schema_from_json("{\"groups\": {\"s\": {\"every\": 1, \"compression\": "
                            "{\"codec\": \"none\", \"chunk_bytes\": 20000}, "
                            "\"leaves\": {\"x\": \"float32[1000]\"}}}}",
                            &schema, &err));
    return schema;
}

static inline vv_recorder_options options_of(vv_full_policy policy, uint64_t memory)
{
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;

    options.when_full = policy;
    options.memory_bytes = memory;
    options.flush_ms = 3600000;
    options.durability = VV_PROCESS;
    return options;
}

static inline vv_recorder *begin(memory_disk *disk, const vv_schema *schema,
                                 const vv_recorder_options *options)
{
    vv_error err = VV_ERROR_INIT;
    vv_recorder *recorder = NULL;

    assert_vv_ok(memory_create(disk, schema, options, &recorder, &err));
    return recorder;
}

static inline vv_recorder_stats stats_of(vv_recorder *recorder)
{
    vv_recorder_stats stats = VV_RECORDER_STATS_INIT;

    assert_int_equal(vv_recorder_get_stats(recorder, &stats), VV_OK);
    return stats;
}

static inline void end(vv_recorder *recorder)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_recorder_close(recorder, &err));
}

static inline void nap_ms(unsigned ms)
{
    usleep(ms * 1000);
}

static inline uint64_t now_ms(void)
{
    return vvi_now_ns() / 1000000;
}

/* The steps of group 0's rows. */
static inline int64_t step_at(const memory_disk *disk, uint64_t row)
{
    const memory_group *group = &disk->groups[0];
    int64_t step;

    memcpy(&step, group->leaves[group->leaf_count - 1].rows + row * sizeof(step),
           sizeof(step));
    return step;
}

/* Rows of group 0 are of rising steps, and what was logged at them. */
static inline void check_rows(const memory_disk *disk, const vv_schema *schema)
{
    uint8_t *wanted = malloc(ROW_BYTES + 8);
    int64_t last = -1;

    for (uint64_t row = 0; row < disk->groups[0].committed; row++) {
        int64_t step = step_at(disk, row);

        assert_true(step > last);
        last = step;
        contract_value(schema, 0, 0, step, wanted);
        assert_memory_equal(disk->groups[0].leaves[0].rows + row * ROW_BYTES, wanted,
                            ROW_BYTES);
    }
    free(wanted);
}

#endif
