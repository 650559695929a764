/* Telling every chunk of an array. */
#include "sharded/inner.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

typedef struct changed_shard {
    uint64_t shard;
    vvi_names *names;
} changed_shard;

/* The array as it was when the visit began: the shards that the root names, and those changed since. */
typedef struct visit {
    vvi_chunk_index *index;
    uint64_t generation;
    vvi_geometry geometry;
    uint64_t stale_shard, stale_from;
    vvi_shard roots;
    changed_shard *changed; /* rising */
    size_t changed_count;
    size_t changed_at; /* the first that was not told */
    uint64_t root_at;  /* the first shard of roots that was not told */
    uint64_t coords[VVI_GRID_NDIM_MAX];
    uint64_t number; /* of the chunk at coords */
    bool cut;
    vvi_numbered_chunk_fn tell;
    void *ctx;
} visit;

/* Shards told together: those that are not held are read in one call. */
typedef struct party {
    size_t n;
    uint64_t shards[VVI_LOAD_MANY];
    vvi_names *names[VVI_LOAD_MANY];
    size_t missing;
    size_t places[VVI_LOAD_MANY]; /* of those to be read */
    vv_cid cids[VVI_LOAD_MANY];
    vv_buf blocks[VVI_LOAD_MANY];
} party;

static int by_shard(const void *a, const void *b)
{
    uint64_t x = ((const changed_shard *)a)->shard;
    uint64_t y = ((const changed_shard *)b)->shard;

    return (x > y) - (x < y);
}

/* The lock is held. */
static vv_status snapshot(visit *self, vv_error *err)
{
    vvi_chunk_index *index = self->index;

    self->generation = index->generation;
    self->geometry = index->geometry;
    self->stale_shard = index->stale_shard;
    self->stale_from = index->stale_from;
    self->changed = vvi_alloc_array((size_t)index->changed_count, sizeof(*self->changed));
    if (!self->changed)
        return vvi_fail_nomem(err, (size_t)index->changed_count * sizeof(*self->changed));
    VVI_TRY(vvi_shard_copy(&index->roots, &self->roots, err));
    for (vvi_held *held = index->first_changed; held; held = held->older)
        self->changed[self->changed_count++] = (changed_shard){
            held->shard, vvi_names_hold_locked(held->names)
        };
    return VV_OK;
}

/* Shards that hold the same chunks in both grids: all, those before the end of the shorter one where the first
 * dimension alone has another length, or none. The other's lock is held. */
static uint64_t comparable(const visit *self, const vvi_chunk_index *other)
{
    const vvi_geometry *a = &self->geometry;
    const vvi_geometry *b = &other->geometry;
    uint32_t ndim = a->grid.ndim;
    uint64_t fewer = a->chunk_count < b->chunk_count ? a->chunk_count : b->chunk_count;

    if (self->changed_count || self->stale_shard != UINT64_MAX || other->changed_count ||
        other->stale_shard != UINT64_MAX || b->grid.ndim != ndim ||
        b->chunks_per_shard != a->chunks_per_shard)
        return 0;
    for (uint32_t d = 1; d < ndim; d++)
        if (a->grid.count[d] != b->grid.count[d])
            return 0;
    return a->chunk_count == b->chunk_count ? a->shard_count
                                            : fewer / a->chunks_per_shard;
}

/* Leave out the shards that another index has too, where nothing of either was changed. */
static vv_status drop_same(visit *self, vvi_chunk_index *other, vv_error *err)
{
    vvi_shard roots = { 0 };
    vv_status status = VV_OK;
    uint64_t end;

    vvi_mutex_lock(&other->cache->lock);
    end = comparable(self, other);
    if (end)
        status = vvi_shard_copy(&other->roots, &roots, err);
    vvi_mutex_unlock(&other->cache->lock);
    for (uint64_t shard = 0; end && !status; shard++) {
        vv_cid cid;

        if (!vvi_shard_next(&self->roots, &shard) || shard >= end)
            break;
        vvi_shard_get(&self->roots, shard, &cid);
        if (vvi_shard_holds(&roots, shard, &cid))
            status = vvi_shard_set(&self->roots, shard, NULL, err);
    }
    vvi_shard_clear(&roots);
    return status;
}

