/* A block store in memory: shards of a map, each with its lock; blocks are counted and lent. */
#include "blockstore/internal.h"

#include "multiformats/cid_map.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

#include <string.h>

#define SHARD_COUNT 16
/* Blocks that are worth a look before they are copied. */
#define LONG_BYTES 8192

/* One allocation: this, the digest, the bytes. Fixed once made, but for refs and gone. */
typedef struct block {
    int refs; /* atomic: the map and each loan */
    uint32_t codec;
    uint32_t hash;
    uint8_t version;
    uint8_t digest_len;
    bool gone; /* guarded by the shard's lock: taken out of the map */
    size_t len;
    uint8_t tail[];
} block;

typedef struct shard {
    vvi_mutex lock;
    vvi_cid_map blocks; /* guarded by lock */
    uint64_t bytes;     /* guarded by lock */
} shard;

typedef struct memory_store {
    vv_blockstore base;
    shard shards[SHARD_COUNT];
} memory_store;

static void drop(void *owner)
{
    block *self = owner;

    if (self && __atomic_sub_fetch(&self->refs, 1, __ATOMIC_ACQ_REL) == 0)
        vvi_free(self);
}

static void hold(block *self)
{
    __atomic_add_fetch(&self->refs, 1, __ATOMIC_RELAXED);
}

static vv_bytes block_bytes(const block *self)
{
    return vvi_bytes(self->tail + self->digest_len, self->len);
}

static block *make_block(const vv_block *from, vv_error *err)
{
    size_t size = sizeof(block) + from->cid.digest_len + from->data.len;
    block *self = vvi_alloc(size);

    if (!self) {
        vvi_fail_nomem(err, size);
        return NULL;
    }
    *self = (block){ .refs = 1,
                     .codec = from->cid.codec,
                     .hash = from->cid.hash,
                     .version = from->cid.version,
                     .digest_len = from->cid.digest_len,
                     .len = from->data.len };
    memcpy(self->tail, from->cid.digest, from->cid.digest_len);
    if (from->data.len)
        memcpy(self->tail + from->cid.digest_len, from->data.data, from->data.len);
    return self;
}

static vv_cid cid_of_block(const block *self)
{
    vv_cid cid = { .codec = self->codec,
                   .hash = self->hash,
                   .version = self->version,
                   .digest_len = self->digest_len };

    memcpy(cid.digest, self->tail, self->digest_len);
    return cid;
}

static shard *shard_of(vv_blockstore *store, const vv_cid *cid)
{
    memory_store *self = (memory_store *)store;

    return &self->shards[cid->digest[cid->digest_len - 1] % SHARD_COUNT];
}

/* A block, held for the caller, or NULL. */
static block *find_block(vv_blockstore *store, const vv_cid *cid)
{
    shard *part = shard_of(store, cid);
    const vvi_cid_value *value;
    block *found;

    vvi_mutex_lock(&part->lock);
    value = vvi_cid_map_find(&part->blocks, cid);
    found = value ? value->ptr : NULL;
    if (found)
        hold(found);
    vvi_mutex_unlock(&part->lock);
    return found;
}

static vv_status memory_get(vv_blockstore *store, const vv_cid *cid, vv_buf *out,
                            vv_error *err)
{
    block *found = find_block(store, cid);

    if (!found)
        return vvi_fail_missing_block(err, store, cid);
    vvi_buf_lend(out, block_bytes(found).data, found->len, drop, found);
    return VV_OK;
}

static vv_status memory_size(vv_blockstore *store, const vv_cid *cid, uint64_t *out,
                             vv_error *err)
{
    block *found = find_block(store, cid);

    if (!found)
        return vvi_fail_missing_block(err, store, cid);
    *out = found->len;
    drop(found);
    return VV_OK;
}

static vv_status memory_has_many(vv_blockstore *store, const vv_cid *cids, size_t n,
                                 bool *out, vv_error *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++) {
        block *found = find_block(store, &cids[i]);

        out[i] = found != NULL;
        drop(found);
    }
    return VV_OK;
}

static bool is_there(shard *part, const vv_cid *cid)
{
    bool there;

    vvi_mutex_lock(&part->lock);
    there = vvi_cid_map_find(&part->blocks, cid) != NULL;
    vvi_mutex_unlock(&part->lock);
    return there;
}

static vv_status put_one(vv_blockstore *store, const vv_block *given, vv_error *err)
{
    shard *part = shard_of(store, &given->cid);
    vvi_cid_value *value;
    vv_status status;
    bool added;
    block *made;

    /* Copied outside of the lock. A short block is copied even if it may be there already: that costs
     * less than to look it up twice. */
    if (given->data.len >= LONG_BYTES && is_there(part, &given->cid))
        return VV_OK;
    made = make_block(given, err);
    if (!made)
        return VV_ENOMEM;
    vvi_mutex_lock(&part->lock);
    status = vvi_cid_map_put(&part->blocks, &given->cid, &value, &added, err);
    if (!status && added) {
        value->ptr = made;
        part->bytes += made->len;
        made = NULL;
    }
    vvi_mutex_unlock(&part->lock);
    drop(made);
    return status;
}

