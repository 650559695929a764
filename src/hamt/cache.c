#include "hamt/cache.h"

#include "util/alloc.h"

#include <string.h>

#define HEADS_FIRST 64
#define WAIT_NS     1000000000u /* look again at least once a second */

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
    cache->heads = vvi_alloc_array_zero(HEADS_FIRST, sizeof(vvi_node *));
    if (!cache->heads)
        return vvi_fail_nomem(err, HEADS_FIRST * sizeof(vvi_node *));
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

static vvi_node **place_of(vvi_node_cache *cache, vv_bytes link, uint64_t hash)
{
    vvi_node **place = &cache->heads[hash >> 20 & (cache->head_count - 1)];

    while (*place &&
           !((*place)->link_hash == hash && vvi_bytes_equal(vvi_node_name(*place), link)))
        place = &(*place)->chain;
    return place;
}

/* More heads when chains get long; longer chains when memory is short. */
static void grow(vvi_node_cache *cache)
{
    size_t count = cache->head_count * 2;
    vvi_node **heads;

    if (cache->entry_count < cache->head_count)
        return;
    heads = vvi_alloc_array_zero(count, sizeof(vvi_node *));
    if (!heads)
        return;
    for (size_t i = 0; i < cache->head_count; i++)
        for (vvi_node *node = cache->heads[i], *next; node; node = next) {
            vvi_node **head = &heads[node->link_hash >> 20 & (count - 1)];

            next = node->chain;
            node->chain = *head;
            *head = node;
        }
    vvi_free(cache->heads);
    cache->heads = heads;
    cache->head_count = count;
}

/* Into the table; the table takes the reference over. */
static void insert(vvi_node_cache *cache, vvi_node *node, uint64_t hash)
{
    vvi_node **head;

    grow(cache);
    head = &cache->heads[hash >> 20 & (cache->head_count - 1)];
    node->link_hash = hash;
    node->chain = *head;
    *head = node;
    cache->entry_count++;
}

/* Out of the table; the reference is the caller's. */
static vvi_node *take_out(vvi_node_cache *cache, vvi_node **place)
{
    vvi_node *node = *place;

    *place = node->chain;
    cache->entry_count--;
    return node;
}

static void put_first(vvi_node_cache *cache, vvi_node *node)
{
    node->newer = NULL;
    node->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = node;
    cache->newest = node;
}

static void leave_row(vvi_node_cache *cache, vvi_node *node)
{
    *(node->newer ? &node->newer->older : &cache->newest) = node->older;
    *(node->older ? &node->older->newer : &cache->oldest) = node->newer;
}

static void drop(vvi_node_cache *cache, vvi_node *node)
{
    take_out(cache, place_of(cache, vvi_node_name(node), node->link_hash));
    leave_row(cache, node);
    cache->nodes--;
    cache->bytes -= vvi_node_memory(node);
    cache->encoded -= node->size;
    vvi_node_release(node);
}

/* Each turn drops a node or takes a mark from one. */
static void make_room(vvi_node_cache *cache)
{
    while (cache->bytes > cache->cap_bytes && cache->oldest) {
        vvi_node *node = cache->oldest;

        if (!node->recent) {
            drop(cache, node);
            continue;
        }
        node->recent = false;
        leave_row(cache, node);
        put_first(cache, node);
    }
}

/* Hold a node under its name. */
static void keep(vvi_node_cache *cache, vvi_node *node, uint64_t hash)
{
    insert(cache, vvi_node_retain(node), hash);
    node->recent = false;
    put_first(cache, node);
    cache->nodes++;
    cache->bytes += vvi_node_memory(node);
    cache->encoded += node->size;
    make_room(cache);
}

vv_status vvi_node_cache_get(vvi_node_cache *cache, vv_bytes link, bool wait,
                             vvi_cache_answer *answer, vvi_node **out, vv_error *err)
{
    uint64_t hash = hash_of(link);
    vv_status status = VV_OK;
    vvi_node *node;

    vvi_mutex_lock(&cache->lock);
    node = *place_of(cache, link, hash);
    while (node && node->loading && wait) {
        vvi_cond_wait_until(&cache->loaded, &cache->lock, vvi_now_ns() + WAIT_NS);
        node = *place_of(cache, link, hash);
    }
    if (node && node->loading)
        *answer = VVI_CACHE_BUSY;
    else if (node) {
        node->recent = true;
        *out = vvi_node_retain(node);
        *answer = VVI_CACHE_FOUND;
        cache->hits++;
    } else {
        status = vvi_node_new_named(link, 0, &node, err);
        if (!status) {
            node->loading = true;
            insert(cache, node, hash);
            *answer = VVI_CACHE_LOAD;
        }
    }
    vvi_mutex_unlock(&cache->lock);
    return status;
}

void vvi_node_cache_loaded(vvi_node_cache *cache, vv_bytes link, vvi_node *node)
{
    uint64_t hash = hash_of(link);
    vvi_node **place;

    vvi_mutex_lock(&cache->lock);
    place = place_of(cache, link, hash);
    if (*place && (*place)->loading) {
        vvi_node_release(take_out(cache, place));
        if (node)
            keep(cache, node, hash);
    }
    vvi_cond_broadcast(&cache->loaded);
    vvi_mutex_unlock(&cache->lock);
}

void vvi_node_cache_put(vvi_node_cache *cache, vvi_node *node)
{
    uint64_t hash = hash_of(vvi_node_name(node));

    vvi_mutex_lock(&cache->lock);
    /* A load in flight is left to the thread that makes it. */
    if (!*place_of(cache, vvi_node_name(node), hash))
        keep(cache, node, hash);
    vvi_mutex_unlock(&cache->lock);
}

void vvi_node_cache_remove(vvi_node_cache *cache, vv_bytes link)
{
    vvi_node *node;

    vvi_mutex_lock(&cache->lock);
    node = *place_of(cache, link, hash_of(link));
    if (node && !node->loading)
        drop(cache, node);
    vvi_mutex_unlock(&cache->lock);
}

void vvi_node_cache_drop_all(vvi_node_cache *cache)
{
    vvi_mutex_lock(&cache->lock);
    while (cache->oldest)
        drop(cache, cache->oldest);
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
