/* The HTTP client: what it sends, follows, tries again, and whom it tells what. */
#include "http/fixture.h"
#include "http/inner.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS ((uint64_t)1000000)

static vv_error err;

/* ---- helpers -------------------------------------------------------------------------------- */

typedef struct waits {
    double seconds[32];
    size_t count;
} waits;

static void note_wait(void *ctx, double seconds)
{
    waits *self = ctx;

    assert_true(self->count < 32);
    self->seconds[self->count++] = seconds;
}

static double half(void *ctx)
{
    (void)ctx;
    return 0.5;
}

static vvi_http *client_with(vvi_http_options opts)
{
    vvi_http *http = NULL;

    opts.proxy = "";
    assert_vv_ok(vvi_http_new(&opts, &http, &err));
    return http;
}

static void url_of(const script *self, const char *path, char out[256])
{
    snprintf(out, 256, "%s%s", http_server_url(self->server), path);
}

typedef struct asked {
    vvi_http_lane lane;
    vvi_http_request request;
    char url[256];
} asked;

static vv_status ask(vvi_http *http, const script *self, const char *path, asked *out,
                     uint32_t max_retries)
{
    memset(out, 0, sizeof(*out));
    out->lane.limit = 1;
    url_of(self, path, out->url);
    out->request = (vvi_http_request){ .url = out->url,
                                       .lane = &out->lane,
                                       .max_body_bytes = 1 << 20,
                                       .max_retries = max_retries };
    vv_status status = vvi_http_perform(http, &out->request, &err);

    http_server_settle(self->server);
    return status;
}

/* ---- one request ---------------------------------------------------------------------------- */

static void an_answer_comes_whole_with_its_status(void **state)
{
    script *self = start_script();
    vvi_http *http = client_with((vvi_http_options){ 0 });
    asked got;

    (void)state;
    add_answer(self, answer_of(200, "hello"));
    add_answer(self, answer_of(404, "not here"));
    assert_vv_ok(ask(http, self, "/a?b=c", &got, 0));
    assert_int_equal(got.request.http_status, 200);
    assert_int_equal(got.request.answer.len, 5);
    assert_memory_equal(got.request.answer.data, "hello", 5);
    assert_string_equal(self->seen[0].target, "/a?b=c");
    assert_string_equal(server_header(&self->seen[0], "accept"), "*/*");
    assert_null(server_header(&self->seen[0], "origin"));
    vvi_http_request_clear(&got.request);
    assert_vv_ok(ask(http, self, "/a", &got, 0));
    assert_int_equal(got.request.http_status, 404);
    assert_int_equal(got.request.answer.len, 8);
    vvi_http_request_clear(&got.request);
    /* The connection was kept. */
    assert_int_equal(http_server_connections(self->server), 1);
    vvi_http_free(http);
    end_script(self);
}

static void a_body_of_parts_is_sent_without_asking_first(void **state)
{
    script *self = start_script();
    vvi_http *http = client_with((vvi_http_options){ 0 });
    size_t len = 3 << 20;
    uint8_t *data = calloc(1, len);
    vvi_http_lane lane = { .limit = 1 };
    char url[256];

    (void)state;
    add_answer(self, answer_of(200, "{}"));
    url_of(self, "/api", url);
    vvi_http_request request = {
        .method = VVI_HTTP_POST,
        .url = url,
        .lane = &lane,
        .headers = { { "Content-Type", "text/plain" } },
        .header_count = 1,
        .body = { vv_bytes_of("<"), { data, len }, vv_bytes_of(">") },
        .max_body_bytes = 100
    };
    assert_vv_ok(vvi_http_perform(http, &request, &err));
    assert_int_equal(self->last_body_len, len + 2);
    assert_null(server_header(&self->seen[0], "expect"));
    assert_string_equal(server_header(&self->seen[0], "content-type"), "text/plain");
    vvi_http_request_clear(&request);
    vvi_http_free(http);
    end_script(self);
    free(data);
}

static void a_url_of_another_kind_is_refused_at_once(void **state)
{
    static const char *const urls[] = {
        "ftp://h/x",          "h",          "", "http://", "http://h:99999/",
        "file:///etc/passwd", "http://a b/"
    };
    vvi_http *http = client_with((vvi_http_options){ 0 });

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
        vvi_http_lane lane = { .limit = 1 };
        vvi_http_request request = { .url = urls[i], .lane = &lane, .max_retries = 3 };

        assert_int_equal(vvi_http_perform(http, &request, &err), VV_EINVAL);
        vvi_http_request_clear(&request);
    }
    vvi_http_free(http);
}

