/*
 * Indexes of shards that were read, so that reading one inner chunk takes one read.
 *
 * An index is kept with the state of the value that it came from, and used only for that state: what
 * another writer has replaced is read again. The one not used for the longest time goes first.
 */
#include "zarr/array.h"

#include "util/alloc.h"

static size_t bytes_of(const vvi_shard_index *index)
{
    return sizeof(*index) + index->count * sizeof(index->entries[0]);
}

vv_status vvi_index_cache_init(vvi_index_cache *cache, vv_error *err)
{
    return vvi_mutex_init(&cache->lock, err);
}

void vvi_index_cache_clear(vvi_index_cache *cache)
{
    for (size_t i = 0; i < cache->count; i++)
        vvi_shard_index_release(cache->kept[i]);
    vvi_mutex_clear(&cache->lock);
}

void vvi_shard_index_release(vvi_shard_index *index)
{
    if (index && __atomic_sub_fetch(&index->refs, 1, __ATOMIC_ACQ_REL) == 0)
        vvi_free(index);
}

static size_t find(const vvi_index_cache *cache, uint64_t number)
{
    size_t i = 0;

    while (i < cache->count && cache->kept[i]->number != number)
        i++;
    return i;
}

/* Take one out; who calls has it then. */
static vvi_shard_index *take_out(vvi_index_cache *cache, size_t i)
{
    vvi_shard_index *index = cache->kept[i];

    cache->bytes -= bytes_of(index);
    cache->kept[i] = cache->kept[--cache->count];
    return index;
}

void vvi_index_cache_empty(vvi_index_cache *cache)
{
    vvi_mutex_lock(&cache->lock);
    while (cache->count)
        vvi_shard_index_release(take_out(cache, cache->count - 1));
    vvi_mutex_unlock(&cache->lock);
}

static bool is_of(const vvi_shard_index *index, const vv_store_value *value)
{
    return index->size == value->size && index->version[0] == value->version[0] &&
           index->version[1] == value->version[1];
}

vvi_shard_index *vvi_index_cache_get(vvi_index_cache *cache, uint64_t number,
                                     const vv_store_value *value)
{
    vvi_shard_index *found = NULL;
    size_t i;

    if (!value->version[0] && !value->version[1])
        return NULL;
    vvi_mutex_lock(&cache->lock);
    i = find(cache, number);
    if (i < cache->count && is_of(cache->kept[i], value)) {
        found = cache->kept[i];
        found->used = ++cache->clock;
        __atomic_add_fetch(&found->refs, 1, __ATOMIC_RELAXED);
    }
    vvi_mutex_unlock(&cache->lock);
    return found;
}

static size_t longest_unused(const vvi_index_cache *cache)
{
    size_t oldest = 0;

    for (size_t i = 1; i < cache->count; i++)
        if (cache->kept[i]->used < cache->kept[oldest]->used)
            oldest = i;
    return oldest;
}

void vvi_index_cache_put(vvi_index_cache *cache, vvi_shard_index *index)
{
    size_t i;

    if ((!index->version[0] && !index->version[1]) ||
        bytes_of(index) > VVI_INDEXES_BYTES_MAX)
        return;
    vvi_mutex_lock(&cache->lock);
    i = find(cache, index->number);
    if (i < cache->count)
        vvi_shard_index_release(take_out(cache, i));
    while (cache->count == VVI_INDEXES_KEPT ||
           cache->bytes + bytes_of(index) > VVI_INDEXES_BYTES_MAX)
        vvi_shard_index_release(take_out(cache, longest_unused(cache)));
    __atomic_add_fetch(&index->refs, 1, __ATOMIC_RELAXED);
    index->used = ++cache->clock;
    cache->kept[cache->count++] = index;
    cache->bytes += bytes_of(index);
    vvi_mutex_unlock(&cache->lock);
}

void vvi_index_cache_drop(vvi_index_cache *cache, uint64_t number)
{
    size_t i;

    vvi_mutex_lock(&cache->lock);
    i = find(cache, number);
    if (i < cache->count)
        vvi_shard_index_release(take_out(cache, i));
    vvi_mutex_unlock(&cache->lock);
}
