/* One exchange: what libcurl is told, and what it tells. All of it runs on the transfer thread. */
#include "http/inner.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ANSWER_HEADERS_MAX ((size_t)128 << 10)
#define FAILURE_TEXT_MAX   ((size_t)8 << 10)

/* ---- what comes in ------------------------------------------------------------------------ */

static void copy_value(char out[VVI_HTTP_HEADER_TEXT], const char *value, size_t len)
{
    while (len && (*value == ' ' || *value == '\t')) {
        value++;
        len--;
    }
    while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    if (len >= VVI_HTTP_HEADER_TEXT)
        len = VVI_HTTP_HEADER_TEXT - 1;
    /* It may stand in a message. */
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)value[i] < 32 || value[i] == 127 ? '?' : value[i];
    out[len] = '\0';
}

/* The value of the header of that name in a line without its end, or NULL. */
static const char *value_of(const char *line, size_t len, const char *name,
                            size_t *value_len)
{
    size_t n = strlen(name);

    if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
        return NULL;
    *value_len = len - n - 1;
    return line + n + 1;
}

static vv_status keep_location(vvi_http_request *request, const char *value, size_t len)
{
    while (len && (*value == ' ' || *value == '\t')) {
        value++;
        len--;
    }
    while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    vvi_free(request->location);
    request->location = vvi_strndup(value, len);
    return request->location ? VV_OK : VV_ENOMEM;
}

/* A new answer begins: interim ones (1xx) and those of proxies came before it. */
static void forget_headers(vvi_http_request *request)
{
    request->has_content_range = request->has_retry_after = false;
    request->stream_error[0] = '\0';
    request->length = UINT64_MAX;
    vvi_free(request->location);
    request->location = NULL;
}

static vv_status take_header(vvi_http_request *request, const char *line, size_t len)
{
    const char *value;
    size_t n;

    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
        forget_headers(request);
    else if ((value = value_of(line, len, "content-range", &n))) {
        copy_value(request->content_range, value, n);
        /* Two of them say nothing. */
        if (request->has_content_range)
            request->content_range[0] = '\0';
        request->has_content_range = true;
    } else if ((value = value_of(line, len, "retry-after", &n))) {
        copy_value(request->retry_after, value, n);
        request->has_retry_after = true;
    } else if ((value = value_of(line, len, "x-stream-error", &n))) {
        copy_value(request->stream_error, value, n);
        if (!request->stream_error[0])
            strcpy(request->stream_error, "no reason given");
    } else if ((value = value_of(line, len, "location", &n)))
        return keep_location(request, value, n);
    return VV_OK;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    vvi_http_request *request = ctx;
    size_t len = size * count;
    size_t text = len;

    request->active_ns = vvi_now_ns();
    request->header_bytes += len;
    if (request->header_bytes > ANSWER_HEADERS_MAX) {
        request->abort = VV_ELIMIT;
        vvi_fail(&request->error, VV_ELIMIT, "more than %zu KiB of headers in the answer",
                 ANSWER_HEADERS_MAX >> 10);
        return 0;
    }
    while (text && (line[text - 1] == '\r' || line[text - 1] == '\n'))
        text--;
    request->abort = take_header(request, line, text);
    if (request->abort)
        vvi_fail_nomem(&request->error, text);
    return request->abort ? 0 : len;
}

static uint32_t status_of(CURL *easy)
{
    long code = 0;

    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    return code > 0 ? (uint32_t)code : 0;
}

static uint64_t length_of(CURL *easy)
{
    curl_off_t length = -1;

    curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    return length < 0 ? UINT64_MAX : (uint64_t)length;
}

static bool is_success(uint32_t http_status)
{
    return http_status >= 200 && http_status < 300;
}

static vv_status too_long(vvi_http_request *request)
{
    return vvi_fail(&request->error, VV_ELIMIT,
                    "an answer of more than %" PRIu64 " bytes", request->max_body_bytes);
}

/* Before the first bytes of a body: is it too long, and room for all of it at once. */
static vv_status begin_body(vvi_http_request *request)
{
    request->length = length_of(request->easy);
    if (request->length == UINT64_MAX)
        return VV_OK;
    if (request->length > request->max_body_bytes)
        return too_long(request);
    /* A length is only said: a long one is believed as its bytes come. */
    if (request->length > ((uint64_t)16 << 20))
        return VV_OK;
    return vvi_buf_reserve(&request->answer, (size_t)request->length, &request->error);
}

