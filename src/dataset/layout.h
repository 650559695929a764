/*
 * What JSON cannot say about a netCDF group: kept in the group's attribute "_nc_layout", which
 * xarray hides as it hides every group attribute that begins with "_nc". See docs/import.md.
 */
#ifndef VVI_DATASET_LAYOUT_H
#define VVI_DATASET_LAYOUT_H

#include "dataset/source.h"

#define VVI_LAYOUT_NAME "_nc_layout"

/* All attributes of a list as a JSON object. */
vv_status vvi_attrs_to_json(const vvi_attrs *attrs, vv_dtype owner, vvi_json **out,
                            vv_error *err);

/* The layout of a group of the tree: of its attributes, and of what is wanted in it. */
vv_status vvi_layout_make(const vvi_tree *tree, const vvi_group *group, vvi_json **out,
                          vv_error *err);

/* Attributes from JSON; hints is the layout's object for their owner, or NULL. */
vv_status vvi_attrs_from_json(vvi_attrs *attrs, const vvi_json *object, vv_dtype owner,
                              const vvi_json *hints, vv_error *err);

/* The layout among a group's attributes, if it is one that we know; else NULL. */
const vvi_json *vvi_layout_find(const vvi_json *attributes);
/* Its object for a variable, NULL if none; *place: where it stands among the variables. */
const vvi_json *vvi_layout_variable(const vvi_json *layout, const char *name,
                                    size_t *place);
/* Its dimensions, added to the group. What does not look like one is left out. */
vv_status vvi_layout_dims(const vvi_json *layout, vvi_group *group, vv_error *err);

#endif
