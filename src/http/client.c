/*
 * The transfer thread: takes what was submitted, starts as much as the lanes allow, follows redirects, tries
 * again, and hands every request back once.
 *
 * A request is in one list at a time: incoming (guarded by the lock), then its lane's queue, active or delayed
 * (the thread's own), then its batch's (guarded by the lock).
 */
#include "http/inner.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MS ((uint64_t)1000000)
#define IDLE_WAIT_MS \
    600000 /* between looks when there is nothing to do; a submit wakes the thread */

/* ---- lists ---------------------------------------------------------------------------------- */

void vvi_http_link(vvi_http_request **list, vvi_http_request *request)
{
    request->previous = NULL;
    request->next = *list;
    if (*list)
        (*list)->previous = request;
    *list = request;
}

void vvi_http_unlink(vvi_http_request **list, vvi_http_request *request)
{
    if (request->previous)
        request->previous->next = request->next;
    else
        *list = request->next;
    if (request->next)
        request->next->previous = request->previous;
    request->next = request->previous = NULL;
}

static void push_last(vvi_http_request **first, vvi_http_request **last,
                      vvi_http_request *request)
{
    request->next = NULL;
    if (*first)
        (*last)->next = request;
    else
        *first = request;
    *last = request;
}

static bool is_canceled(const vvi_http *http, const vvi_http_request *request)
{
    return request->generation != http->seen_generation ||
           __atomic_load_n(&request->batch->is_canceled, __ATOMIC_RELAXED);
}

/* ---- how a request goes on ------------------------------------------------------------------ */

static void hand_back(vvi_http *http, vvi_http_request *request)
{
    vvi_http_batch *batch = request->batch;

    __atomic_sub_fetch(&request->lane->load, 1, __ATOMIC_RELAXED);
    vvi_mutex_lock(&http->lock);
    push_last(&batch->first, &batch->last, request);
    /* Under the lock: whoever waits may take the batch away once it is let go. */
    vvi_cond_signal(&batch->done);
    vvi_mutex_unlock(&http->lock);
}

static void finish(vvi_http *http, vvi_http_request *request)
{
    if (request->status) {
        char what[320];

        vvi_http_describe(request, what, sizeof(what));
        request->error.status = request->status;
        vvi_wrap(&request->error, request->status, "%s", what);
    }
    hand_back(http, request);
}

static void fail(vvi_http *http, vvi_http_request *request, vv_status status,
                 const char *why)
{
    request->http_status = 0;
    request->is_permanent = status != VV_ETIMEDOUT;
    request->status = vvi_fail(&request->error, status, "%s", why);
    finish(http, request);
}

/* Behind the others of its lane, or until its time has come. */
static void queue(vvi_http *http, vvi_http_request *request, uint64_t now_ns)
{
    vvi_http_lane *lane = request->lane;

    if (request->start_ns > now_ns) {
        vvi_http_link(&http->delayed, request);
        return;
    }
    push_last(&lane->first, &lane->last, request);
    if (!lane->is_listed) {
        lane->is_listed = true;
        lane->next = http->lanes;
        http->lanes = lane;
    }
}

static bool is_redirect(const vvi_http_request *request)
{
    uint32_t code = request->http_status;

    if (request->status || !request->location)
        return false;
    if (code == 307 || code == 308)
        return true;
    /* These turn a POST into a GET, which none of ours means. */
    return request->method != VVI_HTTP_POST &&
           (code == 301 || code == 302 || code == 303);
}

/* Go to where the answer points. */
static void follow(vvi_http *http, vvi_http_request *request, uint64_t now_ns)
{
    char *hop = NULL;
    char why[64];

    if (request->redirects == http->opts.max_redirects) {
        snprintf(why, sizeof(why), "more than %u redirects", http->opts.max_redirects);
        fail(http, request, VV_EIO, why);
        return;
    }
    request->redirects++;
    request->status = vvi_http_resolve(request->hop ? request->hop : request->url,
                                       request->location, &hop, &request->error);
    if (request->status) {
        request->http_status = 0;
        request->is_permanent = true;
        finish(http, request);
        return;
    }
    vvi_free(request->hop);
    request->hop = hop;
    queue(http, request, now_ns);
}

