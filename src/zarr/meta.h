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

/* How many chunks of different lengths an array's dimensions may have together: their lengths are
 * held one by one. */
#define VVI_EDGES_MAX ((uint64_t)1 << 20)

/* A rectilinear grid: of each dimension whose chunks have different lengths, these and their ends;
 * NULL for one whose chunks are all alike. */
typedef struct vvi_edges {
    uint64_t *lengths[VV_NDIM_MAX];
    uint64_t *ends[VV_NDIM_MAX];
    uint64_t counts[VV_NDIM_MAX];
} vvi_edges;

/* The member "chunk_grid" of name "rectilinear" with its configuration, for an array of that shape.
 * Clear edges also after a failure. Returns VV_ECORRUPT, VV_EUNSUPPORTED, VV_ENOMEM. */
vv_status vvi_rectilinear_read(const vvi_json *settings, uint32_t ndim,
                               const uint64_t *shape, vvi_grid *grid, vvi_edges *edges,
                               vv_error *err);
void vvi_edges_clear(vvi_edges *edges);
/* Let the lists of lengths in a configuration reach as far as a new shape. units: lengths that have to
 * divide a chunk's, or NULL. Returns VV_ERANGE, VV_ENOMEM. */
vv_status vvi_rectilinear_extend(vvi_json *settings, const uint64_t *shape,
                                 const uint64_t *units, vv_error *err);
/* Its configuration for an array that is to be made. Returns VV_EINVAL, VV_ENOMEM. */
vv_status vvi_rectilinear_write(const vv_array_meta *wanted, vvi_json *settings,
                                vv_error *err);

/* An array's metadata, read. Clear with vvi_meta_clear(); zero is an empty one. */
typedef struct vvi_meta {
    vvi_json *document; /* all of it, also what we do not use */
    vvi_dtype dtype;
    vvi_grid grid; /* points into edges */
    vvi_edges edges;
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
/* The chain for chunks of another shape than the one that meta's own is for. */
vv_status vvi_meta_chain_new(const vvi_meta *meta, const uint64_t *chunk_shape,
                             vvi_codec_chain **out, vv_error *err);

/* The document of an array that is to be made. Returns VV_EINVAL (names the member), VV_ENOMEM. */
vv_status vvi_meta_document(const vv_array_meta *wanted, vvi_json **out, vv_error *err);

/* The document of a group; attributes may be NULL. */
vv_status vvi_group_document(const char *attributes, vvi_json **out, vv_error *err);

/* Does a document state this zarr_format? VV_ECORRUPT, VV_EUNSUPPORTED otherwise. */
vv_status vvi_check_format(const vvi_json *document, int64_t wanted, vv_error *err);
/* VV_ECORRUPT: a member is of another kind than wanted. */
vv_status vvi_meta_wrong(const char *member, const vvi_json *value, const char *wanted,
                         vv_error *err);

/* What a document describes; checks zarr_format, node_type and, for a group, its members.
 * Returns VV_ECORRUPT, VV_EUNSUPPORTED. */
vv_status vvi_document_kind(const vvi_json *document, vv_node_kind *out, vv_error *err);

/* Parse attributes as a caller gives them: an object; NULL: an empty one. VV_EINVAL otherwise. */
vv_status vvi_attributes_parse(const char *text, vvi_json **out, vv_error *err);

#endif
