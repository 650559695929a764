/* Places of recordings in Zarr, for the contract of sinks and for kills. */
#ifndef VV_TESTS_ZARR_PLACE_H
#define VV_TESTS_ZARR_PLACE_H

#include "recorder/sink_contract.h"

typedef struct place {
    vv_store *memory;
    char *directory;
    vv_blockstore *blocks;
    vv_cid root; /* the last that was told */
    bool has_root;
} place;

extern const sink_kind zarr_in_memory, zarr_in_directory, zarr_in_blocks;

/* The store of a place, as it was left. */
vv_store *open_place(place *self);
/* A vv_recorder_root_fn: of a place. */
void keep_root(void *place, const vv_cid *root);

#endif