static void visit_clear(visit *self)
{
    vvi_mutex_lock(&self->index->cache->lock);
    for (size_t i = self->changed_at; i < self->changed_count; i++)
        vvi_names_release_locked(self->changed[i].names);
    vvi_mutex_unlock(&self->index->cache->lock);
    vvi_free(self->changed);
    vvi_shard_clear(&self->roots);
}

/* ---- some shards ---------------------------------------------------------------------------- */

/* A shard that was not changed: what is held of it, if that is still what the root said. The lock is held. */
static vvi_names *held_names(visit *self, uint64_t shard)
{
    vvi_held *held = self->generation == self->index->generation
                         ? vvi_held_find_locked(self->index, shard)
                         : NULL;

    if (!held || held->state != VVI_HELD_READY)
        return NULL;
    self->cut |= held->cut;
    return vvi_names_hold_locked(held->names);
}

/* The next shards with something in them. The lock is held. */
static void gather(visit *self, party *out)
{
    while (out->n < VVI_LOAD_MANY) {
        uint64_t root = self->root_at;
        bool more = vvi_shard_next(&self->roots, &root);
        changed_shard *changed = self->changed_at < self->changed_count
                                     ? &self->changed[self->changed_at]
                                     : NULL;
        size_t place = out->n;

        if (!more && !changed)
            return;
        out->n++;
        if (changed && (!more || changed->shard <= root)) {
            out->shards[place] = changed->shard;
            out->names[place] = changed->names;
            self->changed_at++;
            self->root_at = more && changed->shard == root ? root + 1 : self->root_at;
            continue;
        }
        self->root_at = root + 1;
        out->shards[place] = root;
        out->names[place] = held_names(self, root);
        if (!out->names[place]) {
            vvi_shard_get(&self->roots, root, &out->cids[out->missing]);
            out->places[out->missing++] = place;
            self->index->cache->loads++;
        }
    }
}

static vv_status decode(visit *self, party *some, size_t i, vv_error *err)
{
    uint64_t shard = some->shards[some->places[i]];
    vvi_names *names = vvi_names_new(self->index->slots);
    vv_error why = VV_ERROR_INIT;
    vv_status status = names ? vvi_shard_decode(&names->shard,
                                                vvi_buf_bytes(&some->blocks[i]), &why)
                             : vvi_fail_nomem(&why, sizeof(*names));

    if (status) {
        vvi_free(names);
        return vvi_fail_shard(self->index, shard, &some->cids[i], status, why.message,
                              err);
    }
    if (shard == self->stale_shard && vvi_shard_cut(&names->shard, self->stale_from))
        self->cut = true;
    some->names[some->places[i]] = names;
    return VV_OK;
}

static vv_status fetch(visit *self, party *some, vv_error *err)
{
    vv_status statuses[VVI_LOAD_MANY];
    vv_error why = VV_ERROR_INIT;
    vv_status status = VV_OK;

    if (!some->missing)
        return VV_OK;
    vv_blockstore_get_many(self->index->cache->blocks, some->cids, some->missing,
                           some->blocks, statuses, &why);
    for (size_t i = 0; i < some->missing && !status; i++) {
        if (statuses[i])
            status = vvi_fail_shard(self->index, some->shards[some->places[i]],
                                    &some->cids[i], statuses[i], why.message, err);
        else
            status = decode(self, some, i, err);
        vv_buf_clear(&some->blocks[i]);
    }
    return status;
}

