/* Putting blocks: every block is named after its bytes, or checked against its name, here. */
#include "blockstore/internal.h"

#include "metrics/metrics.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

/* Blocks named and stored at once: what bounds the memory of a put of very many. */
#define SLICE_BLOCKS 1024
/* Blocks checked at once. */
#define CHECK_BLOCKS 64
/* Threads pay when the blocks are long and there is much to hash. */
#define PARALLEL_BYTES       ((size_t)1 << 20)
#define PARALLEL_BLOCK_BYTES ((size_t)1 << 16)

typedef struct naming {
    const vv_cid_prefix *prefix;
    const vv_bytes *blocks;
    vv_cid *cids;
} naming;

static vv_status name_one(void *ctx, size_t i, vv_error *err)
{
    naming *self = ctx;

    return vv_cid_of(self->prefix, self->blocks[i], &self->cids[i], err);
}

static bool worth_threads(const vv_bytes *blocks, size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += blocks[i].len;
    return n > 1 && total >= PARALLEL_BYTES && total / n >= PARALLEL_BLOCK_BYTES;
}

static vv_status name_blocks(const vv_cid_prefix *prefix, const vv_bytes *blocks,
                             size_t n, vv_cid *cids, vv_error *err)
{
    naming self = { prefix, blocks, cids };

    if (worth_threads(blocks, n))
        return vvi_parallel(0, n, name_one, &self, err);
    return vv_cid_of_many(prefix, blocks, n, cids, err);
}

static vv_status check_writable(const vv_blockstore *store, vv_error *err)
{
    if (store->ops->put_many)
        return VV_OK;
    return vvi_fail(err, VV_EREADONLY, "the %s store is read-only", store->ops->name);
}

static vv_status check_length(vv_bytes block, vv_error *err)
{
    if (block.len <= VV_BLOCK_BYTES_MAX)
        return VV_OK;
    return vvi_fail(err, VV_ELIMIT, "a block of %zu bytes; the limit is %" PRIu64,
                    block.len, VV_BLOCK_BYTES_MAX);
}

/* Runs between blocks that their own CIDs hold, which are not stored. */
static vv_status add(vv_blockstore *store, const vv_block *blocks, size_t n,
                     vv_error *err)
{
    size_t end;

    for (size_t i = 0; i < n; i = end + 1) {
        end = i;
        while (end < n && !vvi_cid_holds_block(&blocks[end].cid))
            end++;
        if (end > i)
            VVI_TRY(store->ops->put_many(store, blocks + i, end - i, err));
    }
    return VV_OK;
}

VVI_COUNTING static vv_status add_counted(vv_blockstore *store, const vv_block *blocks,
                                          size_t n, vv_error *err)
{
    uint64_t begun_ns = vvi_now_ns();
    uint64_t bytes = 0;
    vv_status status = add(store, blocks, n, err);

    for (size_t i = 0; i < n; i++)
        bytes += blocks[i].data.len;
    vvi_count_work(VVI_BLOCK_PUT, store->ops->name, n, bytes, begun_ns, status);
    return status;
}

vv_status vvi_blockstore_add_checked(vv_blockstore *store, const vv_block *blocks,
                                     size_t n, vv_error *err)
{
    VVI_TRY(check_writable(store, err));
    if (vvi_metrics_on() && !store->is_wrapper)
        return add_counted(store, blocks, n, err);
    return add(store, blocks, n, err);
}

vv_status vv_blockstore_put(vv_blockstore *store, const vv_cid_prefix *prefix,
                            vv_bytes block, vv_cid *cid, vv_error *err)
{
    vv_block named = { .data = block };

    VVI_TRY(check_writable(store, err));
    VVI_TRY(check_length(block, err));
    VVI_TRY(vv_cid_of(prefix, block, &named.cid, err));
    VVI_TRY(vvi_blockstore_add_checked(store, &named, 1, err));
    if (cid)
        *cid = named.cid;
    return VV_OK;
}

static vv_status put_slice(vv_blockstore *store, const vv_cid_prefix *prefix,
                           const vv_bytes *blocks, size_t n, vv_cid *cids,
                           vv_block *named, vv_error *err)
{
    VVI_TRY(name_blocks(prefix, blocks, n, cids, err));
    for (size_t i = 0; i < n; i++) {
        named[i].cid = cids[i];
        named[i].data = blocks[i];
    }
    return vvi_blockstore_add_checked(store, named, n, err);
}

vv_status vv_blockstore_put_many(vv_blockstore *store, const vv_cid_prefix *prefix,
                                 const vv_bytes *blocks, size_t n, vv_cid *cids,
                                 vv_error *err)
{
    size_t slice = n < SLICE_BLOCKS ? n : SLICE_BLOCKS;
    vv_block *named = NULL;
    vv_cid *own = NULL;
    vv_status status = check_writable(store, err);

    for (size_t i = 0; i < n && !status; i++)
        status = check_length(blocks[i], err);
    if (status)
        return status;
    named = vvi_alloc_array(slice, sizeof(*named));
    if (!cids)
        own = vvi_alloc_array(slice, sizeof(*own));
    if (!named || (!cids && !own))
        status = vvi_fail_nomem(err, slice * (sizeof(*named) + sizeof(*own)));
    for (size_t i = 0; i < n && !status; i += slice)
        status = put_slice(store, prefix, blocks + i, n - i < slice ? n - i : slice,
                           cids ? cids + i : own, named, err);
    vvi_free(named);
    vvi_free(own);
    return status;
}

static vv_status check_names(const vv_block *blocks, size_t n, vv_error *err)
{
    vv_cid cids[CHECK_BLOCKS];
    vv_bytes data[CHECK_BLOCKS];
    vv_status statuses[CHECK_BLOCKS];

    for (size_t i = 0; i < n; i++) {
        cids[i] = blocks[i].cid;
        data[i] = blocks[i].data;
        statuses[i] = VV_OK;
    }
    vvi_verify_many(cids, data, statuses, n);
    for (size_t i = 0; i < n; i++)
        if (statuses[i]) /* hashed once more for the message */
            VVI_TRY(vv_cid_verify(&cids[i], data[i], err));
    return VV_OK;
}

vv_status vv_blockstore_add_many(vv_blockstore *store, const vv_block *blocks, size_t n,
                                 vv_error *err)
{
    VVI_TRY(check_writable(store, err));
    for (size_t i = 0; i < n; i++) {
        VVI_TRY(vvi_check_block_name(&blocks[i].cid, err));
        VVI_TRY(check_length(blocks[i].data, err));
    }
    for (size_t i = 0; i < n; i += CHECK_BLOCKS)
        VVI_TRY(
            check_names(blocks + i, n - i < CHECK_BLOCKS ? n - i : CHECK_BLOCKS, err));
    return vvi_blockstore_add_checked(store, blocks, n, err);
}
