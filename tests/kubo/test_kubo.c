/* Blocks and pins of a daemon, gateways that fail and lie, and what a user sees of it. */
#include "kubo/little_kubo.h"
#include "support/support.h"

#include "blockstore/internal.h"

#include <pthread.h>
#include <stdio.h>

static vv_error err;

/* ---- helpers -------------------------------------------------------------------------------- */

#define SERVERS 3

typedef struct world {
    little_kubo *servers[SERVERS];
    const char *urls[SERVERS];
    char told[SERVERS * 8][256]; /* gateways that failed */
    vv_status told_statuses[SERVERS * 8];
    size_t told_count;
} world;

static int set_up(void **state)
{
    world *self = calloc(1, sizeof(*self));

    assert_non_null(self);
    for (size_t i = 0; i < SERVERS; i++) {
        self->servers[i] = little_kubo_start();
        self->urls[i] = little_kubo_url(self->servers[i]);
    }
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    world *self = *state;

    for (size_t i = 0; i < SERVERS; i++)
        little_kubo_stop(self->servers[i]);
    free(self);
    return 0;
}

static vv_kubo_options quick_options(void)
{
    vv_kubo_options options = VV_KUBO_OPTIONS_INIT;

    options.proxy = "";
    options.initial_delay_s = 0.001;
    options.idle_timeout_ms = 2000;
    return options;
}

/* A daemon to write to, without gateways. */
static vv_blockstore *open_daemon(const char *url, vv_kubo_options options)
{
    vv_blockstore *store = NULL;

    options.rpc_url = url;
    assert_vv_ok(vv_kubo_open(&options, &store, &err));
    return store;
}

static vv_blockstore *open_gateways(const char *const *urls, size_t n,
                                    vv_kubo_options options)
{
    vv_blockstore *store = NULL;

    options.gateway_urls = urls;
    options.gateway_count = n;
    assert_vv_ok(vv_kubo_open(&options, &store, &err));
    return store;
}

static vv_cid put_into(little_kubo *server, const char *text, uint32_t codec)
{
    const vv_cid_prefix prefix = { codec, VV_HASH_BLAKE3, 1, 0 };
    vv_blockstore *store = open_daemon(little_kubo_url(server), quick_options());
    vv_cid cid;

    assert_vv_ok(vv_blockstore_put(store, &prefix, vv_bytes_of(text), &cid, &err));
    vv_blockstore_free(store);
    return cid;
}

static void assert_text(vv_blockstore *store, const vv_cid *cid, const char *text)
{
    vv_buf out = VV_BUF_INIT;

    assert_vv_ok(vv_blockstore_get(store, cid, &out, &err));
    assert_int_equal(out.len, strlen(text));
    assert_memory_equal(out.data, text, out.len);
    vv_buf_clear(&out);
}

static vv_status get_status(vv_blockstore *store, const vv_cid *cid)
{
    vv_buf out = VV_BUF_INIT;
    vv_status status = vv_blockstore_get(store, cid, &out, &err);

    vv_buf_clear(&out);
    return status;
}

static vv_kubo_gateway gateway_of(vv_blockstore *store, size_t i)
{
    vv_kubo_gateway gateway;

    assert_vv_ok(vv_kubo_gateway_at(store, i, &gateway, &err));
    return gateway;
}

/* ---- gateways ------------------------------------------------------------------------------- */

static void note_failed(void *ctx, const char *gateway, const vv_cid *cid,
                        vv_status status, const char *message)
{
    world *self = ctx;

    (void)cid;
    assert_non_null(message);
    assert_true(self->told_count < SERVERS * 8);
    snprintf(self->told[self->told_count], 256, "%s", gateway);
    self->told_statuses[self->told_count++] = status;
}

