/* Copies: what arrives is what was there, however it is cut and encoded. */
#include "copy_support.h"

#include <stdio.h>

static const char *const arrays[] = { "time", "ocean/temp", "ocean/deep/salt", "scalar" };

static void assert_same_hierarchy(vv_store *a, const char *a_path, vv_store *b,
                                  const char *b_path)
{
    char x[200];
    char y[200];

    for (size_t i = 0; i < HIERARCHY_ARRAYS; i++) {
        snprintf(x, sizeof(x), "%s/%s", a_path, arrays[i]);
        snprintf(y, sizeof(y), "%s/%s", b_path, arrays[i]);
        assert_same_array(a, x, b, y);
    }
}

static void stored_values_are_copied_as_they_are(void **state)
{
    vv_store *from = new_memory_store();
    vv_store *to = new_memory_store();
    vv_copy_result result;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    make_hierarchy(from, 3);
    assert_vv_ok(vv_copy(from, "", to, "", NULL, &result, &err));
    assert_int_equal(result.arrays, HIERARCHY_ARRAYS);
    assert_int_equal(result.arrays_stored, HIERARCHY_ARRAYS);
    assert_int_equal(result.groups, HIERARCHY_GROUPS);
    assert_int_equal(result.bytes, 0);
    assert_int_equal(result.linked, 0);
    assert_int_equal(count_keys(from, ""), count_keys(to, ""));
    assert_int_equal(result.values,
                     count_keys(from, "") - HIERARCHY_ARRAYS - HIERARCHY_GROUPS);
    assert_same_hierarchy(from, "", to, "");
    vv_store_free(from);
    vv_store_free(to);
}

static void one_block_store_copies_names_and_gives_the_same_root(void **state)
{
    vv_blockstore *blocks = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_blockstore_stats before;
    vv_blockstore_stats after;
    vv_copy_result result;
    vv_store *from;
    vv_store *to;
    vv_cid source;
    vv_cid copy;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    from = new_hamt_store(blocks, NULL);
    make_hierarchy(from, 3);
    source = commit(from);
    assert_vv_ok(vv_blockstore_stat(blocks, &before, &err));
    to = new_hamt_store(blocks, NULL);
    assert_vv_ok(vv_copy(from, "", to, "", NULL, &result, &err));
    assert_int_equal(result.linked, result.values);
    assert_true(result.values > 20);
    copy = commit(to);
    assert_true(vv_cid_equal(&source, &copy));
    assert_vv_ok(vv_blockstore_stat(blocks, &after, &err));
    assert_int_equal(after.block_count, before.block_count + 1); /* the note */
    /* A part of it, to another place: chunks are still only named. */
    assert_vv_ok(vv_copy(from, "ocean", to, "more/sea", NULL, &result, &err));
    assert_int_equal(result.linked, result.values);
    assert_same_array(from, "ocean/deep/salt", to, "more/sea/deep/salt");
    vv_store_free(from);
    vv_store_free(to);
    vv_blockstore_free(blocks);
}

static void only_other_keys_leave_the_values_as_they_are(void **state)
{
    static const char *const forms[] = { "default.", "v2/", "v2.", "default/" };
    vv_copy_options options = VV_COPY_OPTIONS_INIT;
    vv_store *from = new_memory_store();
    vv_copy_result result;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    make_hierarchy(from, 3);
    for (size_t i = 0; i < 4; i++) {
        vv_store *to = new_memory_store();

        options.keys = forms[i];
        assert_vv_ok(vv_copy(from, "", to, "", &options, &result, &err));
        assert_int_equal(result.arrays_stored, HIERARCHY_ARRAYS);
        assert_int_equal(count_keys(from, ""), count_keys(to, ""));
        assert_same_hierarchy(from, "", to, "");
        assert_int_equal(key_exists(to, "ocean/temp/1.1.0"), i == 2);
        vv_store_free(to);
    }
    options.keys = "v3";
    assert_int_equal(vv_copy(from, "", from, "x", &options, NULL, &err), VV_EINVAL);
    vv_store_free(from);
}

