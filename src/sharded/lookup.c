/* Looking chunks up: in shards that are held, in those read for it, or in a part of a block. */
#include "sharded/inner.h"

#include "metrics/metrics.h"
#include "multiformats/cid_fill.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

/* Chunks looked up in one turn of the lock. */
#define TURN 512u

/* Is a shard that is not held to be read whole? The lock is held. */
static bool wants_whole(vvi_chunk_index *index, uint64_t shard, vv_shard_read read)
{
    vvi_shard_cache *cache = index->cache;
    uint64_t bit = (uint64_t)1 << shard % 64;
    uint64_t bytes;

    if (read != VV_SHARD_AUTO)
        return read == VV_SHARD_FULL;
    /* While there is room for it, what is fetched is kept. */
    if (__builtin_mul_overflow(index->slots, VV_BLAKE3_SIZE, &bytes) ||
        bytes > cache->cap / 4)
        return false;
    if (cache->clean_bytes + bytes <= cache->cap)
        return true;
    /* Then it must be worth driving another one out: it was asked before. */
    if (!index->asked)
        index->asked = vvi_alloc_array_zero((size_t)(index->roots.slot_count / 64 + 1),
                                            sizeof(*index->asked));
    if (!index->asked || index->asked[shard / 64] & bit)
        return true;
    index->asked[shard / 64] |= bit;
    return false;
}

typedef enum answer {
    FOUND,
    NONE,
    READ_WHOLE,
    READ_PART
} answer;

/* out: the chunk, or the shard's block when that is to be read. The lock is held. */
static answer look(vvi_chunk_index *index, uint64_t shard, uint64_t slot,
                   vv_shard_read read, vv_cid *out)
{
    vvi_held *held = vvi_held_find_locked(index, shard);

    if (!held) {
        if ((shard == index->stale_shard && slot >= index->stale_from) ||
            !vvi_shard_get(&index->roots, shard, out))
            return NONE;
        return wants_whole(index, shard, read) ? READ_WHOLE : READ_PART;
    }
    if (held->state != VVI_HELD_READY)
        return READ_WHOLE;
    vvi_held_touch_locked(held);
    return vvi_shard_get(&held->names->shard, slot, out) ? FOUND : NONE;
}

static void count_loads(vvi_shard_cache *cache, size_t n)
{
    vvi_mutex_lock(&cache->lock);
    cache->loads += n;
    vvi_mutex_unlock(&cache->lock);
}

static vv_status fail_none(const vvi_chunk_index *index, vv_error *err)
{
    return vvi_fail(err, VV_ENOTFOUND, "\"%s\" has no such chunk", index->name);
}

/* ---- one chunk ------------------------------------------------------------------------------ */

/* One slot by stepping through the block of its shard, which is named block. */
static vv_status read_part(vvi_chunk_index *index, uint64_t shard, const vv_cid *block,
                           uint64_t slot, vv_cid *out, bool *has, vv_error *err)
{
    vv_error why = VV_ERROR_INIT;
    vv_buf bytes = VV_BUF_INIT;
    vv_status status;

    count_loads(index->cache, 1);
    status = vv_blockstore_get(index->cache->blocks, block, &bytes, &why);
    if (!status)
        status = vvi_shard_find(vvi_buf_bytes(&bytes), index->slots, &slot, 1, out, has,
                                &why);
    vv_buf_clear(&bytes);
    return status ? vvi_fail_shard(index, shard, block, status, why.message, err) : VV_OK;
}

/* Where a chunk was looked for, and of which geometry that holds. */
typedef struct spot {
    uint64_t shard, slot, generation;
} spot;

/* *moved: chunks have other numbers by now, so that the shard may be another one. */
static vv_status read_whole(vvi_chunk_index *index, const spot *at, vv_cid *out,
                            bool *has, bool *moved, vv_error *err)
{
    vvi_held *held;

    VVI_TRY(vvi_cache_load(index, &at->shard, 1, &held, NULL, err));
    vvi_mutex_lock(&index->cache->lock);
    *moved = index->generation != at->generation;
    *has = held && !*moved && vvi_shard_get(&held->names->shard, at->slot, out);
    vvi_held_release_locked(index->cache, held);
    vvi_mutex_unlock(&index->cache->lock);
    return VV_OK;
}

