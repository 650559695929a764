/* traj repair: make a file that was not closed an ordinary one. */
#include "out.h"
#include "traj.h"

#include <varvite/recorder.h>

#include <varvite/store.h>

#include <inttypes.h>
#include <sys/stat.h>

static void print_report(const cli_call *call, const vv_repair_report *report, bool dry)
{
    if (!report->was_open && !report->journal) {
        out_format("%s\n", report->changed ? "was closed; cleaned up"
                                           : "is closed; nothing to do");
        return;
    }
    out_name(call->args[0]);
    out_format(": %s%s\n", dry ? "would be closed" : "closed",
               report->journal ? ", with the last flush brought into it" : "");
    out_format("rows       %" PRIu64 " of all groups\n", report->rows);
    if (report->bytes_freed)
        out_format("given back %s\n", cli_bytes_text(report->bytes_freed));
}

/* A file, or the directory of a recording in Zarr. */
static vv_status repair(cli_call *call, bool dry, vv_repair_report *report)
{
    const char *path = call->args[0];
    vv_store *store = NULL;
    struct stat facts;

    if (stat(path, &facts) != 0 || !S_ISDIR(facts.st_mode))
        return vv_traj_repair(path, dry, report, &call->err);
    vv_status status = vv_directory_store_open(path, dry, &store, &call->err);
    if (!status)
        status = vv_recorder_repair_zarr(store, "", dry, report, &call->err);
    vv_store_free(store);
    return status ? cli_wrap(call, status, "%.200s", path) : VV_OK;
}

vv_status cmd_traj_repair(cli_call *call)
{
    vv_repair_report report = VV_REPAIR_REPORT_INIT;
    bool dry = cli_has(call, "dry-run");
    vv_status status = repair(call, dry, &report);

    if (status)
        return status;
    if (!call->json) {
        print_report(call, &report, dry);
        return VV_OK;
    }
    json_object(NULL);
    json_text("file", call->args[0]);
    json_bool("was_open", report.was_open);
    json_bool("journal", report.journal);
    json_uint("rows", report.rows);
    json_uint("bytes_freed", report.bytes_freed);
    json_bool("changed", report.changed);
    json_end();
    return VV_OK;
}
