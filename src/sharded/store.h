/*
 * A sharded store from inside: what all its handles share, and how calls take turns.
 *
 * Two locks. `changes` lets those who change slots run side by side (reading) and everything else that
 * changes the store alone (writing): registering and dropping arrays, resizing, grafts, commits. It may be
 * held while shards are loaded or saved, never while a value is stored. `lock` guards the tables and is
 * held for look-ups only. Readers take nothing but `lock`; an array that they found is counted, so that it
 * outlives its place in the table. Order: changes, then lock.
 */
#ifndef VVI_SHARDED_STORE_H
#define VVI_SHARDED_STORE_H

#include "sharded/index.h"
#include "sharded/named.h"
#include "store/views.h"
#include "util/thread.h"

#include <varvite/store_backend.h>

/* The manifest versions. */
#define VVI_SHARDED_V1_NAME "sharded_zarr_v1"
#define VVI_SHARDED_V2_NAME "sharded_zarr_v2"

/* A shard that the root names by something that is no link. The index has in its place a CID that holds
 * these bytes, which are no shard, so that using it fails; the root is written as it was. */
typedef struct vvi_odd_shard {
    uint64_t shard;
    vv_cid stand_in;
    vv_buf value; /* DAG-CBOR */
} vvi_odd_shard;

/* An array and its index, counted. All but refs is fixed. */
typedef struct vvi_index_entry {
    int refs;   /* atomic */
    char *path; /* "" at the root, and in v1 */
    uint32_t ndim;
    uint64_t chunk[VVI_GRID_NDIM_MAX]; /* elements of a chunk */
    uint64_t chunks_per_shard;
    vvi_chunk_index *index;
    vvi_odd_shard *odd;
    size_t odd_count;
} vvi_index_entry;

/* Takes nothing: path and geometry are copied. */
vv_status vvi_index_entry_new(vvi_shard_cache *cache, const char *path, size_t path_len,
                              const vvi_geometry *geometry, vvi_index_entry **out,
                              vv_error *err);
vvi_index_entry *vvi_index_entry_retain(vvi_index_entry *entry);
void vvi_index_entry_release(vvi_index_entry *entry); /* NULL is fine */

/* A member of a map in the root that is kept as it was found. */
typedef struct vvi_root_member {
    vv_buf key;   /* text */
    vv_buf value; /* DAG-CBOR */
} vvi_root_member;
typedef struct vvi_root_members {
    vvi_root_member *list;
    size_t count, cap;
} vvi_root_members;

typedef struct vvi_sharded {
    int refs; /* atomic; each handle holds one */
    /* Fixed once open. */
    vv_blockstore *blocks;           /* held */
    vv_cid_prefix raw_ids, cbor_ids; /* of values; of shards and roots */
    vv_shard_read read;
    bool without_primary, stored_keys; /* as in vv_sharded_options */
    vvi_shard_cache *cache;
    vvi_views views;

    vvi_rwlock changes;
    vvi_rwlock lock;

    /* Guarded by lock; changed only while changes is held, to write but for names. */
    vv_sharded_version version;
    vvi_index_entry **arrays; /* in the order of the root; v1: one */
    size_t array_count, array_cap;
    bool all_grouped; /* v2: there are arrays, and each has a group in its path */
    size_t group_len; /* v2: of the one group at the top in front of all paths; 0: none */
    uint64_t chunks_per_shard; /* of arrays to come; 0: not known */
    vvi_named names;           /* documents and other keys by name */
    vvi_root_members members;  /* of the root, but for the parts that are kept here */
    vvi_root_members chunks;   /* v1: of its "chunks" */
    char *primary;             /* v1: whose chunks lie in the index; NULL: not known */
    bool primary_recorded;     /* v1: the root names it, or will */
    bool primary_odd;          /* v1: the root names something that is no text */
    bool changed;              /* since root; indices know on their own */
    bool has_root;
    vv_cid root;
} vvi_sharded;

typedef struct vvi_sharded_store {
    vv_store base;
    vvi_sharded *shared;
} vvi_sharded_store;

/* VV_EINVAL: another kind of store. */
vv_status vvi_sharded_of(vv_store *store, vvi_sharded **out, vv_error *err);

/* Begin a change that runs alone among changes: VV_EREADONLY, VV_EINVAL (another kind of store). */
vv_status vvi_sharded_begin(vv_store *store, vvi_sharded **out, vv_error *err);
void vvi_sharded_end(vvi_sharded *self);
/* Between them: the root will be written anew. */
void vvi_sharded_mark(vvi_sharded *self);

