/*
 * Another shape for an array: chunks keep their coordinates, and so change their numbers.
 *
 * The order of chunks is the same in every grid that they lie in, so the new shards are filled one after the
 * other while the old ones are told. They stand aside until all were read.
 */
#include "sharded/inner.h"

#include "util/alloc.h"

#include <assert.h>
#include <string.h>

typedef struct made_shard {
    vvi_held *held;
    bool moved; /* a chunk in it had another number */
} made_shard;

typedef struct told_shard {
    uint64_t shard;
    uint64_t chunks;
} told_shard;

typedef struct remap {
    vvi_chunk_index *index;
    vvi_geometry to;
    made_shard *made; /* rising */
    size_t made_count, made_cap;
    told_shard *told; /* the old ones that have chunks; rising */
    size_t told_count, told_cap;
    vvi_shard roots;
} remap;

static void remap_clear(remap *self)
{
    for (size_t i = 0; i < self->made_count; i++) {
        vvi_held *held = self->made[i].held;

        if (!held)
            continue;
        if (held->names)
            vvi_shard_clear(&held->names->shard);
        vvi_free(held->names);
        vvi_free(held);
    }
    vvi_free(self->made);
    vvi_free(self->told);
    vvi_shard_clear(&self->roots);
}

/* The new shard that comes after those there are. */
static vv_status add_shard(remap *self, uint64_t shard, vv_error *err)
{
    vvi_held *held;

    VVI_TRY(vvi_grow((void **)&self->made, &self->made_cap, self->made_count + 1,
                     sizeof(*self->made), err));
    held = vvi_held_new(shard);
    if (!held)
        return vvi_fail_nomem(err, sizeof(*held));
    self->made[self->made_count++] = (made_shard){ .held = held };
    held->state = VVI_HELD_READY;
    held->has_no_block = true;
    held->names = vvi_names_new(self->index->slots);
    return held->names ? VV_OK : vvi_fail_nomem(err, sizeof(*held->names));
}

static vv_status count_told(remap *self, uint64_t shard, vv_error *err)
{
    if (self->told_count && self->told[self->told_count - 1].shard == shard) {
        self->told[self->told_count - 1].chunks++;
        return VV_OK;
    }
    VVI_TRY(vvi_grow((void **)&self->told, &self->told_cap, self->told_count + 1,
                     sizeof(*self->told), err));
    self->told[self->told_count++] = (told_shard){ shard, 1 };
    return VV_OK;
}

/* The chunks that an old shard has. */
static uint64_t chunks_told(const remap *self, uint64_t shard)
{
    size_t low = 0;
    size_t high = self->told_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (self->told[middle].shard < shard)
            low = middle + 1;
        else
            high = middle;
    }
    return low < self->told_count && self->told[low].shard == shard
               ? self->told[low].chunks
               : 0;
}

static vv_status move_chunk(void *ctx, uint64_t number, const uint64_t *coords,
                            const vv_cid *cid, vv_error *err)
{
    remap *self = ctx;
    const vvi_grid *grid = &self->to.grid;
    uint64_t slots = self->index->slots;
    uint64_t to = 0;
    made_shard *last;

    VVI_TRY(count_told(self, number / slots, err));
    for (uint32_t d = 0; d < grid->ndim; d++) {
        if (coords[d] >= grid->count[d])
            return VV_OK;
        to = to * grid->count[d] + coords[d];
    }
    last = self->made_count ? &self->made[self->made_count - 1] : NULL;
    if (!last || last->held->shard != to / slots) {
        assert(!last || last->held->shard < to / slots);
        VVI_TRY(add_shard(self, to / slots, err));
        last = &self->made[self->made_count - 1];
    }
    last->moved |= to != number;
    return vvi_shard_set(&last->held->names->shard, to % slots, cid, err);
}

/* Does the old shard of the same number say just what the new one says? The lock is held. */
static bool is_as_before(const remap *self, const made_shard *made, bool cut)
{
    vvi_chunk_index *index = self->index;
    uint64_t shard = made->held->shard;
    vvi_held *old = vvi_held_find_locked(index, shard);

    return !made->moved &&
           chunks_told(self, shard) == made->held->names->shard.link_count &&
           !(cut && shard + 1 == index->geometry.shard_count) &&
           !(old && old->state == VVI_HELD_READY && old->changed) &&
           !vvi_shard_holds(&index->roots, shard, NULL);
}

/* Drop the new shards that are as before, of which the root keeps the name. The lock is held. */
static vv_status keep_names(remap *self, bool cut, vv_error *err)
{
    vv_cid cid;

    vvi_shard_init(&self->roots, self->to.shard_count);
    for (size_t i = 0; i < self->made_count; i++) {
        vvi_held *held = self->made[i].held;
        vvi_held **place;

        if (!is_as_before(self, &self->made[i], cut)) {
            VVI_TRY(vvi_table_place_locked(self->index, held->shard, &place, err));
            continue;
        }
        vvi_shard_get(&self->index->roots, held->shard, &cid);
        VVI_TRY(vvi_shard_set(&self->roots, held->shard, &cid, err));
        vvi_names_release_locked(held->names);
        vvi_free(held);
        self->made[i].held = NULL;
    }
    return VV_OK;
}

