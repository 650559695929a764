/*
 * The shards that are held: those of all arrays of a store, unchanged ones up to a cap by last use, changed
 * ones whatever the cap. A shard being read is in its array's table too; other readers wait for it.
 */
#include "sharded/inner.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <assert.h>
#include <string.h>

/* ---- the cache ------------------------------------------------------------------------------ */

#define CAP_DEFAULT ((size_t)100 << 20)

vv_status vvi_shard_cache_new(vv_blockstore *blocks, const vv_cid_prefix *ids, size_t cap,
                              vvi_shard_cache **out, vv_error *err)
{
    vvi_shard_cache *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    status = vvi_mutex_init(&self->lock, err);
    if (!status) {
        status = vvi_cond_init(&self->loaded, err);
        if (status)
            vvi_mutex_clear(&self->lock);
    }
    if (status) {
        vvi_free(self);
        return status;
    }
    self->blocks = vv_blockstore_retain(blocks);
    self->ids = *ids;
    self->ids.codec = VV_CODEC_DAG_CBOR;
    self->cap = cap ? cap : CAP_DEFAULT;
    *out = self;
    return VV_OK;
}

void vvi_shard_cache_free(vvi_shard_cache *cache)
{
    if (!cache)
        return;
    assert(!cache->newest && cache->changed_bytes == 0);
    vv_blockstore_free(cache->blocks);
    vvi_cond_clear(&cache->loaded);
    vvi_mutex_clear(&cache->lock);
    vvi_free(cache);
}

void vvi_shard_cache_stat(vvi_shard_cache *cache, uint64_t *bytes, uint64_t *loads)
{
    vvi_mutex_lock(&cache->lock);
    *bytes = cache->clean_bytes + cache->changed_bytes;
    *loads = cache->loads;
    vvi_mutex_unlock(&cache->lock);
}

/* ---- what a shard says ---------------------------------------------------------------------- */

vvi_names *vvi_names_new(uint64_t slot_count)
{
    vvi_names *self = vvi_alloc(sizeof(*self));

    if (!self)
        return NULL;
    self->holds = 1;
    vvi_shard_init(&self->shard, slot_count);
    return self;
}

vvi_names *vvi_names_hold_locked(vvi_names *names)
{
    names->holds++;
    return names;
}

void vvi_names_release_locked(vvi_names *names)
{
    if (!names || --names->holds > 0)
        return;
    vvi_shard_clear(&names->shard);
    vvi_free(names);
}

void vvi_names_release(vvi_shard_cache *cache, vvi_names *names)
{
    if (!names)
        return;
    vvi_mutex_lock(&cache->lock);
    vvi_names_release_locked(names);
    vvi_mutex_unlock(&cache->lock);
}

/* ---- the table of an array; the lock is held --------------------------------------------------- */

vvi_held *vvi_held_new(uint64_t shard)
{
    vvi_held *self = vvi_alloc_zero(sizeof(*self));

    if (!self)
        return NULL;
    self->holds = 1;
    self->shard = shard;
    return self;
}

vvi_held *vvi_held_find_locked(vvi_chunk_index *index, uint64_t shard)
{
    uint64_t page = shard / VVI_TABLE_PAGE;

    if (page >= index->table_count || !index->table[page])
        return NULL;
    return index->table[page][shard % VVI_TABLE_PAGE];
}

vv_status vvi_table_place_locked(vvi_chunk_index *index, uint64_t shard, vvi_held ***out,
                                 vv_error *err)
{
    size_t page = (size_t)(shard / VVI_TABLE_PAGE);

    if (page >= index->table_count) {
        size_t count = index->table_count;

        VVI_TRY(vvi_grow((void **)&index->table, &count, page + 1, sizeof(*index->table),
                         err));
        memset(index->table + index->table_count, 0,
               (count - index->table_count) * sizeof(*index->table));
        index->table_count = count;
    }
    if (!index->table[page]) {
        index->table[page] = vvi_alloc_array_zero(VVI_TABLE_PAGE, sizeof(vvi_held *));
        if (!index->table[page])
            return vvi_fail_nomem(err, VVI_TABLE_PAGE * sizeof(vvi_held *));
    }
    *out = &index->table[page][shard % VVI_TABLE_PAGE];
    return VV_OK;
}