static void a_gateway_that_lies_is_named_and_passed_by(void **state)
{
    world *self = *state;
    vv_kubo_options options = quick_options();
    vv_cid cid = put_into(self->servers[0], "the truth", VV_CODEC_RAW);
    vv_blockstore *store;
    vv_buf part = VV_BUF_INIT;

    put_into(self->servers[1], "the truth", VV_CODEC_RAW);
    options.gateway_failed = note_failed;
    options.ctx = self;
    store = open_gateways(self->urls, 2, options);
    little_kubo_fault(self->servers[0], KUBO_LIES);
    assert_text(store, &cid, "the truth");
    assert_int_equal(self->told_count, 1);
    assert_non_null(strstr(self->told[0], self->urls[0]));
    assert_int_equal(self->told_statuses[0], VV_ECORRUPT);
    assert_int_equal(gateway_of(store, 0).lies, 1);
    assert_int_equal(gateway_of(store, 1).loads, 1);
    /* A part is checked by the whole. */
    assert_vv_ok(vv_blockstore_get_range(store, &cid, VV_RANGE_OF(4, 5), &part, &err));
    assert_memory_equal(part.data, "truth", 5);
    vv_buf_clear(&part);
    /* All of them lie: nothing is handed out. */
    little_kubo_fault(self->servers[1], KUBO_SHORT);
    assert_int_equal(get_status(store, &cid), VV_ECORRUPT);
    assert_non_null(strstr(err.message, self->urls[0]));
    assert_non_null(strstr(err.message, self->urls[1]));
    /* Three in a row: asked last from now on. */
    assert_true(gateway_of(store, 0).is_tripped);
    assert_int_equal(vv_blockstore_get_range(store, &cid, VV_RANGE_OF(4, 5), &part, &err),
                     VV_ECORRUPT);
    vv_blockstore_free(store);
}

static void a_part_is_asked_for_where_the_caller_checks_it_otherwise(void **state)
{
    world *self = *state;
    vv_cid cid = put_into(self->servers[0], "sealed bytes", VV_CODEC_RAW);
    vv_blockstore *store = open_gateways(self->urls, 1, quick_options());
    vv_buf part = VV_BUF_INIT;

    assert_vv_ok(
        vvi_blockstore_get_range_unchecked(store, &cid, VV_RANGE_OF(7, 5), &part, &err));
    assert_int_equal(part.len, 5);
    assert_memory_equal(part.data, "bytes", 5);
    vv_buf_clear(&part);
    vv_blockstore_free(store);
}

static void not_found_is_told_apart_from_unreachable(void **state)
{
    world *self = *state;
    vv_cid cid = put_into(self->servers[2], "elsewhere", VV_CODEC_RAW);
    const char *dead[2] = { self->urls[0], NULL };
    vv_kubo_options options = quick_options();
    vv_blockstore *store = open_gateways(self->urls, 2, options);
    char nobody[64];

    assert_int_equal(get_status(store, &cid), VV_ENOTFOUND);
    assert_false(gateway_of(store, 0).is_tripped);
    assert_int_equal(get_status(store, &cid), VV_ENOTFOUND);
    assert_int_equal(get_status(store, &cid), VV_ENOTFOUND);
    assert_int_equal(get_status(store, &cid), VV_ENOTFOUND);
    /* A missing block does not speak against who said so. */
    assert_false(gateway_of(store, 0).is_tripped);
    little_kubo_fault(self->servers[1], KUBO_FORBIDDEN);
    assert_int_equal(get_status(store, &cid), VV_EAUTH);
    vv_blockstore_free(store);

    snprintf(nobody, sizeof(nobody), "http://127.0.0.1:%u", unused_port());
    dead[1] = nobody;
    store = open_gateways(dead, 2, options);
    assert_int_equal(get_status(store, &cid), VV_EIO);
    assert_non_null(strstr(err.message, nobody));
    vv_blockstore_free(store);
}

static void a_dead_gateway_costs_no_wait_when_another_answers(void **state)
{
    world *self = *state;
    vv_cid cid = put_into(self->servers[0], "here", VV_CODEC_RAW);
    vv_kubo_options options = quick_options();
    const char *urls[2] = { NULL, self->urls[0] };
    vv_blockstore *store;
    char nobody[64];

    snprintf(nobody, sizeof(nobody), "http://127.0.0.1:%u", unused_port());
    urls[0] = nobody;
    options.initial_delay_s = 3600; /* a retry before the failover would be seen */
    store = open_gateways(urls, 2, options);
    assert_text(store, &cid, "here");
    assert_text(store, &cid, "here");
    assert_text(store, &cid, "here");
    assert_true(gateway_of(store, 0).is_tripped);
    vv_blockstore_free(store);
}

static void what_failed_is_asked_again_when_no_other_is_left(void **state)
{
    world *self = *state;
    vv_cid cid = put_into(self->servers[0], "in the end", VV_CODEC_RAW);
    vv_blockstore *store = open_gateways(self->urls, 2, quick_options());

    little_kubo_fault(self->servers[0], KUBO_BUSY_NEXT);
    assert_text(store, &cid, "in the end");
    vv_blockstore_free(store);
}