static void other_chunks_hold_the_same_values(void **state)
{
    static const struct {
        const char *chunks, *codecs;
        uint64_t memory;
    } cases[] = {
        { "time=7,lat=5", NULL, 0 },
        { "time=1,lat=1,lon=1", "zstd:3", 0 },
        { "time=all,lat=all", NULL, 0 },
        { NULL, "gzip:1", 0 },
        { "time=7,lat=5", "blosc:lz4:3", 8000 },
        { "time=2,lat=3,lon=4", NULL, 1500 },
        { "7,5,3", NULL, 0 },
    };
    vv_store *from = new_memory_store();
    vv_error err = VV_ERROR_INIT;

    (void)state;
    make_hierarchy(from, 3);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        vv_copy_options options = VV_COPY_OPTIONS_INIT;
        vv_store *to = new_memory_store();
        vv_copy_result result;
        vv_array *array = NULL;

        options.chunks = cases[i].chunks;
        options.codecs = cases[i].codecs;
        options.memory_bytes = cases[i].memory;
        assert_vv_ok(vv_copy(from, "", to, "deep/er", &options, &result, &err));
        assert_same_hierarchy(from, "", to, "deep/er");
        assert_true(result.arrays_stored < HIERARCHY_ARRAYS);
        assert_false(key_exists(to, "deep/er/.varvite-copy"));
        assert_vv_ok(vv_array_open(to, "deep/er/time", &array, &err));
        assert_int_equal(vv_array_get_meta(array)->chunk_shape[0], 20); /* a coordinate */
        vv_array_free(array);
        if (i == 0) {
            assert_vv_ok(vv_array_open(to, "deep/er/ocean/temp", &array, &err));
            assert_int_equal(vv_array_get_meta(array)->chunk_shape[0], 7);
            assert_int_equal(vv_array_get_meta(array)->chunk_shape[1], 5);
            assert_int_equal(vv_array_get_meta(array)->chunk_shape[2], 9);
            vv_array_free(array);
        }
        vv_store_free(to);
    }
    vv_store_free(from);
}

static void changes_can_be_for_some_arrays_only(void **state)
{
    static const char *const chosen[] = { "/ocean/temp" };
    static const char *const wrong[] = { "ocean" };
    vv_copy_options options = VV_COPY_OPTIONS_INIT;
    vv_store *from = new_memory_store();
    vv_store *to = new_memory_store();
    vv_copy_result result;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    make_hierarchy(from, 3);
    options.chunks = "time=5";
    options.arrays = chosen;
    options.array_count = 1;
    assert_vv_ok(vv_copy(from, "", to, "", &options, &result, &err));
    assert_int_equal(result.arrays_stored, HIERARCHY_ARRAYS - 1);
    assert_same_hierarchy(from, "", to, "");
    options.arrays = wrong;
    assert_int_equal(vv_copy(from, "", to, "again", &options, NULL, &err), VV_EINVAL);
    vv_store_free(from);
    vv_store_free(to);
}

static void an_array_alone_is_copied_too(void **state)
{
    vv_copy_options options = VV_COPY_OPTIONS_INIT;
    vv_store *store = new_memory_store();
    vv_store *to = new_memory_store();
    vv_error err = VV_ERROR_INIT;

    (void)state;
    make_hierarchy(store, 3);
    assert_vv_ok(vv_copy(store, "ocean/temp", store, "ocean/twin", NULL, NULL, &err));
    assert_same_array(store, "ocean/temp", store, "ocean/twin");
    options.chunks = "4,4,4";
    assert_vv_ok(vv_copy(store, "ocean/temp", to, "", &options, NULL, &err));
    assert_same_array(store, "ocean/temp", to, "");
    vv_store_free(store);
    vv_store_free(to);
}

static void what_cannot_be_is_refused_before_anything_is_written(void **state)
{
    vv_copy_options options = VV_COPY_OPTIONS_INIT;
    vv_store *from = new_memory_store();
    vv_store *to = new_memory_store();
    vv_error err = VV_ERROR_INIT;

    (void)state;
    make_hierarchy(from, 3);
    assert_int_equal(vv_copy(from, "", from, "ocean/x", NULL, NULL, &err), VV_EINVAL);
    assert_int_equal(vv_copy(from, "ocean", from, "ocean", NULL, NULL, &err), VV_EINVAL);
    assert_int_equal(vv_copy(from, "nothing", to, "", NULL, NULL, &err), VV_ENOTFOUND);
    options.chunks = "depth=3";
    assert_int_equal(vv_copy(from, "", to, "", &options, NULL, &err), VV_EINVAL);
    assert_non_null(strstr(err.message, "depth"));
    options.chunks = "time=";
    assert_int_equal(vv_copy(from, "", to, "", &options, NULL, &err), VV_EINVAL);
    options.chunks = "time=all,lat=all,lon=all";
    options.memory_bytes = 1000;
    assert_int_equal(vv_copy(from, "", to, "", &options, NULL, &err), VV_ELIMIT);
    assert_non_null(strstr(err.message, "ocean/deep/salt"));
    assert_int_equal(count_keys(to, ""), 0);
    options = VV_COPY_OPTIONS_INIT;
    assert_vv_ok(vv_copy(from, "", to, "", NULL, NULL, &err));
    assert_int_equal(vv_copy(from, "", to, "", NULL, NULL, &err), VV_EEXISTS);
    options.overwrite = true;
    options.chunks = "time=2";
    assert_vv_ok(vv_copy(from, "", to, "", &options, NULL, &err));
    assert_same_hierarchy(from, "", to, "");
    vv_store_free(from);
    vv_store_free(to);
}