/* Look a chunk up as the grid is now. */
static vv_status get_once(vvi_chunk_index *index, const uint64_t *coords,
                          vv_shard_read read, vv_cid *out, bool *has, bool *moved,
                          vv_error *err)
{
    uint64_t begun_ns = vvi_metrics_on() ? vvi_now_ns() : 0;
    answer found = NONE;
    uint64_t number = 0;
    vv_status status;
    vv_cid block;
    spot at;

    vvi_mutex_lock(&index->cache->lock);
    status = vvi_chunk_index_number(index, &index->geometry, coords, &number, err);
    at = (spot){ .shard = number / index->slots,
                 .slot = number % index->slots,
                 .generation = index->generation };
    if (!status)
        found = look(index, at.shard, at.slot, read, out);
    vvi_mutex_unlock(&index->cache->lock);
    VVI_TRY(status);
    *moved = false;
    *has = found == FOUND;
    block = *out;
    if (found == READ_WHOLE)
        status = read_whole(index, &at, out, has, moved, err);
    if (found == READ_PART)
        status = read_part(index, at.shard, &block, at.slot, out, has, err);
    if (begun_ns)
        vvi_count_shard_load(at.shard, found == FOUND || found == NONE,
                             status ? 0 : index->slots, vvi_now_ns() - begun_ns);
    return status;
}

vv_status vvi_chunk_index_get(vvi_chunk_index *index, const uint64_t *coords,
                              vv_shard_read read, vv_cid *out, vv_error *err)
{
    bool has = false;
    bool moved = false;
    vv_cid cid;

    vvi_cid_zero(&cid);
    do
        VVI_TRY(get_once(index, coords, read, &cid, &has, &moved, err));
    while (moved);
    if (!has)
        return fail_none(index, err);
    *out = cid;
    return VV_OK;
}

/* ---- many ----------------------------------------------------------------------------------- */

/* A chunk whose shard must be read. */
typedef struct wanted {
    uint64_t shard, slot;
    uint32_t place; /* in the turn */
    bool whole;
} wanted;

typedef struct turn {
    vvi_chunk_index *index;
    vv_cid *outs;
    vv_status *statuses;
    vv_status first; /* failure that ends the call */
    vv_error *err;   /* of the first chunk that failed */
    bool failed;
    uint64_t generation; /* of the geometry that was looked at */
    bool moved;          /* it was another one when shards were read */
    size_t count;
    wanted asked[TURN]; /* all of the turn */
    wanted wanted[TURN];
    uint64_t slots[TURN]; /* of one shard, and what was found there */
    vv_cid cids[TURN];
    bool has[TURN];
} turn;

/* Some shards of a turn, with the blocks that name them. */
typedef struct group {
    size_t n;
    uint64_t shards[VVI_LOAD_MANY];
    size_t starts[VVI_LOAD_MANY], ends[VVI_LOAD_MANY]; /* among the wanted */
    vv_status statuses[VVI_LOAD_MANY];
    vv_cid cids[VVI_LOAD_MANY];
    vvi_held *helds[VVI_LOAD_MANY];
    vv_buf blocks[VVI_LOAD_MANY];
} group;

