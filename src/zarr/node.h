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

/* What the store holds of a node. Clear with vvi_zarr_node_clear(); zero is an empty one. */
typedef struct vvi_zarr_node {
    vv_node_kind kind;
    uint32_t format;    /* 3 or 2, of Zarr */
    vvi_json *document; /* zarr.json; .zarray or .zgroup */
    vvi_json *zattrs;   /* of version 2; NULL: none */
} vvi_zarr_node;

/* Read the node at a clean path. Returns VV_ENOTFOUND, VV_ECORRUPT, VV_EUNSUPPORTED, VV_EIO. */
vv_status vvi_zarr_node_find(vv_store *store, const char *path, vvi_zarr_node *out,
                             vv_error *err);
void vvi_zarr_node_clear(vvi_zarr_node *node);
/* Take its document as one of version 3 out of it. Returns VV_ECORRUPT, VV_EUNSUPPORTED. */
vv_status vvi_zarr_node_document(vvi_zarr_node *node, vvi_json **out, vv_error *err);
/* VV_EUNSUPPORTED for a node of version 2: those are not written. */
vv_status vvi_zarr_node_check_write(const vvi_zarr_node *node, const char *path,
                                    vv_error *err);

/* Put a document at a clean path: groups above it are made; with overwrite, what lay at the path
 * and below it is deleted, without it VV_EEXISTS. */
vv_status vvi_node_save_new(vv_store *store, const char *path, const vvi_json *document,
                            bool overwrite, vv_error *err);

/* Make the groups above a clean path that are not there, and drop what those that are say of the nodes
 * below them. */
vv_status vvi_zarr_make_parents(vv_store *store, const char *path, vv_error *err);
/* The latter alone. */
vv_status vvi_zarr_touch_parents(vv_store *store, const char *path, vv_error *err);
/* Delete a node and all below it, documents first, so that no reader finds a part of it; move.c. */
vv_status vvi_zarr_delete_tree(vv_store *store, const char *path, vv_error *err);
/* Delete every key below a clean path. */
vv_status vvi_zarr_delete_below(vv_store *store, const char *path, vv_error *err);

/* Replace the document of a node that is there. What groups above it say of it is dropped. */
vv_status vvi_node_save(vv_store *store, const char *path, const vvi_json *document,
                        vv_error *err);

#endif
