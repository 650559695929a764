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
    /* A load that ends does not wait until no reader walks any more. */
    if (vvi_rwlock_init_writers_first(&cache->lock, err))
        goto no_lock;
    if (vvi_mutex_init(&cache->waiting, err))
        goto no_mutex;
    if (vvi_cond_init(&cache->loaded, err))
        goto no_cond;
    return VV_OK;

no_cond:
    vvi_mutex_clear(&cache->waiting);
no_mutex:
    vvi_rwlock_clear(&cache->lock);
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

    /* Few entries a head: each node on the way to another is memory to wait for. */
    if (cache->entry_count < cache->head_count / 2)
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

/* Neither points to the node any more, nor it to them. */
static void end_pairs(vvi_node *node)
{
    vvi_node *above = atomic_load_explicit(&node->above, memory_order_relaxed);

    if (above) {
        atomic_store_explicit(&above->below[node->above_rank], NULL,
                              memory_order_relaxed);
        atomic_store_explicit(&node->above, NULL, memory_order_relaxed);
    }
    for (unsigned i = 0; node->below && i < node->slot_count; i++) {
        vvi_node *child = atomic_load_explicit(&node->below[i], memory_order_relaxed);

        if (!child)
            continue;
        atomic_store_explicit(&child->above, NULL, memory_order_relaxed);
        atomic_store_explicit(&node->below[i], NULL, memory_order_relaxed);
    }
}

static void drop(vvi_node_cache *cache, vvi_node *node)
{
    end_pairs(node);
    node->kept = false;
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

        if (!atomic_load_explicit(&node->recent, memory_order_relaxed)) {
            drop(cache, node);
            continue;
        }
        atomic_store_explicit(&node->recent, false, memory_order_relaxed);
        leave_row(cache, node);
        put_first(cache, node);
    }
}

/* Hold a node under its name. */
static void keep(vvi_node_cache *cache, vvi_node *node, uint64_t hash)
{
    insert(cache, vvi_node_retain(node), hash);
    node->kept = true;
    atomic_store_explicit(&node->recent, false, memory_order_relaxed);
    put_first(cache, node);
    cache->nodes++;
    cache->bytes += vvi_node_memory(node);
    cache->encoded += node->size;
    make_room(cache);
}

/* Take on the loading of a node that is not there. With the lock held for writing. */
static vv_status begin_load(vvi_node_cache *cache, vv_bytes link, uint64_t hash,
                            vv_error *err)
{
    vvi_node *node;

    VVI_TRY(vvi_node_new_named(link, vvi_bytes(NULL, 0), 0, false, &node, err));
    node->loading = true;
    insert(cache, node, hash);
    return VV_OK;
}

/* Look once; *out NULL: it is being loaded (*seen: loads that had ended until then), or this thread
 * has taken on to load it. */
static vv_status find_or_begin(vvi_node_cache *cache, vv_bytes link, uint64_t hash,
                               vvi_cache_answer *answer, vvi_node **out, uint64_t *seen,
                               vv_error *err)
{
    vv_status status = VV_OK;
    vvi_node *node;

    vvi_rwlock_write(&cache->lock);
    node = *place_of(cache, link, hash);
    *seen = atomic_load(&cache->loads_ended);
    if (!node) {
        *answer = VVI_CACHE_LOAD;
        status = begin_load(cache, link, hash, err);
    } else if (node->loading) {
        *answer = VVI_CACHE_BUSY;
    } else {
        *answer = VVI_CACHE_FOUND;
        *out = vvi_node_retain(node);
    }
    vvi_rwlock_unlock(&cache->lock);
    return status;
}

static void wait_for_load(vvi_node_cache *cache, uint64_t seen)
{
    vvi_mutex_lock(&cache->waiting);
    while (atomic_load(&cache->loads_ended) == seen)
        vvi_cond_wait_until(&cache->loaded, &cache->waiting, vvi_now_ns() + WAIT_NS);
    vvi_mutex_unlock(&cache->waiting);
}

