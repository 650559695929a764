/* A running import. */
#ifndef VVI_DATASET_IMPORT_H
#define VVI_DATASET_IMPORT_H

#include "dataset/source.h"

#include <varvite/dataset.h>

typedef struct vvi_import {
    vv_import_options options;
    vvi_source *source;
    vv_store *target;
    vv_store *store;   /* target, counted */
    const char *path;  /* within the store */
    vv_array **arrays; /* of the wanted variables, in their order */
    size_t array_count, array_next;
    uint64_t bytes_total;
    uint64_t told_ns; /* when progress was told last */
    vv_import_result result;
    bool may_replace; /* arrays and attributes that are there */
    vv_buf note; /* says which file this is an import of */
} vvi_import;

/* Make a group of the source, or give the one that is there its attributes too. */
vv_status vvi_import_group(vvi_import *self, const vvi_group *group, vv_error *err);
/* Read the variable slab by slab and write its chunks, while the next slab is read. */
vv_status vvi_import_values(vvi_import *self, const vvi_var *var, vv_array *array,
                            vv_error *err);
/* Copy a Zarr source into the store, documents as they are and then chunks as they are. */
vv_status vvi_import_zarr(vvi_import *self, vv_error *err);
/* Describe the source, and look for the note of a stopped import of it: without one nothing that is
 * there counts as stored. Sets may_replace. Returns VV_EEXISTS (of another file), VV_EIO, … */
vv_status vvi_import_note_look(vvi_import *self, const char *source, vv_error *err);
/* Put the note before anything else, ready once the arrays' metadata is there; take it away at the end. */
vv_status vvi_import_note_put(vvi_import *self, bool ready, vv_error *err);
vv_status vvi_import_note_end(vvi_import *self, vv_error *err);
/* Tell progress, unless that was done a moment ago. */
vv_status vvi_import_tell(vvi_import *self, bool now, vv_error *err);

#endif
