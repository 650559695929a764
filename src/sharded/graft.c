/*
 * Laying the chunks of one index into another, some chunks further along each dimension.
 *
 * The order of chunks is the same in both grids, so the shards of the target come one after the other. What
 * becomes of each is made aside; when all chunks were seen, they take the places of the old ones at once.
 */
#include "sharded/inner.h"

#include "util/alloc.h"

#include <assert.h>
#include <string.h>

#define TELL_NS 100000000u

typedef struct graft {
    vvi_chunk_index *to;
    const uint64_t *offset;
    vvi_held **made; /* rising; in no table yet */
    size_t made_count, made_cap;
    uint64_t chunks;
    vv_progress_fn tell;
    void *ctx;
    uint64_t tell_ns; /* when to tell again */
} graft;

static void graft_clear(graft *self)
{
    vvi_mutex_lock(&self->to->cache->lock);
    for (size_t i = 0; i < self->made_count; i++)
        vvi_held_release_locked(self->to->cache, self->made[i]);
    vvi_mutex_unlock(&self->to->cache->lock);
    vvi_free(self->made);
}

/* Give made what a shard that is held has; nobody changes it meanwhile. */
static vv_status copy_held(const vvi_held *from, vvi_held *made, vv_error *err)
{
    size_t words = (size_t)(from->names->shard.slot_count / 64 + 1);

    VVI_TRY(vvi_shard_copy(&from->names->shard, &made->names->shard, err));
    made->has_no_block = from->has_no_block;
    made->cut = from->cut;
    made->differing = from->differing;
    if (!from->differs)
        return VV_OK;
    VVI_TRY(vvi_shard_copy(&from->before, &made->before, err));
    made->differs = vvi_alloc_array(words, sizeof(*made->differs));
    if (!made->differs)
        return vvi_fail_nomem(err, words * sizeof(*made->differs));
    memcpy(made->differs, from->differs, words * sizeof(*made->differs));
    return VV_OK;
}

/* A shard of the target as it is now, aside, behind those there are. */
static vv_status copy_shard(graft *self, uint64_t shard, vv_error *err)
{
    vvi_chunk_index *to = self->to;
    vvi_held *held;
    vvi_held *made;
    vv_status status;

    if (to->slots > VV_BLOCK_BYTES_MAX)
        return vvi_fail(err, VV_ELIMIT,
                        "\"%s\": %" PRIu64 " chunks a shard do not fit into a block",
                        to->name, to->slots);
    VVI_TRY(vvi_grow((void **)&self->made, &self->made_cap, self->made_count + 1,
                     sizeof(*self->made), err));
    made = vvi_held_new(shard);
    if (!made)
        return vvi_fail_nomem(err, sizeof(*made));
    self->made[self->made_count++] = made;
    made->state = VVI_HELD_READY;
    made->names = vvi_names_new(to->slots);
    if (!made->names)
        return vvi_fail_nomem(err, sizeof(*made->names));
    VVI_TRY(vvi_cache_load(to, &shard, 1, &held, NULL, err));
    made->has_no_block = !held;
    status = held ? copy_held(held, made, err) : VV_OK;
    vvi_cache_release(to->cache, &held, 1);
    return status;
}

static vv_status tell(graft *self, vv_error *err)
{
    vv_progress progress = { .what = "graft", .items_done = self->chunks };
    vv_status status;

    if (!self->tell || self->chunks % 1024 || vvi_now_ns() < self->tell_ns)
        return VV_OK;
    self->tell_ns = vvi_now_ns() + TELL_NS;
    status = self->tell(self->ctx, &progress);
    return status ? vvi_fail(err, status, "graft stopped by the caller") : VV_OK;
}

/* Where a chunk goes, as a number. */
static vv_status place(const graft *self, const uint64_t *coords, uint64_t *out,
                       vv_error *err)
{
    const vvi_grid *grid = &self->to->geometry.grid;
    uint64_t number = 0;

    for (uint32_t d = 0; d < grid->ndim; d++) {
        uint64_t at;

        if (__builtin_add_overflow(coords[d], self->offset[d], &at) ||
            at >= grid->count[d])
            return vvi_fail(
                err, VV_ERANGE,
                "\"%s\": chunk %" PRIu64 " + %" PRIu64 " along dimension %" PRIu32
                " lies outside the grid; there are %" PRIu64,
                self->to->name, coords[d], self->offset[d], d, grid->count[d]);
        number = number * grid->count[d] + at;
    }
    *out = number;
    return VV_OK;
}

static vv_status lay(void *ctx, const uint64_t *coords, const vv_cid *cid, vv_error *err)
{
    graft *self = ctx;
    uint64_t slots = self->to->slots;
    uint64_t number;
    bool changed;

    VVI_TRY(place(self, coords, &number, err));
    if (!self->made_count || self->made[self->made_count - 1]->shard != number / slots)
        VVI_TRY(copy_shard(self, number / slots, err));
    /* Not in a table, and so without the lock. */
    VVI_TRY(vvi_held_set_locked(self->made[self->made_count - 1], number % slots, cid,
                                &changed, err));
    self->chunks++;
    return tell(self, err);
}

/* Let the new shards take the places of the old ones. The lock is held; nothing is changed on failure. */
static vv_status take_over(graft *self, vv_error *err)
{
    for (size_t i = 0; i < self->made_count; i++) {
        vvi_held **where;

        VVI_TRY(vvi_table_place_locked(self->to, self->made[i]->shard, &where, err));
    }
    for (size_t i = 0; i < self->made_count; i++) {
        vvi_held *made = self->made[i];
        vvi_held *old = vvi_held_find_locked(self->to, made->shard);
        vv_status status;

        if (old)
            vvi_held_drop_locked(old);
        status = vvi_held_add_locked(self->to, made, NULL);
        assert(status == VV_OK);
        (void)status;
        vvi_held_sort_locked(made);
    }
    return VV_OK;
}

static vv_status check(const vvi_chunk_index *to, const vvi_chunk_index *from,
                       vv_error *err)
{
    const vvi_grid *a = &to->geometry.grid;
    const vvi_grid *b = &from->geometry.grid;

    if (a->ndim != b->ndim)
        return vvi_fail(err, VV_EINVAL,
                        "\"%s\" has %" PRIu32 " dimensions and \"%s\" %" PRIu32, to->name,
                        a->ndim, from->name, b->ndim);
    for (uint32_t d = 0; d < a->ndim; d++)
        if (a->chunk[d] != b->chunk[d])
            return vvi_fail(err, VV_EINVAL,
                            "chunks of \"%s\" are %" PRIu64
                            " long along dimension %" PRIu32 ", those of \"%s\" %" PRIu64,
                            to->name, a->chunk[d], d, from->name, b->chunk[d]);
    return VV_OK;
}

vv_status vvi_chunk_index_graft(vvi_chunk_index *index, vvi_chunk_index *from,
                                const uint64_t *offset, vv_progress_fn progress,
                                void *ctx, uint64_t *chunks, vv_error *err)
{
    graft self = { .to = index, .offset = offset, .tell = progress, .ctx = ctx };
    vv_status status;

    VVI_TRY(check(index, from, err));
    status = vvi_chunk_index_visit(from, lay, &self, err);
    vvi_mutex_lock(&index->cache->lock);
    if (!status)
        status = take_over(&self, err);
    vvi_mutex_unlock(&index->cache->lock);
    if (!status)
        *chunks = self.chunks;
    graft_clear(&self);
    return status;
}