static void who_was_not_asked_in_time_is_not_blamed(void **state)
{
    world *self = *state;
    vv_kubo_options options = quick_options();
    vv_cid cid = put_into(self->servers[1], "late", VV_CODEC_RAW);
    unsigned asked = little_kubo_requests(self->servers[1]);
    vv_blockstore *store;

    options.total_timeout_ms = 150;
    store = open_gateways(self->urls, 2, options);
    little_kubo_delay(self->servers[0], 60000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(get_status(store, &cid), VV_ETIMEDOUT);
    assert_int_equal(little_kubo_requests(self->servers[1]), asked);
    assert_int_equal(gateway_of(store, 1).failures, 0);
    assert_true(gateway_of(store, 0).is_tripped);
    /* So the next read goes to the one that is well. */
    assert_text(store, &cid, "late");
    vv_blockstore_free(store);
}

static void a_gateway_for_blocks_alone_is_asked_for_blocks(void **state)
{
    world *self = *state;
    vv_cid cid = put_into(self->servers[0], "a block", VV_CODEC_DAG_CBOR);
    vv_blockstore *store = open_gateways(self->urls, 1, quick_options());
    unsigned before;
    char last[2048];

    little_kubo_fault(self->servers[0], KUBO_TRUSTLESS);
    assert_text(store, &cid, "a block");
    before = little_kubo_requests(self->servers[0]);
    assert_text(store, &cid, "a block");
    assert_int_equal(little_kubo_requests(self->servers[0]), before + 1);
    little_kubo_last(self->servers[0], last, sizeof(last));
    assert_non_null(strstr(last, "?format=raw"));
    vv_blockstore_free(store);
}

static void of_dag_pb_the_block_is_asked_for_not_the_file(void **state)
{
    world *self = *state;
    vv_cid cid = put_into(self->servers[0], "\x0a\x02\x08\x01", VV_CODEC_DAG_PB);
    vv_blockstore *store = open_gateways(self->urls, 1, quick_options());
    vv_buf out = VV_BUF_INIT;
    char last[2048];

    assert_text(store, &cid, "\x0a\x02\x08\x01");
    little_kubo_last(self->servers[0], last, sizeof(last));
    assert_non_null(strstr(last, "?format=raw"));
    assert_int_equal(vv_kubo_load_range(store, &cid, VV_RANGE_ALL, &out, &err),
                     VV_EUNSUPPORTED);
    vv_blockstore_free(store);
}

static void gateways_alone_are_read_only_and_can_be_asked(void **state)
{
    world *self = *state;
    vv_cid there = put_into(self->servers[1], "some bytes", VV_CODEC_RAW);
    vv_cid gone = there;
    vv_blockstore *store = open_gateways(self->urls, 2, quick_options());
    bool has[2];
    uint64_t size = 0;
    vv_cid cid;

    gone.digest[3] ^= 1;
    assert_int_equal(
        vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("x"), &cid, &err),
        VV_EREADONLY);
    assert_int_equal(vv_kubo_pin_add(store, &there, true, NULL, &err), VV_EREADONLY);
    assert_vv_ok(vv_blockstore_has_many(store, (vv_cid[]){ gone, there }, 2, has, &err));
    assert_true(!has[0] && has[1]);
    assert_vv_ok(vv_blockstore_size(store, &there, &size, &err));
    assert_int_equal(size, 10);
    assert_int_equal(vv_blockstore_size(store, &gone, &size, &err), VV_ENOTFOUND);
    little_kubo_fault(self->servers[0], KUBO_FORBIDDEN);
    assert_int_equal(vv_blockstore_has(store, &gone, has, &err), VV_EIO);
    assert_int_equal(vv_blockstore_iterate(store, NULL, NULL, &err), VV_EUNSUPPORTED);
    vv_blockstore_free(store);
}

static void a_block_beyond_the_bound_is_refused(void **state)
{
    world *self = *state;
    vv_kubo_options options = quick_options();
    vv_cid cid = put_into(self->servers[0], "eleven byte", VV_CODEC_RAW);
    vv_blockstore *store;

    options.max_block_bytes = 10;
    store = open_gateways(self->urls, 1, options);
    assert_int_equal(get_status(store, &cid), VV_ELIMIT);
    vv_blockstore_free(store);
}

