/* The promises of src/recorder/sink.h, and of recorder.h where they depend on the sink. */
#include "recorder/sink_contract.h"

#include <stdio.h>

static const sink_kind *kind; /* that is under test */

/* ---- values -------------------------------------------------------------------------------- */

static size_t value_bytes(const vv_leaf_type *type)
{
    size_t bytes = type->dtype == VV_RAW ? type->item_size : vv_dtype_size(type->dtype);

    for (uint32_t i = 0; i < type->ndim; i++)
        bytes *= (size_t)type->shape[i];
    return bytes;
}

void contract_value(const vv_schema *schema, size_t group, size_t leaf, int64_t step,
                    uint8_t *out)
{
    uint64_t state = (uint64_t)step * 1000003 + group * 1009 + leaf;
    vv_leaf_type type;
    size_t bytes;

    assert_true(vv_schema_leaf_type(schema, group, leaf, &type));
    bytes = value_bytes(&type);
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word = next_random(&state);

        memcpy(out + i, &word, bytes - i < 8 ? bytes - i : 8);
    }
    for (size_t i = 0; i < bytes && type.dtype == VV_BOOL; i++)
        out[i] &= 1;
}

static uint8_t *make_value(const vv_schema *schema, size_t group, size_t leaf,
                           int64_t step, size_t *bytes)
{
    vv_leaf_type type;
    uint8_t *out;

    assert_true(vv_schema_leaf_type(schema, group, leaf, &type));
    *bytes = value_bytes(&type);
    out = calloc(1, *bytes + 8);
    assert_non_null(out);
    contract_value(schema, group, leaf, step, out);
    return out;
}

vv_status contract_log(vv_recorder *recorder, int64_t step, vv_error *err)
{
    const vv_schema *schema = vv_recorder_schema(recorder);
    size_t groups = vv_schema_group_count(schema);
    vv_frame *frames = calloc(groups, sizeof(*frames));
    size_t count = 0;
    vv_status status;

    for (size_t g = 0; g < groups; g++) {
        size_t leaves = vv_schema_leaf_count(schema, g);
        vv_value *values;

        if (!vv_recorder_due(recorder, g, step))
            continue;
        values = calloc(leaves + 1, sizeof(*values));
        for (size_t i = 0; i < leaves; i++) {
            vv_leaf_type type;
            size_t bytes;

            assert_true(vv_schema_leaf_type(schema, g, i, &type));
            values[i] = (vv_value){ .data = make_value(schema, g, i, step, &bytes),
                                    .dtype = type.dtype,
                                    .ndim = type.ndim,
                                    .shape = type.shape };
        }
        frames[count++] = (vv_frame){ g, values, leaves };
    }
    status = vv_recorder_log(recorder, step, frames, count, err);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < frames[i].leaf_count; k++)
            free((void *)frames[i].leaves[k].data);
        free((void *)frames[i].leaves);
    }
    free(frames);
    return status;
}

/* ---- schemas ------------------------------------------------------------------------------- */

/* A frequency of a caller: steps 0, 5, 10, … up to 195, in an extent of 4 × 10, from its end. */
static bool fifth(void *ctx, int64_t step)
{
    (void)ctx;
    return step % 5 == 0 && step < 200;
}

static vv_status fifth_shape(void *ctx, int64_t total, uint32_t *ndim, uint64_t *shape,
                             vv_error *err)
{
    (void)ctx, (void)total, (void)err;
    *ndim = 2;
    shape[0] = 4;
    shape[1] = 10;
    return VV_OK;
}

static vv_status fifth_index(void *ctx, int64_t step, uint64_t *index, vv_error *err)
{
    uint64_t place = 39 - (uint64_t)step / 5;

    (void)ctx, (void)err;
    index[0] = place / 10;
    index[1] = place % 10;
    return VV_OK;
}

static const vv_frequency fifths = { .due = fifth,
                                     .shape = fifth_shape,
                                     .index = fifth_index };

