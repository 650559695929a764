/* A block store in memory: shards of a map, each with its lock; blocks are counted and lent. */
#include "blockstore/internal.h"
#include "blockstore/memory_table.h"

#include "multiformats/cid_map.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

#include <string.h>

#define SHARD_COUNT 16
/* Blocks that are worth a look before they are copied. */
#define LONG_BYTES 8192
/* Names sorted by shard together: a store larger than the processor's caches spends its time waiting
 * for memory, and waits for many lines at once as long as for one. */
#define SLICE 1024

typedef vvi_mem_block block;

typedef struct shard {
    vvi_mutex lock;
    vvi_mem_table blocks; /* guarded by lock */
    uint64_t bytes;       /* guarded by lock */
} shard;

typedef struct memory_store {
    vv_blockstore base;
    uint64_t seed[2]; /* of tags; fixed */
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

static unsigned shard_number(const vv_cid *cid)
{
    return cid->digest[cid->digest_len - 1] % SHARD_COUNT;
}

static uint64_t tag_of(const vv_blockstore *store, const vv_cid *cid)
{
    return vvi_cid_mix(((const memory_store *)store)->seed, cid);
}

static shard *shard_of(vv_blockstore *store, const vv_cid *cid)
{
    memory_store *self = (memory_store *)store;

    return &self->shards[shard_number(cid)];
}

/* A block, held for the caller, or NULL. */
static block *find_block(vv_blockstore *store, const vv_cid *cid)
{
    shard *part = shard_of(store, cid);
    uint64_t tag = tag_of(store, cid);
    block *found;

    vvi_mutex_lock(&part->lock);
    found = vvi_mem_table_find(&part->blocks, tag, cid);
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

/* ---- many at once ---------------------------------------------------------------------------- */

/* Up to SLICE names, those of a shard side by side: shard s has order[starts[s]] … */
typedef struct by_shard {
    uint16_t starts[SHARD_COUNT + 1];
    uint16_t order[SLICE];
    uint64_t tags[SLICE]; /* in the order given */
} by_shard;

/* The names lie stride bytes apart. */
static void sort_by_shard(const memory_store *self, const vv_cid *cids, size_t stride,
                          size_t n, by_shard *out)
{
    uint16_t next[SHARD_COUNT];
    uint8_t numbers[SLICE];

    memset(out->starts, 0, sizeof(out->starts));
    for (size_t i = 0; i < n; i++) {
        const vv_cid *cid = (const vv_cid *)((const char *)cids + i * stride);

        out->tags[i] = vvi_cid_mix(self->seed, cid);
        numbers[i] = (uint8_t)shard_number(cid);
        out->starts[numbers[i] + 1]++;
    }
    for (size_t s = 0; s < SHARD_COUNT; s++) {
        next[s] = out->starts[s];
        out->starts[s + 1] = (uint16_t)(out->starts[s + 1] + next[s]);
    }
    for (size_t i = 0; i < n; i++)
        out->order[next[numbers[i]]++] = (uint16_t)i;
}

/* Inlined whatever the compiler thinks: gcc drops a call of a function that only asks for memory, as
 * one without an effect. */
#define ASKING __attribute__((always_inline)) static inline

/* What is done to the names of one shard, whose lock is held; in three turns through the shards, so
 * that what one of them asks for has come before the next one needs it. */
ASKING void ask_for_slots(const shard *part, const uint64_t *tags, const uint16_t *which,
                          size_t n)
{
    for (size_t i = 0; i < n; i++)
        vvi_mem_table_ask(&part->blocks, tags[which[i]]);
}

ASKING void ask_for_blocks(const shard *part, const uint64_t *tags, const uint16_t *which,
                           size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const block *guess = vvi_mem_table_guess(&part->blocks, tags[which[i]]);

        if (!guess)
            continue;
        __builtin_prefetch(guess, 1);
        __builtin_prefetch(guess->tail + VV_BLAKE3_SIZE - 1);
    }
}

static void lend_blocks(const shard *part, const vv_cid *cids, const uint64_t *tags,
                        const uint16_t *which, size_t n, vv_buf *outs,
                        vv_status *statuses)
{
    for (size_t i = 0; i < n; i++) {
        size_t k = which[i];
        block *found = vvi_mem_table_find(&part->blocks, tags[k], &cids[k]);

        statuses[k] = found ? VV_OK : VV_ENOTFOUND;
        if (!found)
            continue;
        hold(found);
        /* As vvi_buf_lend() would; the buffer is empty. */
        outs[k] = (vv_buf){ .data = found->tail + found->digest_len,
                            .len = found->len,
                            .release = drop,
                            .owner = found };
    }
}

/* Lend up to SLICE blocks. */
static void lend_slice(memory_store *self, const vv_cid *cids, size_t n, vv_buf *outs,
                       vv_status *statuses)
{
    by_shard sorted;

    sort_by_shard(self, cids, sizeof(*cids), n, &sorted);
    for (int turn = 0; turn < 3; turn++)
        for (size_t s = 0; s < SHARD_COUNT; s++) {
            const uint16_t *which = sorted.order + sorted.starts[s];
            size_t some = (size_t)sorted.starts[s + 1] - sorted.starts[s];
            shard *part = &self->shards[s];

            if (!some)
                continue;
            vvi_mutex_lock(&part->lock);
            if (turn == 0)
                ask_for_slots(part, sorted.tags, which, some);
            else if (turn == 1)
                ask_for_blocks(part, sorted.tags, which, some);
            else
                lend_blocks(part, cids, sorted.tags, which, some, outs, statuses);
            vvi_mutex_unlock(&part->lock);
        }
}

static vv_status memory_get_many(vv_blockstore *store, const vv_cid *cids, size_t n,
                                 vv_buf *outs, vv_status *statuses, vv_error *err)
{
    for (size_t i = 0; i < n; i += SLICE)
        lend_slice((memory_store *)store, cids + i, n - i < SLICE ? n - i : SLICE,
                   outs + i, statuses + i);
    for (size_t i = 0; i < n; i++)
        if (statuses[i])
            return vvi_fail_missing_block(err, store, &cids[i]);
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

static bool is_there(vv_blockstore *store, const vv_cid *cid)
{
    shard *part = shard_of(store, cid);
    uint64_t tag = tag_of(store, cid);
    bool there;

    vvi_mutex_lock(&part->lock);
    there = vvi_mem_table_find(&part->blocks, tag, cid) != NULL;
    vvi_mutex_unlock(&part->lock);
    return there;
}

/* Copies of up to SLICE blocks; NULL for a long one that is there already. Made outside of any lock.
 * A short block is copied even if it may be there: that costs less than to look it up twice. */
static vv_status make_slice(vv_blockstore *store, const vv_block *blocks, size_t n,
                            block **made, vv_error *err)
{
    for (size_t i = 0; i < n; i++) {
        made[i] = NULL;
        if (blocks[i].data.len >= LONG_BYTES && is_there(store, &blocks[i].cid))
            continue;
        made[i] = make_block(&blocks[i], err);
        if (made[i])
            continue;
        while (i--)
            drop(made[i]);
        return VV_ENOMEM;
    }
    return VV_OK;
}

/* Put blocks into their shard, whose lock is held. What it keeps is taken out of made. */
static vv_status put_blocks(shard *part, const vv_block *blocks, const uint64_t *tags,
                            const uint16_t *which, size_t n, block **made, vv_error *err)
{
    for (size_t i = 0; i < n; i++) {
        size_t k = which[i];
        bool added;

        if (!made[k])
            continue;
        VVI_TRY(vvi_mem_table_put(&part->blocks, tags[k], &blocks[k].cid, made[k], &added,
                                  err));
        if (!added)
            continue;
        part->bytes += blocks[k].data.len;
        made[k] = NULL;
    }
    return VV_OK;
}

static vv_status put_slice(memory_store *self, const vv_block *blocks, size_t n,
                           block **made, vv_error *err)
{
    vv_status status = VV_OK;
    by_shard sorted;

    sort_by_shard(self, &blocks->cid, sizeof(*blocks), n, &sorted);
    for (int turn = 0; turn < 2; turn++)
        for (size_t s = 0; s < SHARD_COUNT && !status; s++) {
            const uint16_t *which = sorted.order + sorted.starts[s];
            size_t some = (size_t)sorted.starts[s + 1] - sorted.starts[s];
            shard *part = &self->shards[s];

            if (!some)
                continue;
            vvi_mutex_lock(&part->lock);
            if (turn == 0)
                ask_for_slots(part, sorted.tags, which, some);
            else
                status = put_blocks(part, blocks, sorted.tags, which, some, made, err);
            vvi_mutex_unlock(&part->lock);
        }
    return status;
}

static vv_status put_one(vv_blockstore *store, const vv_block *given, vv_error *err)
{
    shard *part = shard_of(store, &given->cid);
    uint64_t tag = tag_of(store, &given->cid);
    const uint16_t which = 0;
    vv_status status;
    block *made;

    VVI_TRY(make_slice(store, given, 1, &made, err));
    vvi_mutex_lock(&part->lock);
    status = put_blocks(part, given, &tag, &which, 1, &made, err);
    vvi_mutex_unlock(&part->lock);
    drop(made);
    return status;
}

static vv_status memory_put_many(vv_blockstore *store, const vv_block *blocks, size_t n,
                                 vv_error *err)
{
    vv_status status = VV_OK;
    block *made[SLICE];

    if (n == 1)
        return put_one(store, blocks, err);
    for (size_t from = 0; from < n && !status; from += SLICE) {
        size_t count = n - from < SLICE ? n - from : SLICE;

        VVI_TRY(make_slice(store, blocks + from, count, made, err));
        status = put_slice((memory_store *)store, blocks + from, count, made, err);
        for (size_t i = 0; i < count; i++)
            drop(made[i]);
    }
    return status;
}

static vv_status memory_remove(vv_blockstore *store, const vv_cid *cid, vv_error *err)
{
    shard *part = shard_of(store, cid);
    uint64_t tag = tag_of(store, cid);
    block *taken;

    vvi_mutex_lock(&part->lock);
    taken = vvi_mem_table_remove(&part->blocks, tag, cid);
    if (taken) {
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
    block **list;
    size_t n = 0;

    vvi_mutex_lock(&part->lock);
    list = vvi_alloc_array(part->blocks.count, sizeof(*list));
    for (size_t i = 0; list && i < part->blocks.cap; i++) {
        if (!part->blocks.slots[i].block)
            continue;
        list[n] = part->blocks.slots[i].block;
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

        for (size_t i = 0; i < part->blocks.cap; i++)
            drop(part->blocks.slots[i].block);
        vvi_mem_table_clear(&part->blocks);
        vvi_mutex_clear(&part->lock);
    }
    vvi_free(self);
}

static const vv_blockstore_ops memory_ops = {
    .name = "memory",
    .get = memory_get,
    .get_many = memory_get_many,
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
    vvi_cid_draw_seed(self->seed);
    vv_blockstore_base_init(&self->base, &memory_ops, true);
    self->base.is_near = true;
    *out = &self->base;
    return VV_OK;
}
