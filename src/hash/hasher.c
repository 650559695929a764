#include "hash/digest.h"

#include "util/alloc.h"

#include <blake3.h>
#include <sodium.h>
#include <string.h>

struct vv_hasher {
    vvi_digest digest;
    EVP_MD_CTX *evp;      /* kind EVP */
    blake3_hasher blake3; /* kind BLAKE3 */
    crypto_generichash_blake2b_state
        blake2b;  /* kind BLAKE2B; asks for 64-byte alignment */
    void *memory; /* what was allocated: this, not yet aligned */
};

/* A hasher at the alignment that libsodium's state asks for. */
static vv_hasher *allocate(void)
{
    size_t align = _Alignof(vv_hasher);
    uint8_t *memory = vvi_alloc_zero(sizeof(vv_hasher) + align);
    vv_hasher *self;

    if (!memory)
        return NULL;
    self = (vv_hasher *)(void *)(memory + (align - (uintptr_t)memory % align) % align);
    self->memory = memory;
    return self;
}

vv_status vv_hasher_new(uint64_t code, vv_hasher **out, vv_error *err)
{
    vvi_digest digest;
    vv_hasher *self;

    VVI_TRY(vvi_digest_need(code, 1, &digest, err));
    self = allocate();
    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->digest = digest;
    if (digest.kind == VVI_DIGEST_BLAKE3) {
        blake3_hasher_init(&self->blake3);
    } else if (digest.kind == VVI_DIGEST_BLAKE2B) {
        crypto_generichash_blake2b_init(&self->blake2b, NULL, 0, digest.size);
    } else {
        self->evp = EVP_MD_CTX_new();
        if (!self->evp || !EVP_DigestInit_ex2(self->evp, digest.md, NULL)) {
            vv_hasher_free(self);
            return vvi_fail_nomem(err, sizeof(*self));
        }
    }
    *out = self;
    return VV_OK;
}

vv_status vv_hasher_update(vv_hasher *self, vv_bytes data, vv_error *err)
{
    if (data.len == 0)
        return VV_OK;
    if (self->digest.kind == VVI_DIGEST_BLAKE3)
        blake3_hasher_update(&self->blake3, data.data, data.len);
    else if (self->digest.kind == VVI_DIGEST_BLAKE2B)
        crypto_generichash_blake2b_update(&self->blake2b, data.data, data.len);
    else if (!EVP_DigestUpdate(self->evp, data.data, data.len))
        return vvi_fail(err, VV_EIO, "libcrypto failed to hash %zu bytes", data.len);
    return VV_OK;
}

vv_status vv_hasher_finish(vv_hasher *self, uint8_t *out, size_t out_len, vv_error *err)
{
    uint8_t full[EVP_MAX_MD_SIZE];

    VVI_TRY(vvi_digest_need(self->digest.code, out_len, &self->digest, err));
    if (self->digest.kind == VVI_DIGEST_BLAKE3) {
        blake3_hasher_finalize(&self->blake3, out, out_len);
        return VV_OK;
    }
    if (self->digest.kind == VVI_DIGEST_BLAKE2B)
        crypto_generichash_blake2b_final(&self->blake2b, full, self->digest.size);
    else if (!EVP_DigestFinal_ex(self->evp, full, NULL) ||
             (self->digest.twice &&
              !EVP_Digest(full, self->digest.size, full, NULL, self->digest.md, NULL)))
        return vvi_fail(err, VV_EIO, "libcrypto failed to finish a digest");
    memcpy(out, full, out_len);
    return VV_OK;
}

void vv_hasher_free(vv_hasher *self)
{
    if (!self)
        return;
    EVP_MD_CTX_free(self->evp);
    vvi_free(self->memory);
}
