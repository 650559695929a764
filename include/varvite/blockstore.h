/*
 * Block stores: CID → bytes.
 *
 * A block store is addressed by hash function and digest: two CIDs that differ only in codec or
 * version name the same block. Every public call checks what a backend returns against the CID
 * it was asked by; a mismatch is VV_ECORRUPT naming the CID. Trust is given to a backend by an
 * option of its constructor, never by silence. A block that its own CID holds (the identity hash)
 * is answered from the CID; it is there in every store and stored in none.
 *
 * Threads: every call may be made from any thread at any time, but for vv_blockstore_free(),
 * which ends the caller's hold. Ownership: counted; what stands on a block store (a cache, a
 * HAMT, a Zarr store) holds it too, so the order of freeing does not matter.
 */
#ifndef VARVITE_BLOCKSTORE_H
#define VARVITE_BLOCKSTORE_H

#include <varvite/base.h>
#include <varvite/cid.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vv_blockstore vv_blockstore;

/** The longest block: 2 GiB. Longer values are cut by the layer above. */
#define VV_BLOCK_BYTES_MAX ((uint64_t)1 << 31)

/** A block with its name. */
typedef struct vv_block {
    vv_cid cid;
    vv_bytes data;
} vv_block;

/** Hold the store once more; returns it. */
VV_API vv_blockstore *vv_blockstore_retain(vv_blockstore *store);
/** Let go. Blocks that no vv_blockstore_flush() covered may be lost with it. NULL is fine. */
VV_API void vv_blockstore_free(vv_blockstore *store);
/** "memory", "local": the backend's name, for messages. */
VV_API const char *vv_blockstore_name(const vv_blockstore *store);

/**
 * Read a block.
 *
 * @param out  the block; may be pages of a mapped file, valid until cleared even if the block
 *             is deleted or the store freed meanwhile
 * @return VV_OK
 *         VV_ENOTFOUND  no such block; out is left alone
 *         VV_ECORRUPT   the bytes do not match the CID
 *         VV_EIO        the store could not be reached; trying again may help
 *         VV_ENOMEM
 */
VV_API vv_status vv_blockstore_get(vv_blockstore *store, const vv_cid *cid, vv_buf *out,
                                   vv_error *err);

/**
 * Read n blocks at once; a remote store has many requests in flight.
 *
 * @param outs      n buffers, each VV_BUF_INIT or filled before
 * @param statuses  n places, all filled: each block's own status; the call is VV_OK when every
 *                  block was answered, be it VV_OK, VV_ENOTFOUND, VV_ECORRUPT or
 *                  VV_EUNSUPPORTED (its hash). NULL: one block that is not VV_OK fails the call,
 *                  and no buffer is changed.
 */
VV_API vv_status vv_blockstore_get_many(vv_blockstore *store, const vv_cid *cids,
                                        size_t n, vv_buf *outs, vv_status *statuses,
                                        vv_error *err);

/** Read a part of a block. The whole block is checked unless the backend is trusted. */
VV_API vv_status vv_blockstore_get_range(vv_blockstore *store, const vv_cid *cid,
                                         vv_range range, vv_buf *out, vv_error *err);

/**
 * Name a block after its bytes and store it. Storing it again is fine and cheap.
 *
 * Readers of this store see it at once; it is safe from a crash after vv_blockstore_flush().
 * @param cid  its name; NULL if not wanted
 * @return VV_OK, VV_EREADONLY, VV_ELIMIT (longer than VV_BLOCK_BYTES_MAX), VV_EIO (disk full,
 *         …), VV_EBUSY (another writer holds the store; try again), VV_EUNSUPPORTED (hash),
 *         VV_ENOMEM
 */
VV_API vv_status vv_blockstore_put(vv_blockstore *store, const vv_cid_prefix *prefix,
                                   vv_bytes block, vv_cid *cid, vv_error *err);
/** The same for n blocks; hashed together, stored in one call. cids: n places or NULL. */
VV_API vv_status vv_blockstore_put_many(vv_blockstore *store, const vv_cid_prefix *prefix,
                                        const vv_bytes *blocks, size_t n, vv_cid *cids,
                                        vv_error *err);
/** Store blocks under the names they came with, after checking each. VV_ECORRUPT: one does not
 *  match, and none is stored. */
VV_API vv_status vv_blockstore_add_many(vv_blockstore *store, const vv_block *blocks,
                                        size_t n, vv_error *err);

/** Is the block there? Does not read it. @return VV_OK, VV_EIO */
VV_API vv_status vv_blockstore_has(vv_blockstore *store, const vv_cid *cid, bool *out,
                                   vv_error *err);
VV_API vv_status vv_blockstore_has_many(vv_blockstore *store, const vv_cid *cids,
                                        size_t n, bool *out, vv_error *err);
/** Bytes of the block, without reading it. @return VV_OK, VV_ENOTFOUND, VV_EIO */
VV_API vv_status vv_blockstore_size(vv_blockstore *store, const vv_cid *cid,
                                    uint64_t *out, vv_error *err);
/** Forget a block. @return VV_OK, VV_ENOTFOUND, VV_EREADONLY, VV_EIO */
VV_API vv_status vv_blockstore_delete(vv_blockstore *store, const vv_cid *cid,
                                      vv_error *err);

/** Told of each block; any status but VV_OK ends the iteration and is returned. */
typedef vv_status (*vv_block_fn)(void *ctx, const vv_cid *cid, uint64_t size,
                                 vv_error *err);
/**
 * Visit every block that was there at the start and still is, in no given order. visit may call
 * the store.
 */
VV_API vv_status vv_blockstore_iterate(vv_blockstore *store, vv_block_fn visit, void *ctx,
                                       vv_error *err);

/** What a store holds. */
typedef struct vv_blockstore_stats {
    uint64_t block_count;
    uint64_t block_bytes;   /* sum of the blocks */
    uint64_t storage_bytes; /* what they take where they lie; 0: not known */
} vv_blockstore_stats;
VV_API vv_status vv_blockstore_stat(vv_blockstore *store, vv_blockstore_stats *out,
                                    vv_error *err);

/**
 * Make everything that was put before this call as safe as the store promises (for the local
 * store: on the disk). Many threads' flushes become one.
 * @return VV_OK, VV_EBUSY (another writer holds the store; try again), VV_EIO (nothing of what
 *         is not yet safe may be relied on)
 */
VV_API vv_status vv_blockstore_flush(vv_blockstore *store, vv_error *err);

/** A store in memory. Trusted: its blocks never leave the process. @return VV_OK, VV_ENOMEM */
VV_API vv_status vv_memory_blockstore_new(vv_blockstore **out, vv_error *err);

/** What a cache did so far. */
typedef struct vv_cache_stats {
    uint64_t hits, misses, evictions;
    uint64_t bytes; /* held now, never above the capacity */
} vv_cache_stats;
/**
 * A cache of the blocks most recently read from or put into inner, at most capacity_bytes of
 * them (a block larger than an eighth of that is passed by). Concurrent reads of one missing
 * block become one.
 */
VV_API vv_status vv_cache_blockstore_new(vv_blockstore *inner, size_t capacity_bytes,
                                         vv_blockstore **out, vv_error *err);
/** @return VV_OK, VV_EINVAL (not a cache) */
VV_API vv_status vv_cache_blockstore_stats(vv_blockstore *cache, vv_cache_stats *out,
                                           vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
