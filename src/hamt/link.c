#include "hamt/link.h"

#include "multiformats/cid_fill.h"

#include <string.h>

/* Nearly every link: to a CIDv1 with 32 bytes of BLAKE3. Behind these bytes, its digest. */
#define USUAL_LEN 41
static const uint8_t usual_front[6] = { 0xd8, 42, 0x58, 37, 0, 1 };

static void write_usual(const vv_cid *cid, vvi_link *out)
{
    uint8_t *b = out->bytes;

    out->len = USUAL_LEN;
    memcpy(b, usual_front, sizeof(usual_front));
    b[6] = (uint8_t)cid->codec;
    b[7] = VV_HASH_BLAKE3;
    b[8] = 32;
    memcpy(b + 9, cid->digest, 32);
}

void vvi_link_of_cid(const vv_cid *cid, vvi_link *out)
{
    uint8_t binary[VV_CID_BYTES_MAX];
    size_t len;
    size_t at = 0;
    bool tagged = cid->version != VV_CID_BARE;

    if (cid->version == 1 && cid->codec < 0x80 && cid->hash == VV_HASH_BLAKE3 &&
        cid->digest_len == 32) {
        write_usual(cid, out);
        return;
    }
    vv_cid_to_bytes(cid, binary, &len);
    if (tagged) {
        out->bytes[at++] = 0xd8;
        out->bytes[at++] = 42;
        len++; /* the zero byte in front of a CID */
    }
    if (len < 24)
        out->bytes[at++] = (uint8_t)(0x40 + len);
    else {
        out->bytes[at++] = 0x58;
        out->bytes[at++] = (uint8_t)len;
    }
    if (tagged) {
        out->bytes[at++] = 0;
        len--;
    }
    memcpy(out->bytes + at, binary, len);
    out->len = at + len;
}

/* The CID or multihash inside a link, and whether it is tagged; empty when there is no link at
 * the front of bytes. */
static vv_bytes link_body(vv_bytes bytes, bool *tagged, size_t *len)
{
    vv_bytes none = { NULL, 0 };
    size_t at = 0;
    size_t count;

    *tagged = bytes.len >= 2 && bytes.data[0] == 0xd8 && bytes.data[1] == 42;
    if (*tagged)
        at = 2;
    if (at >= bytes.len)
        return none;
    if (bytes.data[at] == 0x58) {
        if (at + 1 >= bytes.len || bytes.data[at + 1] < 24)
            return none;
        count = bytes.data[at + 1];
        at += 2;
    } else if (bytes.data[at] >= 0x40 && bytes.data[at] < 0x58)
        count = bytes.data[at++] & 31u;
    else
        return none;
    if (count == 0 || count > bytes.len - at)
        return none;
    *len = at + count;
    if (!*tagged)
        return vvi_bytes(bytes.data + at, count);
    if (bytes.data[at] != 0)
        return none;
    return vvi_bytes(bytes.data + at + 1, count - 1);
}

/* Is it such a link, of a codec that is known to exist? */
static bool read_usual(vv_bytes link, vv_cid *out)
{
    const uint8_t *b = link.data;

    if (link.len != USUAL_LEN || memcmp(b, usual_front, sizeof(usual_front)) != 0 ||
        (b[6] != VV_CODEC_RAW && b[6] != VV_CODEC_DAG_CBOR) || b[7] != VV_HASH_BLAKE3 ||
        b[8] != 32)
        return false;
    vvi_cid_zero(out);
    out->codec = b[6];
    out->hash = VV_HASH_BLAKE3;
    out->version = 1;
    out->digest_len = 32;
    memcpy(out->digest, b + 9, 32);
    return true;
}

vv_status vvi_link_to_cid(vv_bytes link, vv_cid *out, vv_error *err)
{
    bool tagged;
    size_t len;
    vv_multihash hash;
    vv_bytes body;

    if (read_usual(link, out))
        return VV_OK;
    body = link_body(link, &tagged, &len);
    if (tagged)
        return vv_cid_from_bytes(body, out, err);
    VVI_TRY(vv_multihash_decode(body, &hash, err));
    /* 12 20 … would be read as a CIDv0; a bare multihash is built by hand. */
    if (hash.digest.len > VV_DIGEST_MAX || hash.code > UINT32_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED, "a digest of %zu bytes", hash.digest.len);
    vvi_cid_zero(out);
    out->version = VV_CID_BARE;
    out->codec = VV_CODEC_RAW;
    out->hash = (uint32_t)hash.code;
    out->digest_len = (uint8_t)hash.digest.len;
    if (hash.digest.len)
        memcpy(out->digest, hash.digest.data, hash.digest.len);
    return VV_OK;
}

vv_status vvi_link_read(vvi_link_form *form, vv_bytes bytes, size_t *len, vv_error *err)
{
    bool tagged;
    vv_bytes body;
    vv_cid cid;
    vv_status status;

    if (form->len && bytes.len >= form->len &&
        memcmp(bytes.data, form->prefix, form->prefix_len) == 0) {
        *len = form->len;
        return VV_OK;
    }
    body = link_body(bytes, &tagged, len);
    if (!body.len)
        return vvi_fail(err, VV_ECORRUPT, "no link or multihash where an id belongs");
    status = vvi_link_to_cid(vvi_bytes(bytes.data, *len), &cid, err);
    if (status)
        return status == VV_EINVAL ? vvi_wrap(err, VV_ECORRUPT, "an id") : status;
    if (*len - cid.digest_len <= sizeof(form->prefix) && *len > cid.digest_len) {
        form->len = *len;
        form->prefix_len = *len - cid.digest_len;
        memcpy(form->prefix, bytes.data, form->prefix_len);
    }
    return VV_OK;
}
