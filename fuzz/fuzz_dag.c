/* Links of blocks: whatever the bytes, reading them as DAG-CBOR, as a HAMT node of bare multihashes or as
 * DAG-PB ends, and a walk tells the block once. */
#include "fuzz.h"

#include "dag/links.h"
#include "util/buf.h"

static vv_status count(void *ctx, const vv_dag_visit *visit, vv_error *err)
{
    (void)err;
    CHECK(visit->status == VV_OK || visit->message[0]);
    ++*(size_t *)ctx;
    return VV_OK;
}

/* What was packed comes out again, link for link. */
static void check_packed(const vv_buf *links)
{
    vv_buf again = VV_BUF_INIT;
    vv_buf back = VV_BUF_INIT;

    for (size_t end = links->len; end;) {
        vvi_dag_link link;

        vvi_pending_before(links, &end, &link);
        CHECK(link.depth == 1);
        CHECK(vvi_pending_push(&again, &link, NULL) == VV_OK);
    }
    CHECK(vvi_pending_push_reversed(&back, &again, NULL) == VV_OK);
    CHECK(back.len == links->len &&
          (back.len == 0 || memcmp(back.data, links->data, back.len) == 0));
    vv_buf_clear(&again);
    vv_buf_clear(&back);
}

static void read_links(vvi_dag_form form, bool bare, vv_bytes data)
{
    vvi_dag_link block = { .form = form };
    vv_buf links = VV_BUF_INIT;

    if (vvi_dag_links(&block, data, bare, &links, NULL) == VV_OK) {
        check_packed(&links);
        /* An identity CID of one byte is the shortest link: five bytes, and what packing adds. */
        CHECK(links.len <= 16 * data.len + 16);
    }
    vv_buf_clear(&links);
}

static void walk(uint32_t codec, vv_bytes data)
{
    vv_cid_prefix prefix = { codec, VV_HASH_BLAKE3, 1, 32 };
    vv_dag_options options = VV_DAG_OPTIONS_INIT;
    vv_blockstore *store = NULL;
    size_t visits = 0;
    vv_cid root;

    CHECK(vv_memory_blockstore_new(&store, NULL) == VV_OK);
    CHECK(vv_blockstore_put(store, &prefix, data, &root, NULL) == VV_OK);
    options.bare_links = true;
    CHECK(vv_dag_walk(store, &root, 1, &options, count, &visits, NULL) == VV_OK);
    CHECK(visits >= 1);
    vv_blockstore_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    vv_bytes bytes = { data, len };

    read_links(VVI_DAG_CBOR, false, bytes);
    read_links(VVI_DAG_CBOR, true, bytes);
    read_links(VVI_DAG_PB, false, bytes);
    walk(VV_CODEC_DAG_CBOR, bytes);
    walk(VV_CODEC_DAG_PB, bytes);
    return 0;
}
