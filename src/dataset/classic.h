/* The header of a classic netCDF file, checked before libnetcdf sees the file. */
#ifndef VVI_DATASET_CLASSIC_H
#define VVI_DATASET_CLASSIC_H

#include "util/error.h"

/*
 * Check the header of a CDF-1, CDF-2 or CDF-5 file: counts, names, types and dimension numbers
 * within bounds, and every variable's bytes within the file. Reads the header once and allocates
 * for dimensions and variables only what their bytes in the file justify.
 *
 * Returns VV_ECORRUPT (what is wrong, and where), VV_EIO, VV_ENOMEM.
 */
vv_status vvi_classic_check(int fd, uint64_t file_bytes, vv_error *err);

#endif
