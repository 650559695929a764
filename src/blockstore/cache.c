/*
 * A cache of blocks before another block store: a list by last use, capped in bytes.
 *
 * A block being read is in the map too, as an entry that is not done; other readers wait for
 * it instead of reading the block again. The lock is never held while inner is asked.
 */
#include "blockstore/internal.h"

#include "metrics/metrics.h"
#include "multiformats/cid_map.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

#include <assert.h>
#include <string.h>

/* Longer blocks than this part of the capacity are passed by. */
#define SHARE_MAX 8

typedef struct entry {
    int refs;                    /* atomic: the map, each loan, each waiting reader */
    bool in_map;                 /* guarded by lock */
    bool done;                   /* guarded by lock: status and block are set for good */
    vv_status status;            /* of the read */
    char *message;               /* of a failed read; NULL: lost for want of memory */
    vv_buf block;                /* when status is VV_OK */
    struct entry *newer, *older; /* guarded by lock; in the list when kept */
    bool kept;                   /* guarded by lock: counted in bytes */
    uint32_t hash;
    uint8_t digest_len;
    uint8_t digest[];
} entry;

typedef struct cache_store {
    vv_blockstore base;
    vv_blockstore *inner;
    size_t capacity; /* fixed */
    vvi_mutex lock;
    vvi_cond read_done;
    vvi_cid_map entries;    /* guarded by lock */
    entry *newest, *oldest; /* guarded by lock */
    vv_cache_stats stats;   /* guarded by lock */
    uint64_t deletions;     /* guarded by lock: begun and ended */
} cache_store;

