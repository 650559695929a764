/* traj repair: make a file that was not closed an ordinary one. */
#include "out.h"
#include "traj.h"

#include <varvite/recorder.h>

#include <inttypes.h>

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

vv_status cmd_traj_repair(cli_call *call)
{
    vv_repair_report report = { 0 };
    bool dry = cli_has(call, "dry-run");
    vv_status status = vv_traj_repair(call->args[0], dry, &report, &call->err);

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
