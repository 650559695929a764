#include "crypto/aead.h"

#include "crypto/secret.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

/* From here on libcrypto is the faster one; measured, see docs/format/encrypted.md. */
#define LONG_MESSAGE ((size_t)4096)
/* libcrypto counts in int; a multiple of the cipher's block. */
#define UPDATE_MAX ((size_t)1 << 30)

static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static EVP_CIPHER
    *cipher_of_libcrypto; /* for the life of the process; NULL: it has none */

static void fetch(void)
{
    cipher_of_libcrypto = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    if (!cipher_of_libcrypto)
        ERR_clear_error(); /* libsodium does it; nobody is to find an error of ours later */
}

void vvi_aead_init(vvi_aead *self, const uint8_t key[VVI_AEAD_KEY_BYTES])
{
    memcpy(self->key, key, sizeof(self->key));
    self->sealing = NULL;
    self->opening = NULL;
}

void vvi_aead_clear(vvi_aead *self)
{
    EVP_CIPHER_CTX_free(self->sealing);
    EVP_CIPHER_CTX_free(self->opening);
    sodium_memzero(self, sizeof(*self));
}

/* The context of one direction, with its key, for a message long enough; NULL: libsodium does it. */
static EVP_CIPHER_CTX *context_for(vvi_aead *self, void **slot, bool seal, size_t len)
{
    if (*slot || len < LONG_MESSAGE)
        return len < LONG_MESSAGE ? NULL : *slot;
    pthread_once(&fetched, fetch);
    if (!cipher_of_libcrypto)
        return NULL;
    *slot = EVP_CIPHER_CTX_new();
    if (*slot &&
        !EVP_CipherInit_ex2(*slot, cipher_of_libcrypto, self->key, NULL, seal, NULL)) {
        EVP_CIPHER_CTX_free(*slot);
        *slot = NULL;
    }
    return *slot;
}

/* NULL to: associated data. */
static bool update(EVP_CIPHER_CTX *ctx, uint8_t *to, vv_bytes from)
{
    int got;

    while (from.len) {
        size_t some = from.len < UPDATE_MAX ? from.len : UPDATE_MAX;

        if (!EVP_CipherUpdate(ctx, to, &got, from.data, (int)some))
            return false;
        from.data += some;
        from.len -= some;
        to = to ? to + some : NULL;
    }
    return true;
}

/* False: libcrypto failed, which leaves nothing to go on with. */
static bool seal_long(EVP_CIPHER_CTX *ctx, const uint8_t *nonce, vv_bytes ad,
                      vv_bytes plain, uint8_t *cipher, uint8_t *tag)
{
    int rest;

    return EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, 1, NULL) && update(ctx, NULL, ad) &&
           update(ctx, cipher, plain) &&
           EVP_CipherFinal_ex(ctx, cipher + plain.len, &rest) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, VVI_AEAD_TAG_BYTES, tag);
}

/* *right: the tag is that of the message. */
static bool open_long(EVP_CIPHER_CTX *ctx, const uint8_t *nonce, vv_bytes ad,
                      vv_bytes cipher, const uint8_t *tag, uint8_t *plain, bool *right)
{
    uint8_t copy[VVI_AEAD_TAG_BYTES];
    int rest;

    memcpy(copy, tag, sizeof(copy));
    if (!EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, 0, NULL) ||
        !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(copy), copy) ||
        !update(ctx, NULL, ad) || !update(ctx, plain, cipher))
        return false;
    *right = EVP_CipherFinal_ex(ctx, plain + cipher.len, &rest) > 0;
    return true;
}

static vv_status fail_auth(vv_error *err)
{
    return vvi_fail(err, VV_EAUTH, "decryption failed: another key, or changed bytes");
}

