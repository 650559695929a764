/* Statistics against a plain count in this file. */
#include "support/support.h"

#include <varvite/stats.h>

#include <math.h>
#include <stdio.h>

#include "stats/moments.h"

typedef struct world {
    vv_store *store;
    uint64_t seed;
} world;

static int setup(void **state)
{
    world *w = calloc(1, sizeof(*w));

    assert_int_equal(vv_memory_store_new(&w->store, NULL), VV_OK);
    w->seed = 20260101;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;

    vv_store_free(w->store);
    free(w);
    return 0;
}

/* Make an array of one dimension or more and write data, all of it. */
static vv_array *make(world *w, vv_dtype dtype, uint32_t ndim, const uint64_t *shape,
                      const uint64_t *chunk, const char *attributes, const void *fill,
                      const void *data)
{
    static const uint64_t start[VV_NDIM_MAX];
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    uint64_t n = 1;

    meta.dtype = dtype;
    meta.ndim = ndim;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    meta.attributes = attributes;
    meta.fill_value = fill;
    assert_vv_ok(vv_array_create(w->store, "x", &meta, true, &array, &err));
    for (uint32_t i = 0; i < ndim; i++)
        n *= shape[i];
    if (data)
        assert_vv_ok(vv_array_write(array, start, shape, data,
                                    (size_t)n * vv_dtype_size(dtype), &err));
    return array;
}

static vv_stats stats_of(vv_array *array, uint32_t threads)
{
    vv_stats_options options = VV_STATS_OPTIONS_INIT;
    vv_stats stats = VV_STATS_INIT;
    vv_error err = VV_ERROR_INIT;

    options.threads = threads;
    options.bins = 20;
    assert_vv_ok(vv_array_stats(array, &options, &stats, &err));
    return stats;
}

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance * (fabs(want) + 1e-300)) && got != want)
        fail_msg("%.17g where %.17g was to come", got, want);
}

/* ---- every type, with random values ----------------------------------------------------------- */

#define N 1000
static const uint64_t shape_3d[3] = { 10, 4, 25 }, chunk_3d[3] = { 3, 4, 7 };

/* What the library was given, as long doubles, and what of it is missing. */
typedef struct reference {
    long double values[N];
    bool missing[N];
} reference;

static void assert_stats(const vv_stats *stats, const reference *ref, double tolerance)
{
    long double sum = 0, squares = 0, min = INFINITY, max = -INFINITY;
    uint64_t count = 0, binned = 0;

    for (size_t i = 0; i < N; i++) {
        if (ref->missing[i])
            continue;
        count++;
        sum += ref->values[i];
        min = fminl(min, ref->values[i]);
        max = fmaxl(max, ref->values[i]);
    }
    for (size_t i = 0; i < N; i++) {
        long double d = ref->values[i] - sum / (long double)count;
        if (!ref->missing[i])
            squares += d * d;
    }
    assert_int_equal(stats->elements, N);
    assert_int_equal(stats->count, count);
    assert_int_equal(stats->missing, N - count);
    assert_near(stats->min, (double)min, 0);
    assert_near(stats->max, (double)max, 0);
    assert_near(stats->mean, (double)(sum / (long double)count), tolerance);
    assert_near(stats->stddev, (double)sqrtl(squares / (long double)count), tolerance);
    assert_true(stats->bins > 1 && stats->bins <= 20);
    for (uint32_t b = 0; b < stats->bins; b++) {
        uint64_t want = 0;
        double low = stats->bin_low + b * stats->bin_width;
        for (size_t i = 0; i < N; i++)
            want += !ref->missing[i] && (double)ref->values[i] >= low &&
                    (double)ref->values[i] < low + stats->bin_width;
        assert_int_equal(stats->bin_counts[b], want);
        binned += want;
    }
    assert_int_equal(binned, count);
}

#define CHECK_TYPE(w_, code_, type_, random_, fill_text_, fill_)                \
    do {                                                                        \
        static reference ref;                                                   \
        type_ data[N];                                                          \
        for (size_t i = 0; i < N; i++) {                                        \
            data[i] = (type_)(random_);                                         \
            if (i % 13 == 5)                                                    \
                data[i] = (type_)(fill_);                                       \
            ref.values[i] = (long double)data[i];                               \
            ref.missing[i] = data[i] == (type_)(fill_);                         \
        }                                                                       \
        vv_array *array = make(w_, code_, 3, shape_3d, chunk_3d,                \
                               "{\"_FillValue\": " fill_text_ "}", NULL, data); \
        vv_stats stats = stats_of(array, 1), again = stats_of(array, 5);        \
        assert_stats(&stats, &ref, 4e-16);                                      \
        assert_memory_equal(&stats, &again, sizeof(stats));                     \
        vv_array_free(array);                                                   \
    } while (0)

