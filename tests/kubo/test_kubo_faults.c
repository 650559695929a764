/* Every fault of a server, for every call: nothing wrong is handed out, in bounded time; every allocation failing. */
#include "kubo/little_kubo.h"
#include "support/support.h"

#include "util/thread.h"

#include <stdio.h>

#define MS ((uint64_t)1000000)

static vv_error err;

static vv_kubo_options quick_options(const char *url)
{
    vv_kubo_options options = VV_KUBO_OPTIONS_INIT;

    options.proxy = "";
    options.rpc_url = url;
    options.initial_delay_s = 0.001;
    options.backoff_factor = 1;
    options.max_retries = 1;
    options.idle_timeout_ms = 200;
    options.total_timeout_ms = 3000;
    return options;
}

static vv_blockstore *open_store(const char *url, bool with_gateway)
{
    vv_kubo_options options = quick_options(url);
    vv_blockstore *store = NULL;

    options.gateway_urls = with_gateway ? &url : NULL;
    options.gateway_count = with_gateway;
    assert_vv_ok(vv_kubo_open(&options, &store, &err));
    return store;
}

static bool is_answer_of(kubo_fault fault, vv_status status)
{
    switch (fault) {
    case KUBO_WELL:
    case KUBO_BUSY_NEXT:
    case KUBO_TRUSTLESS:
    case KUBO_MISNAMES:
        return status == VV_OK;
    case KUBO_LIES:
    case KUBO_SHORT:
        return status == VV_ECORRUPT;
    case KUBO_STALL:
        return status == VV_ETIMEDOUT;
    case KUBO_HEADERS:
        return status == VV_ELIMIT;
    case KUBO_FORBIDDEN:
        return status == VV_EAUTH;
    default:
        return status == VV_EIO;
    }
}

static void reads_survive_every_fault(void **state)
{
    (void)state;
    for (int with_gateway = 0; with_gateway < 2; with_gateway++)
        for (int f = KUBO_WELL; f <= KUBO_MISNAMES; f++) {
            little_kubo *server = little_kubo_start();
            vv_blockstore *store = open_store(little_kubo_url(server), with_gateway);
            uint64_t start = vvi_now_ns();
            vv_buf out = VV_BUF_INIT;
            vv_status status;
            vv_cid cid;

            assert_vv_ok(vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3,
                                           vv_bytes_of("what was written"), &cid, &err));
            little_kubo_fault(server, (kubo_fault)f);
            status = vv_blockstore_get(store, &cid, &out, &err);
            if (!is_answer_of((kubo_fault)f, status))
                fail_msg("fault %d, gateway %d: %s: %s", f, with_gateway,
                         vv_status_name(status), err.message);
            if (!status)
                assert_memory_equal(out.data, "what was written", 16);
            else
                assert_null(out.data);
            if (vvi_now_ns() - start > 6000 * MS)
                fail_msg("fault %d took too long", f);
            /* And when all is well again, so is the store. */
            little_kubo_fault(server, KUBO_WELL);
            vv_buf_clear(&out);
            assert_vv_ok(vv_blockstore_get(store, &cid, &out, &err));
            vv_buf_clear(&out);
            vv_blockstore_free(store);
            little_kubo_stop(server);
        }
}

static vv_status ignore_block(void *ctx, const vv_cid *cid, uint64_t size,
                              vv_error *error)
{
    (void)ctx;
    (void)cid;
    (void)size;
    (void)error;
    return VV_OK;
}

static vv_status ignore_pin(void *ctx, const vv_kubo_pin *pin, vv_error *error)
{
    (void)ctx;
    (void)pin;
    (void)error;
    return VV_OK;
}