/* Let coords stand at a chunk behind them. */
static void go_to(visit *self, uint64_t number)
{
    const vvi_grid *grid = &self->geometry.grid;
    uint64_t rest = number;

    for (uint32_t d = grid->ndim; d > 0; d--) {
        if (number == self->number + 1 && ++self->coords[d - 1] < grid->count[d - 1])
            break;
        self->coords[d - 1] = rest % grid->count[d - 1];
        rest /= grid->count[d - 1];
    }
    self->number = number;
}

static vv_status tell_shard(visit *self, uint64_t shard, const vvi_shard *names,
                            vv_error *err)
{
    uint64_t first = shard * self->index->slots;
    vv_cid cid;

    for (uint64_t slot = 0; vvi_shard_next(names, &slot); slot++) {
        if (first + slot >= self->geometry.chunk_count) {
            self->cut = true;
            return VV_OK;
        }
        go_to(self, first + slot);
        vvi_shard_get(names, slot, &cid);
        VVI_TRY(self->tell(self->ctx, first + slot, self->coords, &cid, err));
    }
    return VV_OK;
}

static vv_status tell_some(visit *self, party *some, vv_error *err)
{
    vv_status status;

    vvi_mutex_lock(&self->index->cache->lock);
    gather(self, some);
    vvi_mutex_unlock(&self->index->cache->lock);
    status = fetch(self, some, err);
    for (size_t i = 0; i < some->n && !status; i++)
        status = tell_shard(self, some->shards[i], &some->names[i]->shard, err);
    vvi_mutex_lock(&self->index->cache->lock);
    for (size_t i = 0; i < some->n; i++)
        vvi_names_release_locked(some->names[i]);
    vvi_mutex_unlock(&self->index->cache->lock);
    for (size_t i = 0; i < some->missing; i++)
        vv_buf_clear(&some->blocks[i]);
    return status;
}

static vv_status visit_all(vvi_chunk_index *index, vvi_chunk_index *other,
                           vvi_numbered_chunk_fn tell, void *ctx, bool *cut,
                           vv_error *err)
{
    visit self = { .index = index, .number = UINT64_MAX - 1, .tell = tell, .ctx = ctx };
    party *some = vvi_alloc(sizeof(*some));
    vv_status status;

    if (!some)
        return vvi_fail_nomem(err, sizeof(*some));
    vvi_mutex_lock(&index->cache->lock);
    status = snapshot(&self, err);
    vvi_mutex_unlock(&index->cache->lock);
    if (!status && other)
        status = drop_same(&self, other, err);
    if (self.changed_count)
        qsort(self.changed, self.changed_count, sizeof(*self.changed), by_shard);
    do {
        memset(some, 0, sizeof(*some));
        if (!status)
            status = tell_some(&self, some, err);
    } while (!status && some->n);
    visit_clear(&self);
    vvi_free(some);
    if (cut)
        *cut = self.cut;
    return status;
}

vv_status vvi_chunk_index_visit_numbered(vvi_chunk_index *index,
                                         vvi_numbered_chunk_fn tell, void *ctx, bool *cut,
                                         vv_error *err)
{
    return visit_all(index, NULL, tell, ctx, cut, err);
}

typedef struct plain {
    vvi_chunk_fn tell;
    void *ctx;
} plain;

static vv_status tell_plain(void *ctx, uint64_t number, const uint64_t *coords,
                            const vv_cid *cid, vv_error *err)
{
    const plain *self = ctx;

    (void)number;
    return self->tell(self->ctx, coords, cid, err);
}

vv_status vvi_chunk_index_visit(vvi_chunk_index *index, vvi_chunk_fn tell, void *ctx,
                                vv_error *err)
{
    plain self = { tell, ctx };

    return visit_all(index, NULL, tell_plain, &self, NULL, err);
}

vv_status vvi_chunk_index_visit_unlike(vvi_chunk_index *index, vvi_chunk_index *other,
                                       vvi_chunk_fn tell, void *ctx, vv_error *err)
{
    plain self = { tell, ctx };

    return visit_all(index, other, tell_plain, &self, NULL, err);
}