static void consolidated_metadata_is_left_out(void **state)
{
    static const char text[] =
        "{\"zarr_format\": 3, \"node_type\": \"group\", \"attributes\": {\"a\": 1.50}, "
        "\"consolidated_metadata\": {\"kind\": \"inline\", \"must_understand\": false, "
        "\"metadata\": {}}}";
    vv_store *from = new_memory_store();
    vv_store *to = new_memory_store();
    vv_buf out = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    make_hierarchy(from, 3);
    assert_vv_ok(vv_store_set(from, "zarr.json", vv_bytes_of(text), &err));
    assert_vv_ok(vv_copy(from, "", to, "", NULL, NULL, &err));
    assert_vv_ok(vv_store_get(to, "zarr.json", VV_RANGE_ALL, &out, &err));
    assert_null(memmem(out.data, out.len, "consolidated", 12));
    assert_non_null(memmem(out.data, out.len, "1.50", 4));
    vv_buf_clear(&out);
    vv_store_free(from);
    vv_store_free(to);
}

static void most_of_an_empty_array_is_never_touched(void **state)
{
    vv_copy_options options = VV_COPY_OPTIONS_INIT;
    vv_array_meta meta = VV_ARRAY_META_INIT;
    uint64_t shape[2] = { 1000000000, 1000000 };
    uint64_t chunk[2] = { 1000, 1000 };
    uint64_t where[2] = { 777777777, 5005 };
    vv_store *from = new_memory_store();
    vv_store *to = new_memory_store();
    vv_error err = VV_ERROR_INIT;
    vv_copy_result result;
    vv_array *array = NULL;
    uint64_t one[2] = { 1, 1 };
    int32_t out = 0;

    (void)state;
    meta.dtype = VV_INT32;
    meta.ndim = 2;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    assert_vv_ok(vv_array_create(from, "a", &meta, false, &array, &err));
    vv_array_free(array);
    write_one(from, "a", where, 42);
    options.chunks = "100000,10";
    assert_vv_ok(vv_copy(from, "a", to, "a", &options, &result, &err));
    assert_vv_ok(vv_array_open(to, "a", &array, &err));
    assert_vv_ok(vv_array_read(array, where, one, NULL, &out, sizeof(out), &err));
    assert_int_equal(out, 42);
    assert_true(result.bytes < (uint64_t)1 << 30);
    vv_array_free(array);
    vv_store_free(from);
    vv_store_free(to);
}

static void shards_are_made_changed_and_undone(void **state)
{
    static const char *const shards[] = { "time=6,lat=all", "20,8,9", "time=all",
                                          "none" };
    vv_store *store = new_memory_store();
    char before[20] = "0";
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;

    (void)state;
    make_array(store, "0", 3, (uint64_t[]){ 20, 17, 9 }, (uint64_t[]){ 3, 8, 9 }, 5);
    for (int i = 0; i < 4; i++) {
        vv_copy_options options = VV_COPY_OPTIONS_INIT;
        vv_copy_result result;
        char after[20];

        snprintf(after, sizeof(after), "%d", i + 1);
        options.shards = shards[i];
        options.chunks = i == 2 ? "lon=5" : NULL;
        assert_vv_ok(vv_copy(store, before, store, after, &options, &result, &err));
        assert_same_array(store, "0", store, after);
        assert_int_equal(result.arrays_stored, 0);
        strcpy(before, after);
    }
    assert_vv_ok(vv_array_open(store, "1", &array, &err));
    assert_int_equal(vv_array_get_meta(array)->inner_chunk_shape[1], 8);
    assert_int_equal(vv_array_get_meta(array)->chunk_shape[0], 6);
    assert_int_equal(vv_array_get_meta(array)->chunk_shape[1], 24);
    vv_array_free(array);
    assert_vv_ok(vv_array_open(store, "4", &array, &err));
    assert_null(vv_array_get_meta(array)->inner_chunk_shape);
    assert_int_equal(vv_array_get_meta(array)->chunk_shape[2], 5);
    vv_array_free(array);
    vv_store_free(store);
}