vv_status vvi_aead_seal(vvi_aead *self, const uint8_t nonce[VVI_CHACHA_NONCE_BYTES],
                        vv_bytes ad, vv_bytes plain, uint8_t *cipher,
                        uint8_t tag[VVI_AEAD_TAG_BYTES], vv_error *err)
{
    EVP_CIPHER_CTX *ctx = context_for(self, &self->sealing, true, plain.len);

    if (!ctx) {
        crypto_aead_chacha20poly1305_ietf_encrypt_detached(cipher, tag, NULL, plain.data,
                                                           plain.len, ad.data, ad.len,
                                                           NULL, nonce, self->key);
        return VV_OK;
    }
    return seal_long(ctx, nonce, ad, plain, cipher, tag) ? VV_OK
                                                         : vvi_fail_nomem(err, plain.len);
}

vv_status vvi_aead_open(vvi_aead *self, const uint8_t nonce[VVI_CHACHA_NONCE_BYTES],
                        vv_bytes ad, vv_bytes cipher,
                        const uint8_t tag[VVI_AEAD_TAG_BYTES], uint8_t *plain,
                        vv_error *err)
{
    EVP_CIPHER_CTX *ctx = context_for(self, &self->opening, false, cipher.len);
    bool right = false;
    bool done = true;

    if (!ctx)
        right = crypto_aead_chacha20poly1305_ietf_decrypt_detached(
                    plain, NULL, cipher.data, cipher.len, tag, ad.data, ad.len, nonce,
                    self->key) == 0;
    else
        done = open_long(ctx, nonce, ad, cipher, tag, plain, &right);
    if (right)
        return VV_OK;
    vvi_wipe(plain, cipher.len);
    return done ? fail_auth(err) : vvi_fail_nomem(err, cipher.len);
}

/* XChaCha20 is ChaCha20 under a key made of the first 16 bytes of the nonce, with the other 8 for a
 * nonce. */
static void begin_x(vvi_aead *self, const uint8_t *key, const uint8_t *nonce,
                    uint8_t short_nonce[VVI_CHACHA_NONCE_BYTES])
{
    uint8_t subkey[VVI_AEAD_KEY_BYTES];

    crypto_core_hchacha20(subkey, nonce, key, NULL);
    vvi_aead_init(self, subkey);
    sodium_memzero(subkey, sizeof(subkey));
    memset(short_nonce, 0, 4);
    memcpy(short_nonce + 4, nonce + 16, 8);
}

vv_status vvi_xchacha_seal(const uint8_t key[VVI_AEAD_KEY_BYTES],
                           const uint8_t nonce[VVI_XCHACHA_NONCE_BYTES], vv_bytes ad,
                           vv_bytes plain, uint8_t *cipher,
                           uint8_t tag[VVI_AEAD_TAG_BYTES], vv_error *err)
{
    uint8_t short_nonce[VVI_CHACHA_NONCE_BYTES];
    vvi_aead aead;
    vv_status status;

    begin_x(&aead, key, nonce, short_nonce);
    status = vvi_aead_seal(&aead, short_nonce, ad, plain, cipher, tag, err);
    vvi_aead_clear(&aead);
    return status;
}

vv_status vvi_xchacha_open(const uint8_t key[VVI_AEAD_KEY_BYTES],
                           const uint8_t nonce[VVI_XCHACHA_NONCE_BYTES], vv_bytes ad,
                           vv_bytes cipher, const uint8_t tag[VVI_AEAD_TAG_BYTES],
                           uint8_t *plain, vv_error *err)
{
    uint8_t short_nonce[VVI_CHACHA_NONCE_BYTES];
    vvi_aead aead;
    vv_status status;

    begin_x(&aead, key, nonce, short_nonce);
    status = vvi_aead_open(&aead, short_nonce, ad, cipher, tag, plain, err);
    vvi_aead_clear(&aead);
    return status;
}

void vvi_xchacha_xor(const uint8_t key[VVI_AEAD_KEY_BYTES],
                     const uint8_t nonce[VVI_XCHACHA_NONCE_BYTES], uint8_t *data,
                     size_t len)
{
    crypto_stream_xchacha20_xor(data, data, len, nonce, key);
}
