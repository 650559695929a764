/* The encrypted store from inside: what reading and writing share. */
#ifndef VVI_ENCRYPTED_STORE_H
#define VVI_ENCRYPTED_STORE_H

#include <varvite/encrypted.h>
#include <varvite/hamt.h>
#include <varvite/store_backend.h>

#include "encrypted/format.h"
#include "util/thread.h"

typedef struct encrypted_store {
    vv_store base;
    vv_blockstore *blocks; /* held */
    vv_hamt *hamt;
    vvi_data_keys *keys;
    vv_cid_prefix body_ids, root_ids;
    vvi_draw draw;
    /* Held to write by "only if absent", which looks and then sets, and to read by other changes. */
    vvi_rwlock changes;
    vvi_mutex committing;
    vvi_envelope
        envelope;  /* its tree is guarded by committing, the rest is fixed once open */
    vv_cid root;   /* guarded by committing: of the envelope as it is */
    bool has_root; /* guarded by committing */
} encrypted_store;

/* vv_encrypted_store_open() with a source of random bytes. */
vv_status vvi_encrypted_store_open(vv_blockstore *blocks, const vv_cid *root,
                                   const vv_key *key, const vv_encrypted_options *options,
                                   const vvi_draw *draw, vv_store **out, vv_error *err);

/* The root block, decoded; with a key, opened and its seal checked. keys: NULL without. */
vv_status vvi_envelope_load(vv_blockstore *blocks, const vv_cid *root, const vv_key *key,
                            vvi_envelope *out, vvi_data_keys **keys, vv_error *err);
/* Encode, store and name an envelope. */
vv_status vvi_envelope_store(vv_blockstore *blocks, const vvi_envelope *envelope,
                             const vvi_data_keys *keys, const vv_cid_prefix *ids,
                             vv_cid *root, vv_error *err);

/* What the tree has for a key. VV_ENOTFOUND names it. */
vv_status vvi_encrypted_find(encrypted_store *self, const char *key, vv_cid *pointer,
                             vv_error *err);

/* ---- read.c ---- */
vv_status vvi_encrypted_get(vv_store *base, const char *key, vv_range range, vv_buf *out,
                            vv_error *err);
vv_status vvi_encrypted_get_many(vv_store *base, const char *const *keys,
                                 const vv_range *ranges, size_t n, vv_buf *outs,
                                 vv_status *statuses, vv_error *err);
vv_status vvi_encrypted_size(vv_store *base, const char *key, uint64_t *out,
                             vv_error *err);

/* ---- write.c ---- */
vv_status vvi_encrypted_set(vv_store *base, const char *key, vv_bytes value,
                            bool only_if_absent, vv_error *err);
vv_status vvi_encrypted_set_many(vv_store *base, const char *const *keys,
                                 const vv_bytes *values, size_t n, vv_error *err);

#endif
