/*
 * What a block store backend implements. The public calls of blockstore.h do for all backends
 * what each would owe: argument checks, hashing, verification, counting.
 */
#ifndef VARVITE_BLOCKSTORE_BACKEND_H
#define VARVITE_BLOCKSTORE_BACKEND_H

#include <varvite/blockstore.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Every function may be called from several threads at once. CIDs are addressed by hash and
 * digest alone (vv_cid_same_block()); identity CIDs never come here. out may hold something:
 * replace it, or leave it alone on failure.
 */
typedef struct vv_blockstore_ops {
    const char *name; /* "memory": appears in messages and metrics */
    vv_status (*get)(vv_blockstore *self, const vv_cid *cid, vv_buf *out, vv_error *err);
    /* Optional: NULL calls get once per CID. Filled where a round trip is slow. statuses has n
     * places, all to be filled; outs are empty. Returns the first status that is not VV_OK, and
     * its message. */
    vv_status (*get_many)(vv_blockstore *self, const vv_cid *cids, size_t n, vv_buf *outs,
                          vv_status *statuses, vv_error *err);
    /* Optional: NULL reads the whole block and cuts. Called when the store is trusted, or who asks checks the
     * bytes in another way. */
    vv_status (*get_range)(vv_blockstore *self, const vv_cid *cid, vv_range range,
                           vv_buf *out, vv_error *err);
    /* The blocks match their CIDs. NULL: read-only. All or none become visible where that is
     * cheap; a failure may leave some. */
    vv_status (*put_many)(vv_blockstore *self, const vv_block *blocks, size_t n,
                          vv_error *err);
    vv_status (*has_many)(vv_blockstore *self, const vv_cid *cids, size_t n, bool *out,
                          vv_error *err);
    vv_status (*size)(vv_blockstore *self, const vv_cid *cid, uint64_t *out,
                      vv_error *err);
    vv_status (*remove)(vv_blockstore *self, const vv_cid *cid,
                        vv_error *err); /* or NULL */
    vv_status (*iterate)(vv_blockstore *self, vv_block_fn visit, void *ctx,
                         vv_error *err);
    vv_status (*stat)(vv_blockstore *self, vv_blockstore_stats *out, vv_error *err);
    vv_status (*flush)(vv_blockstore *self, vv_error *err); /* NULL: nothing to do */
    void (*free)(vv_blockstore *self);
} vv_blockstore_ops;

/** First member of each backend's own struct. Fill with vv_blockstore_base_init(). */
struct vv_blockstore {
    const vv_blockstore_ops *ops;
    bool trusted; /* fixed once made: what it returns is not hashed again */
    /* Set once made: get and get_many return only blocks that match, as a backend that asks several others has to
     * find out itself. get_range is not meant. */
    bool checks_itself;
    /* Set once made: a block is in memory or on a disk here, so that getting one by one costs no round
     * trips. */
    bool is_near;
    /* Set once made: it hands calls on to another block store, which counts them (metrics.h). */
    bool is_wrapper;
    int refs;     /* atomic; only retain and free touch it */
};

VV_API void vv_blockstore_base_init(vv_blockstore *base, const vv_blockstore_ops *ops,
                                    bool trusted);

#ifdef __cplusplus
}
#endif
#endif
