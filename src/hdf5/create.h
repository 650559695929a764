/* Beginning a recording in an HDF5 file, for rooms that do not know libhdf5. */
#ifndef VVI_HDF5_CREATE_H
#define VVI_HDF5_CREATE_H

#include "recorder/sink.h"

/* Make the file with no rows and the sink that writes into it. plan must outlive the sink. */
vv_status vvi_hdf5_sink_create(const char *path, const vvi_plan *plan, vvi_sink **out,
                               vv_error *err);

#endif
