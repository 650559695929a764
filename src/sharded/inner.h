/*
 * The index and its cache, for the files that make them up.
 *
 * One lock, the cache's, guards all that is said here to be guarded. It is held for steps in memory only:
 * blocks are read, decoded, encoded and saved without it. What a shard says is kept in a vvi_names, counted:
 * who wants to look at all of it without the lock takes a hold, and a change that comes meanwhile is made in
 * a copy.
 */
#ifndef VVI_SHARDED_INNER_H
#define VVI_SHARDED_INNER_H

#include "sharded/index.h"
#include "sharded/shard.h"
#include "util/thread.h"

typedef struct vvi_names {
    int holds; /* guarded by lock */
    vvi_shard shard;
} vvi_names;

typedef enum vvi_held_state {
    VVI_HELD_LOADING,
    VVI_HELD_READY,
    VVI_HELD_FAILED
} vvi_held_state;

/* A shard that is held, or being read. All is guarded by lock. */
typedef struct vvi_held {
    int holds;              /* the table's, and each user's */
    vvi_chunk_index *index; /* NULL: no longer in the table */
    uint64_t shard;
    vvi_held_state state;
    vv_status status; /* of a read that failed */
    char *message;    /* of it; NULL: lost for want of memory */
    vvi_names *names; /* when ready */
    bool cut;         /* the block has names outside the grid, which were left out */

    /* Where it differs from the block that the root names. */
    bool changed;       /* in the index's list of changed shards, else in the cache's */
    bool saving;        /* its names are on their way; differences are from those */
    bool has_no_block;  /* nothing to differ from: changed until it is saved */
    uint64_t differing; /* slots */
    uint64_t *differs;  /* a bit a slot, some; NULL: none */
    vvi_shard before;   /* what the block has in those that hold a name there */

    bool listed;    /* in the cache's list, and counted in clean_bytes */
    size_t counted; /* bytes, in clean_bytes or changed_bytes */
    struct vvi_held *newer, *older;
} vvi_held;

struct vvi_shard_cache {
    vv_blockstore *blocks;
    vv_cid_prefix ids;
    size_t cap;
    vvi_mutex lock;
    vvi_cond loaded;
    vvi_held *newest, *oldest; /* guarded by lock: unchanged ones, by last use */
    size_t clean_bytes, changed_bytes;
    uint64_t loads;
};

#define VVI_TABLE_PAGE 256u

/* The names of more shards do not fit into a root's block. */
#define VVI_SHARDS_MAX VV_BLOCK_BYTES_MAX

struct vvi_chunk_index {
    vvi_shard_cache *cache;
    char *name;
    uint32_t ndim;  /* geometry.grid.ndim, which stays */
    uint64_t slots; /* of a shard; geometry.chunks_per_shard, which stays */
    /* Guarded by lock. */
    vvi_geometry geometry;
    uint64_t generation; /* of the geometry */
    vvi_shard roots;     /* the shards, as the root names them */
    vvi_held ***table;   /* pages of VVI_TABLE_PAGE shards, or NULL */
    size_t table_count;
    vvi_held *first_changed;
    uint64_t changed_count;
    uint64_t *asked; /* a bit a shard: AUTO has read it in part; NULL: none */
    /* What the block of this shard has from this slot on lay outside the grid when it was saved, and
     * does not count though it is inside now. */
    uint64_t stale_shard, stale_from; /* UINT64_MAX: none */
};

/* ---- cache.c; those named _locked are called with the lock held ------------------------------- */

/* The shard that is in the table, held or being read; NULL: none. */
vvi_held *vvi_held_find_locked(vvi_chunk_index *index, uint64_t shard);
/* Put one in the table; it has none there. VV_ENOMEM */
vv_status vvi_held_add_locked(vvi_chunk_index *index, vvi_held *held, vv_error *err);
/* The place of a shard in the table, made if need be. VV_ENOMEM */
vv_status vvi_table_place_locked(vvi_chunk_index *index, uint64_t shard, vvi_held ***out,
                                 vv_error *err);
