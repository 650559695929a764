/*
 * Sharded stores: chunk keys resolved by arithmetic, not by a tree.
 *
 * The chunks of an array are numbered in row-major order; a shard is a block that lists the names of
 * chunks_per_shard of them, and the root lists the shards of each array and every other key. Bytes and
 * roots equal py-hamt's, sharded_zarr_v1 and sharded_zarr_v2: docs/format/sharded.md.
 *
 * What is opened here is a vv_store (store.h): get, set, delete, list, flush and vv_store_commit() are
 * that header's. Keys are the v3 forms ("g/temp/c/0/0") and, for arrays that are known, the two of Zarr
 * 2; listings show the v3 form.
 *
 * Threads: any call at any time. No lock is held while a value is stored, and readers wait for nobody but
 * who reads the same shard. A commit, a change of a grid and the registering of an array run alone among
 * changes: writers go on storing values meanwhile, and name them afterwards. Memory: the names of all shards and documents, and shards up to
 * cache_bytes; changed shards are kept until the next commit whatever the cap.
 */
#ifndef VARVITE_SHARDED_H
#define VARVITE_SHARDED_H

#include <varvite/base.h>
#include <varvite/blockstore.h>
#include <varvite/hamt.h>
#include <varvite/store.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum vv_sharded_version {
    VV_SHARDED_V2 = 0, /* an index per array; any number of arrays and groups */
    VV_SHARDED_V1      /* one index; py-hamt before 3.5 */
} vv_sharded_version;

/** How a shard that is not cached is read for one chunk. Results do not depend on it. */
typedef enum vv_shard_read {
    VV_SHARD_AUTO =
        0,         /* whole while the cache has room for it, else sparse the first time */
    VV_SHARD_FULL, /* decode and keep the shard */
    VV_SHARD_SPARSE /* step to the entry in the block, keep nothing */
} vv_shard_read;

typedef struct vv_sharded_options {
    size_t struct_size;
    bool read_only;
    vv_shard_read read;
    size_t cache_bytes; /* cap of unchanged shards kept; 0: 100 MiB */
    vv_cid_prefix
        ids; /* as vv_hamt_options.ids; all zero: as the root, or CIDv1 blake3 */

    /* Of a new store; passed by when there is a root. */
    vv_sharded_version version;
    uint64_t
        chunks_per_shard; /* 0: 6250. In v2 the default of arrays registered from now on. */
    /* The array of a v1 store, which must be given, or a first one of a v2 store, registered without a
     * document; ndim 0 with NULL shapes: none. Elements; lengths ndim. */
    uint32_t ndim;
    const uint64_t *array_shape;
    const uint64_t *chunk_shape;
    const char *primary_array_path; /* of that array; NULL: "" */
    /* v1: do not record the path of the array in the root, as 3.3.2; its roots are made again so. */
    bool without_primary;
    /* v2: keys are those that the root has. Otherwise, as in py-hamt, readers of a store whose arrays all lie
     * below one group at the top may leave its name out, and a directory "" is listed as that group; where
     * there are several such groups a read-only store refuses to list "". */
    bool stored_keys;
} vv_sharded_options;
#define VV_SHARDED_OPTIONS_INIT \
    ((vv_sharded_options){ .struct_size = sizeof(vv_sharded_options) })

/**
 * Open a root of either version, or begin a new store.
 *
 * @param root  NULL: new; VV_EINVAL together with read_only
 * @return VV_OK, VV_EINVAL (options), VV_ENOTFOUND (root), VV_ECORRUPT (no root of a sharded store: what
 *         is wrong, and in which array), VV_EUNSUPPORTED (manifest version), VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_sharded_store_open(vv_blockstore *blocks, const vv_cid *root,
                                       const vv_sharded_options *options, vv_store **out,
                                       vv_error *err);

/** A second handle on the same store, sharing all of its state, that may or may not write.
 *  @return VV_OK, VV_EINVAL (no sharded store), VV_ENOMEM */
VV_API vv_status vv_sharded_store_with_read_only(vv_store *store, bool read_only,
                                                 vv_store **out, vv_error *err);

