/*
 * Copies of Zarr hierarchies between stores, in other chunks if asked, and what differs between
 * two of them.
 *
 * Threads: any, as far as the stores allow.
 */
#ifndef VARVITE_COPY_H
#define VARVITE_COPY_H

#include <varvite/base.h>
#include <varvite/store.h>
#include <varvite/zarr.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- copying --------------------------------------------------------------------------- */

/** How an array is copied. */
typedef enum vv_copy_way {
    VV_COPY_STORED = 0, /* stored chunks as they are */
    VV_COPY_DECODED     /* read and written again, region by region */
} vv_copy_way;

/** What is about to be done with an array. */
typedef struct vv_copy_plan {
    vv_copy_way way;
    /* Of a decoded copy: lengths of a region, which is read, held in memory and written at once. */
    const uint64_t *region;
    uint64_t region_bytes;
    /* Chunks (of a sharded array: inner ones) that the array has, and how often one is decoded in
     * all. More reads than chunks: memory_bytes was too small for regions that end where chunks of
     * both grids end. */
    uint64_t source_chunks, source_reads;
} vv_copy_plan;

typedef struct vv_copy_options {
    size_t struct_size;
    /* New lengths of chunks, "time=12,lat=90" by dimension name or "12,90" by place, "all" for a
     * whole dimension; dimensions that are not named keep theirs. Of a sharded array these are the
     * inner chunks. NULL: as they are. An array of one dimension that bears its name is read whole
     * with anything of that dimension, so a name does not change it. */
    const char *chunks;
    /* Lengths of shards, given alike; each is made a whole number of chunks. "none": not sharded.
     * NULL: shards where the source has them. */
    const char *shards;
    const char *codecs; /* as in vv_array_meta; NULL: the source's */
    const char
        *keys; /* of chunks: "default/", "default.", "v2/", "v2."; NULL: the source's */
    /* Paths below the source of the arrays that the four above are for; the others are copied as
     * they are. NULL: for all. */
    const char *const *arrays;
    size_t array_count;
    uint64_t memory_bytes; /* of the region in hand and of as much again; 0: 128 MiB */
    uint32_t threads;      /* that copy stored values; 0: one a processor */
    bool overwrite;        /* replace what lies at the target */
    /* Go on with a copy that was stopped: arrays that are complete are passed by, and chunks that are
     * there. Only with the same source and the same changes as that one. */
    bool resume;
    /* Names the source, so that a copy is never taken up from another one. NULL: the root of the store;
     * stores without one have no name, and then resume is refused. */
    const char *source_name;
    void (*planned)(void *ctx, const char *path, const vv_array_meta *meta,
                    const vv_copy_plan *plan); /* once for each array; NULL: not wanted */
    vv_progress_fn
        progress; /* items are stored values and regions; bytes those decoded */
    void *ctx;
} vv_copy_options;
#define VV_COPY_OPTIONS_INIT ((vv_copy_options){ .struct_size = sizeof(vv_copy_options) })

typedef struct vv_copy_result {
    uint64_t groups, arrays;
    uint64_t arrays_stored; /* of these: copied as they are stored */
    uint64_t values;        /* stored values copied as they are */
    uint64_t linked;        /* of these: by name, within one block store */
    uint64_t bytes;         /* decoded and encoded again */
    uint64_t passed_by;     /* arrays that a stopped copy had completed */
} vv_copy_result;

/**
 * Copy an array, or a group with all below it, to another place of the same or another store.
 *
 * Where nothing of an array's encoding changes, its stored chunks are copied as they are, between
 * stores with blocks (HAMT, sharded) on one block store by name alone. Otherwise the array streams through memory in
 * regions that are whole chunks (shards) of the target; see vv_copy_plan. Zarr version 2 becomes 3.
 * Consolidated metadata is left out, since it would no longer be true.
 *
 * An array's metadata is written behind its last chunk, so whoever reads what a killed copy left
 * finds complete arrays only; a sharded store alone takes no chunk before it. Until the end a note lies at the target, which `resume` looks for.
 * The target is not flushed.
 * @return VV_OK, VV_ENOTFOUND (no node there), VV_EEXISTS (something lies at the target; an
 *         unfinished copy of another source or with other changes), VV_EINVAL (options, or the target
 *         lies within the source), VV_ELIMIT (a chunk does not fit into memory_bytes),
 *         VV_EUNSUPPORTED, VV_ECORRUPT, VV_EREADONLY, VV_EIO, VV_ENOMEM, or what progress returned
 */
