/* Recordings as Zarr hierarchies, in a build whose recorder has no such sink. */
#include <varvite/recorder.h>

#include "util/error.h"

vv_status vv_recorder_create_zarr(vv_store *store, const char *path,
                                  const vv_schema *schema,
                                  const vv_recorder_options *options,
                                  vv_recorder_root_fn root, void *root_ctx,
                                  vv_recorder **out, vv_error *err)
{
    (void)store, (void)path, (void)schema, (void)options;
    (void)root, (void)root_ctx, (void)out;
    return vvi_fail(err, VV_EUNSUPPORTED, "this build records into no store");
}

vv_status vv_recorder_append_zarr(vv_store *store, const char *path,
                                  const vv_schema *schema, int64_t next_step,
                                  const vv_recorder_options *options,
                                  vv_recorder_root_fn root, void *root_ctx,
                                  vv_recorder **out, vv_error *err)
{
    (void)next_step;
    return vv_recorder_create_zarr(store, path, schema, options, root, root_ctx, out,
                                   err);
}
