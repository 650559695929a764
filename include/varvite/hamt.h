/*
 * The HAMT: a map from text keys to values, kept as blocks; one root CID names all of it.
 *
 * Bytes and roots equal py-hamt's: docs/format/hamt.md. A value is its own raw block; a node is
 * a DAG-CBOR block of 256 buckets or links.
 *
 * Threads: read-only maps take any calls at once. A writable map takes many readers at once and
 * one writer; further writers wait for it. No lock that a reader could wait for is held while a
 * block store is called, and none at all while a value is stored or a visit callback runs.
 * Ownership: free with vv_hamt_free(); holds its block store.
 */
#ifndef VARVITE_HAMT_H
#define VARVITE_HAMT_H

#include <varvite/base.h>
#include <varvite/blockstore.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vv_hamt vv_hamt;

/** Hash of a key: fill out with out_len bytes; out_len is hash_len of the options. May be called
 *  with the map locked, so it must not call the map. */
typedef void (*vv_hamt_hash_fn)(void *ctx, vv_bytes key, uint8_t *out, size_t out_len);

typedef enum vv_hamt_values {
    VV_HAMT_DAG_CBOR = 0, /* values are DAG-CBOR; set refuses what is not */
    VV_HAMT_BYTES         /* values are any bytes: what Zarr stores use */
} vv_hamt_values;

typedef enum vv_hamt_delete_form {
    VV_HAMT_CANONICAL = 0, /* as 3.4 and later: the root depends on the content alone */
    VV_HAMT_PRUNE_EMPTY    /* as 3.3.2: only empty nodes are dropped */
} vv_hamt_delete_form;

typedef struct vv_hamt_options {
    size_t struct_size;
    uint32_t max_bucket_size; /* 0: 4 */
    vv_hamt_values values;
    vv_hamt_delete_form deletes;
    bool read_only;
    vv_cid_prefix ids;       /* version, hash and digest_len of all ids; codec is set per
                                block. All zero: CIDv1 blake3. VV_CID_BARE: as py-hamt's
                                in-memory store. */
    vv_hamt_hash_fn hash_fn; /* NULL: BLAKE3 of the UTF-8 key */
    void *hash_ctx;
    uint32_t hash_len;        /* bytes a hash has; 0: 32 (at most 64) */
    size_t clean_cache_bytes; /* cap of unchanged nodes kept; 0: 64 MiB */
    size_t dirty_bytes; /* changed nodes past this are saved ahead of a flush, which may
                           leave blocks that the final root does not reach; 0: 512 MiB,
                           enough for some 5 million keys */
} vv_hamt_options;
#define VV_HAMT_OPTIONS_INIT ((vv_hamt_options){ .struct_size = sizeof(vv_hamt_options) })

/**
 * Open the map with this root, or begin an empty one.
 *
 * @param root  NULL: empty, which is VV_EINVAL together with read_only
 * @return VV_OK, VV_EINVAL (options), VV_ENOTFOUND, VV_ECORRUPT (root is no node), VV_EIO,
 *         VV_ENOMEM
 */
VV_API vv_status vv_hamt_open(vv_blockstore *store, const vv_cid *root,
                              const vv_hamt_options *options, vv_hamt **out,
                              vv_error *err);
/** Changes since the last flush are lost. NULL is fine. */
VV_API void vv_hamt_free(vv_hamt *hamt);

/**
 * Set a key. A failure leaves the map as it was.
 *
 * @param key  UTF-8, any length, taken as it is
 * @return VV_OK, VV_EREADONLY, VV_EINVAL (key not UTF-8, value not DAG-CBOR), VV_ELIMIT (more
 *         keys with one hash than a bucket takes), VV_EIO, VV_ECORRUPT (a node), VV_ENOMEM
 */
VV_API vv_status vv_hamt_set(vv_hamt *hamt, vv_bytes key, vv_bytes value, vv_error *err);
/** Set n keys, in order; values are hashed together and stored some thousands in one call. On
 *  failure a prefix of them is set, of *done keys (done may be NULL). */
VV_API vv_status vv_hamt_set_many(vv_hamt *hamt, const vv_bytes *keys,
                                  const vv_bytes *values, size_t n, size_t *done,
                                  vv_error *err);
/** Set a key to a block that is stored already; it is not read. VV_EINVAL: pointer is no CID. */
VV_API vv_status vv_hamt_set_pointer(vv_hamt *hamt, vv_bytes key, const vv_cid *pointer,
                                     vv_error *err);

