#include <varvite/cid.h>

#include "multiformats/cid_fill.h"
#include "multiformats/codes.h"
#include "util/buf.h"

#include <string.h>

/* A shorter digest, of any function but identity, is refused where it would prove something. */
#define DIGEST_MIN 20

#define V0_LEN 34 /* 12 20 and 32 bytes of SHA-256 */

/* ---- from a block ------------------------------------------------------------------- */

/* Check a prefix and say how long the digest of a block of block_len bytes is. */
static vv_status check_prefix(const vv_cid_prefix *prefix, size_t block_len,
                              size_t *digest_len, vv_error *err)
{
    size_t n = prefix->digest_len;

    if (prefix->hash == VV_HASH_IDENTITY)
        n = block_len;
    else if (n == 0)
        n = vv_hash_size(prefix->hash);
    *digest_len = n;
    if (n > VV_DIGEST_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "a digest of %zu bytes is too long for a CID (%d are the most)",
                        n, VV_DIGEST_MAX);
    if (prefix->hash == VV_HASH_IDENTITY ? prefix->version == 0
                                         : n != 0 && n < DIGEST_MIN)
        return vvi_fail(
            err, VV_EINVAL,
            "a CID of version %u with a %zu-byte digest of the hash function 0x%" PRIx32
            " cannot be made",
            prefix->version, n, prefix->hash);
    switch (prefix->version) {
    case 0:
        if (prefix->codec != VV_CODEC_DAG_PB || prefix->hash != VV_HASH_SHA2_256 ||
            n != 32)
            return vvi_fail(err, VV_EINVAL,
                            "a CID of version 0 is of codec dag-pb and hash sha2-256");
        return VV_OK;
    case 1:
        if (!vvi_code_find(prefix->codec))
            return vvi_fail(err, VV_EINVAL, "0x%" PRIx32 " is no registered codec",
                            prefix->codec);
        return VV_OK;
    case VV_CID_BARE:
        if (prefix->codec != VV_CODEC_RAW)
            return vvi_fail(err, VV_EINVAL, "a bare multihash is of codec raw");
        return VV_OK;
    default:
        return vvi_fail(err, VV_EINVAL, "there is no CID of version %u", prefix->version);
    }
}

static void set_all_but_digest(const vv_cid_prefix *prefix, size_t digest_len,
                               vv_cid *out)
{
    vvi_cid_zero(out);
    out->codec = prefix->codec;
    out->hash = prefix->hash;
    out->version = prefix->version;
    out->digest_len = (uint8_t)digest_len;
}

vv_status vv_cid_of(const vv_cid_prefix *prefix, vv_bytes block, vv_cid *out,
                    vv_error *err)
{
    uint8_t digest[VV_DIGEST_MAX];
    size_t n;

    VVI_TRY(check_prefix(prefix, block.len, &n, err));
    if (prefix->hash == VV_HASH_BLAKE3 && n <= VV_BLAKE3_SIZE)
        vv_blake3(block, digest);
    else
        VVI_TRY(vv_hash(prefix->hash, block, digest, n, err));
    set_all_but_digest(prefix, n, out);
    memcpy(out->digest, digest, n);
    return VV_OK;
}

#define BATCH 128 /* inputs hashed together: enough to fill every lane many times over */

static void name_many_by_blake3(const vv_cid_prefix *prefix, const vv_bytes *blocks,
                                size_t n, size_t digest_len, vv_cid *out)
{
    uint8_t digests[BATCH][VV_BLAKE3_SIZE];

    for (size_t done = 0; done < n;) {
        size_t count = n - done < BATCH ? n - done : BATCH;

        vv_blake3_many(blocks + done, count, digests);
        for (size_t i = 0; i < count; i++) {
            set_all_but_digest(prefix, digest_len, &out[done + i]);
            memcpy(out[done + i].digest, digests[i], digest_len);
        }
        done += count;
    }
}

