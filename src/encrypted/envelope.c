/* The root block, and the descriptors that stand in the tree for values. */
#include "encrypted/format.h"

#include "crypto/key.h"
#include "crypto/secret.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <varvite/cbor.h>

#include <string.h>

#define LABEL_SEAL "varvite encrypted v1: root"
#define WRAP_FOR   "varvite encrypted v1: data set"

/* The members of the envelope, in their order. */
enum {
    MEMBER_ID,
    MEMBER_KEYS,
    MEMBER_SEAL,
    MEMBER_TREE,
    MEMBER_FORMAT,
    MEMBER_SEGMENT,
    MEMBER_VERSION,
    MEMBER_COUNT
};
static const char *const members[MEMBER_COUNT] = { "id",     "keys",    "seal",   "tree",
                                                   "format", "segment", "version" };

void vvi_envelope_clear(vvi_envelope *self)
{
    vvi_free(self->keys);
    self->keys = NULL;
    self->key_count = self->key_cap = 0;
}

vv_status vvi_envelope_copy(const vvi_envelope *from, vvi_envelope *to, vv_error *err)
{
    *to = *from;
    to->keys = NULL;
    to->key_cap = 0;
    VVI_TRY(vvi_grow((void **)&to->keys, &to->key_cap, from->key_count, sizeof(*to->keys),
                     err));
    if (from->key_count)
        memcpy(to->keys, from->keys, from->key_count * sizeof(*to->keys));
    return VV_OK;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Pass by the rest of an item whose head was read. */
static vv_status skip(vv_cbor_reader *reader, const vv_cbor_item *head)
{
    uint64_t left = head->kind == VV_CBOR_LIST  ? head->u.count
                    : head->kind == VV_CBOR_MAP ? 2 * head->u.count
                                                : 0;
    vv_cbor_item item;

    while (left--) {
        VVI_TRY(vv_cbor_next(reader, &item, NULL));
        if (item.kind == VV_CBOR_LIST)
            left += item.u.count;
        if (item.kind == VV_CBOR_MAP)
            left += 2 * item.u.count;
    }
    return VV_OK;
}

static bool is_text(const vv_cbor_item *item, const char *text)
{
    return item->kind == VV_CBOR_TEXT && vvi_bytes_equal(item->bytes, vv_bytes_of(text));
}

/* Find a member of the map that the block is. */
static vv_status find_member(vv_bytes block, const char *name, vv_cbor_item *value)
{
    vv_cbor_reader *reader;
    vv_cbor_item item;
    vv_status status;
    uint64_t left;

    VVI_TRY(vv_cbor_reader_new(block, &reader, NULL));
    status = vv_cbor_next(reader, &item, NULL);
    left = !status && item.kind == VV_CBOR_MAP ? item.u.count : 0;
    for (; left && !status; left--) {
        status = vv_cbor_next(reader, &item, NULL);
        if (!status)
            status = vv_cbor_next(reader, value, NULL);
        if (!status && is_text(&item, name))
            break;
        if (!status)
            status = skip(reader, value);
    }
    vv_cbor_reader_free(reader);
    return status ? status : left ? VV_OK : VV_ENOTFOUND;
}

bool vvi_is_envelope(vv_bytes block)
{
    vv_cbor_item value;

    return find_member(block, members[MEMBER_FORMAT], &value) == VV_OK &&
           is_text(&value, VVI_ENC_NAME);
}

static vv_status fail_form(vv_error *err, const char *what)
{
    return vvi_fail(err, VV_ECORRUPT, "no root of an encrypted data set: %s", what);
}

/* The next item, which must be of a kind; size: bytes of a byte string, entries of a list. */
static vv_status expect(vv_cbor_reader *reader, vv_cbor_kind kind, uint64_t size,
                        vv_cbor_item *item, const char *what, vv_error *err)
{
    VVI_TRY(vv_cbor_next(reader, item, err));
    if (item->kind != kind || (kind == VV_CBOR_BYTES && item->bytes.len != size) ||
        (kind == VV_CBOR_LIST && item->u.count != size))
        return fail_form(err, what);
    return VV_OK;
}

static vv_status read_keys(vv_cbor_reader *reader, vvi_envelope *out, vv_error *err)
{
    vv_cbor_item item;

    VVI_TRY(vv_cbor_next(reader, &item, err));
    if (item.kind != VV_CBOR_LIST || !item.u.count || item.u.count > VVI_ENC_KEYS_MAX)
        return fail_form(err, "'keys' is no list of 1 to 1024 keys");
    for (uint64_t left = item.u.count; left; left--) {
        vvi_recipient *one;

        VVI_TRY(vvi_grow((void **)&out->keys, &out->key_cap, out->key_count + 1,
                         sizeof(*out->keys), err));
        one = &out->keys[out->key_count];
        VVI_TRY(expect(reader, VV_CBOR_LIST, 2, &item, "an entry of 'keys'", err));
        VVI_TRY(expect(reader, VV_CBOR_BYTES, sizeof(one->id), &item,
                       "the name of a key in 'keys'", err));
        memcpy(one->id, item.bytes.data, sizeof(one->id));
        VVI_TRY(expect(reader, VV_CBOR_BYTES, sizeof(one->wrapped), &item,
                       "a wrapped key in 'keys'", err));
        memcpy(one->wrapped, item.bytes.data, sizeof(one->wrapped));
        out->key_count++;
    }
    return VV_OK;
}

static vv_status read_member(vv_cbor_reader *reader, unsigned member, vvi_envelope *out,
                             vv_error *err)
{
    vv_cbor_item item;

    switch (member) {
    case MEMBER_ID:
        VVI_TRY(expect(reader, VV_CBOR_BYTES, sizeof(out->id), &item, "'id'", err));
        memcpy(out->id, item.bytes.data, sizeof(out->id));
        return VV_OK;
    case MEMBER_KEYS:
        return read_keys(reader, out, err);
    case MEMBER_SEAL:
        return expect(reader, VV_CBOR_BYTES, VVI_ENC_SEAL_BYTES, &item, "'seal'", err);
    case MEMBER_TREE:
        VVI_TRY(expect(reader, VV_CBOR_LINK, 0, &item, "'tree' is no link", err));
        return vv_cid_from_bytes(item.bytes, &out->tree, err);
    case MEMBER_FORMAT:
        VVI_TRY(vv_cbor_next(reader, &item, err));
        return is_text(&item, VVI_ENC_NAME) ? VV_OK : fail_form(err, "'format'");
    case MEMBER_SEGMENT:
        VVI_TRY(expect(reader, VV_CBOR_UINT, 0, &item, "'segment'", err));
        out->segment_bytes = (uint32_t)item.u.uint;
        return vvi_is_segment_size(item.u.uint)
                   ? VV_OK
                   : fail_form(err,
                               "'segment' is no multiple of 1024 from 4096 to 16777216");
    default:
        VVI_TRY(expect(reader, VV_CBOR_UINT, 0, &item, "'version'", err));
        return item.u.uint == VVI_ENC_VERSION ? VV_OK : fail_form(err, "'version'");
    }
}

static vv_status read_all(vv_bytes block, vvi_envelope *out, vv_error *err)
{
    vv_cbor_reader *reader;
    vv_cbor_item item;
    vv_status status;

    VVI_TRY(vv_cbor_reader_new(block, &reader, err));
    status = vv_cbor_next(reader, &item, err);
    if (!status && (item.kind != VV_CBOR_MAP || item.u.count != MEMBER_COUNT))
        status = fail_form(err, "its members are others");
    for (unsigned i = 0; i < MEMBER_COUNT && !status; i++) {
        status = vv_cbor_next(reader, &item, err);
        if (!status && !is_text(&item, members[i]))
            status = fail_form(err, "its members are others");
        if (!status)
            status = read_member(reader, i, out, err);
    }
    if (!status && vv_cbor_next(reader, &item, err) != VV_ENOTFOUND)
        status = fail_form(err, "bytes behind its end");
    vv_cbor_reader_free(reader);
    return status;
}

/* What a later version has is not for us to check. */
static vv_status check_version(vv_bytes block, vv_error *err)
{
    vv_cbor_item item;
    vv_status status = find_member(block, members[MEMBER_FORMAT], &item);

    if (status == VV_ENOMEM)
        return vvi_fail_nomem(err, 0);
    if (status || !is_text(&item, VVI_ENC_NAME))
        return fail_form(err, "it does not say that it is one");
    status = find_member(block, members[MEMBER_VERSION], &item);
    if (status == VV_ENOMEM)
        return vvi_fail_nomem(err, 0);
    if (!status && item.kind == VV_CBOR_UINT && item.u.uint != VVI_ENC_VERSION)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "an encrypted data set of version %" PRIu64
                        "; this library knows version %u",
                        item.u.uint, VVI_ENC_VERSION);
    return VV_OK;
}