vv_schema *contract_schema(void)
{
    static const char json[] =
        "{\"groups\": {"
        "\"init\": {\"every\": \"once\", \"leaves\": {\"box\": \"float64[3,3]\","
        "  \"charges\": \"float32[7]\", \"count\": \"int64\", \"periodic\": \"bool[3]\"}},"
        "\"step\": {\"every\": 1, \"compression\": {\"codec\": \"zstd\", \"chunk_bytes\": 4096},"
        "  \"leaves\": {\"positions\": \"float32[20,3]\", \"energy\": \"float64\","
        "  \"cell\": {\"a\": \"complex64\", \"b\": [\"int16[5]\", \"uint8\"]}, \"none\": null}},"
        "\"plain\": {\"every\": 3, \"compression\": \"none\", \"leaves\":"
        "  {\"kind\": \"tuple\", \"children\": [\"int32[2]\", \"bool\", \"bfloat16[3]\","
        "  \"r24\", \"float16\"]}},"
        "\"lone\": {\"every\": 7, \"leaves\": \"complex128[2]\"},"
        "\"grid\": {\"every\": \"custom\", \"leaves\": {\"t\": \"float32[4]\", \"n\": \"int32\"}}}}";
    vv_error err = VV_ERROR_INIT;
    vv_schema *schema = NULL;
    size_t grid;

    assert_vv_ok(vv_schema_from_json(json, &schema, &err));
    assert_true(vv_schema_group_by_name(schema, "grid", &grid));
    assert_vv_ok(vv_schema_set_frequency(schema, grid, fifths, &err));
    return schema;
}

vv_schema *contract_random_schema(uint64_t *random)
{
    static const vv_dtype types[] = { VV_FLOAT32, VV_FLOAT64, VV_INT8,     VV_BOOL,
                                      VV_UINT16,  VV_INT64,   VV_COMPLEX64 };
    static const vv_compression_codec codecs[] = { VV_COMPRESS_DEFAULT, VV_COMPRESS_NONE,
                                                   VV_COMPRESS_GZIP, VV_COMPRESS_ZSTD };
    size_t groups = 1 + next_random(random) % 3;
    vv_error err = VV_ERROR_INIT;
    vv_schema *schema = NULL;

    assert_vv_ok(vv_schema_new(&schema, &err));
    for (size_t g = 0; g < groups; g++) {
        vv_compression compression = { .codec = codecs[next_random(random) % 4],
                                       .chunk_bytes = 64u << next_random(random) % 8 };
        size_t leaves = 1 + next_random(random) % 6;
        char name[16];
        vv_frequency frequency = next_random(random) % 5 == 0 ? VV_ONCE
                                 : next_random(random) % 5 == 0
                                     ? fifths
                                     : VV_EVERY(1 + next_random(random) % 4);

        snprintf(name, sizeof(name), "g%zu", 9 - g);
        assert_vv_ok(
            vv_schema_add_group(schema, name, frequency, &compression, NULL, &err));
        for (size_t i = 0; i < leaves; i++) {
            uint32_t ndim = (uint32_t)(next_random(random) % 3);
            uint64_t shape[2] = { 1 + next_random(random) % 12,
                                  1 + next_random(random) % 5 };

            snprintf(name, sizeof(name), "l%zu", (i * 7) % 10);
            assert_vv_ok(vv_schema_add_leaf(schema, g, name,
                                            types[next_random(random) % 7], ndim, shape,
                                            NULL, &err));
        }
    }
    return schema;
}

/* ---- checks -------------------------------------------------------------------------------- */

/* Is a group logged at a step? A schema does not say; its recorder would. */
typedef struct due_steps {
    uint64_t every; /* 0: once */
    bool custom;
} due_steps;

static due_steps due_of(const vv_schema *schema, size_t group)
{
    due_steps out = { 0 };
    vv_buf json = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;
    const char *at;

    assert_vv_ok(vv_schema_to_json(schema, &json, &err));
    at = (const char *)json.data;
    for (size_t g = 0; g <= group; g++) {
        at = strstr(at, "\"every\": ");
        assert_non_null(at);
        at += strlen("\"every\": ");
    }
    out.custom = strncmp(at, "\"custom\"", 8) == 0;
    if (*at != '"')
        out.every = strtoull(at, NULL, 10);
    vv_buf_clear(&json);
    return out;
}

static bool is_due(const due_steps *due, int64_t step)
{
    if (due->custom)
        return fifth(NULL, step);
    return due->every ? (uint64_t)step % due->every == 0 : step == 0;
}