/* ---- many ----------------------------------------------------------------------------------- */

#define MANY 400

static void many_blocks_are_read_and_written_at_the_same_time(void **state)
{
    world *self = *state;
    vv_blockstore *store = open_daemon(self->urls[0], quick_options());
    static char texts[MANY][32];
    static vv_bytes blocks[MANY];
    static vv_cid cids[MANY];
    static vv_buf outs[MANY];
    static bool there[MANY];

    for (size_t i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof(texts[i]), "number %zu", i);
        blocks[i] = vv_bytes_of(texts[i]);
    }
    little_kubo_delay(self->servers[0], 5);
    assert_vv_ok(
        vv_blockstore_put_many(store, &VV_PREFIX_RAW_BLAKE3, blocks, MANY, cids, &err));
    assert_vv_ok(vv_blockstore_has_many(store, cids, MANY, there, &err));
    assert_vv_ok(vv_blockstore_get_many(store, cids, MANY, outs, NULL, &err));
    for (size_t i = 0; i < MANY; i++) {
        assert_true(there[i]);
        assert_int_equal(outs[i].len, blocks[i].len);
        assert_memory_equal(outs[i].data, texts[i], outs[i].len);
        vv_buf_clear(&outs[i]);
    }
    vv_blockstore_free(store);
}

typedef struct reader {
    vv_blockstore *store;
    const vv_cid *cids;
    size_t right;
} reader;

static void *read_all(void *ctx)
{
    reader *self = ctx;
    vv_buf outs[20] = { 0 };
    vv_status statuses[20];

    for (size_t round = 0; round < 20; round++) {
        if (vv_blockstore_get_many(self->store, self->cids, 20, outs, statuses, NULL) ==
            VV_OK)
            for (size_t i = 0; i < 20; i++)
                self->right += statuses[i] == VV_OK;
        for (size_t i = 0; i < 20; i++)
            vv_buf_clear(&outs[i]);
    }
    return NULL;
}

static void many_threads_read_through_gateways_that_come_and_go(void **state)
{
    world *self = *state;
    vv_kubo_options options = quick_options();
    vv_cid cids[20];
    vv_blockstore *store;
    pthread_t threads[4];
    reader readers[4];
    char text[32];

    for (size_t i = 0; i < 20; i++) {
        snprintf(text, sizeof(text), "block %zu", i);
        cids[i] = put_into(self->servers[0], text, VV_CODEC_RAW);
        put_into(self->servers[1], text, VV_CODEC_RAW);
    }
    options.max_in_flight = 6;
    store = open_gateways(self->urls, 3, options);
    little_kubo_fault(self->servers[0], KUBO_BUSY_NEXT);
    little_kubo_fault(self->servers[2], KUBO_RESET);
    for (size_t i = 0; i < 4; i++) {
        readers[i] = (reader){ store, cids, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].right, 400);
    }
    vv_blockstore_free(store);
}

static void *cancel_soon(void *ctx)
{
    struct timespec soon = { 0, 50000000 };

    nanosleep(&soon, NULL);
    vv_kubo_cancel(ctx, NULL);
    return NULL;
}

static void a_cancel_ends_a_call_of_another_thread(void **state)
{
    world *self = *state;
    vv_cid cid = put_into(self->servers[0], "slow", VV_CODEC_RAW);
    vv_kubo_options options = quick_options();
    vv_blockstore *store;
    pthread_t thread;

    options.idle_timeout_ms = 60000;
    store = open_gateways(self->urls, 1, options);
    little_kubo_delay(self->servers[0], 60000);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, store), 0);
    assert_int_equal(get_status(store, &cid), VV_ECANCELED);
    pthread_join(thread, NULL);
    vv_blockstore_free(store);
}