static void headers_that_would_end_their_line_are_refused(void **state)
{
    static const vv_http_header bad[] = { { "X-A", "1\r\nX-B: 2" },
                                          { "X A", "1" },
                                          { "", "1" } };
    vvi_http *http;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        vvi_http_options opts = { .headers = &bad[i], .header_count = 1 };

        assert_int_equal(vvi_http_new(&opts, &http, &err), VV_EINVAL);
        assert_null(strstr(err.message, "X-B"));
    }
}

/* ---- trying again --------------------------------------------------------------------------- */

static void what_may_pass_is_tried_again_with_growing_waits(void **state)
{
    script *self = start_script();
    waits told = { 0 };
    vvi_http *http = client_with(
        (vvi_http_options){ .initial_delay_s = 0.5,
                            .backoff_factor = 3,
                            .hooks = { half, note_wait, &told } });
    asked got;

    (void)state;
    /* On a connection that was kept libcurl itself would try again. */
    add_answer(self, (server_answer){ .status = 503, .close = true });
    add_answer(self, (server_answer){ .reset = true });
    add_answer(self, (server_answer){ .status = 429, .headers = "Retry-After: 7\r\n" });
    add_answer(self, answer_of(200, "at last"));
    assert_vv_ok(ask(http, self, "/", &got, 3));
    assert_int_equal(got.request.http_status, 200);
    assert_int_equal(got.request.attempts, 4);
    assert_int_equal(told.count, 3);
    assert_true(told.seconds[0] == 0.5 && told.seconds[1] == 1.5 &&
                told.seconds[2] == 7.0);
    vvi_http_request_clear(&got.request);
    vvi_http_free(http);
    end_script(self);
}

static void the_last_failure_is_told_as_it_is(void **state)
{
    script *self = start_script();
    waits told = { 0 };
    vvi_http *http = client_with(
        (vvi_http_options){ .hooks = { half, note_wait, &told } });
    asked got;

    (void)state;
    add_answer(self, answer_of(503, "busy"));
    assert_vv_ok(ask(http, self, "/", &got, 2));
    assert_int_equal(got.request.http_status, 503);
    assert_int_equal(self->next, 3);
    vvi_http_request_clear(&got.request);
    self->answers[0] = (server_answer){ .reset = true };
    assert_int_equal(ask(http, self, "/", &got, 1), VV_EIO);
    vvi_http_request_clear(&got.request);
    vvi_http_free(http);
    end_script(self);
}

static void what_must_be_sent_once_is_sent_once(void **state)
{
    script *self = start_script();
    vvi_http *http = client_with((vvi_http_options){ 0 });
    asked got;

    (void)state;
    add_answer(self, answer_of(200, ""));
    add_answer(self, (server_answer){ .reset = true });
    assert_vv_ok(ask(http, self, "/", &got, 0));
    vvi_http_request_clear(&got.request);
    memset(&got, 0, sizeof(got));
    got.lane.limit = 1;
    url_of(self, "/once", got.url);
    got.request = (vvi_http_request){
        .url = got.url, .lane = &got.lane, .max_retries = 3, .once = true
    };
    assert_int_equal(vvi_http_perform(http, &got.request, &err), VV_EIO);
    http_server_settle(self->server);
    assert_int_equal(self->next, 2);
    vvi_http_request_clear(&got.request);
    vvi_http_free(http);
    end_script(self);
}

static void nobody_there_is_told_apart_from_an_answer(void **state)
{
    vvi_http *http = client_with((vvi_http_options){ 0 });
    vvi_http_lane lane = { .limit = 1 };
    char url[64];
    vvi_http_request request = { .url = url, .lane = &lane };

    (void)state;
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", unused_port());
    assert_int_equal(vvi_http_perform(http, &request, &err), VV_EIO);
    assert_non_null(strstr(err.message, url));
    assert_int_equal(request.http_status, 0);
    vvi_http_request_clear(&request);
    vvi_http_free(http);
}

/* ---- redirects and credentials -------------------------------------------------------------- */