/* Forget the old shards but those that the root still names. The lock is held. */
static void drop_old(remap *self)
{
    vvi_chunk_index *index = self->index;

    for (size_t page = 0; page < index->table_count; page++)
        for (size_t i = 0; index->table[page] && i < VVI_TABLE_PAGE; i++) {
            vvi_held *held = index->table[page][i];

            if (held && (held->shard >= self->to.shard_count ||
                         vvi_shard_holds(&self->roots, held->shard, NULL)))
                vvi_held_drop_locked(held);
        }
}

/* Let the new shards be the array's. Nothing can fail any more. The lock is held. */
static void take_over(remap *self)
{
    vvi_chunk_index *index = self->index;
    vvi_shard old = index->roots;

    drop_old(self);
    index->roots = self->roots;
    self->roots = old;
    index->geometry = self->to;
    index->generation++;
    index->stale_shard = UINT64_MAX;
    vvi_free(index->asked);
    index->asked = NULL;
    for (size_t i = 0; i < self->made_count; i++) {
        vvi_held *held = self->made[i].held;
        vv_status status;

        if (!held)
            continue;
        status = vvi_held_add_locked(index, held, NULL);
        assert(status == VV_OK);
        (void)status;
        vvi_held_sort_locked(held);
        vvi_held_release_locked(index->cache, held);
        self->made[i].held = NULL;
    }
}

static vv_status move_all(vvi_chunk_index *index, const vvi_geometry *to, vv_error *err)
{
    remap self = { .index = index, .to = *to };
    bool cut = false;
    vv_status status;

    status = vvi_chunk_index_visit_numbered(index, move_chunk, &self, &cut, err);
    vvi_mutex_lock(&index->cache->lock);
    if (!status)
        status = keep_names(&self, cut, err);
    if (!status)
        take_over(&self);
    vvi_mutex_unlock(&index->cache->lock);
    remap_clear(&self);
    return status;
}

/* ---- growing along the first dimension --------------------------------------------------------- */

/* What the last block has behind the old end must not come back with the new one. The lock is held. */
static void mark_stale(vvi_chunk_index *index)
{
    uint64_t used = index->geometry.chunk_count % index->slots;
    uint64_t shard = index->geometry.shard_count - 1;
    vvi_held *held;

    if (used == 0 || vvi_shard_holds(&index->roots, shard, NULL))
        return;
    held = vvi_held_find_locked(index, shard);
    if (held && held->state == VVI_HELD_READY) {
        if (held->cut && !held->has_no_block) {
            held->has_no_block = true;
            vvi_held_sort_locked(held);
        }
        return;
    }
    if (index->stale_shard != shard) {
        index->stale_shard = shard;
        index->stale_from = used;
    }
}

static bool only_first_grows(const vvi_grid *from, const uint64_t *shape)
{
    for (uint32_t d = 1; d < from->ndim; d++)
        if (shape[d] != from->shape[d])
            return false;
    return from->ndim > 0 && shape[0] >= from->shape[0];
}

static vv_status check_shards(const vvi_chunk_index *index, uint64_t shards,
                              vv_error *err)
{
    if (shards <= VVI_SHARDS_MAX)
        return VV_OK;
    return vvi_fail(err, VV_ELIMIT,
                    "\"%s\" would have %" PRIu64 " shards; a root can name %" PRIu64,
                    index->name, shards, VVI_SHARDS_MAX);
}

static vv_status extend(vvi_chunk_index *index, uint64_t length, vv_error *err)
{
    vvi_geometry *geometry = &index->geometry;
    vvi_extent to;
    vv_status status;

    status = vvi_geometry_extend(geometry, length, &to, err);
    if (status)
        return vvi_wrap(err, status, "\"%s\"", index->name);
    VVI_TRY(check_shards(index, to.shard_count, err));
    vvi_mutex_lock(&index->cache->lock);
    if (to.chunk_count != geometry->chunk_count && geometry->chunk_count)
        mark_stale(index);
    geometry->grid.shape[0] = to.length;
    geometry->grid.count[0] = to.count;
    geometry->chunk_count = to.chunk_count;
    geometry->shard_count = to.shard_count;
    index->roots.slot_count = to.shard_count;
    vvi_free(index->asked);
    index->asked = NULL;
    vvi_mutex_unlock(&index->cache->lock);
    return VV_OK;
}

vv_status vvi_chunk_index_resize(vvi_chunk_index *index, const uint64_t *shape,
                                 vv_error *err)
{
    const vvi_grid *from = &index->geometry.grid;
    vv_status status;
    vvi_geometry to;

    if (only_first_grows(from, shape))
        return extend(index, shape[0], err);
    status = vvi_geometry_init(&to, from->ndim, shape, from->chunk, index->slots, err);
    if (status)
        return vvi_wrap(err, status, "\"%s\"", index->name);
    VVI_TRY(check_shards(index, to.shard_count, err));
    return move_all(index, &to, err);
}
