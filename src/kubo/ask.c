/* What a daemon holds itself: presence, sizes, all of it, how much; and deleting. Without a daemon, the gateways. */
#include "kubo/kubo.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdio.h>
#include <string.h>

/* ---- presence and size ---------------------------------------------------------------------- */

typedef struct asking {
    vvi_kubo *self;
    const vv_cid *cids;
    const vvi_kubo_gateway *gateway; /* NULL: the daemon */
    bool *there;
    uint64_t *sizes; /* UINT64_MAX: not known, or not there */
    bool *unsure;    /* of gateways: one of them could not say */
} asking;

static vv_status make_ask(void *ctx, size_t i, vvi_kubo_call *call, vv_error *err)
{
    asking *all = ctx;
    char cid[VV_CID_TEXT_MAX];

    vvi_kubo_cid_text(&all->cids[i], cid);
    if (!all->gateway) {
        VVI_TRY(vvi_kubo_call_init(all->self, call, err, "block/stat?arg=%s&offline=true",
                                   cid));
        call->request.is_500_final = true;
        return VV_OK;
    }
    memset(call, 0, sizeof(*call));
    VVI_TRY(vvi_buf_printf(&call->url, err, "%s%s?format=raw", all->gateway->url, cid));
    call->request = (vvi_http_request){
        .method = VVI_HTTP_HEAD,
        .url = (const char *)call->url.data,
        .lane = (vvi_http_lane *)(uintptr_t)&all->gateway->lane,
        .max_body_bytes = VVI_KUBO_ANSWER_MAX,
        .max_retries = all->self->max_retries,
    };
    return VV_OK;
}

static vv_status read_size(vv_bytes answer, uint64_t *out, vv_error *err)
{
    vvi_json *json = NULL;
    vv_status status = vvi_kubo_parse(answer, "block/stat", &json, err);

    if (!status && !vvi_json_uint64(vvi_json_get(json, "Size"), out))
        status = vvi_fail(err, VV_EIO, "block/stat: the answer has no Size");
    vvi_json_free(json);
    return status;
}

static vv_status ask_done(void *ctx, size_t i, const vvi_kubo_call *call,
                          vv_status status, vv_error *err)
{
    asking *all = ctx;
    const vvi_http_request *request = &call->request;

    if (all->gateway) {
        if (request->status == VV_ECANCELED || request->status == VV_ENOMEM)
            return request->status;
        if (!request->status && request->http_status == 200) {
            all->there[i] = true;
            all->sizes[i] = request->length;
        } else if (request->status || request->http_status != 404) {
            all->unsure[i] = true;
        }
        return VV_OK;
    }
    all->there[i] = status == VV_OK;
    if (status == VV_ENOTFOUND)
        return VV_OK;
    return status ? status
                  : read_size(vvi_buf_bytes(&request->answer), &all->sizes[i], err);
}

/* Ask every gateway for what the ones before it do not have. */
static vv_status ask_gateways(asking *all, size_t n, vv_error *err)
{
    vvi_kubo *self = all->self;

    for (size_t g = 0; g < self->gateway_count; g++) {
        all->gateway = &self->gateways[g];
        /* Those that are known are few or all: one by one is fine. */
        for (size_t from = 0, to; from < n; from = to) {
            asking some = *all;
            const vvi_kubo_calls calls = { 0, make_ask, ask_done, &some };
            vvi_kubo_calls run = calls;

            to = from;
            while (to < n && !all->there[to])
                to++;
            some.cids += from;
            some.there += from;
            some.sizes += from;
            some.unsure += from;
            run.n = to - from;
            VVI_TRY(vvi_kubo_call_many(self, &run, err));
            while (to < n && all->there[to])
                to++;
        }
    }
    for (size_t i = 0; i < n; i++)
        if (!all->there[i] && all->unsure[i])
            return vvi_fail(err, VV_EIO,
                            "no gateway has the block, and one could not say");
    return VV_OK;
}