vv_status vvi_envelope_decode(vv_bytes block, vvi_envelope *out, vv_error *err)
{
    vv_status status;

    memset(out, 0, sizeof(*out));
    VVI_TRY(check_version(block, err));
    status = read_all(block, out, err);
    if (status && status != VV_ENOMEM)
        status = VV_ECORRUPT;
    if (status)
        vvi_envelope_clear(out);
    return status;
}

/* ---- writing ------------------------------------------------------------------------------ */

static vv_status put_member(const vvi_envelope *self, unsigned member, vv_buf *out,
                            vv_error *err)
{
    static const uint8_t no_seal[VVI_ENC_SEAL_BYTES] = { 0 };

    switch (member) {
    case MEMBER_ID:
        return vv_cbor_put_bytes(out, vvi_bytes(self->id, sizeof(self->id)), err);
    case MEMBER_KEYS:
        VVI_TRY(vv_cbor_put_list(out, self->key_count, err));
        for (size_t i = 0; i < self->key_count; i++) {
            const vvi_recipient *one = &self->keys[i];

            VVI_TRY(vv_cbor_put_list(out, 2, err));
            VVI_TRY(vv_cbor_put_bytes(out, vvi_bytes(one->id, sizeof(one->id)), err));
            VVI_TRY(vv_cbor_put_bytes(out, vvi_bytes(one->wrapped, sizeof(one->wrapped)),
                                      err));
        }
        return VV_OK;
    case MEMBER_SEAL:
        return vv_cbor_put_bytes(out, vvi_bytes(no_seal, sizeof(no_seal)), err);
    case MEMBER_TREE:
        return vv_cbor_put_link(out, &self->tree, err);
    case MEMBER_FORMAT:
        return vv_cbor_put_text(out, vv_bytes_of(VVI_ENC_NAME), err);
    case MEMBER_SEGMENT:
        return vv_cbor_put_uint(out, self->segment_bytes, err);
    default:
        return vv_cbor_put_uint(out, VVI_ENC_VERSION, err);
    }
}

