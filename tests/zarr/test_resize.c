/* Resizing against a table in memory: what stays is unchanged, what comes is the fill value. */
#include "support/support.h"

#include "util/buf.h"

#include <stdio.h>

#define SIDE 14
#define FILL 9

/* The array as it should be; its shape is beside it. */
typedef struct model {
    int16_t cells[SIDE][SIDE];
    uint64_t shape[2];
} model;

static void model_init(model *self, uint64_t rows, uint64_t columns)
{
    for (size_t i = 0; i < SIDE; i++)
        for (size_t k = 0; k < SIDE; k++)
            self->cells[i][k] = FILL;
    self->shape[0] = rows;
    self->shape[1] = columns;
}

static void model_resize(model *self, const uint64_t *shape)
{
    for (size_t i = 0; i < SIDE; i++)
        for (size_t k = 0; k < SIDE; k++)
            if (i >= shape[0] || k >= shape[1])
                self->cells[i][k] = FILL;
    memcpy(self->shape, shape, sizeof(self->shape));
}

static void assert_is(vv_array *array, const model *self)
{
    static const uint64_t start[] = { 0, 0 };
    vv_error err = VV_ERROR_INIT;
    int16_t got[SIDE * SIDE];
    size_t n = (size_t)(self->shape[0] * self->shape[1]);

    assert_memory_equal(vv_array_get_meta(array)->shape, self->shape,
                        sizeof(self->shape));
    assert_vv_ok(vv_array_read(array, start, self->shape, NULL, got, n * 2, &err));
    for (uint64_t i = 0; i < self->shape[0]; i++)
        for (uint64_t k = 0; k < self->shape[1]; k++)
            assert_int_equal(got[i * self->shape[1] + k], self->cells[i][k]);
}

static void write_some(vv_array *array, model *self, uint64_t *random)
{
    vv_error err = VV_ERROR_INIT;
    int16_t data[SIDE * SIDE];
    uint64_t start[2], count[2];
    size_t n = 0;

    for (int d = 0; d < 2; d++) {
        start[d] = next_random(random) % (self->shape[d] + 1);
        count[d] = next_random(random) % (self->shape[d] - start[d] + 1);
    }
    for (uint64_t i = start[0]; i < start[0] + count[0]; i++)
        for (uint64_t k = start[1]; k < start[1] + count[1]; k++)
            data[n++] = self->cells[i][k] = (int16_t)(next_random(random) % 50);
    assert_vv_ok(vv_array_write(array, start, count, data, n * 2, &err));
}

static vv_array *make(vv_store *store, const model *self, const char *codecs,
                      bool rectilinear, bool sharded)
{
    static const uint64_t chunk[] = { 4, 6 }, inner[] = { 2, 3 };
    static const uint64_t odd[] = { 1, 3, 2, 4, 4 }, even[] = { 2, 4, 2, 6 };
    const uint64_t *rows = sharded ? even : odd;
    const uint64_t *const edges[] = { rows, NULL };
    const uint64_t counts[] = { sharded ? 4 : 5, 0 };
    static const int16_t fill = FILL;
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    char text[400];

    meta.dtype = VV_INT16;
    meta.ndim = 2;
    meta.shape = self->shape;
    meta.chunk_shape = chunk;
    meta.fill_value = &fill;
    meta.codecs = codecs;
    if (rectilinear) {
        meta.chunk_edges = edges;
        meta.chunk_edge_counts = counts;
    }
    if (sharded) {
        snprintf(
            text, sizeof(text),
            "[{\"name\": \"sharding_indexed\", \"configuration\": {\"chunk_shape\": "
            "[%d, %d], \"codecs\": [{\"name\": \"bytes\", \"configuration\": "
            "{\"endian\": \"little\"}}], \"index_codecs\": [{\"name\": \"bytes\", "
            "\"configuration\": {\"endian\": \"little\"}}, {\"name\": \"crc32c\"}]}}]",
            (int)inner[0], (int)inner[1]);
        meta.codecs = text;
    }
    assert_vv_ok(vv_array_create(store, "g/x", &meta, true, &array, &err));
    return array;
}