vv_status vvi_held_add_locked(vvi_chunk_index *index, vvi_held *held, vv_error *err)
{
    vvi_held **place;

    VVI_TRY(vvi_table_place_locked(index, held->shard, &place, err));
    assert(!*place);
    *place = held;
    held->index = index;
    held->holds++;
    return VV_OK;
}

/* ---- lists; the lock is held ------------------------------------------------------------------- */

/* Out of the list that it is in, and not counted. */
static void unlist(vvi_held *held)
{
    vvi_shard_cache *cache = held->index->cache;

    if (held->listed) {
        *(held->newer ? &held->newer->older : &cache->newest) = held->older;
        *(held->older ? &held->older->newer : &cache->oldest) = held->newer;
        cache->clean_bytes -= held->counted;
    } else if (held->changed) {
        *(held->newer ? &held->newer->older : &held->index->first_changed) = held->older;
        if (held->older)
            held->older->newer = held->newer;
        cache->changed_bytes -= held->counted;
        held->index->changed_count--;
    }
    held->listed = held->changed = false;
    held->newer = held->older = NULL;
    held->counted = 0;
}

static size_t bytes_of(const vvi_held *held)
{
    size_t bytes = sizeof(*held) + sizeof(*held->names) + held->names->shard.bytes;

    if (held->differs)
        bytes += (size_t)(held->names->shard.slot_count / 8) + held->before.bytes;
    return bytes;
}

static void list(vvi_held *held)
{
    vvi_shard_cache *cache = held->index->cache;
    vvi_held **first;

    held->counted = bytes_of(held);
    held->changed = held->saving || held->has_no_block || held->differing > 0;
    held->listed = !held->changed;
    first = held->changed ? &held->index->first_changed : &cache->newest;
    held->older = *first;
    held->newer = NULL;
    if (*first)
        (*first)->newer = held;
    else if (held->listed)
        cache->oldest = held;
    *first = held;
    if (held->changed) {
        cache->changed_bytes += held->counted;
        held->index->changed_count++;
    } else {
        cache->clean_bytes += held->counted;
    }
}

void vvi_held_drop_locked(vvi_held *held)
{
    vvi_chunk_index *index = held->index;
    vvi_shard_cache *cache = index->cache;

    unlist(held);
    index->table[held->shard / VVI_TABLE_PAGE][held->shard % VVI_TABLE_PAGE] = NULL;
    held->index = NULL;
    vvi_held_release_locked(cache, held);
}

void vvi_table_clear_locked(vvi_chunk_index *index)
{
    for (size_t page = 0; page < index->table_count; page++) {
        for (size_t i = 0; index->table[page] && i < VVI_TABLE_PAGE; i++)
            if (index->table[page][i])
                vvi_held_drop_locked(index->table[page][i]);
        vvi_free(index->table[page]);
    }
    vvi_free(index->table);
    index->table = NULL;
    index->table_count = 0;
}

/* Forget what was not used for longest and nobody holds, until the rest is within the cap. */
static void make_room(vvi_shard_cache *cache)
{
    vvi_held *held = cache->oldest;

    while (held && cache->clean_bytes > cache->cap) {
        vvi_held *newer = held->newer;

        if (held->holds == 1)
            vvi_held_drop_locked(held);
        held = newer;
    }
}

void vvi_held_release_locked(vvi_shard_cache *cache, vvi_held *held)
{
    if (!held)
        return;
    held->holds--;
    if (held->holds == 1 && held->index && held->listed) {
        /* One that does not fit goes before it drives out all others. */
        if (held->counted > cache->cap)
            vvi_held_drop_locked(held);
        else
            make_room(cache);
        return;
    }
    if (held->holds > 0)
        return;
    assert(!held->index);
    vvi_names_release_locked(held->names);
    vvi_shard_clear(&held->before);
    vvi_free(held->differs);
    vvi_free(held->message);
    vvi_free(held);
}

void vvi_held_touch_locked(vvi_held *held)
{
    vvi_shard_cache *cache = held->index->cache;

    if (!held->listed || cache->newest == held)
        return;
    held->newer->older = held->older;
    *(held->older ? &held->older->newer : &cache->oldest) = held->newer;
    held->older = cache->newest;
    held->newer = NULL;
    cache->newest->newer = held;
    cache->newest = held;
}

