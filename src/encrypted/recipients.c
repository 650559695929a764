/* What a root says without a key, and who can open it. */
#include "encrypted/store.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

bool vv_encrypted_is_root(vv_bytes block)
{
    return vvi_is_envelope(block);
}

void vv_encrypted_info_clear(vv_encrypted_info *info)
{
    if (!info)
        return;
    vvi_free(info->key_ids);
    memset(info, 0, sizeof(*info));
}

vv_status vv_encrypted_info_read(vv_blockstore *blocks, const vv_cid *root,
                                 vv_encrypted_info *out, vv_error *err)
{
    vvi_envelope envelope;
    vv_encrypted_info info = { .version = VVI_ENC_VERSION };

    VVI_TRY(vvi_envelope_load(blocks, root, NULL, &envelope, NULL, err));
    info.key_ids = vvi_alloc_array(envelope.key_count, sizeof(*info.key_ids));
    if (!info.key_ids) {
        vvi_envelope_clear(&envelope);
        return vvi_fail_nomem(err, 0);
    }
    for (size_t i = 0; i < envelope.key_count; i++)
        memcpy(info.key_ids[i], envelope.keys[i].id, VV_KEY_ID_BYTES);
    info.key_count = envelope.key_count;
    info.segment_bytes = envelope.segment_bytes;
    memcpy(info.data_set_id, envelope.id, sizeof(info.data_set_id));
    info.tree = envelope.tree;
    vvi_envelope_clear(&envelope);
    *out = info;
    return VV_OK;
}

/* ---- changes ------------------------------------------------------------------------------- */

/* A root on its way to another one over the same tree. */
typedef struct rewrap {
    vv_blockstore *blocks;
    vv_cid_prefix ids;
    vvi_envelope envelope;
    vvi_data_keys *keys;
} rewrap;

static vv_status begin(rewrap *self, vv_blockstore *blocks, const vv_cid *root,
                       const vv_key *key, vv_error *err)
{
    self->blocks = blocks;
    self->ids = (vv_cid_prefix){ .codec = VV_CODEC_DAG_CBOR,
                                 .hash = root->hash,
                                 .version = 1,
                                 .digest_len = root->digest_len };
    return vvi_envelope_load(blocks, root, key, &self->envelope, &self->keys, err);
}

static vv_status finish(rewrap *self, vv_status status, vv_cid *root, vv_error *err)
{
    vv_cid named;

    if (!status)
        status = vvi_envelope_store(self->blocks, &self->envelope, self->keys, &self->ids,
                                    &named, err);
    if (!status)
        status = vv_blockstore_flush(self->blocks, err);
    if (!status)
        *root = named;
    vvi_data_keys_free(self->keys);
    vvi_envelope_clear(&self->envelope);
    return status;
}

/* VV_EEXISTS: it can be opened by that key already. */
static vv_status check_new(const rewrap *self, const vv_key *key, vv_error *err)
{
    uint8_t id[VV_KEY_ID_BYTES];
    char text[VV_KEY_ID_TEXT_MAX];

    vv_key_id(key, id);
    vv_key_id_format(id, text);
    if (vvi_envelope_find(&self->envelope, id) < self->envelope.key_count)
        return vvi_fail(err, VV_EEXISTS, "key %s opens the data set already", text);
    return VV_OK;
}

vv_status vv_encrypted_add_key(vv_blockstore *blocks, const vv_cid *root,
                               const vv_key *key, const vv_key *added, vv_cid *new_root,
                               vv_error *err)
{
    rewrap self;
    vv_status status;

    VVI_TRY(begin(&self, blocks, root, key, err));
    status = check_new(&self, added, err);
    if (!status)
        status = vvi_envelope_set_key(&self.envelope, self.envelope.key_count, added,
                                      self.keys, NULL, err);
    return finish(&self, status, new_root, err);
}

vv_status vv_encrypted_rotate_key(vv_blockstore *blocks, const vv_cid *root,
                                  const vv_key *key, const vv_key *new_key,
                                  vv_cid *new_root, vv_error *err)
{
    uint8_t id[VV_KEY_ID_BYTES];
    rewrap self;
    vv_status status;

    VVI_TRY(begin(&self, blocks, root, key, err));
    vv_key_id(key, id);
    status = check_new(&self, new_key, err);
    if (!status)
        status = vvi_envelope_set_key(&self.envelope,
                                      vvi_envelope_find(&self.envelope, id), new_key,
                                      self.keys, NULL, err);
    return finish(&self, status, new_root, err);
}

vv_status vv_encrypted_remove_key(vv_blockstore *blocks, const vv_cid *root,
                                  const vv_key *key,
                                  const uint8_t key_id[VV_KEY_ID_BYTES], vv_cid *new_root,
                                  vv_error *err)
{
    char text[VV_KEY_ID_TEXT_MAX];
    vvi_envelope *envelope;
    rewrap self;
    vv_status status = VV_OK;
    size_t at;

    VVI_TRY(begin(&self, blocks, root, key, err));
    envelope = &self.envelope;
    at = vvi_envelope_find(envelope, key_id);
    vv_key_id_format(key_id, text);
    if (at == envelope->key_count)
        status = vvi_fail(err, VV_ENOTFOUND, "no key %s opens the data set", text);
    else if (envelope->key_count == 1)
        status = vvi_fail(err, VV_EINVAL,
                          "key %s is the last one: without it nobody could open the data "
                          "set",
                          text);
    else {
        envelope->key_count--;
        memmove(&envelope->keys[at], &envelope->keys[at + 1],
                (envelope->key_count - at) * sizeof(*envelope->keys));
    }
    return finish(&self, status, new_root, err);
}
