/* An open array, for the files of this room. */
#ifndef VVI_ZARR_ARRAY_H
#define VVI_ZARR_ARRAY_H

#include "util/thread.h"
#include "zarr/meta.h"

struct vv_array {
    vv_store *store; /* held */
    char *path;
    vvi_meta meta;
    vv_array_meta public_meta; /* points into meta and the two texts */
    vv_buf codecs_text, attributes_text;
    size_t item;                   /* bytes of an element */
    uint64_t strides[VV_NDIM_MAX]; /* of a decoded chunk, in bytes */
};

/* Append the key of a chunk, terminated. */
vv_status vvi_array_key(const vv_array *array, const uint64_t *index, vv_buf *out,
                        vv_error *err);

/* Bytes of a decoded chunk; VV_ELIMIT when it is more than this build handles. */
vv_status vvi_array_chunk_bytes(const vv_array *array, size_t *out, vv_error *err);

/* Bytes of a region's elements; VV_EINVAL when given is another number. */
vv_status vvi_array_check_bytes(const vv_array *array, const vvi_region *region,
                                size_t given, vv_error *err);

/* How many chunks to hold at once. */
size_t vvi_array_batch(const vv_array *array, const vvi_region *region);
/* How many threads work of so many decoded bytes is worth; 0: one a processor. */
uint32_t vvi_array_threads(uint64_t bytes);

/* Blocks of memory for one decoded chunk each, used again: fresh pages cost as much as decoding. */
typedef struct vvi_scratch {
    vvi_mutex lock;
    size_t bytes;
    void *blocks[64]; /* guarded by lock */
    size_t count;
} vvi_scratch;

vv_status vvi_scratch_init(vvi_scratch *scratch, size_t bytes, vv_error *err);
void vvi_scratch_clear(vvi_scratch *scratch);
vv_status vvi_scratch_take(vvi_scratch *scratch, uint8_t **out, vv_error *err);
void vvi_scratch_give(vvi_scratch *scratch, void *block); /* NULL is fine */

/* Chunks of one batch: what is to be done with each, and its key and value. */
typedef struct vvi_chunk {
    vvi_grid_part part;
    vv_buf value;
    vv_bytes
        stored; /* when writing: what is to be stored; in value or the caller's data */
    vv_status status; /* of reading the value */
} vvi_chunk;

typedef struct vvi_chunk_batch {
    vvi_chunk *chunks;
    size_t capacity, count;
    vv_buf key_text;   /* the keys, each terminated */
    size_t *key_at;    /* where each begins */
    const char **keys; /* pointers to them, once all are there */
    vv_buf *values;    /* room for one call of the store */
    vv_status *statuses;
} vvi_chunk_batch;

vv_status vvi_chunk_batch_init(vvi_chunk_batch *batch, size_t capacity, vv_error *err);
void vvi_chunk_batch_clear(vvi_chunk_batch *batch);
/* Take the next chunks of the walk; count 0 at its end. Values are emptied. */
vv_status vvi_chunk_batch_next(vvi_chunk_batch *batch, const vv_array *array,
                               vvi_grid_walk *walk, vv_error *err);
/* Fetch the values of all chunks, or of those that wanted says. */
vv_status vvi_chunk_batch_fetch(vvi_chunk_batch *batch, const vv_array *array,
                                bool (*wanted)(const vv_array *, const vvi_chunk *),
                                vv_error *err);

/* Decode a fetched chunk into elements, all of it; fill values where there is none. */
vv_status vvi_chunk_decode(const vv_array *array, const vvi_chunk *chunk, const char *key,
                           void *elements, vv_error *err);
/* The failure of a chunk that was fetched with a status, said with its key. */
vv_status vvi_chunk_failure(const vv_array *array, const vvi_chunk *chunk,
                            const char *key, vv_error *err);

#endif
