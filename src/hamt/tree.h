/*
 * The map from inside.
 *
 * The tree has two parts. On top changed nodes, which hang on each other by pointers; below them,
 * by name, nodes as they are stored, some of which are in the cache. A node whose child is
 * changed is itself changed. Only the writer changes nodes, in place while nobody else holds
 * them; an iteration holds the root it started from, and then the writer copies the nodes on its
 * way instead.
 *
 * Locks: `writer` is held through every change and may be held while nodes are loaded or saved.
 * `tree` guards the changed nodes and the root, is taken inside `writer`, and is never held
 * across I/O.
 */
#ifndef VVI_HAMT_TREE_H
#define VVI_HAMT_TREE_H

#include <varvite/blockstore.h>
#include <varvite/hamt.h>

#include "hamt/cache.h"
#include "metrics/metrics.h"

#define VVI_HASH_MAX 64

struct vv_hamt {
    vv_blockstore *store;
    vv_hamt_options opts; /* fixed once open, defaults filled in; but for the two below */
    atomic_uint bucket;   /* max_bucket_size */
    atomic_bool read_only;
    vv_cid_prefix value_ids, node_ids;
    size_t link_len; /* bytes of a link to a node that this map saves */
    vvi_node_cache clean;
    atomic_uint_least64_t loads, saves;

    vvi_mutex writer;
    vvi_rwlock tree;
    vvi_node *root;     /* guarded by tree: changed root, or NULL, and then */
    vvi_link root_link; /* guarded by tree: the root has this name */
    uint64_t changes;   /* guarded by writer: counts changes */
    uint64_t dirty_nodes, dirty_bytes, dirty_encoded; /* guarded by tree: changed nodes */
};

/* ---- hamt.c ---- */
/* Hash n keys; n × hash_len bytes. */
void vvi_hamt_hash(const vv_hamt *hamt, const vv_bytes *keys, size_t n, uint8_t *out);
/* Is the key one that a map takes? @return VV_OK, VV_EINVAL */
vv_status vvi_hamt_check_key(vv_bytes key, vv_error *err);
/* For messages: as many bytes of a key as make sense, for "%.*s". */
#define VVI_KEY_ARG(key_) \
    (int)((key_).len < 120 ? (key_).len : 120), (const char *)(key_).data

/* Are the nodes that it comes to counted? py-hamt counts those of maps that are open for reading. */
static inline bool vvi_hamt_is_counted(const vv_hamt *hamt)
{
    return vvi_metrics_on() && atomic_load(&hamt->read_only);
}

/* ---- load.c ---- */
/* The node of that name, held for the caller. A missing block is VV_ECORRUPT. */
vv_status vvi_hamt_load(vv_hamt *hamt, vv_bytes link, vvi_node **out, vv_error *err);
/* n nodes at once; on failure none is held. statuses: each one's own, and the call succeeds;
 * NULL: the first failure is returned. */
vv_status vvi_hamt_load_many(vv_hamt *hamt, const vvi_link *links, size_t n,
                             vvi_node **out, vv_status *statuses, vv_error *err);

/* The tree as it is now: a changed root, held, or NULL and a name. */
typedef struct vvi_snapshot {
    vvi_node *root;
    vvi_link link;
} vvi_snapshot;
void vvi_hamt_snapshot(vv_hamt *hamt, vvi_snapshot *out);

/* ---- find.c ---- */
vv_status vvi_hamt_find(vv_hamt *hamt, vv_bytes key, const uint8_t *hash, vvi_link *out,
                        vv_error *err);

/* ---- change.c: with writer held ---- */
/*
 * Make the nodes on the way of a hash changeable, down to the one whose slot is a bucket or to
 * depth deepest. On success `tree` is held for writing, on failure it is not; tree_held: it is so
 * already.
 * @return VV_OK, VV_ELIMIT (a link below the last byte of the hash), or why a node cannot be
 *         loaded
 */
vv_status vvi_hamt_own_path(vv_hamt *hamt, const uint8_t *hash, unsigned deepest,
                            bool tree_held, vvi_node **out, unsigned *depth,
                            vv_error *err);
/* Let *place, through which the tree holds a node, hold one that nobody else does. With tree held
 * for writing. @return VV_OK, VV_ENOMEM */
vv_status vvi_hamt_own(vv_hamt *hamt, vvi_node **place, vv_error *err);
/* Count a node, which is about to change or has changed, out of and into the statistics. */
void vvi_hamt_count_out(vv_hamt *hamt, const vvi_node *node);
void vvi_hamt_count_in(vv_hamt *hamt, const vvi_node *node);
/* The same for a node and all changed nodes below it. */
void vvi_hamt_count_out_all(vv_hamt *hamt, const vvi_node *node);
void vvi_hamt_count_in_all(vv_hamt *hamt, const vvi_node *node);
/* Set keys, which were hashed, to links to these, in order. *done is how many were set. */
vv_status vvi_hamt_put(vv_hamt *hamt, const vv_bytes *keys, const uint8_t *hashes,
                       const vv_cid *cids, size_t n, size_t *done, vv_error *err);

/* ---- split.c ---- */
/* A subtree for the entries of a full bucket at that depth and one more. */
vv_status vvi_hamt_split(const vv_hamt *hamt, vv_bytes bucket, vv_bytes key,
                         vv_bytes link, unsigned depth, vvi_node **out, vv_error *err);

/* ---- save.c: with writer held ---- */
/* Save every changed node. */
vv_status vvi_hamt_save_all(vv_hamt *hamt, vv_error *err);
/* Save the changed nodes that were left alone longest until half of dirty_bytes is free. */
vv_status vvi_hamt_spill(vv_hamt *hamt, vv_error *err);

/* ---- access.c ---- */
/* May the map be changed? Asked with writer held. @return VV_OK, VV_EREADONLY */
vv_status vvi_hamt_check_writable(const vv_hamt *hamt, vv_error *err);
/* The name in a link to a value, which must be one block. @return VV_OK, VV_EUNSUPPORTED, … */
vv_status vvi_hamt_value_cid(vv_bytes link, vv_cid *out, vv_error *err);
/* Why a value could not be read, naming its key. A block that is not there is VV_ECORRUPT. */
vv_status vvi_hamt_value_failed(vv_status status, vv_bytes key, const vv_cid *cid,
                                vv_error *err);
/* Is it a value for this map? @return VV_OK, VV_EINVAL */
vv_status vvi_hamt_check_value(const vv_hamt *hamt, vv_bytes key, vv_bytes value,
                               vv_error *err);

#endif
