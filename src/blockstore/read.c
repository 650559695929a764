/* Reading blocks: no byte of an untrusted backend is handed out unless its digest matches. */
#include "blockstore/internal.h"

#include "metrics/metrics.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

/* Short blocks hashed together at most. */
#define BATCH_BLOCKS 64
/* Threads pay when the blocks are long and there is much to hash. */
#define PARALLEL_BYTES       ((size_t)1 << 20)
#define PARALLEL_BLOCK_BYTES ((size_t)1 << 16)

/* ---- checking ---------------------------------------------------------------------------- */

typedef struct verifying {
    const vv_cid *cids;
    const vv_bytes *blocks;
    vv_status *statuses;
} verifying;

static vv_status verify_one(void *ctx, size_t i, vv_error *err)
{
    verifying *self = ctx;

    (void)err;
    if (!self->statuses[i])
        self->statuses[i] = vv_cid_verify(&self->cids[i], self->blocks[i], NULL);
    return VV_OK;
}

/* Check a run of blocks whose names are alike but for the digest. */
static void verify_run(const vv_cid *cids, const vv_bytes *blocks, vv_status *statuses,
                       size_t n)
{
    vv_cid_prefix prefix = { VV_CODEC_RAW, cids->hash, 1, cids->digest_len };
    vv_cid right[BATCH_BLOCKS];
    vv_status status = vv_cid_of_many(&prefix, blocks, n, right, NULL);

    for (size_t i = 0; i < n; i++) {
        if (status)
            statuses[i] = status;
        else if (!vv_cid_same_block(&right[i], &cids[i]))
            statuses[i] = VV_ECORRUPT;
    }
}

/* Blocks from the first on that can be checked together: full digests of one function. What is
 * special (short digests, blocks in their CIDs) is left to vv_cid_verify(). */
static size_t run_length(const vv_cid *cids, const vv_status *statuses, size_t n)
{
    size_t len = 1;

    if (cids->hash == VV_HASH_IDENTITY || cids->digest_len != vv_hash_size(cids->hash))
        return 1;
    while (len < n && len < BATCH_BLOCKS && !statuses[len] &&
           cids[len].hash == cids->hash && cids[len].digest_len == cids->digest_len)
        len++;
    return len;
}

static void verify_in_runs(const vv_cid *cids, const vv_bytes *blocks,
                           vv_status *statuses, size_t n)
{
    for (size_t i = 0, run; i < n; i += run) {
        run = 1;
        if (statuses[i])
            continue;
        run = run_length(cids + i, statuses + i, n - i);
        if (run == 1)
            statuses[i] = vv_cid_verify(&cids[i], blocks[i], NULL);
        else
            verify_run(cids + i, blocks + i, statuses + i, run);
    }
}

void vvi_verify_many(const vv_cid *cids, const vv_bytes *blocks, vv_status *statuses,
                     size_t n)
{
    verifying self = { cids, blocks, statuses };
    size_t total = 0;
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        if (!statuses[i]) {
            total += blocks[i].len;
            count++;
        }
    if (count > 1 && total >= PARALLEL_BYTES && total / count >= PARALLEL_BLOCK_BYTES &&
        vvi_parallel(0, n, verify_one, &self, NULL) == VV_OK)
        return;
    verify_in_runs(cids, blocks, statuses, n);
}

/* ---- one block --------------------------------------------------------------------------- */

static vv_status get_checked(vv_blockstore *store, const vv_cid *cid, vv_buf *out,
                             vv_error *err)
{
    vv_buf got = VV_BUF_INIT;
    vv_status status = store->ops->get(store, cid, &got, err);

    if (!status) {
        status = vv_cid_verify(cid, vvi_buf_bytes(&got), err);
        if (status)
            vvi_wrap(err, status, "%s store", store->ops->name);
        else
            vvi_buf_move(out, &got);
    }
    vv_buf_clear(&got);
    return status;
}

