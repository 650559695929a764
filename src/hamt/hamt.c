#include "hamt/tree.h"

#include "cbor/utf8.h"
#include "util/alloc.h"
#include "util/options.h"

#include <string.h>

#define BUCKET_DEFAULT 4
#define HASH_DEFAULT   VV_BLAKE3_SIZE
#define CLEAN_DEFAULT  ((size_t)64 << 20)
#define DIRTY_DEFAULT  ((size_t)512 << 20)

void vvi_hamt_hash(const vv_hamt *hamt, const vv_bytes *keys, size_t n, uint8_t *out)
{
    size_t len = hamt->opts.hash_len;

    if (!hamt->opts.hash_fn && len == VV_BLAKE3_SIZE && n > 1) {
        vv_blake3_many(keys, n, (uint8_t(*)[VV_BLAKE3_SIZE])out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint8_t whole[VV_BLAKE3_SIZE];

        if (hamt->opts.hash_fn) {
            hamt->opts.hash_fn(hamt->opts.hash_ctx, keys[i], out + i * len, len);
            continue;
        }
        vv_blake3(keys[i], whole);
        memcpy(out + i * len, whole, len);
    }
}

vv_status vvi_hamt_check_key(vv_bytes key, vv_error *err)
{
    if (!vvi_utf8_valid(key))
        return vvi_fail(err, VV_EINVAL, "a key of %zu bytes is not UTF-8", key.len);
    return VV_OK;
}

static vv_status read_options(vv_hamt *hamt, const vv_hamt_options *given, vv_error *err)
{
    vv_hamt_options *opts = &hamt->opts;
    vv_cid_prefix *ids = &opts->ids;

    VVI_TRY(vvi_read_options(opts, sizeof(*opts), given, err));
    if (opts->values > VV_HAMT_BYTES || opts->deletes > VV_HAMT_PRUNE_EMPTY)
        return vvi_fail(err, VV_EINVAL,
                        "HAMT options: values or deletes has no such choice");
    if (!opts->hash_len)
        opts->hash_len = HASH_DEFAULT;
    if (opts->hash_len > (opts->hash_fn ? VVI_HASH_MAX : VV_BLAKE3_SIZE))
        return vvi_fail(err, VV_EINVAL, "HAMT options: a hash of %" PRIu32 " bytes",
                        opts->hash_len);
    if (!opts->max_bucket_size)
        opts->max_bucket_size = BUCKET_DEFAULT;
    if (!opts->clean_cache_bytes)
        opts->clean_cache_bytes = CLEAN_DEFAULT;
    if (!opts->dirty_bytes)
        opts->dirty_bytes = DIRTY_DEFAULT;
    if (!ids->version && !ids->hash && !ids->digest_len)
        *ids = VV_PREFIX_RAW_BLAKE3;
    if (ids->version == 0)
        return vvi_fail(err, VV_EINVAL, "HAMT options: nodes cannot be named by CIDv0");
    hamt->value_ids = *ids;
    hamt->node_ids = *ids;
    hamt->value_ids.codec = VV_CODEC_RAW;
    hamt->node_ids.codec = ids->version == VV_CID_BARE ? VV_CODEC_RAW : VV_CODEC_DAG_CBOR;
    atomic_init(&hamt->bucket, opts->max_bucket_size);
    atomic_init(&hamt->read_only, opts->read_only);
    return VV_OK;
}

/* How long links to nodes are; fails when nodes cannot be named as the options say. */
static vv_status measure_links(vv_hamt *hamt, vv_error *err)
{
    vv_cid cid;
    vvi_link link;

    VVI_TRY(vv_cid_of(&hamt->node_ids, vvi_bytes(NULL, 0), &cid, err));
    if (cid.digest_len == 0)
        return vvi_fail(err, VV_EINVAL,
                        "HAMT options: nodes cannot be named by identity");
    vvi_link_of_cid(&cid, &link);
    hamt->link_len = link.len;
    return VV_OK;
}

static vv_status open_root(vv_hamt *hamt, const vv_cid *root, vv_error *err)
{
    vv_status status;
    vvi_node *node;
    bool there;

    if (!root) {
        if (hamt->opts.read_only)
            return vvi_fail(err, VV_EINVAL, "an empty HAMT cannot be read-only");
        VVI_TRY(vvi_node_new(&hamt->root, err));
        vvi_hamt_count_in(hamt, hamt->root);
        return VV_OK;
    }
    vvi_link_of_cid(root, &hamt->root_link);
    status = vvi_hamt_load(hamt, vvi_bytes(hamt->root_link.bytes, hamt->root_link.len),
                           &node, err);
    if (!status)
        vvi_node_release(node);
    else if (status == VV_ECORRUPT &&
             !vv_blockstore_has(hamt->store, root, &there, NULL) && !there)
        return vvi_wrap(err, VV_ENOTFOUND, "open a HAMT");
    return status ? vvi_wrap(err, status, "open a HAMT") : VV_OK;
}

vv_status vv_hamt_open(vv_blockstore *store, const vv_cid *root,
                       const vv_hamt_options *options, vv_hamt **out, vv_error *err)
{
    vv_hamt *hamt = vvi_alloc_zero(sizeof(*hamt));
    vv_status status;

    if (!hamt)
        return vvi_fail_nomem(err, sizeof(*hamt));
    status = read_options(hamt, options, err);
    if (status)
        goto no_locks;
    status = measure_links(hamt, err);
    if (status)
        goto no_locks;
    status = vvi_node_cache_init(&hamt->clean, hamt->opts.clean_cache_bytes, err);
    if (status)
        goto no_locks;
    status = vvi_mutex_init(&hamt->writer, err);
    if (status)
        goto no_writer;
    status = vvi_rwlock_init_writers_first(&hamt->tree, err);
    if (status)
        goto no_tree;
    hamt->store = vv_blockstore_retain(store);
    hamt->changes = 1;
    status = open_root(hamt, root, err);
    if (status) {
        vv_hamt_free(hamt);
        return status;
    }
    *out = hamt;
    return VV_OK;

no_tree:
    vvi_mutex_clear(&hamt->writer);
no_writer:
    vvi_node_cache_clear(&hamt->clean);
no_locks:
    vvi_free(hamt);
    return status;
}

void vv_hamt_free(vv_hamt *hamt)
{
    if (!hamt)
        return;
    vvi_node_release(hamt->root);
    vvi_node_cache_clear(&hamt->clean);
    vvi_rwlock_clear(&hamt->tree);
    vvi_mutex_clear(&hamt->writer);
    vv_blockstore_free(hamt->store);
    vvi_free(hamt);
}

/* ---- root and modes ---------------------------------------------------------------------- */

/* Flush with writer held. */
static vv_status flush(vv_hamt *hamt, vv_cid *root, vv_error *err)
{
    VVI_TRY(vvi_hamt_save_all(hamt, err));
    if (root)
        return vvi_link_to_cid(vvi_bytes(hamt->root_link.bytes, hamt->root_link.len),
                               root, err);
    return VV_OK;
}

vv_status vv_hamt_flush(vv_hamt *hamt, vv_cid *root, vv_error *err)
{
    vv_status status;

    vvi_mutex_lock(&hamt->writer);
    status = flush(hamt, root, err);
    vvi_mutex_unlock(&hamt->writer);
    return status ? vvi_wrap(err, status, "flush a HAMT") : VV_OK;
}

vv_status vv_hamt_vacate(vv_hamt *hamt, vv_cid *root, vv_error *err)
{
    VVI_TRY(vv_hamt_flush(hamt, root, err));
    vvi_node_cache_drop_all(&hamt->clean);
    return VV_OK;
}

vv_status vv_hamt_make_read_only(vv_hamt *hamt, vv_cid *root, vv_error *err)
{
    vv_status status;

    vvi_mutex_lock(&hamt->writer);
    status = flush(hamt, root, err);
    if (!status)
        atomic_store(&hamt->read_only, true);
    vvi_mutex_unlock(&hamt->writer);
    return status ? vvi_wrap(err, status, "flush a HAMT") : VV_OK;
}

vv_status vv_hamt_enable_write(vv_hamt *hamt, vv_error *err)
{
    (void)err;
    vvi_mutex_lock(&hamt->writer);
    atomic_store(&hamt->read_only, false);
    vvi_mutex_unlock(&hamt->writer);
    return VV_OK;
}

bool vv_hamt_is_read_only(const vv_hamt *hamt)
{
    return atomic_load(&hamt->read_only);
}

vv_status vv_hamt_set_max_bucket_size(vv_hamt *hamt, uint32_t size, vv_error *err)
{
    if (size == 0)
        return vvi_fail(err, VV_EINVAL, "a bucket holds at least one key");
    atomic_store(&hamt->bucket, size);
    return VV_OK;
}

void vv_hamt_stat(vv_hamt *hamt, vv_hamt_stats *out)
{
    memset(out, 0, sizeof(*out));
    vvi_rwlock_read(&hamt->tree);
    out->dirty_nodes = hamt->dirty_nodes;
    out->dirty_bytes = hamt->dirty_bytes;
    out->encoded_bytes = hamt->dirty_encoded;
    vvi_rwlock_unlock(&hamt->tree);
    vvi_rwlock_read(&hamt->clean.lock);
    out->clean_nodes = hamt->clean.nodes;
    out->clean_bytes = hamt->clean.bytes;
    out->encoded_bytes += hamt->clean.encoded;
    vvi_rwlock_unlock(&hamt->clean.lock);
    out->node_hits = atomic_load(&hamt->clean.hits);
    out->node_loads = atomic_load(&hamt->loads);
    out->node_saves = atomic_load(&hamt->saves);
}
