#include "out.h"
#include "progress.h"
#include "stores.h"

#include <varvite/local.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct fsck {
    cli_progress progress; /* first: the callbacks share one context */
    cli_call *call;
} fsck;

static const char *kind_name(const vv_fsck_finding *finding)
{
    switch (finding->kind) {
    case VV_FSCK_TORN_TAIL:
        return "torn-tail";
    case VV_FSCK_DAMAGED_BLOCK:
        return "damaged-block";
    case VV_FSCK_DAMAGED_HEADER:
        return "damaged-header";
    case VV_FSCK_INDEX_MISSING:
        return "index-missing";
    case VV_FSCK_INDEX_WRONG:
        return "index-wrong";
    case VV_FSCK_FILE:
        break;
    }
    return "file";
}

static vv_status report(void *ctx, const vv_fsck_finding *finding)
{
    fsck *self = ctx;

    progress_hide();
    if (self->call->json) {
        json_object(NULL);
        json_text("kind", kind_name(finding));
        json_text("file", finding->file);
        json_uint("offset", finding->offset);
        json_uint("length", finding->length);
        if (finding->has_cid)
            json_cid("cid", &finding->cid);
        json_text("message", finding->message);
        json_end();
    } else {
        out_format("%s  ", kind_name(finding));
        out_name(finding->file);
        out_format(" at %llu, %llu bytes: ", (unsigned long long)finding->offset,
                   (unsigned long long)finding->length);
        out_name(finding->message);
        out_text("\n");
    }
    return out_failed() ? VV_ECANCELED : VV_OK;
}

static void summary(cli_call *call, const vv_fsck_result *result, vv_status status)
{
    if (call->json) {
        json_end();
        json_bool("ok", status == VV_OK);
        json_uint("blocks_checked", result->blocks_checked);
        json_uint("bytes_checked", result->bytes_checked);
        json_uint("findings", result->findings);
        json_uint("repaired", result->repaired);
        json_end();
        return;
    }
    if (status == VV_OK || status == VV_ECORRUPT)
        out_format("%s checked (%s), %s, %llu repaired\n",
                   cli_count_text(result->blocks_checked, "block"),
                   cli_bytes_text(result->bytes_checked),
                   cli_count_text(result->findings, "finding"),
                   (unsigned long long)result->repaired);
}

vv_status cmd_fsck(cli_call *call)
{
    vv_fsck_options options = VV_FSCK_OPTIONS_INIT;
    vv_fsck_result result = { 0 };
    fsck self = { .call = call };
    char *url = NULL;

    vv_status status = cli_store_url(call, &url);
    if (status)
        return status;
    const char *directory = strncmp(url, "local:", 6) == 0 ? url + 6 : url;
    struct stat info;
    bool is_file = stat(directory, &info) == 0 && S_ISREG(info.st_mode);
    if (is_file || strncmp(url, "car:", 4) == 0 || strncmp(url, "mem:", 4) == 0) {
        status = cli_usage(call, "%s: only an embedded store has files to check", url);
        goto done;
    }
    progress_begin(&self.progress, call, "fsck");
    options.repair = cli_has(call, "repair");
    options.quick = cli_has(call, "quick");
    options.report = report;
    options.progress = progress_tick;
    options.ctx = &self;
    if (call->json) {
        json_object(NULL);
        json_list("found");
    }
    status = vv_local_fsck(directory, &options, &result, &call->err);
    progress_hide();
    summary(call, &result, status);

done:
    free(url);
    return status;
}