static uint64_t bits(world *w)
{
    return next_random(&w->seed);
}

static void integers_of_every_size_are_exact(void **state)
{
    world *w = *state;

    CHECK_TYPE(w, VV_INT8, int8_t, bits(w), "-128", -128);
    CHECK_TYPE(w, VV_INT16, int16_t, bits(w), "-32768", -32768);
    CHECK_TYPE(w, VV_INT32, int32_t, bits(w), "2147483647", 2147483647);
    CHECK_TYPE(w, VV_INT64, int64_t, bits(w), "-9223372036854775808", INT64_MIN);
    CHECK_TYPE(w, VV_UINT8, uint8_t, bits(w), "255", 255);
    CHECK_TYPE(w, VV_UINT16, uint16_t, bits(w), "0", 0);
    CHECK_TYPE(w, VV_UINT32, uint32_t, bits(w), "4294967295", 4294967295u);
    CHECK_TYPE(w, VV_UINT64, uint64_t, bits(w), "18446744073709551615", UINT64_MAX);
}

static void floats_are_summed_with_care(void **state)
{
    world *w = *state;

    CHECK_TYPE(w, VV_FLOAT32, float, (double)(int32_t)bits(w) / 3e5, "1e20", 1e20f);
    CHECK_TYPE(w, VV_FLOAT64, double, ldexp((double)bits(w), -70), "-1e+34", -1e34);
    /* A small spread far from zero. */
    CHECK_TYPE(w, VV_FLOAT64, double, 1e9 + ldexp((double)bits(w), -64), "[9.5]", 9.5);
    /* xarray's base64 of a little-endian double, 1e36. */
    CHECK_TYPE(w, VV_FLOAT64, double, ldexp((double)bits(w), -60), "\"4yB5z/kSaEc=\"",
               1e36);
}

static void a_huge_spread_of_int64_does_not_wrap(void **state)
{
    world *w = *state;
    static const uint64_t shape[1] = { 5000 }, chunk[1] = { 700 };
    static int64_t data[5000];

    for (size_t i = 0; i < 5000; i++)
        data[i] = INT64_MAX - (int64_t)(i % 3);
    vv_array *array = make(w, VV_INT64, 1, shape, chunk, NULL, NULL, data);
    vv_stats stats = stats_of(array, 3);
    int64_t min, max;
    memcpy(&min, stats.min_element, 8);
    memcpy(&max, stats.max_element, 8);
    assert_true(min == INT64_MAX - 2 && max == INT64_MAX);
    assert_near(stats.mean, 9223372036854775806.0, 1e-16);
    assert_near(
        stats.stddev,
        sqrt((1667 * 0.9994 * 0.9994 + 1667 * 0.0006 * 0.0006 + 1666 * 1.0006 * 1.0006) /
             5000),
        2e-7);
    vv_array_free(array);

    for (size_t i = 0; i < 5000; i++)
        data[i] = i % 2 ? INT64_MAX : INT64_MIN;
    array = make(w, VV_INT64, 1, shape, chunk, NULL, NULL, data);
    stats = stats_of(array, 3);
    assert_near(stats.mean, -0.5, 0);
    assert_near(stats.stddev, 9223372036854775807.5, 1e-15);
    vv_array_free(array);
}

