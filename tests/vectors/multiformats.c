/* multiformats.json: varint, multibase, multihash, CID. */
#include "vectors.h"

#include "util/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Name of a case: its most telling member. */
static const char *label(const json_t *entry, const char *member)
{
    const char *note = text_of(entry, "note");
    const char *text = text_of(entry, member);

    return note ? note : text ? text : "?";
}

static void expect(vector_run *run, const char *name, bool right, const char *what)
{
    if (right)
        vector_pass(run);
    else
        vector_fail(run, name, "%s", what);
}

/* Are both there and equal? */
static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static bool is_hex_of(const char *hex, vv_bytes bytes)
{
    vv_buf wanted = bytes_of_hex(hex);
    bool same = vvi_bytes_equal(vvi_buf_bytes(&wanted), bytes);

    vv_buf_clear(&wanted);
    return same;
}

static void varint_encode(vector_run *run, const json_t *entry)
{
    const char *name = text_of(entry, "n");
    uint8_t bytes[VV_VARINT_MAX];
    uint64_t value;
    size_t len;

    errno = 0;
    value = strtoull(name, NULL, 10);
    len = errno || *name == '-' ? 0 : vv_varint_encode(value, bytes);
    if (json_object_get(entry, "error"))
        expect(run, name, len == 0, "was encoded");
    else
        expect(run, name, len && is_hex_of(text_of(entry, "hex"), vvi_bytes(bytes, len)),
               "other bytes");
}

static void varint_decode(vector_run *run, const json_t *entry)
{
    vv_buf bytes = bytes_of_hex(text_of(entry, "hex"));
    const char *name = text_of(entry, "hex");
    uint64_t value = 0;
    size_t used = 0;
    vv_status status = vv_varint_decode(vvi_buf_bytes(&bytes), &value, &used, NULL);

    if (json_object_get(entry, "error"))
        expect(run, name, status == VV_EINVAL, "was read");
    else
        expect(run, name,
               !status && value == strtoull(text_of(entry, "n"), NULL, 10) &&
                   (int64_t)used == int_of(entry, "bytes_read", -1),
               "another value or length");
    vv_buf_clear(&bytes);
}

static void multibase(vector_run *run, const json_t *entry)
{
    vv_buf data = bytes_of_hex(text_of(entry, "data"));
    const char *base;
    json_t *text;

    json_object_foreach(json_object_get(entry, "encoded"), base, text)
    {
        const char *wanted = json_string_value(text);
        char prefix = vv_multibase_by_name(base);
        vv_buf out = VV_BUF_INIT;
        vv_buf back = VV_BUF_INIT;
        char read = 0;

        if (!prefix || vv_multibase_encode(prefix, vvi_buf_bytes(&data), &out, NULL) ||
            strcmp((char *)out.data, wanted) != 0)
            vector_fail(run, base, "%s: not %s", text_of(entry, "data"), wanted);
        else if (vv_multibase_decode(vv_bytes_of(wanted), &read, &back, NULL) ||
                 read != prefix ||
                 !vvi_bytes_equal(vvi_buf_bytes(&back), vvi_buf_bytes(&data)))
            vector_fail(run, base, "%s is not read back", wanted);
        else
            vector_pass(run);
        vv_buf_clear(&out);
        vv_buf_clear(&back);
    }
    vv_buf_clear(&data);
}

static void multihash_decode(vector_run *run, const json_t *entry)
{
    vv_buf bytes = bytes_of_hex(text_of(entry, "hex"));
    const char *name = text_of(entry, "hex");
    vv_multihash hash;
    vv_status status = vv_multihash_decode(vvi_buf_bytes(&bytes), &hash, NULL);

    if (json_object_get(entry, "error"))
        expect(run, name, status == VV_EINVAL, "was read");
    else
        expect(run, name,
               !status && (int64_t)hash.code == int_of(entry, "code", -1) &&
                   same(vv_hash_name(hash.code), text_of(entry, "name")) &&
                   is_hex_of(text_of(entry, "digest"), hash.digest),
               "refused, or other parts");
    vv_buf_clear(&bytes);
}

/* Every member but data is a hash function and the multihash it gives. */
static void multihash_digest(vector_run *run, const json_t *entry)
{
    vv_buf data = bytes_of_hex(text_of(entry, "data"));
    const char *function;
    json_t *wanted;

    json_object_foreach((json_t *)(uintptr_t)entry, function, wanted)
    {
        vv_buf whole = VV_BUF_INIT;
        vv_multihash hash;
        vv_bytes right;
        uint8_t *digest;
        uint32_t code;

        if (strcmp(function, "data") == 0)
            continue;
        whole = bytes_of_hex(json_string_value(wanted));
        digest = malloc(whole.len + 1);
        if (digest && vv_hash_by_name(function, &code) &&
            !vv_multihash_decode(vvi_buf_bytes(&whole), &hash, NULL) &&
            hash.code == code &&
            !vv_hash(code, vvi_buf_bytes(&data), digest, hash.digest.len, NULL)) {
            right = hash.digest;
            expect(run, function, vvi_bytes_equal(right, vvi_bytes(digest, right.len)),
                   "another digest");
        } else {
            vector_fail(run, function, "cannot be computed");
        }
        free(digest);
        vv_buf_clear(&whole);
    }
    vv_buf_clear(&data);
}

