/* The block store that the programs of sharded stores run on: in memory, tells what was loaded and saved,
 * and fails once when it is told to. */
#ifndef VV_TESTS_VECTORS_COUNTING_BLOCKS_H
#define VV_TESTS_VECTORS_COUNTING_BLOCKS_H

#include "vectors.h"

vv_blockstore *counting_blocks_new(void);

/* The n-th block saved or loaded from now on (1: the next) fails once with VV_EIO. */
void counting_blocks_fail_save(vv_blockstore *store, uint64_t n);
void counting_blocks_fail_load(vv_blockstore *store, uint64_t n);

/* The CIDs loaded since the last call, as texts in order. */
json_t *counting_blocks_take_loads(vv_blockstore *store);
/* Blocks named dag-cbor that were saved so far, each time counted. */
uint64_t counting_blocks_cbor_saves(const vv_blockstore *store);
/* Called once, before the next block named dag-cbor is saved. */
void counting_blocks_before_cbor_save(vv_blockstore *store, void (*call)(void *ctx),
                                      void *ctx);

#endif
