#include <varvite/cbor.h>

#include "cbor/head.h"
#include "cbor/utf8.h"
#include "util/buf.h"

#include <math.h>
#include <string.h>

/* Append a head and the bytes behind it. */
static vv_status put(vv_buf *out, unsigned major, uint64_t argument, vv_bytes bytes,
                     vv_error *err)
{
    size_t n;

    VVI_TRY(vvi_buf_reserve(out, VVI_CBOR_HEAD_MAX + bytes.len, err));
    n = vvi_cbor_put_head(out->data + out->len, major, argument);
    if (bytes.len)
        memcpy(out->data + out->len + n, bytes.data, bytes.len);
    out->len += n + bytes.len;
    return VV_OK;
}

static const vv_bytes nothing = { NULL, 0 };

vv_status vv_cbor_put_null(vv_buf *out, vv_error *err)
{
    return vvi_buf_append_byte(out, VVI_CBOR_NULL, err);
}

vv_status vv_cbor_put_bool(vv_buf *out, bool value, vv_error *err)
{
    return vvi_buf_append_byte(out, value ? VVI_CBOR_TRUE : VVI_CBOR_FALSE, err);
}

vv_status vv_cbor_put_uint(vv_buf *out, uint64_t value, vv_error *err)
{
    return put(out, VVI_CBOR_UINT, value, nothing, err);
}

vv_status vv_cbor_put_nint(vv_buf *out, uint64_t value, vv_error *err)
{
    return put(out, VVI_CBOR_NINT, value, nothing, err);
}

vv_status vv_cbor_put_int(vv_buf *out, int64_t value, vv_error *err)
{
    /* ~value is -1 - value, and cannot overflow. */
    return value < 0 ? vv_cbor_put_nint(out, (uint64_t)~value, err)
                     : vv_cbor_put_uint(out, (uint64_t)value, err);
}

vv_status vv_cbor_put_float(vv_buf *out, double value, vv_error *err)
{
    uint8_t bytes[9] = { VVI_CBOR_FLOAT };
    uint64_t bits;

    if (!isfinite(value))
        return vvi_fail(err, VV_EINVAL, "DAG-CBOR has no NaN and no infinities");
    memcpy(&bits, &value, sizeof(bits));
    vvi_put_be64(bytes + 1, bits);
    return vvi_buf_append(out, vvi_bytes(bytes, sizeof(bytes)), err);
}

vv_status vv_cbor_put_text(vv_buf *out, vv_bytes text, vv_error *err)
{
    size_t good = vvi_utf8_span(text);

    if (good != text.len)
        return vvi_fail(err, VV_EINVAL, "a text is not UTF-8 at byte %zu", good);
    return put(out, VVI_CBOR_TEXT, text.len, text, err);
}

vv_status vv_cbor_put_bytes(vv_buf *out, vv_bytes bytes, vv_error *err)
{
    return put(out, VVI_CBOR_BYTES, bytes.len, bytes, err);
}

vv_status vv_cbor_put_list(vv_buf *out, uint64_t count, vv_error *err)
{
    return put(out, VVI_CBOR_LIST, count, nothing, err);
}

vv_status vv_cbor_put_map(vv_buf *out, uint64_t count, vv_error *err)
{
    return put(out, VVI_CBOR_MAP, count, nothing, err);
}

vv_status vv_cbor_put_link(vv_buf *out, const vv_cid *cid, vv_error *err)
{
    uint8_t bytes[1 + VV_CID_BYTES_MAX];
    size_t len;
    uint8_t *p;

    bytes[0] = 0;
    vv_cid_to_bytes(cid, bytes + 1, &len);
    if (cid->version == VV_CID_BARE)
        return vv_cbor_put_bytes(out, vvi_bytes(bytes + 1, len), err);
    VVI_TRY(vvi_buf_reserve(out, 2 * VVI_CBOR_HEAD_MAX + 1 + len, err));
    p = out->data + out->len;
    p += vvi_cbor_put_head(p, VVI_CBOR_TAG, VVI_CBOR_LINK_TAG);
    p += vvi_cbor_put_head(p, VVI_CBOR_BYTES, 1 + len);
    memcpy(p, bytes, 1 + len);
    out->len = (size_t)(p + 1 + len - out->data);
    return VV_OK;
}

int vv_cbor_key_cmp(vv_bytes a, vv_bytes b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len ? memcmp(a.data, b.data, a.len) : 0;
}
