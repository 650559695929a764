/* The encrypted store: a HAMT of encrypted names and descriptors below an envelope. */
#include "encrypted/store.h"

#include "crypto/secret.h"
#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"

#include <string.h>

vv_status vvi_encrypted_find(encrypted_store *self, const char *key, vv_cid *pointer,
                             vv_error *err)
{
    vv_buf token = VV_BUF_INIT;
    vv_status status = vvi_name_seal(self->keys, key, &token, err);

    if (!status)
        status = vv_hamt_get_pointer(self->hamt, vvi_buf_bytes(&token), pointer, err);
    vv_buf_clear(&token);
    if (status == VV_ENOTFOUND)
        return vvi_fail_missing_key(err, &self->base, key);
    return status ? vvi_wrap(err, status, "key '%s'", key) : VV_OK;
}

static vv_status encrypted_exists(vv_store *base, const char *key, bool *out,
                                  vv_error *err)
{
    vv_cid pointer;
    vv_status status = vvi_encrypted_find((encrypted_store *)base, key, &pointer, err);

    *out = status == VV_OK;
    return status == VV_ENOTFOUND ? VV_OK : status;
}

static vv_status encrypted_remove(vv_store *base, const char *key, vv_error *err)
{
    encrypted_store *self = (encrypted_store *)base;
    vv_buf token = VV_BUF_INIT;
    vv_status status = vvi_name_seal(self->keys, key, &token, err);

    if (!status) {
        vvi_rwlock_read(&self->changes);
        status = vv_hamt_delete(self->hamt, vvi_buf_bytes(&token), err);
        vvi_rwlock_unlock(&self->changes);
    }
    vv_buf_clear(&token);
    if (status == VV_ENOTFOUND)
        return vvi_fail_missing_key(err, base, key);
    return status ? vvi_wrap(err, status, "key '%s'", key) : VV_OK;
}

/* ---- listing ------------------------------------------------------------------------------- */

typedef struct key_visit {
    const encrypted_store *store;
    vv_bytes prefix;
    vv_key_fn visit;
    void *ctx;
    vv_buf name;
} key_visit;

static vv_status visit_token(void *ctx, vv_bytes token, const vv_cid *pointer,
                             vv_error *err)
{
    key_visit *self = ctx;

    (void)pointer;
    VVI_TRY(vvi_name_open(self->store->keys, token, &self->name, err));
    if (!vvi_bytes_start_with(vvi_buf_bytes(&self->name), self->prefix))
        return VV_OK;
    return self->visit(self->ctx, (const char *)self->name.data, err);
}

static vv_status encrypted_list(vv_store *base, const char *prefix, vv_key_fn visit,
                                void *ctx, vv_error *err)
{
    encrypted_store *self = (encrypted_store *)base;
    key_visit keys = {
        .store = self, .prefix = vv_bytes_of(prefix), .visit = visit, .ctx = ctx
    };
    vv_status status = vv_hamt_iterate(self->hamt, vvi_bytes(NULL, 0), visit_token, &keys,
                                       err);

    vvi_buf_wipe(&keys.name);
    return status;
}

/* ---- the root -------------------------------------------------------------------------------- */

vv_status vvi_envelope_store(vv_blockstore *blocks, const vvi_envelope *envelope,
                             const vvi_data_keys *keys, const vv_cid_prefix *ids,
                             vv_cid *root, vv_error *err)
{
    vv_buf block = VV_BUF_INIT;
    vv_status status = vvi_envelope_encode(envelope, keys, &block, err);

    if (!status)
        status = vv_blockstore_put(blocks, ids, vvi_buf_bytes(&block), root, err);
    vv_buf_clear(&block);
    return status;
}

/* With committing held. */
static vv_status save_root(encrypted_store *self, const vv_cid *tree, vv_error *err)
{
    vv_cid before = self->envelope.tree;
    vv_status status;

    if (self->has_root && vv_cid_equal(tree, &before))
        return VV_OK;
    self->envelope.tree = *tree;
    status = vvi_envelope_store(self->blocks, &self->envelope, self->keys,
                                &self->root_ids, &self->root, err);
    if (status)
        self->envelope.tree = before;
    else
        self->has_root = true;
    return status;
}

static vv_status encrypted_commit(vv_store *base, vv_cid *root, vv_error *err)
{
    encrypted_store *self = (encrypted_store *)base;
    vv_status status;
    vv_cid tree;

    vvi_mutex_lock(&self->committing);
    status = vv_hamt_flush(self->hamt, &tree, err);
    if (!status)
        status = save_root(self, &tree, err);
    if (!status)
        *root = self->root;
    vvi_mutex_unlock(&self->committing);
    return status || base->read_only ? status : vv_blockstore_flush(self->blocks, err);
}

