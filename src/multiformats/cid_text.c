#include <varvite/cid.h>

#include "multiformats/multibase.h"
#include "util/buf.h"

#include <string.h>

#define V0_TEXT_LEN 46 /* Qm… */

/* py-hamt's bare multihashes are printed as f1e20 and 64 digits; nothing else is read so. */
#define BARE_TEXT_LEN 69

static vv_status parse_text(vv_bytes text, vv_cid *out, vv_error *err)
{
    uint8_t bytes[VV_CID_TEXT_MAX];
    const vvi_base *base;
    size_t used;
    size_t len;

    if (text.len == 0)
        return vvi_fail(err, VV_EINVAL, "the text is empty");
    if (text.len >= VV_CID_TEXT_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED, "%zu characters; %d are the most", text.len,
                        VV_CID_TEXT_MAX - 1);
    if (text.len == V0_TEXT_LEN && text.data[0] == 'Q' && text.data[1] == 'm') {
        VVI_TRY(vvi_base_decode(vvi_base_find('z'), text, bytes, &len, err));
        return vv_cid_from_bytes(vvi_bytes(bytes, len), out, err);
    }
    base = vvi_base_find((char)text.data[0]);
    if (!base)
        return vvi_fail(err, VV_EINVAL, "no multibase has the prefix 0x%02x",
                        text.data[0]);
    VVI_TRY(
        vvi_base_decode(base, vvi_bytes(text.data + 1, text.len - 1), bytes, &len, err));
    if (len && bytes[0] == VV_HASH_SHA2_256)
        return vvi_fail(err, VV_EINVAL, "a CID of version 0 takes no multibase prefix");
    if (base->prefix == 'f' && text.len == BARE_TEXT_LEN && bytes[0] == VV_HASH_BLAKE3 &&
        bytes[1] == VV_BLAKE3_SIZE)
        return vv_cid_read(vvi_bytes(bytes, len), out, &used, err);
    return vv_cid_from_bytes(vvi_bytes(bytes, len), out, err);
}

vv_status vv_cid_parse(const char *text, vv_cid *out, vv_error *err)
{
    vv_status status = parse_text(vv_bytes_of(text), out, err);

    return status ? vvi_wrap(err, status, "'%.100s' is no CID", text ? text : "") : VV_OK;
}

static void format(const vv_cid *cid, const vvi_base *base, bool with_prefix,
                   char out[VV_CID_TEXT_MAX])
{
    uint8_t bytes[VV_CID_BYTES_MAX];
    size_t len;
    size_t n = 0;

    vv_cid_to_bytes(cid, bytes, &len);
    if (with_prefix)
        out[n++] = base->prefix;
    n += vvi_base_encode(base, vvi_bytes(bytes, len), out + n);
    out[n] = '\0';
}

void vv_cid_format(const vv_cid *cid, char out[VV_CID_TEXT_MAX])
{
    if (cid->version == 0)
        format(cid, vvi_base_find('z'), false, out);
    else
        format(cid, vvi_base_find(cid->version == 1 ? 'b' : 'f'), true, out);
}

vv_status vv_cid_format_base(const vv_cid *cid, char prefix, char out[VV_CID_TEXT_MAX],
                             vv_error *err)
{
    const vvi_base *base = vvi_base_find(prefix);

    if (!base)
        return vvi_fail(err, VV_EINVAL, "no multibase has the prefix 0x%02x",
                        (unsigned char)prefix);
    if (cid->version == 0 && prefix != 'z')
        return vvi_fail(err, VV_EINVAL,
                        "a CID of version 0 is written in base58btc only");
    format(cid, base, cid->version != 0, out);
    return VV_OK;
}
