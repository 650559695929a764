#include "hamt/cache.h"

#include "util/alloc.h"

#include <string.h>

#define HEADS_FIRST 64
#define WAIT_NS     1000000000u /* look again at least once a second */

struct vvi_cache_entry {
    vvi_cache_entry *chain;
    vvi_cache_entry *newer, *older; /* when it has a node */
    vvi_node *node;                 /* NULL: being loaded */
    uint64_t hash;
    size_t charge;
    size_t link_len;
    uint8_t link[];
};

/* The end of a link is the end of a digest, which is as random as anything. */
static uint64_t hash_of(vv_bytes link)
{
    uint64_t hash = 0;
    size_t n = link.len < sizeof(hash) ? link.len : sizeof(hash);

    memcpy(&hash, link.data + link.len - n, n);
    return hash * 0x9E3779B97F4A7C15u;
}

vv_status vvi_node_cache_init(vvi_node_cache *cache, size_t cap_bytes, vv_error *err)
{
    memset(cache, 0, sizeof(*cache));
    cache->cap_bytes = cap_bytes;
    cache->heads = vvi_alloc_array_zero(HEADS_FIRST, sizeof(*cache->heads));
    if (!cache->heads)
        return vvi_fail_nomem(err, HEADS_FIRST * sizeof(*cache->heads));
    cache->head_count = HEADS_FIRST;
    if (vvi_mutex_init(&cache->lock, err))
        goto no_lock;
    if (vvi_cond_init(&cache->loaded, err))
        goto no_cond;
    return VV_OK;

no_cond:
    vvi_mutex_clear(&cache->lock);
no_lock:
    vvi_free(cache->heads);
    cache->heads = NULL;
    return VV_ENOMEM;
}

static vvi_cache_entry **place_of(vvi_node_cache *cache, vv_bytes link, uint64_t hash)
{
    vvi_cache_entry **place = &cache->heads[hash >> 20 & (cache->head_count - 1)];

    while (*place && !((*place)->hash == hash && (*place)->link_len == link.len &&
                       memcmp((*place)->link, link.data, link.len) == 0))
        place = &(*place)->chain;
    return place;
}

/* More heads when chains get long; longer chains when memory is short. */
static void grow(vvi_node_cache *cache)
{
    size_t count = cache->head_count * 2;
    vvi_cache_entry **heads;

    if (cache->entry_count < cache->head_count)
        return;
    heads = vvi_alloc_array_zero(count, sizeof(*heads));
    if (!heads)
        return;
    for (size_t i = 0; i < cache->head_count; i++)
        for (vvi_cache_entry *entry = cache->heads[i], *next; entry; entry = next) {
            vvi_cache_entry **head = &heads[entry->hash >> 20 & (count - 1)];

            next = entry->chain;
            entry->chain = *head;
            *head = entry;
        }
    vvi_free(cache->heads);
    cache->heads = heads;
    cache->head_count = count;
}

static vvi_cache_entry *add_entry(vvi_node_cache *cache, vv_bytes link, uint64_t hash)
{
    vvi_cache_entry *entry = vvi_alloc(sizeof(*entry) + link.len);
    vvi_cache_entry **head;

    if (!entry)
        return NULL;
    memset(entry, 0, sizeof(*entry));
    entry->hash = hash;
    entry->link_len = link.len;
    memcpy(entry->link, link.data, link.len);
    grow(cache);
    head = &cache->heads[hash >> 20 & (cache->head_count - 1)];
    entry->chain = *head;
    *head = entry;
    cache->entry_count++;
    return entry;
}

