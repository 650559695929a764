/*
 * Reading blocks: many at once, each asked of one gateway after the other until one gives it.
 *
 * The calling thread decides and hashes; the client's thread moves bytes. A load holds for every gateway how
 * often it was asked and what came of it. Next is a gateway that was not asked yet, healthy ones and those with
 * room first; when all were asked, the one whose wait ends first among those that may be asked again.
 */
#include "kubo/kubo.h"

#include <varvite/metrics.h>

#include "util/alloc.h"
#include "util/buf.h"

#include <stdio.h>
#include <string.h>

#define MS               ((uint64_t)1000000)
#define TOTAL_TIMEOUT_MS 1200000

/* How one gateway did with one block. */
typedef struct tried {
    uint32_t attempts;
    bool is_over;   /* asking it again cannot help, or not any more */
    bool is_noted;  /* its failure was counted */
    bool is_answer; /* the last failure was an answer */
    bool no_range;  /* it cannot do this range: ask for the whole */
    vv_status status;
    uint64_t ready_ns; /* not to be asked again before; 0: at once */
    char why[168];
} tried;

typedef struct load {
    const vv_cid *cid; /* NULL: the place is free */
    size_t index;      /* into outs and statuses */
    char cid_text[VV_CID_TEXT_MAX];
    uint64_t deadline_ns;
    uint32_t retries;
    size_t gateway; /* that is being asked */
    tried *tried;   /* one a gateway */
    vvi_http_request request;
    vv_buf url;
    char range_text[64];
} load;

/* One call for n blocks. */
typedef struct loading {
    vvi_kubo *self;
    vv_range range;
    bool check;
    bool as_file;
    vvi_http_batch batch;
    load *loads;
    size_t load_count;
    tried *tried;
    vv_buf *outs;
    vv_status *statuses;
    vv_status status; /* of the first block that failed */
    vv_error error;
} loading;

/* ---- asking --------------------------------------------------------------------------------- */

/* Must the block be asked for as such? Of raw and dag-cbor a gateway gives the block in any case. */
static bool wants_raw_form(const loading *all, const load *one,
                           const vvi_kubo_gateway *gateway)
{
    if (__atomic_load_n(&gateway->is_trustless, __ATOMIC_RELAXED))
        return true;
    return one->cid->version != VV_CID_BARE && one->cid->codec != VV_CODEC_RAW &&
           one->cid->codec != VV_CODEC_DAG_CBOR && !all->as_file;
}

static vv_status make_url(const loading *all, load *one, const vvi_kubo_gateway *gateway,
                          vv_error *err)
{
    one->url.len = 0;
    if (gateway->is_rpc)
        VVI_TRY(vvi_buf_printf(
            &one->url, err, "%s/api/v0/%s?arg=%s", gateway->url,
            all->as_file && one->cid->codec == VV_CODEC_DAG_PB ? "cat" : "block/get",
            one->cid_text));
    else
        VVI_TRY(vvi_buf_printf(&one->url, err, "%s%s%s", gateway->url, one->cid_text,
                               wants_raw_form(all, one, gateway) ? "?format=raw" : ""));
    return vvi_buf_terminate(&one->url, err);
}

/* What a gateway is asked for: the range only where nobody has to see the whole to check it. */
static bool asks_for_range(const loading *all, const load *one)
{
    return !all->check && !all->self->gateways[one->gateway].is_rpc &&
           !one->tried[one->gateway].no_range;
}