void vvi_held_sort_locked(vvi_held *held)
{
    vvi_shard_cache *cache;

    if (!held->index)
        return;
    cache = held->index->cache;
    unlist(held);
    list(held);
    if (held->listed)
        make_room(cache);
}

void vvi_held_count_locked(vvi_held *held)
{
    size_t bytes = bytes_of(held);
    vvi_shard_cache *cache;

    if (!held->index || bytes == held->counted)
        return;
    cache = held->index->cache;
    *(held->changed ? &cache->changed_bytes : &cache->clean_bytes) += bytes -
                                                                      held->counted;
    held->counted = bytes;
}

/* ---- reading shards ---------------------------------------------------------------------------- */

vv_status vvi_fail_shard(const vvi_chunk_index *index, uint64_t shard, const vv_cid *cid,
                         vv_status status, const char *why, vv_error *err)
{
    char text[VV_CID_TEXT_MAX];

    if (status == VV_ENOTFOUND || !why || !*why) {
        vv_cid_format(cid, text);
        why = text;
        if (status == VV_ENOTFOUND)
            return vvi_fail(err, VV_ECORRUPT,
                            "\"%s\", shard %" PRIu64
                            ": block %s is missing from the store",
                            index->name, shard, text);
    }
    return vvi_fail(err, status, "\"%s\", shard %" PRIu64 ": %s", index->name, shard,
                    why);
}

/* The shards of a call that the call itself reads. */
typedef struct load {
    vvi_chunk_index *index;
    size_t n;
    vvi_held *helds[VVI_LOAD_MANY];
    vv_cid cids[VVI_LOAD_MANY];
    uint64_t keep[VVI_LOAD_MANY]; /* slots from here on do not count */
    bool cut[VVI_LOAD_MANY];      /* there were some */
    vvi_names *names[VVI_LOAD_MANY];
    vv_status statuses[VVI_LOAD_MANY];
    char *messages[VVI_LOAD_MANY];
} load;

/* How many slots of a shard's block count. The lock is held. */
static uint64_t slots_that_count(const vvi_chunk_index *index, uint64_t shard)
{
    uint64_t size = index->slots;
    uint64_t left = index->geometry.chunk_count - shard * size;

    left = left < size ? left : size;
    if (shard == index->stale_shard && index->stale_from < left)
        return index->stale_from;
    return left;
}

/* Begin to read a shard, unless the root has none. The lock is held. */
static vv_status begin(load *self, uint64_t shard, vvi_held **out, vv_error *err)
{
    vvi_held *held;
    vv_status status;

    *out = NULL;
    if (!vvi_shard_get(&self->index->roots, shard, &self->cids[self->n]))
        return VV_OK;
    held = vvi_held_new(shard);
    if (!held)
        return vvi_fail_nomem(err, sizeof(*held));
    status = vvi_held_add_locked(self->index, held, err);
    if (status) {
        vvi_free(held);
        return status;
    }
    self->keep[self->n] = slots_that_count(self->index, shard);
    self->helds[self->n++] = held;
    self->index->cache->loads++;
    *out = held;
    return VV_OK;
}

static void set_failure(load *self, size_t i, vv_status status, const char *why)
{
    vv_error error = VV_ERROR_INIT;

    self->statuses[i] = vvi_fail_shard(self->index, self->helds[i]->shard, &self->cids[i],
                                       status, why, &error);
    self->messages[i] = vvi_strdup(error.message);
}

static void decode(load *self, size_t i, uint64_t slot_count, vv_bytes block)
{
    vv_error error = VV_ERROR_INIT;
    vvi_names *names = vvi_names_new(slot_count);
    vv_status status = names ? vvi_shard_decode(&names->shard, block, &error)
                             : vvi_fail_nomem(&error, sizeof(*names));

    if (status) {
        vvi_free(names);
        set_failure(self, i, status, error.message);
        return;
    }
    self->cut[i] = vvi_shard_cut(&names->shard, self->keep[i]) > 0;
    self->names[i] = names;
}