static void drop(void *owner)
{
    entry *self = owner;

    if (!self || __atomic_sub_fetch(&self->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    vv_buf_clear(&self->block);
    vvi_free(self->message);
    vvi_free(self);
}

static entry *hold(entry *self)
{
    __atomic_add_fetch(&self->refs, 1, __ATOMIC_RELAXED);
    return self;
}

static entry *make_entry(const vv_cid *cid, vv_error *err)
{
    entry *self = vvi_alloc_zero(sizeof(*self) + cid->digest_len);

    if (!self) {
        vvi_fail_nomem(err, sizeof(*self));
        return NULL;
    }
    self->hash = cid->hash;
    self->digest_len = cid->digest_len;
    memcpy(self->digest, cid->digest, cid->digest_len);
    self->refs = 1;
    return self;
}

/* The entry of a block, or NULL. The lock is held. */
static entry *find(cache_store *self, const vv_cid *cid)
{
    const vvi_cid_value *value = vvi_cid_map_find(&self->entries, cid);

    return value ? value->ptr : NULL;
}

/* Add an entry whose block has none. The lock is held. */
static vv_status add(cache_store *self, const vv_cid *cid, entry *one, vv_error *err)
{
    vvi_cid_value *value;

    VVI_TRY(vvi_cid_map_put(&self->entries, cid, &value, NULL, err));
    value->ptr = one;
    one->in_map = true;
    return VV_OK;
}

static void lend(entry *self, vv_buf *out)
{
    vvi_buf_lend(out, self->block.data, self->block.len, drop, hold(self));
}

/* What an entry counts for: blocks of no bytes take room too. */
static size_t cost(const entry *self)
{
    return self->block.len + sizeof(*self) + self->digest_len;
}

/* ---- the list; the lock is held -------------------------------------------------------------- */

static void list_take(cache_store *self, entry *one)
{
    *(one->newer ? &one->newer->older : &self->newest) = one->older;
    *(one->older ? &one->older->newer : &self->oldest) = one->newer;
    one->newer = one->older = NULL;
}

static void list_push(cache_store *self, entry *one)
{
    one->older = self->newest;
    one->newer = NULL;
    *(self->newest ? &self->newest->newer : &self->oldest) = one;
    self->newest = one;
}

/* Out of the map, which lets go of it. */
static void forget(cache_store *self, entry *one)
{
    vv_cid cid = { .hash = one->hash, .digest_len = one->digest_len };

    if (!one->in_map)
        return;
    memcpy(cid.digest, one->digest, one->digest_len);
    vvi_cid_map_remove(&self->entries, &cid, NULL);
    one->in_map = false;
    if (one->kept) {
        list_take(self, one);
        self->stats.bytes -= cost(one);
        one->kept = false;
    }
    drop(one);
}

static void make_room(cache_store *self, size_t bytes)
{
    while (self->oldest && self->stats.bytes + bytes > self->capacity) {
        forget(self, self->oldest);
        self->stats.evictions++;
    }
}

/* Keep a block that is in the table and done, or forget it when it is too long. */
static void keep(cache_store *self, entry *one)
{
    if (cost(one) > self->capacity / SHARE_MAX) {
        forget(self, one);
        return;
    }
    make_room(self, cost(one));
    self->stats.bytes += cost(one);
    one->kept = true;
    list_push(self, one);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Which of the blocks of a call are read by this call, and which by another. */
typedef struct cache_read {
    entry **entries; /* a place a block: held; NULL when even that failed */
    bool *mine;      /* read by this call */
    vv_cid *cids;    /* of those that are mine, close together */
    vv_buf *bufs;
    vv_status *statuses;
    size_t missing;
} cache_read;

static void read_clear(cache_read *read, size_t n)
{
    for (size_t i = 0; read->entries && i < n; i++)
        drop(read->entries[i]);
    for (size_t i = 0; read->bufs && i < read->missing; i++)
        vv_buf_clear(&read->bufs[i]);
    vvi_free(read->entries);
    vvi_free(read->mine);
    vvi_free(read->cids);
    vvi_free(read->bufs);
    vvi_free(read->statuses);
}

static vv_status read_init(cache_read *read, size_t n, vv_error *err)
{
    *read = (cache_read){ .entries = vvi_alloc_array_zero(n, sizeof(*read->entries)),
                          .mine = vvi_alloc_array_zero(n, sizeof(*read->mine)),
                          .cids = vvi_alloc_array(n, sizeof(*read->cids)),
                          .bufs = vvi_alloc_array_zero(n, sizeof(*read->bufs)),
                          .statuses = vvi_alloc_array_zero(n, sizeof(*read->statuses)) };
    if (read->entries && read->mine && read->cids && read->bufs && read->statuses)
        return VV_OK;
    read_clear(read, n);
    return vvi_fail_nomem(err, n * sizeof(vv_cid));
}

/* A block that is here, held for the caller, or NULL. The lock is held. */
static entry *hit(cache_store *self, const vv_cid *cid)
{
    entry *found = find(self, cid);

    if (!found || !found->done)
        return NULL;
    self->stats.hits++;
    list_take(self, found);
    list_push(self, found);
    return hold(found);
}

/* Join the read of a block, or begin it. The lock is held. */
static vv_status join(cache_store *self, const vv_cid *cid, size_t i, cache_read *read,
                      vv_error *err)
{
    entry *one = find(self, cid);

    if (one) {
        self->stats.hits++;
        read->entries[i] = hold(one);
        return VV_OK;
    }
    one = make_entry(cid, err);
    if (!one)
        return VV_ENOMEM;
    if (add(self, cid, one, err)) {
        drop(one);
        return VV_ENOMEM;
    }
    self->stats.misses++;
    read->entries[i] = hold(one);
    read->mine[i] = true;
    read->cids[read->missing++] = *cid;
    return VV_OK;
}

/* A read has ended: wake who waits for it. The lock is held. */
static void finish(cache_store *self, entry *one, vv_status status, const char *message,
                   vv_buf *block)
{
    one->status = status;
    if (status)
        one->message = vvi_strdup(message);
    else
        vvi_buf_move(&one->block, block);
    one->done = true;
    if (!one->in_map)
        return;
    if (status)
        forget(self, one);
    else
        keep(self, one);
}

/* Read from inner what this call has to read. */
static void read_missing(cache_store *self, cache_read *read, size_t n)
{
    vv_error why = VV_ERROR_INIT;
    size_t next = 0;

    if (read->missing == 0)
        return;
    if (read->missing == 1)
        read->statuses[0] = vv_blockstore_get(self->inner, read->cids, read->bufs, &why);
    else
        vv_blockstore_get_many(self->inner, read->cids, read->missing, read->bufs,
                               read->statuses, &why);
    vvi_mutex_lock(&self->lock);
    for (size_t i = 0; i < n; i++) {
        vv_error missing = VV_ERROR_INIT;
        size_t k = next;

        if (!read->mine[i])
            continue;
        next++;
        if (read->statuses[k] == VV_ENOTFOUND)
            vvi_fail_missing_block(&missing, self->inner, &read->cids[k]);
        finish(self, read->entries[i], read->statuses[k],
               missing.status ? missing.message : why.message, &read->bufs[k]);
    }
    vvi_cond_broadcast(&self->read_done);
    vvi_mutex_unlock(&self->lock);
}

/* Wait for a read, whoever does it, and take its outcome. */
static vv_status take(cache_store *self, entry *one, vv_buf *out, vv_error *err)
{
    vvi_mutex_lock(&self->lock);
    while (!one->done)
        vvi_cond_wait_until(&self->read_done, &self->lock, vvi_now_ns() + 1000000000u);
    vvi_mutex_unlock(&self->lock);
    if (!one->status) {
        lend(one, out);
        return VV_OK;
    }
    return vvi_fail(err, one->status, "%s",
                    one->message && *one->message ? one->message
                                                  : vv_status_name(one->status));
}

static vv_status cache_get_many(vv_blockstore *store, const vv_cid *cids, size_t n,
                                vv_buf *outs, vv_status *statuses, vv_error *err)
{
    cache_store *self = (cache_store *)store;
    vv_status first = VV_OK;
    cache_read read;
    vv_status status = read_init(&read, n, err);

    for (size_t i = 0; i < n; i++)
        statuses[i] = status;
    VVI_TRY(status);
    vvi_mutex_lock(&self->lock);
    for (size_t i = 0; i < n; i++) {
        read.entries[i] = hit(self, &cids[i]);
        if (!read.entries[i])
            statuses[i] = join(self, &cids[i], i, &read, first ? NULL : err);
        first = first ? first : statuses[i];
    }
    vvi_mutex_unlock(&self->lock);
    if (vvi_metrics_on())
        vvi_count_block_cache(n - read.missing, read.missing);
    read_missing(self, &read, n);
    for (size_t i = 0; i < n; i++)
        if (read.entries[i]) {
            statuses[i] = take(self, read.entries[i], &outs[i], first ? NULL : err);
            first = first ? first : statuses[i];
        }
    read_clear(&read, n);
    return first;
}

static vv_status cache_get(vv_blockstore *store, const vv_cid *cid, vv_buf *out,
                           vv_error *err)
{
    cache_store *self = (cache_store *)store;
    vv_status status;
    entry *found;

    vvi_mutex_lock(&self->lock);
    found = hit(self, cid);
    vvi_mutex_unlock(&self->lock);
    if (!found)
        return cache_get_many(store, cid, 1, out, &status, err);
    if (vvi_metrics_on())
        vvi_count_block_cache(1, 0);
    lend(found, out);
    drop(found);
    return VV_OK;
}

/* ---- the rest -------------------------------------------------------------------------------- */

/*
 * A copy of a block that was stored. Without memory for it, it is just not cached; nor when
 * something was deleted since, which may have been this block.
 */
static void remember(cache_store *self, const vv_block *block, uint64_t deletions)
{
    entry *one;

    if (block->data.len > self->capacity / SHARE_MAX)
        return;
    one = make_entry(&block->cid, NULL);
    if (!one || vvi_buf_set(&one->block, block->data, NULL)) {
        drop(one);
        return;
    }
    one->done = true;
    vvi_mutex_lock(&self->lock);
    if (self->deletions == deletions && !find(self, &block->cid) &&
        add(self, &block->cid, one, NULL) == VV_OK) {
        keep(self, one);
        one = NULL;
    }
    vvi_mutex_unlock(&self->lock);
    drop(one);
}

/* A read that began before a block was stored may say that it is not there: nobody joins it now. */
static void forget_reading(cache_store *self, const vv_cid *cid)
{
    entry *one;

    vvi_mutex_lock(&self->lock);
    one = find(self, cid);
    if (one && !one->done)
        forget(self, one);
    vvi_mutex_unlock(&self->lock);
}

static vv_status cache_put_many(vv_blockstore *store, const vv_block *blocks, size_t n,
                                vv_error *err)
{
    cache_store *self = (cache_store *)store;
    uint64_t deletions;

    vvi_mutex_lock(&self->lock);
    deletions = self->deletions;
    vvi_mutex_unlock(&self->lock);
    VVI_TRY(vvi_blockstore_add_checked(self->inner, blocks, n, err));
    for (size_t i = 0; i < n; i++) {
        forget_reading(self, &blocks[i].cid);
        remember(self, &blocks[i], deletions);
    }
    return VV_OK;
}

static bool is_cached(cache_store *self, const vv_cid *cid, uint64_t *size)
{
    entry *found;
    bool there;

    vvi_mutex_lock(&self->lock);
    found = find(self, cid);
    there = found && found->done;
    if (there && size)
        *size = found->block.len;
    vvi_mutex_unlock(&self->lock);
    return there;
}

static vv_status cache_has_many(vv_blockstore *store, const vv_cid *cids, size_t n,
                                bool *out, vv_error *err)
{
    cache_store *self = (cache_store *)store;
    size_t end;

    for (size_t i = 0; i < n; i = end) {
        end = i;
        while (end < n && !(out[end] = is_cached(self, &cids[end], NULL)))
            end++;
        if (end > i)
            VVI_TRY(vv_blockstore_has_many(self->inner, cids + i, end - i, out + i, err));
        while (end < n && (out[end] = is_cached(self, &cids[end], NULL)))
            end++;
    }
    return VV_OK;
}

static vv_status cache_size(vv_blockstore *store, const vv_cid *cid, uint64_t *out,
                            vv_error *err)
{
    cache_store *self = (cache_store *)store;

    return is_cached(self, cid, out) ? VV_OK
                                     : vv_blockstore_size(self->inner, cid, out, err);
}

/* Forgotten before and after: a read that is under way may have seen the block. */
static vv_status cache_remove(vv_blockstore *store, const vv_cid *cid, vv_error *err)
{
    cache_store *self = (cache_store *)store;
    vv_status status = VV_OK;

    for (int turn = 0; turn < 2; turn++) {
        entry *found;

        vvi_mutex_lock(&self->lock);
        self->deletions++;
        found = find(self, cid);
        if (found)
            forget(self, found);
        vvi_mutex_unlock(&self->lock);
        if (turn == 0)
            status = vv_blockstore_delete(self->inner, cid, err);
    }
    return status;
}

static vv_status cache_iterate(vv_blockstore *store, vv_block_fn visit, void *ctx,
                               vv_error *err)
{
    return vv_blockstore_iterate(((cache_store *)store)->inner, visit, ctx, err);
}

static vv_status cache_stat(vv_blockstore *store, vv_blockstore_stats *out, vv_error *err)
{
    return vv_blockstore_stat(((cache_store *)store)->inner, out, err);
}

static vv_status cache_flush(vv_blockstore *store, vv_error *err)
{
    return vv_blockstore_flush(((cache_store *)store)->inner, err);
}

static void cache_free(vv_blockstore *store)
{
    cache_store *self = (cache_store *)store;

    while (self->oldest)
        forget(self, self->oldest);
    assert(self->entries.count == 0);
    vvi_cid_map_clear(&self->entries);
    vvi_cond_clear(&self->read_done);
    vvi_mutex_clear(&self->lock);
    vv_blockstore_free(self->inner);
    vvi_free(self);
}

static const vv_blockstore_ops cache_ops = {
    .name = "cache",
    .get = cache_get,
    .get_many = cache_get_many,
    .put_many = cache_put_many,
    .has_many = cache_has_many,
    .size = cache_size,
    .remove = cache_remove,
    .iterate = cache_iterate,
    .stat = cache_stat,
    .flush = cache_flush,
    .free = cache_free,
};

/* Trusted: inner's blocks were checked, or inner was trusted, when they were taken in. */
vv_status vv_cache_blockstore_new(vv_blockstore *inner, size_t capacity_bytes,
                                  vv_blockstore **out, vv_error *err)
{
    cache_store *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    status = vvi_mutex_init(&self->lock, err);
    if (!status) {
        status = vvi_cond_init(&self->read_done, err);
        if (status)
            vvi_mutex_clear(&self->lock);
    }
    if (status) {
        vvi_free(self);
        return status;
    }
    self->inner = vv_blockstore_retain(inner);
    self->capacity = capacity_bytes;
    vv_blockstore_base_init(&self->base, &cache_ops, true);
    self->base.is_near = inner->is_near;
    self->base.is_wrapper = true;
    *out = &self->base;
    return VV_OK;
}

vv_status vv_cache_blockstore_stats(vv_blockstore *cache, vv_cache_stats *out,
                                    vv_error *err)
{
    cache_store *self = (cache_store *)cache;

    if (cache->ops != &cache_ops)
        return vvi_fail(err, VV_EINVAL, "a %s store is not a cache", cache->ops->name);
    vvi_mutex_lock(&self->lock);
    *out = self->stats;
    vvi_mutex_unlock(&self->lock);
    return VV_OK;
}