static vv_status submit(loading *all, load *one, vv_error *err)
{
    vvi_kubo *self = all->self;
    vvi_kubo_gateway *gateway = &self->gateways[one->gateway];
    uint64_t ready_ns = one->tried[one->gateway].ready_ns;
    uint64_t now_ns = vvi_now_ns();
    vvi_http_request *request = &one->request;

    VVI_TRY(make_url(all, one, gateway, err));
    vvi_http_request_rewind(request);
    request->method = gateway->is_rpc ? VVI_HTTP_POST : VVI_HTTP_GET;
    request->url = (const char *)one->url.data;
    request->lane = &gateway->lane;
    request->max_body_bytes = self->opts.max_block_bytes;
    request->max_retries = self->opts.failover == VV_KUBO_RETRY_FIRST ? self->max_retries
                                                                      : 0;
    /* An RPC says 500 to everything that it cannot do. */
    request->is_500_final = gateway->is_rpc;
    request->delay_ns = ready_ns > now_ns ? ready_ns - now_ns : 0;
    request->deadline_ns = one->deadline_ns;
    request->is_deadline_set = true;
    request->user = one;
    request->header_count = 0;
    if (asks_for_range(all, one) && vvi_kubo_range_header(all->range, one->range_text))
        request->headers[request->header_count++] = (vv_http_header){ "Range",
                                                                      one->range_text };
    vvi_http_submit(&all->batch, request);
    return VV_OK;
}

/* Is gateway a, which was not asked yet, to be asked before b? */
static bool goes_before(vvi_kubo *self, size_t a, size_t b)
{
    vvi_kubo_gateway *first = &self->gateways[a];
    vvi_kubo_gateway *second = &self->gateways[b];
    bool a_tripped = vvi_kubo_is_tripped(self, first);
    bool b_tripped = vvi_kubo_is_tripped(self, second);
    bool a_full = __atomic_load_n(&first->lane.load, __ATOMIC_RELAXED) >=
                  first->lane.limit;
    bool b_full = __atomic_load_n(&second->lane.load, __ATOMIC_RELAXED) >=
                  second->lane.limit;

    if (a_tripped != b_tripped)
        return !a_tripped;
    if (a_full != b_full)
        return !a_full;
    return a < b;
}

/* The gateway to ask next; false: none is left. */
static bool choose(vvi_kubo *self, load *one)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < self->gateway_count; i++) {
        const tried *here = &one->tried[i];

        if (here->is_over)
            continue;
        if (best == SIZE_MAX)
            best = i;
        else if (!here->attempts != !one->tried[best].attempts)
            best = here->attempts ? best : i;
        else if (here->attempts ? here->ready_ns < one->tried[best].ready_ns
                                : goes_before(self, i, best))
            best = i;
    }
    one->gateway = best;
    return best != SIZE_MAX;
}

/* ---- judging -------------------------------------------------------------------------------- */

/* What the status of an answer that is no block means. */
static vv_status status_of_answer(const vvi_kubo_gateway *gateway,
                                  const vvi_http_request *request, char *why, size_t cap)
{
    uint32_t code = request->http_status;
    char reason[120];

    vvi_kubo_reason(request, reason, sizeof(reason));
    snprintf(why, cap, "status %u%s%s", code, *reason ? ": " : "", reason);
    if (gateway->is_rpc && code == 500)
        return vvi_kubo_status_of_text(reason);
    if (!gateway->is_rpc && code == 404)
        return VV_ENOTFOUND;
    if (gateway->is_rpc && (code == 404 || code == 405)) {
        snprintf(why, cap, "status %u: no Kubo RPC answers there", code);
        return VV_EUNSUPPORTED;
    }
    if (code == 401 || code == 403 || code == 407)
        return VV_EAUTH;
    return VV_EIO;
}

/* The bytes of an answer: the part that was asked for, and of the right block. */
static vv_status judge_body(const loading *all, load *one, tried *here)
{
    vvi_http_request *request = &one->request;
    bool as_range = asks_for_range(all, one);
    vv_error error = VV_ERROR_INIT;
    vv_status status = VV_OK;

    if (request->stream_error[0]) {
        snprintf(here->why, sizeof(here->why), "%.100s", request->stream_error);
        return VV_EIO;
    }
    status = vvi_kubo_check_range(
        as_range ? all->range : VV_RANGE_ALL, request->http_status,
        request->has_content_range ? request->content_range : NULL, &request->answer,
        &error);
    if (!status && all->check)
        status = vv_cid_verify(one->cid, vvi_buf_bytes(&request->answer), &error);
    if (!status && !as_range)
        status = vvi_buf_cut(&request->answer, all->range, &error);
    if (status == VV_ECORRUPT)
        snprintf(here->why, sizeof(here->why), "other bytes than the CID names");
    else if (status)
        snprintf(here->why, sizeof(here->why), "%.160s", error.message);
    return status;
}