static void half_floats_bools_and_complex_numbers_count(void **state)
{
    world *w = *state;
    static const uint64_t four[1] = { 4 }, three[1] = { 3 };
    const uint16_t halves[4] = { 0x3c00, 0xc000, 0x7e00,
                                 0x7c00 }; /* 1, -2, NaN, infinity */
    const uint8_t flags[4] = { 1, 0, 1, 1 };
    const uint16_t brains[4] = { 0x3f80, 0xc000, 0x7fc0, 0x4040 }; /* 1, -2, NaN, 3 */
    const float z[8] = { 1, 1, 3, -1, NAN, 0, 2, 0 };

    vv_array *array = make(w, VV_FLOAT16, 1, four, three, NULL, NULL, halves);
    vv_stats stats = stats_of(array, 1);
    assert_int_equal(stats.count, 3);
    assert_int_equal(stats.nan, 1);
    assert_int_equal(stats.infinite, 1);
    assert_true(stats.min == -2 && stats.max == 1 && stats.mean == -0.5 &&
                stats.stddev == 1.5);
    vv_array_free(array);
    array = make(w, VV_BFLOAT16, 1, four, three, NULL, NULL, brains);
    stats = stats_of(array, 1);
    assert_true(stats.min == -2 && stats.max == 3 && stats.nan == 1);
    assert_memory_equal(stats.max_element, &brains[3], 2);
    vv_array_free(array);
    array = make(w, VV_BOOL, 1, four, three, NULL, NULL, flags);
    stats = stats_of(array, 1);
    assert_true(stats.min == 0 && stats.max == 1 && stats.mean == 0.75);
    vv_array_free(array);
    array = make(w, VV_COMPLEX64, 1, four, three, NULL, NULL, z);
    stats = stats_of(array, 1);
    assert_int_equal(stats.count, 3);
    assert_int_equal(stats.bins, 0);
    assert_true(stats.mean == 2 && stats.mean_imaginary == 0 && isnan(stats.min));
    assert_near(stats.stddev, sqrt(4.0 / 3), 1e-15);
    vv_array_free(array);
}

static void packed_numbers_are_decoded(void **state)
{
    world *w = *state;
    static const uint64_t four[1] = { 4 }, three[1] = { 3 };
    const int16_t data[4] = { 10, -999, 30, 20 };
    int16_t element;
    double numbers[4];
    vv_error err = VV_ERROR_INIT;

    vv_array *array = make(w, VV_INT16, 1, four, three,
                           "{\"scale_factor\": -0.5, \"add_offset\": [100],"
                           " \"missing_value\": -999.0}",
                           NULL, data);
    vv_stats stats = stats_of(array, 1);
    assert_true(stats.packed && stats.scale == -0.5 && stats.offset == 100);
    assert_true(stats.min == 85 && stats.max == 95 && stats.mean == 90);
    assert_near(stats.stddev, 0.5 * sqrt(200.0 / 3), 1e-15);
    memcpy(&element, stats.min_element, 2);
    assert_int_equal(element, 10);
    assert_int_equal(stats.missing, 1);
    assert_vv_ok(
        vv_array_read_numbers(array, (uint64_t[]){ 0 }, four, NULL, numbers, 4, &err));
    assert_true(numbers[0] == 95 && isnan(numbers[1]) && numbers[2] == 85);
    vv_array_free(array);
}

/* ---- chunks ------------------------------------------------------------------------------------ */

static void chunks_that_are_not_stored_are_counted_not_read(void **state)
{
    world *w = *state;
    static const uint64_t shape[2] = { 7, 1000000 }, chunk[2] = { 2, 300 };
    const int32_t fill = 6, one = 1;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = make(w, VV_INT32, 2, shape, chunk, NULL, &fill, NULL);
    vv_stats stats = stats_of(array, 2);

    assert_int_equal(stats.chunks, 4 * 3334);
    assert_int_equal(stats.chunks_stored, 0);
    assert_int_equal(stats.stored_bytes, 0);
    assert_int_equal(stats.decoded_bytes, 28000000);
    assert_true(stats.min == 6 && stats.max == 6 && stats.mean == 6 && stats.stddev == 0);
    assert_int_equal(stats.bins, 1);
    assert_int_equal(stats.bin_counts[0], 7000000);
    assert_vv_ok(vv_array_write(array, (uint64_t[]){ 6, 999999 }, (uint64_t[]){ 1, 1 },
                                &one, 4, &err));
    stats = stats_of(array, 2);
    assert_int_equal(stats.chunks_stored, 1);
    assert_true(stats.smallest_chunk == stats.largest_chunk &&
                stats.stored_bytes == stats.largest_chunk);
    assert_true(stats.min == 1 && stats.max == 6);
    assert_near(stats.mean, 6 - 5 / 7e6, 1e-16);
    vv_array_free(array);

    const float nan = NAN;
    array = make(w, VV_FLOAT32, 2, shape, chunk, NULL, &nan, NULL);
    stats = stats_of(array, 2);
    assert_int_equal(stats.missing, 7000000);
    assert_int_equal(stats.count, 0);
    assert_true(isnan(stats.min) && isnan(stats.mean) && stats.bins == 0);
    vv_array_free(array);
}

