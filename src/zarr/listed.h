/*
 * Chunks in listings. Stores that keep an index of chunks (vv_store.indexes_chunks) list them in one form,
 * c/0/1, whatever form the array's document says; they take and find them in both.
 */
#ifndef VVI_ZARR_LISTED_H
#define VVI_ZARR_LISTED_H

#include "grid/grid.h"
#include "util/error.h"

#include <varvite/store.h>

/* The chunk that a listed name below its array means; own is the form that the document says. false: none. */
bool vvi_listed_chunk(const vv_store *store, vvi_key_form own, uint32_t ndim,
                      const char *name, uint64_t *index);

/* Listed keys as the documents of their arrays say them, one after the other. Zero and a store is a new
 * one; clear with vvi_own_keys_clear(). */
typedef struct vvi_own_keys {
    vv_store *store; /* borrowed; the one that lists */
    char *path;      /* of the array of the last key; NULL: none yet */
    bool known;      /* there is an array, with the next two */
    vvi_key_form form;
    uint32_t ndim;
} vvi_own_keys;

void vvi_own_keys_clear(vvi_own_keys *self);
/* Set out to the key, terminated: a chunk's in the form of its array, any other as it is. */
vv_status vvi_own_key(vvi_own_keys *self, const char *key, vv_buf *out, vv_error *err);

#endif
