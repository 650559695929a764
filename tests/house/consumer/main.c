/* A program outside the tree: sees what is installed and nothing else. Its calls reach every
 * library that a static link must find. */
#include <varvite/varvite.h>

#include <stdio.h>
#include <string.h>

static int fail(const char *what, const vv_error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->message);
    return 1;
}

/* A map in memory, with one key. */
static int use_map(void)
{
    vv_error err = VV_ERROR_INIT;
    vv_blockstore *blocks = NULL;
    vv_store *store = NULL;
    vv_buf value = VV_BUF_INIT;
    vv_cid root;
    int bad = 0;

    if (vv_memory_blockstore_new(&blocks, &err) ||
        vv_hamt_store_open(blocks, NULL, NULL, &store, &err) ||
        vv_store_set(store, "key", vv_bytes_of("value"), &err) ||
        vv_store_commit(store, &root, &err) ||
        vv_store_get(store, "key", VV_RANGE_ALL, &value, &err))
        bad = fail("map", &err);
    else if (value.len != 5 || memcmp(value.data, "value", 5) != 0)
        bad = fail("another value", &err);
    vv_buf_clear(&value);
    vv_store_free(store);
    vv_blockstore_free(blocks);
    return bad;
}

/* An array of one chunk and its codecs. */
static int use_array(void)
{
    const uint64_t shape[1] = { 3 }, start[1] = { 0 };
    const double numbers[3] = { 1, 2, 3 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    vv_array *array = NULL;
    double back[3] = { 0 };
    int bad = 0;

    meta.dtype = VV_FLOAT64;
    meta.ndim = 1;
    meta.shape = meta.chunk_shape = shape;
    meta.codecs = "blosc:zstd:3+gzip:5+crc32c";
    if (vv_memory_store_new(&store, &err) ||
        vv_array_create(store, "a", &meta, false, &array, &err) ||
        vv_array_write(array, start, shape, numbers, sizeof(numbers), &err) ||
        vv_array_read(array, start, shape, NULL, back, sizeof(back), &err))
        bad = fail("array", &err);
    else if (memcmp(back, numbers, sizeof(back)) != 0)
        bad = fail("other numbers", &err);
    vv_array_free(array);
    vv_store_free(store);
    return bad;
}

/* What is not there is said to be not there. */
static int use_files(void)
{
    vv_error err = VV_ERROR_INIT;
    vv_blockstore *blocks = NULL;
    vv_store *store = NULL;
    int bad = 0;

    if (vv_memory_store_new(&store, &err))
        return fail("store", &err);
    if (vv_local_open("/nowhere", NULL, &blocks, &err) != VV_ENOTFOUND)
        bad = fail("a store that is not there", &err);
    if (vv_dataset_import("/nowhere.nc", store, "", NULL, NULL, &err) != VV_ENOTFOUND)
        bad = fail("a file that is not there", &err);
    vv_store_free(store);
    return bad;
}

int main(void)
{
    char version[32];

    snprintf(version, sizeof(version), "%d.%d.%d", VV_VERSION_MAJOR, VV_VERSION_MINOR,
             VV_VERSION_PATCH);
    if (strcmp(vv_version(), version) != 0) {
        fprintf(stderr, "library %s, headers %s\n", vv_version(), version);
        return 1;
    }
    if (use_map() || use_array() || use_files())
        return 1;
    printf("varvite %s\n", vv_version());
    return 0;
}
