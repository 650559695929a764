/*
 * Our own encrypted format, byte by byte: docs/format/encrypted.md.
 *
 * A root block (the envelope) names a HAMT. Its keys are the store's keys, encrypted; its values are names
 * that hold a descriptor each: the salt, the length and the block of an encrypted value.
 */
#ifndef VVI_ENCRYPTED_FORMAT_H
#define VVI_ENCRYPTED_FORMAT_H

#include <varvite/cid.h>
#include <varvite/crypto.h>

#include "crypto/aead.h"
#include "util/error.h"

#define VVI_ENC_NAME    "varvite-encrypted"
#define VVI_ENC_VERSION 1u

#define VVI_ENC_ID_BYTES   16
#define VVI_ENC_SALT_BYTES 16
#define VVI_ENC_SEAL_BYTES 32
#define VVI_ENC_KEYS_MAX   1024u

/* Ciphers take multiples of 1 KiB fastest; two of the default, with their tags, are read in 64 KiB. */
#define VVI_ENC_SEGMENT_UNIT    1024u
#define VVI_ENC_SEGMENT_MIN     4096u
#define VVI_ENC_SEGMENT_DEFAULT (31u << 10)
#define VVI_ENC_SEGMENT_MAX     (16u << 20)

/* ---- keys (keys.c) ----------------------------------------------------------------------- */

/* The key of a data set and what is made of it. In locked memory. */
typedef struct vvi_data_keys {
    uint8_t data[VV_KEY_BYTES];
    uint8_t tag[VV_KEY_BYTES];   /* of key names */
    uint8_t name[VV_KEY_BYTES];  /* of their bytes */
    uint8_t value[VV_KEY_BYTES]; /* each value's own key is made of it */
    uint8_t root[VV_KEY_BYTES];  /* of the envelope's seal */
} vvi_data_keys;

vv_status vvi_data_keys_new(const uint8_t data[VV_KEY_BYTES], vvi_data_keys **out,
                            vv_error *err);
void vvi_data_keys_free(vvi_data_keys *keys);

/* Where random bytes come from; tests give a source whose bytes are known. */
typedef struct vvi_draw {
    void (*fill)(void *ctx, uint8_t *out, size_t len);
    void *ctx;
} vvi_draw;
void vvi_draw_bytes(const vvi_draw *draw, uint8_t *out, size_t len);

/* ---- the envelope (envelope.c) ------------------------------------------------------------- */

/* One who can open it. */
typedef struct vvi_recipient {
    uint8_t id[VV_KEY_ID_BYTES];
    uint8_t wrapped[VV_KEY_WRAPPED_BYTES];
} vvi_recipient;

typedef struct vvi_envelope {
    uint8_t id[VVI_ENC_ID_BYTES];
    vvi_recipient *keys;
    size_t key_count, key_cap;
    vv_cid tree;
    uint32_t segment_bytes;
} vvi_envelope;

void vvi_envelope_clear(vvi_envelope *self);
vv_status vvi_envelope_copy(const vvi_envelope *from, vvi_envelope *to, vv_error *err);

/* Does it say that it is one, of whatever version? */
bool vvi_is_envelope(vv_bytes block);
/* Check all of its form; its seal is not looked at. @return VV_OK, VV_ECORRUPT, VV_EUNSUPPORTED (version),
 * VV_ENOMEM */
vv_status vvi_envelope_decode(vv_bytes block, vvi_envelope *out, vv_error *err);
/* The block, sealed. */
vv_status vvi_envelope_encode(const vvi_envelope *self, const vvi_data_keys *keys,
                              vv_buf *out, vv_error *err);
/* Is the block what an owner of the key made? @return VV_OK, VV_EAUTH, VV_ENOMEM */
vv_status vvi_envelope_check_seal(vv_bytes block, const vvi_data_keys *keys,
                                  vv_error *err);

/* Wrap the key of the data set for one more; at: its place, key_count for a new one. */
vv_status vvi_envelope_set_key(vvi_envelope *self, size_t at, const vv_key *under,
                               const vvi_data_keys *keys, const vvi_draw *draw,
                               vv_error *err);
/* The place of a key by its name; key_count: none. */
size_t vvi_envelope_find(const vvi_envelope *self, const uint8_t id[VV_KEY_ID_BYTES]);
/* Unwrap the key of the data set. @return VV_OK, VV_EAUTH, VV_ENOMEM */
vv_status vvi_envelope_open(const vvi_envelope *self, const vv_key *key,
                            vvi_data_keys **out, vv_error *err);

/* ---- descriptors (envelope.c) ---------------------------------------------------------------- */

typedef struct vvi_descriptor {
    vv_cid body;
    uint8_t salt[VVI_ENC_SALT_BYTES];
    uint64_t length; /* of the value */
} vvi_descriptor;

/* VV_EUNSUPPORTED: the name of the body is too long. */
vv_status vvi_descriptor_to_cid(const vvi_descriptor *self, vv_cid *out, vv_error *err);
/* VV_ECORRUPT: no descriptor, or one that is written in another way. */
vv_status vvi_descriptor_of_cid(const vv_cid *cid, vvi_descriptor *out, vv_error *err);

/* ---- names of keys (names.c) ----------------------------------------------------------------- */

/* The text that stands in the tree for a key of the store: the same each time. token: terminated. */
vv_status vvi_name_seal(const vvi_data_keys *keys, const char *key, vv_buf *token,
                        vv_error *err);
/* The way back. name: terminated. @return VV_OK, VV_EAUTH, VV_ENOMEM */
vv_status vvi_name_open(const vvi_data_keys *keys, vv_bytes token, vv_buf *name,
                        vv_error *err);

/* ---- values (value.c) -------------------------------------------------------------------------- */

/* One value on its way in or out. Threads: any may read it. */
typedef struct vvi_sealed_value {
    uint8_t key[VVI_AEAD_KEY_BYTES]; /* its own */
    vv_bytes name;                   /* the key of the store: borrowed */
    uint64_t length;
    uint32_t segment_bytes; /* of plaintext */
} vvi_sealed_value;

void vvi_sealed_value_init(vvi_sealed_value *self, const vvi_data_keys *keys,
                           const char *name, const uint8_t salt[VVI_ENC_SALT_BYTES],
                           uint64_t length, uint32_t segment_bytes);
void vvi_sealed_value_clear(vvi_sealed_value *self);

bool vvi_is_segment_size(uint64_t bytes);
/* Bytes of the encrypted value; 0: longer than a block may be. */
uint64_t vvi_body_length(uint64_t length, uint32_t segment_bytes);

/* A run of segments. */
typedef struct vvi_segments {
    uint64_t first, count;
    uint64_t plain_at, plain_len; /* in the value */
    uint64_t body_at, body_len;   /* in the encrypted value */
} vvi_segments;
/* Those that hold the bytes offset … offset + count of the value; one at least. */
vvi_segments vvi_segments_of(const vvi_sealed_value *self, uint64_t offset,
                             uint64_t count);

/* Encrypt or decrypt a run of segments; plain and body are those of the run. Several threads take part in
 * long ones where threads is set. open: plain is wiped when it fails. @return VV_OK, VV_EAUTH (open), VV_ENOMEM */
vv_status vvi_segments_seal(const vvi_sealed_value *self, const vvi_segments *run,
                            const uint8_t *plain, uint8_t *body, bool threads,
                            vv_error *err);
vv_status vvi_segments_open(const vvi_sealed_value *self, const vvi_segments *run,
                            const uint8_t *body, uint8_t *plain, bool threads,
                            vv_error *err);

#endif