static void check_random_changes(const char *codecs, bool rectilinear, bool sharded,
                                 uint64_t seed)
{
    uint64_t random = seed;
    vv_store *store = NULL;
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_memory_store_new(&store, &err));
    for (int round = 0; round < 40; round++) {
        model self;
        vv_array *array;

        model_init(&self, next_random(&random) % SIDE, next_random(&random) % SIDE);
        array = make(store, &self, codecs, rectilinear, sharded);
        for (int step = 0; step < 12; step++) {
            uint64_t shape[] = { next_random(&random) % SIDE,
                                 next_random(&random) % SIDE };
            vv_array *again = NULL;

            write_some(array, &self, &random);
            assert_vv_ok(vv_array_resize(array, shape, &err));
            model_resize(&self, shape);
            assert_is(array, &self);
            assert_vv_ok(vv_array_open(store, "g/x", &again, &err));
            assert_is(again, &self);
            /* Sometimes go on with the one that was opened. */
            vv_array_free(step % 3 ? again : array);
            array = step % 3 ? array : again;
        }
        vv_array_free(array);
    }
    vv_store_free(store);
}

static void what_stays_is_unchanged_and_what_comes_is_fill(void **state)
{
    (void)state;
    check_random_changes("none", false, false, 1);
    check_random_changes("zstd:1+crc32c", false, false, 2);
    check_random_changes(NULL, false, true, 3);
    check_random_changes("zstd:1", true, false, 4);
    check_random_changes(NULL, true, true, 5);
}

/* An array of one dimension that lists the lengths of its chunks. */
static vv_array *make_listed(vv_store *store, uint64_t length, const uint64_t *lengths,
                             uint64_t n, const uint64_t *inner)
{
    const uint64_t *edges[] = { lengths };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;

    meta.dtype = VV_INT16;
    meta.ndim = 1;
    meta.shape = &length;
    meta.chunk_edges = edges;
    meta.chunk_edge_counts = &n;
    meta.inner_chunk_shape = inner;
    meta.codecs = "none";
    assert_vv_ok(vv_array_create(store, "x", &meta, true, &array, &err));
    return array;
}

/* Make it longer and fill it; another reader sees the same. */
static void lengthen_and_fill(vv_store *store, vv_array *array, uint64_t length)
{
    static const uint64_t start[] = { 0 };
    int16_t data[SIDE * SIDE], got[SIDE * SIDE];
    vv_error err = VV_ERROR_INIT;
    vv_array *again = NULL;

    for (size_t i = 0; i < length; i++)
        data[i] = (int16_t)(i + 1);
    assert_vv_ok(vv_array_resize(array, &length, &err));
    assert_vv_ok(vv_array_write(array, start, &length, data, length * 2, &err));
    assert_vv_ok(vv_array_read(array, start, &length, NULL, got, length * 2, &err));
    assert_memory_equal(got, data, length * 2);
    assert_vv_ok(vv_array_open(store, "x", &again, &err));
    assert_vv_ok(vv_array_read(again, start, &length, NULL, got, length * 2, &err));
    assert_memory_equal(got, data, length * 2);
    vv_array_free(again);
}

static vv_status note_longest(void *ctx, const uint64_t *start, const uint64_t *count,
                              const void *elements, size_t bytes, vv_error *err)
{
    uint64_t *longest = ctx;

    (void)start;
    (void)elements;
    (void)bytes;
    (void)err;
    *longest = count[0] > *longest ? count[0] : *longest;
    return VV_OK;
}

/* A dimension without chunks, and one whose new chunk is longer than all it had. */
static void a_list_of_chunks_grows_by_one_of_any_length(void **state)
{
    static const uint64_t alike[] = { 4, 4 }, uneven[] = { 2, 4 }, start[] = { 0 };
    uint64_t length = 100, longest = 0;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    vv_array *array;

    (void)state;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    array = make_listed(store, 0, alike, 0, NULL);
    lengthen_and_fill(store, array, 9);
    lengthen_and_fill(store, array, 100);
    vv_array_free(array);
    array = make_listed(store, 8, alike, 2, NULL);
    lengthen_and_fill(store, array, 20);
    vv_array_free(array);
    array = make_listed(store, 6, uneven, 2, NULL);
    lengthen_and_fill(store, array, 100);
    assert_int_equal(vv_array_get_meta(array)->chunk_shape[0], 94);
    assert_vv_ok(vv_array_visit(array, start, &length, 1, note_longest, &longest, &err));
    assert_int_equal(longest, 94);
    vv_array_free(array);
    vv_store_free(store);
}