static void a_redirect_to_another_origin_takes_no_secret_along(void **state)
{
    static const vv_http_header headers[] = { { "X-API-Key", "k" },
                                              { "Accept-Language", "de" } };
    script *own = start_script();
    script *foreign = start_script();
    const char *trusted[] = { http_server_url(own->server) };
    vvi_http *http = client_with((vvi_http_options){ .headers = headers,
                                                     .header_count = 2,
                                                     .user = "u",
                                                     .password = "p",
                                                     .trusted = trusted,
                                                     .trusted_count = 1 });
    char location[128];
    asked got;

    (void)state;
    snprintf(location, sizeof(location), "Location: %s/there\r\n",
             http_server_url(foreign->server));
    add_answer(own, (server_answer){ .status = 302, .headers = location });
    add_answer(foreign, answer_of(200, "x"));
    assert_vv_ok(ask(http, own, "/here", &got, 0));
    assert_string_equal(server_header(&own->seen[0], "x-api-key"), "k");
    assert_string_equal(server_header(&own->seen[0], "authorization"), "Basic dTpw");
    assert_null(server_header(&foreign->seen[0], "x-api-key"));
    assert_null(server_header(&foreign->seen[0], "authorization"));
    assert_string_equal(server_header(&foreign->seen[0], "accept-language"), "de");
    assert_string_equal(foreign->seen[0].target, "/there");
    vvi_http_request_clear(&got.request);
    vvi_http_free(http);
    end_script(own);
    end_script(foreign);
}

static void a_post_follows_only_what_keeps_the_method(void **state)
{
    script *self = start_script();
    vvi_http *http = client_with((vvi_http_options){ 0 });
    asked got;

    (void)state;
    add_answer(self, (server_answer){ .status = 307, .headers = "Location: /there\r\n" });
    add_answer(self, answer_of(200, ""));
    add_answer(self, (server_answer){ .status = 301, .headers = "Location: /there\r\n" });
    memset(&got, 0, sizeof(got));
    got.lane.limit = 1;
    url_of(self, "/here", got.url);
    got.request = (vvi_http_request){ .method = VVI_HTTP_POST,
                                      .url = got.url,
                                      .lane = &got.lane,
                                      .body = { vv_bytes_of("data") },
                                      .max_body_bytes = 10 };
    assert_vv_ok(vvi_http_perform(http, &got.request, &err));
    assert_string_equal(self->seen[1].method, "POST");
    assert_string_equal(self->seen[1].target, "/there");
    assert_int_equal(self->last_body_len, 4);
    vvi_http_request_rewind(&got.request);
    assert_vv_ok(vvi_http_perform(http, &got.request, &err));
    assert_int_equal(got.request.http_status, 301);
    assert_int_equal(self->next, 3);
    vvi_http_request_clear(&got.request);
    vvi_http_free(http);
    end_script(self);
}

static void a_redirect_leads_to_http_only(void **state)
{
    script *self = start_script();
    vvi_http *http = client_with((vvi_http_options){ 0 });
    asked got;

    (void)state;
    add_answer(self, (server_answer){ .status = 302,
                                      .headers = "Location: file:///etc/passwd\r\n" });
    assert_int_equal(ask(http, self, "/", &got, 2), VV_EIO);
    assert_int_equal(self->next, 1);
    vvi_http_request_clear(&got.request);
    vvi_http_free(http);
    end_script(self);
}

static void no_message_shows_a_secret(void **state)
{
    script *self = start_script();
    const char *trusted[] = { http_server_url(self->server) };
    static const vv_http_header headers[] = { { "Authorization", "Bearer s3cret" } };
    vvi_http *http = client_with((vvi_http_options){ .headers = headers,
                                                     .header_count = 1,
                                                     .user = "name",
                                                     .password = "s3cret",
                                                     .trusted = trusted,
                                                     .trusted_count = 1 });
    vvi_http_lane lane = { .limit = 1 };
    char url[128];
    vvi_http_request request = { .url = url, .lane = &lane };
    char shown[128];

    (void)state;
    snprintf(url, sizeof(url), "http://name:s3cret@127.0.0.1:%u/x?token=s3cret",
             unused_port());
    assert_int_equal(vvi_http_perform(http, &request, &err), VV_EIO);
    assert_null(strstr(err.message, "s3cret"));
    assert_non_null(strstr(err.message, "127.0.0.1"));
    vvi_http_request_clear(&request);
    vvi_http_redact("https://a:b@h:1/p?q#f", shown, sizeof(shown));
    assert_string_equal(shown, "https://h:1/p");
    vvi_http_redact("a@b@h/p@x", shown, sizeof(shown));
    assert_string_equal(shown, "h/p@x");
    vvi_http_redact("http://a:s3/cr?e#t@h:1/p@x?q", shown, sizeof(shown));
    assert_string_equal(shown, "http://x");
    vvi_http_redact("http://[::1]:80/p@x", shown, sizeof(shown));
    assert_string_equal(shown, "http://[::1]:80/p@x");
    vvi_http_redact("h?to=http://s3cret", shown, sizeof(shown));
    assert_string_equal(shown, "h");
    vvi_http_free(http);
    end_script(self);
}

