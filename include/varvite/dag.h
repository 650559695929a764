/*
 * Everything below a root: walk the blocks that links reach.
 *
 * Understood codecs: raw (no links), dag-cbor (tag-42 links; and, in a HAMT node of py-hamt's
 * in-memory store, bare multihashes in byte strings when bare_links is set), dag-pb (links).
 */
#ifndef VARVITE_DAG_H
#define VARVITE_DAG_H

#include <varvite/base.h>
#include <varvite/blockstore.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A block that the walk came to. When status is not VV_OK the block is missing or damaged,
 * data is empty, and nothing below it is visited.
 */
typedef struct vv_dag_visit {
    const vv_cid *cid;
    uint32_t codec;      /* how the block was read; says it for a bare multihash too */
    vv_bytes data;       /* borrowed until the callback returns */
    uint32_t depth;      /* 0 for a root */
    vv_status status;    /* VV_OK, VV_ENOTFOUND, VV_ECORRUPT, VV_EUNSUPPORTED, VV_EIO */
    const char *message; /* why, when status is not VV_OK */
} vv_dag_visit;
typedef vv_status (*vv_dag_fn)(void *ctx, const vv_dag_visit *visit, vv_error *err);

typedef struct vv_dag_options {
    size_t struct_size;
    bool
        bare_links; /* follow 34-byte blake3 multihashes in byte strings, also below CIDs;
                       * below a bare multihash they are followed in any case */
    bool leaves_unread;  /* raw blocks are reported by name only, data empty */
    size_t batch_blocks; /* blocks fetched at once; 0: 64 */
    size_t batch_bytes;  /* and at most about so many bytes held; 0: 64 MiB */
} vv_dag_options;
#define VV_DAG_OPTIONS_INIT ((vv_dag_options){ .struct_size = sizeof(vv_dag_options) })

/**
 * Visit every block below the roots once: depth first, parents before children, links in the
 * order they stand in.
 *
 * Memory: the batch, plus about 60 bytes a distinct block and 45 a link still to be followed.
 * The callback runs in the calling thread; any status but VV_OK ends the walk and is returned.
 * A block of a codec not listed above is VV_EUNSUPPORTED, one that does not parse VV_ECORRUPT.
 * @return VV_OK when every block was visited, whatever their statuses; VV_ENOMEM
 */
VV_API vv_status vv_dag_walk(vv_blockstore *store, const vv_cid *roots, size_t n,
                             const vv_dag_options *options, vv_dag_fn visit, void *ctx,
                             vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
