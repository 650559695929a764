/* The index of one array: what it is, and changing chunks; inner.h tells who guards what. */
#include "sharded/inner.h"

#include "metrics/metrics.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <varvite/blockstore.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Chunks looked at in one turn of the lock. */
#define TURN 256u

vv_status vvi_chunk_index_new(vvi_shard_cache *cache, const char *name,
                              const vvi_geometry *geometry, vvi_chunk_index **out,
                              vv_error *err)
{
    vvi_chunk_index *self;

    if (geometry->shard_count > VVI_SHARDS_MAX)
        return vvi_fail(err, VV_ELIMIT,
                        "\"%s\" would have %" PRIu64 " shards; a root can name %" PRIu64,
                        name, geometry->shard_count, VVI_SHARDS_MAX);
    self = vvi_alloc_zero(sizeof(*self));
    if (self)
        self->name = vvi_strdup(name);
    if (!self || !self->name) {
        vvi_free(self);
        return vvi_fail_nomem(err, sizeof(*self));
    }
    self->cache = cache;
    self->geometry = *geometry;
    self->ndim = geometry->grid.ndim;
    self->slots = geometry->chunks_per_shard;
    self->stale_shard = UINT64_MAX;
    vvi_shard_init(&self->roots, geometry->shard_count);
    *out = self;
    return VV_OK;
}

void vvi_chunk_index_free(vvi_chunk_index *index)
{
    if (!index)
        return;
    vvi_mutex_lock(&index->cache->lock);
    vvi_table_clear_locked(index);
    vvi_mutex_unlock(&index->cache->lock);
    vvi_shard_clear(&index->roots);
    vvi_free(index->asked);
    vvi_free(index->name);
    vvi_free(index);
}

const vvi_geometry *vvi_chunk_index_geometry(const vvi_chunk_index *index)
{
    return &index->geometry;
}

vv_status vvi_chunk_index_put_shard(vvi_chunk_index *index, uint64_t shard,
                                    const vv_cid *cid, vv_error *err)
{
    vv_status status;

    vvi_mutex_lock(&index->cache->lock);
    status = vvi_shard_set(&index->roots, shard, cid, err);
    vvi_mutex_unlock(&index->cache->lock);
    return status;
}

bool vvi_chunk_index_shard(const vvi_chunk_index *index, uint64_t shard, vv_cid *out)
{
    bool there;

    vvi_mutex_lock(&index->cache->lock);
    there = vvi_shard_get(&index->roots, shard, out);
    vvi_mutex_unlock(&index->cache->lock);
    return there;
}

bool vvi_chunk_index_is_changed(const vvi_chunk_index *index)
{
    bool changed;

    vvi_mutex_lock(&index->cache->lock);
    changed = index->changed_count > 0 || index->stale_shard != UINT64_MAX;
    vvi_mutex_unlock(&index->cache->lock);
    return changed;
}

/* ---- changing --------------------------------------------------------------------------------- */

/* Let nobody else look at the names that are to be changed. */
static vv_status own_names(vvi_held *held, vv_error *err)
{
    vvi_names *own;

    if (held->names->holds == 1)
        return VV_OK;
    own = vvi_names_new(held->names->shard.slot_count);
    if (!own)
        return vvi_fail_nomem(err, sizeof(*own));
    if (vvi_shard_copy(&held->names->shard, &own->shard, err)) {
        vvi_free(own);
        return VV_ENOMEM;
    }
    vvi_names_release_locked(held->names);
    held->names = own;
    return VV_OK;
}

/* Keep what a slot has in the block, where it is about to be changed for the first time. */
static vv_status keep_before(vvi_held *held, uint64_t slot, vv_error *err)
{
    uint64_t slot_count = held->names->shard.slot_count;
    vv_cid old;

    if (!held->differs) {
        held->differs = vvi_alloc_array_zero((size_t)(slot_count / 64 + 1),
                                             sizeof(*held->differs));
        if (!held->differs)
            return vvi_fail_nomem(err, (size_t)slot_count / 8);
        vvi_shard_init(&held->before, slot_count);
    }
    if (held->differs[slot / 64] >> slot % 64 & 1 ||
        !vvi_shard_get(&held->names->shard, slot, &old))
        return VV_OK;
    return vvi_shard_set(&held->before, slot, &old, err);
}

