/*
 * A block that is read as a node: strict DAG-CBOR accepts it too, it is written back as it was,
 * and a changed copy of it is again a node.
 */
#include "fuzz.h"

#include "hamt/node.h"
#include "util/buf.h"

#include <varvite/cbor.h>

static vv_bytes no_kid(void *ctx, const vvi_node *kid)
{
    (void)ctx;
    (void)kid;
    abort();
}

static void encode(const vvi_node *node, vv_buf *out)
{
    CHECK(vvi_buf_reserve(out, node->size, NULL) == VV_OK);
    vvi_node_encode(node, no_kid, NULL, out->data);
    out->len = node->size;
}

static vvi_node *decode(vv_bytes block)
{
    vv_buf copy = VV_BUF_INIT;
    vvi_node *node = NULL;
    vv_status status;

    CHECK(vvi_buf_set(&copy, block, NULL) == VV_OK);
    status = vvi_node_decode(vvi_buf_bytes(&copy), vvi_bytes(NULL, 0), &node, NULL);
    CHECK(status == VV_OK || status == VV_ECORRUPT || status == VV_EUNSUPPORTED);
    vv_buf_clear(&copy);
    return node;
}

/* Every link can be taken apart and put together; every key is found where it lies. */
static void check_elements(const vvi_node *node)
{
    VVI_EACH_SLOT(slot, &node->used)
    {
        vvi_bucket_cursor cursor;
        vvi_entry entry;
        vv_bytes found;
        vvi_link again;
        vv_cid cid;

        if (vvi_slot_has(&node->links, slot)) {
            CHECK(vvi_link_to_cid(vvi_node_link(node, slot), &cid, NULL) == VV_OK);
            continue;
        }
        cursor = vvi_bucket_begin(vvi_node_element(node, slot).data);
        while (vvi_bucket_next(&cursor, &entry)) {
            CHECK(vvi_link_to_cid(entry.link, &cid, NULL) == VV_OK);
            vvi_link_of_cid(&cid, &again);
            CHECK(vvi_bytes_equal(vvi_bytes(again.bytes, again.len), entry.link));
            CHECK(vvi_node_find(node, slot, entry.key, &found));
            CHECK(found.data == entry.link.data && found.len == entry.link.len);
        }
    }
}

/* Take the first key of each bucket out, put it back, and read the result. */
static void change(const vvi_node *node, vv_bytes block)
{
    vvi_node *copy = NULL;
    vvi_node *again;
    vv_buf out = VV_BUF_INIT;

    CHECK(vvi_node_copy(node, &copy, NULL) == VV_OK);
    VVI_EACH_SLOT(slot, &node->used)
    {
        vvi_bucket_cursor cursor;
        vvi_entry entry;
        vv_bytes link;

        if (vvi_slot_has(&node->links, slot))
            continue;
        cursor = vvi_bucket_begin(vvi_node_element(node, slot).data);
        CHECK(vvi_bucket_next(&cursor, &entry));
        CHECK(vvi_node_remove(copy, slot, entry.key, NULL) == VV_OK);
        CHECK(!vvi_node_find(copy, slot, entry.key, &link));
        cursor = vvi_bucket_begin(vvi_node_element(node, slot).data);
        CHECK(vvi_bucket_next(&cursor, &entry));
        CHECK(vvi_node_put(copy, slot, entry.key, entry.link, NULL) == VV_OK);
    }
    encode(copy, &out);
    CHECK(vvi_bytes_equal(vvi_buf_bytes(&out), block));
    again = decode(vvi_buf_bytes(&out));
    CHECK(again);
    vvi_node_release(again);
    vvi_node_release(copy);
    vv_buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    vv_bytes block = { data, len };
    vvi_node *node = decode(block);
    vv_buf out = VV_BUF_INIT;

    if (!node)
        return 0;
    CHECK(vv_cbor_validate(block, NULL) == VV_OK);
    encode(node, &out);
    CHECK(vvi_bytes_equal(vvi_buf_bytes(&out), block));
    check_elements(node);
    change(node, block);
    vvi_node_release(node);
    vv_buf_clear(&out);
    return 0;
}
