/* Arrays: regions and chunks against a plain block of memory. */
#include "model.h"
#include "support/support.h"

#include "util/buf.h"

#include <math.h>
#include <stdio.h>

typedef struct array_fixture {
    vv_store *store;
    vv_array *array;
} array_fixture;

static int setup(void **state)
{
    array_fixture *self = calloc(1, sizeof(*self));

    *state = self;
    return !self || vv_memory_store_new(&self->store, NULL);
}

static int teardown(void **state)
{
    array_fixture *self = *state;

    vv_array_free(self->array);
    vv_store_free(self->store);
    free(self);
    return 0;
}

static vv_array *make(array_fixture *self, vv_dtype dtype, uint32_t ndim,
                      const uint64_t *shape, const uint64_t *chunk, const void *fill,
                      const char *codecs)
{
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;

    meta.dtype = dtype;
    meta.ndim = ndim;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    meta.fill_value = fill;
    meta.codecs = codecs;
    vv_array_free(self->array);
    self->array = NULL;
    assert_vv_ok(vv_array_create(self->store, "a", &meta, true, &self->array, &err));
    return self->array;
}

static bool has_key(array_fixture *self, const char *key)
{
    vv_error err = VV_ERROR_INIT;
    bool there = false;

    assert_vv_ok(vv_store_exists(self->store, key, &there, &err));
    return there;
}

static void what_was_never_written_reads_as_the_fill_value(void **state)
{
    static const uint64_t shape[] = { 5, 7 }, chunk[] = { 2, 3 }, start[] = { 1, 2 },
                          count[] = { 4, 5 }, index[] = { 2, 2 };
    const float fill = -1.5f;
    vv_array *array = make(*state, VV_FLOAT32, 2, shape, chunk, &fill, NULL);
    vv_error err = VV_ERROR_INIT;
    float out[20];

    assert_vv_ok(vv_array_read(array, start, count, NULL, out, sizeof(out), &err));
    for (int i = 0; i < 20; i++)
        assert_true(out[i] == fill);
    memset(out, 0, sizeof(out));
    assert_vv_ok(vv_array_read_chunk(array, index, out, &err));
    for (int i = 0; i < 6; i++)
        assert_true(out[i] == fill);
}

static void a_scalar_array_has_one_chunk(void **state)
{
    vv_array *array = make(*state, VV_FLOAT64, 0, NULL, NULL, NULL, NULL);
    vv_error err = VV_ERROR_INIT;
    double value = 2.5;
    uint64_t elements = 0;
    vv_buf key = VV_BUF_INIT;

    assert_vv_ok(vv_array_count(array, &elements, &err));
    assert_int_equal(elements, 1);
    assert_vv_ok(vv_array_write(array, NULL, NULL, &value, sizeof(value), &err));
    value = 0;
    assert_vv_ok(vv_array_read(array, NULL, NULL, NULL, &value, sizeof(value), &err));
    assert_true(value == 2.5);
    assert_vv_ok(vv_array_chunk_key(array, NULL, &key, &err));
    assert_string_equal((char *)key.data, "a/c");
    vv_buf_clear(&key);
}

static void an_array_of_no_length_is_read_and_written(void **state)
{
    static const uint64_t shape[] = { 0, 3 }, chunk[] = { 1, 3 }, start[] = { 0, 0 },
                          index[] = { 0, 0 };
    vv_array *array = make(*state, VV_INT32, 2, shape, chunk, NULL, NULL);
    vv_error err = VV_ERROR_INIT;
    int32_t none;

    assert_vv_ok(vv_array_read(array, start, shape, NULL, &none, 0, &err));
    assert_vv_ok(vv_array_write(array, start, shape, &none, 0, &err));
    assert_int_equal(vv_array_read_chunk(array, index, &none, &err), VV_ERANGE);
}

static void chunks_of_fill_values_only_are_not_stored(void **state)
{
    static const uint64_t shape[] = { 4 }, chunk[] = { 2 }, first[] = { 0 },
                          one[] = { 1 }, all[] = { 4 };
    const double fill = 0.0;
    double values[4] = { 0.0, 1.0, 0.0, -0.0 };
    vv_array *array = make(*state, VV_FLOAT64, 1, shape, chunk, &fill, "none");
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_array_write(array, first, all, values, sizeof(values), &err));
    assert_true(has_key(*state, "a/c/0"));
    assert_true(has_key(*state, "a/c/1")); /* −0.0 has other bits */
    values[1] = 0.0;
    assert_vv_ok(vv_array_write(array, first, all, values, sizeof(values), &err));
    assert_false(has_key(*state, "a/c/0"));
    values[3] = 0.0;
    assert_vv_ok(vv_array_write_chunk(array, one, values + 2, &err));
    assert_false(has_key(*state, "a/c/1"));
    /* A part: the other element of the chunk keeps it stored. */
    values[0] = values[1] = 3;
    assert_vv_ok(vv_array_write_chunk(array, first, values, &err));
    values[0] = 0;
    assert_vv_ok(vv_array_write(array, first, one, values, sizeof(double), &err));
    assert_true(has_key(*state, "a/c/0"));
    assert_vv_ok(vv_array_write(array, one, one, values, sizeof(double), &err));
    assert_false(has_key(*state, "a/c/0"));
}