static bool is_worth_another(const vvi_http_request *request)
{
    if (request->once || request->attempts > request->max_retries)
        return false;
    if (request->status)
        return !request->is_permanent;
    return vvi_http_is_retried(request->http_status) &&
           !(request->http_status == 500 && request->is_500_final);
}

/* An exchange is over, one way or the other. */
static void go_on(vvi_http *http, vvi_http_request *request)
{
    uint64_t now_ns = vvi_now_ns();

    if (is_redirect(request)) {
        follow(http, request, now_ns);
        return;
    }
    request->attempts++;
    if (is_worth_another(request)) {
        uint64_t wait_ns = vvi_http_wait_ns(
            http, request->attempts,
            !request->status && request->has_retry_after ? request->retry_after : NULL);

        if (now_ns < request->deadline_ns && wait_ns < request->deadline_ns - now_ns) {
            request->start_ns = now_ns + wait_ns;
            request->redirects = 0;
            vvi_free(request->hop);
            request->hop = NULL;
            queue(http, request, now_ns);
            return;
        }
    }
    finish(http, request);
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* What was submitted since; false when the client ends. */
static bool take_incoming(vvi_http *http)
{
    vvi_http_request *list;
    uint64_t now_ns;
    bool is_ending;

    vvi_mutex_lock(&http->lock);
    list = http->incoming;
    http->incoming = http->incoming_last = NULL;
    http->is_woken = false;
    http->seen_generation = http->generation;
    http->seen_cancels = http->cancels;
    is_ending = http->is_ending;
    vvi_mutex_unlock(&http->lock);
    now_ns = vvi_now_ns();
    while (list) {
        vvi_http_request *request = list;

        list = request->next;
        request->next = request->previous = NULL;
        queue(http, request, now_ns);
    }
    return !is_ending;
}

static void start_one(vvi_http *http, vvi_http_request *request, uint64_t now_ns)
{
    if (!request->is_deadline_set) {
        request->deadline_ns = now_ns + http->opts.total_timeout_ms * MS;
        request->is_deadline_set = true;
    }
    if (is_canceled(http, request)) {
        fail(http, request, VV_ECANCELED, "canceled");
    } else if (!vvi_http_start(http, request)) {
        finish(http, request);
    } else {
        request->lane->active++;
        request->is_active = true;
        vvi_http_link(&http->active, request);
    }
}

static void start_ready(vvi_http *http)
{
    uint64_t now_ns = vvi_now_ns();
    vvi_http_lane **at = &http->lanes;

    while (*at) {
        vvi_http_lane *lane = *at;

        while (lane->first && lane->active < lane->limit) {
            vvi_http_request *request = lane->first;

            lane->first = request->next;
            request->next = request->previous = NULL;
            start_one(http, request, now_ns);
        }
        if (lane->first) {
            at = &lane->next;
        } else {
            *at = lane->next;
            lane->is_listed = false;
        }
    }
}

static void stop_active(vvi_http *http, vvi_http_request *request, CURLcode result)
{
    vvi_http_unlink(&http->active, request);
    request->is_active = false;
    request->lane->active--;
    vvi_http_stop(http, request, result);
}

static void read_messages(vvi_http *http)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(http->multi, &left))) {
        CURLcode result = message->data.result;
        vvi_http_request *request = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
        stop_active(http, request, result);
        go_on(http, request);
    }
}