static vv_status encrypted_flush(vv_store *base, vv_error *err)
{
    vv_cid root;

    return base->read_only ? VV_OK : encrypted_commit(base, &root, err);
}

static vv_status encrypted_pointer(vv_store *base, const char *key, vv_cid *out,
                                   vv_error *err)
{
    return vvi_encrypted_find((encrypted_store *)base, key, out, err);
}

static vv_status encrypted_set_pointer(vv_store *base, const char *key,
                                       const vv_cid *pointer, vv_error *err)
{
    encrypted_store *self = (encrypted_store *)base;
    vv_buf token = VV_BUF_INIT;
    vvi_descriptor at;
    vv_status status = vvi_descriptor_of_cid(pointer, &at, err);

    if (status == VV_ECORRUPT)
        status = vvi_fail(err, VV_EINVAL,
                          "that is not what an encrypted store names a value by");
    if (!status)
        status = vvi_name_seal(self->keys, key, &token, err);
    if (!status) {
        vvi_rwlock_read(&self->changes);
        status = vv_hamt_set_pointer(self->hamt, vvi_buf_bytes(&token), pointer, err);
        vvi_rwlock_unlock(&self->changes);
    }
    vv_buf_clear(&token);
    return status ? vvi_wrap(err, status, "key '%s'", key) : VV_OK;
}

static void encrypted_free(vv_store *base)
{
    encrypted_store *self = (encrypted_store *)base;

    vv_hamt_free(self->hamt);
    vvi_data_keys_free(self->keys);
    vvi_envelope_clear(&self->envelope);
    vv_blockstore_free(self->blocks);
    vvi_rwlock_clear(&self->changes);
    vvi_mutex_clear(&self->committing);
    vvi_free(self);
}

/* No copy: a value is bound to its key, so that its copy is another one. */
static const vv_store_ops encrypted_ops = {
    .name = "encrypted",
    .get = vvi_encrypted_get,
    .get_many = vvi_encrypted_get_many,
    .set = vvi_encrypted_set,
    .set_many = vvi_encrypted_set_many,
    .remove = encrypted_remove,
    .exists = encrypted_exists,
    .size = vvi_encrypted_size,
    .list = encrypted_list,
    .flush = encrypted_flush,
    .free = encrypted_free,
    .commit = encrypted_commit,
    .pointer = encrypted_pointer,
    .set_pointer = encrypted_set_pointer,
};

/* ---- opening ------------------------------------------------------------------------------- */

static vv_status open_envelope(const vvi_envelope *envelope, vv_bytes block,
                               const vv_key *key, vvi_data_keys **keys, vv_error *err)
{
    vv_status status;

    VVI_TRY(vvi_envelope_open(envelope, key, keys, err));
    status = vvi_envelope_check_seal(block, *keys, err);
    if (status) {
        vvi_data_keys_free(*keys);
        *keys = NULL;
    }
    return status;
}

vv_status vvi_envelope_load(vv_blockstore *blocks, const vv_cid *root, const vv_key *key,
                            vvi_envelope *out, vvi_data_keys **keys, vv_error *err)
{
    char text[VV_CID_TEXT_MAX];
    vv_buf block = VV_BUF_INIT;
    vv_status status;

    VVI_TRY(vv_blockstore_get(blocks, root, &block, err));
    status = vvi_envelope_decode(vvi_buf_bytes(&block), out, err);
    if (!status && key) {
        status = open_envelope(out, vvi_buf_bytes(&block), key, keys, err);
        if (status)
            vvi_envelope_clear(out);
    }
    vv_buf_clear(&block);
    if (!status)
        return VV_OK;
    vv_cid_format(root, text);
    return vvi_wrap(err, status, "root %s", text);
}

/* How blocks are named: as asked for, else as the root is. */
static vv_status choose_ids(encrypted_store *self, const vv_encrypted_options *opts,
                            const vv_cid *root, vv_error *err)
{
    vv_cid_prefix ids = opts->ids;

    if (!ids.hash && !ids.version && !ids.digest_len && root)
        ids = (vv_cid_prefix){ .hash = root->hash,
                               .version = root->version,
                               .digest_len = root->digest_len };
    if (!ids.hash)
        ids.hash = VV_HASH_BLAKE3;
    if (!ids.version)
        ids.version = 1;
    if (ids.version != 1)
        return vvi_fail(err, VV_EINVAL, "blocks of encrypted stores are named by CIDv1");
    self->body_ids = self->root_ids = ids;
    self->body_ids.codec = VV_CODEC_RAW;
    self->root_ids.codec = VV_CODEC_DAG_CBOR;
    return VV_OK;
}

