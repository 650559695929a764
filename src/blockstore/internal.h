/* What the public calls of a block store and the backends share. */
#ifndef VVI_BLOCKSTORE_INTERNAL_H
#define VVI_BLOCKSTORE_INTERNAL_H

#include <varvite/blockstore_backend.h>

#include "util/error.h"

/* VV_ENOTFOUND: "no block bafy… in the local store". */
vv_status vvi_fail_missing_block(vv_error *err, const vv_blockstore *store,
                                 const vv_cid *cid);

/* An identity CID holds its block: no store is asked. */
static inline bool vvi_cid_holds_block(const vv_cid *cid)
{
    return cid->hash == VV_HASH_IDENTITY;
}

/* VV_EINVAL when cid cannot name a block. */
vv_status vvi_check_block_name(const vv_cid *cid, vv_error *err);

/* Store blocks that were checked against their names already. */
vv_status vvi_blockstore_add_checked(vv_blockstore *store, const vv_block *blocks,
                                     size_t n, vv_error *err);

/*
 * A part of a block that is not hashed, whatever the trust in the store: for bytes that are authenticated in
 * another way by who asks. May give fewer or other bytes than the block has there.
 */
vv_status vvi_blockstore_get_range_unchecked(vv_blockstore *store, const vv_cid *cid,
                                             vv_range range, vv_buf *out, vv_error *err);

/*
 * Check blocks against their names, short ones together and long ones on several threads.
 * Only blocks whose status is VV_OK are looked at; it becomes VV_ECORRUPT, VV_EUNSUPPORTED or
 * VV_ENOMEM where a block does not pass.
 */
void vvi_verify_many(const vv_cid *cids, const vv_bytes *blocks, vv_status *statuses,
                     size_t n);

#endif
