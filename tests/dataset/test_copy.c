/* Zarr directories imported as they are, into stores that hold something already. */
#include "dataset/files.h"

#include <stdio.h>

static int setup(void **state)
{
    *state = make_directory();
    return 0;
}

static int teardown(void **state)
{
    remove_directory(*state);
    return 0;
}

/* Array v of four numbers in chunks of two; a 0 is the fill value. */
static void make_numbers(vv_store *store, const char *path, const char *codecs, int first,
                         int second)
{
    const int32_t data[4] = { first, first, second, second };
    const uint64_t start = 0;
    const uint64_t shape = 4;
    const uint64_t chunk = 2;
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;

    meta.dtype = VV_INT32;
    meta.ndim = 1;
    meta.shape = &shape;
    meta.chunk_shape = &chunk;
    meta.codecs = codecs;
    assert_vv_ok(vv_array_create(store, path, &meta, true, &array, &err));
    assert_vv_ok(vv_array_write(array, &start, &shape, data, sizeof(data), &err));
    vv_array_free(array);
}

static const char *make_zarr(const char *path, const char *codecs, int first, int second)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    assert_vv_ok(vv_directory_store_open(path, false, &store, &err));
    make_numbers(store, "v", codecs, first, second);
    vv_store_free(store);
    return path;
}

static void assert_numbers(vv_store *store, const char *path, int first, int second)
{
    const uint64_t start = 0;
    const uint64_t count = 4;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    int32_t data[4];

    assert_vv_ok(vv_array_open(store, path, &array, &err));
    assert_vv_ok(vv_array_read(array, &start, &count, NULL, data, sizeof(data), &err));
    assert_int_equal(data[0], first);
    assert_int_equal(data[3], second);
    vv_array_free(array);
}

static vv_store *new_store(void)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    assert_vv_ok(vv_memory_store_new(&store, &err));
    return store;
}

static void chunks_of_another_array_are_not_taken_for_stored(void **state)
{
    const char *source = make_zarr(in(*state, "a.zarr"), "zstd:3", 3, 4);
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = new_store();

    options.skip_existing = true;
    options.overwrite = true;
    make_numbers(store, "v", "gzip:1", 1, 2);
    assert_vv_ok(vv_dataset_import(source, store, "", &options, NULL, &err));
    assert_numbers(store, "v", 3, 4);
    vv_store_free(store);
}

static vv_status stop_at_once(void *ctx, const vv_progress *progress)
{
    (void)ctx;
    (void)progress;
    return VV_ECANCELED;
}

static void chunks_of_the_same_array_are_kept(void **state)
{
    const char *source = make_zarr(in(*state, "a.zarr"), "zstd:3", 3, 4);
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_import_result result;
    vv_store *store = new_store();

    options.progress = stop_at_once;
    assert_int_equal(vv_dataset_import(source, store, "", &options, NULL, &err),
                     VV_ECANCELED);
    options.progress = NULL;
    options.skip_existing = true;
    assert_vv_ok(vv_store_delete(store, "v/c/1", &err));
    assert_vv_ok(vv_dataset_import(source, store, "", &options, &result, &err));
    assert_int_equal(result.chunks, 1);
    assert_numbers(store, "v", 3, 4);
    vv_store_free(store);
}

static void a_chunk_that_the_source_lacks_is_not_left_from_before(void **state)
{
    const char *source = make_zarr(in(*state, "a.zarr"), "zstd:3", 3, 0);
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = new_store();

    options.overwrite = true;
    make_numbers(store, "v", "zstd:3", 1, 2);
    make_numbers(store, "other", "zstd:3", 5, 6);
    assert_vv_ok(vv_dataset_import(source, store, "", &options, NULL, &err));
    assert_numbers(store, "v", 3, 0);
    assert_numbers(store, "other", 5, 6);
    vv_store_free(store);
}

static vv_status count_node(void *ctx, const char *path, vv_node_kind kind,
                            uint32_t depth, vv_error *error)
{
    (void)path;
    (void)kind;
    (void)depth;
    (void)error;
    ++*(int *)ctx;
    return VV_OK;
}

static void groups_above_the_path_are_made(void **state)
{
    const char *source = make_zarr(in(*state, "a.zarr"), NULL, 3, 4);
    vv_error err = VV_ERROR_INIT;
    vv_store *store = new_store();
    int nodes = 0;

    assert_vv_ok(vv_dataset_import(source, store, "a/b", NULL, NULL, &err));
    assert_vv_ok(vv_node_walk(store, "", true, count_node, &nodes, &err));
    assert_int_equal(nodes, 4); /* the root, a, a/b, a/b/v */
    assert_numbers(store, "a/b/v", 3, 4);
    vv_store_free(store);
}