/* A slot was changed: does it differ from the block now? */
static void note_difference(vvi_held *held, uint64_t slot, const vv_cid *cid)
{
    uint64_t *word = &held->differs[slot / 64];
    uint64_t bit = (uint64_t)1 << slot % 64;

    if (!vvi_shard_holds(&held->before, slot, cid)) {
        held->differing += !(*word & bit);
        *word |= bit;
        return;
    }
    held->differing -= (*word & bit) != 0;
    *word &= ~bit;
    vvi_shard_set(&held->before, slot, NULL, NULL);
}

vv_status vvi_held_set_locked(vvi_held *held, uint64_t slot, const vv_cid *cid,
                              bool *changed, vv_error *err)
{
    bool was_changed = held->changed;

    *changed = !vvi_shard_holds(&held->names->shard, slot, cid);
    if (!*changed)
        return VV_OK;
    VVI_TRY(own_names(held, err));
    if (!held->has_no_block)
        VVI_TRY(keep_before(held, slot, err));
    VVI_TRY(vvi_shard_set(&held->names->shard, slot, cid, err));
    if (!held->has_no_block)
        note_difference(held, slot, cid);
    if (was_changed != (held->saving || held->has_no_block || held->differing > 0))
        vvi_held_sort_locked(held);
    else
        vvi_held_count_locked(held);
    return VV_OK;
}

vv_status vvi_held_make_locked(vvi_chunk_index *index, uint64_t shard, vvi_held **out,
                               vv_error *err)
{
    vvi_held *held = vvi_held_new(shard);
    vv_status status;

    if (!held)
        return vvi_fail_nomem(err, sizeof(*held));
    held->state = VVI_HELD_READY;
    held->names = vvi_names_new(index->slots);
    status = held->names ? vvi_held_add_locked(index, held, err)
                         : vvi_fail_nomem(err, sizeof(*held->names));
    if (status) {
        vvi_names_release_locked(held->names);
        vvi_free(held);
        return status;
    }
    *out = held;
    return VV_OK;
}

/* Begin a shard that the root does not name with its first chunk. The lock is held. */
static vv_status begin_shard(vvi_chunk_index *index, uint64_t shard, uint64_t slot,
                             const vv_cid *cid, vv_error *err)
{
    bool changed;
    vvi_held *held;
    vv_status status;

    if (index->slots > VV_BLOCK_BYTES_MAX)
        return vvi_fail(err, VV_ELIMIT,
                        "\"%s\": %" PRIu64 " chunks a shard do not fit into a block",
                        index->name, index->slots);
    VVI_TRY(vvi_held_make_locked(index, shard, &held, err));
    held->has_no_block = true;
    status = vvi_held_set_locked(held, slot, cid, &changed, err);
    if (status)
        vvi_held_drop_locked(held);
    vvi_held_release_locked(index->cache, held);
    return status;
}

/* Change chunks from *at on, some of them; *blocked: one needs a shard that must be read first. The lock is
 * held. */
static vv_status set_some(vvi_chunk_index *index, const uint64_t *coords,
                          const vv_cid *cids, size_t n, size_t *at, bool *blocked,
                          bool *changed, vv_error *err)
{
    uint32_t ndim = index->ndim;
    size_t end = n - *at > TURN ? *at + TURN : n;

    for (; *at < end; ++*at) {
        const vv_cid *cid = cids ? &cids[*at] : NULL;
        uint64_t number;
        uint64_t shard;
        vvi_held *held;

        VVI_TRY(vvi_chunk_index_number(index, &index->geometry, coords + *at * ndim,
                                       &number, err));
        shard = number / index->slots;
        held = vvi_held_find_locked(index, shard);
        *blocked = held ? held->state != VVI_HELD_READY
                        : !vvi_shard_holds(&index->roots, shard, NULL);
        if (*blocked)
            return VV_OK;
        if (held) {
            vvi_held_touch_locked(held);
            VVI_TRY(vvi_held_set_locked(held, number % index->slots, cid, changed, err));
        } else if (cid) {
            VVI_TRY(begin_shard(index, shard, number % index->slots, cid, err));
            *changed = true;
        }
    }
    return VV_OK;
}

/* The shards that chunks from at on need and that are not held; at most VVI_LOAD_MANY, rising. The lock is
 * held. */