static vv_status get_whole(vv_blockstore *store, const vv_cid *cid, bool check,
                           vv_buf *out, vv_error *err)
{
    return check && !store->trusted && !store->checks_itself
               ? get_checked(store, cid, out, err)
               : store->ops->get(store, cid, out, err);
}

/* *bytes: what the backend gave, which is the whole block where that has to be checked. */
static vv_status get_part(vv_blockstore *store, const vv_cid *cid, vv_range range,
                          bool check, vv_buf *out, uint64_t *bytes, vv_error *err)
{
    vv_buf whole = VV_BUF_INIT;
    vv_status status;

    if ((store->trusted || !check) && store->ops->get_range) {
        VVI_TRY(store->ops->get_range(store, cid, range, out, err));
        *bytes = out->len;
        return VV_OK;
    }
    status = get_whole(store, cid, check, &whole, err);
    *bytes = whole.len;
    if (!status)
        status = vvi_buf_cut(&whole, range, err);
    if (!status)
        vvi_buf_move(out, &whole);
    vv_buf_clear(&whole);
    return status;
}

/* The same as without metrics, counted. */
VVI_COUNTING static vv_status get_counted(vv_blockstore *store, const vv_cid *cid,
                                          vv_range range, bool check, vv_buf *out,
                                          vv_error *err)
{
    bool has_range = range.kind != VV_RANGE_WHOLE;
    char text[VV_CID_TEXT_MAX];
    vvi_told_loads before;
    uint64_t bytes = 0;
    vv_status status;
    vvi_load load;

    vv_cid_format(cid, text);
    vvi_load_begin(&load, text, has_range, true);
    before = vvi_loads_set_told((vvi_told_loads){ &load, 1, 0 });
    status = has_range ? get_part(store, cid, range, check, out, &bytes, err)
                       : get_whole(store, cid, check, out, err);
    vvi_loads_set_told(before);
    if (!status && !has_range)
        bytes = out->len;
    vvi_load_end(&load, text, has_range, status, bytes);
    return status;
}

static bool is_counted(const vv_blockstore *store)
{
    return vvi_metrics_on() && !store->is_wrapper;
}

vv_status vv_blockstore_get(vv_blockstore *store, const vv_cid *cid, vv_buf *out,
                            vv_error *err)
{
    VVI_TRY(vvi_check_block_name(cid, err));
    if (vvi_cid_holds_block(cid))
        return vvi_buf_set(out, vvi_bytes(cid->digest, cid->digest_len), err);
    if (is_counted(store))
        return get_counted(store, cid, VV_RANGE_ALL, true, out, err);
    return get_whole(store, cid, true, out, err);
}

/* A part of a block that its CID holds. */
static vv_status get_held_part(const vv_cid *cid, vv_range range, vv_buf *out,
                               vv_error *err)
{
    uint64_t from, count;

    vvi_range_resolve(range, cid->digest_len, &from, &count);
    return vvi_buf_set(out, vvi_bytes(cid->digest + from, (size_t)count), err);
}

vv_status vv_blockstore_get_range(vv_blockstore *store, const vv_cid *cid, vv_range range,
                                  vv_buf *out, vv_error *err)
{
    uint64_t bytes;

    VVI_TRY(vvi_check_block_name(cid, err));
    if (range.kind == VV_RANGE_WHOLE)
        return vv_blockstore_get(store, cid, out, err);
    if (vvi_cid_holds_block(cid))
        return get_held_part(cid, range, out, err);
    if (is_counted(store))
        return get_counted(store, cid, range, true, out, err);
    return get_part(store, cid, range, true, out, &bytes, err);
}

vv_status vvi_blockstore_get_range_unchecked(vv_blockstore *store, const vv_cid *cid,
                                             vv_range range, vv_buf *out, vv_error *err)
{
    uint64_t bytes;

    if (store->trusted || vvi_cid_holds_block(cid) || range.kind == VV_RANGE_WHOLE)
        return vv_blockstore_get_range(store, cid, range, out, err);
    VVI_TRY(vvi_check_block_name(cid, err));
    if (is_counted(store))
        return get_counted(store, cid, range, false, out, err);
    return get_part(store, cid, range, false, out, &bytes, err);
}

