/*
 * Content identifiers: varint, multibase, multihash, CID.
 *
 * Source: the multiformats specifications. Threads: any.
 */
#ifndef VARVITE_CID_H
#define VARVITE_CID_H

#include <varvite/base.h>
#include <varvite/hash.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VV_CODEC_RAW      0x55u
#define VV_CODEC_DAG_PB   0x70u
#define VV_CODEC_DAG_CBOR 0x71u

#define VV_DIGEST_MAX    128 /* longer identity digests are refused as VV_EUNSUPPORTED */
#define VV_CID_BYTES_MAX (4 * 10 + VV_DIGEST_MAX)
/* Base 2 is the longest text: one prefix and eight characters a byte, and the end. */
#define VV_CID_TEXT_MAX (2 + 8 * VV_CID_BYTES_MAX)

/** version of a vv_cid that is a bare multihash, as py-hamt's in-memory store names blocks. */
#define VV_CID_BARE 255

/**
 * The name of a block: which codec its bytes are in, which hash function, which digest.
 *
 * A plain value: copy it, compare it with vv_cid_equal(). The text base is not part of it.
 * For version 0 codec is dag-pb and hash sha2-256; for VV_CID_BARE codec is raw.
 */
typedef struct vv_cid {
    uint32_t codec;
    uint32_t hash;
    uint8_t version; /* 0, 1 or VV_CID_BARE */
    uint8_t digest_len;
    uint8_t digest[VV_DIGEST_MAX]; /* bytes past digest_len are zero */
} vv_cid;

/** Everything of a CID but the digest: how a block is to be named. */
typedef struct vv_cid_prefix {
    uint32_t codec;
    uint32_t hash;
    uint8_t version;
    uint8_t digest_len; /* 0: the full size of the function */
} vv_cid_prefix;
#define VV_PREFIX_RAW_BLAKE3 ((vv_cid_prefix){ VV_CODEC_RAW, VV_HASH_BLAKE3, 1, 32 })
#define VV_PREFIX_CBOR_BLAKE3 \
    ((vv_cid_prefix){ VV_CODEC_DAG_CBOR, VV_HASH_BLAKE3, 1, 32 })

/** Name block after its bytes. A digest below 20 bytes, which proves nothing, is no valid prefix.
 *  @return VV_OK, VV_EUNSUPPORTED (hash), VV_EINVAL (prefix) */
VV_API vv_status vv_cid_of(const vv_cid_prefix *prefix, vv_bytes block, vv_cid *out,
                           vv_error *err);

/** Name n blocks at once: many short ones are hashed together. Statuses as vv_cid_of(). */
VV_API vv_status vv_cid_of_many(const vv_cid_prefix *prefix, const vv_bytes *blocks,
                                size_t n, vv_cid *out, vv_error *err);

/**
 * Check a block against its name.
 * @return VV_OK, VV_ECORRUPT (another digest; the message names the CID), VV_EUNSUPPORTED (the
 *         hash function; a digest below 20 bytes, which proves nothing)
 */
VV_API vv_status vv_cid_verify(const vv_cid *cid, vv_bytes block, vv_error *err);

VV_API bool vv_cid_equal(const vv_cid *a, const vv_cid *b);
/** Same hash function and digest, whatever the codec and version: the same bytes. */
VV_API bool vv_cid_same_block(const vv_cid *a, const vv_cid *b);

/** Parse exactly these bytes: CIDv0 (34 bytes 12 20 …) or CIDv1. @return VV_OK, VV_EINVAL,
 *  VV_EUNSUPPORTED (a digest of more than VV_DIGEST_MAX bytes) */
VV_API vv_status vv_cid_from_bytes(vv_bytes bytes, vv_cid *out, vv_error *err);
/** Parse the CID or bare multihash at the front of bytes and say how long it is. Statuses as
 *  vv_cid_from_bytes(). */
VV_API vv_status vv_cid_read(vv_bytes bytes, vv_cid *out, size_t *used, vv_error *err);
/** The binary form; *len ≤ VV_CID_BYTES_MAX. A bare multihash gives its bytes. A digest_len above
 *  VV_DIGEST_MAX, which no valid vv_cid has, is taken as that. */
VV_API void vv_cid_to_bytes(const vv_cid *cid, uint8_t out[VV_CID_BYTES_MAX],
                            size_t *len);

/**
 * Parse CID text: bare base58btc (Qm…) or multibase; and f1e20 with 64 digits, the bare BLAKE3
 * multihash that vv_cid_format() writes.
 * @return VV_OK, VV_EINVAL, VV_EUNSUPPORTED (a digest of more than VV_DIGEST_MAX bytes)
 */
VV_API vv_status vv_cid_parse(const char *text, vv_cid *out, vv_error *err);
/** Text in the usual base: v0 base58btc, v1 base32, a bare multihash as f + hexadecimal. */
VV_API void vv_cid_format(const vv_cid *cid, char out[VV_CID_TEXT_MAX]);
/** Text in the given base ('b', 'z', …; v0 knows only 'z'). @return VV_OK, VV_EINVAL */
VV_API vv_status vv_cid_format_base(const vv_cid *cid, char base,
                                    char out[VV_CID_TEXT_MAX], vv_error *err);

/* ---- the parts --------------------------------------------------------------------- */

#define VV_VARINT_MAX 9
/** @return bytes written, 1 … 9; 0 when value ≥ 2^63, which has no form */
VV_API size_t vv_varint_encode(uint64_t value, uint8_t out[VV_VARINT_MAX]);
/** Read one minimal varint from the front. @return VV_OK, VV_EINVAL */
VV_API vv_status vv_varint_decode(vv_bytes bytes, uint64_t *value, size_t *used,
                                  vv_error *err);

/** Text of data with its multibase prefix, terminated.
 *  @return VV_OK, VV_EINVAL (base), VV_ELIMIT (bases 10, 36, 58: more than 16384 bytes), VV_ENOMEM */
VV_API vv_status vv_multibase_encode(char base, vv_bytes data, vv_buf *out,
                                     vv_error *err);
/** Letters of bases with one case are read in either; "=" at the end of a base without filling
 *  is passed over. @param base  set to the prefix read, NULL if not wanted
 *  @return VV_OK, VV_EINVAL, VV_ELIMIT as above, VV_ENOMEM */
VV_API vv_status vv_multibase_decode(vv_bytes text, char *base, vv_buf *out,
                                     vv_error *err);
/** Prefix character of a base by name ("base32"), or 0; and the other way round, or NULL. */
VV_API char vv_multibase_by_name(const char *name);
VV_API const char *vv_multibase_name(char base);

/** A multihash taken apart; digest points into the bytes it was read from. */
typedef struct vv_multihash {
    uint64_t code;
    vv_bytes digest;
} vv_multihash;
/** Read exactly one multihash, of a registered function and of at most its size.
 *  @return VV_OK, VV_EINVAL */
VV_API vv_status vv_multihash_decode(vv_bytes bytes, vv_multihash *out, vv_error *err);

/** Registered names of codecs and hash functions: "dag-cbor", "blake3"; NULL or false if none. */
VV_API const char *vv_codec_name(uint64_t codec);
VV_API bool vv_codec_by_name(const char *name, uint32_t *codec);
VV_API const char *vv_hash_name(uint64_t hash);
VV_API bool vv_hash_by_name(const char *name, uint32_t *hash);

#ifdef __cplusplus
}
#endif
#endif