/* The seal is made over the block with zeros in its own place. */
static void seal_of(vv_bytes block, const vvi_data_keys *keys,
                    uint8_t out[VVI_ENC_SEAL_BYTES])
{
    vvi_derive(keys->root, LABEL_SEAL, &block, 1, out, VVI_ENC_SEAL_BYTES);
}

vv_status vvi_envelope_encode(const vvi_envelope *self, const vvi_data_keys *keys,
                              vv_buf *out, vv_error *err)
{
    uint8_t seal[VVI_ENC_SEAL_BYTES];
    size_t seal_end = 0;

    out->len = 0;
    VVI_TRY(vv_cbor_put_map(out, MEMBER_COUNT, err));
    for (unsigned i = 0; i < MEMBER_COUNT; i++) {
        VVI_TRY(vv_cbor_put_text(out, vv_bytes_of(members[i]), err));
        VVI_TRY(put_member(self, i, out, err));
        if (i == MEMBER_SEAL)
            seal_end = out->len;
    }
    seal_of(vvi_buf_bytes(out), keys, seal);
    memcpy(out->data + seal_end - sizeof(seal), seal, sizeof(seal));
    return VV_OK;
}

vv_status vvi_envelope_check_seal(vv_bytes block, const vvi_data_keys *keys,
                                  vv_error *err)
{
    uint8_t right[VVI_ENC_SEAL_BYTES];
    uint8_t given[VVI_ENC_SEAL_BYTES];
    vv_buf copy = VV_BUF_INIT;
    vv_cbor_item seal;
    vv_status status = vvi_buf_set(&copy, block, err);

    if (!status)
        status = find_member(block, members[MEMBER_SEAL], &seal);
    if (status == VV_ENOMEM)
        status = vvi_fail_nomem(err, block.len);
    else if (status || seal.bytes.len != sizeof(given))
        status = fail_form(err, "'seal'");
    if (!status) {
        memcpy(given, seal.bytes.data, sizeof(given));
        memset(copy.data + (seal.bytes.data - block.data), 0, sizeof(given));
        seal_of(vvi_buf_bytes(&copy), keys, right);
        if (!vvi_secret_equal(given, right, sizeof(right)))
            status = vvi_fail(
                err, VV_EAUTH,
                "the root was changed by someone who does not have its key");
    }
    vv_buf_clear(&copy);
    return status;
}