static void bounds_and_sizes_are_checked(void **state)
{
    static const uint64_t shape[] = { 4, 4 }, chunk[] = { 2, 2 }, at[] = { 3, 3 },
                          two[] = { 2, 2 }, one[] = { 1, 1 }, past[] = { 0, 2 },
                          none[] = { 0, 1 };
    vv_array *array = make(*state, VV_INT16, 2, shape, chunk, NULL, NULL);
    vv_error err = VV_ERROR_INIT;
    int16_t out[4];

    assert_int_equal(vv_array_read(array, at, two, NULL, out, 8, &err), VV_ERANGE);
    assert_non_null(strstr(err.message, "array 'a'"));
    assert_int_equal(vv_array_write(array, at, two, out, 8, &err), VV_ERANGE);
    assert_int_equal(vv_array_read(array, at, one, NULL, out, 4, &err), VV_EINVAL);
    assert_int_equal(vv_array_read(array, at, one, none, out, 2, &err), VV_EINVAL);
    assert_int_equal(vv_array_write(array, at, one, out, 1, &err), VV_EINVAL);
    assert_int_equal(vv_array_read_chunk(array, past, out, &err), VV_ERANGE);
    assert_int_equal(vv_array_write_chunk(array, past, out, &err), VV_ERANGE);
    vv_buf key = VV_BUF_INIT;
    assert_int_equal(vv_array_chunk_key(array, past, &key, &err), VV_ERANGE);
    assert_null(key.data);
}

static void a_damaged_chunk_is_named(void **state)
{
    static const uint64_t shape[] = { 4 }, chunk[] = { 2 }, first[] = { 0 },
                          all[] = { 4 };
    static const int32_t values[] = { 1, 2, 3, 4 };
    array_fixture *self = *state;
    vv_array *array = make(self, VV_INT32, 1, shape, chunk, NULL, "zstd:1");
    vv_error err = VV_ERROR_INIT;
    int32_t out[4];

    assert_vv_ok(vv_array_write(array, first, all, values, sizeof(values), &err));
    assert_vv_ok(vv_store_set(self->store, "a/c/1", vv_bytes_of("no zstd"), &err));
    assert_int_equal(vv_array_read(array, first, all, NULL, out, sizeof(out), &err),
                     VV_ECORRUPT);
    assert_non_null(strstr(err.message, "a/c/1"));
    /* What is written whole needs no reading of the damaged chunk. */
    assert_vv_ok(vv_array_write(array, first, all, values, sizeof(values), &err));
    assert_vv_ok(vv_array_read(array, first, all, NULL, out, sizeof(out), &err));
    assert_memory_equal(out, values, sizeof(out));
}

static void far_too_many_bytes_are_not_read(void **state)
{
    static const uint64_t shape[] = { 4 }, chunk[] = { 2 }, first[] = { 0 },
                          all[] = { 4 };
    array_fixture *self = *state;
    vv_array *array = make(self, VV_INT32, 1, shape, chunk, NULL, "zstd:1");
    vv_error err = VV_ERROR_INIT;
    uint8_t *value = calloc(1, 2 << 20);
    int32_t out[4];

    assert_vv_ok(vv_store_set(self->store, "a/c/1", (vv_bytes){ value, 2 << 20 }, &err));
    assert_int_equal(vv_array_read(array, first, all, NULL, out, sizeof(out), &err),
                     VV_ECORRUPT);
    assert_non_null(strstr(err.message, "a/c/1: 2097152 bytes are stored"));
    free(value);
}

/* ---- random regions against memory ------------------------------------------------------------ */

#define SIDE_MAX 9

static void random_regions_equal_an_array_in_memory(void **state)
{
    static const vv_dtype dtypes[] = { VV_INT8, VV_UINT16, VV_FLOAT32, VV_INT64,
                                       VV_COMPLEX128 };
    static const char *const codecs[] = { "none",        "zstd:1",        "bytes:big",
                                          "blosc:lz4:1", "gzip:1+crc32c", "crc32c" };
    uint64_t random = 23;

    for (int i = 0; i < 150; i++) {
        model m = { .ndim = 1 + (uint32_t)(next_random(&random) % 3) };
        vv_dtype dtype = dtypes[next_random(&random) % 5];
        vv_array *array;

        for (uint32_t d = 0; d < m.ndim; d++) {
            m.shape[d] = 1 + next_random(&random) % SIDE_MAX;
            m.chunk[d] = 1 + next_random(&random) % (m.shape[d] + 1);
        }
        m.item = vv_dtype_size(dtype);
        array = make(*state, dtype, m.ndim, m.shape, m.chunk, NULL,
                     codecs[next_random(&random) % 6]);
        for (int k = 0; k < 12; k++) {
            write_region(array, &m, &random);
            compare_region(array, &m, &random);
        }
    }
}