vv_status vvi_node_cache_get(vvi_node_cache *cache, vv_bytes link, bool wait,
                             vvi_cache_answer *answer, vvi_node **out, vv_error *err)
{
    uint64_t hash = hash_of(link);
    uint64_t seen = 0;
    vvi_node *node;

    vvi_node_cache_walk_begin(cache);
    node = vvi_node_cache_peek(cache, link);
    if (node) {
        *answer = VVI_CACHE_FOUND;
        *out = vvi_node_retain(node);
    }
    vvi_node_cache_walk_end(cache, node != NULL);
    if (node)
        return VV_OK;
    for (;;) {
        VVI_TRY(find_or_begin(cache, link, hash, answer, out, &seen, err));
        if (*answer == VVI_CACHE_FOUND)
            atomic_fetch_add_explicit(&cache->hits, 1, memory_order_relaxed);
        if (*answer != VVI_CACHE_BUSY || !wait)
            return VV_OK;
        wait_for_load(cache, seen);
    }
}

void vvi_node_cache_loaded(vvi_node_cache *cache, vv_bytes link, vvi_node *node)
{
    uint64_t hash = hash_of(link);
    vvi_node **place;

    vvi_rwlock_write(&cache->lock);
    place = place_of(cache, link, hash);
    if (*place && (*place)->loading) {
        vvi_node_release(take_out(cache, place));
        if (node)
            keep(cache, node, hash);
    }
    vvi_rwlock_unlock(&cache->lock);
    vvi_mutex_lock(&cache->waiting);
    atomic_fetch_add(&cache->loads_ended, 1);
    vvi_cond_broadcast(&cache->loaded);
    vvi_mutex_unlock(&cache->waiting);
}

void vvi_node_cache_put(vvi_node_cache *cache, vvi_node *node)
{
    uint64_t hash = hash_of(vvi_node_name(node));

    vvi_rwlock_write(&cache->lock);
    /* A load in flight is left to the thread that makes it. */
    if (!*place_of(cache, vvi_node_name(node), hash))
        keep(cache, node, hash);
    vvi_rwlock_unlock(&cache->lock);
}

void vvi_node_cache_remove(vvi_node_cache *cache, vv_bytes link)
{
    vvi_node *node;

    vvi_rwlock_write(&cache->lock);
    node = *place_of(cache, link, hash_of(link));
    if (node && !node->loading)
        drop(cache, node);
    vvi_rwlock_unlock(&cache->lock);
}

void vvi_node_cache_drop_all(vvi_node_cache *cache)
{
    vvi_rwlock_write(&cache->lock);
    while (cache->oldest)
        drop(cache, cache->oldest);
    vvi_rwlock_unlock(&cache->lock);
}

void vvi_node_cache_clear(vvi_node_cache *cache)
{
    if (!cache->heads)
        return;
    vvi_node_cache_drop_all(cache);
    vvi_cond_clear(&cache->loaded);
    vvi_mutex_clear(&cache->waiting);
    vvi_rwlock_clear(&cache->lock);
    vvi_free(cache->heads);
    cache->heads = NULL;
}

/* ---- walking --------------------------------------------------------------------------- */

void vvi_node_cache_walk_begin(vvi_node_cache *cache)
{
    vvi_rwlock_read(&cache->lock);
}

void vvi_node_cache_walk_end(vvi_node_cache *cache, uint64_t hits)
{
    vvi_rwlock_unlock(&cache->lock);
    if (hits)
        atomic_fetch_add_explicit(&cache->hits, hits, memory_order_relaxed);
}

vvi_node *vvi_node_cache_peek(vvi_node_cache *cache, vv_bytes link)
{
    vvi_node *node = *place_of(cache, link, hash_of(link));

    if (!node || node->loading)
        return NULL;
    vvi_node_mark_recent(node);
    return node;
}

vvi_node *vvi_node_cache_find_child(vvi_node_cache *cache, vvi_node *node, unsigned slot,
                                    unsigned rank)
{
    vvi_node *child = vvi_node_cache_peek(cache, vvi_node_link(node, slot));
    vvi_node *none = NULL;

    if (!child || !node->kept || !node->below)
        return child;
    /* A child that several nodes link to is found by name but from one. */
    if (!atomic_compare_exchange_strong_explicit(
            &child->above, &none, node, memory_order_relaxed, memory_order_relaxed))
        return child;
    child->above_rank = (uint16_t)rank;
    atomic_store_explicit(&node->below[rank], child, memory_order_release);
    return child;
}
