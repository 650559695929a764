/* Lifetime of block stores, and the public calls that neither read nor write block bytes. */
#include "blockstore/internal.h"

#include "util/buf.h"

void vv_blockstore_base_init(vv_blockstore *base, const vv_blockstore_ops *ops,
                             bool trusted)
{
    base->ops = ops;
    base->trusted = trusted;
    base->is_near = false;
    base->checks_itself = false;
    base->is_wrapper = false;
    __atomic_store_n(&base->refs, 1, __ATOMIC_RELAXED);
}

vv_blockstore *vv_blockstore_retain(vv_blockstore *store)
{
    __atomic_add_fetch(&store->refs, 1, __ATOMIC_RELAXED);
    return store;
}

void vv_blockstore_free(vv_blockstore *store)
{
    if (store && __atomic_sub_fetch(&store->refs, 1, __ATOMIC_ACQ_REL) == 0)
        store->ops->free(store);
}

const char *vv_blockstore_name(const vv_blockstore *store)
{
    return store->ops->name;
}

vv_status vvi_fail_missing_block(vv_error *err, const vv_blockstore *store,
                                 const vv_cid *cid)
{
    char text[VV_CID_TEXT_MAX];

    if (!err)
        return VV_ENOTFOUND;
    vv_cid_format(cid, text);
    return vvi_fail(err, VV_ENOTFOUND, "no block %s in the %s store", text,
                    store->ops->name);
}

vv_status vvi_check_block_name(const vv_cid *cid, vv_error *err)
{
    if (cid->digest_len > VV_DIGEST_MAX)
        return vvi_fail(err, VV_EINVAL, "a digest of %d bytes in a CID", cid->digest_len);
    if (cid->digest_len == 0 && !vvi_cid_holds_block(cid))
        return vvi_fail(err, VV_EINVAL, "a CID without a digest names no block");
    return VV_OK;
}

vv_status vv_blockstore_has_many(vv_blockstore *store, const vv_cid *cids, size_t n,
                                 bool *out, vv_error *err)
{
    size_t end;

    for (size_t i = 0; i < n; i++)
        VVI_TRY(vvi_check_block_name(&cids[i], err));
    for (size_t i = 0; i < n; i = end) {
        end = i;
        while (end < n && !vvi_cid_holds_block(&cids[end]))
            end++;
        if (end > i)
            VVI_TRY(store->ops->has_many(store, cids + i, end - i, out + i, err));
        while (end < n && vvi_cid_holds_block(&cids[end]))
            out[end++] = true;
    }
    return VV_OK;
}

vv_status vv_blockstore_has(vv_blockstore *store, const vv_cid *cid, bool *out,
                            vv_error *err)
{
    return vv_blockstore_has_many(store, cid, 1, out, err);
}

vv_status vv_blockstore_size(vv_blockstore *store, const vv_cid *cid, uint64_t *out,
                             vv_error *err)
{
    VVI_TRY(vvi_check_block_name(cid, err));
    if (!vvi_cid_holds_block(cid))
        return store->ops->size(store, cid, out, err);
    *out = cid->digest_len;
    return VV_OK;
}

vv_status vv_blockstore_delete(vv_blockstore *store, const vv_cid *cid, vv_error *err)
{
    VVI_TRY(vvi_check_block_name(cid, err));
    if (!store->ops->remove)
        return vvi_fail(err, VV_EREADONLY, "the %s store is read-only", store->ops->name);
    if (vvi_cid_holds_block(cid))
        return vvi_fail_missing_block(err, store, cid);
    return store->ops->remove(store, cid, err);
}

vv_status vv_blockstore_iterate(vv_blockstore *store, vv_block_fn visit, void *ctx,
                                vv_error *err)
{
    if (!store->ops->iterate)
        return vvi_fail(err, VV_EUNSUPPORTED, "the %s store cannot list its blocks",
                        store->ops->name);
    return store->ops->iterate(store, visit, ctx, err);
}

vv_status vv_blockstore_stat(vv_blockstore *store, vv_blockstore_stats *out,
                             vv_error *err)
{
    vv_blockstore_stats stats = { 0 };

    if (!store->ops->stat)
        return vvi_fail(err, VV_EUNSUPPORTED, "the %s store cannot count its blocks",
                        store->ops->name);
    VVI_TRY(store->ops->stat(store, &stats, err));
    *out = stats;
    return VV_OK;
}

vv_status vv_blockstore_flush(vv_blockstore *store, vv_error *err)
{
    return store->ops->flush ? store->ops->flush(store, err) : VV_OK;
}