/* A suffix longer than the block is refused by some: they are asked for the whole. */
static bool is_range_quirk(const loading *all, const load *one)
{
    uint32_t code = one->request.http_status;

    return all->range.kind == VV_RANGE_LAST && (code == 400 || code == 500) &&
           asks_for_range(all, one);
}

/* VV_OK: the answer is the block, in request->answer. */
static vv_status judge(loading *all, load *one, tried *here)
{
    vvi_kubo_gateway *gateway = &all->self->gateways[one->gateway];
    vvi_http_request *request = &one->request;
    uint32_t code = request->http_status;

    here->is_answer = request->status == VV_OK;
    here->why[0] = '\0';
    if (request->status) {
        snprintf(here->why, sizeof(here->why), "%.160s", request->error.message);
        here->is_over = request->is_permanent;
        return request->status;
    }
    if ((code >= 200 && code < 300) || (code == 416 && asks_for_range(all, one))) {
        vv_status status = judge_body(all, one, here);

        here->is_over = true;
        return status;
    }
    here->is_over = !vvi_http_is_retried(code) || (gateway->is_rpc && code == 500);
    return status_of_answer(gateway, request, here->why, sizeof(here->why));
}

/* Does this failure speak against the gateway? */
static bool counts_against(const vvi_kubo *self, const load *one, vv_status status)
{
    uint32_t code = one->request.http_status;

    if (self->opts.failover == VV_KUBO_RETRY_FIRST || status == VV_ECORRUPT)
        return true;
    if (self->gateways[one->gateway].is_rpc && status == VV_ENOTFOUND)
        return false;
    return one->request.status || code >= 500 || code == 429;
}

static void note_failure(loading *all, load *one, tried *here)
{
    vvi_kubo *self = all->self;
    vvi_kubo_gateway *gateway = &self->gateways[one->gateway];

    if (!here->is_noted)
        vvi_kubo_note_failure(self, gateway, counts_against(self, one, here->status),
                              here->status == VV_ECORRUPT);
    here->is_noted = true;
    if (here->is_over && here->status != VV_ENOTFOUND && self->opts.gateway_failed)
        self->opts.gateway_failed(self->opts.ctx, gateway->url, one->cid, here->status,
                                  here->why);
}

/* Set when a gateway that failed may be asked again, or that it may not. */
static void plan_retry(loading *all, load *one, tried *here)
{
    vvi_kubo *self = all->self;
    const vvi_http_request *request = &one->request;

    if (self->opts.failover == VV_KUBO_RETRY_FIRST || here->attempts > self->max_retries)
        here->is_over = true;
    if (here->is_over)
        return;
    here->ready_ns = vvi_now_ns() +
                     vvi_http_wait_ns(self->http, here->attempts,
                                      here->is_answer && request->has_retry_after
                                          ? request->retry_after
                                          : NULL);
    if (here->ready_ns >= one->deadline_ns)
        here->is_over = true;
}

/* ---- the end of a load ---------------------------------------------------------------------- */

/* What metrics cannot see from outside. */
static void report(const load *one, vv_status status)
{
    vv_load_outcome outcome = VV_LOAD_OK;

    if (status == VV_ECORRUPT)
        outcome = VV_LOAD_CONTENT_MISMATCH;
    else if (status == VV_ETIMEDOUT)
        outcome = VV_LOAD_TIMEOUT;
    else if (status)
        outcome = one->tried[one->gateway].is_answer ? VV_LOAD_HTTP_ERROR
                                                     : VV_LOAD_REQUEST_ERROR;
    vv_metrics_tell_load(one->index, one->retries, outcome);
}

