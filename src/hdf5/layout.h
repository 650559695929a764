/* How a recording is laid in an HDF5 file: docs/format/trajectory.md. With libhdf5's lock held. */
#ifndef VVI_HDF5_LAYOUT_H
#define VVI_HDF5_LAYOUT_H

#include "hdf5/driver.h"
#include "hdf5/filters.h"
#include "recorder/plan.h"

#define VVI_HDF5_SCHEMA    "varvite_schema"
#define VVI_HDF5_NEXT_STEP "next_step"
#define VVI_HDF5_ROWS      "rows"
#define VVI_HDF5_WRITTEN   "written"
#define VVI_HDF5_ID        32 /* hexadecimal digits that tell a recording from others */
#define VVI_HDF5_CHUNK_MAX ((uint64_t)1 << 31)
/* Rows of PLACED this long are compressed one by one; shorter ones are not worth a chunk each. */
#define VVI_HDF5_PLACED_CHUNK 4096

/* Chunked, or in one piece? */
bool vvi_hdf5_is_chunked(const vvi_plan_group *group, const vvi_plan_leaf *leaf);
/* The pipeline of a leaf's chunks. */
void vvi_hdf5_leaf_pipeline(const vvi_plan *plan, const vvi_plan_group *group,
                            const vvi_plan_leaf *leaf, vvi_pool *scratch,
                            vvi_hdf5_pipeline *out);

/* Make all that a recording has before its first row, in a file that libhdf5 has just created. id: the digits. */
vv_status vvi_hdf5_layout(const vvi_hdf5_file *file, hid_t id, const vvi_plan *plan,
                          const char *recording, vv_error *err);
/* The address of a data set in one piece; 0: it has none. */
uint64_t vvi_hdf5_address_of(hid_t in, const char *name);
/* Set attributes of the root: actual_steps, and those of the caller, a JSON object or NULL. */
vv_status vvi_hdf5_set_attributes(const vvi_hdf5_file *file, hid_t id,
                                  int64_t actual_steps, const char *attributes,
                                  vv_error *err);

/* The schema's text, terminated: docs/format/trajectory.md, "The schema". */
vv_status vvi_hdf5_schema_text(const vvi_plan *plan, const char *recording, vv_buf *out,
                               vv_error *err);
/* Where the id's digits stand in it. */
size_t vvi_hdf5_schema_id(void);
const char *vvi_hdf5_codec_name(vv_compression_codec codec);

#endif