/* ---- many blocks ------------------------------------------------------------------------- */

static vv_status get_each(vv_blockstore *store, const vv_cid *cids, size_t n,
                          vv_buf *outs, vv_status *statuses, vv_error *err)
{
    vv_error why = VV_ERROR_INIT;
    vv_status first = VV_OK;
    bool on = vvi_metrics_on();

    for (size_t i = 0; i < n; i++) {
        statuses[i] = store->ops->get(store, &cids[i], &outs[i], first ? NULL : &why);
        if (statuses[i] && !first)
            first = statuses[i];
        if (on)
            vvi_loads_next();
    }
    if (first && err)
        *err = why;
    return first;
}

/* Ask the backend for all blocks but those that their CIDs hold. */
static vv_status fetch(vv_blockstore *store, const vv_cid *cids, size_t n, vv_buf *outs,
                       vv_status *statuses, vv_error *err)
{
    vv_status first = VV_OK;
    size_t end;

    for (size_t i = 0; i < n; i = end) {
        vv_status status = VV_OK;

        end = i;
        while (end < n && !vvi_cid_holds_block(&cids[end]))
            end++;
        if (vvi_metrics_on())
            vvi_loads_at(i);
        if (end > i)
            status = (store->ops->get_many ? store->ops->get_many : get_each)(
                store, cids + i, end - i, outs + i, statuses + i, first ? NULL : err);
        if (!first)
            first = status;
        for (; end < n && vvi_cid_holds_block(&cids[end]); end++) {
            statuses[end] = vvi_buf_set(&outs[end],
                                        vvi_bytes(cids[end].digest, cids[end].digest_len),
                                        first ? NULL : err);
            if (!first)
                first = statuses[end];
        }
    }
    return first;
}

static void check_fetched(const vv_blockstore *store, const vv_cid *cids, size_t n,
                          const vv_buf *outs, vv_status *statuses)
{
    vv_bytes blocks[BATCH_BLOCKS];

    if (store->trusted || store->checks_itself)
        return;
    for (size_t i = 0; i < n; i += BATCH_BLOCKS) {
        size_t some = n - i < BATCH_BLOCKS ? n - i : BATCH_BLOCKS;

        for (size_t j = 0; j < some; j++)
            blocks[j] = vvi_buf_bytes(&outs[i + j]);
        vvi_verify_many(cids + i, blocks, statuses + i, some);
    }
}

/* Blocks that are there, are not there, or are damaged are answers; the rest is a failure. */
static bool is_answer(vv_status status)
{
    return status == VV_OK || status == VV_ENOTFOUND || status == VV_ECORRUPT ||
           status == VV_EUNSUPPORTED;
}

/* The message of the block that failed first; why is what the backend said of its own first. */
static vv_status fail_block(const vv_blockstore *store, const vv_cid *cid,
                            vv_status status, vv_bytes got, const vv_error *why,
                            vv_error *err)
{
    char text[VV_CID_TEXT_MAX];

    if (!err)
        return status;
    if (status == why->status) {
        *err = *why;
        return status;
    }
    if (status == VV_ENOTFOUND)
        return vvi_fail_missing_block(err, store, cid);
    if (got.data && vv_cid_verify(cid, got, err) == status)
        return vvi_wrap(err, status, "%s store", store->ops->name);
    vv_cid_format(cid, text);
    return vvi_fail(err, status, "block %s of the %s store: %s", text, store->ops->name,
                    vv_status_name(status));
}

