/*
 * What an encrypted data set is read from: a root is written back as it was but for its seal, which no fuzzer
 * makes; a descriptor likewise; a name and a value are refused.
 */
#include "fuzz.h"

#include "encrypted/format.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t no_key[VV_KEY_BYTES];

static void try_envelope(vv_bytes block, const vvi_data_keys *keys)
{
    vvi_envelope envelope;
    vv_buf again = VV_BUF_INIT;

    if (vvi_envelope_decode(block, &envelope, NULL) != VV_OK)
        return;
    CHECK(vvi_is_envelope(block));
    CHECK(envelope.key_count > 0);
    CHECK(vvi_envelope_encode(&envelope, keys, &again, NULL) == VV_OK);
    CHECK(again.len == block.len);
    size_t same = 0;

    while (same < block.len && block.data[same] == again.data[same])
        same++;
    CHECK(same == block.len || vvi_envelope_check_seal(block, keys, NULL) == VV_EAUTH);
    CHECK(vvi_envelope_check_seal(vvi_buf_bytes(&again), keys, NULL) == VV_OK);
    vv_buf_clear(&again);
    vvi_envelope_clear(&envelope);
}

static void try_descriptor(vv_bytes bytes)
{
    vvi_descriptor at;
    vv_cid cid = { .version = 1, .codec = VV_CODEC_DAG_CBOR, .hash = VV_HASH_IDENTITY };
    vv_cid again;

    if (bytes.len > VV_DIGEST_MAX || !bytes.len)
        return;
    cid.digest_len = (uint8_t)bytes.len;
    memcpy(cid.digest, bytes.data, bytes.len);
    if (vvi_descriptor_of_cid(&cid, &at, NULL) != VV_OK)
        return;
    CHECK(vvi_descriptor_to_cid(&at, &again, NULL) == VV_OK);
    CHECK(vv_cid_equal(&cid, &again));
}

static void try_name(vv_bytes token, const vvi_data_keys *keys)
{
    vv_buf name = VV_BUF_INIT;

    CHECK(vvi_name_open(keys, token, &name, NULL) == VV_EAUTH);
    CHECK(name.len == 0);
    vv_buf_clear(&name);
}

/* As the value whose body would have this length. */
static void try_value(vv_bytes body, const vvi_data_keys *keys)
{
    uint8_t salt[VVI_ENC_SALT_BYTES] = { 0 };
    uint64_t length = body.len < 16 ? 0 : body.len - 16;
    vvi_sealed_value value;
    vvi_segments run;
    uint8_t *plain;

    while (length && vvi_body_length(length, VVI_ENC_SEGMENT_MIN) > body.len)
        length--;
    if (vvi_body_length(length, VVI_ENC_SEGMENT_MIN) != body.len)
        return;
    plain = malloc((size_t)length + 1);
    vvi_sealed_value_init(&value, keys, "k", salt, length, VVI_ENC_SEGMENT_MIN);
    run = vvi_segments_of(&value, 0, length);
    CHECK(run.body_len == body.len && run.plain_len == length);
    CHECK(vvi_segments_open(&value, &run, body.data, plain, false, NULL) == VV_EAUTH);
    vvi_sealed_value_clear(&value);
    free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static vvi_data_keys *keys;
    vv_bytes input = vvi_bytes(data, len);

    if (!keys)
        CHECK(vvi_data_keys_new(no_key, &keys, NULL) == VV_OK);
    try_envelope(input, keys);
    try_descriptor(input);
    try_name(input, keys);
    try_value(input, keys);
    return 0;
}