static size_t missing_shards(vvi_chunk_index *index, const uint64_t *coords, size_t n,
                             size_t at, uint64_t shards[VVI_LOAD_MANY])
{
    uint32_t ndim = index->ndim;
    size_t end = n - at > TURN ? at + TURN : n;
    size_t count = 0;

    for (; at < end && count < VVI_LOAD_MANY; at++) {
        uint64_t number;
        uint64_t shard;
        vvi_held *held;
        size_t k;

        if (vvi_chunk_index_number(index, &index->geometry, coords + at * ndim, &number,
                                   NULL))
            break;
        shard = number / index->slots;
        held = vvi_held_find_locked(index, shard);
        if (held ? held->state == VVI_HELD_READY
                 : vvi_shard_holds(&index->roots, shard, NULL))
            continue;
        for (k = count; k > 0 && shards[k - 1] > shard; k--)
            ;
        if (k > 0 && shards[k - 1] == shard)
            continue;
        memmove(shards + k + 1, shards + k, (count - k) * sizeof(*shards));
        shards[k] = shard;
        count++;
    }
    return count;
}

/* cids NULL: take the one chunk out. */
static vv_status set(vvi_chunk_index *index, const uint64_t *coords, const vv_cid *cids,
                     size_t n, bool *changed, vv_error *err)
{
    vvi_shard_cache *cache = index->cache;
    uint64_t shards[VVI_LOAD_MANY];
    vvi_held *helds[VVI_LOAD_MANY];
    size_t missing = 0;
    size_t at = 0;
    vv_status status;

    for (;;) {
        bool blocked = false;

        vvi_mutex_lock(&cache->lock);
        status = set_some(index, coords, cids, n, &at, &blocked, changed, err);
        for (size_t i = 0; i < missing; i++)
            vvi_held_release_locked(cache, helds[i]);
        missing = 0;
        if (!status && blocked)
            missing = missing_shards(index, coords, n, at, shards);
        vvi_mutex_unlock(&cache->lock);
        if (status || at == n)
            return status;
        if (missing)
            VVI_TRY(vvi_cache_load(index, shards, missing, helds, NULL, err));
    }
}

/* Chunks counted in one turn of the lock. */
#define COUNTED 64u

/* The shards of n chunks, and which of them are held now, or will be for a chunk before. */
static void look_ahead(vvi_chunk_index *index, const uint64_t *coords, size_t n,
                       uint64_t *shards, bool *hits)
{
    vvi_mutex_lock(&index->cache->lock);
    for (size_t i = 0; i < n; i++) {
        uint64_t number = 0;
        vvi_held *held;

        (void)vvi_chunk_index_number(index, &index->geometry, coords + i * index->ndim,
                                     &number, NULL);
        shards[i] = number / index->slots;
        held = vvi_held_find_locked(index, shards[i]);
        hits[i] = held && held->state == VVI_HELD_READY;
        for (size_t k = 0; k < i && !hits[i]; k++)
            hits[i] = shards[k] == shards[i];
    }
    vvi_mutex_unlock(&index->cache->lock);
}

/* The same as set(), counted. */
VVI_COUNTING static vv_status set_counted(vvi_chunk_index *index, const uint64_t *coords,
                                          const vv_cid *cids, size_t n, bool *changed,
                                          vv_error *err)
{
    uint64_t shards[COUNTED];
    bool hits[COUNTED];
    size_t some;

    for (size_t at = 0; at < n; at += some) {
        const uint64_t *from = coords + at * index->ndim;
        uint64_t begun_ns = vvi_now_ns();
        vv_status status;
        uint64_t ns;

        some = n - at < COUNTED ? n - at : COUNTED;
        look_ahead(index, from, some, shards, hits);
        status = set(index, from, cids ? cids + at : NULL, some, changed, err);
        if (status == VV_ERANGE)
            return status;
        ns = vvi_now_ns() - begun_ns;
        for (size_t i = 0; i < some; i++)
            vvi_count_shard_load(shards[i], hits[i], status ? 0 : index->slots, ns);
        VVI_TRY(status);
    }
    return VV_OK;
}

vv_status vvi_chunk_index_set(vvi_chunk_index *index, const uint64_t *coords,
                              const vv_cid *cid, bool *changed, vv_error *err)
{
    bool any = false;
    vv_status status = (vvi_metrics_on() ? set_counted : set)(index, coords, cid, 1, &any,
                                                              err);

    if (changed)
        *changed = !status && any;
    return status;
}

vv_status vvi_chunk_index_set_many(vvi_chunk_index *index, const uint64_t *coords,
                                   const vv_cid *cids, size_t n, vv_error *err)
{
    bool any;

    if (n == 0)
        return VV_OK;
    return (vvi_metrics_on() ? set_counted : set)(index, coords, cids, n, &any, err);
}