static vv_status take_body(vvi_http_request *request, vv_bytes data)
{
    if (!is_success(status_of(request->easy))) { /* the reason, for a message */
        size_t room = FAILURE_TEXT_MAX - request->answer.len;

        if (data.len > room)
            data.len = room;
        return vvi_buf_append(&request->answer, data, &request->error);
    }
    if (request->answer.len == 0)
        VVI_TRY(begin_body(request));
    if (data.len > request->max_body_bytes - request->answer.len)
        return too_long(request);
    return vvi_buf_append(&request->answer, data, &request->error);
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    vvi_http_request *request = ctx;
    size_t len = size * count;

    request->active_ns = vvi_now_ns();
    request->abort = take_body(request, vvi_bytes(data, len));
    return request->abort ? CURL_WRITEFUNC_ERROR : len;
}

/* ---- what goes out ------------------------------------------------------------------------ */

static size_t body_length(const vvi_http_request *request)
{
    size_t total = 0;

    for (size_t i = 0; i < VVI_HTTP_BODY_PARTS; i++)
        total += request->body[i].len;
    return total;
}

static size_t on_send(char *out, size_t size, size_t count, void *ctx)
{
    vvi_http_request *request = ctx;
    size_t cap = size * count;
    size_t skip = request->sent;
    size_t done = 0;

    request->active_ns = vvi_now_ns();
    for (size_t i = 0; i < VVI_HTTP_BODY_PARTS && done < cap; i++) {
        vv_bytes part = request->body[i];
        size_t n;

        if (skip >= part.len) {
            skip -= part.len;
            continue;
        }
        n = part.len - skip < cap - done ? part.len - skip : cap - done;
        memcpy(out + done, part.data + skip, n);
        done += n;
        skip = 0;
    }
    request->sent += done;
    return done;
}

/* libcurl begins a body anew when a connection that it kept turns out to be closed. */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    vvi_http_request *request = ctx;

    if (origin != SEEK_SET || offset < 0 || (size_t)offset > body_length(request))
        return CURL_SEEKFUNC_CANTSEEK;
    request->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* Headers that say nothing about who asks. */
static bool is_harmless(const char *name)
{
    static const char *const harmless[] = { "accept", "accept-encoding",
                                            "accept-language", "user-agent",
                                            "connection" };

    for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
        if (strcasecmp(name, harmless[i]) == 0)
            return true;
    return false;
}

static bool is_trusted_origin(const vvi_http *http, const char *url)
{
    vvi_http_origin origin;

    if (vvi_http_origin_of(url, &origin, NULL))
        return false;
    for (size_t i = 0; i < http->opts.trusted_count; i++)
        if (vvi_http_same_origin(&origin, &http->origins[i]))
            return true;
    return false;
}

/* May it be told the user and the password? */
static bool is_users_origin(const vvi_http *http, const char *url)
{
    vvi_http_origin origin;

    if (!http->has_user_origin)
        return is_trusted_origin(http, url);
    return vvi_http_origin_of(url, &origin, NULL) == VV_OK &&
           vvi_http_same_origin(&origin, &http->user_origin);
}

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
    struct curl_slist *longer;
    char *line = NULL;
    /* libcurl takes "Name;" for a header without a value, and "Name:" for one to leave out. */
    int len = *value ? asprintf(&line, "%s: %s", name, value)
                     : asprintf(&line, "%s;", name);

    if (len < 0)
        return false;
    longer = curl_slist_append(*list, line);
    free(line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

/* What libcurl would add to a POST: "Expect", and a wait for "100 Continue", to long ones; a type for a body that
 * has none. */
static bool leave_out(const vvi_http_request *request, struct curl_slist **list)
{
    struct curl_slist *longer = curl_slist_append(*list, "Expect:");

    if (longer && request->header_count == 0)
        longer = curl_slist_append(longer, "Content-Type:");
    if (longer)
        *list = longer;
    return longer != NULL;
}

static bool make_headers(const vvi_http *http, const vvi_http_request *request,
                         bool trusted, struct curl_slist **list)
{
    for (size_t i = 0; i < http->opts.header_count; i++) {
        const vv_http_header *header = &http->opts.headers[i];

        if ((trusted || is_harmless(header->name)) &&
            !add_header(list, header->name, header->value))
            return false;
    }
    for (size_t i = 0; i < request->header_count; i++)
        if (!add_header(list, request->headers[i].name, request->headers[i].value))
            return false;
    return request->method != VVI_HTTP_POST || leave_out(request, list);
}

#define SET(option_, value_)                                         \
    do {                                                             \
        CURLcode set_ = curl_easy_setopt(easy, (option_), (value_)); \
        if (set_)                                                    \
            return set_;                                             \
    } while (0)

static CURLcode set_method(CURL *easy, vvi_http_request *request)
{
    switch (request->method) {
    case VVI_HTTP_GET:
        SET(CURLOPT_HTTPGET, 1L);
        break;
    case VVI_HTTP_HEAD:
        SET(CURLOPT_NOBODY, 1L);
        break;
    case VVI_HTTP_POST:
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_length(request));
        SET(CURLOPT_READFUNCTION, on_send);
        SET(CURLOPT_READDATA, request);
        SET(CURLOPT_SEEKFUNCTION, on_seek);
        SET(CURLOPT_SEEKDATA, request);
        break;
    }
    return CURLE_OK;
}