/**
 * Read a value or a part of it.
 *
 * @return VV_OK
 *         VV_ENOTFOUND     there is no such key
 *         VV_ECORRUPT      a node or the value is damaged, or its block is not in the store
 *         VV_EUNSUPPORTED  the value is cut into parts by UnixFS
 *         VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_hamt_get(vv_hamt *hamt, vv_bytes key, vv_range range, vv_buf *out,
                             vv_error *err);
/** Read n values: the tree is resolved level by level, values in one call. statuses as in
 *  vv_blockstore_get_many(). */
VV_API vv_status vv_hamt_get_many(vv_hamt *hamt, const vv_bytes *keys, size_t n,
                                  vv_buf *outs, vv_status *statuses, vv_error *err);
/** The name of a key's value, without reading it. */
VV_API vv_status vv_hamt_get_pointer(vv_hamt *hamt, vv_bytes key, vv_cid *out,
                                     vv_error *err);
VV_API vv_status vv_hamt_get_pointers(vv_hamt *hamt, const vv_bytes *keys, size_t n,
                                      vv_cid *outs, vv_status *statuses, vv_error *err);

/** Delete a key. @return VV_OK, VV_ENOTFOUND (nothing changed), VV_EREADONLY, VV_EIO, … */
VV_API vv_status vv_hamt_delete(vv_hamt *hamt, vv_bytes key, vv_error *err);

/** Told of each key and its value's name; any status but VV_OK ends the iteration. */
typedef vv_status (*vv_hamt_key_fn)(void *ctx, vv_bytes key, const vv_cid *pointer,
                                    vv_error *err);
/**
 * Visit the keys that begin with prefix, in the tree's order, without reading values. Every node
 * is read, whatever the prefix.
 *
 * visit may call the map, also to change it; the iteration shows the map as it was at the
 * start. Nodes of a level are fetched many at a time. Memory: the batch, not the keys.
 */
VV_API vv_status vv_hamt_iterate(vv_hamt *hamt, vv_bytes prefix, vv_hamt_key_fn visit,
                                 void *ctx, vv_error *err);
/** How many keys. Reads every node. */
VV_API vv_status vv_hamt_len(vv_hamt *hamt, uint64_t *out, vv_error *err);

/** Save changed nodes, level by level from the bottom, and name the root. Does not flush the
 *  block store. A failure leaves the map and the former root usable. */
VV_API vv_status vv_hamt_flush(vv_hamt *hamt, vv_cid *root, vv_error *err);
/** Flush and drop every cached node. root may be NULL. */
VV_API vv_status vv_hamt_vacate(vv_hamt *hamt, vv_cid *root, vv_error *err);
/** Flush, then refuse changes; and the way back. Calling either twice is fine. */
VV_API vv_status vv_hamt_make_read_only(vv_hamt *hamt, vv_cid *root, vv_error *err);
VV_API vv_status vv_hamt_enable_write(vv_hamt *hamt, vv_error *err);
VV_API bool vv_hamt_is_read_only(const vv_hamt *hamt);
/** Change the bucket size of a live map; holds for the keys set from now on. */
VV_API vv_status vv_hamt_set_max_bucket_size(vv_hamt *hamt, uint32_t size, vv_error *err);

/** What the map keeps in memory. */
typedef struct vv_hamt_stats {
    uint64_t clean_nodes, clean_bytes;
    uint64_t dirty_nodes, dirty_bytes;
    uint64_t encoded_bytes; /* py-hamt's cache_size(): encoded sizes of all nodes kept */
    uint64_t node_loads, node_hits, node_saves;
} vv_hamt_stats;
VV_API void vv_hamt_stat(vv_hamt *hamt, vv_hamt_stats *out);

/* ---- verification -------------------------------------------------------------------- */

/** A key whose value, or a node above it, is missing or damaged. */
typedef struct vv_verify_finding {
    vv_status status;  /* VV_ENOTFOUND, VV_ECORRUPT, VV_EUNSUPPORTED, VV_EIO */
    bool is_node;      /* a HAMT node, a shard, a root: every key below it is out of reach */
    const char *key;   /* of the value; for a node, the hash prefix as hexadecimal; "g/temp shard 3" */
    const vv_cid *cid; /* of the value or the node */
    const char *message;
} vv_verify_finding;
typedef vv_status (*vv_verify_fn)(void *ctx, const vv_verify_finding *finding);