static void check_leaf(const sink_kind *sink, void *place, const vv_schema *schema,
                       size_t group, size_t leaf, int64_t next_step)
{
    due_steps due = due_of(schema, group);
    vv_error err = VV_ERROR_INIT;
    vv_buf values = VV_BUF_INIT;
    uint64_t rows = 0;
    uint64_t row = 0;

    assert_vv_ok(sink->read(place, schema, group, leaf, &rows, &values, &err));
    for (int64_t step = 0; step < next_step; step++) {
        size_t bytes = sizeof(step);
        uint8_t *wanted;

        if (!is_due(&due, step))
            continue;
        if (leaf == CONTRACT_STEPS) {
            wanted = malloc(sizeof(step));
            memcpy(wanted, &step, sizeof(step));
        } else {
            wanted = make_value(schema, group, leaf, step, &bytes);
        }
        if (due.custom)
            row = 39 - (uint64_t)step / 5;
        if (row >= rows)
            fail_msg("group %zu leaf %zu: %llu rows, and step %lld is not among them",
                     group, leaf, (unsigned long long)rows, (long long)step);
        assert_true(values.len >= (row + 1) * bytes);
        if (memcmp(values.data + row * bytes, wanted, bytes) != 0)
            fail_msg("group %zu leaf %zu: row %llu is not that of step %lld", group, leaf,
                     (unsigned long long)row, (long long)step);
        free(wanted);
        row++;
    }
    assert_int_equal(due.custom ? 40 : row, rows);
    vv_buf_clear(&values);
}

void contract_check(const sink_kind *sink, void *place, const vv_schema *schema,
                    int64_t next_step)
{
    for (size_t g = 0; g < vv_schema_group_count(schema); g++) {
        due_steps due = due_of(schema, g);

        for (size_t i = 0; i < vv_schema_leaf_count(schema, g); i++)
            check_leaf(sink, place, schema, g, i, next_step);
        if (due.every)
            check_leaf(sink, place, schema, g, CONTRACT_STEPS, next_step);
    }
}

/* ---- the suite ------------------------------------------------------------------------------- */

/* Options of the suite: nothing is flushed unasked. */
static vv_recorder_options calm(void)
{
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;

    options.flush_ms = 3600000;
    options.durability = VV_PROCESS;
    return options;
}

static vv_recorder *begin(void *place, const vv_schema *schema)
{
    vv_recorder_options options = calm();
    vv_error err = VV_ERROR_INIT;
    vv_recorder *recorder = NULL;

    assert_vv_ok(kind->create(place, schema, &options, &recorder, &err));
    return recorder;
}

static vv_recorder *go_on(void *place, const vv_schema *schema, int64_t next_step)
{
    vv_recorder_options options = calm();
    vv_error err = VV_ERROR_INIT;
    vv_recorder *recorder = NULL;

    assert_vv_ok(kind->append(place, schema, next_step, &options, &recorder, &err));
    return recorder;
}

static void log_steps(vv_recorder *recorder, int64_t from, int64_t to)
{
    vv_error err = VV_ERROR_INIT;

    for (int64_t step = from; step < to; step++)
        assert_vv_ok(contract_log(recorder, step, &err));
}

static void end(vv_recorder *recorder)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_recorder_close(recorder, &err));
}

static void what_was_logged_is_read_after_closing(void **state)
{
    static const int64_t counts[] = { 0, 1, 2, 64, 200, 1000 };
    vv_schema *schema = contract_schema();

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        void *place = kind->make();
        vv_recorder *recorder = begin(place, schema);

        log_steps(recorder, 0, counts[i]);
        end(recorder);
        contract_check(kind, place, schema, counts[i]);
        kind->unmake(place);
    }
    vv_schema_free(schema);
}

static void what_a_flush_covered_is_there_when_the_rest_is_given_up(void **state)
{
    static const int64_t flushed[] = { 1, 9, 63, 64, 65, 200, 337 };
    vv_schema *schema = contract_schema();
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(flushed) / sizeof(flushed[0]); i++) {
        void *place = kind->make();
        vv_recorder *recorder = begin(place, schema);

        log_steps(recorder, 0, flushed[i]);
        assert_vv_ok(
            vv_recorder_flush(recorder, i % 2 ? VV_PROCESS : VV_DURABLE, 0, &err));
        log_steps(recorder, flushed[i], flushed[i] + 30);
        vv_recorder_abandon(recorder);
        contract_check(kind, place, schema, flushed[i]);
        kind->unmake(place);
    }
    vv_schema_free(schema);
}

