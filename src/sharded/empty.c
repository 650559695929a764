/*
 * Many slots emptied in one go: all shards they lie in are read, and made anew aside, before the first one is
 * changed. So a call that fails has changed nothing.
 */
#include "sharded/inner.h"

#include "util/alloc.h"

#include <string.h>

typedef struct emptied_shard {
    vvi_held *held; /* as it is */
    vvi_held *will; /* as it will be; in no table */
} emptied_shard;

struct vvi_emptying {
    vvi_chunk_index *index;
    vvi_chunk_wanted_fn wanted;
    void *ctx;
    emptied_shard *shards; /* rising */
    size_t count, cap;
};

/* Another shard that says the same and differs in the same from its block. The lock is held. */
static vv_status copy_locked(const vvi_held *from, vvi_held *to, vv_error *err)
{
    const vvi_shard *shard = &from->names->shard;
    size_t words = (size_t)(shard->slot_count / 64 + 1);

    to->state = VVI_HELD_READY;
    to->has_no_block = from->has_no_block;
    to->names = vvi_names_new(shard->slot_count);
    if (!to->names)
        return vvi_fail_nomem(err, sizeof(*to->names));
    VVI_TRY(vvi_shard_copy(shard, &to->names->shard, err));
    if (!from->differs)
        return VV_OK;
    to->differs = vvi_alloc_array_zero(words, sizeof(*to->differs));
    if (!to->differs)
        return vvi_fail_nomem(err, words * sizeof(*to->differs));
    memcpy(to->differs, from->differs, words * sizeof(*to->differs));
    to->differing = from->differing;
    return vvi_shard_copy(&from->before, &to->before, err);
}

/* The shard that comes after those there are. */
static vv_status add_shard(vvi_emptying *self, uint64_t shard, vv_error *err)
{
    vvi_shard_cache *cache = self->index->cache;
    emptied_shard *made;
    vv_status status;

    VVI_TRY(vvi_grow((void **)&self->shards, &self->cap, self->count + 1,
                     sizeof(*self->shards), err));
    made = &self->shards[self->count];
    made->will = vvi_held_new(shard);
    if (!made->will)
        return vvi_fail_nomem(err, sizeof(*made->will));
    made->held = NULL;
    self->count++;
    VVI_TRY(vvi_cache_load(self->index, &shard, 1, &made->held, NULL, err));
    vvi_mutex_lock(&cache->lock);
    status = copy_locked(made->held, made->will, err);
    vvi_mutex_unlock(&cache->lock);
    return status;
}

static vv_status empty_chunk(void *ctx, uint64_t number, const uint64_t *coords,
                             const vv_cid *cid, vv_error *err)
{
    vvi_emptying *self = ctx;
    uint64_t slots = self->index->slots;
    uint64_t shard = number / slots;
    vvi_shard_cache *cache = self->index->cache;
    bool wanted = false, changed;
    vv_status status;

    (void)cid;
    VVI_TRY(self->wanted(self->ctx, coords, &wanted, err));
    if (!wanted)
        return VV_OK;
    if (!self->count || self->shards[self->count - 1].will->shard != shard)
        VVI_TRY(add_shard(self, shard, err));
    vvi_mutex_lock(&cache->lock);
    status = vvi_held_set_locked(self->shards[self->count - 1].will, number % slots, NULL,
                                 &changed, err);
    vvi_mutex_unlock(&cache->lock);
    return status;
}

vv_status vvi_emptying_new(vvi_chunk_index *index, vvi_chunk_wanted_fn wanted, void *ctx,
                           vvi_emptying **out, vv_error *err)
{
    vvi_emptying *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->index = index;
    self->wanted = wanted;
    self->ctx = ctx;
    status = vvi_chunk_index_visit_numbered(index, empty_chunk, self, NULL, err);
    if (status) {
        vvi_emptying_free(self);
        return status;
    }
    *out = self;
    return VV_OK;
}

/* Let a shard say what was made aside, which takes what it said. The lock is held. */
static void trade(vvi_held *held, vvi_held *will)
{
    vvi_held was = *held;

    held->names = will->names;
    held->differs = will->differs;
    held->differing = will->differing;
    held->before = will->before;
    will->names = was.names;
    will->differs = was.differs;
    will->differing = was.differing;
    will->before = was.before;
    vvi_held_sort_locked(held);
}

void vvi_emptying_apply(vvi_emptying *self)
{
    vvi_mutex_lock(&self->index->cache->lock);
    for (size_t i = 0; i < self->count; i++)
        trade(self->shards[i].held, self->shards[i].will);
    vvi_mutex_unlock(&self->index->cache->lock);
}

void vvi_emptying_free(vvi_emptying *self)
{
    vvi_shard_cache *cache;

    if (!self)
        return;
    cache = self->index->cache;
    vvi_mutex_lock(&cache->lock);
    for (size_t i = 0; i < self->count; i++) {
        vvi_held_release_locked(cache, self->shards[i].will);
        vvi_held_release_locked(cache, self->shards[i].held);
    }
    vvi_mutex_unlock(&cache->lock);
    vvi_free(self->shards);
    vvi_free(self);
}