static void text_of_any_length_is_cut_anew_too(void **state)
{
    vv_copy_options options = VV_COPY_OPTIONS_INIT;
    vv_diff_options how = VV_DIFF_OPTIONS_INIT;
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_store *store = new_memory_store();
    uint64_t shape = 50;
    uint64_t chunk = 7;
    uint64_t start = 0;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    vv_diff_result what;
    char texts[50][24];
    vv_bytes items[50];

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%.*s%u", (int)(i % 17), "abcdefghijklmnopq",
                 i);
        items[i] = i % 9 ? vv_bytes_of(texts[i]) : (vv_bytes){ NULL, 0 };
    }
    meta.dtype = VV_STRING;
    meta.ndim = 1;
    meta.shape = &shape;
    meta.chunk_shape = &chunk;
    assert_vv_ok(vv_array_create(store, "a", &meta, false, &array, &err));
    assert_vv_ok(vv_array_write_varlen(array, &start, &shape, items, 50, &err));
    vv_array_free(array);
    options.chunks = "12";
    options.codecs = "gzip:1";
    assert_vv_ok(vv_copy(store, "a", store, "b", &options, NULL, &err));
    how.values = true;
    assert_vv_ok(vv_diff(store, "a", store, "b", &how, NULL, NULL, &what, &err));
    assert_true(what.same && what.findings > 0);
    assert_vv_ok(vv_array_open(store, "b", &array, &err));
    start = 33;
    shape = 1;
    assert_vv_ok(vv_array_write_varlen(array, &start, &shape, items, 1, &err));
    vv_array_free(array);
    assert_vv_ok(vv_diff(store, "a", store, "b", &how, NULL, NULL, &what, &err));
    assert_int_equal(what.values_differing, 1);
    vv_store_free(store);
}

/* ---- random ones ----------------------------------------------------------------------------- */

static void random_arrays_survive_any_rechunking(void **state)
{
    uint64_t random = 11;

    (void)state;
    for (int round = 0; round < 120; round++) {
        uint32_t ndim = (uint32_t)(next_random(&random) % 5);
        uint64_t shape[4];
        uint64_t chunk[4];
        char chunks[100] = "";
        vv_copy_options options = VV_COPY_OPTIONS_INIT;
        vv_store *from = new_memory_store();
        vv_store *to = new_memory_store();
        vv_error err = VV_ERROR_INIT;
        vv_diff_options how = VV_DIFF_OPTIONS_INIT;
        vv_diff_result what;

        for (uint32_t d = 0; d < ndim; d++) {
            shape[d] = next_random(&random) % 14;
            chunk[d] = 1 + next_random(&random) % 9;
            snprintf(chunks + strlen(chunks), 20, "%s%u", d ? "," : "",
                     (unsigned)(1 + next_random(&random) % 9));
        }
        make_array(from, "x", ndim, shape, chunk, next_random(&random));
        options.chunks = ndim ? chunks : NULL;
        options.codecs = next_random(&random) % 2 ? "gzip:1" : NULL;
        /* At least one chunk has to fit into half of it. */
        options.memory_bytes = 2 * 4 * 9 * 9 * 9 * 9 / (1 + next_random(&random) % 2);
        if (vv_copy(from, "x", to, "y", &options, NULL, &err) == VV_ELIMIT)
            options.memory_bytes = 0;
        if (options.memory_bytes == 0)
            assert_vv_ok(vv_copy(from, "x", to, "y", &options, NULL, &err));
        assert_same_array(from, "x", to, "y");
        how.values = true;
        assert_vv_ok(vv_diff(from, "x", to, "y", &how, NULL, NULL, &what, &err));
        assert_int_equal(what.values_differing, 0);
        assert_true(what.same);
        vv_store_free(from);
        vv_store_free(to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_values_are_copied_as_they_are),
        cmocka_unit_test(one_block_store_copies_names_and_gives_the_same_root),
        cmocka_unit_test(only_other_keys_leave_the_values_as_they_are),
        cmocka_unit_test(other_chunks_hold_the_same_values),
        cmocka_unit_test(changes_can_be_for_some_arrays_only),
        cmocka_unit_test(an_array_alone_is_copied_too),
        cmocka_unit_test(what_cannot_be_is_refused_before_anything_is_written),
        cmocka_unit_test(consolidated_metadata_is_left_out),
        cmocka_unit_test(most_of_an_empty_array_is_never_touched),
        cmocka_unit_test(shards_are_made_changed_and_undone),
        cmocka_unit_test(text_of_any_length_is_cut_anew_too),
        cmocka_unit_test(random_arrays_survive_any_rechunking),
    };

    return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
