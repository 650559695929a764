/* Calls of the RPC: making them, one or many at once, and what their answers say. */
#include "kubo/kubo.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- making --------------------------------------------------------------------------------- */

vv_status vvi_kubo_call_init(const vvi_kubo *self, vvi_kubo_call *call, vv_error *err,
                             const char *format, ...)
{
    char path[2 * VV_CID_TEXT_MAX + 512];
    vv_status status;
    va_list args;
    int len;

    memset(call, 0, sizeof(*call));
    if (!self->rpc)
        return vvi_fail(err, VV_EREADONLY,
                        "the store has gateways, but no RPC of a daemon");
    va_start(args, format);
    len = vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(path)) /* cut, it would ask for something else */
        return vvi_fail(err, VV_EINVAL,
                        "the name of a chunker or hash function is too long");
    status = vvi_buf_printf(&call->url, err, "%s/api/v0/%s", self->rpc, path);
    if (!status)
        status = vvi_buf_terminate(&call->url, err);
    if (status) {
        vv_buf_clear(&call->url);
        return status;
    }
    call->request = (vvi_http_request){
        .method = VVI_HTTP_POST,
        .url = (const char *)call->url.data,
        .lane = (vvi_http_lane *)(uintptr_t)&self->rpc_lane,
        .max_body_bytes = VVI_KUBO_ANSWER_MAX,
        .max_retries = self->max_retries,
    };
    return VV_OK;
}

void vvi_kubo_call_clear(vvi_kubo_call *call)
{
    vvi_http_request_clear(&call->request);
    vv_buf_clear(&call->url);
}

void vvi_kubo_call_attach(vvi_kubo_call *call, vv_bytes data)
{
    uint8_t random[16] = { 0 };
    vvi_http_request *request = &call->request;

    /* 128 random bits do not stand in the data. Without any, the address and the clock have to do. */
    if (getrandom(random, sizeof(random), GRND_NONBLOCK) < (ssize_t)sizeof(random)) {
        uint64_t now = vvi_wall_ns() ^ (uint64_t)(uintptr_t)call;

        memcpy(random, &now, sizeof(now));
    }
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(call->boundary + 2 * i, 3, "%02x", random[i]);
    snprintf(call->content_type, sizeof(call->content_type),
             "multipart/form-data; boundary=%s", call->boundary);
    snprintf(
        call->head, sizeof(call->head),
        "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"upload\"\r\n"
        "Content-Type: application/octet-stream\r\n\r\n",
        call->boundary);
    snprintf(call->tail, sizeof(call->tail), "\r\n--%s--\r\n", call->boundary);
    request->body[0] = vv_bytes_of(call->head);
    request->body[1] = data;
    request->body[2] = vv_bytes_of(call->tail);
    request->headers[0] = (vv_http_header){ "Content-Type", call->content_type };
    request->header_count = 1;
}

/* ---- what it says --------------------------------------------------------------------------- */

vv_status vvi_kubo_status_of_text(const char *text)
{
    static const struct {
        const char *part;
        vv_status status;
    } known[] = {
        { "not found", VV_ENOTFOUND },
        { "could not find", VV_ENOTFOUND },
        { "not pinned", VV_ENOTFOUND },
        { "was not recursively pinned", VV_ENOTFOUND },
        { "pinned recursively", VV_EEXISTS },
        { "over 2MiB", VV_ELIMIT },
        { "too big", VV_ELIMIT },
        { "insecure hash", VV_EUNSUPPORTED },
        { "unrecognized hash", VV_EUNSUPPORTED },
        { "deadline exceeded", VV_ETIMEDOUT },
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strstr(text, known[i].part))
            return known[i].status;
    return VV_EIO;
}

void vvi_kubo_printable(const char *text, size_t len, char *out, size_t cap)
{
    size_t used = 0;

    for (size_t i = 0; i < len && used + 1 < cap && text[i] != '\n'; i++)
        out[used++] = (unsigned char)text[i] < 32 || text[i] == 127 ? '?' : text[i];
    /* Not half a character at the end. */
    if (used + 1 == cap)
        while (used && (out[used - 1] & 0x80))
            used--;
    out[used] = '\0';
}

void vvi_kubo_reason(const vvi_http_request *request, char *out, size_t cap)
{
    vvi_json *json = NULL;
    const char *text = NULL;
    size_t len = 0;

    out[0] = '\0';
    if (vvi_json_parse(vvi_buf_bytes(&request->answer), &json, NULL) == VV_OK)
        text = vvi_json_text(vvi_json_get(json, "Message"), &len);
    if (text)
        vvi_kubo_printable(text, len, out, cap);
    /* A page of HTML is no reason. */
    else if (!json && request->answer.len && request->answer.data[0] != '<')
        vvi_kubo_printable((const char *)request->answer.data, request->answer.len, out,
                           cap);
    vvi_json_free(json);
}

static vv_status status_of_failure(const vvi_http_request *request, const char *reason)
{
    switch (request->http_status) {
    case 500:
        return vvi_kubo_status_of_text(reason);
    case 400:
        return VV_EINVAL;
    case 401:
    case 403:
    case 407:
        return VV_EAUTH;
    default:
        return VV_EIO;
    }
}

