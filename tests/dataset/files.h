/* netCDF files made for the tests. */
#ifndef VV_TESTS_DATASET_FILES_H
#define VV_TESTS_DATASET_FILES_H

#include "support/support.h"

#include <netcdf.h>

#define assert_nc(expr_)                                    \
    do {                                                    \
        int code_ = (expr_);                                \
        if (code_)                                          \
            fail_msg("%s: %s", #expr_, nc_strerror(code_)); \
    } while (0)

/* directory/name; one of a few static buffers. */
const char *in(const char *directory, const char *name);

/*
 * A small data set with records, packed and filled variables, scalars, times, coordinates and
 * attributes of every type that the format knows. mode: as nc_create() takes it.
 */
void make_climate(const char *path, int mode);
/* Each numeric type of the format with its extreme values, in odd shapes. */
void make_types(const char *path, int mode);
/* netCDF-4: nested groups, dimensions of parents, strings, deflated chunks, big-endian. */
void make_groups(const char *path);
/* char variables: a name a station, with a fill value, and a container without dimensions. */
void make_stations(const char *path, int mode);
/* rows × 512 × 512 floats that compress by half, written row by row. deflated: in chunks of a row. */
void make_large(const char *path, int mode, size_t rows, bool deflated);

/* Import into a new memory store, with defaults where options is NULL. */
vv_store *imported(const char *path, const vv_import_options *options);
/* Import into store, compare, and fail on any difference. */
void assert_same(const char *path, vv_store *store);
/* vv_difference_fn that prints what it is told; ctx: NULL, or a buffer of 512 for the first. */
vv_status print_difference(void *ctx, const vv_difference *difference);

#endif
