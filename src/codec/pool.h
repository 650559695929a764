/* Things that are costly to make, kept for the next who needs one. Threads: any, without a lock. */
#ifndef VVI_CODEC_POOL_H
#define VVI_CODEC_POOL_H

#include <stddef.h>

#define VVI_POOL_SLOTS 8

/* Zeroed is empty. */
typedef struct vvi_pool {
    void *slot[VVI_POOL_SLOTS];
} vvi_pool;

/* One of those that are kept; NULL: there is none. */
static inline void *vvi_pool_take(vvi_pool *pool)
{
    for (size_t i = 0; i < VVI_POOL_SLOTS; i++) {
        void *item = __atomic_exchange_n(&pool->slot[i], NULL, __ATOMIC_ACQUIRE);

        if (item)
            return item;
    }
    return NULL;
}

/* Keep item; one comes back where there is no room for it, which the caller frees. */
static inline void *vvi_pool_put(vvi_pool *pool, void *item)
{
    for (size_t i = 0; i < VVI_POOL_SLOTS && item; i++)
        item = __atomic_exchange_n(&pool->slot[i], item, __ATOMIC_ACQ_REL);
    return item;
}

#endif
