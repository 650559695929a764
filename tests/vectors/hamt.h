/* What the HAMT kinds share: the three ways of naming blocks, hash functions by name, counts. */
#ifndef VV_TESTS_VECTORS_HAMT_H
#define VV_TESTS_VECTORS_HAMT_H

#include "vectors.h"

typedef struct hamt_backend {
    const char *name; /* "inmemory": a member of results */
    vv_cid_prefix ids;
} hamt_backend;
#define HAMT_BACKEND_COUNT 3
extern const hamt_backend hamt_backends[HAMT_BACKEND_COUNT];

/* The text that the vectors give an id in; one of a few static buffers. */
const char *hamt_id_text(const vv_cid *cid);

/* Fill in the hash function of that name; NULL or "blake3": the default. */
void hamt_use_hash(const char *name, vv_hamt_options *options);

/* What lies below a root. */
typedef struct hamt_counts {
    uint64_t nodes, node_bytes, max_depth, entries;
} hamt_counts;
vv_status hamt_count(vv_blockstore *store, const vv_cid *root, hamt_counts *out);
/* Are these the counts that expected has as members? */
bool hamt_counts_match(const hamt_counts *counts, const json_t *expected);

/* The value bytes of a typed value: of {"bytes": …} itself when values are bytes. */
vv_buf hamt_value(const json_t *typed, bool values_are_bytes);

/* Check the bug with this id, if it is one of the Zarr store over a HAMT; false: it is not. */
bool run_zarr_bug(vector_run *run, const char *id);
/* The same for the encrypted store. */
bool run_encrypted_bug(vector_run *run, const char *id);

#endif