static void sizes_of_chunks_are_those_in_the_store(void **state)
{
    world *w = *state;
    uint64_t bytes = 0, sizes[64] = { 0 };
    int16_t data[N];
    vv_error err = VV_ERROR_INIT;

    for (size_t i = 0; i < N; i++)
        data[i] = (int16_t)bits(w);
    vv_array *array = make(w, VV_INT16, 3, shape_3d, chunk_3d, NULL, NULL, data);
    vv_stats stats = stats_of(array, 2);
    for (uint64_t i = 0; i < 4; i++) {
        for (uint64_t k = 0; k < 4; k++) {
            vv_buf key = VV_BUF_INIT;
            uint64_t size;
            assert_vv_ok(vv_array_chunk_key(array, (uint64_t[]){ i, 0, k }, &key, &err));
            assert_vv_ok(vv_store_size(w->store, (const char *)key.data, &size, &err));
            bytes += size;
            sizes[63 - __builtin_clzll(size)]++;
            vv_buf_clear(&key);
        }
    }
    assert_memory_equal(stats.chunk_sizes, sizes, sizeof(sizes));
    assert_int_equal(stats.chunks, 16);
    assert_int_equal(stats.chunks_stored, 16);
    assert_int_equal(stats.stored_bytes, bytes);
    assert_true(stats.smallest_chunk < stats.largest_chunk);
    vv_array_free(array);
}

static void put_text(world *w, const char *key, const char *text)
{
    assert_int_equal(vv_store_set(w->store, key, vv_bytes_of(text), NULL), VV_OK);
}

static void chunks_of_different_lengths_are_all_read(void **state)
{
    world *w = *state;
    vv_array *array = NULL;
    vv_error err = VV_ERROR_INIT;

    put_text(w, "r/zarr.json",
             "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": [2, 6],"
             " \"data_type\": \"uint8\", \"fill_value\": 9, \"codecs\": [\"bytes\"],"
             " \"chunk_key_encoding\": {\"name\": \"default\"},"
             " \"chunk_grid\": {\"name\": \"rectilinear\", \"configuration\":"
             " {\"kind\": \"inline\", \"chunk_shapes\": [2, [1, 3, 2]]}}}");
    put_text(w, "r/c/0/0", "\x01\x02");
    put_text(w, "r/c/0/1", "\x03\x04\x05\x06\x07\x08");
    assert_vv_ok(vv_array_open(w->store, "r", &array, &err));
    vv_stats stats = stats_of(array, 1);
    assert_int_equal(stats.elements, 12);
    assert_int_equal(stats.chunks, 3);
    assert_int_equal(stats.chunks_stored, 2);
    assert_int_equal(stats.stored_bytes, 8);
    assert_near(stats.mean, (36 + 4 * 9) / 12.0, 1e-15);
    vv_array_free(array);
}

