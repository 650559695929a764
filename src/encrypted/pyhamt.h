/* py-hamt's encrypted values from inside. */
#ifndef VVI_ENCRYPTED_PYHAMT_H
#define VVI_ENCRYPTED_PYHAMT_H

#include <varvite/encrypted.h>

#include "encrypted/format.h"

/* What a value is longer by: nonce and tag, which stand in front of it. */
#define VVI_PYHAMT_FRONT (VVI_XCHACHA_NONCE_BYTES + VVI_AEAD_TAG_BYTES)

/* vv_pyhamt_encrypted_store_new() with a source of nonces. */
vv_status vvi_pyhamt_encrypted_store_new(vv_store *inner, const vv_key *key,
                                         vv_bytes header, const vvi_draw *draw,
                                         vv_store **out, vv_error *err);

/* One value: stored gets VVI_PYHAMT_FRONT bytes more than plain has, its nonce already in front. */
vv_status vvi_pyhamt_seal(const uint8_t key[VV_KEY_BYTES], vv_bytes header,
                          vv_bytes plain, uint8_t *stored, vv_error *err);
/* @return VV_OK, VV_EAUTH, VV_ENOMEM; plain is left alone then */
vv_status vvi_pyhamt_open(const uint8_t key[VV_KEY_BYTES], vv_bytes header,
                          vv_bytes stored, vv_buf *plain, vv_error *err);

#endif
