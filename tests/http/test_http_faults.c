/* Servers that break: the right error, in bounded time, and nothing left behind. */
#include "http/fixture.h"

#include <dirent.h>

#define MS ((uint64_t)1000000)

static vv_error err;

static vvi_http *quick_client(void)
{
    vvi_http_options opts = { .proxy = "",
                              .idle_timeout_ms = 300,
                              .connect_timeout_ms = 2000,
                              .total_timeout_ms = 20000,
                              .initial_delay_s = 0.001,
                              .backoff_factor = 1 };
    vvi_http *http = NULL;

    assert_vv_ok(vvi_http_new(&opts, &http, &err));
    return http;
}

static uint8_t long_body[40001];

typedef struct fault {
    server_answer answer;
    vv_status status;
    uint32_t http_status;
    uint32_t attempts; /* with 1 retry */
} fault;

static const server_answer cut_body = {
    .body = long_body, .body_len = 40000, .cut = true, .cut_at = 5000
};
static const server_answer stalled_body = {
    .body = long_body, .body_len = 40000, .stall = true, .cut_at = 5000
};

static vv_status ask(vvi_http *http, script *self, vvi_http_request *request,
                     uint64_t max_body_bytes)
{
    static vvi_http_lane lane;
    static char url[128];

    lane = (vvi_http_lane){ .limit = 4 };
    snprintf(url, sizeof(url), "%s/x", http_server_url(self->server));
    *request = (vvi_http_request){
        .url = url, .lane = &lane, .max_body_bytes = max_body_bytes, .max_retries = 1
    };
    vv_status status = vvi_http_perform(http, request, &err);

    http_server_settle(self->server);
    return status;
}

