/*
 * Metadata documents: zarr.json ↔ what this room works with.
 *
 * Source: Zarr v3 core specification, "Array metadata" and "Group metadata"; docs/format/zarr.md.
 */
#ifndef VVI_ZARR_META_H
#define VVI_ZARR_META_H

#include <varvite/zarr.h>

#include "codec/codec.h"
#include "dtype/dtype.h"
#include "grid/grid.h"
#include "json/json.h"

/* An array's metadata, read. Clear with vvi_meta_clear(); zero is an empty one. */
typedef struct vvi_meta {
    vvi_json *document; /* all of it, also what we do not use */
    vvi_dtype dtype;
    vvi_grid grid;
    vvi_key_form keys;
    vv_buf fill; /* one element; see vvi_fill_read() */
    vvi_codec_chain *chain;
    const char **dimension_names; /* NULL: none; texts belong to document */
} vvi_meta;

/*
 * Read an array's document, which becomes the meta's, also on failure. Returns VV_ECORRUPT (names
 * the member), VV_EUNSUPPORTED (by name), VV_ENOMEM.
 */
vv_status vvi_meta_read(vvi_meta *meta, vvi_json *document, vv_error *err);
void vvi_meta_clear(vvi_meta *meta);

/* The document of an array that is to be made. Returns VV_EINVAL (names the member), VV_ENOMEM. */
vv_status vvi_meta_document(const vv_array_meta *wanted, vvi_json **out, vv_error *err);

/* The document of a group; attributes may be NULL. */
vv_status vvi_group_document(const char *attributes, vvi_json **out, vv_error *err);

/* What a document describes; checks zarr_format, node_type and, for a group, its members.
 * Returns VV_ECORRUPT, VV_EUNSUPPORTED. */
vv_status vvi_document_kind(const vvi_json *document, vv_node_kind *out, vv_error *err);

/* Parse attributes as a caller gives them: an object; NULL: an empty one. VV_EINVAL otherwise. */
vv_status vvi_attributes_parse(const char *text, vvi_json **out, vv_error *err);

#endif