/* Fill got and statuses, all n; returns the first failure that concerns the caller. */
static vv_status get_all(vv_blockstore *store, const vv_cid *cids, size_t n, vv_buf *got,
                         vv_status *statuses, bool all_wanted, vv_error *err)
{
    vv_error why = VV_ERROR_INIT;

    fetch(store, cids, n, got, statuses, &why);
    check_fetched(store, cids, n, got, statuses);
    for (size_t i = 0; i < n; i++)
        if (all_wanted ? statuses[i] != VV_OK : !is_answer(statuses[i]))
            return fail_block(store, &cids[i], statuses[i], vvi_buf_bytes(&got[i]), &why,
                              err);
    return VV_OK;
}

/* The same, counted; what there is no memory for is told of as one load after the other. */
VVI_COUNTING static vv_status get_all_counted(vv_blockstore *store, const vv_cid *cids,
                                              size_t n, vv_buf *got, vv_status *statuses,
                                              bool all_wanted, vv_error *err)
{
    vvi_load *loads = vvi_alloc_array_zero(n, sizeof(*loads));
    char text[VV_CID_TEXT_MAX];
    uint64_t begun_ns = vvi_now_ns();
    vvi_told_loads before;
    vv_status status;

    for (size_t i = 0; i < n && loads; i++) {
        if (vvi_cid_holds_block(&cids[i]))
            continue;
        vv_cid_format(&cids[i], text);
        vvi_load_begin(&loads[i], text, false, false);
    }
    before = vvi_loads_set_told((vvi_told_loads){ loads, loads ? n : 0, 0 });
    status = get_all(store, cids, n, got, statuses, all_wanted, err);
    vvi_loads_set_told(before);
    for (size_t i = 0; i < n; i++) {
        vvi_load unseen = { .begun_ns = begun_ns };

        if (vvi_cid_holds_block(&cids[i]))
            continue;
        vv_cid_format(&cids[i], text);
        vvi_load_end(loads ? &loads[i] : &unseen, text, false, statuses[i], got[i].len);
    }
    vvi_free(loads);
    return status;
}

static bool all_empty(const vv_buf *bufs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bufs[i].data || bufs[i].release)
            return false;
    return true;
}

/* Read into buffers that are empty; those of blocks that were not read are left so. */
static vv_status get_into(vv_blockstore *store, const vv_cid *cids, size_t n,
                          vv_buf *outs, vv_status *statuses, bool all_wanted,
                          vv_error *err)
{
    vv_status status = (is_counted(store) ? get_all_counted : get_all)(
        store, cids, n, outs, statuses, all_wanted, err);

    for (size_t i = 0; i < n; i++)
        if (all_wanted ? status != VV_OK : statuses[i] != VV_OK)
            vv_buf_clear(&outs[i]);
    return status;
}

vv_status vv_blockstore_get_many(vv_blockstore *store, const vv_cid *cids, size_t n,
                                 vv_buf *outs, vv_status *statuses, vv_error *err)
{
    vv_status status = VV_OK;
    vv_status *own = statuses;
    vv_buf *got = outs;

    for (size_t i = 0; i < n && !status; i++)
        if (cids[i].digest_len == 0 || cids[i].digest_len > VV_DIGEST_MAX)
            status = vvi_check_block_name(&cids[i], err);
    if (!status && !all_empty(outs, n))
        got = vvi_alloc_array_zero(n, sizeof(*got));
    if (!status && !statuses)
        own = vvi_alloc_array_zero(n, sizeof(*own));
    if (!status && (!got || !own))
        status = vvi_fail_nomem(err, n * (sizeof(*got) + sizeof(*own)));
    if (status) {
        for (size_t i = 0; statuses && i < n; i++)
            statuses[i] = status;
        goto done;
    }
    status = get_into(store, cids, n, got, own, !statuses, err);
    for (size_t i = 0; i < n && got != outs; i++)
        if (statuses ? !own[i] : !status)
            vvi_buf_move(&outs[i], &got[i]);

done:
    if (got != outs)
        vvi_free(got);
    if (own != statuses)
        vvi_free(own);
    return status;
}