vv_status vv_cid_of_many(const vv_cid_prefix *prefix, const vv_bytes *blocks, size_t n,
                         vv_cid *out, vv_error *err)
{
    size_t digest_len;

    if (prefix->hash == VV_HASH_BLAKE3) {
        VVI_TRY(check_prefix(prefix, 0, &digest_len, err));
        if (digest_len <= VV_BLAKE3_SIZE) {
            name_many_by_blake3(prefix, blocks, n, digest_len, out);
            return VV_OK;
        }
    }
    for (size_t i = 0; i < n; i++)
        VVI_TRY(vv_cid_of(prefix, blocks[i], &out[i], err));
    return VV_OK;
}

static vv_status fail_verify(const vv_cid *cid, vv_status status, const char *why,
                             vv_error *err)
{
    char text[VV_CID_TEXT_MAX];

    if (!err)
        return status;
    vv_cid_format(cid, text);
    return vvi_fail(err, status, "block %s: %s", text, why);
}

vv_status vv_cid_verify(const vv_cid *cid, vv_bytes block, vv_error *err)
{
    uint8_t digest[VV_DIGEST_MAX];
    vv_status status = VV_OK;

    if (cid->hash == VV_HASH_IDENTITY) {
        if (!vvi_bytes_equal(block, vvi_bytes(cid->digest, cid->digest_len)))
            return fail_verify(cid, VV_ECORRUPT, "its bytes are not those in its name",
                               err);
        return VV_OK;
    }
    if (cid->digest_len < DIGEST_MIN)
        return fail_verify(cid, VV_EUNSUPPORTED, "a digest this short proves nothing",
                           err);
    if (cid->hash == VV_HASH_BLAKE3 && cid->digest_len <= VV_BLAKE3_SIZE)
        vv_blake3(block, digest);
    else
        status = vv_hash(cid->hash, block, digest, cid->digest_len, err);
    if (status == VV_EINVAL) /* longer than the function gives: no block has this name */
        return fail_verify(cid, VV_ECORRUPT,
                           "its digest is longer than the hash function gives", err);
    if (status)
        return status;
    if (memcmp(digest, cid->digest, cid->digest_len) != 0)
        return fail_verify(cid, VV_ECORRUPT, "its bytes have another digest", err);
    return VV_OK;
}

/* ---- comparing ---------------------------------------------------------------------- */

bool vv_cid_same_block(const vv_cid *a, const vv_cid *b)
{
    return a->hash == b->hash && a->digest_len == b->digest_len &&
           memcmp(a->digest, b->digest, a->digest_len) == 0;
}

bool vv_cid_equal(const vv_cid *a, const vv_cid *b)
{
    return a->version == b->version && a->codec == b->codec && vv_cid_same_block(a, b);
}

/* ---- binary form -------------------------------------------------------------------- */

static vv_status next_varint(vv_bytes *rest, uint64_t *value, vv_error *err)
{
    size_t used;

    /* Nearly every number in a CID is one byte long. */
    if (rest->len && rest->data[0] < 0x80) {
        *value = rest->data[0];
        used = 1;
    } else {
        VVI_TRY(vv_varint_decode(*rest, value, &used, err));
    }
    rest->data += used;
    rest->len -= used;
    return VV_OK;
}

/* Is it registered? The few in daily use are answered without a search. */
static bool is_codec(uint64_t code)
{
    return code == VV_CODEC_RAW || code == VV_CODEC_DAG_CBOR || code == VV_CODEC_DAG_PB ||
           vvi_code_find(code) != NULL;
}

static bool is_hash(uint64_t code)
{
    return code == VV_HASH_BLAKE3 || code == VV_HASH_SHA2_256 ||
           vv_hash_name(code) != NULL;
}

/* The multihash at the front of rest, of which it is cut off. */
static vv_status read_multihash(vv_bytes *rest, vv_cid *out, vv_error *err)
{
    uint64_t code;
    uint64_t len;

    VVI_TRY(next_varint(rest, &code, err));
    VVI_TRY(next_varint(rest, &len, err));
    if (!is_hash(code))
        return vvi_fail(err, VV_EINVAL, "0x%" PRIx64 " is no registered hash function",
                        code);
    if (len > rest->len)
        return vvi_fail(err, VV_EINVAL,
                        "%zu bytes where a digest of %" PRIu64 " was announced",
                        rest->len, len);
    if (len > VV_DIGEST_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "a digest of %" PRIu64 " bytes; %d are the most", len,
                        VV_DIGEST_MAX);
    out->hash = (uint32_t)code;
    out->digest_len = (uint8_t)len;
    if (len)
        memcpy(out->digest, rest->data, (size_t)len);
    rest->data += len;
    rest->len -= (size_t)len;
    return VV_OK;
}

