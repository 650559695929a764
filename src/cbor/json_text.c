#include "cbor/json.h"

#include "util/buf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static vv_status put_escaped(vv_buf *out, uint8_t c, vv_error *err)
{
    switch (c) {
    case '"':
        return vvi_buf_append_text(out, "\\\"", err);
    case '\\':
        return vvi_buf_append_text(out, "\\\\", err);
    case '\b':
        return vvi_buf_append_text(out, "\\b", err);
    case '\f':
        return vvi_buf_append_text(out, "\\f", err);
    case '\n':
        return vvi_buf_append_text(out, "\\n", err);
    case '\r':
        return vvi_buf_append_text(out, "\\r", err);
    case '\t':
        return vvi_buf_append_text(out, "\\t", err);
    default:
        return vvi_buf_printf(out, err, "\\u%04x", c);
    }
}

/*
 * Not json/write.c: DAG-JSON text keeps the bytes that other tools print (\b, \f, DEL as it is), and
 * Zarr documents keep theirs.
 */
vv_status vvi_json_put_text(vv_buf *out, vv_bytes text, vv_error *err)
{
    size_t plain = 0; /* start of what needs no escape */

    VVI_TRY(vvi_buf_append_byte(out, '"', err));
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        VVI_TRY(vvi_buf_append(out, vvi_bytes(text.data + plain, i - plain), err));
        VVI_TRY(put_escaped(out, c, err));
        plain = i + 1;
    }
    if (plain < text.len)
        VVI_TRY(vvi_buf_append(out, vvi_bytes(text.data + plain, text.len - plain), err));
    return vvi_buf_append_byte(out, '"', err);
}

/* The shortest decimal that reads back as the same number, always with a point or exponent. */
static vv_status put_float(vv_buf *out, double value, vv_error *err)
{
    char text[40];
    bool plain = true;

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    for (char *c = text; *c; c++) {
        if (!strchr("+-0123456789e", *c))
            *c = '.'; /* whatever the locale puts there */
        if (*c == '.' || *c == 'e')
            plain = false;
    }
    VVI_TRY(vvi_buf_append_text(out, text, err));
    return plain ? vvi_buf_append_text(out, ".0", err) : VV_OK;
}

/* {"/":{"bytes":"…"}}: base64 without filling and without the multibase prefix. */
static vv_status put_bytes(vv_buf *out, vv_bytes bytes, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status;

    VVI_TRY(vv_multibase_encode('m', bytes, &text, err));
    status = vvi_buf_append_text(out, "{\"/\":{\"bytes\":\"", err);
    if (!status)
        status = vvi_buf_append(out, vvi_bytes(text.data + 1, text.len - 1), err);
    if (!status)
        status = vvi_buf_append_text(out, "\"}}", err);
    vv_buf_clear(&text);
    return status;
}

static vv_status put_link(vv_buf *out, vv_bytes bytes, vv_error *err)
{
    char text[VV_CID_TEXT_MAX];
    vv_cid cid;

    VVI_TRY(vv_cid_from_bytes(bytes, &cid, err));
    vv_cid_format(&cid, text);
    return vvi_buf_printf(out, err, "{\"/\":\"%s\"}", text);
}

vv_status vvi_json_put_scalar(vv_buf *out, const vv_cbor_item *item, vv_error *err)
{
    switch (item->kind) {
    case VV_CBOR_NULL:
        return vvi_buf_append_text(out, "null", err);
    case VV_CBOR_BOOL:
        return vvi_buf_append_text(out, item->u.boolean ? "true" : "false", err);
    case VV_CBOR_UINT:
        return vvi_buf_printf(out, err, "%" PRIu64, item->u.uint);
    case VV_CBOR_NINT:
        if (item->u.uint == UINT64_MAX) /* one more has no 64-bit form */
            return vvi_buf_append_text(out, "-18446744073709551616", err);
        return vvi_buf_printf(out, err, "-%" PRIu64, item->u.uint + 1);
    case VV_CBOR_FLOAT:
        return put_float(out, item->u.real, err);
    case VV_CBOR_TEXT:
        return vvi_json_put_text(out, item->bytes, err);
    case VV_CBOR_BYTES:
        return put_bytes(out, item->bytes, err);
    default:
        return put_link(out, item->bytes, err);
    }
}