/* ---- arrays (arrays.c); with lock or changes held -------------------------------------------- */

/* NULL: none at this path, which has no slash at its ends. */
vvi_index_entry *vvi_sharded_find(const vvi_sharded *self, const char *path, size_t len);
/* The array at path; NULL: the only one. VV_ENOTFOUND, VV_EINVAL (there are several; none). v1: its one
 * array, whatever the path. */
vv_status vvi_sharded_choose(const vvi_sharded *self, const char *path,
                             vvi_index_entry **out, vv_error *err);
/* Make room for one more, so that adding cannot fail. */
vv_status vvi_sharded_reserve(vvi_sharded *self, vv_error *err);
/* Put an array in, which is taken; the path is not in use. With lock held to write. */
void vvi_sharded_add(vvi_sharded *self, vvi_index_entry *entry);
/* Take it out; the caller releases it, without lock. With lock held to write. */
void vvi_sharded_take(vvi_sharded *self, const vvi_index_entry *entry);
/* Path without slashes at its ends. */
void vvi_path_strip(const char **path, size_t *len);

/* ---- roots (root.c, root_write.c) ------------------------------------------------------------ */

/* Fill a store that holds nothing yet. */
vv_status vvi_sharded_load(vvi_sharded *self, vv_bytes block, vv_error *err);
/* The members of a new v2 root, and of a new v1 root. */
vv_status vvi_sharded_new_members(vvi_sharded *self, vv_error *err);
/* The root's block as things are. With changes held to write. */
vv_status vvi_sharded_encode(const vvi_sharded *self, vv_buf *out, vv_error *err);
void vvi_root_members_clear(vvi_root_members *members);

/* ---- keys (keys.c) --------------------------------------------------------------------------- */

typedef enum vvi_key_kind {
    VVI_KEY_NAME,     /* kept by name: documents and whatever is no chunk */
    VVI_KEY_CHUNK,    /* a slot of array, which may lie outside its grid */
    VVI_KEY_NO_ARRAY, /* a chunk of an array that is not registered */
    VVI_KEY_BAD       /* looks like a chunk and is none */
} vvi_key_kind;

typedef struct vvi_chunk_place {
    vvi_key_kind kind;
    vvi_index_entry *array; /* borrowed */
    uint64_t coords[VVI_GRID_NDIM_MAX];
    const char *path; /* CHUNK, NO_ARRAY: within the key, without slashes at its ends */
    size_t path_len;
    bool is_listed; /* the key has the form that listings show */
    vv_status
        why; /* BAD: VV_ERANGE (not as many coordinates), VV_EINVAL (no numbers), VV_ENOMEM */
} vvi_chunk_place;

/* What a key stands for. With lock held; place.array lives as long. */
void vvi_key_place(const vvi_sharded *self, const char *key, vvi_chunk_place *out);
/* The name behind the last slash is zarr.json, .zarray or .zgroup. */
bool vvi_key_is_document(const char *key);
/* The same for zarr.json and .zarray. path_len: of what stands before it, without the slash. */
bool vvi_key_is_array_document(const char *key, size_t *path_len);
/* v1: the last component is one of the names that py-hamt keeps out of the index. */
bool vvi_path_is_coordinate(const char *path, size_t len);
/* Append the key of a chunk as listings show it, and an end. With lock held, as for the next. */
vv_status vvi_chunk_key_append(const vvi_sharded *self, const vvi_index_entry *entry,
                               const uint64_t *coords, vv_buf *out, vv_error *err);
/* Could keys of its chunks begin so? */
bool vvi_chunks_may_begin(const vvi_sharded *self, const vvi_index_entry *entry,
                          const char *prefix);

/* ---- documents (documents.c) ----------------------------------------------------------------- */

/* What a document says of an array. */
typedef struct vvi_document {
    bool is_object;    /* a JSON object */
    bool is_group;     /* its node_type is "group" */
    bool consolidated; /* it has consolidated_metadata */
    bool has_shape, has_chunk;
    uint32_t ndim, chunk_ndim;
    uint64_t shape[VVI_GRID_NDIM_MAX];
    uint64_t chunk[VVI_GRID_NDIM_MAX];
} vvi_document;

/* What is no JSON is no object, not a failure. VV_EINVAL: a shape that is none, VV_ELIMIT, VV_ENOMEM. */
vv_status vvi_document_read(vv_bytes text, vvi_document *out, vv_error *err);
/* The document without consolidated_metadata, as py-hamt writes it. */
vv_status vvi_document_strip(vv_bytes text, vv_buf *out, vv_error *err);
/* Set a document: value, or the block that pointer names. */
vv_status vvi_sharded_set_document(vvi_sharded *self, const char *key, vv_bytes value,
                                   const vv_cid *pointer, bool only_if_absent,
                                   vv_error *err);