static void unlink_from_row(vvi_node_cache *cache, vvi_cache_entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void put_first(vvi_node_cache *cache, vvi_cache_entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

/* Take an entry out of the table and let go of its node. */
static void drop_entry(vvi_node_cache *cache, vvi_cache_entry *entry)
{
    vv_bytes link = vvi_bytes(entry->link, entry->link_len);

    *place_of(cache, link, entry->hash) = entry->chain;
    cache->entry_count--;
    if (entry->node) {
        unlink_from_row(cache, entry);
        cache->nodes--;
        cache->bytes -= entry->charge;
        cache->encoded -= entry->node->size;
        vvi_node_release(entry->node);
    }
    vvi_free(entry);
}

static void give_node(vvi_node_cache *cache, vvi_cache_entry *entry, vvi_node *node)
{
    entry->node = vvi_node_retain(node);
    entry->charge = vvi_node_memory(node) + sizeof(*entry) + entry->link_len;
    put_first(cache, entry);
    cache->nodes++;
    cache->bytes += entry->charge;
    cache->encoded += node->size;
    while (cache->bytes > cache->cap_bytes && cache->oldest)
        drop_entry(cache, cache->oldest);
}

vv_status vvi_node_cache_get(vvi_node_cache *cache, vv_bytes link, bool wait,
                             vvi_cache_answer *answer, vvi_node **out, vv_error *err)
{
    uint64_t hash = hash_of(link);
    vv_status status = VV_OK;
    vvi_cache_entry *entry;

    vvi_mutex_lock(&cache->lock);
    entry = *place_of(cache, link, hash);
    while (entry && !entry->node && wait) {
        vvi_cond_wait_until(&cache->loaded, &cache->lock, vvi_now_ns() + WAIT_NS);
        entry = *place_of(cache, link, hash);
    }
    if (entry && !entry->node)
        *answer = VVI_CACHE_BUSY;
    else if (entry) {
        unlink_from_row(cache, entry);
        put_first(cache, entry);
        *out = vvi_node_retain(entry->node);
        *answer = VVI_CACHE_FOUND;
        cache->hits++;
    } else if (add_entry(cache, link, hash))
        *answer = VVI_CACHE_LOAD;
    else
        status = vvi_fail_nomem(err, sizeof(*entry) + link.len);
    vvi_mutex_unlock(&cache->lock);
    return status;
}

void vvi_node_cache_loaded(vvi_node_cache *cache, vv_bytes link, vvi_node *node)
{
    vvi_cache_entry *entry;

    vvi_mutex_lock(&cache->lock);
    entry = *place_of(cache, link, hash_of(link));
    if (entry && node && !entry->node)
        give_node(cache, entry, node);
    else if (entry && !entry->node)
        drop_entry(cache, entry);
    vvi_cond_broadcast(&cache->loaded);
    vvi_mutex_unlock(&cache->lock);
}

void vvi_node_cache_put(vvi_node_cache *cache, vv_bytes link, vvi_node *node)
{
    uint64_t hash = hash_of(link);
    vvi_cache_entry *entry;

    vvi_mutex_lock(&cache->lock);
    entry = *place_of(cache, link, hash);
    /* A load in flight is left to the thread that makes it. */
    if (!entry) {
        entry = add_entry(cache, link, hash);
        if (entry)
            give_node(cache, entry, node);
    }
    vvi_mutex_unlock(&cache->lock);
}

void vvi_node_cache_remove(vvi_node_cache *cache, vv_bytes link)
{
    vvi_cache_entry *entry;

    vvi_mutex_lock(&cache->lock);
    entry = *place_of(cache, link, hash_of(link));
    if (entry && entry->node)
        drop_entry(cache, entry);
    vvi_mutex_unlock(&cache->lock);
}

void vvi_node_cache_drop_all(vvi_node_cache *cache)
{
    vvi_mutex_lock(&cache->lock);
    while (cache->oldest)
        drop_entry(cache, cache->oldest);
    vvi_mutex_unlock(&cache->lock);
}

void vvi_node_cache_clear(vvi_node_cache *cache)
{
    if (!cache->heads)
        return;
    vvi_node_cache_drop_all(cache);
    vvi_cond_clear(&cache->loaded);
    vvi_mutex_clear(&cache->lock);
    vvi_free(cache->heads);
    cache->heads = NULL;
}