static void a_large_shard_is_read_in_parts(void **state)
{
    world *w = *state;
    static const uint64_t shape[2] = { 3000, 2000 }, shard[2] = { 3000, 2000 },
                          inner[2] = { 100, 500 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_stats_options options = VV_STATS_OPTIONS_INIT;
    vv_stats stats = VV_STATS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    float *data = malloc(6000000 * sizeof(float));
    double sum = 0;

    for (size_t i = 0; i < 6000000; i++)
        sum += (double)(data[i] = (float)(bits(w) % 1000));
    meta.dtype = VV_FLOAT32;
    meta.ndim = 2;
    meta.shape = shape;
    meta.chunk_shape = shard;
    meta.inner_chunk_shape = inner;
    meta.codecs = "zstd:1";
    vv_status status = vv_array_create(w->store, "s", &meta, true, &array, &err);
    if (status == VV_EUNSUPPORTED) /* shards cannot be written yet */
        skip();
    assert_vv_ok(status);
    assert_vv_ok(vv_array_write(array, (uint64_t[]){ 0, 0 }, shape, data,
                                6000000 * sizeof(float), &err));
    options.memory_bytes = 1 << 20;
    assert_vv_ok(vv_array_stats(array, &options, &stats, &err));
    assert_int_equal(stats.count, 6000000);
    assert_int_equal(stats.chunks_stored, 1);
    assert_true(stats.min == 0 && stats.max == 999);
    assert_near(stats.mean, sum / 6e6, 1e-14);
    vv_array_free(array);
    free(data);
}

static void arrays_of_nothing_and_of_no_dimension_are_fine(void **state)
{
    world *w = *state;
    static const uint64_t empty[2] = { 0, 5 }, chunk[2] = { 2, 2 };
    const double number = 2.5;

    vv_array *array = make(w, VV_FLOAT64, 2, empty, chunk, NULL, NULL, NULL);
    vv_stats stats = stats_of(array, 4);
    assert_true(stats.elements == 0 && stats.chunks == 0 && isnan(stats.mean));
    vv_array_free(array);
    array = make(w, VV_FLOAT64, 0, empty, chunk, NULL, NULL, &number);
    stats = stats_of(array, 4);
    assert_true(stats.elements == 1 && stats.chunks == 1 && stats.mean == 2.5 &&
                stats.stddev == 0 && stats.bin_counts[0] == 1);
    vv_array_free(array);
}

static void a_result_of_an_older_program_is_not_written_past_its_end(void **state)
{
    world *w = *state;
    const double number = 2.5;
    vv_array *array = make(w, VV_FLOAT64, 0, NULL, NULL, NULL, NULL, &number);
    vv_stats stats = VV_STATS_INIT;
    vv_error err = VV_ERROR_INIT;

    stats.struct_size = offsetof(vv_stats, chunks);
    stats.chunks = 77;
    assert_vv_ok(vv_array_stats(array, NULL, &stats, &err));
    assert_true(stats.chunks == 77 && stats.mean == 2.5 &&
                stats.struct_size == offsetof(vv_stats, chunks));
    vv_array_free(array);
}

/* ---- failures ---------------------------------------------------------------------------------- */

static vv_status stop_at_once(void *ctx, const vv_progress *at)
{
    assert_true(at->items_done > 0 && at->bytes_done <= at->bytes_total);
    ++*(int *)ctx;
    return VV_ECANCELED;
}

static void progress_is_told_and_may_stop_it(void **state)
{
    world *w = *state;
    static const uint64_t shape[2] = { 200, 10 }, chunk[2] = { 1, 10 };
    vv_stats_options options = VV_STATS_OPTIONS_INIT;
    vv_stats stats = VV_STATS_INIT;
    vv_error err = VV_ERROR_INIT;
    int calls = 0;
    vv_array *array = make(w, VV_INT32, 2, shape, chunk, NULL, NULL, NULL);

    options.progress = stop_at_once;
    options.ctx = &calls;
    assert_int_equal(vv_array_stats(array, &options, &stats, &err), VV_ECANCELED);
    assert_int_equal(calls, 1);
    assert_non_null(strstr(err.message, "64 of 200 chunks"));
    vv_array_free(array);
}

static void a_damaged_chunk_is_named(void **state)
{
    world *w = *state;
    int16_t data[N];
    vv_stats stats = VV_STATS_INIT;
    vv_error err = VV_ERROR_INIT;

    memset(data, 1, sizeof(data));
    vv_array *array = make(w, VV_INT16, 3, shape_3d, chunk_3d, NULL, NULL, data);
    assert_vv_ok(vv_store_set(w->store, "x/c/2/0/1", vv_bytes_of("no"), &err));
    assert_int_equal(vv_array_stats(array, NULL, &stats, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "x/c/2/0/1"));
    vv_array_free(array);
}

/* Text number i % kinds, "" where i is a multiple of 10; the last chunk is not stored. */
static vv_array *make_words(world *w, uint64_t n, uint64_t kinds, bool shards)
{
    uint64_t shape[1] = { n + 10 }, chunk[1] = { 10 }, shard[1] = { 1000 };
    const vv_bytes fill = { (const uint8_t *)"fill \xc3\xa9", 7 };
    char(*texts)[24] = malloc(n * sizeof(*texts));
    vv_bytes *items = malloc(n * sizeof(*items));
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;

    meta.dtype = VV_STRING;
    meta.ndim = 1;
    meta.shape = shape;
    meta.chunk_shape = shards ? shard : chunk;
    meta.inner_chunk_shape = shards ? chunk : NULL;
    meta.fill_value = &fill;
    for (uint64_t i = 0; i < n; i++) {
        texts[i][0] = '\0';
        if (i % 10)
            snprintf(texts[i], sizeof(texts[i]), "%llu",
                     (unsigned long long)(1000 + i % kinds));
        items[i] = vv_bytes_of(texts[i]);
    }
    assert_vv_ok(vv_array_create(w->store, "w", &meta, true, &array, &err));
    assert_vv_ok(vv_array_write_varlen(array, (uint64_t[]){ 0 }, (uint64_t[]){ n }, items,
                                       n, &err));
    free(texts);
    free(items);
    return array;
}

static void texts_are_counted_and_measured(void **state)
{
    for (int shards = 0; shards < 2; shards++)
        for (uint32_t threads = 1; threads < 5; threads += 3) {
            vv_array *array = make_words(*state, 2000, 90, shards);
            vv_stats_options options = VV_STATS_OPTIONS_INIT;
            vv_stats stats = VV_STATS_INIT;
            vv_error err = VV_ERROR_INIT;

            options.threads = threads;
            options.bins = 8;
            assert_vv_ok(vv_array_stats(array, &options, &stats, &err));
            assert_true(stats.has_lengths && isnan(stats.min) && stats.bins == 0);
            assert_int_equal(stats.elements, 2010);
            assert_int_equal(stats.count, 2010);
            assert_int_equal(stats.empty, 200);
            assert_int_equal(stats.shortest, 0);
            assert_int_equal(stats.longest, 6); /* the fill value, in characters */
            assert_int_equal(stats.distinct, 81 + 1 + 1);
            assert_int_equal(stats.decoded_bytes, 1800 * 4 + 10 * 7);
            assert_int_equal(stats.chunks, shards ? 3 : 201);
            assert_int_equal(stats.chunks_stored, shards ? 2 : 200);
            vv_array_free(array);
        }
}

static void different_texts_are_counted_up_to_a_bound(void **state)
{
    static const uint64_t kinds[] = { VV_STATS_DISTINCT_MAX / 2, 1 << 20 };

    for (int i = 0; i < 2; i++) {
        vv_array *array = make_words(*state, 100000, kinds[i], true);
        vv_stats stats = VV_STATS_INIT;
        vv_error err = VV_ERROR_INIT;

        assert_vv_ok(vv_array_stats(array, NULL, &stats, &err));
        /* Multiples of ten have other remainders the next time round. */
        assert_int_equal(stats.distinct, i ? VV_STATS_DISTINCT_MAX + 1 : kinds[0] + 2);
        vv_array_free(array);
    }
}

static void bytes_and_times_have_what_fits_them(void **state)
{
    static const uint64_t shape[1] = { 4 }, chunk[1] = { 3 }, start[1] = { 0 };
    static const int64_t times[4] = { 5, INT64_MIN, -3, 7 };
    static const char codes[4][3] = { "ab", "", { 'a', 0, 'c' }, "ab" };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_stats stats = VV_STATS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    int64_t least;

    meta.ndim = 1;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    meta.dtype = VV_NULL_TERMINATED_BYTES;
    meta.item_size = 3;
    assert_vv_ok(
        vv_array_create(((world *)*state)->store, "b", &meta, true, &array, &err));
    assert_vv_ok(vv_array_write(array, start, shape, codes, sizeof(codes), &err));
    assert_vv_ok(vv_array_stats(array, NULL, &stats, &err));
    assert_true(stats.has_lengths && stats.shortest == 0 && stats.longest == 3 &&
                stats.empty == 1 && stats.distinct == 3 && stats.decoded_bytes == 12);
    vv_array_free(array);
    array = NULL;
    meta.dtype = VV_DATETIME64;
    meta.item_size = 0;
    meta.time_unit = "s";
    meta.time_scale = 1;
    assert_vv_ok(
        vv_array_create(((world *)*state)->store, "t", &meta, true, &array, &err));
    assert_vv_ok(vv_array_write(array, start, shape, times, sizeof(times), &err));
    assert_vv_ok(vv_array_stats(array, NULL, &stats, &err));
    memcpy(&least, stats.min_element, sizeof(least));
    assert_true(!stats.has_lengths && stats.min == -3 && stats.max == 7 && least == -3 &&
                stats.missing == 1 && isnan(stats.mean) && isnan(stats.stddev));
    vv_array_free(array);
}

static vv_status look_at_words(void *ctx)
{
    vv_stats_options options = VV_STATS_OPTIONS_INIT;
    vv_stats stats = VV_STATS_INIT;

    options.threads = 1;
    return vv_array_stats(ctx, &options, &stats, NULL);
}

static void any_allocation_may_fail_with_text(void **state)
{
    vv_array *array = make_words(*state, 30, 7, false);

    survives_failing_allocations(look_at_words, array);
    vv_array_free(array);
}

static vv_status look_once(void *ctx)
{
    vv_stats_options options = VV_STATS_OPTIONS_INIT;
    vv_stats stats = VV_STATS_INIT;
    uint64_t zero[3] = { 0 }, blocks[3] = { 2, 2, 2 };
    double out[8];

    options.bins = 4;
    options.threads = 1;
    vv_status status = vv_array_stats(ctx, &options, &stats, NULL);
    if (!status)
        status = vv_array_read_blocks(ctx, zero, shape_3d, NULL, blocks, VV_BLOCK_MEAN,
                                      out, 8, NULL, NULL, NULL);
    return status;
}

static void any_allocation_may_fail(void **state)
{
    world *w = *state;
    int16_t data[N] = { 1, 2, 3 };
    vv_array *array = make(w, VV_INT16, 3, shape_3d, chunk_3d,
                           "{\"_FillValue\": 3, \"missing_value\": [7, 8]}", NULL, data);

    survives_failing_allocations(look_once, array);
    vv_array_free(array);
}

/* ---- the histogram alone ------------------------------------------------------------------------ */

static void a_histogram_is_the_same_in_any_order(void **state)
{
    world *w = *state;
    static const double extremes[] = { 0,      -0.0, 5e-324, -5e-324, 1e308,
                                       -1e308, 1,    -1,     1e-300 };
    static vvi_histogram all, parts[3];
    uint64_t one[64], other[64];
    double low, width, low2, width2;

    memset(&all, 0, sizeof(all));
    memset(parts, 0, sizeof(parts));
    for (size_t i = 0; i < 3000; i++) {
        double number = i % 100 == 0 ? extremes[i / 100 % 9]
                                     : ldexp((double)(int64_t)bits(w), -60);
        vvi_histogram_add(&all, number, 1);
        vvi_histogram_add(&parts[bits(w) % 3], number, 1);
    }
    vvi_histogram_merge(&parts[2], &parts[0]);
    vvi_histogram_merge(&parts[2], &parts[1]);
    uint32_t bins = vvi_histogram_join(&all, 64, &low, &width, one);
    assert_int_equal(vvi_histogram_join(&parts[2], 64, &low2, &width2, other), bins);
    assert_true(low == low2 && width == width2);
    assert_memory_equal(one, other, bins * sizeof(*one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_of_every_size_are_exact),
        cmocka_unit_test(floats_are_summed_with_care),
        cmocka_unit_test(a_huge_spread_of_int64_does_not_wrap),
        cmocka_unit_test(half_floats_bools_and_complex_numbers_count),
        cmocka_unit_test(packed_numbers_are_decoded),
        cmocka_unit_test(chunks_that_are_not_stored_are_counted_not_read),
        cmocka_unit_test(sizes_of_chunks_are_those_in_the_store),
        cmocka_unit_test(chunks_of_different_lengths_are_all_read),
        cmocka_unit_test(a_large_shard_is_read_in_parts),
        cmocka_unit_test(arrays_of_nothing_and_of_no_dimension_are_fine),
        cmocka_unit_test(a_result_of_an_older_program_is_not_written_past_its_end),
        cmocka_unit_test(progress_is_told_and_may_stop_it),
        cmocka_unit_test(a_damaged_chunk_is_named),
        cmocka_unit_test(texts_are_counted_and_measured),
        cmocka_unit_test(different_texts_are_counted_up_to_a_bound),
        cmocka_unit_test(bytes_and_times_have_what_fits_them),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(any_allocation_may_fail_with_text),
        cmocka_unit_test(a_histogram_is_the_same_in_any_order),
    };

    watch_allocations();
    return cmocka_run_group_tests(tests, setup, teardown);
}
