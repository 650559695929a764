/* Copies into a directory: what is there afterwards are whole arrays, and the next copy completes it. */
#include "faults.h"

#define ELEMENTS 120u

static const uint64_t shape[2] = { 10, 12 }, chunk_shape[2] = { 4, 5 };

static void make_source_array(vv_store *store, const char *path, int32_t first)
{
    const uint64_t start[2] = { 0, 0 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    int32_t data[ELEMENTS];
    vv_array *array = NULL;

    for (size_t i = 0; i < ELEMENTS; i++)
        data[i] = first + (int32_t)(i * i);
    meta.dtype = VV_INT32;
    meta.ndim = 2;
    meta.shape = shape;
    meta.chunk_shape = chunk_shape;
    meta.codecs = "zstd:1";
    assert_vv_ok(vv_array_create(store, path, &meta, false, &array, &err));
    assert_vv_ok(vv_array_write(array, start, shape, data, sizeof(data), &err));
    vv_array_free(array);
}

static void prepare_two_arrays(world *w)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_memory_store_new(&w->store, &err));
    make_source_array(w->store, "a", 1);
    make_source_array(w->store, "deep/b", -7);
}

/* One array is cut anew, the other one is copied as it is stored. */
static vv_copy_options options_of_test(void)
{
    static const char *const chosen[] = { "deep/b" };
    vv_copy_options options = VV_COPY_OPTIONS_INIT;

    options.chunks = "3,7";
    options.arrays = chosen;
    options.array_count = 1;
    options.threads = 1;
    options.source_name = "two arrays";
    return options;
}

static vv_status copy_into_directory(world *w, vv_error *err)
{
    vv_copy_options options = options_of_test();
    vv_store *out = NULL;
    vv_status status = vv_directory_store_open(path_in(w, "out"), false, &out, err);

    if (status == VV_OK)
        status = vv_copy(w->store, "", out, "", &options, NULL, err);
    if (status == VV_OK)
        status = vv_store_flush(out, err);
    if (status == VV_OK)
        w->acked = 1;
    vv_store_free(out);
    return status;
}

static void read_all(vv_store *store, const char *path, int32_t *out, bool *there)
{
    const uint64_t start[2] = { 0, 0 };
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    vv_node_kind kind = VV_NODE_NONE;

    assert_vv_ok(vv_node_kind_of(store, path, &kind, &err));
    *there = kind == VV_NODE_ARRAY;
    if (!*there)
        return;
    assert_vv_ok(vv_array_open(store, path, &array, &err));
    assert_vv_ok(
        vv_array_read(array, start, shape, NULL, out, ELEMENTS * sizeof(*out), &err));
    vv_array_free(array);
}

static size_t count_whole_arrays(world *w, vv_store *out)
{
    static const char *const paths[] = { "a", "deep/b" };
    int32_t want[ELEMENTS];
    int32_t have[ELEMENTS];
    size_t count = 0;

    for (size_t i = 0; i < 2; i++) {
        bool there = false;

        read_all(w->store, paths[i], want, &there);
        assert_true(there);
        read_all(out, paths[i], have, &there);
        if (there)
            assert_memory_equal(have, want, sizeof(want));
        count += there;
    }
    return count;
}

static void check_copy(world *w)
{
    vv_copy_options options = options_of_test();
    vv_error err = VV_ERROR_INIT;
    vv_store *out = NULL;
    size_t whole;
    vv_status status;

    assert_vv_ok(vv_directory_store_open(path_in(w, "out"), false, &out, &err));
    whole = count_whole_arrays(w, out);
    if (w->acked)
        assert_int_equal(whole, 2);
    options.resume = true;
    status = vv_copy(w->store, "", out, "", &options, NULL, &err);
    if (status == VV_EEXISTS) /* it was complete */
        assert_int_equal(whole, 2);
    else
        assert_vv_ok(status);
    assert_int_equal(count_whole_arrays(w, out), 2);
    vv_store_free(out);
}

static vv_status compare_both(world *w, vv_error *err)
{
    vv_diff_options options = VV_DIFF_OPTIONS_INIT;
    vv_diff_result result;
    vv_status status;

    options.values = true;
    options.threads = 1;
    status = vv_diff(w->store, "a", w->store, "deep/b", &options, NULL, NULL, &result,
                     err);
    if (status == VV_OK)
        assert_int_equal(result.values_differing, ELEMENTS);
    return status;
}

static void check_nothing(world *w)
{
    (void)w;
}

const scenario scenarios_copy[] = {
    { "copy: into a directory", true, prepare_two_arrays, copy_into_directory,
      check_copy },
    { "copy: a comparison", false, prepare_two_arrays, compare_both, check_nothing },
    { NULL, false, NULL, NULL, NULL },
};
