/* libnetcdf and libhdf5, both behind vvi_hdf5_lock(): neither may run in two threads at once. */
#ifndef VVI_DATASET_NETCDF_H
#define VVI_DATASET_NETCDF_H

#include "dataset/source.h"
#include "util/thread.h"

#include <netcdf.h>

/* "context: what libnetcdf says" with the status that a caller can act on. */
vv_status vvi_fail_netcdf(vv_error *err, int code, const char *format, ...)
    VVI_PRINTF(3, 4);

vv_dtype vvi_dtype_of_nc(nc_type type);  /* VV_DTYPE_NONE for text and user types */
nc_type vvi_nc_of_dtype(vv_dtype dtype); /* NC_NAT where netCDF has none */

/* What libnetcdf leaves out in silence. */
typedef struct vvi_hdf5_item {
    char *path; /* of a data set, "a/b" */
    const char *reason;
} vvi_hdf5_item;
typedef struct vvi_hdf5_items {
    vvi_hdf5_item *items;
    size_t count, cap;
} vvi_hdf5_items;

/*
 * Walk an HDF5 file before libnetcdf does, with the lock held: refuse what would make libnetcdf go
 * round in circles or read other files of the machine, and list the data sets that no Zarr array
 * can hold.
 */
vv_status vvi_hdf5_check(const char *path, vvi_hdf5_items *unsupported, vv_error *err);
void vvi_hdf5_items_clear(vvi_hdf5_items *items);

#endif