static void each_listed_shard_is_of_whole_inner_chunks(void **state)
{
    static const uint64_t shape[] = { 10 }, edges[] = { 4, 3, 4 }, inner[] = { 2 };
    static const uint64_t *const lists[] = { edges };
    static const uint64_t counts[] = { 3 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    vv_array *array = NULL;

    (void)state;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    meta.dtype = VV_INT16;
    meta.ndim = 1;
    meta.shape = shape;
    meta.chunk_edges = lists;
    meta.chunk_edge_counts = counts;
    meta.inner_chunk_shape = inner;
    assert_int_equal(vv_array_create(store, "x", &meta, false, &array, &err), VV_EINVAL);
    assert_null(array);
    assert_non_null(strstr(err.message, "chunk 1"));
    vv_store_free(store);
}

/* The new chunk is a shard, so inner chunks have to divide it. */
static void a_list_of_shards_grows_by_whole_inner_chunks(void **state)
{
    static const uint64_t alike[] = { 4, 4 }, uneven[] = { 2, 4 }, inner[] = { 2 };
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    vv_array *array;

    (void)state;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    array = make_listed(store, 8, alike, 2, inner);
    lengthen_and_fill(store, array, 13);
    assert_int_equal(vv_array_get_meta(array)->inner_chunk_shape[0], 2);
    lengthen_and_fill(store, array, 14);
    lengthen_and_fill(store, array, 33);
    vv_array_free(array);
    array = make_listed(store, 5, uneven, 2, inner);
    lengthen_and_fill(store, array, 13);
    vv_array_free(array);
    vv_store_free(store);
}

static vv_status count_key(void *ctx, const char *key, vv_error *err)
{
    (void)key;
    (void)err;
    ++*(int *)ctx;
    return VV_OK;
}

static void chunks_outside_are_deleted(void **state)
{
    uint64_t none[] = { 0, 5 }, some[] = { 4, 6 }, big[] = { 12, 12 };
    vv_store *store = NULL;
    vv_error err = VV_ERROR_INIT;
    uint64_t random = 3;
    int keys = 0;
    vv_array *array;
    model self;

    (void)state;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    model_init(&self, 12, 12);
    array = make(store, &self, "none", false, false);
    for (int i = 0; i < 20; i++)
        write_some(array, &self, &random);
    assert_vv_ok(vv_array_resize(array, some, &err));
    assert_vv_ok(vv_store_list(store, "g/x/c/", count_key, &keys, &err));
    assert_int_equal(keys, 1);
    assert_vv_ok(vv_array_resize(array, none, &err));
    keys = 0;
    assert_vv_ok(vv_store_list(store, "g/x/c/", count_key, &keys, &err));
    assert_int_equal(keys, 0);
    /* What a killed writer left beyond the end does not come to light. */
    assert_vv_ok(vv_store_set(store, "g/x/c/1/1", vv_bytes_of("rubbish"), &err));
    assert_vv_ok(vv_array_resize(array, big, &err));
    model_init(&self, 12, 12);
    assert_is(array, &self);
    vv_array_free(array);
    vv_store_free(store);
}

/* Interrupted anywhere, by an allocation that fails, the array is one of the two, and the same call
 * finishes what was begun. */
static void an_interrupted_change_leaves_a_readable_array(void **state)
{
    uint64_t small[] = { 5, 7 }, stays[2];
    vv_error err = VV_ERROR_INIT;
    vv_status status = VV_ENOMEM;

    (void)state;
    for (size_t n = 0; status != VV_OK && n < 2000; n++) {
        vv_store *store = NULL;
        vv_array *array;
        vv_array *again = NULL;
        uint64_t random = 17;
        model self;
        int16_t got[35];
        static const uint64_t start[] = { 0, 0 };

        assert_vv_ok(vv_memory_store_new(&store, &err));
        model_init(&self, 12, 13);
        array = make(store, &self, "zstd:1", false, false);
        for (int i = 0; i < 10; i++)
            write_some(array, &self, &random);
        fail_allocation_after(n, false);
        status = vv_array_resize(array, small, NULL);
        (void)stop_failing_allocations();
        assert_true(status == VV_OK || status == VV_ENOMEM);
        assert_vv_ok(vv_array_open(store, "g/x", &again, &err));
        memcpy(stays, vv_array_get_meta(again)->shape, sizeof(stays));
        assert_true(stays[0] == 12 || stays[0] == 5);
        assert_vv_ok(vv_array_read(again, start, small, NULL, got, sizeof(got), &err));
        for (size_t i = 0; i < 35; i++)
            assert_int_equal(got[i], self.cells[i / 7][i % 7]);
        if (stays[0] == 12)
            assert_vv_ok(vv_array_resize(again, small, &err));
        model_resize(&self, small);
        assert_is(again, &self);
        vv_array_free(again);
        vv_array_free(array);
        vv_store_free(store);
    }
    assert_int_equal(status, VV_OK);
}

static void another_shape_in_the_store_is_noticed(void **state)
{
    uint64_t small[] = { 2, 2 }, big[] = { 9, 9 };
    vv_store *store = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_array *one;
    vv_array *other = NULL;
    vv_buf text = VV_BUF_INIT;
    model self;

    (void)state;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    model_init(&self, 5, 5);
    one = make(store, &self, "none", false, false);
    assert_vv_ok(vv_array_open(store, "g/x", &other, &err));
    /* Attributes that changed since stay. */
    assert_vv_ok(vv_node_set_attributes(store, "g/x", "{\"k\": 1}", &err));
    assert_vv_ok(vv_array_resize(one, small, &err));
    assert_int_equal(vv_array_resize(other, big, &err), VV_EBUSY);
    assert_vv_ok(vv_node_attributes(store, "g/x", &text, &err));
    assert_string_equal((char *)text.data, "{\"k\": 1}");
    vv_buf_clear(&text);
    vv_array_free(one);
    vv_array_free(other);
    vv_store_free(store);
}

/* Of the same shape, so that only the rest of the metadata tells. */
static void another_array_in_its_place_is_noticed(void **state)
{
    static const uint64_t shape[] = { 4 }, chunk[] = { 2 }, big[] = { 6 };
    static const struct {
        vv_dtype dtype;
        int16_t fill;
        const char *codecs, *named;
    } others[] = { { VV_UINT16, 0, "none", "data_type" },
                   { VV_INT16, 1, "none", "fill_value" },
                   { VV_INT16, 0, "zstd:1", "codecs" } };
    static const int16_t values[] = { 1, 2, 3, 4 };
    static const uint64_t start[] = { 0 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_store *store = NULL;
    vv_array *opened = NULL;
    vv_array *other = NULL;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    meta.ndim = 1;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    for (size_t i = 0; i < 4; i++) {
        int16_t fill = i < 3 ? others[i].fill : 0;
        int16_t out[4] = { 0 };

        meta.dtype = VV_INT16;
        meta.codecs = "none";
        meta.fill_value = NULL;
        assert_vv_ok(vv_array_create(store, "x", &meta, true, &opened, &err));
        if (i < 3) {
            meta.dtype = others[i].dtype;
            meta.codecs = others[i].codecs;
            meta.fill_value = &fill;
        }
        assert_vv_ok(vv_array_create(store, "x", &meta, true, &other, &err));
        assert_vv_ok(vv_array_write(other, start, shape, values, sizeof(values), &err));
        if (i < 3) {
            assert_int_equal(vv_array_resize(opened, big, &err), VV_EBUSY);
            assert_non_null(strstr(err.message, others[i].named));
            assert_int_equal(vv_array_append(opened, 0, 2, values, 4, &err), VV_EBUSY);
            assert_non_null(strstr(err.message, others[i].named));
        } else { /* made anew in the same form: there is nothing to tell them apart, nor to lose */
            assert_vv_ok(vv_array_resize(opened, big, &err));
        }
        vv_array_free(other);
        other = NULL;
        assert_vv_ok(vv_array_open(store, "x", &other, &err));
        assert_int_equal(vv_array_get_meta(other)->shape[0], i < 3 ? 4 : 6);
        assert_vv_ok(vv_array_read(other, start, shape, NULL, out, sizeof(out), &err));
        assert_memory_equal(out, values, sizeof(values));
        vv_array_free(other);
        vv_array_free(opened);
        other = opened = NULL;
    }
    vv_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stays_is_unchanged_and_what_comes_is_fill),
        cmocka_unit_test(a_list_of_chunks_grows_by_one_of_any_length),
        cmocka_unit_test(each_listed_shard_is_of_whole_inner_chunks),
        cmocka_unit_test(a_list_of_shards_grows_by_whole_inner_chunks),
        cmocka_unit_test(chunks_outside_are_deleted),
        cmocka_unit_test(an_interrupted_change_leaves_a_readable_array),
        cmocka_unit_test(another_shape_in_the_store_is_noticed),
        cmocka_unit_test(another_array_in_its_place_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
