/*
 * Chunks that were decoded for a part of them, kept for the next part: who reads frame after frame does not
 * decode a chunk once a row.
 *
 * Threads: any. What a reader holds stays until it lets go of it, also when the cache forgets it.
 */
#ifndef VVI_H5_CACHE_H
#define VVI_H5_CACHE_H

#include "h5/h5.h"

/* Bytes of all chunks that one file's cache keeps. */
#define VVI_H5_CACHE_BYTES ((size_t)64 << 20)

/* A decoded chunk, counted. */
typedef struct vvi_h5_decoded {
    uint64_t dataset; /* its number, unlike that of any other data set that was opened */
    vvi_h5_chunk chunk;
    struct vvi_h5_decoded *next;          /* of the same bucket; the cache's */
    struct vvi_h5_decoded *newer, *older; /* by use; the cache's */
    int refs;                             /* atomic */
    size_t len;
    uint8_t data[];
} vvi_h5_decoded;

typedef struct vvi_h5_cache vvi_h5_cache;

vv_status vvi_h5_cache_new(vvi_h5_cache **out, vv_error *err);
void vvi_h5_cache_free(vvi_h5_cache *cache);
/* A number for a data set that is opened. */
uint64_t vvi_h5_cache_number(vvi_h5_cache *cache);

/* Held for the caller; NULL: not there. */
vvi_h5_decoded *vvi_h5_cache_get(vvi_h5_cache *cache, uint64_t dataset,
                                 const vvi_h5_chunk *chunk);
/* Room for a chunk, held by the caller; NULL: out of memory. */
vvi_h5_decoded *vvi_h5_decoded_new(uint64_t dataset, const vvi_h5_chunk *chunk,
                                   size_t len);
/* Keep it, and forget those that were not used for longest. */
void vvi_h5_cache_put(vvi_h5_cache *cache, vvi_h5_decoded *decoded);
void vvi_h5_decoded_release(vvi_h5_decoded *decoded); /* NULL is fine */
void vvi_h5_cache_clear(vvi_h5_cache *cache);

#endif
