/*
 * Loaded nodes by name: those used recently, up to a cap in bytes. Several threads that miss one
 * node load it once: the first is told to load, the others wait for it.
 *
 * Nodes are chained into the table themselves, so that finding one touches little memory. They
 * stand in a row in the order they came; one that was used since it was last looked at gets a
 * second turn before it is dropped (the clock algorithm). A load in flight is an empty node with
 * a name, marked `loading`, which stands in the table and not in the row.
 *
 * Threads: any. The lock is never held while a node is loaded.
 */
#ifndef VVI_HAMT_CACHE_H
#define VVI_HAMT_CACHE_H

#include "hamt/node.h"
#include "util/thread.h"

typedef struct vvi_node_cache {
    size_t cap_bytes; /* fixed */
    vvi_mutex lock;
    vvi_cond loaded;                /* a load in flight ended */
    vvi_node **heads;               /* guarded by lock, as all below; chains by hash */
    size_t head_count;              /* a power of two */
    size_t entry_count;             /* loads in flight too */
    vvi_node *newest, *oldest;      /* of the entries that have a node */
    uint64_t nodes, bytes, encoded; /* held: nodes, their memory, their blocks */
    uint64_t hits;
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

#endif
