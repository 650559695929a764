/* Keys from inside: made in place, read from text, wrapped with a given nonce. */
#ifndef VVI_CRYPTO_KEY_H
#define VVI_CRYPTO_KEY_H

#include <varvite/crypto.h>

#include "crypto/aead.h"
#include "util/error.h"

/* A key whose VV_KEY_BYTES bytes fill writes. */
typedef void (*vvi_key_fill_fn)(uint8_t *bytes, const void *ctx);
vv_status vvi_key_make(vv_key **out, vvi_key_fill_fn fill, const void *ctx,
                       vv_error *err);

/* vv_key_wrap() with a nonce that is not drawn: for tests, whose bytes are written down. */
vv_status vvi_key_wrap_with(const vv_key *under, const vv_key *key, vv_bytes context,
                            const uint8_t nonce[VVI_XCHACHA_NONCE_BYTES],
                            uint8_t out[VV_KEY_WRAPPED_BYTES], vv_error *err);

/* The longest text, with comments, that is looked at for a key. */
#define VVI_KEY_TEXT_MAX 4096

/* The key in what a file or a variable holds; raw: VV_KEY_BYTES bytes as they are, too. Messages show none of
 * it. @return VV_OK, VV_EINVAL, VV_ENOMEM */
vv_status vvi_key_parse(vv_bytes text, bool raw, vv_key **out, vv_error *err);
/* The text of a key file, terminated; *len without its end. */
#define VVI_KEY_FILE_MAX 256
void vvi_key_format(const vv_key *key, char out[VVI_KEY_FILE_MAX], size_t *len);

#endif