static void a_cancel_ends_all_blocks_of_a_call(void **state)
{
    enum {
        COUNT = 40
    };
    world *self = *state;
    vv_kubo_options options = quick_options();
    vv_cid cids[COUNT];
    vv_buf outs[COUNT] = { 0 };
    vv_status statuses[COUNT];
    vv_blockstore *store;
    pthread_t thread;

    for (uint8_t i = 0; i < COUNT; i++)
        cids[i] = (vv_cid){ .version = 1,
                            .codec = VV_CODEC_RAW,
                            .hash = VV_HASH_BLAKE3,
                            .digest_len = 32,
                            .digest = { i } };
    options.max_in_flight = 2;
    options.max_retries = VV_KUBO_NO_RETRIES;
    options.idle_timeout_ms = 500;
    store = open_gateways(self->urls, 1, options);
    little_kubo_delay(self->servers[0], 60000);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, store), 0);
    assert_int_equal(vv_blockstore_get_many(store, cids, COUNT, outs, statuses, &err),
                     VV_ECANCELED);
    pthread_join(thread, NULL);
    /* Also those that had not been asked for yet. */
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(statuses[i], VV_ECANCELED);
    vv_blockstore_free(store);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void what_is_longer_than_a_chunk_is_put_as_a_block(void **state)
{
    world *self = *state;
    vv_kubo_options options = quick_options();
    vv_blockstore *store;
    vv_cid cid;
    char last[2048];

    options.chunker = "size-8";
    options.pin_on_add = true;
    store = open_daemon(self->urls[0], options);
    assert_vv_ok(vv_blockstore_put(store, &VV_PREFIX_CBOR_BLAKE3, vv_bytes_of("8 bytes!"),
                                   &cid, &err));
    little_kubo_last(self->servers[0], last, sizeof(last));
    assert_string_equal(last,
                        "/api/v0/add?hash=blake3&chunker=size-8&pin=true&cid-version=1");
    assert_vv_ok(vv_blockstore_put(store, &VV_PREFIX_CBOR_BLAKE3,
                                   vv_bytes_of("9 bytes !"), &cid, &err));
    little_kubo_last(self->servers[0], last, sizeof(last));
    assert_string_equal(
        last, "/api/v0/block/put?cid-codec=dag-cbor&mhtype=blake3&mhlen=32&pin=true");
    assert_text(store, &cid, "9 bytes !");
    /* As KuboCAS saves: a node too stays whole. */
    assert_vv_ok(
        vv_kubo_add(store, vv_bytes_of("a longer node"), VV_CODEC_DAG_CBOR, &cid, &err));
    assert_int_equal(cid.codec, VV_CODEC_DAG_CBOR);
    assert_text(store, &cid, "a longer node");
    assert_vv_ok(vv_kubo_add(store, vv_bytes_of("short"), VV_CODEC_DAG_CBOR, &cid, &err));
    assert_int_equal(cid.codec, VV_CODEC_DAG_CBOR);
    vv_blockstore_free(store);
}

static void a_block_that_no_node_would_fetch_is_refused(void **state)
{
    world *self = *state;
    vv_blockstore *store = open_daemon(self->urls[0], quick_options());
    size_t len = (2 << 20) + 1;
    uint8_t *data = calloc(1, len);
    vv_cid cid;

    assert_int_equal(vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3,
                                       (vv_bytes){ data, len }, &cid, &err),
                     VV_ELIMIT);
    assert_int_equal(little_kubo_requests(self->servers[0]), 0);
    vv_blockstore_free(store);
    free(data);
}

static void a_daemon_that_names_a_block_otherwise_is_not_believed(void **state)
{
    world *self = *state;
    vv_blockstore *store = open_daemon(self->urls[0], quick_options());
    vv_cid cid;

    little_kubo_fault(self->servers[0], KUBO_MISNAMES);
    assert_int_equal(
        vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("x"), &cid, &err),
        VV_ECORRUPT);
    assert_non_null(strstr(err.message, self->urls[0]));
    assert_int_equal(vv_kubo_add(store, vv_bytes_of("x"), VV_CODEC_RAW, &cid, &err),
                     VV_ECORRUPT);
    little_kubo_fault(self->servers[0], KUBO_TRAILER);
    assert_int_equal(
        vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("x"), &cid, &err),
        VV_EIO);
    assert_non_null(strstr(err.message, "it broke"));
    little_kubo_fault(self->servers[0], KUBO_FORBIDDEN);
    assert_int_equal(
        vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("x"), &cid, &err),
        VV_EAUTH);
    vv_blockstore_free(store);
}

/* ---- pins ----------------------------------------------------------------------------------- */

static vv_status count_pins(void *ctx, const vv_kubo_pin *pin, vv_error *error)
{
    size_t *count = ctx;

    (void)error;
    assert_string_equal(pin->type, "recursive");
    ++*count;
    return *count == 100 ? VV_ECANCELED : VV_OK;
}