/** An array of the index. Shapes belong to the call's store and hold until its next change. */
typedef struct vv_sharded_array {
    const char *path; /* "" in v1 and for an array at the root */
    uint32_t ndim;
    const uint64_t *shape;       /* elements */
    const uint64_t *chunk_shape; /* elements */
    const uint64_t *grid;        /* chunks along each dimension */
    uint64_t chunks_per_shard;
    uint64_t shard_count;
} vv_sharded_array;
typedef vv_status (*vv_sharded_array_fn)(void *ctx, const vv_sharded_array *array,
                                         vv_error *err);

typedef struct vv_sharded_info {
    size_t struct_size;
    vv_sharded_version version;
    uint64_t chunks_per_shard; /* of arrays to come; 0: none */
    uint64_t array_count;      /* 1 in v1 */
    uint64_t
        metadata_count; /* keys kept by name: documents, and chunks of arrays without an index */
    uint64_t cached_bytes; /* shards held */
    uint64_t shard_loads;  /* shards read since it was opened, whole or in part */
    bool
        has_primary; /* v1: a primary array is recorded or was inferred; v2: there is an array */
    const char *primary_array_path; /* NULL: none. Valid until the next change */
} vv_sharded_info;
#define VV_SHARDED_INFO_INIT ((vv_sharded_info){ .struct_size = sizeof(vv_sharded_info) })
/** @param out  begun with VV_SHARDED_INFO_INIT; its members as far as struct_size says
 *  @return VV_OK, VV_EINVAL (no sharded store, or no struct_size) */
VV_API vv_status vv_sharded_store_info(vv_store *store, vv_sharded_info *out,
                                       vv_error *err);
/** Tell each array, in the order of the root. */
VV_API vv_status vv_sharded_store_arrays(vv_store *store, vv_sharded_array_fn visit,
                                         void *ctx, vv_error *err);

/**
 * Change the shape of an array's index; its document stays as it is. Chunks keep their coordinates;
 * those outside the new grid are dropped. Where only the first dimension grows no shard is read.
 *
 * @param array_path  NULL: the only array; VV_EINVAL when there are several
 * @return VV_OK, VV_EREADONLY, VV_ENOTFOUND (no such array), VV_EINVAL (rank), VV_EIO, VV_ECORRUPT (a shard);
 *         nothing changed then
 */
VV_API vv_status vv_sharded_store_resize(vv_store *store, const char *array_path,
                                         uint32_t ndim, const uint64_t *shape,
                                         vv_error *err);
/** The same for an array's document and its index: "shape" of <name>/zarr.json is set and the document written
 *  anew, as py-hamt writes it. In v1 the index stays as it is. @return also VV_ENOTFOUND (no document),
 *  VV_ECORRUPT (no JSON object) */
VV_API vv_status vv_sharded_store_resize_variable(vv_store *store, const char *name,
                                                  uint32_t ndim, const uint64_t *shape,
                                                  vv_error *err);

typedef struct vv_graft_options {
    size_t struct_size;
    const char *source_array_path; /* NULL: the only array of the source */
    const char *target_array_path; /* NULL: the path in the source; v1: passed by */
    vv_progress_fn progress;       /* items are chunks */
    void *ctx;
} vv_graft_options;
#define VV_GRAFT_OPTIONS_INIT \
    ((vv_graft_options){ .struct_size = sizeof(vv_graft_options) })
/**
 * Let the chunks of another sharded root's array lie in an array of this store, moved by offset chunks. No
 * chunk is read; the blocks must be in, or come to, the same block store. Documents are not copied.
 *
 * All is checked before anything is changed: ranks, chunk shapes, and that every chunk lands in the grid.
 * @param chunk_offset  in chunks along each of the ndim dimensions
 * @param grafted       how many chunks; NULL if not wanted
 * @return VV_OK, VV_EREADONLY, VV_EINVAL (rank or chunk shape), VV_ERANGE (out of the grid),
 *         VV_ENOTFOUND (root or array), VV_ECORRUPT, VV_EIO; nothing changed then
 */
VV_API vv_status vv_sharded_store_graft(vv_store *store, const vv_cid *source_root,
                                        uint32_t ndim, const uint64_t *chunk_offset,
                                        const vv_graft_options *options,
                                        uint64_t *grafted, vv_error *err);

