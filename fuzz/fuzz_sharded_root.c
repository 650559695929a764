/*
 * A block that is opened as the root of a sharded store, of either version: it is taken or refused, and what
 * is taken is written as a root that is taken again and written the same; its keys can be told, or a shard is
 * found missing.
 */
#include "fuzz.h"

#include "sharded/store.h"
#include "util/buf.h"

static vv_status ignore_key(void *ctx, const char *key, vv_error *err)
{
    (void)ctx;
    (void)err;
    CHECK(key != NULL);
    return VV_OK;
}

static vv_status ignore_array(void *ctx, const vv_sharded_array *array, vv_error *err)
{
    (void)ctx;
    (void)err;
    CHECK(array->chunks_per_shard > 0);
    return VV_OK;
}

/* Open a root, and write it as things are then. */
static vv_status open_and_write(vv_blockstore *blocks, vv_bytes block, vv_store **store,
                                vv_buf *out)
{
    const vv_cid_prefix prefix = VV_PREFIX_CBOR_BLAKE3;
    vvi_sharded *shared;
    vv_status status;
    vv_cid root;

    CHECK(vv_blockstore_put(blocks, &prefix, block, &root, NULL) == VV_OK);
    status = vv_sharded_store_open(blocks, &root, NULL, store, NULL);
    if (status)
        return status;
    CHECK(vvi_sharded_begin(*store, &shared, NULL) == VV_OK);
    status = vvi_sharded_encode(shared, out, NULL);
    vvi_sharded_end(shared);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    vv_blockstore *blocks = NULL;
    vv_store *store = NULL, *again = NULL;
    vv_buf first = VV_BUF_INIT, second = VV_BUF_INIT;
    vv_status status;

    CHECK(vv_memory_blockstore_new(&blocks, NULL) == VV_OK);
    status = open_and_write(blocks, vvi_bytes(data, len), &store, &first);
    if (status == VV_OK) {
        status = vv_store_list(store, "", ignore_key, NULL, NULL);
        CHECK(status == VV_OK || status == VV_ECORRUPT || status == VV_EUNSUPPORTED);
        CHECK(vv_store_list_dir(store, "", ignore_key, NULL, NULL) == VV_OK);
        CHECK(vv_sharded_store_arrays(store, ignore_array, NULL, NULL) == VV_OK);
        CHECK(open_and_write(blocks, vvi_buf_bytes(&first), &again, &second) == VV_OK);
        CHECK(vvi_bytes_equal(vvi_buf_bytes(&first), vvi_buf_bytes(&second)));
    }
    vv_buf_clear(&second);
    vv_buf_clear(&first);
    vv_store_free(again);
    vv_store_free(store);
    vv_blockstore_free(blocks);
    return 0;
}
