/* traj check: is everything whole? */
#include "out.h"
#include "progress.h"
#include "traj.h"

#include <inttypes.h>

typedef struct checking {
    cli_call *call;
    cli_progress progress;
} checking;

static vv_status show_problem(void *ctx, const char *where, const char *what,
                              vv_error *err)
{
    const checking *self = ctx;

    (void)err;
    progress_hide();
    if (self->call->json) {
        json_object(NULL);
        json_text("where", where);
        json_text("what", what);
        json_end();
    } else {
        out_name(*where ? where : "file");
        out_text(": ");
        out_name(what);
        out_text("\n");
    }
    return out_failed() ? VV_ECANCELED : VV_OK;
}

static vv_status tick(void *ctx, const vv_progress *at)
{
    return progress_tick(&((checking *)ctx)->progress, at);
}

/* The end of the JSON object, or a line for people. */
static void conclude(cli_call *call, const vv_traj_check_report *report)
{
    if (call->json) {
        json_bool("open", report->is_open);
        json_bool("written", report->is_written);
        json_uint("groups", report->groups);
        json_uint("leaves", report->leaves);
        json_uint("chunks", report->chunks);
        json_uint("bytes", report->bytes);
        json_bool("good", !report->problems && !report->is_open);
        json_end();
        return;
    }
    out_format("%s, ", cli_count_text(report->groups, "group"));
    if (report->leaves == 1)
        out_text("1 leaf");
    else
        out_format("%" PRIu64 " leaves", report->leaves);
    out_format(", %s, %s decoded: %s\n", cli_count_text(report->chunks, "chunk"),
               cli_bytes_text(report->bytes),
               report->problems ? cli_count_text(report->problems, "problem")
                                : "all is whole");
}

vv_status cmd_traj_check(cli_call *call)
{
    vv_traj_check_options options = VV_TRAJ_CHECK_OPTIONS_INIT;
    vv_traj_check_report report = VV_TRAJ_CHECK_REPORT_INIT;
    checking self = { .call = call };
    vv_traj *traj = NULL;
    vv_status status = traj_open(call, call->args[0], &traj);

    if (status)
        return status;
    options.problem = show_problem;
    options.progress = tick;
    options.ctx = &self;
    if (call->json) {
        json_object(NULL);
        json_text("file", call->args[0]);
        json_list("problems");
    }
    progress_begin(&self.progress, call, "check");
    status = vv_traj_check(traj, &options, &report, &call->err);
    progress_hide();
    if (call->json)
        json_end();
    if (!status)
        conclude(call, &report);
    else if (call->json)
        json_end();
    vv_traj_close(traj);
    if (status)
        return status;
    if (report.problems)
        return cli_fail(call, VV_ENOTFOUND, "%.200s: %s%s", call->args[0],
                        cli_count_text(report.problems, "problem"),
                        report.is_written ? "; a writer has it open now"
                        : report.is_open  ? "; its writer did not close it"
                                          : "");
    if (report.is_open)
        return cli_fail(
            call, VV_ENOTFOUND,
            report.is_written
                ? "%.200s is being written: a writer has it open"
                : "%.200s was not closed: its writer was killed, or locks nothing; "
                  "'varvite traj repair' makes it an ordinary file",
            call->args[0]);
    return VV_OK;
}