static bool begins_as_v0(vv_bytes bytes)
{
    return bytes.len >= V0_LEN && bytes.data[0] == VV_HASH_SHA2_256 &&
           bytes.data[1] == 32;
}

/* What follows the version of a CIDv1. */
static vv_status read_v1(vv_bytes *rest, vv_cid *out, vv_error *err)
{
    uint64_t codec;

    VVI_TRY(next_varint(rest, &codec, err));
    if (!is_codec(codec))
        return vvi_fail(err, VV_EINVAL, "0x%" PRIx64 " is no registered codec", codec);
    out->codec = (uint32_t)codec;
    out->version = 1;
    return read_multihash(rest, out, err);
}

/* The CID at the front of rest, of which it is cut off; bare multihashes only if allowed. */
static vv_status read_front(vv_bytes *rest, bool allow_bare, vv_cid *out, vv_error *err)
{
    vv_bytes start = *rest;
    uint64_t version;

    vvi_cid_zero(out);
    if (begins_as_v0(start)) {
        out->codec = VV_CODEC_DAG_PB;
        return read_multihash(rest, out, err);
    }
    VVI_TRY(next_varint(rest, &version, err));
    if (version == 1)
        return read_v1(rest, out, err);
    if (version > 3 && allow_bare) {
        *rest = start;
        out->codec = VV_CODEC_RAW;
        out->version = VV_CID_BARE;
        return read_multihash(rest, out, err);
    }
    return vvi_fail(err, VV_EINVAL,
                    "there is no CID of version %" PRIu64 " in binary form", version);
}

/* Nearly every CID: version 1, a codec and a function in daily use, 32 bytes of digest. */
static bool read_usual(vv_bytes bytes, vv_cid *out)
{
    const uint8_t *b = bytes.data;

    if (bytes.len != 36 || b[0] != 1 || b[3] != 32 ||
        (b[1] != VV_CODEC_RAW && b[1] != VV_CODEC_DAG_CBOR && b[1] != VV_CODEC_DAG_PB) ||
        (b[2] != VV_HASH_BLAKE3 && b[2] != VV_HASH_SHA2_256))
        return false;
    vvi_cid_zero(out);
    out->codec = b[1];
    out->hash = b[2];
    out->version = 1;
    out->digest_len = 32;
    memcpy(out->digest, b + 4, 32);
    return true;
}

vv_status vv_cid_from_bytes(vv_bytes bytes, vv_cid *out, vv_error *err)
{
    vv_bytes rest = bytes;
    vv_status status;
    vv_cid cid;

    if (read_usual(bytes, out))
        return VV_OK;
    status = read_front(&rest, false, &cid, err);
    if (!status && rest.len)
        status = vvi_fail(err, VV_EINVAL, "%zu bytes too many", rest.len);
    if (status)
        return vvi_wrap(err, status, "CID of %zu bytes", bytes.len);
    *out = cid;
    return VV_OK;
}

vv_status vv_cid_read(vv_bytes bytes, vv_cid *out, size_t *used, vv_error *err)
{
    vv_bytes rest = bytes;
    vv_status status;
    vv_cid cid;

    status = read_front(&rest, true, &cid, err);
    if (status)
        return vvi_wrap(err, status, "CID");
    *out = cid;
    *used = bytes.len - rest.len;
    return VV_OK;
}

void vv_cid_to_bytes(const vv_cid *cid, uint8_t out[VV_CID_BYTES_MAX], size_t *len)
{
    size_t digest_len = cid->digest_len < VV_DIGEST_MAX ? cid->digest_len : VV_DIGEST_MAX;
    size_t n = 0;

    if (cid->version == 1) {
        out[n++] = 1;
        n += vv_varint_encode(cid->codec, out + n);
    }
    n += vv_varint_encode(cid->hash, out + n);
    n += vv_varint_encode(digest_len, out + n);
    memcpy(out + n, cid->digest, digest_len);
    *len = n + digest_len;
}