static size_t pins_of(vv_blockstore *store)
{
    size_t count = 0;

    assert_vv_ok(vv_kubo_pin_ls(store, "recursive", count_pins, &count, &err));
    return count;
}

static void pins_are_made_listed_moved_and_dropped(void **state)
{
    world *self = *state;
    vv_blockstore *store = open_daemon(self->urls[0], quick_options());
    vv_cid first = put_into(self->servers[0], "first", VV_CODEC_RAW);
    vv_cid second = put_into(self->servers[0], "second", VV_CODEC_RAW);
    vv_cid missing = first;
    size_t ninety_nine = 99;
    char last[2048];

    missing.digest[0] ^= 1;
    assert_int_equal(pins_of(store), 0);
    assert_vv_ok(vv_kubo_pin_add(store, &first, true, "a name & more", &err));
    little_kubo_last(self->servers[0], last, sizeof(last));
    assert_non_null(strstr(last, "&recursive=true&name=a%20name%20%26%20more"));
    assert_int_equal(pins_of(store), 1);
    assert_int_equal(vv_kubo_pin_add(store, &missing, true, NULL, &err), VV_ENOTFOUND);
    assert_vv_ok(vv_kubo_pin_update(store, &first, &second, true, &err));
    assert_int_equal(pins_of(store), 2);
    assert_int_equal(vv_kubo_pin_rm(store, &missing, true, &err), VV_ENOTFOUND);
    assert_int_equal(vv_kubo_pin_update(store, &missing, &second, false, &err),
                     VV_ENOTFOUND);
    assert_int_equal(vv_blockstore_delete(store, &second, &err), VV_EBUSY);
    assert_vv_ok(vv_kubo_pin_rm(store, &second, true, &err));
    assert_vv_ok(vv_kubo_pin_rm(store, &first, true, &err));
    assert_int_equal(pins_of(store), 0);
    assert_vv_ok(vv_kubo_pin_add(store, &first, false, NULL, &err));
    assert_int_equal(vv_kubo_pin_ls(store, NULL, count_pins, &ninety_nine, &err),
                     VV_ECANCELED);
    assert_int_equal(vv_kubo_pin_ls(store, "odd", count_pins, &ninety_nine, &err),
                     VV_EINVAL);
    vv_blockstore_free(store);
}

/* ---- opening -------------------------------------------------------------------------------- */

static void urls_open_stores(void **state)
{
    world *self = *state;
    vv_cid cid = put_into(self->servers[0], "by URL", VV_CODEC_RAW);
    vv_open_options options = VV_OPEN_OPTIONS_INIT;
    const char *host = self->urls[0] + strlen("http://");
    vv_blockstore *store;
    char url[256];

    setenv("no_proxy", "127.0.0.1", 1);
    snprintf(url, sizeof(url), "kubo://%s", host);
    assert_vv_ok(vv_blockstore_open(url, NULL, &store, &err));
    assert_string_equal(vv_blockstore_name(store), "kubo");
    assert_text(store, &cid, "by URL");
    vv_blockstore_free(store);
    snprintf(url, sizeof(url), "kubo://%s?gateway=%s&pin=false", host, self->urls[1]);
    options.read_only = true;
    assert_vv_ok(vv_blockstore_open(url, &options, &store, &err));
    assert_int_equal(
        vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("x"), NULL, &err),
        VV_EREADONLY);
    assert_int_equal(get_status(store, &cid), VV_ENOTFOUND);
    vv_blockstore_free(store);
    snprintf(url, sizeof(url), "gateway+%s,%s/ipfs/", self->urls[1], self->urls[0]);
    assert_vv_ok(vv_blockstore_open(url, NULL, &store, &err));
    assert_string_equal(vv_blockstore_name(store), "gateway");
    assert_text(store, &cid, "by URL");
    vv_blockstore_free(store);
}

static void urls_that_mean_nothing_are_refused(void **state)
{
    static const char *const urls[] = { "kubo:",
                                        "kubo:5001",
                                        "kubo://",
                                        "kubo://h?x=1",
                                        "kubo://h?gateway=",
                                        "kubo://h?gateway=ftp://g",
                                        "kubo://h:port",
                                        "gateway+https://",
                                        "gateway+https://h,",
                                        "gateway+https://h?x=1",
                                        "kubo://h?pin=maybe",
                                        "gateway+http:h",
                                        "kubo://u:p@" };
    vv_blockstore *store = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++)
        if (vv_blockstore_open(urls[i], NULL, &store, &err) != VV_EINVAL)
            fail_msg("%s is not refused", urls[i]);
}

