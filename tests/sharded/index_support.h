/* What the tests of the index share: an index beside a plain list of what it should hold. */
#ifndef VV_TESTS_SHARDED_SUPPORT_H
#define VV_TESTS_SHARDED_SUPPORT_H

#include "support/faulty_blockstore.h"
#include "support/support.h"

#include "sharded/index.h"

/* A name made of a number; every seventh one is of another kind than the rest. */
vv_cid cid_number(uint64_t n);

#define MODEL_NDIM 3

/* An array of MODEL_NDIM dimensions with chunks of one element; value 0: no chunk. */
typedef struct model {
    uint64_t shape[MODEL_NDIM];
    uint64_t values[8][8][8];
} model;

vvi_shard_cache *new_cache(vv_blockstore *blocks, size_t cap);
vvi_chunk_index *new_index(vvi_shard_cache *cache, const uint64_t *shape, uint64_t slots);

/* Set a chunk in both; value 0 takes it out. */
void set_both(vvi_chunk_index *index, model *expected, const uint64_t *coords,
              uint64_t value);
/* The test fails unless index holds what the model says, however it is asked. */
void assert_index(vvi_chunk_index *index, const model *expected, vv_shard_read read);
/* A new index on the same root: with the names of all shards. */
vvi_chunk_index *reopen(vvi_chunk_index *index, vvi_shard_cache *cache);
/* Chunks outside shape are dropped. */
void model_resize(model *self, const uint64_t *shape);

#endif
