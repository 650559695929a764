/* HDF5 files of recordings, in a build without the room hdf5. */
#include <varvite/recorder.h>

#include "util/error.h"

static vv_status fail(vv_error *err)
{
    return vvi_fail(err, VV_EUNSUPPORTED, "this build writes no HDF5 files");
}

vv_status vv_recorder_create_hdf5(const char *path, const vv_schema *schema,
                                  const vv_recorder_options *options, vv_recorder **out,
                                  vv_error *err)
{
    (void)path, (void)schema, (void)options, (void)out;
    return fail(err);
}

vv_status vv_recorder_append_hdf5(const char *path, const vv_schema *schema,
                                  int64_t next_step, const vv_recorder_options *options,
                                  vv_recorder **out, vv_error *err)
{
    (void)path, (void)schema, (void)next_step, (void)options, (void)out;
    return fail(err);
}

vv_status vv_traj_repair(const char *path, bool dry_run, vv_repair_report *out,
                         vv_error *err)
{
    (void)path, (void)dry_run, (void)out;
    return fail(err);
}