/* Who could not say outweighs who said wrong, and that outweighs who said no. */
static int weight_of(vv_status status)
{
    return status == VV_ENOTFOUND ? 1 : status == VV_ECORRUPT ? 2 : 3;
}

static vv_status fail_load(const loading *all, const load *one, vv_error *err)
{
    const vvi_kubo *self = all->self;
    const tried *worst = one->tried;
    vv_buf text = VV_BUF_INIT;

    for (size_t i = 1; i < self->gateway_count; i++)
        if (weight_of(one->tried[i].status) > weight_of(worst->status))
            worst = &one->tried[i];
    if (!err)
        return worst->status;
    for (size_t i = 0; i < self->gateway_count; i++)
        vvi_buf_printf(&text, NULL, "%s%s: %s", i ? "; " : "", self->gateways[i].url,
                       one->tried[i].why);
    vvi_buf_terminate(&text, NULL);
    if (self->gateway_count == 1)
        vvi_fail(err, worst->status, "block %s: %s", one->cid_text,
                 text.data ? (const char *)text.data : "");
    else
        vvi_fail(err, worst->status, "block %s: none of %zu gateways gave it: %s",
                 one->cid_text, self->gateway_count,
                 text.data ? (const char *)text.data : "");
    vv_buf_clear(&text);
    return worst->status;
}

/* The place is free again. */
static void end_load(loading *all, load *one, vv_status status)
{
    vv_error error = VV_ERROR_INIT;

    report(one, status);
    all->statuses[one->index] = status;
    if (!status)
        vvi_buf_move(&all->outs[one->index], &one->request.answer);
    else if (!all->status) {
        all->status = status;
        fail_load(all, one, &error);
        all->error = error;
    }
    vvi_http_request_clear(&one->request);
    one->cid = NULL;
}

static void end_without_asking(loading *all, load *one, vv_status status,
                               const vv_error *error)
{
    all->statuses[one->index] = status;
    if (!all->status) {
        all->status = status;
        all->error = *error;
    }
    vvi_http_request_clear(&one->request);
    one->cid = NULL;
}

/* The time for the whole is over: who was not asked is not to blame for it. */
static void give_up(const vvi_kubo *self, load *one)
{
    for (size_t i = 0; i < self->gateway_count; i++) {
        tried *there = &one->tried[i];

        if (!there->status) {
            there->status = VV_ETIMEDOUT;
            snprintf(there->why, sizeof(there->why), "not asked, for want of time");
        }
        there->is_over = true;
    }
}

/* Ask the next gateway, or end. */
static void go_on(loading *all, load *one)
{
    vv_error error = VV_ERROR_INIT;
    vv_status status;
    size_t last = one->gateway;

    if (vvi_now_ns() >= one->deadline_ns)
        give_up(all->self, one);
    if (!choose(all->self, one)) {
        one->gateway = last;
        end_load(all, one, fail_load(all, one, NULL));
        return;
    }
    status = submit(all, one, &error);
    if (status)
        end_without_asking(all, one, status, &error);
}

/* A gateway that gives nothing but blocks as such says 406; from now on it is asked for those. */
static bool wants_to_be_trusted_less(const loading *all, const load *one,
                                     vvi_kubo_gateway *gateway)
{
    if (one->request.status || one->request.http_status != 406 || gateway->is_rpc ||
        all->as_file || strchr(one->request.url, '?'))
        return false;
    __atomic_store_n(&gateway->is_trustless, true, __ATOMIC_RELAXED);
    return true;
}

