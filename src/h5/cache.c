/* Decoded chunks by data set and address, the least recently used forgotten first. */
#include "h5/cache.h"

#include "util/alloc.h"
#include "util/thread.h"

#define BUCKETS 256

struct vvi_h5_cache {
    vvi_mutex lock;
    vvi_h5_decoded *buckets[BUCKETS]; /* guarded by lock, as all below */
    vvi_h5_decoded *newest, *oldest;
    size_t bytes;
    uint64_t numbers;
};

vv_status vvi_h5_cache_new(vvi_h5_cache **out, vv_error *err)
{
    vvi_h5_cache *cache = vvi_alloc_zero(sizeof(*cache));
    vv_status status;

    if (!cache)
        return vvi_fail_nomem(err, sizeof(*cache));
    status = vvi_mutex_init(&cache->lock, err);
    if (status)
        vvi_free(cache);
    else
        *out = cache;
    return status;
}

void vvi_h5_cache_free(vvi_h5_cache *cache)
{
    if (!cache)
        return;
    vvi_h5_cache_clear(cache);
    vvi_mutex_clear(&cache->lock);
    vvi_free(cache);
}

uint64_t vvi_h5_cache_number(vvi_h5_cache *cache)
{
    uint64_t number;

    vvi_mutex_lock(&cache->lock);
    number = ++cache->numbers;
    vvi_mutex_unlock(&cache->lock);
    return number;
}

/* Chunks lie at addresses that are multiples of 8 or so, and far apart. */
static vvi_h5_decoded **bucket_of(vvi_h5_cache *cache, uint64_t address)
{
    return &cache->buckets[(address * 0x9E3779B97F4A7C15u) >> 56];
}

static bool is_of(const vvi_h5_decoded *decoded, uint64_t dataset,
                  const vvi_h5_chunk *chunk)
{
    return decoded->chunk.address == chunk->address && decoded->dataset == dataset &&
           decoded->chunk.stored == chunk->stored && decoded->chunk.mask == chunk->mask;
}

/* ---- under the lock ------------------------------------------------------------------------ */

static void take_from_order(vvi_h5_cache *cache, vvi_h5_decoded *decoded)
{
    *(decoded->newer ? &decoded->newer->older : &cache->newest) = decoded->older;
    *(decoded->older ? &decoded->older->newer : &cache->oldest) = decoded->newer;
}

static void put_first(vvi_h5_cache *cache, vvi_h5_decoded *decoded)
{
    decoded->newer = NULL;
    decoded->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = decoded;
    cache->newest = decoded;
}

static void forget(vvi_h5_cache *cache, vvi_h5_decoded *decoded)
{
    vvi_h5_decoded **at = bucket_of(cache, decoded->chunk.address);

    while (*at != decoded)
        at = &(*at)->next;
    *at = decoded->next;
    take_from_order(cache, decoded);
    cache->bytes -= decoded->len;
    vvi_h5_decoded_release(decoded);
}

static vvi_h5_decoded *find(vvi_h5_cache *cache, uint64_t dataset,
                            const vvi_h5_chunk *chunk)
{
    vvi_h5_decoded *found = *bucket_of(cache, chunk->address);

    while (found && !is_of(found, dataset, chunk))
        found = found->next;
    return found;
}

/* -------------------------------------------------------------------------------------------- */

vvi_h5_decoded *vvi_h5_cache_get(vvi_h5_cache *cache, uint64_t dataset,
                                 const vvi_h5_chunk *chunk)
{
    vvi_h5_decoded *found;

    vvi_mutex_lock(&cache->lock);
    found = find(cache, dataset, chunk);
    if (found) {
        __atomic_add_fetch(&found->refs, 1, __ATOMIC_RELAXED);
        if (found != cache->newest) {
            take_from_order(cache, found);
            put_first(cache, found);
        }
    }
    vvi_mutex_unlock(&cache->lock);
    return found;
}

vvi_h5_decoded *vvi_h5_decoded_new(uint64_t dataset, const vvi_h5_chunk *chunk,
                                   size_t len)
{
    vvi_h5_decoded *decoded = vvi_alloc(sizeof(*decoded) + len);

    if (!decoded)
        return NULL;
    *decoded = (vvi_h5_decoded){
        .dataset = dataset, .chunk = *chunk, .refs = 1, .len = len
    };
    return decoded;
}

void vvi_h5_cache_put(vvi_h5_cache *cache, vvi_h5_decoded *decoded)
{
    if (decoded->len > VVI_H5_CACHE_BYTES)
        return;
    vvi_mutex_lock(&cache->lock);
    if (!find(cache, decoded->dataset, &decoded->chunk)) { /* else another was quicker */
        vvi_h5_decoded **bucket = bucket_of(cache, decoded->chunk.address);

        while (cache->bytes + decoded->len > VVI_H5_CACHE_BYTES)
            forget(cache, cache->oldest);
        __atomic_add_fetch(&decoded->refs, 1, __ATOMIC_RELAXED);
        decoded->next = *bucket;
        *bucket = decoded;
        put_first(cache, decoded);
        cache->bytes += decoded->len;
    }
    vvi_mutex_unlock(&cache->lock);
}

void vvi_h5_decoded_release(vvi_h5_decoded *decoded)
{
    if (decoded && __atomic_sub_fetch(&decoded->refs, 1, __ATOMIC_ACQ_REL) == 0)
        vvi_free(decoded);
}

void vvi_h5_cache_clear(vvi_h5_cache *cache)
{
    vvi_mutex_lock(&cache->lock);
    while (cache->oldest)
        forget(cache, cache->oldest);
    vvi_mutex_unlock(&cache->lock);
}
