#include "hash/digest.h"

#include "util/buf.h"

#include <blake3.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

/* BLAKE2b with a digest of n bytes has the code 0xb200 + n; libsodium gives 16 … 64. */
#define BLAKE2B_BASE  0xb200u
#define BLAKE2B_FIRST 16u
#define BLAKE2B_LAST  64u

static struct evp_entry {
    uint32_t code;
    uint32_t size;
    const char *name; /* as libcrypto's providers know it */
    bool twice;       /* the digest of the digest */
    EVP_MD *md;       /* fetched once, for the life of the process */
} evp_table[] = {
    { VV_HASH_SHA2_256, 32, "SHA2-256", false, NULL },
    { VV_HASH_SHA2_512, 64, "SHA2-512", false, NULL },
    { VV_HASH_SHA1, 20, "SHA1", false, NULL },
    { VV_HASH_SHA3_256, 32, "SHA3-256", false, NULL },
    { 0x14, 64, "SHA3-512", false, NULL },
    { 0x15, 48, "SHA3-384", false, NULL },
    { 0x17, 28, "SHA3-224", false, NULL },
    { 0x20, 48, "SHA2-384", false, NULL },
    { 0x56, 32, "SHA2-256", true, NULL },
    { 0xd5, 16, "MD5", false, NULL },
    { 0x1013, 28, "SHA2-224", false, NULL },
    { 0x1014, 28, "SHA2-512/224", false, NULL },
    { 0x1015, 32, "SHA2-512/256", false, NULL },
    { 0xb260, 32, "BLAKE2S-256", false, NULL },
};
#define EVP_ENTRIES (sizeof(evp_table) / sizeof(evp_table[0]))

static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch_all(void)
{
    for (size_t i = 0; i < EVP_ENTRIES; i++)
        evp_table[i].md = EVP_MD_fetch(NULL, evp_table[i].name, NULL);
}

vvi_digest vvi_digest_find(uint64_t code)
{
    vvi_digest found = { .kind = VVI_DIGEST_NONE };

    if (code == VV_HASH_BLAKE3)
        return (vvi_digest){ .kind = VVI_DIGEST_BLAKE3,
                             .code = VV_HASH_BLAKE3,
                             .size = VV_BLAKE3_SIZE,
                             .max = VVI_BLAKE3_LONGEST };
    if (code >= BLAKE2B_BASE + BLAKE2B_FIRST && code <= BLAKE2B_BASE + BLAKE2B_LAST)
        return (vvi_digest){ .kind = VVI_DIGEST_BLAKE2B,
                             .code = (uint32_t)code,
                             .size = (size_t)code - BLAKE2B_BASE,
                             .max = (size_t)code - BLAKE2B_BASE };
    for (size_t i = 0; i < EVP_ENTRIES; i++) {
        const struct evp_entry *entry = &evp_table[i];

        if (entry->code != code)
            continue;
        pthread_once(&fetched, fetch_all);
        if (entry->md)
            found = (vvi_digest){ .kind = VVI_DIGEST_EVP,
                                  .code = entry->code,
                                  .size = entry->size,
                                  .max = entry->size,
                                  .md = entry->md,
                                  .twice = entry->twice };
    }
    return found;
}

vv_status vvi_digest_need(uint64_t code, size_t digest_len, vvi_digest *out,
                          vv_error *err)
{
    *out = vvi_digest_find(code);
    if (out->kind == VVI_DIGEST_NONE)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "the hash function with code 0x%" PRIx64 " cannot be computed",
                        code);
    if (digest_len == 0 || digest_len > out->max)
        return vvi_fail(err, VV_EINVAL,
                        "a digest of %zu bytes was asked of the hash function 0x%" PRIx64
                        ", which gives 1 to %zu",
                        digest_len, code, out->max);
    return VV_OK;
}

size_t vv_hash_size(uint64_t code)
{
    return vvi_digest_find(code).size;
}

static vv_status hash_identity(vv_bytes data, uint8_t *out, size_t out_len, vv_error *err)
{
    if (out_len != data.len)
        return vvi_fail(err, VV_EINVAL, "the identity of %zu bytes is not %zu bytes long",
                        data.len, out_len);
    if (out_len)
        memcpy(out, data.data, out_len);
    return VV_OK;
}

static void hash_blake3(vv_bytes data, uint8_t *out, size_t out_len)
{
    blake3_hasher hasher;

    blake3_hasher_init(&hasher);
    if (data.len)
        blake3_hasher_update(&hasher, data.data, data.len);
    blake3_hasher_finalize(&hasher, out, out_len);
}

/* libcrypto wants room for the whole digest; out may be shorter. */
static vv_status hash_evp(const vvi_digest *digest, vv_bytes data, uint8_t *out,
                          size_t out_len, vv_error *err)
{
    uint8_t full[EVP_MAX_MD_SIZE];

    if (!EVP_Digest(data.data, data.len, full, NULL, digest->md, NULL) ||
        (digest->twice && !EVP_Digest(full, digest->size, full, NULL, digest->md, NULL)))
        return vvi_fail_nomem(err, sizeof(full));
    memcpy(out, full, out_len);
    return VV_OK;
}

vv_status vv_hash(uint64_t code, vv_bytes data, uint8_t *out, size_t out_len,
                  vv_error *err)
{
    uint8_t full[crypto_generichash_blake2b_BYTES_MAX];
    vvi_digest digest;

    if (code == VV_HASH_IDENTITY)
        return hash_identity(data, out, out_len, err);
    VVI_TRY(vvi_digest_need(code, out_len, &digest, err));
    if (digest.kind == VVI_DIGEST_EVP)
        return hash_evp(&digest, data, out, out_len, err);
    if (digest.kind == VVI_DIGEST_BLAKE3) {
        hash_blake3(data, out, out_len);
        return VV_OK;
    }
    /* The size of the full digest goes into BLAKE2b's parameters: hash, then cut. */
    crypto_generichash_blake2b(full, digest.size, data.data, data.len, NULL, 0);
    memcpy(out, full, out_len);
    return VV_OK;
}
