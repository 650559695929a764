/* Saving the changed shards of an array, some in a call of the block store. */
#include "sharded/inner.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

/* Shards, and about how many bytes of them, saved in one call. */
#define SAVE_MANY  64u
#define SAVE_BYTES ((size_t)32 << 20)

typedef struct batch {
    vvi_chunk_index *index;
    size_t n;
    vvi_held *helds[SAVE_MANY];
    vv_buf blocks[SAVE_MANY];
    vv_bytes bytes[SAVE_MANY];
    vv_cid cids[SAVE_MANY];
} batch;

static int by_shard(const void *a, const void *b)
{
    const vvi_held *x = *(vvi_held *const *)a;
    const vvi_held *y = *(vvi_held *const *)b;

    return (x->shard > y->shard) - (x->shard < y->shard);
}

/* All that are changed now, held and in their order. */
static vv_status collect(vvi_chunk_index *index, vvi_held ***out, size_t *n,
                         vv_error *err)
{
    vvi_held *held;
    size_t count;

    vvi_mutex_lock(&index->cache->lock);
    count = (size_t)index->changed_count;
    *out = vvi_alloc_array(count, sizeof(**out));
    *n = 0;
    for (held = index->first_changed; *out && held; held = held->older) {
        held->holds++;
        (*out)[(*n)++] = held;
    }
    vvi_mutex_unlock(&index->cache->lock);
    if (!*out)
        return vvi_fail_nomem(err, count * sizeof(**out));
    qsort(*out, *n, sizeof(**out), by_shard);
    return VV_OK;
}

/* From now on the shard differs from what is being saved, not from its old block. The lock is held. */
static vvi_names *begin_saving(vvi_held *held)
{
    held->saving = true;
    held->has_no_block = false;
    held->differing = 0;
    vvi_free(held->differs);
    held->differs = NULL;
    vvi_shard_clear(&held->before);
    return vvi_names_hold_locked(held->names);
}

/* It was saved; or not, cid NULL. The lock is held. */
static vv_status end_saving(vvi_chunk_index *index, vvi_held *held, const vv_cid *cid,
                            vv_error *err)
{
    vv_status status = VV_OK;

    if (cid)
        status = vvi_shard_set(&index->roots, held->shard, cid, err);
    held->saving = false;
    if (!cid || status) {
        held->has_no_block = true;
        held->differing = 0;
        vvi_free(held->differs);
        held->differs = NULL;
        vvi_shard_clear(&held->before);
    }
    held->cut = false;
    vvi_held_sort_locked(held);
    return status;
}

static vv_status encode(batch *self, vvi_held *held, vv_error *err)
{
    vvi_shard_cache *cache = self->index->cache;
    vv_buf *block = &self->blocks[self->n];
    vvi_names *names;
    vv_status status;

    vvi_mutex_lock(&cache->lock);
    names = begin_saving(held);
    vvi_mutex_unlock(&cache->lock);
    self->helds[self->n] = held;
    self->n++;
    status = vvi_shard_encode(&names->shard, block, err);
    vvi_names_release(cache, names);
    if (status)
        return vvi_wrap(err, status, "\"%s\", shard %" PRIu64, self->index->name,
                        held->shard);
    self->bytes[self->n - 1] = vvi_buf_bytes(block);
    return VV_OK;
}

/* Encode and save shards from helds on, as many as go into one call; *used tells how many. */
static vv_status save_some(batch *self, vvi_held **helds, size_t n, size_t *used,
                           vv_error *err)
{
    vvi_shard_cache *cache = self->index->cache;
    vv_status status = VV_OK;
    vv_status unnamed = VV_OK;
    size_t bytes = 0;

    self->n = 0;
    while (self->n < n && self->n < SAVE_MANY && bytes < SAVE_BYTES && !status) {
        status = encode(self, helds[self->n], err);
        if (!status)
            bytes += self->bytes[self->n - 1].len;
    }
    if (!status)
        status = vv_blockstore_put_many(cache->blocks, &cache->ids, self->bytes, self->n,
                                        self->cids, err);
    vvi_mutex_lock(&cache->lock);
    for (size_t i = 0; i < self->n; i++) {
        vv_status named = end_saving(self->index, self->helds[i],
                                     status ? NULL : &self->cids[i], err);

        unnamed = unnamed ? unnamed : named;
    }
    vvi_mutex_unlock(&cache->lock);
    for (size_t i = 0; i < self->n; i++)
        vv_buf_clear(&self->blocks[i]);
    *used = self->n;
    return status ? status : unnamed;
}

/* A block whose names outside the old grid must not come back is looked at before the root is written. */
static vv_status settle_stale(vvi_chunk_index *index, vv_error *err)
{
    uint64_t shard;
    vvi_held *held;

    vvi_mutex_lock(&index->cache->lock);
    shard = index->stale_shard;
    vvi_mutex_unlock(&index->cache->lock);
    if (shard == UINT64_MAX)
        return VV_OK;
    VVI_TRY(vvi_cache_load(index, &shard, 1, &held, NULL, err));
    vvi_cache_release(index->cache, &held, 1);
    return VV_OK;
}

vv_status vvi_chunk_index_save(vvi_chunk_index *index, vv_error *err)
{
    batch *work = NULL;
    vvi_held **helds = NULL;
    vv_status status;
    size_t used = 0;
    size_t at = 0;
    size_t n = 0;

    VVI_TRY(settle_stale(index, err));
    if (!vvi_chunk_index_is_changed(index))
        return VV_OK;
    status = collect(index, &helds, &n, err);
    work = vvi_alloc_zero(sizeof(*work));
    if (!status && !work)
        status = vvi_fail_nomem(err, sizeof(*work));
    if (!status)
        work->index = index;
    for (; !status && at < n; at += used)
        status = save_some(work, helds + at, n - at, &used, err);
    vvi_cache_release(index->cache, helds, n);
    vvi_free(work);
    vvi_free(helds);
    return status;
}