static void credentials_of_a_url_are_sent_and_never_shown(void **state)
{
    static const char *const wrong[] = {
        "kubo://a:b/s3cret@h:1", "gateway+http://a:b/s3cret@h",
        "kubo://a:b?s3cret@h",   "kubo://a:b#s3cret@h",
        "kubo+ftp://a:s3cret@h", "http://a:s3cret@h",
        "kubo:a:s3cret@h",       "gateway+http://h?s3cret",
        "kubo://h?s3cret",       "kubo://a:s3cret@127.0.0.1:99999"
    };
    vv_blockstore *store = NULL;
    char url[256];
    vv_cid cid = {
        .version = 1, .codec = VV_CODEC_RAW, .hash = VV_HASH_BLAKE3, .digest_len = 32
    };

    (void)state;
    setenv("no_proxy", "127.0.0.1", 1);
    snprintf(url, sizeof(url), "kubo://me:s3cret@127.0.0.1:%u", unused_port());
    assert_vv_ok(vv_blockstore_open(url, NULL, &store, &err));
    vv_blockstore_free(store);
    vv_kubo_options options = quick_options();
    options.max_retries = VV_KUBO_NO_RETRIES;
    assert_vv_ok(vv_kubo_open_url(url, &options, &store, &err));
    assert_int_equal(get_status(store, &cid), VV_EIO);
    assert_null(strstr(err.message, "s3cret"));
    vv_blockstore_free(store);
    assert_int_equal(vv_kubo_open_url("kubo://a:s3cret@h:x", NULL, &store, &err),
                     VV_EINVAL);
    assert_null(strstr(err.message, "s3cret"));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_not_equal(vv_blockstore_open(wrong[i], NULL, &store, &err), VV_OK);
        if (strstr(err.message, "s3cret"))
            fail_msg("%s", err.message);
    }
}

/* Deletes the block, and the first answer is lost. */
static void lose_first(void *ctx, const server_request *request, server_answer *answer)
{
    static const char gone[] = "{\"Hash\":\"x\",\"Error\":\"ipld: could not find x\"}\n";
    unsigned *calls = ctx;

    (void)request;
    answer->reset = ++*calls == 1;
    answer->body = (const uint8_t *)gone;
    answer->body_len = sizeof(gone) - 1;
}

static void a_delete_whose_answer_was_lost_has_deleted(void **state)
{
    unsigned calls = 0;
    http_server *server = http_server_start(lose_first, &calls);
    vv_blockstore *store = open_daemon(http_server_url(server), quick_options());
    vv_cid cid = {
        .version = 1, .codec = VV_CODEC_RAW, .hash = VV_HASH_BLAKE3, .digest_len = 32
    };

    (void)state;
    assert_vv_ok(vv_blockstore_delete(store, &cid, &err));
    assert_int_equal(vv_blockstore_delete(store, &cid, &err), VV_ENOTFOUND);
    vv_blockstore_free(store);
    http_server_stop(server);
}

static void a_chunker_that_fits_no_request_is_refused(void **state)
{
    world *self = *state;
    vv_kubo_options options = quick_options();
    char chunker[4000] = "size-1";
    vv_blockstore *store;
    vv_cid cid;

    memset(chunker + 6, '0', sizeof(chunker) - 7);
    options.chunker = chunker;
    store = open_daemon(self->urls[0], options);
    assert_int_equal(vv_kubo_add(store, vv_bytes_of("x"), VV_CODEC_RAW, &cid, &err),
                     VV_EINVAL);
    vv_blockstore_free(store);
}

/* Keeps whom the last request said it came from; it has no block. */
static void note_user(void *ctx, const server_request *request, server_answer *answer)
{
    const char *given = server_header(request, "authorization");

    snprintf(ctx, 64, "%s", given ? given : "nobody");
    answer->status = 404;
}

