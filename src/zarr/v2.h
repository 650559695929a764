/*
 * Zarr version 2: its documents as those of version 3, which the rest of this room works with.
 *
 * Source: Zarr storage specification version 2; what zarr-python writes beyond it (dimension_separator,
 * text of any length as objects with a filter, _ARRAY_DIMENSIONS of xarray).
 */
#ifndef VVI_ZARR_V2_H
#define VVI_ZARR_V2_H

#include "zarr/meta.h"

/* The document of an array (.zarray) or a group (.zgroup) with its attributes (.zattrs), which may
 * be NULL. Returns VV_ECORRUPT (names the member), VV_EUNSUPPORTED (by name), VV_ENOMEM. */
vv_status vvi_v2_array(const vvi_json *zarray, const vvi_json *zattrs, vvi_json **out,
                       vv_error *err);
vv_status vvi_v2_group(const vvi_json *zgroup, const vvi_json *zattrs, vvi_json **out,
                       vv_error *err);
/* The attributes alone, "{}" for none. */
vv_status vvi_v2_attributes(const vvi_json *document, const vvi_json *zattrs,
                            vvi_json **out, vv_error *err);

/* The type that NumPy names "<i4", "|S10", "<M8[10s]"; *order is its first character. "|O" is
 * VV_EUNSUPPORTED, as is all that has no type here. */
vv_status vvi_v2_dtype(const char *text, vvi_dtype *out, char *order, vv_error *err);

#endif