/* Read and decode what was begun; without the lock. */
static void fetch(load *self, uint64_t slot_count)
{
    vv_blockstore *blocks = self->index->cache->blocks;
    vv_buf bufs[VVI_LOAD_MANY];
    vv_error error = VV_ERROR_INIT;

    for (size_t i = 0; i < self->n; i++)
        bufs[i] = (vv_buf)VV_BUF_INIT;
    if (self->n == 1)
        self->statuses[0] = vv_blockstore_get(blocks, self->cids, bufs, &error);
    else
        vv_blockstore_get_many(blocks, self->cids, self->n, bufs, self->statuses, &error);
    for (size_t i = 0; i < self->n; i++) {
        if (self->statuses[i])
            set_failure(self, i, self->statuses[i], error.message);
        else
            decode(self, i, slot_count, vvi_buf_bytes(&bufs[i]));
        vv_buf_clear(&bufs[i]);
    }
}

/* A shard was read, or could not be. The lock is held. */
static void finish(load *self, size_t i)
{
    vvi_held *held = self->helds[i];
    vvi_chunk_index *index = held->index;

    held->status = self->statuses[i];
    held->message = self->messages[i];
    held->names = self->names[i];
    held->state = held->status ? VVI_HELD_FAILED : VVI_HELD_READY;
    if (!index)
        return;
    if (held->status) {
        vvi_held_drop_locked(held);
        return;
    }
    held->cut = self->cut[i];
    if (held->shard == index->stale_shard) {
        held->has_no_block = held->cut;
        index->stale_shard = UINT64_MAX;
    }
    vvi_held_sort_locked(held);
}

static vv_status begin_all(load *self, const uint64_t *shards, size_t n, vvi_held **helds,
                           vv_error *err)
{
    vv_status status = VV_OK;
    size_t i;

    for (i = 0; i < n && !status; i++) {
        helds[i] = vvi_held_find_locked(self->index, shards[i]);
        if (helds[i]) {
            helds[i]->holds++;
            vvi_held_touch_locked(helds[i]);
        } else {
            status = begin(self, shards[i], &helds[i], err);
        }
    }
    for (size_t k = i; status && k < n; k++)
        helds[k] = NULL;
    return status;
}

static void wait_for(vvi_shard_cache *cache, const vvi_held *held)
{
    while (held->state == VVI_HELD_LOADING)
        vvi_cond_wait_until(&cache->loaded, &cache->lock, vvi_now_ns() + 1000000000u);
}

vv_status vvi_cache_load(vvi_chunk_index *index, const uint64_t *shards, size_t n,
                         vvi_held **helds, vv_status *statuses, vv_error *err)
{
    vvi_shard_cache *cache = index->cache;
    load self = { .index = index };
    vv_status first = VV_OK;
    vv_status status;

    assert(n <= VVI_LOAD_MANY);
    vvi_mutex_lock(&cache->lock);
    status = begin_all(&self, shards, n, helds, err);
    vvi_mutex_unlock(&cache->lock);
    /* What was begun is read in any case: others may wait for it. */
    if (self.n)
        fetch(&self, index->slots);
    vvi_mutex_lock(&cache->lock);
    for (size_t i = 0; i < self.n; i++)
        finish(&self, i);
    if (self.n)
        vvi_cond_broadcast(&cache->loaded);
    for (size_t i = 0; i < n; i++) {
        if (helds[i])
            wait_for(cache, helds[i]);
        if (statuses)
            statuses[i] = helds[i] ? helds[i]->status : VV_OK;
        if (helds[i] && helds[i]->status && !first) {
            first = helds[i]->status;
            if (!status)
                vvi_fail(err, first, "%s",
                         helds[i]->message ? helds[i]->message : vv_status_name(first));
        }
    }
    if (!status && !statuses)
        status = first;
    for (size_t i = 0; i < n; i++)
        if (helds[i] && (status || helds[i]->status)) {
            vvi_held_release_locked(cache, helds[i]);
            helds[i] = NULL;
        }
    vvi_mutex_unlock(&cache->lock);
    return status;
}

void vvi_cache_release(vvi_shard_cache *cache, vvi_held **helds, size_t n)
{
    vvi_mutex_lock(&cache->lock);
    for (size_t i = 0; i < n; i++) {
        vvi_held_release_locked(cache, helds[i]);
        helds[i] = NULL;
    }
    vvi_mutex_unlock(&cache->lock);
}