/* ---- many ----------------------------------------------------------------------------------- */

typedef struct crowd {
    pthread_mutex_t lock;
    unsigned now, most;
} crowd;

static void echo_target(void *ctx, const server_request *request, server_answer *answer)
{
    (void)ctx;
    answer->owned = strdup(request->target);
    answer->body = answer->owned;
    answer->body_len = strlen(request->target);
    answer->delay_ms = 2;
}

#define REQUESTS 200
#define THREADS  4

typedef struct worker {
    vvi_http *http;
    vvi_http_lane *lane;
    const char *base;
    unsigned number;
    size_t right;
} worker;

static void *work(void *ctx)
{
    worker *self = ctx;
    static char urls[THREADS][REQUESTS][128];
    static vvi_http_request requests[THREADS][REQUESTS];
    vvi_http_request *done;
    vvi_http_batch batch;

    if (vvi_http_batch_init(&batch, self->http, NULL))
        return NULL;
    for (size_t i = 0; i < REQUESTS; i++) {
        char *url = urls[self->number][i];

        snprintf(url, 128, "%s/%u/%zu", self->base, self->number, i);
        requests[self->number][i] = (vvi_http_request){
            .url = url, .lane = self->lane, .max_body_bytes = 100, .user = url
        };
        vvi_http_submit(&batch, &requests[self->number][i]);
    }
    while ((done = vvi_http_next(&batch))) {
        const char *want = (const char *)done->user + strlen(self->base);

        if (!done->status && done->answer.len == strlen(want) &&
            memcmp(done->answer.data, want, done->answer.len) == 0)
            self->right++;
        vvi_http_request_clear(done);
    }
    vvi_http_batch_clear(&batch);
    return NULL;
}

static void many_threads_share_one_client_within_the_lane(void **state)
{
    http_server *server = http_server_start(echo_target, NULL);
    vvi_http *http = client_with((vvi_http_options){ 0 });
    vvi_http_lane lane = { .limit = 8 };
    worker workers[THREADS];
    pthread_t threads[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker){ http, &lane, http_server_url(server), i, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].right, REQUESTS);
    }
    assert_true(http_server_connections(server) <= 8);
    assert_int_equal(lane.load, 0);
    vvi_http_free(http);
    http_server_stop(server);
}

static void a_batch_that_is_cleared_ends_what_goes_on(void **state)
{
    script *self = start_script();
    vvi_http *http = client_with((vvi_http_options){ 0 });
    vvi_http_lane lane = { .limit = 2 };
    vvi_http_request requests[8];
    uint64_t start = vvi_now_ns();
    vvi_http_batch batch;
    char url[256];

    (void)state;
    add_answer(self, (server_answer){ .delay_ms = 60000 });
    url_of(self, "/", url);
    assert_vv_ok(vvi_http_batch_init(&batch, http, &err));
    for (size_t i = 0; i < 8; i++) {
        requests[i] = (vvi_http_request){ .url = url, .lane = &lane };
        requests[i].delay_ns = i == 7 ? 60000 * MS : 0;
        vvi_http_submit(&batch, &requests[i]);
    }
    usleep(20000);
    vvi_http_batch_clear(&batch);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(requests[i].status, VV_ECANCELED);
        vvi_http_request_clear(&requests[i]);
    }
    assert_true(vvi_now_ns() - start < 5000 * MS);
    vvi_http_free(http);
    end_script(self);
}

static void *cancel_soon(void *ctx)
{
    usleep(50000);
    vvi_http_cancel(ctx);
    return NULL;
}

