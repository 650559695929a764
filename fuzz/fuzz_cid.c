/* CIDs, multihashes, varints and multibase, as bytes and as text. */
#include "fuzz.h"

#include "util/buf.h"

static void check_cid(const vv_cid *cid)
{
    char text[VV_CID_TEXT_MAX];
    uint8_t bytes[VV_CID_BYTES_MAX];
    vv_cid back;
    size_t used;
    size_t len;

    for (size_t i = cid->digest_len; i < VV_DIGEST_MAX; i++)
        CHECK(cid->digest[i] == 0);
    vv_cid_to_bytes(cid, bytes, &len);
    CHECK(vv_cid_read((vv_bytes){ bytes, len }, &back, &used, NULL) == VV_OK);
    CHECK(used == len && vv_cid_equal(cid, &back));
    vv_cid_format(cid, text);
    CHECK(strlen(text) < VV_CID_TEXT_MAX);
    if (cid->version != VV_CID_BARE) {
        CHECK(vv_cid_parse(text, &back, NULL) == VV_OK && vv_cid_equal(cid, &back));
        CHECK(vv_cid_from_bytes((vv_bytes){ bytes, len }, &back, NULL) == VV_OK);
    }
    vv_cid_verify(cid, (vv_bytes){ bytes, len }, NULL);
}

static void check_bytes(vv_bytes input)
{
    uint8_t again[VV_CID_BYTES_MAX];
    vv_multihash hash;
    uint64_t value;
    size_t used;
    size_t len;
    vv_cid cid;

    if (vv_cid_from_bytes(input, &cid, NULL) == VV_OK) {
        check_cid(&cid);
        vv_cid_to_bytes(&cid, again, &len);
        CHECK(len == input.len && memcmp(again, input.data, len) == 0);
    }
    if (vv_cid_read(input, &cid, &used, NULL) == VV_OK) {
        CHECK(used <= input.len);
        check_cid(&cid);
    }
    if (vv_varint_decode(input, &value, &used, NULL) == VV_OK) {
        CHECK(vv_varint_encode(value, again) == used);
        CHECK(memcmp(again, input.data, used) == 0);
    }
    if (vv_multihash_decode(input, &hash, NULL) == VV_OK)
        CHECK(hash.digest.len <= input.len && vv_hash_name(hash.code));
}

static void check_base(char base, vv_bytes input)
{
    vv_buf text = VV_BUF_INIT;
    vv_buf back = VV_BUF_INIT;

    if (vv_multibase_encode(base, input, &text, NULL) == VV_OK) {
        CHECK(vv_multibase_decode(vvi_buf_bytes(&text), NULL, &back, NULL) == VV_OK);
        CHECK(vvi_bytes_equal(vvi_buf_bytes(&back), input));
    }
    vv_buf_clear(&text);
    vv_buf_clear(&back);
}

/* What is read as text comes out as the same bytes when written in its base and read again. */
static void check_text(vv_bytes input)
{
    vv_buf data = VV_BUF_INIT;
    char base;
    char *text;
    vv_cid cid;

    if (vv_multibase_decode(input, &base, &data, NULL) == VV_OK)
        check_base(base, vvi_buf_bytes(&data));
    vv_buf_clear(&data);
    text = malloc(input.len + 1);
    CHECK(text);
    if (input.len)
        memcpy(text, input.data, input.len);
    text[input.len] = '\0';
    if (vv_cid_parse(text, &cid, NULL) == VV_OK)
        check_cid(&cid);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char bases[] = "bzkfumBKFZ079cCvVtThMU";
    vv_bytes input = { data, len };

    check_bytes(input);
    check_text(input);
    if (len && len < 400)
        check_base(bases[data[0] % (sizeof(bases) - 1)], vvi_bytes(data + 1, len - 1));
    return 0;
}