static void every_fault_gives_its_error_in_bounded_time(void **state)
{
    const fault faults[] = {
        { { .reset = true }, VV_EIO, 0, 2 },
        { cut_body, VV_EIO, 0, 2 },
        { stalled_body, VV_ETIMEDOUT, 0, 2 },
        { { .delay_ms = 5000 }, VV_ETIMEDOUT, 0, 2 },
        { { .status = 500 }, VV_OK, 500, 2 },
        { { .status = 503, .headers = "Retry-After: 0\r\n" }, VV_OK, 503, 2 },
        { { .status = 429, .headers = "Retry-After: soon\r\n" }, VV_OK, 429, 2 },
        { { .status = 404 }, VV_OK, 404, 1 },
        { { .status = 302, .headers = "Location: /x\r\n" }, VV_EIO, 0, 0 },
        { { .status = 302, .headers = "Location: http://[/\r\n" }, VV_EIO, 0, 0 },
        { { .huge_header = 300000 }, VV_ELIMIT, 0, 1 },
        { { .huge_header = 5000000 }, VV_ELIMIT, 0, 1 },
        { { .body = long_body, .body_len = 40001 }, VV_ELIMIT, 0, 1 },
        { { .raw = "SSH-2.0-OpenSSH_9.2\r\n", .raw_len = 21 }, VV_EIO, 0, 2 },
        { { .raw = "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nxx", .raw_len = 41 },
          VV_EIO,
          0,
          2 },
        { { .raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            .raw_len = 52 },
          VV_EIO,
          0,
          2 },
        { { .raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            .raw_len = 54 },
          VV_EIO,
          0,
          2 },
        { { .raw = "", .raw_len = 0 }, VV_EIO, 0, 2 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        script *self = start_script();
        vvi_http *http = quick_client();
        uint64_t start = vvi_now_ns();
        vvi_http_request request;
        vv_status status;

        add_answer(self, faults[i].answer);
        status = ask(http, self, &request, 40000);
        if (status != faults[i].status || request.http_status != faults[i].http_status ||
            (faults[i].attempts && request.attempts != faults[i].attempts))
            fail_msg("fault %zu: %s, status %u, %u attempts: %s", i,
                     vv_status_name(status), request.http_status, request.attempts,
                     status ? err.message : "");
        if (vvi_now_ns() - start > 4000 * MS)
            fail_msg("fault %zu took too long", i);
        vvi_http_request_clear(&request);
        vvi_http_free(http);
        end_script(self);
    }
}

static void an_error_behind_the_answer_is_seen(void **state)
{
    script *self = start_script();
    vvi_http *http = quick_client();
    vvi_http_request request;

    (void)state;
    add_answer(self, (server_answer){ .body = (const uint8_t *)"{}",
                                      .body_len = 2,
                                      .trailer = "X-Stream-Error: it broke\r\n" });
    assert_vv_ok(ask(http, self, &request, 100));
    assert_string_equal(request.stream_error, "it broke");
    vvi_http_request_clear(&request);
    vvi_http_free(http);
    end_script(self);
}

static void the_time_for_the_whole_ends_retries_too(void **state)
{
    script *self = start_script();
    vvi_http_options opts = { .proxy = "",
                              .total_timeout_ms = 400,
                              .initial_delay_s = 0.1 };
    vvi_http *http = NULL;
    uint64_t start = vvi_now_ns();
    vvi_http_request request;

    (void)state;
    assert_vv_ok(vvi_http_new(&opts, &http, &err));
    add_answer(self, answer_of(503, ""));
    add_answer(self, (server_answer){ .delay_ms = 60000 });
    assert_int_equal(ask(http, self, &request, 100), VV_ETIMEDOUT);
    assert_true(vvi_now_ns() - start < 3000 * MS);
    vvi_http_request_clear(&request);
    /* A wait that would end too late is not begun. */
    self->answers[0] = self->answers[1] = (server_answer){
        .status = 503, .headers = "Retry-After: 200\r\n"
    };
    assert_vv_ok(ask(http, self, &request, 100));
    assert_int_equal(request.http_status, 503);
    vvi_http_request_clear(&request);
    vvi_http_free(http);
    end_script(self);
}

static size_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* Answers, faults and redirects, one after the other. */
static void misbehave(void *ctx, const server_request *request, server_answer *answer)
{
    unsigned *count = ctx;

    (void)request;
    *answer = answer_of(200, "fine");
    switch ((*count)++ % 10) {
    case 1:
        answer->reset = true;
        break;
    case 3:
        *answer = cut_body;
        break;
    case 5:
        answer->status = 503;
        break;
    case 7:
        answer->status = 302;
        answer->headers = "Location: /y\r\n";
        break;
    case 9:
        answer->close = true;
        break;
    default:
        break;
    }
}

/* 10 000 under the address sanitizer when asked for; fewer on every run. */
static void nothing_leaks_over_many_requests(void **state)
{
    const char *asked = getenv("VARVITE_TEST_REQUESTS");
    size_t rounds = (asked ? strtoul(asked, NULL, 10) : 3000) / 50;
    unsigned count = 0;
    http_server *server = http_server_start(misbehave, &count);
    vvi_http *http = quick_client();
    size_t live = live_allocations();
    static vvi_http_request requests[50];
    vvi_http_lane lane = { .limit = 16 };
    size_t right = 0;
    size_t before = 0;
    char url[128];

    (void)state;
    watch_allocations();
    snprintf(url, sizeof(url), "%s/x", http_server_url(server));
    for (size_t round = 0; round < rounds; round++) {
        vvi_http_batch batch;

        assert_vv_ok(vvi_http_batch_init(&batch, http, &err));
        for (size_t i = 0; i < 50; i++) {
            requests[i] = (vvi_http_request){
                .url = url, .lane = &lane, .max_body_bytes = 200000, .max_retries = 5
            };
            vvi_http_submit(&batch, &requests[i]);
        }
        while (vvi_http_next(&batch))
            ;
        vvi_http_batch_clear(&batch);
        for (size_t i = 0; i < 50; i++) {
            right += !requests[i].status && requests[i].http_status == 200;
            vvi_http_request_clear(&requests[i]);
        }
        if (round == 2)
            before = open_descriptors();
    }
    /* Six attempts in a row that all fail are rare. */
    assert_true(right > rounds * 50 * 9 / 10);
    assert_true(open_descriptors() <= before + 64);
    assert_int_equal(live_allocations(), live);
    vvi_http_free(http);
    http_server_stop(server);
}

static vv_status one_request(void *ctx)
{
    script *self = ctx;
    vvi_http_options opts = { .proxy = "" };
    static const vv_http_header headers[] = { { "X-A", "1" } };
    const char *trusted[] = { http_server_url(self->server) };
    vvi_http *http = NULL;
    vvi_http_request request = { 0 };
    vv_status status;

    opts.headers = headers;
    opts.header_count = 1;
    opts.trusted = trusted;
    opts.trusted_count = 1;
    opts.user = "u";
    self->next = 0;
    status = vvi_http_new(&opts, &http, NULL);
    if (status)
        return status;
    status = ask(http, self, &request, 1000);
    vvi_http_request_clear(&request);
    vvi_http_free(http);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    script *self = start_script();

    (void)state;
    add_answer(self, (server_answer){ .status = 302, .headers = "Location: /there\r\n" });
    add_answer(self, answer_of(200, "hello"));
    survives_failing_allocations(one_request, self);
    end_script(self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_gives_its_error_in_bounded_time),
        cmocka_unit_test(an_error_behind_the_answer_is_seen),
        cmocka_unit_test(the_time_for_the_whole_ends_retries_too),
        cmocka_unit_test(nothing_leaks_over_many_requests),
        cmocka_unit_test(every_allocation_may_fail),
    };

    watch_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
