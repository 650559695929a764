/* What the tests of sharded stores share: a store over blocks that can be made to fail. */
#ifndef VV_TESTS_SHARDED_STORE_SUPPORT_H
#define VV_TESTS_SHARDED_STORE_SUPPORT_H

#include "store/contract.h"
#include "support/faulty_blockstore.h"

#include <varvite/sharded.h>

#define GROUP_DOCUMENT \
    "{\"zarr_format\": 3, \"node_type\": \"group\", \"attributes\": {}}"

/* The block stores below the store: state of a test is a store_fixture whose held is one of these. */
typedef struct below {
    vv_blockstore *memory, *faulty;
} below;

/* Shards have 4 chunks. */
int setup_v2(void **state);
/* An array of 4 × 6 elements in chunks of 2 × 2. */
int setup_v1(void **state);
int teardown(void **state);

vv_store *store_of(void **state);
vv_blockstore *memory_of(void **state);
vv_blockstore *faulty_of(void **state);

/* The document of an array; shapes as "4, 6". One of a few static buffers. */
const char *array_document(const char *shape, const char *chunk);
vv_status set_value(vv_store *store, const char *key, const char *value, vv_error *err);
/* The root of a commit as text, one of a few static buffers. */
const char *commit(vv_store *store);
/* Commit, and open the root. */
vv_store *reopen(void **state, bool read_only);

#endif