/* Group documents that py-hamt writes beside arrays. */
#define VVI_GROUP_V3 "{\"zarr_format\": 3, \"node_type\": \"group\", \"attributes\": {}}"
#define VVI_GROUP_V2 "{\"zarr_format\": 2}"

/* ---- reading (read.c) ------------------------------------------------------------------------- */

/* The block of this very key. VV_ENOTFOUND, without a message; v1 also VV_ERANGE, VV_EINVAL. */
vv_status vvi_sharded_find_block(vvi_sharded *self, const char *key, vv_cid *out,
                                 vv_error *err);
/* The same for a reader: where all arrays lie below one group at the top, the key may leave it out. */
vv_status vvi_sharded_pointer(vvi_sharded *self, const char *key, vv_cid *out,
                              vv_error *err);

vv_status vvi_sharded_get(vv_store *base, const char *key, vv_range range, vv_buf *out,
                          vv_error *err);
vv_status vvi_sharded_get_many(vv_store *base, const char *const *keys,
                               const vv_range *ranges, size_t n, vv_buf *outs,
                               vv_status *statuses, vv_error *err);
/* Of vv_store_pointers(). */
vv_status vvi_sharded_pointers(vv_store *base, const char *const *keys, size_t n,
                               vv_cid *outs, vv_status *statuses, vv_error *err);
vv_status vvi_sharded_open_value(vv_store *base, const char *key, vv_store_value *out,
                                 vv_error *err);
void vvi_sharded_close_value(vv_store *base, vv_store_value *value);
vv_status vvi_sharded_exists(vv_store *base, const char *key, bool *out, vv_error *err);
vv_status vvi_sharded_size(vv_store *base, const char *key, uint64_t *out, vv_error *err);

/* ---- writing (write.c, remove.c) --------------------------------------------------------------- */

vv_status vvi_sharded_set(vv_store *base, const char *key, vv_bytes value,
                          bool only_if_absent, vv_error *err);
vv_status vvi_sharded_set_many(vv_store *base, const char *const *keys,
                               const vv_bytes *values, size_t n, vv_error *err);
vv_status vvi_sharded_set_pointer(vv_store *base, const char *key, const vv_cid *pointer,
                                  vv_error *err);
vv_status vvi_sharded_remove(vv_store *base, const char *key, vv_error *err);
vv_status vvi_sharded_remove_dir(vv_store *base, const char *prefix, uint64_t *deleted,
                                 vv_error *err);
/* Forget the names of keys, for instance of chunks that have a slot now. With changes held. */
void vvi_sharded_forget(vvi_sharded *self, const char *key);

/* ---- listing (list.c) ---------------------------------------------------------------------------- */

vv_status vvi_sharded_list(vv_store *base, const char *prefix, vv_key_fn visit, void *ctx,
                           vv_error *err);
vv_status vvi_sharded_list_unlike(vv_store *base, vv_store *other, const char *prefix,
                                  vv_key_fn visit, void *ctx, vv_error *err);
vv_status vvi_sharded_list_dir(vv_store *base, const char *prefix, vv_key_fn visit,
                               void *ctx, vv_error *err);
/* All arrays as they are now, each held; free with vvi_index_entries_free(). */
vv_status vvi_sharded_entries(vvi_sharded *self, vvi_index_entry ***out, size_t *n,
                              vv_error *err);
void vvi_index_entries_free(vvi_index_entry **entries, size_t n);

/* ---- roots of the first version (v1.c) ------------------------------------------------------------ */

/* Find out whose chunks lie in the index of a root that does not say (py-hamt before 3.5). */
vv_status vvi_sharded_infer_primary(vvi_sharded *self, vv_error *err);

/* Save what changed and name the root; without a flush of the block store. With changes held to write. */
vv_status vvi_sharded_save(vvi_sharded *self, vv_error *err);

/* ---- counted.c: the same reading calls, counted when someone wants to know ---------------------- */

vv_status vvi_sharded_counted_get(vv_store *base, const char *key, vv_range range,
                                  vv_buf *out, vv_error *err);
vv_status vvi_sharded_counted_get_many(vv_store *base, const char *const *keys,
                                       const vv_range *ranges, size_t n, vv_buf *outs,
                                       vv_status *statuses, vv_error *err);
vv_status vvi_sharded_counted_open_value(vv_store *base, const char *key,
                                         vv_store_value *out, vv_error *err);

#endif
