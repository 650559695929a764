/* What was counted and traced, to an OpenTelemetry collector by HTTP. */
#include "measure.h"

#include <varvite/http.h>
#include <varvite/metrics.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static vv_status send(cli_call *call, vv_otlp_signal signal, const char *base,
                      const char *path)
{
    size_t len = strlen(base);
    char *url = cli_alloc(len + strlen(path) + 1);
    vv_buf body = VV_BUF_INIT;
    vv_status status;

    while (len && base[len - 1] == '/')
        len--;
    memcpy(url, base, len);
    strcpy(url + len, path);
    status = vv_metrics_otlp(signal, NULL, &body, &call->err);
    if (!status)
        status = vv_http_post(url, "application/json", (vv_bytes){ body.data, body.len },
                              NULL, NULL, &call->err);
    vv_buf_clear(&body);
    free(url);
    return status;
}

vv_status measure_send(cli_call *call)
{
    const char *base = cli_text(call, "metrics") + strlen("otlp:");
    vv_status status = send(call, VV_OTLP_METRICS, base, "/v1/metrics");

    return status ? status : send(call, VV_OTLP_TRACES, base, "/v1/traces");
}
