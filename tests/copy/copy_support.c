#include "copy_support.h"

#include <stdio.h>

vv_store *new_memory_store(void)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    assert_vv_ok(vv_memory_store_new(&store, &err));
    return store;
}

vv_store *new_hamt_store(vv_blockstore *blocks, const vv_cid *root)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    assert_vv_ok(vv_hamt_store_open(blocks, root, NULL, &store, &err));
    return store;
}

vv_cid commit(vv_store *store)
{
    vv_error err = VV_ERROR_INIT;
    vv_cid root;

    assert_vv_ok(vv_store_commit(store, &root, &err));
    return root;
}

static void fill_array(vv_array *array, uint64_t seed)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    uint64_t start[VV_NDIM_MAX] = { 0 };
    uint64_t elements = 0;
    uint64_t chunk;
    vv_error err = VV_ERROR_INIT;
    int32_t *data;

    assert_vv_ok(vv_array_count(array, &elements, &err));
    if (!elements)
        return;
    data = calloc(elements, sizeof(*data));
    assert_non_null(data);
    for (uint64_t i = 0; i < elements; i++)
        data[i] = (int32_t)(next_random(&seed) % 1000) - 500;
    assert_vv_ok(
        vv_array_write(array, start, meta->shape, data, elements * sizeof(*data), &err));
    free(data);
    /* The first chunk is not stored: it reads as the fill value. */
    chunk = 1;
    for (uint32_t d = 0; d < meta->ndim; d++)
        chunk *= meta->chunk_shape[d];
    data = malloc(chunk * sizeof(*data));
    assert_non_null(data);
    for (size_t i = 0; i < chunk; i++)
        data[i] = -9;
    if (elements > 50)
        assert_vv_ok(vv_array_write_chunk(array, start, data, &err));
    free(data);
}

void make_array(vv_store *store, const char *path, uint32_t ndim, const uint64_t *shape,
                const uint64_t *chunk, uint64_t seed)
{
    static const char *const names[] = { "time", "lat", "lon", "lev" };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    int32_t fill = -9;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;

    meta.dtype = VV_INT32;
    meta.ndim = ndim;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    meta.fill_value = &fill;
    meta.codecs = seed % 2 ? "zstd:1" : "none";
    meta.dimension_names = names;
    meta.attributes = "{\"units\": \"K\", \"scale\": [1.0, 2]}";
    assert_vv_ok(vv_array_create(store, path, &meta, false, &array, &err));
    fill_array(array, seed);
    vv_array_free(array);
}

void make_hierarchy(vv_store *store, uint64_t seed)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_group_create(store, "", "{\"title\": \"test\"}", false, &err));
    assert_vv_ok(vv_group_create(store, "ocean/deep", NULL, false, &err));
    make_array(store, "time", 1, (uint64_t[]){ 20 }, (uint64_t[]){ 20 }, seed);
    make_array(store, "ocean/temp", 3, (uint64_t[]){ 20, 17, 9 }, (uint64_t[]){ 3, 8, 9 },
               seed + 1);
    make_array(store, "ocean/deep/salt", 2, (uint64_t[]){ 31, 12 }, (uint64_t[]){ 4, 5 },
               seed + 2);
    make_array(store, "scalar", 0, NULL, NULL, seed + 3);
}

void *read_all(vv_store *store, const char *path, size_t *bytes)
{
    uint64_t start[VV_NDIM_MAX] = { 0 };
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    uint64_t elements = 0;
    void *data;

    assert_vv_ok(vv_array_open(store, path, &array, &err));
    assert_vv_ok(vv_array_count(array, &elements, &err));
    *bytes = elements * vv_dtype_size(vv_array_get_meta(array)->dtype);
    data = malloc(*bytes + 1);
    assert_non_null(data);
    assert_vv_ok(vv_array_read(array, start, vv_array_get_meta(array)->shape, NULL, data,
                               *bytes, &err));
    vv_array_free(array);
    return data;
}

void write_one(vv_store *store, const char *path, const uint64_t *index, int32_t value)
{
    uint64_t count[VV_NDIM_MAX];
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;

    for (size_t i = 0; i < VV_NDIM_MAX; i++)
        count[i] = 1;
    assert_vv_ok(vv_array_open(store, path, &array, &err));
    assert_vv_ok(vv_array_write(array, index, count, &value, sizeof(value), &err));
    vv_array_free(array);
}

void assert_same_array(vv_store *a, const char *a_path, vv_store *b, const char *b_path)
{
    vv_error err = VV_ERROR_INIT;
    vv_array *x = NULL;
    vv_array *y = NULL;
    const vv_array_meta *p;
    const vv_array_meta *q;
    size_t n = 0;
    size_t m = 0;
    void *left = read_all(a, a_path, &n);
    void *right = read_all(b, b_path, &m);

    assert_vv_ok(vv_array_open(a, a_path, &x, &err));
    assert_vv_ok(vv_array_open(b, b_path, &y, &err));
    p = vv_array_get_meta(x);
    q = vv_array_get_meta(y);
    assert_int_equal(p->dtype, q->dtype);
    assert_int_equal(p->ndim, q->ndim);
    if (p->ndim)
        assert_memory_equal(p->shape, q->shape, p->ndim * sizeof(*p->shape));
    assert_string_equal(p->attributes, q->attributes);
    for (uint32_t d = 0; d < p->ndim; d++)
        assert_string_equal(p->dimension_names[d], q->dimension_names[d]);
    assert_int_equal(n, m);
    assert_memory_equal(left, right, n);
    vv_array_free(x);
    vv_array_free(y);
    free(left);
    free(right);
}

static vv_status count_key(void *ctx, const char *key, vv_error *err)
{
    (void)key;
    (void)err;
    ++*(uint64_t *)ctx;
    return VV_OK;
}

uint64_t count_keys(vv_store *store, const char *prefix)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t count = 0;

    assert_vv_ok(vv_store_list(store, prefix, count_key, &count, &err));
    return count;
}

bool key_exists(vv_store *store, const char *key)
{
    vv_error err = VV_ERROR_INIT;
    bool there = false;

    assert_vv_ok(vv_store_exists(store, key, &there, &err));
    return there;
}
