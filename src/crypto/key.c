/* Keys: made, named, derived and wrapped. */
#include "crypto/key.h"

#include "crypto/aead.h"
#include "crypto/secret.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <sodium.h>
#include <string.h>

/* What a key is used for; each use has a key of its own. */
#define LABEL_ID   "varvite key id v1"
#define LABEL_WRAP "varvite key wrap v1"

struct vv_key {
    uint8_t *bytes; /* locked; read-only once made */
};

vv_status vvi_key_make(vv_key **out, vvi_key_fill_fn fill, const void *ctx, vv_error *err)
{
    vv_key *key = vvi_alloc(sizeof(*key));

    if (!key)
        return vvi_fail_nomem(err, sizeof(*key));
    key->bytes = vvi_secret_new(VV_KEY_BYTES);
    if (!key->bytes) {
        vvi_free(key);
        return vvi_fail_nomem(err, VV_KEY_BYTES);
    }
    fill(key->bytes, ctx);
    (void)sodium_mprotect_readonly(key->bytes);
    *out = key;
    return VV_OK;
}

void vv_key_free(vv_key *key)
{
    if (!key)
        return;
    vvi_secret_free(key->bytes);
    vvi_free(key);
}

const uint8_t *vvi_key_secret(const vv_key *key)
{
    return key->bytes;
}

static void fill_random(uint8_t *bytes, const void *ctx)
{
    (void)ctx;
    vvi_random(bytes, VV_KEY_BYTES);
}

vv_status vv_key_new(vv_key **out, vv_error *err)
{
    return vvi_key_make(out, fill_random, NULL, err);
}

static void fill_copy(uint8_t *bytes, const void *ctx)
{
    memcpy(bytes, ctx, VV_KEY_BYTES);
}

vv_status vv_key_from_bytes(vv_bytes bytes, vv_key **out, vv_error *err)
{
    if (bytes.len != VV_KEY_BYTES)
        return vvi_fail(err, VV_EINVAL, "a key has %d bytes, not %zu", VV_KEY_BYTES,
                        bytes.len);
    return vvi_key_make(out, fill_copy, bytes.data, err);
}

void vv_key_bytes(const vv_key *key, uint8_t out[VV_KEY_BYTES])
{
    memcpy(out, key->bytes, VV_KEY_BYTES);
}

bool vv_key_equal(const vv_key *a, const vv_key *b)
{
    return vvi_secret_equal(a->bytes, b->bytes, VV_KEY_BYTES);
}

/* ---- names ------------------------------------------------------------------------------- */

void vv_key_id(const vv_key *key, uint8_t out[VV_KEY_ID_BYTES])
{
    uint8_t full[VV_KEY_BYTES];

    vvi_derive(key->bytes, LABEL_ID, NULL, 0, full, sizeof(full));
    memcpy(out, full, VV_KEY_ID_BYTES);
}

void vv_key_id_format(const uint8_t id[VV_KEY_ID_BYTES], char out[VV_KEY_ID_TEXT_MAX])
{
    sodium_bin2hex(out, VV_KEY_ID_TEXT_MAX, id, VV_KEY_ID_BYTES);
}

vv_status vv_key_id_parse(const char *text, uint8_t out[VV_KEY_ID_BYTES], vv_error *err)
{
    uint8_t id[VV_KEY_ID_BYTES];
    size_t len = 0;

    /* Which is not shown: it may be a key. */
    if (strlen(text) > VV_KEY_ID_TEXT_MAX - 1)
        return vvi_fail(err, VV_EINVAL,
                        "%zu characters are not the name of a key: %d hexadecimal digits",
                        strlen(text), VV_KEY_ID_TEXT_MAX - 1);
    if (sodium_hex2bin(id, sizeof(id), text, strlen(text), NULL, &len, NULL) ||
        len != sizeof(id))
        return vvi_fail(err, VV_EINVAL,
                        "'%s' is not the name of a key: %d hexadecimal digits", text,
                        VV_KEY_ID_TEXT_MAX - 1);
    memcpy(out, id, sizeof(id));
    return VV_OK;
}

/* ---- keys from keys ------------------------------------------------------------------------ */

typedef struct deriving {
    const vv_key *from;
    const char *label;
    vv_bytes context;
} deriving;

static void fill_derived(uint8_t *bytes, const void *ctx)
{
    const deriving *self = ctx;

    vvi_derive(self->from->bytes, self->label, &self->context, 1, bytes, VV_KEY_BYTES);
}

vv_status vv_key_derive(const vv_key *from, const char *label, vv_bytes context,
                        vv_key **out, vv_error *err)
{
    deriving self = { from, label, context };

    return vvi_key_make(out, fill_derived, &self, err);
}

/* A wrapped key: nonce, tag, ciphertext. */
#define AT_TAG    VVI_XCHACHA_NONCE_BYTES
#define AT_CIPHER (AT_TAG + VVI_AEAD_TAG_BYTES)
_Static_assert(AT_CIPHER + VV_KEY_BYTES == VV_KEY_WRAPPED_BYTES, "its size is public");

vv_status vvi_key_wrap_with(const vv_key *under, const vv_key *key, vv_bytes context,
                            const uint8_t nonce[VVI_XCHACHA_NONCE_BYTES],
                            uint8_t out[VV_KEY_WRAPPED_BYTES], vv_error *err)
{
    uint8_t wrapping[VV_KEY_BYTES];
    vv_status status;

    memcpy(out, nonce, AT_TAG);
    vvi_derive(under->bytes, LABEL_WRAP, NULL, 0, wrapping, sizeof(wrapping));
    status = vvi_xchacha_seal(wrapping, out, context, vvi_bytes(key->bytes, VV_KEY_BYTES),
                              out + AT_CIPHER, out + AT_TAG, err);
    vvi_wipe(wrapping, sizeof(wrapping));
    return status;
}

vv_status vv_key_wrap(const vv_key *under, const vv_key *key, vv_bytes context,
                      uint8_t out[VV_KEY_WRAPPED_BYTES], vv_error *err)
{
    uint8_t nonce[VVI_XCHACHA_NONCE_BYTES];

    vvi_random(nonce, sizeof(nonce));
    return vvi_key_wrap_with(under, key, context, nonce, out, err);
}

vv_status vv_key_unwrap(const vv_key *under, const uint8_t wrapped[VV_KEY_WRAPPED_BYTES],
                        vv_bytes context, vv_key **out, vv_error *err)
{
    uint8_t wrapping[VV_KEY_BYTES];
    uint8_t plain[VV_KEY_BYTES];
    vv_status status;

    vvi_derive(under->bytes, LABEL_WRAP, NULL, 0, wrapping, sizeof(wrapping));
    status = vvi_xchacha_open(wrapping, wrapped, context,
                              vvi_bytes(wrapped + AT_CIPHER, VV_KEY_BYTES),
                              wrapped + AT_TAG, plain, err);
    if (!status)
        status = vv_key_from_bytes(vvi_bytes(plain, sizeof(plain)), out, err);
    vvi_wipe(plain, sizeof(plain));
    vvi_wipe(wrapping, sizeof(wrapping));
    return status;
}