static void credentials_of_a_url_stay_with_its_first_host(void **state)
{
    static const char *const forms[] = { "kubo://me:pw@%s?gateway=http://%s",
                                         "gateway+http://me:pw@%s,http://%s" };
    char seen[2][64] = { "", "" };
    http_server *first = http_server_start(note_user, seen[0]);
    http_server *second = http_server_start(note_user, seen[1]);
    vv_cid cid = {
        .version = 1, .codec = VV_CODEC_RAW, .hash = VV_HASH_BLAKE3, .digest_len = 32
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        vv_kubo_options options = quick_options();
        vv_blockstore *store = NULL;
        char url[256];
        bool there;

        strcpy(seen[0], "");
        strcpy(seen[1], "");
        snprintf(url, sizeof(url), forms[i], http_server_url(first) + strlen("http://"),
                 http_server_url(second) + strlen("http://"));
        assert_vv_ok(vv_kubo_open_url(url, &options, &store, &err));
        assert_int_equal(get_status(store, &cid), VV_ENOTFOUND);
        (void)vv_blockstore_has(store, &cid, &there, &err);
        vv_blockstore_free(store);
        http_server_settle(first);
        http_server_settle(second);
        assert_string_equal(seen[0], "Basic bWU6cHc=");
        assert_string_equal(seen[1], "nobody");
    }
    http_server_stop(first);
    http_server_stop(second);
}

static void a_peer_of_another_kind_is_named(void **state)
{
    world *self = *state;
    vv_kubo_options options = quick_options();
    vv_blockstore *store;
    char url[256];
    vv_cid cid;

    /* A gateway where the RPC should be. */
    snprintf(url, sizeof(url), "%s/ipfs", self->urls[0]);
    store = open_daemon(url, options);
    little_kubo_fault(self->servers[0], KUBO_WELL);
    assert_int_not_equal(
        vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("x"), &cid, &err),
        VV_OK);
    vv_blockstore_free(store);
    snprintf(url, sizeof(url), "%s/elsewhere", self->urls[0]);
    store = open_daemon(url, options);
    assert_int_equal(
        vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("x"), &cid, &err),
        VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "no Kubo RPC"));
    vv_blockstore_free(store);
}

static void calls_for_a_kubo_store_refuse_others(void **state)
{
    vv_blockstore *store = NULL;
    vv_kubo_gateway gateway;
    vv_cid cid;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&store, &err));
    assert_int_equal(vv_kubo_cancel(store, &err), VV_EINVAL);
    assert_int_equal(vv_kubo_gateway_at(store, 0, &gateway, &err), VV_EINVAL);
    assert_int_equal(vv_kubo_add(store, vv_bytes_of("x"), VV_CODEC_RAW, &cid, &err),
                     VV_EINVAL);
    vv_blockstore_free(store);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_gateway_that_lies_is_named_and_passed_by),
        TEST(a_part_is_asked_for_where_the_caller_checks_it_otherwise),
        TEST(not_found_is_told_apart_from_unreachable),
        TEST(a_dead_gateway_costs_no_wait_when_another_answers),
        TEST(what_failed_is_asked_again_when_no_other_is_left),
        TEST(who_was_not_asked_in_time_is_not_blamed),
        TEST(a_gateway_for_blocks_alone_is_asked_for_blocks),
        TEST(of_dag_pb_the_block_is_asked_for_not_the_file),
        TEST(gateways_alone_are_read_only_and_can_be_asked),
        TEST(a_block_beyond_the_bound_is_refused),
        TEST(many_blocks_are_read_and_written_at_the_same_time),
        TEST(many_threads_read_through_gateways_that_come_and_go),
        TEST(a_cancel_ends_a_call_of_another_thread),
        TEST(a_cancel_ends_all_blocks_of_a_call),
        TEST(what_is_longer_than_a_chunk_is_put_as_a_block),
        TEST(a_block_that_no_node_would_fetch_is_refused),
        TEST(a_daemon_that_names_a_block_otherwise_is_not_believed),
        TEST(pins_are_made_listed_moved_and_dropped),
        TEST(urls_open_stores),
        TEST(urls_that_mean_nothing_are_refused),
        TEST(credentials_of_a_url_are_sent_and_never_shown),
        TEST(a_delete_whose_answer_was_lost_has_deleted),
        TEST(a_chunker_that_fits_no_request_is_refused),
        TEST(credentials_of_a_url_stay_with_its_first_host),
        TEST(a_peer_of_another_kind_is_named),
        TEST(calls_for_a_kubo_store_refuse_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
