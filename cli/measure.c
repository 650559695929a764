#include "measure.h"

#include "out.h"

#include <varvite/metrics.h>

#include <stdio.h>
#include <string.h>

/* Spans kept for a collector: some 50 MB. */
#define SPANS_MAX 100000

static bool is_collector(const char *where)
{
    return strncmp(where, "otlp:", 5) == 0;
}

void measure_begin(cli_call *call)
{
    const char *where = cli_text(call, "metrics");

    if (!where)
        return;
    vv_metrics_enable(true);
    vv_metrics_reset(call->command->name);
    if (is_collector(where))
        vv_metrics_keep_spans(SPANS_MAX);
}

static bool ends_in(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static vv_status write_file(cli_call *call, const char *path, vv_bytes text)
{
    cli_result_file file;
    vv_status status;

    if (strcmp(path, "-") == 0) {
        fflush(stdout);
        return fwrite(text.data, 1, text.len, stderr) == text.len
                   ? VV_OK
                   : cli_fail_errno(call, "standard error");
    }
    status = result_open(call, path, &file);
    if (!status)
        status = result_write(&file, text);
    if (!status)
        status = result_commit(&file);
    result_clear(&file);
    return status;
}

vv_status measure_end(cli_call *call)
{
    const char *where = cli_text(call, "metrics");
    vv_buf text = VV_BUF_INIT;
    vv_status status;

    if (!where)
        return VV_OK;
    if (is_collector(where)) {
        status = measure_send(call);
    } else {
        status = ends_in(where, ".prom") ? vv_metrics_prometheus(&text, &call->err)
                                         : vv_metrics_snapshot(&text, &call->err);
        if (!status)
            status = write_file(call, where, (vv_bytes){ text.data, text.len });
    }
    vv_buf_clear(&text);
    return status ? cli_wrap(call, status, "--metrics") : VV_OK;
}