/* ---- who can open it ----------------------------------------------------------------------- */

/* What a wrapped key is bound to: this format, and this data set. */
typedef struct purpose {
    uint8_t bytes[sizeof(WRAP_FOR) + VVI_ENC_ID_BYTES];
} purpose;

static vv_bytes purpose_of(const vvi_envelope *self, purpose *out)
{
    memcpy(out->bytes, WRAP_FOR, sizeof(WRAP_FOR));
    memcpy(out->bytes + sizeof(WRAP_FOR), self->id, sizeof(self->id));
    return vvi_bytes(out->bytes, sizeof(out->bytes));
}

size_t vvi_envelope_find(const vvi_envelope *self, const uint8_t id[VV_KEY_ID_BYTES])
{
    size_t i = 0;

    while (i < self->key_count && memcmp(self->keys[i].id, id, VV_KEY_ID_BYTES) != 0)
        i++;
    return i;
}

vv_status vvi_envelope_set_key(vvi_envelope *self, size_t at, const vv_key *under,
                               const vvi_data_keys *keys, const vvi_draw *draw,
                               vv_error *err)
{
    uint8_t nonce[VVI_XCHACHA_NONCE_BYTES];
    vvi_recipient one;
    vv_key *data = NULL;
    purpose context;
    vv_status status;

    if (at >= VVI_ENC_KEYS_MAX)
        return vvi_fail(err, VV_ELIMIT, "a data set has at most %u keys",
                        VVI_ENC_KEYS_MAX);
    VVI_TRY(
        vvi_grow((void **)&self->keys, &self->key_cap, at + 1, sizeof(*self->keys), err));
    VVI_TRY(vv_key_from_bytes(vvi_bytes(keys->data, VV_KEY_BYTES), &data, err));
    vvi_draw_bytes(draw, nonce, sizeof(nonce));
    vv_key_id(under, one.id);
    status = vvi_key_wrap_with(under, data, purpose_of(self, &context), nonce,
                               one.wrapped, err);
    vv_key_free(data);
    if (status)
        return status;
    self->keys[at] = one;
    if (at == self->key_count)
        self->key_count++;
    return VV_OK;
}

/* "…; it is wrapped under 3f2a91bc00112233 and 2 others" */
static vv_status fail_key(const vvi_envelope *self, const char *id, vv_error *err)
{
    char first[VV_KEY_ID_TEXT_MAX];

    vv_key_id_format(self->keys[0].id, first);
    if (self->key_count == 1)
        return vvi_fail(err, VV_EAUTH, "key %s does not open it; key %s does", id, first);
    return vvi_fail(err, VV_EAUTH, "key %s does not open it; key %s does, and %zu more",
                    id, first, self->key_count - 1);
}