/**
 * Make a v1 store a v2 store whose array lies at array_path; its shards stay as they are. Documents and other
 * keys move as py-hamt's migrate_v1_to_v2() moves them: those found at array_path, under its last name or at
 * the root become the array's. Where nothing is found there, those of the array that the index is of do.
 *
 * @param root  of the v2 store, which is committed
 * @return VV_OK, VV_EREADONLY, VV_EINVAL (empty path, not v1), VV_ECORRUPT (a document above the array), VV_EIO,
 *         VV_ENOMEM; it is of v1 still unless the commit failed, which can be made again
 */
VV_API vv_status vv_sharded_store_migrate(vv_store *store, const char *array_path,
                                          vv_cid *root, vv_error *err);

/* ---- verification --------------------------------------------------------------------------- */

/**
 * Hash every block below a sharded root again and check the root, the shards, and that all they name is
 * there. As vv_hamt_verify(), whose options and findings these are: nodes are the root ("root") and shards
 * ("g/temp shard 3"); options->hamt is passed by. A document ("g/temp/zarr.json") that says another shape or chunk
 * shape than the array's index is bad (VV_ECORRUPT); in v1 only the chunk shape is looked at, for the array that
 * the index is known to be of.
 */
VV_API vv_status vv_sharded_verify(vv_blockstore *blocks, const vv_cid *root,
                                   const vv_verify_options *options,
                                   vv_verify_result *result, vv_error *err);

/* ---- conversion ---------------------------------------------------------------------------- */

/** What a conversion makes. */
typedef enum vv_conversion {
    VV_TO_SHARDED_V2 = 0,
    VV_TO_SHARDED_V1, /* of a hierarchy with one array besides its coordinates */
    VV_TO_HAMT
} vv_conversion;

typedef struct vv_conversion_options {
    size_t struct_size;
    /* The sharded store, read or made: chunks_per_shard, ids, without_primary. In v1 primary_array_path
     * names the array; NULL: the only one that is no coordinate. The rest is passed by. */
    vv_sharded_options sharded;
    vv_hamt_options hamt; /* the HAMT, read or made: ids, max_bucket_size, hash_fn */
    /* For what is being made; 0: 128 MiB. What needs more is made in several passes over the source. */
    uint64_t memory_bytes;
    /* A file that is kept while the call runs: which conversion it is, and a root of what is done. When
     * it is there already the call goes on from it. Removed at the end. NULL: none. */
    const char *note_path;
    bool unverified;         /* leave the verification at the end out */
    vv_progress_fn progress; /* items are keys: those written, then those verified */
    void *ctx;
} vv_conversion_options;
#define VV_CONVERSION_OPTIONS_INIT \
    ((vv_conversion_options){ .struct_size = sizeof(vv_conversion_options) })

typedef struct vv_conversion_result {
    uint64_t keys;      /* of the source */
    uint64_t documents; /* of these: no chunks */
    uint64_t added;     /* documents of groups that the source left out and v2 needs */
    uint64_t passes;    /* over the source, to write */
    uint64_t going_on;  /* of these: done by the call that was stopped */
    uint64_t verified;  /* keys compared in the end */
} vv_conversion_result;

/**
 * Make a root of another layout with the same keys, on the same block store. What the source is is seen
 * from its block. No chunk is read, since only names of blocks are written; documents are, for they say
 * which arrays there are. Chunk keys of Zarr 2 ("temp/0.1") become those of the index.
 *
 * From a HAMT to v2 the root equals that of py-hamt's converter, which however loses chunks outside
 * the grid and refuses scalars. Consolidated metadata of the root document may be left out, as there.
 *
 * At the end every key of either root is looked up in the other and must name the same block.
 * @param root    what was made; flushed
 * @param result  filled in whatever the status; NULL if not wanted
 * @return VV_OK, VV_ENOTFOUND (source), VV_EINVAL (options; the source is of that layout already; a key that
 *         belongs to no array, named; v1: none or several arrays), VV_ERANGE (a chunk outside its grid,
 *         named), VV_EEXISTS (the note is of another conversion), VV_ECORRUPT (the source, or the
 *         verification found a difference), VV_EIO, VV_ENOMEM, or what progress returned
 */
VV_API vv_status vv_sharded_convert(vv_blockstore *blocks, const vv_cid *source,
                                    vv_conversion to,
                                    const vv_conversion_options *options, vv_cid *root,
                                    vv_conversion_result *result, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