static vv_status memory_put_many(vv_blockstore *store, const vv_block *blocks, size_t n,
                                 vv_error *err)
{
    for (size_t i = 0; i < n; i++)
        VVI_TRY(put_one(store, &blocks[i], err));
    return VV_OK;
}

static vv_status memory_remove(vv_blockstore *store, const vv_cid *cid, vv_error *err)
{
    shard *part = shard_of(store, cid);
    vvi_cid_value value = { .ptr = NULL };
    block *taken = NULL;

    vvi_mutex_lock(&part->lock);
    if (vvi_cid_map_remove(&part->blocks, cid, &value)) {
        taken = value.ptr;
        taken->gone = true;
        part->bytes -= taken->len;
    }
    vvi_mutex_unlock(&part->lock);
    if (!taken)
        return vvi_fail_missing_block(err, store, cid);
    drop(taken);
    return VV_OK;
}

/* The blocks of a shard, each held for the caller. */
static vv_status list_shard(shard *part, block ***out, size_t *count, vv_error *err)
{
    vvi_cid_value *value;
    size_t cursor = 0;
    block **list;
    size_t n = 0;

    vvi_mutex_lock(&part->lock);
    list = vvi_alloc_array(part->blocks.count, sizeof(*list));
    while (list && vvi_cid_map_next(&part->blocks, &cursor, NULL, &value)) {
        list[n] = value->ptr;
        hold(list[n++]);
    }
    vvi_mutex_unlock(&part->lock);
    if (!list)
        return vvi_fail_nomem(err, sizeof(*list));
    *out = list;
    *count = n;
    return VV_OK;
}

static bool still_there(shard *part, const block *self)
{
    bool there;

    vvi_mutex_lock(&part->lock);
    there = !self->gone;
    vvi_mutex_unlock(&part->lock);
    return there;
}

static vv_status memory_iterate(vv_blockstore *store, vv_block_fn visit, void *ctx,
                                vv_error *err)
{
    memory_store *self = (memory_store *)store;
    vv_status status = VV_OK;

    for (size_t s = 0; s < SHARD_COUNT && !status; s++) {
        block **list = NULL;
        size_t n = 0;

        VVI_TRY(list_shard(&self->shards[s], &list, &n, err));
        for (size_t i = 0; i < n; i++) {
            if (!status && still_there(&self->shards[s], list[i])) {
                vv_cid cid = cid_of_block(list[i]);

                status = visit(ctx, &cid, list[i]->len, err);
            }
            drop(list[i]);
        }
        vvi_free(list);
    }
    return status;
}

static vv_status memory_stat(vv_blockstore *store, vv_blockstore_stats *out,
                             vv_error *err)
{
    memory_store *self = (memory_store *)store;

    (void)err;
    for (size_t s = 0; s < SHARD_COUNT; s++) {
        shard *part = &self->shards[s];

        vvi_mutex_lock(&part->lock);
        out->block_count += part->blocks.count;
        out->block_bytes += part->bytes;
        vvi_mutex_unlock(&part->lock);
    }
    return VV_OK;
}

static void memory_free(vv_blockstore *store)
{
    memory_store *self = (memory_store *)store;

    for (size_t s = 0; s < SHARD_COUNT; s++) {
        shard *part = &self->shards[s];
        vvi_cid_value *value;
        size_t cursor = 0;

        while (vvi_cid_map_next(&part->blocks, &cursor, NULL, &value))
            drop(value->ptr);
        vvi_cid_map_clear(&part->blocks);
        vvi_mutex_clear(&part->lock);
    }
    vvi_free(self);
}

static const vv_blockstore_ops memory_ops = {
    .name = "memory",
    .get = memory_get,
    .put_many = memory_put_many,
    .has_many = memory_has_many,
    .size = memory_size,
    .remove = memory_remove,
    .iterate = memory_iterate,
    .stat = memory_stat,
    .free = memory_free,
};

vv_status vv_memory_blockstore_new(vv_blockstore **out, vv_error *err)
{
    memory_store *self = vvi_alloc_zero(sizeof(*self));
    vv_status status = VV_OK;
    size_t made = 0;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    while (made < SHARD_COUNT && !status) {
        status = vvi_mutex_init(&self->shards[made].lock, err);
        made += !status;
    }
    if (status) {
        while (made)
            vvi_mutex_clear(&self->shards[--made].lock);
        vvi_free(self);
        return status;
    }
    vv_blockstore_base_init(&self->base, &memory_ops, true);
    *out = &self->base;
    return VV_OK;
}