vv_status vvi_kubo_call_status(const vvi_kubo_call *call, vv_error *err)
{
    const vvi_http_request *request = &call->request;
    uint32_t code = request->http_status;
    char reason[160];
    char what[320];

    if (request->status) {
        if (err)
            *err = request->error;
        return request->status;
    }
    if (code == 200 && !request->stream_error[0])
        return VV_OK;
    vvi_http_describe(request, what, sizeof(what));
    if (code == 200)
        return vvi_fail(err, vvi_kubo_status_of_text(request->stream_error), "%s: %s",
                        what, request->stream_error);
    if (code == 404 || code == 405)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "%s: status %u: no Kubo RPC with that command answers there",
                        what, code);
    vvi_kubo_reason(request, reason, sizeof(reason));
    return vvi_fail(err, status_of_failure(request, reason), "%s: status %u%s%s", what,
                    code, *reason ? ": " : "", reason);
}

/* ---- calling -------------------------------------------------------------------------------- */

vv_status vvi_kubo_call_do(vvi_kubo *self, vvi_kubo_call *call, vv_error *err)
{
    vv_status status = vvi_http_perform(self->http, &call->request, err);

    /* Not so much as begun. */
    return status ? status : vvi_kubo_call_status(call, err);
}

typedef struct calling {
    const vvi_kubo_calls *calls;
    vvi_http_batch batch;
    size_t next;
    vv_status status;
    vv_error error; /* of status; a call that fails may still be an answer */
} calling;

static void start_next(calling *all, vvi_kubo_call *call)
{
    size_t i = all->next++;

    all->status = all->calls->make(all->calls->ctx, i, call, &all->error);
    if (all->status)
        return;
    call->index = i;
    call->request.user = call;
    vvi_http_submit(&all->batch, &call->request);
}

static void run_calls(calling *all, vvi_kubo_call *places, size_t count)
{
    vvi_http_request *done;
    size_t n = all->calls->n;

    for (size_t i = 0; i < count && all->next < n && !all->status; i++)
        start_next(all, &places[i]);
    while (!all->status && (done = vvi_http_next(&all->batch))) {
        vvi_kubo_call *call = done->user;
        vv_status status = vvi_kubo_call_status(call, &all->error);

        all->status = all->calls->done(all->calls->ctx, call->index, call, status,
                                       &all->error);
        vvi_kubo_call_clear(call);
        if (!all->status && all->next < n)
            start_next(all, call);
    }
}

vv_status vvi_kubo_call_many(vvi_kubo *self, const vvi_kubo_calls *calls, vv_error *err)
{
    calling all = { .calls = calls };
    size_t count = 2 * (size_t)self->opts.max_in_flight;
    vvi_kubo_call *places;

    if (count > calls->n)
        count = calls->n;
    if (count == 0)
        return VV_OK;
    places = vvi_alloc_array_zero(count, sizeof(*places));
    if (!places)
        return vvi_fail_nomem(err, count * sizeof(*places));
    all.status = vvi_http_batch_init(&all.batch, self->http, &all.error);
    if (!all.status) {
        run_calls(&all, places, count);
        vvi_http_batch_clear(&all.batch);
    }
    for (size_t i = 0; i < count; i++)
        vvi_kubo_call_clear(&places[i]);
    vvi_free(places);
    if (all.status && err)
        *err = all.error;
    return all.status;
}

/* ---- lines of JSON -------------------------------------------------------------------------- */

vv_status vvi_kubo_parse(vv_bytes text, const char *what, vvi_json **out, vv_error *err)
{
    vv_status status = vvi_json_parse(text, out, NULL);

    if (status == VV_ENOMEM)
        return vvi_fail_nomem(err, text.len);
    return status ? vvi_fail(err, VV_EIO, "%s: the answer is not JSON", what) : VV_OK;
}

vv_status vvi_kubo_parse_cid(const char *text, const char *what, vv_cid *out,
                             vv_error *err)
{
    vv_status status = text ? vv_cid_parse(text, out, NULL) : VV_EINVAL;

    if (status == VV_ENOMEM)
        return vvi_fail_nomem(err, strlen(text));
    return status ? vvi_fail(err, VV_EIO, "%s: no CID where one should be", what) : VV_OK;
}

static vv_status read_line(vv_bytes line, const char *member, vv_cid *out, bool *found,
                           vv_error *err)
{
    vvi_json *json = NULL;
    const char *text;
    vv_status status = vvi_kubo_parse(line, member, &json, err);

    if (status)
        return status;
    text = vvi_json_text(vvi_json_get(json, member), NULL);
    if (text) {
        *found = true;
        status = vvi_kubo_parse_cid(text, member, out, err);
    }
    vvi_json_free(json);
    return status;
}

vv_status vvi_kubo_read_name(vv_bytes answer, const char *member, vv_cid *out,
                             vv_error *err)
{
    bool found = false;

    while (answer.len) {
        const uint8_t *end = memchr(answer.data, '\n', answer.len);
        size_t len = end ? (size_t)(end - answer.data) : answer.len;

        if (len)
            VVI_TRY(read_line(vvi_bytes(answer.data, len), member, out, &found, err));
        answer.data += len + (end != NULL);
        answer.len -= len + (end != NULL);
    }
    return found ? VV_OK : vvi_fail(err, VV_EIO, "the answer has no %s", member);
}
