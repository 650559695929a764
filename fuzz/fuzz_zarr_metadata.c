/*
 * Input: a zarr.json, or a .zarray of Zarr version 2, a zero byte, the bytes of chunk 0. Whatever they
 * are, nothing but an error may come of them; what opens writes a document that opens as the same.
 */
#include "fuzz.h"

#define READ_MAX ((uint64_t)1 << 16) /* elements of a chunk that is decoded here */
#define ITEM_MAX 4096                /* bytes of each */

static void read_first_chunk(vv_store *store, vv_array *array, vv_bytes chunk)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    uint64_t index[VV_NDIM_MAX] = { 0 };
    uint64_t count[VV_NDIM_MAX];
    uint64_t elements = 1;
    uint64_t part = 1;
    vv_buf key = VV_BUF_INIT;
    uint8_t *out;

    if (meta->item_size > ITEM_MAX)
        return;
    for (uint32_t i = 0; i < meta->ndim; i++) {
        if (meta->chunk_shape[i] > READ_MAX || meta->shape[i] == 0)
            return;
        elements *= meta->chunk_shape[i];
        if (elements > READ_MAX)
            return;
        count[i] = meta->shape[i] < 3 ? meta->shape[i] : 3;
        part *= count[i];
        if (part > READ_MAX)
            return;
    }
    out = malloc((size_t)((elements > part ? elements : part) * meta->item_size));
    CHECK(out);
    CHECK(vv_array_chunk_key(array, index, &key, NULL) == VV_OK);
    CHECK(vv_store_set(store, (const char *)key.data, chunk, NULL) == VV_OK);
    if (vv_array_read_chunk(array, index, out, NULL) == VV_OK) {
        char shown[40];

        (void)vv_array_element_format(array, out, shown, sizeof(shown));
        CHECK(vv_array_write_chunk(array, index, out, NULL) == VV_OK);
        CHECK(vv_array_read(array, index, count, NULL, out,
                            (size_t)part * meta->item_size, NULL) == VV_OK);
    }
    free(out);
    vv_buf_clear(&key);
}

static void open_again(vv_store *store, const vv_array *array)
{
    vv_array *again = NULL;
    vv_buf text = VV_BUF_INIT;
    vv_buf other = VV_BUF_INIT;

    CHECK(vv_array_metadata_json(array, &text, NULL) == VV_OK);
    CHECK(vv_store_set(store, "y/zarr.json", (vv_bytes){ text.data, text.len }, NULL) ==
          VV_OK);
    CHECK(vv_array_open(store, "y", &again, NULL) == VV_OK);
    CHECK(vv_array_metadata_json(again, &other, NULL) == VV_OK);
    CHECK(text.len == other.len && memcmp(text.data, other.data, text.len) == 0);
    vv_array_free(again);
    vv_buf_clear(&text);
    vv_buf_clear(&other);
}

static vv_status see(void *ctx, const char *path, vv_node_kind kind, uint32_t depth,
                     vv_error *err)
{
    (void)ctx;
    (void)path;
    (void)kind;
    (void)depth;
    (void)err;
    return VV_OK;
}

/* As a group that holds the metadata of all below it. */
static void read_consolidated(vv_store *store, const char *path)
{
    vv_store *all = NULL;

    if (vv_consolidated_store_open(store, path, &all, NULL) == VV_OK)
        (void)vv_node_walk(all, path, true, see, NULL, NULL);
    vv_store_free(all);
}

/* Cut in half and made as long as before; chunks that no test should hold are left alone. */
static void resize(vv_array *array)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    uint64_t shape[VV_NDIM_MAX], half[VV_NDIM_MAX];
    uint64_t elements = 1;

    for (uint32_t i = 0; i < meta->ndim; i++) {
        if (meta->chunk_shape[i] > READ_MAX)
            return;
        elements *= meta->chunk_shape[i];
        if (elements > READ_MAX)
            return;
        shape[i] = meta->shape[i];
        half[i] = shape[i] / 2;
    }
    if (meta->item_size <= ITEM_MAX && vv_array_resize(array, half, NULL) == VV_OK)
        (void)vv_array_resize(array, shape, NULL);
}

/* The same text as a node of version 2, and as its attributes. */
static void read_version_2(vv_store *store, vv_bytes document, vv_bytes chunk)
{
    vv_array *array = NULL;
    vv_node_kind kind;
    vv_buf text = VV_BUF_INIT;

    CHECK(vv_store_set(store, "z/.zarray", document, NULL) == VV_OK);
    (void)vv_node_kind_of(store, "z", &kind, NULL);
    if (vv_array_open(store, "z", &array, NULL) == VV_OK) {
        open_again(store, array);
        read_first_chunk(store, array, chunk);
    }
    CHECK(vv_store_set(store, "z/.zattrs", document, NULL) == VV_OK);
    (void)vv_node_attributes(store, "z", &text, NULL);
    vv_array_free(array);
    vv_buf_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *zero = len ? memchr(data, 0, len) : NULL;
    size_t json = zero ? (size_t)(zero - data) : len;
    vv_bytes chunk = { zero ? zero + 1 : data + len, zero ? len - json - 1 : 0 };
    vv_store *store = NULL;
    vv_array *array = NULL;
    vv_node_kind kind;
    vv_buf text = VV_BUF_INIT;

    CHECK(vv_memory_store_new(&store, NULL) == VV_OK);
    CHECK(vv_store_set(store, "x/zarr.json", (vv_bytes){ data, json }, NULL) == VV_OK);
    (void)vv_node_kind_of(store, "x", &kind, NULL);
    if (vv_node_attributes(store, "x", &text, NULL) == VV_OK)
        CHECK(vv_node_set_attributes(store, "x", (const char *)text.data, NULL) == VV_OK);
    if (vv_array_open(store, "x", &array, NULL) == VV_OK) {
        open_again(store, array);
        read_first_chunk(store, array, chunk);
        resize(array);
    }
    read_consolidated(store, "x");
    CHECK(vv_store_set(store, "all/.zmetadata", (vv_bytes){ data, json }, NULL) == VV_OK);
    read_consolidated(store, "all");
    read_version_2(store, (vv_bytes){ data, json }, chunk);
    vv_array_free(array);
    vv_buf_clear(&text);
    vv_store_free(store);
    return 0;
}