static CURLcode set_up(const vvi_http *http, vvi_http_request *request, CURL *easy)
{
    const vvi_http_options *opts = &http->opts;
    const char *url = request->hop ? request->hop : request->url;
    bool trusted = is_trusted_origin(http, url);

    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_ERRORBUFFER, request->curl_error);
    SET(CURLOPT_PRIVATE, request);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)opts->connect_timeout_ms);
    SET(CURLOPT_USERAGENT, "varvite");
    SET(CURLOPT_BUFFERSIZE, 256L << 10);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, request);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, request);
    SET(CURLOPT_HTTP_VERSION,
        (long)(strncasecmp(url, "https", 5) == 0 ? CURL_HTTP_VERSION_2TLS
                                                 : CURL_HTTP_VERSION_1_1));
    if (request->once)
        SET(CURLOPT_FRESH_CONNECT, 1L);
    if (opts->proxy)
        SET(CURLOPT_PROXY, opts->proxy);
    if (opts->ca_file)
        SET(CURLOPT_CAINFO, opts->ca_file);
    if (opts->user && is_users_origin(http, url)) {
        SET(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, opts->user);
        SET(CURLOPT_PASSWORD, opts->password ? opts->password : "");
    }
    if (!make_headers(http, request, trusted,
                      (struct curl_slist **)&request->header_list))
        return CURLE_OUT_OF_MEMORY;
    SET(CURLOPT_HTTPHEADER, (struct curl_slist *)request->header_list);
    return set_method(easy, request);
}

static void free_header_list(vvi_http_request *request)
{
    curl_slist_free_all(request->header_list);
    request->header_list = NULL;
}

static void put_back(vvi_http *http, vvi_http_request *request)
{
    if (http->idle_count < IDLE_HANDLES) {
        curl_easy_reset(request->easy);
        http->idle[http->idle_count++] = request->easy;
    } else {
        curl_easy_cleanup(request->easy);
    }
    request->easy = NULL;
    free_header_list(request);
}

bool vvi_http_start(vvi_http *http, vvi_http_request *request)
{
    request->easy = http->idle_count ? http->idle[--http->idle_count] : curl_easy_init();
    request->status = VV_OK;
    request->abort = VV_OK;
    request->http_status = 0;
    request->sent = request->header_bytes = 0;
    request->curl_error[0] = '\0';
    request->is_permanent = false;
    request->answer.len = 0;
    forget_headers(request);
    if (request->easy) {
        CURLcode code = set_up(http, request, request->easy);

        request->active_ns = vvi_now_ns();
        if (!code && !curl_multi_add_handle(http->multi, request->easy))
            return true;
        put_back(http, request);
    }
    request->is_permanent = true;
    request->status = vvi_fail_nomem(&request->error, sizeof(vvi_http_request));
    return false;
}

/* ---- how it ended ------------------------------------------------------------------------- */

static vv_status status_of_code(const vvi_http_request *request, CURLcode code,
                                bool *is_permanent)
{
    curl_off_t began = 0;

    *is_permanent = true;
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        *is_permanent = false;
        return VV_ETIMEDOUT;
    case CURLE_URL_MALFORMAT:
        return VV_EINVAL;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return VV_EAUTH;
    case CURLE_OUT_OF_MEMORY:
        /* So it also calls a line of headers of more than 100 KiB. */
        curl_easy_getinfo(request->easy, CURLINFO_STARTTRANSFER_TIME_T, &began);
        return began > 0 ? VV_ELIMIT : VV_ENOMEM;
    default:
        *is_permanent = false;
        return VV_EIO;
    }
}

void vvi_http_stop(vvi_http *http, vvi_http_request *request, CURLcode result)
{
    const char *why = request->curl_error[0] ? request->curl_error
                                             : curl_easy_strerror(result);

    request->http_status = status_of(request->easy);
    if (request->length == UINT64_MAX)
        request->length = length_of(request->easy);
    if (request->abort) { /* the message is there */
        request->status = request->abort;
        request->is_permanent = request->abort != VV_ETIMEDOUT;
        request->http_status = 0;
    } else if (result) {
        request->status = status_of_code(request, result, &request->is_permanent);
        if (request->status == VV_ELIMIT)
            why = "a header of more than 100 KiB in the answer";
        request->error.status = request->status;
        snprintf(request->error.message, sizeof(request->error.message), "%s", why);
        request->http_status = 0;
    }
    curl_multi_remove_handle(http->multi, request->easy);
    put_back(http, request);
}