static void a_cancel_ends_what_other_threads_wait_for(void **state)
{
    script *self = start_script();
    vvi_http *http = client_with((vvi_http_options){ 0 });
    pthread_t thread;
    asked got;

    (void)state;
    add_answer(self, (server_answer){ .delay_ms = 60000 });
    add_answer(self, answer_of(200, ""));
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, http), 0);
    assert_int_equal(ask(http, self, "/", &got, 3), VV_ECANCELED);
    vvi_http_request_clear(&got.request);
    pthread_join(thread, NULL);
    /* And later ones are none of its business. */
    assert_vv_ok(ask(http, self, "/", &got, 0));
    vvi_http_request_clear(&got.request);
    vvi_http_free(http);
    end_script(self);
}

static void a_child_of_a_fork_is_refused_whatever_goes_on(void **state)
{
    vvi_http *http = client_with((vvi_http_options){ 0 });
    vv_error error = VV_ERROR_INIT;
    vvi_http_batch batch;
    int code = -1;
    pid_t child;

    (void)state;
    /* As if another thread were in the midst of a submit. */
    vvi_mutex_lock(&http->lock);
    child = fork();
    if (child == 0) {
        alarm(10);
        vvi_http_cancel(http);
        _exit(vvi_http_batch_init(&batch, http, &error) == VV_EINVAL ? 0 : 1);
    }
    vvi_mutex_unlock(&http->lock);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    vvi_http_free(http);
}

/* ---- the public call ------------------------------------------------------------------------ */

static void a_post_sends_and_returns_the_answer(void **state)
{
    script *self = start_script();
    static const vv_http_header headers[] = { { "X-Key", "k" } };
    vv_http_post_options options = VV_HTTP_POST_OPTIONS_INIT;
    vv_buf answer = VV_BUF_INIT;
    char url[256];

    (void)state;
    unsetenv("http_proxy");
    options.headers = headers;
    options.header_count = 1;
    add_answer(self, answer_of(200, "thanks"));
    add_answer(self, answer_of(403, ""));
    add_answer(self, answer_of(500, ""));
    url_of(self, "/v1/metrics", url);
    assert_vv_ok(vv_http_post(url, "application/json", vv_bytes_of("{}"), &options,
                              &answer, &err));
    assert_int_equal(answer.len, 6);
    assert_memory_equal(self->last_body, "{}", 2);
    assert_string_equal(server_header(&self->seen[0], "content-type"),
                        "application/json");
    assert_string_equal(server_header(&self->seen[0], "x-key"), "k");
    vv_buf_clear(&answer);
    assert_int_equal(vv_http_post(url, "text/plain", vv_bytes_of("x"), NULL, NULL, &err),
                     VV_EAUTH);
    assert_int_equal(vv_http_post(url, "text/plain", vv_bytes_of("x"), NULL, NULL, &err),
                     VV_EIO);
    assert_non_null(strstr(err.message, "500"));
    assert_int_equal(
        vv_http_post("nothing", "text/plain", vv_bytes_of("x"), NULL, NULL, &err),
        VV_EINVAL);
    end_script(self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_whole_with_its_status),
        cmocka_unit_test(a_body_of_parts_is_sent_without_asking_first),
        cmocka_unit_test(a_url_of_another_kind_is_refused_at_once),
        cmocka_unit_test(headers_that_would_end_their_line_are_refused),
        cmocka_unit_test(what_may_pass_is_tried_again_with_growing_waits),
        cmocka_unit_test(the_last_failure_is_told_as_it_is),
        cmocka_unit_test(what_must_be_sent_once_is_sent_once),
        cmocka_unit_test(nobody_there_is_told_apart_from_an_answer),
        cmocka_unit_test(a_redirect_to_another_origin_takes_no_secret_along),
        cmocka_unit_test(a_post_follows_only_what_keeps_the_method),
        cmocka_unit_test(a_redirect_leads_to_http_only),
        cmocka_unit_test(no_message_shows_a_secret),
        cmocka_unit_test(many_threads_share_one_client_within_the_lane),
        cmocka_unit_test(a_batch_that_is_cleared_ends_what_goes_on),
        cmocka_unit_test(a_cancel_ends_what_other_threads_wait_for),
        cmocka_unit_test(a_child_of_a_fork_is_refused_whatever_goes_on),
        cmocka_unit_test(a_post_sends_and_returns_the_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