/* A data set with a key of its own. */
static vv_status begin(encrypted_store *self, const vv_encrypted_options *opts,
                       const vv_key *key, vv_error *err)
{
    uint32_t segment = opts->segment_bytes ? opts->segment_bytes
                                           : VVI_ENC_SEGMENT_DEFAULT;
    uint8_t *data;
    vv_status status;

    if (opts->read_only)
        return vvi_fail(err, VV_EINVAL,
                        "a new encrypted data set, opened for reading only");
    if (!vvi_is_segment_size(segment))
        return vvi_fail(err, VV_EINVAL,
                        "segments of %" PRIu32 " bytes: a multiple of %u from %u to %u",
                        segment, VVI_ENC_SEGMENT_UNIT, VVI_ENC_SEGMENT_MIN,
                        VVI_ENC_SEGMENT_MAX);
    self->envelope.segment_bytes = segment;
    vvi_draw_bytes(&self->draw, self->envelope.id, sizeof(self->envelope.id));
    data = vvi_secret_new(VV_KEY_BYTES);
    if (!data)
        return vvi_fail_nomem(err, VV_KEY_BYTES);
    vvi_draw_bytes(&self->draw, data, VV_KEY_BYTES);
    status = vvi_data_keys_new(data, &self->keys, err);
    vvi_secret_free(data);
    if (status)
        return status;
    return vvi_envelope_set_key(&self->envelope, 0, key, self->keys, &self->draw, err);
}

static vv_status open_tree(encrypted_store *self, const vv_encrypted_options *opts,
                           vv_error *err)
{
    vv_hamt_options hamt = VV_HAMT_OPTIONS_INIT;

    hamt.values = VV_HAMT_BYTES;
    hamt.read_only = opts->read_only;
    hamt.ids = self->root_ids;
    hamt.max_bucket_size = opts->max_bucket_size;
    hamt.clean_cache_bytes = opts->clean_cache_bytes;
    hamt.dirty_bytes = opts->dirty_bytes;
    return vv_hamt_open(self->blocks, self->has_root ? &self->envelope.tree : NULL, &hamt,
                        &self->hamt, err);
}

static vv_status fill(encrypted_store *self, const vv_cid *root, const vv_key *key,
                      const vv_encrypted_options *opts, vv_error *err)
{
    vv_status status;

    VVI_TRY(choose_ids(self, opts, root, err));
    if (!root) {
        VVI_TRY(begin(self, opts, key, err));
        return open_tree(self, opts, err);
    }
    VVI_TRY(
        vvi_envelope_load(self->blocks, root, key, &self->envelope, &self->keys, err));
    self->root = *root;
    self->has_root = true;
    status = open_tree(self, opts, err);
    /* The root is there; a tree that is not is damage. */
    return status == VV_ENOTFOUND ? vvi_wrap(err, VV_ECORRUPT, "the tree of the root")
                                  : status;
}

vv_status vvi_encrypted_store_open(vv_blockstore *blocks, const vv_cid *root,
                                   const vv_key *key, const vv_encrypted_options *options,
                                   const vvi_draw *draw, vv_store **out, vv_error *err)
{
    vv_encrypted_options opts;
    encrypted_store *self;
    vv_status status;

    VVI_TRY(vvi_read_options(&opts, sizeof(opts), options, err));
    self = vvi_alloc_zero(sizeof(*self));
    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    status = vvi_rwlock_init_writers_first(&self->changes, err);
    if (!status) {
        status = vvi_mutex_init(&self->committing, err);
        if (status)
            vvi_rwlock_clear(&self->changes);
    }
    if (status) {
        vvi_free(self);
        return status;
    }
    vv_store_base_init(&self->base, &encrypted_ops, opts.read_only);
    self->blocks = vv_blockstore_retain(blocks);
    if (draw)
        self->draw = *draw;
    status = fill(self, root, key, &opts, err);
    if (status)
        encrypted_free(&self->base);
    else
        *out = &self->base;
    return status;
}

vv_status vv_encrypted_store_open(vv_blockstore *blocks, const vv_cid *root,
                                  const vv_key *key, const vv_encrypted_options *options,
                                  vv_store **out, vv_error *err)
{
    return vvi_encrypted_store_open(blocks, root, key, options, NULL, out, err);
}