/* there and sizes have n places. */
static vv_status ask(vvi_kubo *self, const vv_cid *cids, size_t n, bool *there,
                     uint64_t *sizes, vv_error *err)
{
    asking all = { .self = self, .cids = cids, .there = there, .sizes = sizes };
    const vvi_kubo_calls calls = { n, make_ask, ask_done, &all };
    vv_status status;

    memset(there, 0, n * sizeof(*there));
    for (size_t i = 0; i < n; i++)
        sizes[i] = UINT64_MAX;
    if (self->rpc)
        return vvi_kubo_call_many(self, &calls, err);
    all.unsure = vvi_alloc_array_zero(n, sizeof(*all.unsure));
    if (!all.unsure)
        return vvi_fail_nomem(err, n);
    status = ask_gateways(&all, n, err);
    vvi_free(all.unsure);
    return status;
}

vv_status vvi_kubo_has_many(vv_blockstore *store, const vv_cid *cids, size_t n, bool *out,
                            vv_error *err)
{
    uint64_t *sizes = vvi_alloc_array(n, sizeof(*sizes));
    vv_status status;

    if (!sizes)
        return vvi_fail_nomem(err, n * sizeof(*sizes));
    status = ask((vvi_kubo *)store, cids, n, out, sizes, err);
    vvi_free(sizes);
    return status;
}

vv_status vvi_kubo_size(vv_blockstore *store, const vv_cid *cid, uint64_t *out,
                        vv_error *err)
{
    char text[VV_CID_TEXT_MAX];
    uint64_t size;
    bool there;

    VVI_TRY(ask((vvi_kubo *)store, cid, 1, &there, &size, err));
    if (!there) {
        vv_cid_format(cid, text);
        return vvi_fail(err, VV_ENOTFOUND, "no block %s in the %s store", text,
                        store->ops->name);
    }
    if (size == UINT64_MAX)
        return vvi_fail(err, VV_EIO, "the gateway does not tell how long the block is");
    *out = size;
    return VV_OK;
}

/* ---- deleting ------------------------------------------------------------------------------- */

/* block/rm answers 200 whatever came of it; the reason stands in the line. */
static vv_status read_removed(vv_bytes answer, vv_error *err)
{
    vvi_json *json = NULL;
    char shown[160];
    const char *why;
    vv_status status;

    if (answer.len == 0)
        return VV_OK;
    status = vvi_kubo_parse(answer, "block/rm", &json, err);
    if (status)
        return status;
    why = vvi_json_text(vvi_json_get(json, "Error"), NULL);
    if (why && *why) {
        vvi_kubo_printable(why, strlen(why), shown, sizeof(shown));
        status = strstr(why, "pinned") ? VV_EBUSY : vvi_kubo_status_of_text(why);
        vvi_fail(err, status, "block/rm: %s", shown);
    }
    vvi_json_free(json);
    return status;
}

vv_status vvi_kubo_remove(vv_blockstore *store, const vv_cid *cid, vv_error *err)
{
    vvi_kubo *self = (vvi_kubo *)store;
    char text[VV_CID_TEXT_MAX];
    vvi_kubo_call call;
    vv_status status;

    vvi_kubo_cid_text(cid, text);
    VVI_TRY(vvi_kubo_call_init(self, &call, err, "block/rm?arg=%s", text));
    call.request.is_500_final = true;
    status = vvi_kubo_call_do(self, &call, err);
    if (!status)
        status = read_removed(vvi_buf_bytes(&call.request.answer), err);
    /* An attempt whose answer was lost may have deleted it. */
    if (status == VV_ENOTFOUND && call.request.attempts > 1)
        status = VV_OK;
    vvi_kubo_call_clear(&call);
    return status;
}

/* ---- everything ----------------------------------------------------------------------------- */

#define REFS_BATCH     256
#define REFS_BYTES_MAX ((uint64_t)1 << 30) /* some 10 million blocks */

