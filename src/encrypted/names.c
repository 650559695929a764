/*
 * Names of keys: deterministic authenticated encryption (SIV). The tag of a name is the nonce that its bytes
 * are encrypted with, so that one name always gives one text, which can be looked up, and different names
 * give texts that tell nothing of each other.
 */
#include "encrypted/format.h"

#include "crypto/secret.h"
#include "util/buf.h"

#include <sodium.h>
#include <string.h>

#define LABEL_NAME "varvite encrypted v1: name"
#define TAG_BYTES  16u
/* Names are filled up with zeros, which no key has, so that their lengths tell less. */
#define PAD      32u
#define ALPHABET sodium_base64_VARIANT_URLSAFE_NO_PADDING

static void tag_of(const vvi_data_keys *keys, vv_bytes name, uint8_t tag[TAG_BYTES])
{
    vvi_derive(keys->tag, LABEL_NAME, &name, 1, tag, TAG_BYTES);
}

static void crypt(const vvi_data_keys *keys, const uint8_t tag[TAG_BYTES], uint8_t *name,
                  size_t len)
{
    uint8_t nonce[VVI_XCHACHA_NONCE_BYTES] = { 0 };

    memcpy(nonce, tag, TAG_BYTES);
    vvi_xchacha_xor(keys->name, nonce, name, len);
}

vv_status vvi_name_seal(const vvi_data_keys *keys, const char *key, vv_buf *token,
                        vv_error *err)
{
    size_t len = strlen(key);
    size_t padded = (len + PAD - 1) / PAD * PAD;
    size_t chars = sodium_base64_encoded_len(TAG_BYTES + padded, ALPHABET);
    vv_buf raw = VV_BUF_INIT;
    vv_status status = vvi_buf_reserve(&raw, TAG_BYTES + padded, err);

    token->len = 0;
    if (!status)
        status = vvi_buf_reserve(token, chars, err);
    if (!status) {
        tag_of(keys, vvi_bytes(key, len), raw.data);
        memcpy(raw.data + TAG_BYTES, key, len);
        memset(raw.data + TAG_BYTES + len, 0, padded - len);
        crypt(keys, raw.data, raw.data + TAG_BYTES, padded);
        sodium_bin2base64((char *)token->data, chars, raw.data, TAG_BYTES + padded,
                          ALPHABET);
        token->len = chars - 1;
    }
    vv_buf_clear(&raw);
    return status;
}

static vv_status fail_name(vv_error *err)
{
    return vvi_fail(err, VV_EAUTH,
                    "the name of a key does not decrypt: another key, or changed bytes");
}

/* Bytes of the text, which is in its one form; 0 when it is not. */
static size_t decode(vv_bytes token, uint8_t *raw, size_t cap)
{
    size_t len;

    if (sodium_base642bin(raw, cap, (const char *)token.data, token.len, NULL, &len, NULL,
                          ALPHABET) != 0 ||
        len <= TAG_BYTES || (len - TAG_BYTES) % PAD != 0)
        return 0;
    return len;
}

/* Where the name ends and its filling begins; 0 when that is not as it is written. */
static size_t name_length(const uint8_t *name, size_t padded)
{
    size_t len = padded;

    while (len && name[len - 1] == 0)
        len--;
    return padded - len < PAD && !memchr(name, 0, len) ? len : 0;
}

vv_status vvi_name_open(const vvi_data_keys *keys, vv_bytes token, vv_buf *name,
                        vv_error *err)
{
    uint8_t tag[TAG_BYTES];
    uint8_t right[TAG_BYTES];
    size_t len;

    name->len = 0;
    VVI_TRY(vvi_buf_reserve(name, token.len + 1, err));
    len = decode(token, name->data, token.len);
    if (!len)
        return fail_name(err);
    memcpy(tag, name->data, TAG_BYTES);
    len -= TAG_BYTES;
    memmove(name->data, name->data + TAG_BYTES, len);
    crypt(keys, tag, name->data, len);
    len = name_length(name->data, len);
    tag_of(keys, vvi_bytes(name->data, len), right);
    if (!len || !vvi_secret_equal(tag, right, TAG_BYTES)) {
        vvi_wipe(name->data, name->cap);
        return fail_name(err);
    }
    name->data[len] = 0;
    name->len = len;
    return VV_OK;
}