vvi_held *vvi_held_new(uint64_t shard);
void vvi_held_release_locked(vvi_shard_cache *cache, vvi_held *held);
/* Out of the table; who holds it keeps it. */
void vvi_held_drop_locked(vvi_held *held);
/* It was asked for: last in the cache's list. */
void vvi_held_touch_locked(vvi_held *held);
/* Its names may take other memory than before. */
void vvi_held_count_locked(vvi_held *held);
/* Is it different from its block? Put it into the right list. */
void vvi_held_sort_locked(vvi_held *held);

/* Forget all shards of an array. */
void vvi_table_clear_locked(vvi_chunk_index *index);

vvi_names *vvi_names_new(uint64_t slot_count);
vvi_names *vvi_names_hold_locked(vvi_names *names);
void vvi_names_release_locked(vvi_names *names);
/* The same without the lock. */
void vvi_names_release(vvi_shard_cache *cache, vvi_names *names);

/*
 * Hold n shards, rising and no two the same; those that are not there are read in one call, each by one of
 * those who want it. helds[i] NULL: the root has no such shard. A failure names the first shard that could
 * not be read, and nothing is held then; statuses (n, may be NULL) tells each, helds[i] is NULL for those
 * that failed, and the call fails for want of memory only.
 */
vv_status vvi_cache_load(vvi_chunk_index *index, const uint64_t *shards, size_t n,
                         vvi_held **helds, vv_status *statuses, vv_error *err);
void vvi_cache_release(vvi_shard_cache *cache, vvi_held **helds, size_t n);

/* Shards loaded together by calls that go through many. */
#define VVI_LOAD_MANY 32u

/* A shard that could not be read, put into words: where its block is missing, the store is damaged. why may
 * be NULL. */
vv_status vvi_fail_shard(const vvi_chunk_index *index, uint64_t shard, const vv_cid *cid,
                         vv_status status, const char *why, vv_error *err);

/* ---- geometry.c ------------------------------------------------------------------------------- */

/* What changes with the length of the first dimension. */
typedef struct vvi_extent {
    uint64_t length, count;
    uint64_t chunk_count, shard_count;
} vvi_extent;

/* Another length of the first dimension. VV_ELIMIT as vvi_geometry_init(). */
vv_status vvi_geometry_extend(const vvi_geometry *self, uint64_t length, vvi_extent *out,
                              vv_error *err);

/* ---- index.c ---------------------------------------------------------------------------------- */

/* The number of a chunk, in row-major order. VV_ERANGE */
vv_status vvi_chunk_index_number(const vvi_chunk_index *index,
                                 const vvi_geometry *geometry, const uint64_t *coords,
                                 uint64_t *out, vv_error *err);
/* Put a name into a slot of a shard that is ready, or take it out. The lock is held; nothing is changed on
 * failure. */
vv_status vvi_held_set_locked(vvi_held *held, uint64_t slot, const vv_cid *cid,
                              bool *changed, vv_error *err);
/* A shard that the root does not name, put in the table without a name; held for the caller. */
vv_status vvi_held_make_locked(vvi_chunk_index *index, uint64_t shard, vvi_held **out,
                               vv_error *err);

/* ---- visit.c ---------------------------------------------------------------------------------- */

/* vvi_chunk_index_visit() with the number of each chunk too. *cut (may be NULL): the last shard's block has names
 * outside the grid, which are not told. */
typedef vv_status (*vvi_numbered_chunk_fn)(void *ctx, uint64_t number,
                                           const uint64_t *coords, const vv_cid *cid,
                                           vv_error *err);
vv_status vvi_chunk_index_visit_numbered(vvi_chunk_index *index,
                                         vvi_numbered_chunk_fn tell, void *ctx, bool *cut,
                                         vv_error *err);

#endif