static void each_flush_shows_the_rows_up_to_it(void **state)
{
    vv_schema *schema = contract_schema();
    vv_error err = VV_ERROR_INIT;
    void *place = kind->make();
    vv_recorder *recorder = begin(place, schema);
    uint64_t random = 5;
    int64_t step = 0;

    (void)state;
    while (step < 400) {
        int64_t next = step + 1 + (int64_t)(next_random(&random) % 40);

        log_steps(recorder, step, next);
        step = next;
        assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
        if (!kind->not_while_open)
            contract_check(kind, place, schema, step);
    }
    end(recorder);
    contract_check(kind, place, schema, step);
    kind->unmake(place);
    vv_schema_free(schema);
}

static void a_recording_goes_on_where_it_was_closed_or_given_up(void **state)
{
    static const int64_t first[] = { 0, 1, 50, 64, 150, 341 };
    vv_schema *schema = contract_schema();
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(first) / sizeof(first[0]); i++) {
        int64_t count = first[i / 2];
        void *place = kind->make();
        vv_recorder *recorder = begin(place, schema);

        log_steps(recorder, 0, count);
        if (i % 2) {
            assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
            vv_recorder_abandon(recorder);
        } else {
            end(recorder);
        }
        recorder = go_on(place, schema, -1);
        log_steps(recorder, count, count + 33);
        assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
        log_steps(recorder, count + 33, count + 70);
        end(recorder);
        contract_check(kind, place, schema, count + 70);
        kind->unmake(place);
    }
    vv_schema_free(schema);
}

static void rows_behind_the_step_that_is_gone_on_from_are_cut(void **state)
{
    static const int64_t cuts[] = { 299, 256, 255, 129, 64, 20, 1, 0 };
    vv_schema *schema = contract_schema();
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        void *place = kind->make();
        vv_recorder *recorder = begin(place, schema);
        int64_t step = cuts[i];

        log_steps(recorder, 0, 300);
        if (i % 2) {
            end(recorder);
        } else {
            assert_vv_ok(vv_recorder_flush(recorder, VV_DURABLE, 0, &err));
            vv_recorder_abandon(recorder);
        }
        recorder = go_on(place, schema, step);
        if (step)
            assert_int_equal(contract_log(recorder, step - 1, &err), VV_EINVAL);
        log_steps(recorder, step, step + 20);
        end(recorder);
        contract_check(kind, place, schema, step + 20);
        kind->unmake(place);
    }
    vv_schema_free(schema);
}

static void random_recordings_hold_what_was_logged(void **state)
{
    uint64_t random = 20260101;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (int round = 0; round < 30; round++) {
        vv_schema *schema = contract_random_schema(&random);
        void *place = kind->make();
        vv_recorder *recorder = begin(place, schema);
        int64_t step = 0;

        for (int i = 0; i < 12; i++) {
            int64_t next = step + (int64_t)(next_random(&random) % 90);

            log_steps(recorder, step, next);
            step = next;
            switch (next_random(&random) % 4) {
            case 0:
                end(recorder);
                contract_check(kind, place, schema, step);
                recorder = go_on(place, schema, step);
                break;
            case 1:
                assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
                vv_recorder_abandon(recorder);
                contract_check(kind, place, schema, step);
                step -= step ? (int64_t)(next_random(&random) % (uint64_t)step) : 0;
                recorder = go_on(place, schema, step);
                break;
            default:
                assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
            }
        }
        end(recorder);
        contract_check(kind, place, schema, step);
        kind->unmake(place);
        vv_schema_free(schema);
    }
}

int run_sink_contract(const sink_kind *under_test)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_logged_is_read_after_closing),
        cmocka_unit_test(what_a_flush_covered_is_there_when_the_rest_is_given_up),
        cmocka_unit_test(each_flush_shows_the_rows_up_to_it),
        cmocka_unit_test(a_recording_goes_on_where_it_was_closed_or_given_up),
        cmocka_unit_test(rows_behind_the_step_that_is_gone_on_from_are_cut),
        cmocka_unit_test(random_recordings_hold_what_was_logged),
    };

    kind = under_test;
    return cmocka_run_group_tests_name(under_test->name, tests, NULL, NULL);
}
