/* Recorders that write Zarr: the public calls. */
#include "recorder/same.h"
#include "recorder/zarr_sink.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"

#include <string.h>

vv_status vv_recorder_create_zarr(vv_store *store, const char *path,
                                  const vv_schema *schema,
                                  const vv_recorder_options *options,
                                  vv_recorder_root_fn root, void *root_ctx,
                                  vv_recorder **out, vv_error *err)
{
    vv_schema *copy = NULL;
    vv_buf json = VV_BUF_INIT;
    vvi_sink *sink = NULL;
    vvi_plan plan = { .group_count = 0 };
    vv_status status = vvi_schema_copy(schema, &copy, err);

    if (!status)
        status = vvi_recorder_plan(copy, options, &plan, err);
    if (!status)
        status = vv_schema_to_json(copy, &json, err);
    if (!status)
        status = vvi_zarr_sink_create(store, path, &plan, (const char *)json.data, root,
                                      root_ctx, &sink, err);
    vv_buf_clear(&json);
    if (!status)
        return vvi_recorder_start(copy, &plan, sink, NULL, out, err);
    vvi_plan_clear(&plan);
    vv_schema_free(copy);
    return status;
}

/* The schema to go on by. */
static vv_status choose_schema(vv_store *store, const char *path, const vv_schema *given,
                               vv_schema **out, vv_error *err)
{
    vv_buf json = VV_BUF_INIT;
    vv_schema *there = NULL;
    vv_status status = vvi_zarr_recording_schema(store, path, &json, err);

    if (!status) {
        status = vv_schema_from_json((const char *)json.data, &there, err);
        if (status == VV_EINVAL)
            status = vvi_wrap(err, VV_ECORRUPT, "recording '%s': its schema", path);
    }
    if (!status)
        status = vvi_schema_to_go_on(given, there, out, err);
    vv_schema_free(there);
    vv_buf_clear(&json);
    return status;
}

/* Start, and free what says where it goes on, which the recorder does not keep. The plan is its own from then on. */
static vv_status start(vv_schema *schema, vvi_plan *plan, vvi_sink *sink,
                       vvi_resume *resume, vv_recorder **out, vv_error *err)
{
    size_t bytes = plan->group_count * sizeof(*plan->groups);
    vvi_plan counts = { .groups = vvi_alloc(bytes), .group_count = plan->group_count };
    vv_status status;

    if (!counts.groups) {
        sink->ops->free(sink, false);
        vvi_resume_clear(plan, resume);
        vvi_plan_clear(plan);
        vv_schema_free(schema);
        return vvi_fail_nomem(err, bytes);
    }
    memcpy(counts.groups, plan->groups, bytes);
    status = vvi_recorder_start(schema, plan, sink, resume, out, err);
    vvi_resume_clear(&counts, resume);
    vvi_free(counts.groups);
    return status;
}

vv_status vv_recorder_append_zarr(vv_store *store, const char *path,
                                  const vv_schema *schema, int64_t next_step,
                                  const vv_recorder_options *options,
                                  vv_recorder_root_fn root, void *root_ctx,
                                  vv_recorder **out, vv_error *err)
{
    vv_schema *own = NULL;
    vvi_sink *sink = NULL;
    vvi_plan plan = { .group_count = 0 };
    vvi_resume resume = { .next_step = 0 };
    vv_status status;

    if (next_step < -1)
        return vvi_fail(err, VV_EINVAL, "step %" PRId64 " is negative", next_step);
    status = choose_schema(store, path, schema, &own, err);
    if (!status)
        status = vvi_recorder_plan(own, options, &plan, err);
    if (!status)
        status = vvi_zarr_sink_append(store, path, &plan, next_step, root, root_ctx,
                                      &sink, &resume, err);
    if (!status)
        return start(own, &plan, sink, &resume, out, err);
    vvi_resume_clear(&plan, &resume);
    vvi_plan_clear(&plan);
    vv_schema_free(own);
    return status;
}

vv_status vv_recorder_repair_zarr(vv_store *store, const char *path, bool dry_run,
                                  vv_repair_report *out, vv_error *err)
{
    vv_repair_report report = VV_REPAIR_REPORT_INIT;
    vv_recorder *recorder = NULL;
    bool is_closed = true;

    if (out)
        VVI_TRY(vvi_check_result(out, err));
    VVI_TRY(vvi_zarr_recording_state(store, path, &is_closed, &report.rows, err));
    report.was_open = !is_closed;
    if (!is_closed && !dry_run) {
        /* Going on cuts off what no commit covered, and closing says that this is all. */
        VVI_TRY(vv_recorder_append_zarr(store, path, NULL, -1, NULL, NULL, NULL,
                                        &recorder, err));
        VVI_TRY(vv_recorder_close(recorder, err));
        report.changed = true;
    }
    if (out)
        vvi_write_result(out, &report, sizeof(report));
    return VV_OK;
}
