/* DAG-CBOR has one encoding a value, so what is read and written again is the same bytes. */
#include "fuzz.h"

#include "cbor/reader.h"
#include "util/buf.h"

static vv_status put_link(const vv_cbor_item *item, vv_buf *out)
{
    vv_cid cid;

    CHECK(vv_cid_from_bytes(item->bytes, &cid, NULL) == VV_OK);
    CHECK(cid.version != VV_CID_BARE);
    return vv_cbor_put_link(out, &cid, NULL);
}

static vv_status put_item(const vv_cbor_item *item, vv_buf *out)
{
    switch (item->kind) {
    case VV_CBOR_NULL:
        return vv_cbor_put_null(out, NULL);
    case VV_CBOR_BOOL:
        return vv_cbor_put_bool(out, item->u.boolean, NULL);
    case VV_CBOR_UINT:
        return vv_cbor_put_uint(out, item->u.uint, NULL);
    case VV_CBOR_NINT:
        return vv_cbor_put_nint(out, item->u.uint, NULL);
    case VV_CBOR_FLOAT:
        return vv_cbor_put_float(out, item->u.real, NULL);
    case VV_CBOR_TEXT:
        return vv_cbor_put_text(out, item->bytes, NULL);
    case VV_CBOR_BYTES:
        return vv_cbor_put_bytes(out, item->bytes, NULL);
    case VV_CBOR_LIST:
        return vv_cbor_put_list(out, item->u.count, NULL);
    case VV_CBOR_MAP:
        return vv_cbor_put_map(out, item->u.count, NULL);
    case VV_CBOR_LINK:
        return put_link(item, out);
    }
    return VV_EINVAL;
}

static vv_status count_link(void *ctx, const vv_cid *link, vv_error *err)
{
    (void)link;
    (void)err;
    ++*(size_t *)ctx;
    return VV_OK;
}

/* Passing over the members of the outermost value reads exactly that value. */
static void check_skip(vv_bytes input, vv_status whole)
{
    vv_cbor_reader reader;
    vv_cbor_item item;
    vv_status status;

    vvi_cbor_reader_init(&reader, input);
    status = vv_cbor_next(&reader, &item, NULL);
    if (!status)
        status = vvi_cbor_skip(&reader, &item, NULL);
    if (!whole)
        CHECK(!status && vvi_cbor_at_end(&reader));
    vvi_cbor_reader_clear(&reader);
}

static void check_json(vv_bytes input)
{
    vv_buf compact = VV_BUF_INIT;
    vv_buf pretty = VV_BUF_INIT;
    vv_status status = vv_cbor_to_json(input, false, &compact, NULL);

    CHECK(status == VV_OK || status == VV_EUNSUPPORTED);
    CHECK(vv_cbor_to_json(input, true, &pretty, NULL) == status);
    CHECK(pretty.len >= compact.len && pretty.len <= 256 * input.len);
    vv_buf_clear(&compact);
    vv_buf_clear(&pretty);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    vv_bytes input = { data, len };
    vv_error err = VV_ERROR_INIT;
    vv_cbor_reader *reader = NULL;
    vv_buf again = VV_BUF_INIT;
    vv_cbor_item item;
    vv_status status;
    size_t links = 0;
    size_t visited = 0;

    CHECK(vv_cbor_reader_new(input, &reader, NULL) == VV_OK);
    while ((status = vv_cbor_next(reader, &item, &err)) == VV_OK) {
        links += item.kind == VV_CBOR_LINK;
        CHECK(put_item(&item, &again) == VV_OK);
    }
    vv_cbor_reader_free(reader);
    CHECK(again.len <= len &&
          (again.len == 0 || memcmp(again.data, data, again.len) == 0));
    if (status == VV_ENOTFOUND) {
        CHECK(again.len == len);
        CHECK(vv_cbor_validate(input, NULL) == VV_OK);
        CHECK(vv_cbor_links(input, count_link, &visited, NULL) == VV_OK &&
              visited == links);
        check_json(input);
    } else {
        CHECK(vv_cbor_validate(input, NULL) == status);
        CHECK(err.status == status && err.message[0]);
    }
    check_skip(input, status == VV_ENOTFOUND ? VV_OK : status);
    vv_buf_clear(&again);
    return 0;
}