/* Faults that meet every call of the RPC. */
static void other_calls_fail_with_a_reason(void **state)
{
    static const kubo_fault faults[] = { KUBO_RESET,   KUBO_BUSY,     KUBO_TOO_MANY,
                                         KUBO_BROKEN,  KUBO_LOOP,     KUBO_HEADERS,
                                         KUBO_TRAILER, KUBO_FORBIDDEN };

    (void)state;
    for (size_t f = 0; f < sizeof(faults) / sizeof(*faults); f++) {
        little_kubo *server = little_kubo_start();
        vv_blockstore *store = open_store(little_kubo_url(server), false);
        vv_blockstore_stats stats;
        vv_status got[8];
        bool there;
        uint64_t size;
        vv_cid cid;

        assert_vv_ok(vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("x"),
                                       &cid, &err));
        little_kubo_fault(server, faults[f]);
        got[0] = vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("y"), NULL,
                                   &err);
        got[1] = vv_blockstore_has(store, &cid, &there, &err);
        got[2] = vv_blockstore_size(store, &cid, &size, &err);
        got[3] = vv_kubo_pin_ls(store, NULL, ignore_pin, NULL, &err);
        got[4] = vv_blockstore_iterate(store, ignore_block, NULL, &err);
        got[5] = vv_blockstore_stat(store, &stats, &err);
        got[6] = vv_kubo_pin_add(store, &cid, true, NULL, &err);
        /* Last: where the error comes behind the answer, it is done. */
        got[7] = vv_blockstore_delete(store, &cid, &err);
        for (size_t i = 0; i < 8; i++)
            if (got[i] != VV_EIO &&
                !(got[i] == VV_EAUTH && faults[f] == KUBO_FORBIDDEN) &&
                !(got[i] == VV_ELIMIT && faults[f] == KUBO_HEADERS))
                fail_msg("fault %d, call %zu: %s", (int)faults[f], i,
                         vv_status_name(got[i]));
        vv_blockstore_free(store);
        little_kubo_stop(server);
    }
}

/* ---- every allocation failing ---------------------------------------------------------------- */

/* Answers that need no memory of the library. */
static void fixed(void *ctx, const server_request *request, server_answer *answer)
{
    static const char hello[] = "hello";
    static const char named[] =
        "{\"Name\":\"upload\","
        "\"Hash\":\"bafkr4ihkr4ld3m4gqkjf4reryxsy2s5tkbxprqkow6fin2iiyvreuzzab4\",\"Size\":\"5\"}\n";
    static const char sized[] = "{\"Key\":\"x\",\"Size\":5}\n";
    static const char pinned[] =
        "{\"Keys\":{\"bafkr4ihkr4ld3m4gqkjf4reryxsy2s5tkbxprqkow6fin2iiyvreuzzab4\":"
        "{\"Type\":\"recursive\",\"Name\":\"\"}}}\n";
    static const char listed[] =
        "{\"Ref\":\"bafkr4ihkr4ld3m4gqkjf4reryxsy2s5tkbxprqkow6fin2iiyvreuzzab4\",\"Err\":\"\"}\n";
    const char *text = hello;

    (void)ctx;
    if (strstr(request->target, "/add?"))
        text = named;
    else if (strstr(request->target, "/stat"))
        text = sized;
    else if (strstr(request->target, "/pin/"))
        text = pinned;
    else if (strstr(request->target, "/refs/"))
        text = listed;
    answer->body = (const uint8_t *)text;
    answer->body_len = strlen(text);
}

static vv_status use_everything(vv_blockstore *store)
{
    vv_buf outs[3] = { 0 };
    bool there[3];
    vv_cid cids[3];
    vv_status status;

    status = vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("hello"),
                               &cids[0], NULL);
    cids[1] = cids[2] = cids[0];
    if (!status)
        status = vv_blockstore_get_many(store, cids, 3, outs, NULL, NULL);
    if (!status)
        status = vv_blockstore_has_many(store, cids, 3, there, NULL);
    if (!status)
        status = vv_blockstore_iterate(store, ignore_block, NULL, NULL);
    if (!status)
        status = vv_kubo_pin_add(store, &cids[0], true, "name", NULL);
    if (!status)
        status = vv_kubo_pin_ls(store, NULL, ignore_pin, NULL, NULL);
    for (size_t i = 0; i < 3; i++)
        vv_buf_clear(&outs[i]);
    return status;
}

static vv_status open_and_use(void *ctx)
{
    const char *base = ctx;
    char url[128];
    vv_kubo_options options = quick_options(NULL);
    vv_blockstore *store = NULL;
    vv_status status;

    options.rpc_url = NULL;
    snprintf(url, sizeof(url), "kubo://%s?gateway=%s", base + strlen("http://"), base);
    status = vv_kubo_open_url(url, &options, &store, NULL);
    if (!status)
        status = use_everything(store);
    vv_blockstore_free(store);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    http_server *server = http_server_start(fixed, NULL);

    (void)state;
    survives_failing_allocations(open_and_use,
                                 (void *)(uintptr_t)http_server_url(server));
    http_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_survive_every_fault),
        cmocka_unit_test(other_calls_fail_with_a_reason),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