static void a_region_of_many_chunks_is_read_in_batches(void **state)
{
    static const uint64_t shape[] = { 3000 }, chunk[] = { 3 }, first[] = { 0 },
                          step[] = { 7 }, count[] = { 428 };
    vv_array *array = make(*state, VV_UINT32, 1, shape, chunk, NULL, "none");
    vv_error err = VV_ERROR_INIT;
    uint32_t values[3000];
    uint32_t out[428];

    for (uint32_t i = 0; i < 3000; i++)
        values[i] = i;
    assert_vv_ok(vv_array_write(array, first, shape, values, sizeof(values), &err));
    memset(values, 0, sizeof(values));
    assert_vv_ok(vv_array_read(array, first, shape, NULL, values, sizeof(values), &err));
    for (uint32_t i = 0; i < 3000; i++)
        assert_int_equal(values[i], i);
    assert_vv_ok(vv_array_read(array, first, count, step, out, sizeof(out), &err));
    for (uint32_t i = 0; i < 428; i++)
        assert_int_equal(out[i], 7 * i);
}

static void a_large_region_is_decoded_on_several_threads(void **state)
{
    static const uint64_t shape[] = { 200, 300 }, chunk[] = { 32, 40 },
                          first[] = { 0, 0 };
    vv_array *array = make(*state, VV_FLOAT64, 2, shape, chunk, NULL, "zstd:1");
    vv_error err = VV_ERROR_INIT;
    double *values = malloc(200 * 300 * sizeof(*values));
    double *out = malloc(200 * 300 * sizeof(*out));

    for (int i = 0; i < 200 * 300; i++)
        values[i] = i % 1000;
    assert_vv_ok(vv_array_write(array, first, shape, values, 200 * 300 * 8, &err));
    assert_vv_ok(vv_array_read(array, first, shape, NULL, out, 200 * 300 * 8, &err));
    assert_memory_equal(out, values, 200 * 300 * 8);
    free(values);
    free(out);
}

static vv_status create_write_and_read(void *ctx)
{
    static const uint64_t shape[] = { 5, 5 }, chunk[] = { 2, 2 }, start[] = { 1, 1 },
                          count[] = { 4, 3 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_store *store = NULL;
    vv_array *array = NULL;
    float values[12] = { 1, 2, 3 };
    vv_status status;

    meta.dtype = VV_FLOAT32;
    meta.ndim = 2;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    meta.codecs = ctx;
    meta.attributes = "{\"units\": \"K\"}";
    status = vv_memory_store_new(&store, NULL);
    if (!status)
        status = vv_array_create(store, "g/a", &meta, true, &array, NULL);
    if (!status)
        status = vv_array_write(array, start, count, values, sizeof(values), NULL);
    if (!status)
        status = vv_array_read(array, start, count, NULL, values, sizeof(values), NULL);
    vv_array_free(array);
    array = NULL;
    if (!status)
        status = vv_array_open(store, "g/a", &array, NULL);
    vv_array_free(array);
    vv_store_free(store);
    return status;
}

static void arrays_survive_any_failing_allocation(void **state)
{
    char plain[] = "gzip:1+crc32c";
    char turned[] = "bytes:big";

    (void)state;
    survives_failing_allocations(create_write_and_read, plain);
    survives_failing_allocations(create_write_and_read, turned);
}

int main(void)
{
#define PROMISE(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)
    const struct CMUnitTest tests[] = {
        PROMISE(what_was_never_written_reads_as_the_fill_value),
        PROMISE(a_scalar_array_has_one_chunk),
        PROMISE(an_array_of_no_length_is_read_and_written),
        PROMISE(chunks_of_fill_values_only_are_not_stored),
        PROMISE(bounds_and_sizes_are_checked),
        PROMISE(a_damaged_chunk_is_named),
        PROMISE(far_too_many_bytes_are_not_read),
        PROMISE(random_regions_equal_an_array_in_memory),
        PROMISE(a_region_of_many_chunks_is_read_in_batches),
        PROMISE(a_large_region_is_decoded_on_several_threads),
        PROMISE(arrays_survive_any_failing_allocation),
    };
#undef PROMISE

    watch_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
