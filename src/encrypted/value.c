/*
 * Values: cut into segments, each encrypted and authenticated on its own, under a key that only this value
 * has. The number of a segment, and whether it is the last, are its nonce and stand in its associated data
 * with the key of the store; the value's salt and length are in its key.
 */
#include "encrypted/format.h"

#include "crypto/secret.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"
#include "util/thread.h"

#include <varvite/blockstore.h>

#include <string.h>

#define LABEL_VALUE "varvite encrypted v1: value"
/* What one thread does in a row, and from how much on several are asked. */
#define SHARE_BYTES    ((uint64_t)512 << 10)
#define PARALLEL_BYTES ((uint64_t)2 << 20)
/* In front of the name in the associated data: the segment's number, and whether it is the last. */
#define AD_FRONT 9

bool vvi_is_segment_size(uint64_t bytes)
{
    return bytes >= VVI_ENC_SEGMENT_MIN && bytes <= VVI_ENC_SEGMENT_MAX &&
           bytes % VVI_ENC_SEGMENT_UNIT == 0;
}

static uint64_t segment_count(uint64_t length, uint32_t segment_bytes)
{
    return length ? (length - 1) / segment_bytes + 1 : 1;
}

uint64_t vvi_body_length(uint64_t length, uint32_t segment_bytes)
{
    uint64_t body;

    if (length > VV_BLOCK_BYTES_MAX)
        return 0;
    body = length + segment_count(length, segment_bytes) * VVI_AEAD_TAG_BYTES;
    return body <= VV_BLOCK_BYTES_MAX ? body : 0;
}

void vvi_sealed_value_init(vvi_sealed_value *self, const vvi_data_keys *keys,
                           const char *name, const uint8_t salt[VVI_ENC_SALT_BYTES],
                           uint64_t length, uint32_t segment_bytes)
{
    uint8_t length_bytes[8];
    vv_bytes parts[3];

    vvi_put_le64(length_bytes, length);
    parts[0] = vvi_bytes(salt, VVI_ENC_SALT_BYTES);
    parts[1] = vvi_bytes(length_bytes, sizeof(length_bytes));
    parts[2] = vv_bytes_of(name);
    vvi_derive(keys->value, LABEL_VALUE, parts, 3, self->key, sizeof(self->key));
    self->name = parts[2];
    self->length = length;
    self->segment_bytes = segment_bytes;
}

void vvi_sealed_value_clear(vvi_sealed_value *self)
{
    vvi_wipe(self->key, sizeof(self->key));
}

vvi_segments vvi_segments_of(const vvi_sealed_value *self, uint64_t offset,
                             uint64_t count)
{
    uint32_t plain = self->segment_bytes;
    uint64_t all = segment_count(self->length, self->segment_bytes);
    vvi_segments run = { .first = offset / plain };
    uint64_t end = count ? (offset + count - 1) / plain + 1 : run.first + 1;
    uint64_t plain_end = end * plain < self->length ? end * plain : self->length;

    if (end > all)
        end = all;
    if (run.first >= end)
        run.first = end - 1;
    run.count = end - run.first;
    run.plain_at = run.first * plain;
    run.plain_len = plain_end - run.plain_at;
    run.body_at = run.first * (plain + VVI_AEAD_TAG_BYTES);
    run.body_len = run.plain_len + run.count * VVI_AEAD_TAG_BYTES;
    return run;
}

/* ---- some segments in a row -------------------------------------------------------------- */

typedef struct crypting {
    const vvi_sealed_value *value;
    const vvi_segments *run;
    bool seal;
    const uint8_t *from;
    uint8_t *to;
    uint64_t share; /* segments of one piece of work */
} crypting;

typedef struct segment {
    uint8_t nonce[VVI_CHACHA_NONCE_BYTES];
    uint8_t *ad; /* AD_FRONT bytes and the name */
    size_t ad_len;
    size_t len; /* plain */
} segment;

static void set_segment(segment *at, const vvi_sealed_value *value, uint64_t number)
{
    uint32_t plain = value->segment_bytes;
    uint64_t begin = number * plain;
    bool last = value->length - begin <= plain;

    at->len = last ? (size_t)(value->length - begin) : plain;
    memset(at->nonce, 0, sizeof(at->nonce));
    vvi_put_le64(at->nonce, number);
    at->nonce[VVI_CHACHA_NONCE_BYTES - 1] = last;
    vvi_put_le64(at->ad, number);
    at->ad[AD_FRONT - 1] = last;
}

/* i counts from the first of the run. */
static vv_status crypt_one(const crypting *self, vvi_aead *aead, segment *at, uint64_t i,
                           vv_error *err)
{
    uint32_t plain_step = self->value->segment_bytes;
    uint32_t body_step = plain_step + VVI_AEAD_TAG_BYTES;
    vv_bytes ad = vvi_bytes(at->ad, at->ad_len);

    set_segment(at, self->value, self->run->first + i);
    if (self->seal) {
        const uint8_t *plain = at->len ? self->from + i * plain_step : NULL;
        uint8_t *body = self->to + i * body_step;

        return vvi_aead_seal(aead, at->nonce, ad, vvi_bytes(plain, at->len), body,
                             body + at->len, err);
    }
    const uint8_t *body = self->from + i * body_step;

    return vvi_aead_open(aead, at->nonce, ad, vvi_bytes(body, at->len), body + at->len,
                         self->to + i * plain_step, err);
}

static vv_status crypt_share(void *ctx, size_t share, vv_error *err)
{
    const crypting *self = ctx;
    uint64_t end = (share + 1) * self->share;
    segment at = { .ad_len = AD_FRONT + self->value->name.len };
    vv_status status = VV_OK;
    vvi_aead aead;

    at.ad = vvi_alloc(at.ad_len);
    if (!at.ad)
        return vvi_fail_nomem(err, at.ad_len);
    memcpy(at.ad + AD_FRONT, self->value->name.data, self->value->name.len);
    vvi_aead_init(&aead, self->value->key);
    if (end > self->run->count)
        end = self->run->count;
    for (uint64_t i = share * self->share; i < end && !status; i++)
        status = crypt_one(self, &aead, &at, i, err);
    vvi_aead_clear(&aead);
    vvi_free(at.ad);
    return status;
}

static vv_status crypt_all(crypting *self, bool threads, vv_error *err)
{
    self->share = self->run->count;
    if (!threads || self->run->body_len < PARALLEL_BYTES)
        return crypt_share(self, 0, err);
    self->share = SHARE_BYTES / self->value->segment_bytes;
    if (!self->share)
        self->share = 1;
    return vvi_parallel(0, (size_t)((self->run->count - 1) / self->share + 1),
                        crypt_share, self, err);
}

vv_status vvi_segments_seal(const vvi_sealed_value *self, const vvi_segments *run,
                            const uint8_t *plain, uint8_t *body, bool threads,
                            vv_error *err)
{
    crypting all = { .value = self, .run = run, .seal = true, .from = plain, .to = body };

    return crypt_all(&all, threads, err);
}

vv_status vvi_segments_open(const vvi_sealed_value *self, const vvi_segments *run,
                            const uint8_t *body, uint8_t *plain, bool threads,
                            vv_error *err)
{
    crypting all = { .value = self, .run = run, .from = body, .to = plain };
    vv_status status = crypt_all(&all, threads, err);

    if (status)
        vvi_wipe(plain, (size_t)run->plain_len);
    return status;
}
