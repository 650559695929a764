/* The one call of HTTP that callers of the library have. */
#include "http/http.h"

#include "util/buf.h"
#include "util/options.h"

#define ANSWER_MAX ((uint64_t)1 << 20)

static vv_status check_answer(const vvi_http_request *request, vv_error *err)
{
    uint32_t code = request->http_status;
    char what[320];

    if (code >= 200 && code < 300)
        return VV_OK;
    vvi_http_describe(request, what, sizeof(what));
    return vvi_fail(err, code == 401 || code == 403 || code == 407 ? VV_EAUTH : VV_EIO,
                    "%s: status %u", what, code);
}

static vv_status post(vvi_http *http, vvi_http_request *request, vv_buf *answer,
                      vv_error *err)
{
    vv_status status = vvi_http_perform(http, request, err);

    if (!status)
        status = check_answer(request, err);
    if (!status && answer)
        vvi_buf_move(answer, &request->answer);
    vvi_http_request_clear(request);
    return status;
}

vv_status vv_http_post(const char *url, const char *content_type, vv_bytes body,
                       const vv_http_post_options *options, vv_buf *answer, vv_error *err)
{
    vvi_http_lane lane = { .limit = 1 };
    vvi_http_request request = { .method = VVI_HTTP_POST,
                                 .url = url,
                                 .lane = &lane,
                                 .headers = { { "Content-Type", content_type } },
                                 .header_count = 1,
                                 .body = { body },
                                 .max_body_bytes = ANSWER_MAX };
    vvi_http_options opts = { .trusted = &url, .trusted_count = 1 };
    vv_http_post_options given;
    vvi_http *http = NULL;
    vv_status status;

    VVI_TRY(vvi_read_options(&given, sizeof(given), options, err));
    if (!url || !content_type)
        return vvi_fail(err, VV_EINVAL, "a POST needs a URL and a content type");
    opts.headers = given.headers;
    opts.header_count = given.header_count;
    opts.total_timeout_ms = given.timeout_ms ? given.timeout_ms : 10000;
    opts.idle_timeout_ms = opts.connect_timeout_ms = opts.total_timeout_ms;
    request.max_retries = given.max_retries;
    status = vvi_http_new(&opts, &http, err);
    if (!status)
        status = post(http, &request, answer, err);
    vvi_http_free(http);
    return status;
}
