/*
 * Loaded nodes by name: those used recently, up to a cap in bytes. Several threads that miss one
 * node load it once: the first is told to load, the others wait for it.
 *
 * Nodes are chained into the table themselves, so that finding one touches little memory. They
 * stand in a row in the order they came; one that was used since it was last looked at gets a
 * second turn before it is dropped (the clock algorithm). A load in flight is an empty node with
 * a name, marked `loading`, which stands in the table and not in the row.
 *
 * A walk from node to node does not ask by name at each step: a node in the cache points to those of
 * its children that are in the cache as well (`below`), and a child to the one node that points to
 * it (`above`). Such a pair is made when a walk went that way and ends when either is dropped, so
 * both pointers hold no reference.
 *
 * Threads: any. Walks hold the lock for reading; pairs are made with the lock held in any way, as
 * `above` is taken by one, and end with it held for writing. The lock is never held while a node is
 * loaded.
 */
#ifndef VVI_HAMT_CACHE_H
#define VVI_HAMT_CACHE_H

#include "hamt/node.h"
#include "util/thread.h"

typedef struct vvi_node_cache {
    size_t cap_bytes; /* fixed */
    vvi_rwlock lock;
    vvi_node **heads;               /* guarded by lock, as all below; chains by hash */
    size_t head_count;              /* a power of two, twice entry_count or more */
    size_t entry_count;             /* loads in flight too */
    vvi_node *newest, *oldest;      /* of the entries that have a node */
    uint64_t nodes, bytes, encoded; /* held: nodes, their memory, their blocks */

    atomic_uint_least64_t hits;
    atomic_uint_least64_t loads_ended; /* changed with waiting held */
    vvi_mutex waiting;                 /* for loaded; taken last */
    vvi_cond loaded;                   /* a load in flight ended */
} vvi_node_cache;

vv_status vvi_node_cache_init(vvi_node_cache *cache, size_t cap_bytes, vv_error *err);
void vvi_node_cache_clear(vvi_node_cache *cache);

typedef enum vvi_cache_answer {
    VVI_CACHE_FOUND, /* *out is held for the caller */
    VVI_CACHE_LOAD,  /* the caller loads it and then calls vvi_node_cache_loaded() */
    VVI_CACHE_BUSY /* another thread is loading it (only when the caller does not wait) */
} vvi_cache_answer;

/* Find a node or take on its loading. wait: until a load in flight ends. @return VV_OK,
 * VV_ENOMEM */
vv_status vvi_node_cache_get(vvi_node_cache *cache, vv_bytes link, bool wait,
                             vvi_cache_answer *answer, vvi_node **out, vv_error *err);
/* End a load: keep the node, which has that name (retained once more), or nothing when it failed
 * (NULL). */
void vvi_node_cache_loaded(vvi_node_cache *cache, vv_bytes link, vvi_node *node);

/* Keep a loaded node under its name (retained once more), unless it is there. */
void vvi_node_cache_put(vvi_node_cache *cache, vvi_node *node);
/* Forget a node: it was changed. */
void vvi_node_cache_remove(vvi_node_cache *cache, vv_bytes link);
void vvi_node_cache_drop_all(vvi_node_cache *cache);

/* ---- walking: between these two, nodes of the cache stay in memory without being held ---------- */

void vvi_node_cache_walk_begin(vvi_node_cache *cache);
/* hits: how many nodes were found. */
void vvi_node_cache_walk_end(vvi_node_cache *cache, uint64_t hits);
/* The node of that name, or NULL. */
vvi_node *vvi_node_cache_peek(vvi_node_cache *cache, vv_bytes link);
/* What vvi_node_cache_child() does when the node does not point to the child: look for it by name,
 * and let the node point to it when both are in the cache. */
vvi_node *vvi_node_cache_find_child(vvi_node_cache *cache, vvi_node *node, unsigned slot,
                                    unsigned rank);

/* It is wanted: when room is made, others go first. */
static inline void vvi_node_mark_recent(vvi_node *node)
{
    if (!atomic_load_explicit(&node->recent, memory_order_relaxed))
        atomic_store_explicit(&node->recent, true, memory_order_relaxed);
}

/* The child in a slot that is a link by name, the rank-th in use; NULL when it is not in the cache. */
static inline vvi_node *vvi_node_cache_child(vvi_node_cache *cache, vvi_node *node,
                                             unsigned slot, unsigned rank)
{
    vvi_node *child = NULL;

    if (node->below)
        child = atomic_load_explicit(&node->below[rank], memory_order_acquire);
    return child ? child : vvi_node_cache_find_child(cache, node, slot, rank);
}

#endif