static void take(loading *all, load *one)
{
    vvi_kubo *self = all->self;
    vvi_kubo_gateway *gateway = &self->gateways[one->gateway];
    tried *here = &one->tried[one->gateway];
    bool asks_otherwise = false;

    if (one->request.attempts > 1)
        one->retries += one->request.attempts - 1;
    if (wants_to_be_trusted_less(all, one, gateway))
        asks_otherwise = true;
    else if (is_range_quirk(all, one))
        asks_otherwise = here->no_range = true;
    if (asks_otherwise) {
        go_on(all, one);
        return;
    }
    one->retries += here->attempts > 0;
    here->attempts++;
    here->status = judge(all, one, here);
    if (!here->status) {
        vvi_kubo_note_success(self, gateway);
        end_load(all, one, VV_OK);
        return;
    }
    if (here->status == VV_ECANCELED || here->status == VV_ENOMEM) {
        end_without_asking(all, one, here->status, &one->request.error);
        return;
    }
    plan_retry(all, one, here);
    note_failure(all, one, here);
    go_on(all, one);
}

/* ---- the call ------------------------------------------------------------------------------- */

static void begin(loading *all, load *one, const vv_cid *cid, size_t index)
{
    vvi_kubo *self = all->self;

    one->cid = cid;
    one->index = index;
    one->retries = 0;
    one->gateway = 0;
    one->request = (vvi_http_request){ 0 };
    one->deadline_ns = vvi_now_ns() + (self->opts.total_timeout_ms
                                           ? self->opts.total_timeout_ms
                                           : TOTAL_TIMEOUT_MS) *
                                          MS;
    memset(one->tried, 0, self->gateway_count * sizeof(*one->tried));
    vvi_kubo_cid_text(cid, one->cid_text);
    go_on(all, one);
}

/* As many at once as all gateways take, and as many that wait, so that none runs dry. */
static vv_status make_places(loading *all, size_t n, vv_error *err)
{
    vvi_kubo *self = all->self;
    size_t gateways = self->gateway_count;
    size_t count = 2 * (size_t)self->opts.max_in_flight * gateways;

    if (count > n)
        count = n;
    all->loads = vvi_alloc_array_zero(count, sizeof(*all->loads));
    all->tried = vvi_alloc_array_zero(count * gateways, sizeof(*all->tried));
    if (!all->loads || !all->tried)
        return vvi_fail_nomem(err, count * (sizeof(load) + gateways * sizeof(tried)));
    all->load_count = count;
    for (size_t i = 0; i < count; i++)
        all->loads[i].tried = all->tried + i * gateways;
    return VV_OK;
}

static void run(loading *all, const vv_cid *cids, size_t n)
{
    vvi_http_request *done;
    size_t next = 0;

    while (next < n && next < all->load_count) {
        begin(all, &all->loads[next], &cids[next], next);
        next++;
    }
    /* A place that became free without a request is filled too. */
    for (;;) {
        for (size_t i = 0; i < all->load_count && next < n; i++)
            while (!all->loads[i].cid && next < n) {
                begin(all, &all->loads[i], &cids[next], next);
                next++;
            }
        done = vvi_http_next(&all->batch);
        if (!done)
            return;
        take(all, done->user);
    }
}

vv_status vvi_kubo_load_many(vvi_kubo *self, const vv_cid *cids, size_t n, vv_range range,
                             bool check, bool as_file, vv_buf *outs, vv_status *statuses,
                             vv_error *err)
{
    loading all = { .self = self,
                    .range = range,
                    .check = check,
                    .as_file = as_file,
                    .outs = outs,
                    .statuses = statuses };
    vv_status status = n ? make_places(&all, n, err) : VV_OK;

    if (!status && n)
        status = vvi_http_batch_init(&all.batch, self->http, err);
    if (status || !n) {
        for (size_t i = 0; i < n; i++)
            statuses[i] = status;
        goto done;
    }
    run(&all, cids, n);
    vvi_http_batch_clear(&all.batch);
    for (size_t i = 0; i < all.load_count; i++)
        vv_buf_clear(&all.loads[i].url);
    status = all.status;
    if (status && err)
        *err = all.error;

done:
    vvi_free(all.loads);
    vvi_free(all.tried);
    return status;
}
