/* Nodes of a hierarchy: paths, documents in the store. */
#ifndef VVI_ZARR_NODE_H
#define VVI_ZARR_NODE_H

#include "zarr/meta.h"

/* The path without slashes at its ends. VV_EINVAL for names that no node may have: empty, or of
 * full stops only. Free with vvi_free(). */
vv_status vvi_path_clean(const char *path, char **out, vv_error *err);

/* Append "path/name", or "name" at the root, terminated. */
vv_status vvi_path_key(const char *path, const char *name, vv_buf *out, vv_error *err);

/* Parse a document; what is wrong is said with its key in front. */
vv_status vvi_document_parse(const char *key, vv_bytes text, vvi_json **out,
                             vv_error *err);

/* Read the document at a clean path. Returns VV_ENOTFOUND, VV_ECORRUPT, VV_EUNSUPPORTED (a Zarr
 * version 2 node), VV_EIO. */
vv_status vvi_node_load(vv_store *store, const char *path, vvi_json **out, vv_error *err);

/* Put a document at a clean path: groups above it are made; with overwrite, what lay at the path
 * and below it is deleted, without it VV_EEXISTS. */
vv_status vvi_node_save_new(vv_store *store, const char *path, const vvi_json *document,
                            bool overwrite, vv_error *err);

#endif
