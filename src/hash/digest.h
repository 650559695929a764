/* Which function a multihash code names, and how it is computed. */
#ifndef VVI_HASH_DIGEST_H
#define VVI_HASH_DIGEST_H

#include <varvite/hash.h>

#include "util/error.h"

#include <openssl/evp.h>

/* BLAKE3 gives as many bytes as asked for; no digest in a CID is longer than this. */
#define VVI_BLAKE3_LONGEST 128

typedef enum vvi_digest_kind {
    VVI_DIGEST_NONE,    /* not computed by this build */
    VVI_DIGEST_BLAKE3,  /* the official BLAKE3 */
    VVI_DIGEST_BLAKE2B, /* libsodium */
    VVI_DIGEST_EVP      /* libcrypto */
} vvi_digest_kind;

typedef struct vvi_digest {
    vvi_digest_kind kind;
    uint32_t code;
    size_t size;      /* bytes of a full digest */
    size_t max;       /* bytes that can be asked for */
    const EVP_MD *md; /* kind EVP */
    bool twice;       /* kind EVP: the digest of the digest */
} vvi_digest;

/* How to compute the function with that code; kind NONE when it cannot be. */
vvi_digest vvi_digest_find(uint64_t code);

/* The same, and whether digest_len bytes of it can be had; fails as vv_hash() says. */
vv_status vvi_digest_need(uint64_t code, size_t digest_len, vvi_digest *out,
                          vv_error *err);

#endif
