/* A tree written as one netCDF-4 file. */
#ifndef VVI_DATASET_NETCDF_WRITER_H
#define VVI_DATASET_NETCDF_WRITER_H

#include "dataset/source.h"

#include <varvite/dataset.h>

typedef struct vvi_netcdf_writer {
    vvi_source *source;
    const vv_export_options *options;
    vv_import_result *result;
    int ncid;
    int *groups; /* ncid of each group of the tree */
    uint64_t bytes_total;
    uint64_t told_ns;
} vvi_netcdf_writer;

/* Refuse by name what netCDF cannot hold; may name dimensions that have no name. */
vv_status vvi_netcdf_can_hold(vvi_source *source, vv_error *err);
/* path must not exist. What was written of it is left there on failure. */
vv_status vvi_netcdf_write(vvi_source *source, const char *path,
                           const vv_export_options *options, vv_import_result *result,
                           vv_error *err);

/* Define groups, dimensions, variables and attributes; the lock is held. */
vv_status vvi_netcdf_define(vvi_netcdf_writer *self, vv_error *err);

#endif