static void abort_active(vvi_http *http, vvi_http_request *request, vv_status status,
                         const char *why)
{
    request->abort = vvi_fail(&request->error, status, "%s", why);
    stop_active(http, request, CURLE_OK);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* End what took too long or was canceled. Returns when to look again. */
static uint64_t check_active(vvi_http *http, uint64_t now_ns)
{
    uint64_t next_ns = now_ns + IDLE_WAIT_MS * MS;
    vvi_http_request *after;

    for (vvi_http_request *request = http->active; request; request = after) {
        uint64_t idle_ns = (request->idle_timeout_ms ? request->idle_timeout_ms
                                                     : http->opts.idle_timeout_ms) *
                           MS;

        after = request->next;
        if (is_canceled(http, request)) {
            abort_active(http, request, VV_ECANCELED, "canceled");
            finish(http, request);
        } else if (request->deadline_ns <= now_ns) {
            abort_active(http, request, VV_ETIMEDOUT,
                         "not done within the time for the whole request");
            request->is_permanent = true;
            finish(http, request);
        } else if (request->active_ns + idle_ns <= now_ns) {
            abort_active(http, request, VV_ETIMEDOUT,
                         "no byte came or went for too long");
            go_on(http, request);
        } else {
            next_ns = min_u64(
                next_ns, min_u64(request->deadline_ns, request->active_ns + idle_ns));
        }
    }
    return next_ns;
}

static uint64_t check_delayed(vvi_http *http, uint64_t now_ns, uint64_t next_ns)
{
    vvi_http_request *after;

    for (vvi_http_request *request = http->delayed; request; request = after) {
        after = request->next;
        if (is_canceled(http, request)) {
            vvi_http_unlink(&http->delayed, request);
            fail(http, request, VV_ECANCELED, "canceled");
        } else if (request->start_ns <= now_ns) {
            vvi_http_unlink(&http->delayed, request);
            request->start_ns = 0;
            queue(http, request, now_ns);
            next_ns = now_ns;
        } else {
            next_ns = min_u64(next_ns, request->start_ns);
        }
    }
    return next_ns;
}

/* End those that wait in the lanes and were canceled. */
static void fail_canceled(vvi_http *http)
{
    for (vvi_http_lane *lane = http->lanes; lane; lane = lane->next) {
        vvi_http_request *list = lane->first;

        lane->first = lane->last = NULL;
        while (list) {
            vvi_http_request *request = list;

            list = request->next;
            request->next = request->previous = NULL;
            if (is_canceled(http, request))
                fail(http, request, VV_ECANCELED, "canceled");
            else
                push_last(&lane->first, &lane->last, request);
        }
    }
}

static void *transfer(void *ctx)
{
    vvi_http *http = ctx;
    uint64_t seen = 0;

    while (take_incoming(http)) {
        uint64_t now_ns;
        uint64_t next_ns;
        int running;

        if (seen != http->seen_cancels)
            fail_canceled(http);
        seen = http->seen_cancels;
        start_ready(http);
        curl_multi_perform(http->multi, &running);
        read_messages(http);
        now_ns = vvi_now_ns();
        next_ns = check_delayed(http, now_ns, check_active(http, now_ns));
        /* What became free is for those who wait: no sleep before they are started. */
        for (vvi_http_lane *lane = http->lanes; lane; lane = lane->next)
            if (lane->first && lane->active < lane->limit)
                next_ns = now_ns;
        if (next_ns > now_ns)
            curl_multi_poll(http->multi, NULL, 0, (int)((next_ns - now_ns) / MS + 1),
                            NULL);
    }
    return NULL;
}

/* Signals are for the threads of the program. */
static int start_thread(vvi_http *http)
{
    sigset_t all;
    sigset_t before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&http->thread, NULL, transfer, http);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* ---- the calls ------------------------------------------------------------------------------ */

vv_status vvi_http_batch_init(vvi_http_batch *batch, vvi_http *http, vv_error *err)
{
    *batch = (vvi_http_batch){ 0 };
    /* Before the lock: in a child whoever held it at the fork does not let it go. */
    if (http->pid != getpid())
        return vvi_fail(
            err, VV_EINVAL,
            "a child of a fork opens its own connections: open the store again");
    VVI_TRY(vvi_cond_init(&batch->done, err));
    batch->http = http;
    vvi_mutex_lock(&http->lock);
    batch->generation = http->generation;
    vvi_mutex_unlock(&http->lock);
    return VV_OK;
}

/* Under the lock. */
static vv_status enqueue(vvi_http *http, vvi_http_request *request)
{
    if (!http->is_running) {
        int error = start_thread(http);

        if (error)
            return vvi_fail_errno(&request->error, error, "start a thread");
        http->is_running = true;
    }
    push_last(&http->incoming, &http->incoming_last, request);
    if (!http->is_woken) {
        http->is_woken = true;
        curl_multi_wakeup(http->multi);
    }
    return VV_OK;
}

void vvi_http_submit(vvi_http_batch *batch, vvi_http_request *request)
{
    vvi_http *http = batch->http;
    vvi_http_origin origin;
    vv_status status = vvi_http_origin_of(request->url, &origin, &request->error);

    request->batch = batch;
    request->start_ns = request->delay_ns ? vvi_now_ns() + request->delay_ns : 0;
    vvi_mutex_lock(&http->lock);
    batch->count++;
    request->generation = batch->generation;
    if (!status)
        status = enqueue(http, request);
    if (!status)
        __atomic_add_fetch(&request->lane->load, 1, __ATOMIC_RELAXED);
    else {
        request->status = status;
        request->is_permanent = true;
        push_last(&batch->first, &batch->last, request);
    }
    vvi_mutex_unlock(&http->lock);
}

vvi_http_request *vvi_http_next(vvi_http_batch *batch)
{
    vvi_http *http = batch->http;
    vvi_http_request *request;

    vvi_mutex_lock(&http->lock);
    /* Every request has a deadline, so this ends. */
    while (batch->count && !batch->first)
        vvi_cond_wait_until(&batch->done, &http->lock, vvi_now_ns() + 60000 * MS);
    request = batch->first;
    if (request) {
        batch->first = request->next;
        request->next = NULL;
        batch->count--;
    }
    vvi_mutex_unlock(&http->lock);
    return request;
}

/* Under the lock. */
static void tell_of_cancel(vvi_http *http)
{
    http->cancels++;
    if (http->is_running)
        curl_multi_wakeup(http->multi);
}

void vvi_http_batch_clear(vvi_http_batch *batch)
{
    if (!batch->http)
        return;
    vvi_mutex_lock(&batch->http->lock);
    if (batch->count) {
        __atomic_store_n(&batch->is_canceled, true, __ATOMIC_RELAXED);
        tell_of_cancel(batch->http);
    }
    vvi_mutex_unlock(&batch->http->lock);
    while (vvi_http_next(batch))
        ;
    vvi_cond_clear(&batch->done);
    batch->http = NULL;
}

vv_status vvi_http_perform(vvi_http *http, vvi_http_request *request, vv_error *err)
{
    vvi_http_batch batch;
    vv_status status;

    VVI_TRY(vvi_http_batch_init(&batch, http, err));
    vvi_http_submit(&batch, request);
    vvi_http_next(&batch);
    vvi_http_batch_clear(&batch);
    status = request->status;
    if (status && err)
        *err = request->error;
    return status;
}

void vvi_http_request_rewind(vvi_http_request *request)
{
    vvi_free(request->hop);
    vvi_free(request->location);
    request->hop = request->location = NULL;
    request->redirects = request->attempts = 0;
    request->is_deadline_set = false;
    request->status = VV_OK;
}

void vvi_http_request_clear(vvi_http_request *request)
{
    vvi_http_request_rewind(request);
    vv_buf_clear(&request->answer);
}

void vvi_http_cancel(vvi_http *http)
{
    if (http->pid != getpid()) /* nothing of a child's goes on */
        return;
    vvi_mutex_lock(&http->lock);
    http->generation++;
    tell_of_cancel(http);
    vvi_mutex_unlock(&http->lock);
}