VV_API vv_status vv_copy(vv_store *from, const char *from_path, vv_store *to,
                         const char *to_path, const vv_copy_options *options,
                         vv_copy_result *result, vv_error *err);

/* ---- differences ------------------------------------------------------------------------ */

typedef enum vv_diff_kind {
    VV_DIFF_NODE_ADDED = 0, /* node: what it is */
    VV_DIFF_NODE_REMOVED,
    VV_DIFF_NODE_KIND, /* an array became a group, or a group an array; node: what it is now */
    VV_DIFF_MEMBER, /* of the metadata */
    VV_DIFF_CHUNKS, /* of an array in both */
    VV_DIFF_VALUES, /* of an array in both, where values were asked for */
    VV_DIFF_KEY /* a key of no array, its name in path; one of the three counts is 1 */
} vv_diff_kind;

/** A difference; everything it points at is valid during the call. */
typedef struct vv_diff_finding {
    vv_diff_kind kind;
    const char *path; /* below both starts */
    vv_node_kind node;
    /* MEMBER: "attributes.units", "shape"; its JSON text before and after, NULL: it was not there. */
    const char *member;
    const char *before, *after;
    /* CHUNKS: stored values, and the smallest box that holds all elements they cover. VALUES: the
     * box that was compared. start and stop have ndim places. */
    uint64_t chunks_added, chunks_removed, chunks_changed;
    uint32_t ndim;
    const uint64_t *start, *stop;
    /* CHUNKS: the two are encoded in different ways, so that chunks cannot be compared one by one;
     * nothing is counted then. */
    bool encoded_differently;
    /* VALUES */
    uint64_t compared, differing; /* elements */
    double max_difference; /* the largest |after − before|; NaN: none, or no numbers */
} vv_diff_finding;
typedef vv_status (*vv_diff_fn)(void *ctx, const vv_diff_finding *finding, vv_error *err);

typedef struct vv_diff_options {
    size_t struct_size;
    bool values;             /* decode what differs, and compare elements */
    uint64_t memory_bytes;   /* for values; 0: 128 MiB */
    uint32_t threads;        /* 0: one a processor */
    vv_progress_fn progress; /* items are keys looked at */
    void *progress_ctx;
} vv_diff_options;
#define VV_DIFF_OPTIONS_INIT ((vv_diff_options){ .struct_size = sizeof(vv_diff_options) })

typedef struct vv_diff_result {
    uint64_t findings;
    uint64_t keys;             /* that differ */
    uint64_t values_differing; /* elements, where values were asked for */
    uint64_t hamt_nodes;       /* read by walking two HAMTs; 0 where keys were listed */
    bool same; /* nothing differs; with values: nothing that a reader could see */
} vv_diff_result;

/**
 * Compare two hierarchies, metadata and chunks.
 *
 * Two HAMT stores and one path: by vv_hamt_diff(), so that the cost is that of the difference.
 * Two sharded stores, version 2, and one path: shards that both have are passed by.
 * Otherwise every key of both is listed, and values are compared byte by byte, but for those that have one
 * name in the block stores of both. With values, chunks
 * that differ are decoded and compared, and arrays of the same shape and element type that are cut
 * into other chunks, or encoded otherwise, are compared as a whole: such a difference of form alone
 * leaves result->same true.
 *
 * Numbers differ unless they are equal or both NaN. Sharded stores are opened with stored_keys (sharded.h): else
 * what is not there may be found in another place.
 * @param visit  NULL: only the result is wanted
 * @return VV_OK (whatever was found), VV_ENOTFOUND (neither has a node there), VV_EINVAL (two paths, of
 *         which one has an array and the other a group), VV_ECORRUPT,
 *         VV_EUNSUPPORTED, VV_EIO, VV_ENOMEM, or what a callback returned
 */
VV_API vv_status vv_diff(vv_store *before, const char *before_path, vv_store *after,
                         const char *after_path, const vv_diff_options *options,
                         vv_diff_fn visit, void *ctx, vv_diff_result *result,
                         vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