static bool has_text(const vv_cid *cid, char base, const char *wanted)
{
    char text[VV_CID_TEXT_MAX];
    vv_cid back;

    return !vv_cid_format_base(cid, base, text, NULL) && strcmp(text, wanted) == 0 &&
           !vv_cid_parse(text, &back, NULL) && vv_cid_equal(cid, &back);
}

static void cid_format(vector_run *run, const json_t *entry)
{
    vv_buf multihash = bytes_of_hex(text_of(entry, "multihash"));
    const char *name = text_of(entry, "bytes");
    uint8_t bytes[VV_CID_BYTES_MAX];
    vv_multihash hash;
    const char *member;
    vv_cid cid = { 0 };
    json_t *value;
    size_t len;

    if (vv_multihash_decode(vvi_buf_bytes(&multihash), &hash, NULL)) {
        vector_fail(run, name, "its multihash is refused");
        vv_buf_clear(&multihash);
        return;
    }
    cid.version = (uint8_t)int_of(entry, "version", 9);
    cid.codec = (uint32_t)int_of(entry, "codec_code", 0);
    cid.hash = (uint32_t)hash.code;
    cid.digest_len = (uint8_t)hash.digest.len;
    memcpy(cid.digest, hash.digest.data, hash.digest.len);
    vv_cid_to_bytes(&cid, bytes, &len);
    expect(run, name, is_hex_of(text_of(entry, "bytes"), vvi_bytes(bytes, len)),
           "other bytes");
    expect(run, name, same(vv_codec_name(cid.codec), text_of(entry, "codec")),
           "another codec name");
    json_object_foreach((json_t *)(uintptr_t)entry, member, value)
    {
        char base = vv_multibase_by_name(member);
        vv_cid v1 = cid;

        v1.version = 1;
        if (strcmp(member, "string") == 0)
            expect(run, name, has_text(&cid, 'z', json_string_value(value)),
                   "another text");
        else if (strcmp(member, "as_v1_base32") == 0)
            expect(run, name, has_text(&v1, 'b', json_string_value(value)),
                   "another text as v1");
        else if (base)
            expect(run, member, has_text(&cid, base, json_string_value(value)), name);
    }
    vv_buf_clear(&multihash);
}

static void cid_parse_string(vector_run *run, const json_t *entry)
{
    const char *name = label(entry, "string");
    const char *text = text_of(entry, "string");
    uint8_t bytes[VV_CID_BYTES_MAX];
    vv_cid cid;
    size_t len;
    vv_status status = vv_cid_parse(text, &cid, NULL);

    if (json_object_get(entry, "error")) {
        expect(run, name, status != VV_OK, "was read");
        return;
    }
    if (status) {
        expect(run, name, json_is_true(json_object_get(entry, "lenient")), "was refused");
        return;
    }
    vv_cid_to_bytes(&cid, bytes, &len);
    expect(run, name,
           cid.version == int_of(entry, "version", -1) &&
               is_hex_of(text_of(entry, "bytes"), vvi_bytes(bytes, len)) &&
               strcmp(vv_multibase_name(cid.version ? text[0] : 'z'),
                      text_of(entry, "base")) == 0,
           "another CID");
}

static void cid_parse_bytes(vector_run *run, const json_t *entry)
{
    vv_buf bytes = bytes_of_hex(text_of(entry, "hex"));
    const char *base32 = text_of(entry, "base32");
    const char *name = label(entry, "hex");
    vv_cid cid;
    vv_status status = vv_cid_from_bytes(vvi_buf_bytes(&bytes), &cid, NULL);

    if (json_object_get(entry, "error"))
        expect(run, name, status != VV_OK, "was read");
    else
        expect(run, name,
               !status && cid.version == int_of(entry, "version", -1) &&
                   same(vv_codec_name(cid.codec), text_of(entry, "codec")) &&
                   same(vv_hash_name(cid.hash), text_of(entry, "hash")) &&
                   has_text(&cid, 'z', text_of(entry, "string")) &&
                   (!base32 || has_text(&cid, 'b', base32)),
               "refused, or another CID");
    vv_buf_clear(&bytes);
}

void run_multiformats(vector_run *run, const json_t *document)
{
    static const struct {
        const char *list;
        void (*check)(vector_run *run, const json_t *entry);
    } parts[] = {
        { "varint_encode", varint_encode },
        { "varint_decode_prefix", varint_decode },
        { "multibase_encode", multibase },
        { "multihash_decode", multihash_decode },
        { "multihash_digest", multihash_digest },
        { "cid_format", cid_format },
        { "cid_parse_string", cid_parse_string },
        { "cid_parse_bytes", cid_parse_bytes },
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        size_t index;
        json_t *entry;

        json_array_foreach(json_object_get(document, parts[i].list), index, entry)
            parts[i]
                .check(run, entry);
    }
}
