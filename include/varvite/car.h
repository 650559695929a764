/*
 * CAR files (content-addressable archives), versions 1 and 2: blocks that travel in one file.
 *
 * Source: the CARv1 and CARv2 specifications; docs/format/car.md.
 */
#ifndef VARVITE_CAR_H
#define VARVITE_CAR_H

#include <varvite/base.h>
#include <varvite/blockstore.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vv_car_options {
    size_t struct_size;
    uint32_t version;   /* 1 or 2; 0: 1. Version 2 needs an output that can seek. */
    bool no_index;      /* version 2 without its index (MultihashIndexSorted) */
    bool allow_missing; /* export: leave out blocks that are missing instead of failing */
    bool bare_links;    /* as in dag.h */
    vv_progress_fn progress; /* items are blocks */
    void *ctx;
} vv_car_options;
#define VV_CAR_OPTIONS_INIT ((vv_car_options){ .struct_size = sizeof(vv_car_options) })

/** Counts of an export or import. */
typedef struct vv_car_result {
    uint64_t blocks;
    uint64_t bytes;   /* of block data */
    uint64_t missing; /* with allow_missing */
    uint64_t already; /* import: blocks that the store had */
} vv_car_result;

/**
 * Write every block below the roots as a CARv1 stream: deterministic order, each block once.
 *
 * @return VV_OK, VV_ENOTFOUND (a block is missing; named), VV_ECORRUPT, VV_EIO
 */
VV_API vv_status vv_car_export_stream(vv_blockstore *store, const vv_cid *roots, size_t n,
                                      const vv_car_options *options, vv_sink sink,
                                      vv_car_result *result, vv_error *err);
/** Write to a file, version as asked; written under another name and renamed when complete. */
VV_API vv_status vv_car_export(vv_blockstore *store, const vv_cid *roots, size_t n,
                               const vv_car_options *options, const char *path,
                               vv_car_result *result, vv_error *err);

/**
 * Put the blocks of a CAR stream (either version) into a store, each checked against its CID.
 *
 * Blocks before a failure stay stored. Memory: one block and one batch.
 * @param roots  the header's roots, to be freed with vv_free(); NULL if not wanted
 * @return VV_OK, VV_ECORRUPT (offset in the message), VV_EUNSUPPORTED (another version),
 *         VV_ELIMIT (a block longer than VV_BLOCK_BYTES_MAX), VV_EIO
 */
VV_API vv_status vv_car_import_stream(vv_source source, vv_blockstore *store,
                                      const vv_car_options *options, vv_cid **roots,
                                      size_t *root_count, vv_car_result *result,
                                      vv_error *err);
VV_API vv_status vv_car_import(const char *path, vv_blockstore *store,
                               const vv_car_options *options, vv_cid **roots,
                               size_t *root_count, vv_car_result *result, vv_error *err);

/** A read-only block store over a CAR file; a file without an index is scanned once. */
VV_API vv_status vv_car_open(const char *path, vv_blockstore **out, vv_error *err);
/** The roots of a store that vv_car_open() made; borrowed from it. VV_EINVAL for another. */
VV_API vv_status vv_car_roots(vv_blockstore *car, const vv_cid **roots, size_t *n,
                              vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
