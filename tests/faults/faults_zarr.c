/* Arrays: made, written and read; an array that was there before stays as it was. */
#include "faults.h"

static const uint64_t shape[2] = { 10, 12 }, chunk_shape[2] = { 4, 5 };
static const uint64_t inner_shape[2] = { 2, 5 };
#define ELEMENTS 120

static bool in_shards; /* of the scenario that runs */

static vv_array_meta meta_of_test(void)
{
    vv_array_meta meta = VV_ARRAY_META_INIT;

    meta.dtype = VV_INT32;
    meta.ndim = 2;
    meta.shape = shape;
    meta.chunk_shape = chunk_shape;
    meta.inner_chunk_shape = in_shards ? inner_shape : NULL;
    meta.codecs = "zstd:1+crc32c";
    meta.attributes = "{\"units\":\"K\"}";
    return meta;
}

static void numbers(int32_t out[ELEMENTS], int32_t first)
{
    for (int32_t i = 0; i < ELEMENTS; i++)
        out[i] = first + i * i;
}

static vv_status write_array(vv_store *store, const char *path, int32_t first,
                             vv_error *err)
{
    const uint64_t start[2] = { 0, 0 };
    vv_array_meta meta = meta_of_test();
    vv_array *array = NULL;
    int32_t data[ELEMENTS];
    vv_status status = vv_array_create(store, path, &meta, false, &array, err);

    numbers(data, first);
    if (status == VV_OK)
        status = vv_array_write(array, start, shape, data, sizeof(data), err);
    vv_array_free(array);
    return status;
}

static vv_status read_array(vv_store *store, const char *path, int32_t first,
                            vv_error *err)
{
    const uint64_t start[2] = { 0, 0 };
    int32_t data[ELEMENTS], want[ELEMENTS];
    vv_array *array = NULL;
    vv_status status = vv_array_open(store, path, &array, err);

    numbers(want, first);
    if (status == VV_OK)
        status = vv_array_read(array, start, shape, NULL, data, sizeof(data), err);
    if (status == VV_OK)
        assert_memory_equal(data, want, sizeof(data));
    vv_array_free(array);
    return status;
}

static vv_status see_node(void *ctx, const char *path, vv_node_kind kind, uint32_t depth,
                          vv_error *err)
{
    (void)ctx;
    (void)path;
    (void)kind;
    (void)depth;
    (void)err;
    return VV_OK;
}

static void prepare_array(world *w)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(write_array(w->store, "kept", 5, &err));
}

static void prepare_memory(world *w)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_memory_store_new(&w->store, &err));
    prepare_array(w);
}

static void prepare_directory(world *w)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_directory_store_open(path_in(w, "zarr"), false, &w->store, &err));
    prepare_array(w);
}

static void prepare_shards(world *w)
{
    in_shards = true;
    prepare_directory(w);
}

/* A part of a shard, and rows behind the last. */
static vv_status use_shards(world *w, vv_error *err)
{
    const uint64_t start[2] = { 3, 2 }, count[2] = { 4, 6 };
    vv_array *array = NULL;
    int32_t data[ELEMENTS] = { 1, 2, 3 };
    vv_status status = write_array(w->store, "array", 7, err);

    if (status == VV_OK)
        status = vv_array_open(w->store, "array", &array, err);
    if (status == VV_OK)
        status = vv_array_write(array, start, count, data, 24 * sizeof(*data), err);
    if (status == VV_OK)
        status = vv_array_append(array, 0, 2, data, 24 * sizeof(*data), err);
    if (status == VV_OK)
        status = vv_array_read(array, start, count, NULL, data, 24 * sizeof(*data), err);
    if (status == VV_OK)
        assert_int_equal(data[2], 3);
    vv_array_free(array);
    return status;
}

static vv_status use_arrays(world *w, vv_error *err)
{
    vv_status status = vv_group_create(w->store, "group", "{\"title\":\"t\"}", false,
                                       err);

    if (status == VV_OK)
        status = write_array(w->store, "group/array", -3, err);
    if (status == VV_OK)
        status = read_array(w->store, "group/array", -3, err);
    if (status == VV_OK)
        status = vv_node_set_attributes(w->store, "group", "{\"title\":\"other\"}", err);
    if (status == VV_OK)
        status = vv_node_walk(w->store, "", true, see_node, NULL, err);
    return status;
}

static void check_arrays(world *w);

static void check_shards(world *w)
{
    check_arrays(w);
    in_shards = false;
}

static void check_arrays(world *w)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(read_array(w->store, "kept", 5, &err));
    assert_vv_ok(vv_node_walk(w->store, "", true, see_node, NULL, &err));
}

const scenario scenarios_zarr[] = {
    { "zarr: arrays in memory", false, prepare_memory, use_arrays, check_arrays },
    { "zarr: arrays in a directory", true, prepare_directory, use_arrays, check_arrays },
    { "zarr: shards in a directory", true, prepare_shards, use_shards, check_shards },
    { NULL, false, NULL, NULL, NULL },
};