#define CONSOLIDATED                                     \
    "{\"zarr_format\": 3, \"node_type\": \"group\", "    \
    "\"attributes\": {\"title\": \"t\"}, "               \
    "\"consolidated_metadata\": {\"kind\": \"inline\", " \
    "\"must_understand\": false, \"metadata\": {}}}"

static bool is_consolidated(vv_store *store, const char *key)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf text = VV_BUF_INIT;
    bool found;

    assert_vv_ok(vv_store_get(store, key, VV_RANGE_ALL, &text, &err));
    found = memmem(text.data, text.len, "consolidated", 12) != NULL;
    vv_buf_clear(&text);
    return found;
}

static void consolidated_metadata_stays_only_where_it_is_all(void **state)
{
    const char *source = make_zarr(in(*state, "a.zarr"), NULL, 3, 4);
    vv_error err = VV_ERROR_INIT;
    vv_store *store = new_store();
    char path[4096];

    snprintf(path, sizeof(path), "%s/zarr.json", source);
    write_file(path, CONSOLIDATED, strlen(CONSOLIDATED));
    assert_vv_ok(vv_store_set(store, "zarr.json", vv_bytes_of(CONSOLIDATED), &err));
    assert_vv_ok(vv_dataset_import(source, store, "sub", NULL, NULL, &err));
    assert_true(is_consolidated(store, "sub/zarr.json"));
    assert_false(is_consolidated(store, "zarr.json"));
    /* Beside another array, what the source says of its own is not all. */
    assert_vv_ok(vv_group_create(store, "both", NULL, false, &err));
    make_numbers(store, "both/other", NULL, 5, 6);
    assert_vv_ok(vv_dataset_import(source, store, "both", NULL, NULL, &err));
    assert_false(is_consolidated(store, "both/zarr.json"));
    assert_numbers(store, "both/other", 5, 6);
    assert_numbers(store, "both/v", 3, 4);
    vv_store_free(store);
}

static void an_array_and_a_group_do_not_replace_each_other(void **state)
{
    const char *source = make_zarr(in(*state, "a.zarr"), NULL, 3, 4);
    vv_error err = VV_ERROR_INIT;
    vv_store *store = new_store();

    make_numbers(store, "g/v/w", NULL, 5, 6);
    assert_int_equal(vv_dataset_import(source, store, "g", NULL, NULL, &err), VV_EEXISTS);
    assert_non_null(strstr(err.message, "/g/v"));
    make_numbers(store, "x", NULL, 5, 6);
    assert_int_equal(vv_dataset_import(source, store, "x", NULL, NULL, &err), VV_EEXISTS);
    assert_int_equal(vv_dataset_import(source, store, "x/y", NULL, NULL, &err),
                     VV_EINVAL);
    assert_numbers(store, "g/v/w", 5, 6);
    assert_numbers(store, "x", 5, 6);
    vv_store_free(store);
}

static void an_array_without_a_group_is_refused_with_advice(void **state)
{
    const char *source = make_zarr(in(*state, "a.zarr"), NULL, 3, 4);
    vv_error err = VV_ERROR_INIT;
    vv_store *store = new_store();

    assert_int_equal(vv_dataset_import(in(source, "v"), store, "", NULL, NULL, &err),
                     VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "a.zarr/v is one Zarr array"));
    vv_store_free(store);
}

static vv_status import_twice(void *ctx)
{
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_store *store = NULL;
    vv_status status = vv_memory_store_new(&store, NULL);

    options.threads = 1;
    if (!status)
        status = vv_dataset_import(ctx, store, "a", &options, NULL, NULL);
    options.overwrite = true;
    if (!status)
        status = vv_dataset_import(ctx, store, "a", &options, NULL, NULL);
    vv_store_free(store);
    return status;
}

static void survives_any_failing_allocation(void **state)
{
    const char *source = make_zarr(in(*state, "a.zarr"), NULL, 3, 4);
    char path[4096];

    snprintf(path, sizeof(path), "%s/zarr.json", source);
    write_file(path, CONSOLIDATED, strlen(CONSOLIDATED));
    snprintf(path, sizeof(path), "%s", source);
    survives_failing_allocations(import_twice, path);
}

int main(void)
{
#define TEST(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(chunks_of_another_array_are_not_taken_for_stored),
        TEST(chunks_of_the_same_array_are_kept),
        TEST(a_chunk_that_the_source_lacks_is_not_left_from_before),
        TEST(groups_above_the_path_are_made),
        TEST(consolidated_metadata_stays_only_where_it_is_all),
        TEST(an_array_and_a_group_do_not_replace_each_other),
        TEST(an_array_without_a_group_is_refused_with_advice),
        TEST(survives_any_failing_allocation),
    };
#undef TEST

    return cmocka_run_group_tests_name("dataset/copy", tests, NULL, NULL);
}
