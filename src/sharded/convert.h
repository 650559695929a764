/* A conversion from inside: what its parts share. */
#ifndef VVI_SHARDED_CONVERT_H
#define VVI_SHARDED_CONVERT_H

#include "sharded/store.h"

#include <varvite/hamt.h>

typedef struct vvi_conversion {
    vv_blockstore *blocks;
    vv_cid source;
    vv_conversion to;
    vv_conversion_options options;
    vv_conversion_result result;
    bool from_hamt;
    vv_hamt *tree;   /* the side that is a HAMT; NULL: both are sharded */
    vv_store *from;  /* a sharded source */
    vv_store *into;  /* a sharded target */
    vv_buf key;      /* of the pair in hand, terminated */
    vv_buf note;     /* which conversion it is; empty: no note is kept */
    uint64_t pass;   /* the one in hand: 0 for documents, then parts of the chunks */
    uint64_t passes; /* of chunks; 0: not known yet */
    uint64_t written;

    /* Where the slots of each array of the target begin in all of its slots, and how many of them a
     * pass fills. */
    vvi_index_entry **arrays;
    uint64_t *first_slots;
    size_t array_count;
    uint64_t slots_a_pass;

    const char *what; /* for progress */
    uint64_t done, total, told_ns;
} vvi_conversion;

/* One more key; tell progress, unless that was done a moment ago. @return what the callback says */
vv_status vvi_conversion_tell(vvi_conversion *self, vv_error *err);

/* Is it the key of a document? All others are chunks. */
bool vvi_conversion_is_document(const char *key, size_t len);

/* Each key of a sharded store with its block. wants: which keys at all; NULL: every one. */
vv_status vvi_sharded_pairs(vv_store *store,
                            bool (*wants)(void *ctx, const char *key, size_t len),
                            vv_hamt_key_fn visit, void *ctx, vv_error *err);

/* ---- the note (convert_note.c) ---------------------------------------------------------------- */

/* Say in self->note which conversion this is. */
vv_status vvi_conversion_describe(vvi_conversion *self, vv_error *err);
/* Is there a note of this conversion? Then partial, the pass to go on with, and the counts. VV_EEXISTS: it
 * is of another one. */
vv_status vvi_conversion_look(vvi_conversion *self, bool *found, vv_cid *partial,
                              vv_error *err);
/* All before self->pass is done and lies below partial. */
vv_status vvi_conversion_keep(const vvi_conversion *self, const vv_cid *partial,
                              vv_error *err);
vv_status vvi_conversion_forget(const vvi_conversion *self, vv_error *err);

/* ---- verification (convert_verify.c) ------------------------------------------------------------ */

/* Look each key of either root up in the other. */
vv_status vvi_conversion_verify(vvi_conversion *self, const vv_cid *made, vv_error *err);

#endif
