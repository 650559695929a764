/*
 * The index of one array: which block holds each chunk. Shards are read when they are asked for, kept in a
 * cache that all arrays of a store share, and saved when the store is committed.
 *
 * Threads: reading calls at any time; changing calls too, where each takes turns with others on the same
 * shard; resize, graft, save and load alone among changing calls (the store's lock sees to it).
 */
#ifndef VVI_SHARDED_INDEX_H
#define VVI_SHARDED_INDEX_H

#include <varvite/blockstore.h>
#include <varvite/sharded.h>

#include "grid/grid.h"

typedef struct vvi_shard_cache vvi_shard_cache;

/* blocks is held. ids: version, hash and digest length of shards; codec is dag-cbor. */
vv_status vvi_shard_cache_new(vv_blockstore *blocks, const vv_cid_prefix *ids, size_t cap,
                              vvi_shard_cache **out, vv_error *err);
void vvi_shard_cache_free(vvi_shard_cache *cache);
/* The unchanged and the changed shards held, and how many were read so far. */
void vvi_shard_cache_stat(vvi_shard_cache *cache, uint64_t *bytes, uint64_t *loads);

typedef struct vvi_geometry {
    vvi_grid grid; /* ndim 0: a scalar, one chunk */
    uint64_t chunks_per_shard;
    uint64_t chunk_count; /* product of grid.count; 0 if one is */
    uint64_t shard_count;
} vvi_geometry;

/* Fill grid and the counts. VV_EINVAL: chunk length 0, chunks_per_shard 0; VV_ELIMIT: 2⁶³ chunks and more. */
vv_status vvi_geometry_init(vvi_geometry *self, uint32_t ndim, const uint64_t *shape,
                            const uint64_t *chunk, uint64_t chunks_per_shard,
                            vv_error *err);

typedef struct vvi_chunk_index vvi_chunk_index;

/* An index without a chunk. name ("g/temp") is for messages and is copied; the cache is borrowed and must
 * outlive it. VV_ELIMIT: too many shards to name in memory. */
vv_status vvi_chunk_index_new(vvi_shard_cache *cache, const char *name,
                              const vvi_geometry *geometry, vvi_chunk_index **out,
                              vv_error *err);
void vvi_chunk_index_free(vvi_chunk_index *index);
const vvi_geometry *vvi_chunk_index_geometry(const vvi_chunk_index *index);

/* The shards as the root names them: set while it is read (they are unchanged then), and told when it is
 * written; NULL / false: none. VV_ENOMEM, VV_EINVAL (a bare multihash). */
vv_status vvi_chunk_index_put_shard(vvi_chunk_index *index, uint64_t shard,
                                    const vv_cid *cid, vv_error *err);
bool vvi_chunk_index_shard(const vvi_chunk_index *index, uint64_t shard, vv_cid *out);

/* The block of a chunk. read: how a shard that is not held is read (VV_SHARD_AUTO counts per shard).
 * VV_ENOTFOUND: no chunk there; VV_ERANGE: outside the grid, named. */
vv_status vvi_chunk_index_get(vvi_chunk_index *index, const uint64_t *coords,
                              vv_shard_read read, vv_cid *out, vv_error *err);
/* n chunks, coords n × ndim: shards that are missing are fetched in one call. statuses: n. */
vv_status vvi_chunk_index_get_many(vvi_chunk_index *index, const uint64_t *coords,
                                   size_t n, vv_shard_read read, vv_cid *outs,
                                   vv_status *statuses, vv_error *err);
/* cid NULL: no chunk. *changed (may be NULL): is the slot another one now? A shard whose slots are as the
 * root has them again is unchanged. */
vv_status vvi_chunk_index_set(vvi_chunk_index *index, const uint64_t *coords,
                              const vv_cid *cid, bool *changed, vv_error *err);
vv_status vvi_chunk_index_set_many(vvi_chunk_index *index, const uint64_t *coords,
                                   const vv_cid *cids, size_t n, vv_error *err);

/* Each chunk that there is, in row-major order, as it was at some moment of the call. Shards are fetched
 * some at a time and not kept. */
typedef vv_status (*vvi_chunk_fn)(void *ctx, const uint64_t *coords, const vv_cid *cid,
                                  vv_error *err);
vv_status vvi_chunk_index_visit(vvi_chunk_index *index, vvi_chunk_fn tell, void *ctx,
                                vv_error *err);
/* The same, but for chunks of shards that other, an index with the same grid but for the length of its first dimension, has under the same name in the same
 * place; NULL: none. */
vv_status vvi_chunk_index_visit_unlike(vvi_chunk_index *index, vvi_chunk_index *other,
                                       vvi_chunk_fn tell, void *ctx, vv_error *err);

/*
 * Empty the slots of the chunks that wanted says yes to. All is read and made aside by vvi_emptying_new(), which
 * changes nothing; apply() cannot fail. Alone among changing calls from new to apply, as resize.
 */
typedef struct vvi_emptying vvi_emptying;
typedef vv_status (*vvi_chunk_wanted_fn)(void *ctx, const uint64_t *coords, bool *out,
                                         vv_error *err);
vv_status vvi_emptying_new(vvi_chunk_index *index, vvi_chunk_wanted_fn wanted, void *ctx,
                           vvi_emptying **out, vv_error *err);
void vvi_emptying_apply(vvi_emptying *self);
void vvi_emptying_free(vvi_emptying *self); /* NULL is fine */

/* Another shape of the same rank; chunks keep their coordinates (vv_sharded_store_resize()). */
vv_status vvi_chunk_index_resize(vvi_chunk_index *index, const uint64_t *shape,
                                 vv_error *err);

/*
 * Let the chunks of another index lie here, offset chunks further along each dimension. Everything is read and
 * checked first. VV_EINVAL (rank or chunk shape), VV_ERANGE (a chunk would lie outside the grid), statuses of
 * reading shards, what progress (may be NULL; items are chunks) returns; nothing changed then.
 */
vv_status vvi_chunk_index_graft(vvi_chunk_index *index, vvi_chunk_index *from,
                                const uint64_t *offset, vv_progress_fn progress,
                                void *ctx, uint64_t *chunks, vv_error *err);

bool vvi_chunk_index_is_changed(const vvi_chunk_index *index);
/* Save changed shards, many in one call of the block store; they are unchanged afterwards. On failure those
 * that could not be saved stay changed. A change made meanwhile is not lost. */
vv_status vvi_chunk_index_save(vvi_chunk_index *index, vv_error *err);

#endif