vv_status vvi_envelope_open(const vvi_envelope *self, const vv_key *key,
                            vvi_data_keys **out, vv_error *err)
{
    uint8_t id[VV_KEY_ID_BYTES];
    char id_text[VV_KEY_ID_TEXT_MAX];
    vv_key *data = NULL;
    purpose context;
    size_t at;
    vv_status status;

    vv_key_id(key, id);
    vv_key_id_format(id, id_text);
    at = vvi_envelope_find(self, id);
    if (at == self->key_count)
        return fail_key(self, id_text, err);
    status = vv_key_unwrap(key, self->keys[at].wrapped, purpose_of(self, &context), &data,
                           err);
    if (status)
        return vvi_wrap(err, status, "key %s", id_text);
    status = vvi_data_keys_new(vvi_key_secret(data), out, err);
    vv_key_free(data);
    return status;
}

/* ---- descriptors ------------------------------------------------------------------------------ */

static vv_status encode_descriptor(const vvi_descriptor *self, vv_buf *out, vv_error *err)
{
    VVI_TRY(vv_cbor_put_list(out, 3, err));
    VVI_TRY(vv_cbor_put_link(out, &self->body, err));
    VVI_TRY(vv_cbor_put_bytes(out, vvi_bytes(self->salt, sizeof(self->salt)), err));
    return vv_cbor_put_uint(out, self->length, err);
}

vv_status vvi_descriptor_to_cid(const vvi_descriptor *self, vv_cid *out, vv_error *err)
{
    vv_buf block = VV_BUF_INIT;
    vv_status status = encode_descriptor(self, &block, err);

    if (!status && block.len > VV_DIGEST_MAX)
        status = vvi_fail(err, VV_EUNSUPPORTED,
                          "names of %u bytes are too long for encrypted values",
                          self->body.digest_len);
    if (!status) {
        memset(out, 0, sizeof(*out));
        out->version = 1;
        out->codec = VV_CODEC_DAG_CBOR;
        out->hash = VV_HASH_IDENTITY;
        out->digest_len = (uint8_t)block.len;
        memcpy(out->digest, block.data, block.len);
    }
    vv_buf_clear(&block);
    return status;
}

static vv_status fail_descriptor(vv_error *err)
{
    return vvi_fail(err, VV_ECORRUPT, "the tree does not name an encrypted value");
}

static vv_status read_descriptor(vv_cbor_reader *reader, vvi_descriptor *out,
                                 vv_error *err)
{
    vv_cbor_item item;

    VVI_TRY(expect(reader, VV_CBOR_LIST, 3, &item, "a descriptor", err));
    VVI_TRY(expect(reader, VV_CBOR_LINK, 0, &item, "a descriptor", err));
    VVI_TRY(vv_cid_from_bytes(item.bytes, &out->body, err));
    VVI_TRY(expect(reader, VV_CBOR_BYTES, sizeof(out->salt), &item, "a salt", err));
    memcpy(out->salt, item.bytes.data, sizeof(out->salt));
    VVI_TRY(expect(reader, VV_CBOR_UINT, 0, &item, "a length", err));
    out->length = item.u.uint;
    return vv_cbor_next(reader, &item, NULL) == VV_ENOTFOUND ? VV_OK : VV_ECORRUPT;
}

vv_status vvi_descriptor_of_cid(const vv_cid *cid, vvi_descriptor *out, vv_error *err)
{
    vv_cbor_reader *reader;
    vv_status status;

    if (cid->version != 1 || cid->codec != VV_CODEC_DAG_CBOR ||
        cid->hash != VV_HASH_IDENTITY)
        return fail_descriptor(err);
    VVI_TRY(vv_cbor_reader_new(vvi_bytes(cid->digest, cid->digest_len), &reader, err));
    status = read_descriptor(reader, out, NULL);
    vv_cbor_reader_free(reader);
    if (status == VV_ENOMEM)
        return vvi_fail_nomem(err, 0);
    if (status || out->body.version != 1 || out->body.codec != VV_CODEC_RAW ||
        out->body.hash == VV_HASH_IDENTITY)
        return fail_descriptor(err);
    return VV_OK;
}
