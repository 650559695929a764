/*
 * Authenticated encryption: ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305
 * (draft-irtf-cfrg-xchacha). Short messages go to libsodium, long ones to libcrypto, which is three times as
 * fast on them and dearer to begin; the bytes are the same.
 */
#ifndef VVI_CRYPTO_AEAD_H
#define VVI_CRYPTO_AEAD_H

#include "util/error.h"

#define VVI_AEAD_KEY_BYTES      32
#define VVI_AEAD_TAG_BYTES      16
#define VVI_CHACHA_NONCE_BYTES  12
#define VVI_XCHACHA_NONCE_BYTES 24

/* One key for many messages, with a nonce each. Threads: one at a time. Wiped by clear. */
typedef struct vvi_aead {
    uint8_t key[VVI_AEAD_KEY_BYTES];
    void *sealing, *opening; /* libcrypto's, made when a long message comes */
} vvi_aead;

void vvi_aead_init(vvi_aead *self, const uint8_t key[VVI_AEAD_KEY_BYTES]);
void vvi_aead_clear(vvi_aead *self);

/* Encrypt: cipher gets plain.len bytes and may be plain itself. @return VV_OK, VV_ENOMEM */
vv_status vvi_aead_seal(vvi_aead *self, const uint8_t nonce[VVI_CHACHA_NONCE_BYTES],
                        vv_bytes ad, vv_bytes plain, uint8_t *cipher,
                        uint8_t tag[VVI_AEAD_TAG_BYTES], vv_error *err);
/* Check and decrypt: plain gets cipher.len bytes; wiped when it fails. @return VV_OK, VV_EAUTH, VV_ENOMEM */
vv_status vvi_aead_open(vvi_aead *self, const uint8_t nonce[VVI_CHACHA_NONCE_BYTES],
                        vv_bytes ad, vv_bytes cipher,
                        const uint8_t tag[VVI_AEAD_TAG_BYTES], uint8_t *plain,
                        vv_error *err);

/* The same with a nonce long enough to be drawn at random, for one message. */
vv_status vvi_xchacha_seal(const uint8_t key[VVI_AEAD_KEY_BYTES],
                           const uint8_t nonce[VVI_XCHACHA_NONCE_BYTES], vv_bytes ad,
                           vv_bytes plain, uint8_t *cipher,
                           uint8_t tag[VVI_AEAD_TAG_BYTES], vv_error *err);
vv_status vvi_xchacha_open(const uint8_t key[VVI_AEAD_KEY_BYTES],
                           const uint8_t nonce[VVI_XCHACHA_NONCE_BYTES], vv_bytes ad,
                           vv_bytes cipher, const uint8_t tag[VVI_AEAD_TAG_BYTES],
                           uint8_t *plain, vv_error *err);

/* Encrypt or decrypt without a tag: XChaCha20, in place. For what is authenticated another way. */
void vvi_xchacha_xor(const uint8_t key[VVI_AEAD_KEY_BYTES],
                     const uint8_t nonce[VVI_XCHACHA_NONCE_BYTES], uint8_t *data,
                     size_t len);

#endif
