/*
 * Scenarios that are run with the n-th allocation failing, and with the n-th file call failing, for
 * n = 0, 1, 2 … until nothing fails. After each run the scenario looks at what it left: what was
 * there before and what was acknowledged must be there, and nothing may leak.
 */
#ifndef VV_TESTS_FAULTS_H
#define VV_TESTS_FAULTS_H

#include "support/support.h"

#include <stdio.h>

/* What a scenario works on; made anew for every run. */
typedef struct world {
    char *directory;       /* empty at the start */
    vv_blockstore *blocks; /* freed at the end, if prepare made one */
    vv_store *store;       /* the same */
    vv_cid before;         /* root that prepare left, if the scenario has roots */
    vv_cid after;          /* root that act was given */
    unsigned acked;        /* steps of act that were acknowledged */
} world;

typedef struct scenario {
    const char *name; /* NULL ends a list */
    bool files;       /* it makes file calls */
    void (*prepare)(world *w);
    vv_status (*act)(world *w, vv_error *err); /* the part that is made to fail */
    void (*check)(world *w);
} scenario;

/* One list a file: faults_<room>.c. */
extern const scenario scenarios_local[];
extern const scenario scenarios_hamt[];
extern const scenario scenarios_store[];
extern const scenario scenarios_zarr[];
extern const scenario scenarios_car[];
extern const scenario scenarios_copy[];
extern const scenario scenarios_dataset[];

/* directory/name in a static buffer; two may be in use at once. */
const char *path_in(const world *w, const char *name);

/* Block number i: a different size and different bytes each; borrowed, one at a time. */
vv_bytes block_of(unsigned i);
vv_cid cid_of_block(unsigned i);
/* Blocks first … first + count − 1 are in the store with their bytes. */
void assert_blocks(vv_blockstore *blocks, unsigned first, unsigned count);
/* Put them, without a flush. */
vv_status put_blocks(vv_blockstore *blocks, unsigned first, unsigned count,
                     vv_error *err);
/* The store in w->directory, opened for writing or made. */
vv_status open_local(const world *w, vv_blockstore **out, vv_error *err);

#endif