typedef struct vv_verify_options {
    size_t struct_size;
    uint32_t threads;   /* 0: one a processor */
    double max_seconds; /* stop after so long; 0: no limit */
    double sample; /* share of values to hash, 0 < sample ≤ 1; 0: all. Nodes always. */
    uint64_t seed; /* of the sample */
    vv_hamt_options hamt;    /* ids, hash_fn; zero: defaults */
    vv_verify_fn report;     /* each finding, from one thread at a time */
    vv_progress_fn progress; /* items are blocks */
    void *ctx;               /* for both */
} vv_verify_options;
#define VV_VERIFY_OPTIONS_INIT \
    ((vv_verify_options){ .struct_size = sizeof(vv_verify_options) })

typedef struct vv_verify_result {
    uint64_t nodes, values; /* checked */
    uint64_t bytes;         /* hashed */
    uint64_t keys;          /* seen */
    uint64_t bad, missing;  /* findings: VV_ENOTFOUND is missing, VV_EIO neither */
    uint64_t unread;        /* findings with VV_EIO */
    bool complete; /* false: stopped, a sample, or blocks that could not be read */
} vv_verify_result;

/**
 * Hash every block below a HAMT root again and check the tree: shape, the place of each key,
 * bucket and link forms, that no node is reached twice. Blocks are hashed even where the store
 * is trusted.
 *
 * Memory: the blocks in hand (one a thread) and some 60 bytes a node.
 * @param result  filled in whatever the status; NULL if not wanted
 * @return VV_OK (all that was looked at is right), VV_ECORRUPT (bad or missing blocks, each
 *         reported), VV_EIO (blocks that could not be read, no bad ones), VV_EINVAL (options),
 *         VV_ENOMEM, or what a callback returned
 */
VV_API vv_status vv_hamt_verify(vv_blockstore *blocks, const vv_cid *root,
                                const vv_verify_options *options,
                                vv_verify_result *result, vv_error *err);

/* ---- differences --------------------------------------------------------------------- */

/** A key that two maps do not hold alike. */
typedef struct vv_hamt_change {
    vv_bytes key;         /* valid during the call */
    const vv_cid *before; /* the value's name in the first map; NULL: the key was added */
    const vv_cid *after;  /* in the second map; NULL: it was removed */
} vv_hamt_change;
typedef vv_status (*vv_hamt_change_fn)(void *ctx, const vv_hamt_change *change,
                                       vv_error *err);

typedef struct vv_hamt_diff_options {
    size_t struct_size;
    /* How keys are hashed: hash_fn, hash_ctx, hash_len; clean_cache_bytes. The rest is passed by. */
    vv_hamt_options before, after;
    vv_progress_fn progress; /* items are nodes read */
    void *progress_ctx;
} vv_hamt_diff_options;
#define VV_HAMT_DIFF_OPTIONS_INIT \
    ((vv_hamt_diff_options){ .struct_size = sizeof(vv_hamt_diff_options) })

typedef struct vv_hamt_diff_result {
    uint64_t added, removed, changed;
    uint64_t nodes; /* read, of both maps */
    bool merged;    /* keys were hashed differently, so every node was read */
} vv_hamt_diff_result;

/**
 * Tell each key that was added, removed or given another value between two maps, which may lie
 * in different block stores. Values are compared by name and never read.
 *
 * Both trees are walked together and equal parts are passed by, so the cost is that of the
 * difference: ten changed keys among a million take some 60 nodes. Trees with other bucket sizes,
 * or left uneven by deletes of the older form, are compared just as well, but share fewer parts.
 * Trees whose keys are hashed differently share none: then each key of one map is looked up in
 * the other, which reads every node (result->merged).
 *
 * Memory: the nodes in hand, some MiB; with other hashes both caches. visit is called without a
 * lock, in no given order; a key is told of once.
 * @param before, after  NULL: the empty map
 * @param result         filled in whatever the status; NULL if not wanted
 * @return VV_OK, VV_ENOTFOUND (a root is not there), VV_ECORRUPT (a node is missing or damaged, or
 *         a key lies where its hash does not lead; named), VV_EINVAL (options), VV_EIO, VV_ENOMEM,
 *         or what a callback returned
 */
VV_API vv_status vv_hamt_diff(vv_blockstore *before_blocks, const vv_cid *before,
                              vv_blockstore *after_blocks, const vv_cid *after,
                              const vv_hamt_diff_options *options,
                              vv_hamt_change_fn visit, void *ctx,
                              vv_hamt_diff_result *result, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