static vv_status visit_some(vvi_kubo *self, const vv_cid *cids, size_t n,
                            vv_block_fn visit, void *ctx, vv_error *err)
{
    uint64_t sizes[REFS_BATCH];
    bool there[REFS_BATCH];

    VVI_TRY(ask(self, cids, n, there, sizes, err));
    for (size_t i = 0; i < n; i++)
        if (there[i])
            VVI_TRY(visit(ctx, &cids[i], sizes[i], err));
    return VV_OK;
}

/* {"Ref":cid,"Err":""} a line. */
static vv_status read_ref(vv_bytes line, vv_cid *out, vv_error *err)
{
    vvi_json *json = NULL;
    char shown[160];
    const char *why;
    const char *ref;
    vv_status status = vvi_kubo_parse(line, "refs/local", &json, err);

    if (status)
        return status;
    why = vvi_json_text(vvi_json_get(json, "Err"), NULL);
    ref = vvi_json_text(vvi_json_get(json, "Ref"), NULL);
    if (why && *why) {
        vvi_kubo_printable(why, strlen(why), shown, sizeof(shown));
        status = vvi_fail(err, VV_EIO, "refs/local: %s", shown);
    } else {
        status = vvi_kubo_parse_cid(ref, "refs/local", out, err);
    }
    vvi_json_free(json);
    return status;
}

static vv_status visit_lines(vvi_kubo *self, vv_bytes lines, vv_block_fn visit, void *ctx,
                             vv_error *err)
{
    vv_cid *cids = vvi_alloc_array(REFS_BATCH, sizeof(*cids));
    vv_status status = cids ? VV_OK : vvi_fail_nomem(err, REFS_BATCH * sizeof(*cids));
    size_t count = 0;

    while (!status && lines.len) {
        const uint8_t *end = memchr(lines.data, '\n', lines.len);
        size_t len = end ? (size_t)(end - lines.data) : lines.len;

        if (len)
            status = read_ref(vvi_bytes(lines.data, len), &cids[count++], err);
        lines.data += len + (end != NULL);
        lines.len -= len + (end != NULL);
        if (!status && (count == REFS_BATCH || !lines.len)) {
            status = visit_some(self, cids, count, visit, ctx, err);
            count = 0;
        }
    }
    vvi_free(cids);
    return status;
}

vv_status vvi_kubo_iterate(vv_blockstore *store, vv_block_fn visit, void *ctx,
                           vv_error *err)
{
    vvi_kubo *self = (vvi_kubo *)store;
    vvi_kubo_call call;
    vv_status status;

    VVI_TRY(vvi_kubo_call_init(self, &call, err, "refs/local"));
    call.request.max_body_bytes = REFS_BYTES_MAX;
    status = vvi_kubo_call_do(self, &call, err);
    if (!status)
        status = visit_lines(self, vvi_buf_bytes(&call.request.answer), visit, ctx, err);
    vvi_kubo_call_clear(&call);
    return status;
}

/* The daemon counts blocks and what they take on its disk, not their bytes. */
vv_status vvi_kubo_stat(vv_blockstore *store, vv_blockstore_stats *out, vv_error *err)
{
    vvi_kubo *self = (vvi_kubo *)store;
    vvi_json *json = NULL;
    vvi_kubo_call call;
    vv_status status;

    VVI_TRY(vvi_kubo_call_init(self, &call, err, "repo/stat"));
    status = vvi_kubo_call_do(self, &call, err);
    if (!status)
        status = vvi_kubo_parse(vvi_buf_bytes(&call.request.answer), "repo/stat", &json,
                                err);
    if (!status &&
        (!vvi_json_uint64(vvi_json_get(json, "NumObjects"), &out->block_count) ||
         !vvi_json_uint64(vvi_json_get(json, "RepoSize"), &out->storage_bytes)))
        status = vvi_fail(err, VV_EIO,
                          "repo/stat: the answer has no NumObjects and RepoSize");
    if (!status)
        out->block_bytes = out->storage_bytes;
    vvi_json_free(json);
    vvi_kubo_call_clear(&call);
    return status;
}