static int by_place(const void *a, const void *b)
{
    const wanted *x = a;
    const wanted *y = b;

    if (x->shard != y->shard)
        return x->shard < y->shard ? -1 : 1;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

static bool is_an_answer(vv_status status)
{
    return status == VV_OK || status == VV_ENOTFOUND || status == VV_ERANGE ||
           status == VV_ECORRUPT || status == VV_EUNSUPPORTED;
}

/* The outcome of one chunk; cid NULL: none there. */
static void answer_one(turn *self, size_t place, vv_status status, const vv_cid *cid)
{
    if (!status && cid)
        self->outs[place] = *cid;
    self->statuses[place] = status ? status : cid ? VV_OK : VV_ENOTFOUND;
    if (!is_an_answer(status) && !self->first)
        self->first = status;
}

/* Where to put the message of a failure: the first one is told. */
static vv_error *next_error(turn *self)
{
    vv_error *err = self->failed ? NULL : self->err;

    self->failed = true;
    return err;
}

/* Chunks whose memory is asked for before it is needed. */
#define AHEAD 16u

/* Ask for the memory that looking at chunk i will take: its page, and its digest when it is nearer. */
static void expect(const turn *self, size_t i, bool is_near)
{
    vvi_held *held = vvi_held_find_locked(self->index, self->asked[i].shard);

    if (!held || held->state != VVI_HELD_READY)
        return;
    if (is_near)
        vvi_shard_expect(&held->names->shard, self->asked[i].slot);
    else
        vvi_shard_expect_page(&held->names->shard, self->asked[i].slot);
}

static void look_all(turn *self, const uint64_t *coords, size_t n, vv_shard_read read)
{
    vvi_chunk_index *index = self->index;

    self->count = 0;
    self->moved = false;
    vvi_mutex_lock(&index->cache->lock);
    self->generation = index->generation;
    for (size_t i = 0; i < n; i++) {
        uint64_t number = UINT64_MAX;

        self->statuses[i] = vvi_chunk_index_number(index, &index->geometry,
                                                   coords + i * index->ndim, &number,
                                                   self->failed ? NULL : self->err);
        self->failed |= self->statuses[i] != VV_OK;
        self->asked[i] = (wanted){ .shard = number / index->slots,
                                   .slot = number % index->slots,
                                   .place = (uint32_t)i };
    }
    for (size_t i = 0; i < n + 2 * AHEAD; i++) {
        size_t at = i - 2 * AHEAD;
        answer found;

        if (i < n)
            expect(self, i, false);
        if (i >= AHEAD && i < n + AHEAD)
            expect(self, i - AHEAD, true);
        if (i < 2 * AHEAD || self->statuses[at])
            continue;
        found = look(index, self->asked[at].shard, self->asked[at].slot, read,
                     &self->outs[at]);
        if (found != FOUND)
            self->statuses[at] = VV_ENOTFOUND;
        if (found == READ_WHOLE || found == READ_PART) {
            self->wanted[self->count] = self->asked[at];
            self->wanted[self->count++].whole = found == READ_WHOLE;
        }
    }
    vvi_mutex_unlock(&index->cache->lock);
}

/* Put the chunks of a shard together; where one of them wants it whole, all are read so. */
static void sort_wanted(turn *self)
{
    if (self->count)
        qsort(self->wanted, self->count, sizeof(*self->wanted), by_place);
    for (size_t i = 1; i < self->count; i++)
        if (self->wanted[i].shard == self->wanted[i - 1].shard)
            self->wanted[i].whole |= self->wanted[i - 1].whole;
    for (size_t i = self->count; i > 1; i--)
        if (self->wanted[i - 1].shard == self->wanted[i - 2].shard)
            self->wanted[i - 2].whole |= self->wanted[i - 1].whole;
}

/* The next shards that are read so, from *at on, which moves behind them. */
static void gather(const turn *self, bool whole, size_t *at, group *out)
{
    for (out->n = 0; *at < self->count; ++*at) {
        const wanted *it = &self->wanted[*at];

        if (it->whole != whole)
            continue;
        if (out->n == 0 || out->shards[out->n - 1] != it->shard) {
            if (out->n == VVI_LOAD_MANY)
                return;
            out->shards[out->n] = it->shard;
            out->starts[out->n] = *at;
            out->cids[out->n] = self->outs[it->place];
            out->n++;
        }
        out->ends[out->n - 1] = *at + 1;
    }
}

static void read_whole_shards(turn *self, group *some)
{
    vvi_shard_cache *cache = self->index->cache;
    vv_status status = vvi_cache_load(self->index, some->shards, some->n, some->helds,
                                      some->statuses, self->failed ? NULL : self->err);

    vvi_mutex_lock(&cache->lock);
    self->moved |= self->index->generation != self->generation;
    for (size_t k = 0; k < some->n; k++) {
        vv_status one = status ? status : some->statuses[k];

        if (one)
            self->failed = true;
        for (size_t i = some->starts[k]; i < some->ends[k]; i++) {
            const wanted *it = &self->wanted[i];
            vv_cid cid;
            bool has = !one && some->helds[k] &&
                       vvi_shard_get(&some->helds[k]->names->shard, it->slot, &cid);

            answer_one(self, it->place, one, has ? &cid : NULL);
        }
        vvi_held_release_locked(cache, some->helds[k]);
    }
    vvi_mutex_unlock(&cache->lock);
}

/* The slots that are wanted of one shard, from its block. */
static void step_through(turn *self, group *some, size_t k, vv_error *why)
{
    size_t start = some->starts[k];
    size_t n = some->ends[k] - start;
    vv_status status = some->statuses[k];

    for (size_t i = 0; i < n; i++)
        self->slots[i] = self->wanted[start + i].slot;
    if (!status)
        status = vvi_shard_find(vvi_buf_bytes(&some->blocks[k]), self->index->slots,
                                self->slots, n, self->cids, self->has, why);
    if (status)
        status = vvi_fail_shard(self->index, some->shards[k], &some->cids[k], status,
                                why->message, next_error(self));
    for (size_t i = 0; i < n; i++)
        answer_one(self, self->wanted[start + i].place, status,
                   !status && self->has[i] ? &self->cids[i] : NULL);
}

static void read_parts(turn *self, group *some)
{
    vv_error why = VV_ERROR_INIT;

    for (size_t k = 0; k < some->n; k++)
        some->blocks[k] = (vv_buf)VV_BUF_INIT;
    count_loads(self->index->cache, some->n);
    vv_blockstore_get_many(self->index->cache->blocks, some->cids, some->n, some->blocks,
                           some->statuses, &why);
    for (size_t k = 0; k < some->n; k++) {
        step_through(self, some, k, &why);
        vv_buf_clear(&some->blocks[k]);
    }
}

/* Each chunk asked for its shard; the first of a shard had it read. */
VVI_COUNTING static void count_group(const turn *self, const group *some,
                                     uint64_t begun_ns)
{
    uint64_t ns = vvi_now_ns() - begun_ns;

    for (size_t k = 0; k < some->n; k++)
        for (size_t i = some->starts[k]; i < some->ends[k]; i++)
            vvi_count_shard_load(some->shards[k], i > some->starts[k],
                                 is_an_answer(self->statuses[self->wanted[i].place])
                                     ? self->index->slots
                                     : 0,
                                 ns);
}

static void read_wanted(turn *self, group *some)
{
    for (int whole = 0; whole < 2; whole++)
        for (size_t at = 0; at < self->count;) {
            uint64_t begun_ns = vvi_metrics_on() ? vvi_now_ns() : 0;

            gather(self, whole, &at, some);
            if (some->n && whole)
                read_whole_shards(self, some);
            else if (some->n)
                read_parts(self, some);
            if (begun_ns)
                count_group(self, some, begun_ns);
        }
}

/* Those of a turn that were answered without reading. */
VVI_COUNTING static void count_answered(const turn *self, const uint64_t *coords,
                                        size_t n, uint64_t begun_ns)
{
    uint64_t ns = vvi_now_ns() - begun_ns;
    size_t answered = n - self->count;

    for (size_t i = 0; i < n && answered; i++) {
        uint64_t number;
        bool is_wanted = false;
        vv_status status;

        for (size_t k = 0; k < self->count && !is_wanted; k++)
            is_wanted = self->wanted[k].place == i;
        if (is_wanted || self->statuses[i] == VV_ERANGE)
            continue;
        vvi_mutex_lock(&self->index->cache->lock);
        status = vvi_chunk_index_number(self->index, &self->index->geometry,
                                        coords + i * self->index->ndim, &number, NULL);
        vvi_mutex_unlock(&self->index->cache->lock);
        if (!status)
            vvi_count_shard_load(number / self->index->slots, true, self->index->slots,
                                 ns / answered);
    }
}

vv_status vvi_chunk_index_get_many(vvi_chunk_index *index, const uint64_t *coords,
                                   size_t n, vv_shard_read read, vv_cid *outs,
                                   vv_status *statuses, vv_error *err)
{
    uint32_t ndim = index->ndim;
    turn *self = vvi_alloc(sizeof(*self));
    group *some = vvi_alloc(sizeof(*some));
    vv_status status = VV_OK;

    if (!self || !some) {
        status = vvi_fail_nomem(err, sizeof(*self));
        for (size_t i = 0; i < n; i++)
            statuses[i] = status;
        goto done;
    }
    self->index = index;
    self->first = VV_OK;
    self->failed = false;
    self->err = err;
    for (size_t at = 0; at < n; at += TURN) {
        uint64_t begun_ns = vvi_metrics_on() ? vvi_now_ns() : 0;

        self->outs = outs + at;
        self->statuses = statuses + at;
        /* Again where a resize gave chunks other numbers before their shards were read. */
        do {
            look_all(self, coords + at * ndim, n - at < TURN ? n - at : TURN, read);
            if (begun_ns)
                count_answered(self, coords + at * ndim, n - at < TURN ? n - at : TURN,
                               begun_ns);
            sort_wanted(self);
            read_wanted(self, some);
        } while (self->moved);
    }
    status = self->first;

done:
    vvi_free(self);
    vvi_free(some);
    return status;
}
