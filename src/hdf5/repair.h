/* Files that a killed writer left. */
#ifndef VVI_HDF5_REPAIR_H
#define VVI_HDF5_REPAIR_H

#include "hdf5/driver.h"
#include "recorder/plan.h"

/* Is all of a file that leads to rows there and whole, and are chunks inside the file? Reads it as its journal says. */
vv_status vvi_hdf5_inspect(const char *path, uint64_t *rows, vv_error *err);

/*
 * Make a recording of our own, whose journal is open and locked, a closed file. It must have been inspected. The journal
 * stays, open and of no meaning.
 */
vv_status vvi_hdf5_mend(vvi_hdf5_file *file, vv_repair_report *report, vv_error *err);

/* Where the recording's id stands in a closed or mended file, and its digits, into file->id_at and id. */
vv_status vvi_hdf5_find_id(vvi_hdf5_file *file, char *id, vv_error *err);

/* An open file of the path, in memory of its own. */
vv_status vvi_hdf5_file_new(const char *path, vvi_hdf5_file **out, vv_error *err);

#endif
